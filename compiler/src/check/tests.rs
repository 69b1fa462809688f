//! The checker on small programs: what is reported, by code and place, and what is not.

mod helper;
mod mutations;
mod programs;

use helper::{check, clean};

#[test]
fn the_first_program_is_clean() {
    clean(
        r#"
/// The word on the front page.
param greeting: String = "Hello" where it.len() >= 1
param replicas: Int = 2 where it in 1..=20

resource app = image {
  files = {
    "/srv/index.html" = template("index.html", { greeting })
    "/bin/imm"        = executable(self)
  }
  cmd = ["/bin/imm", "serve", "/srv"]
}

resource web = service {
  image    = app
  replicas = replicas
  port     = 8080
  limits   = { cpu = 0.5cpu, memory = 64MiB }
  health   = http { path = "/healthz", interval = 200ms }
}

pointer front = route {
  listen  = 8080
  to      = web
  rollout = canary {
    steps = [{ weight = 10%, hold = 5s }, { weight = 50%, hold = 5s }]
    gate  = (new, old) => new.errors <= old.errors + 1% && new.p99 < 250ms
  }
}

durable uploads = volume { size = 1GiB }

output url: ~String = front.url
"#,
    );
}

#[test]
fn unknown_and_missing_fields() {
    check(
        r#"
durable data = volume { size = 1GiB, acess = shared }
                                     ^ unknown-field
durable more = volume {}
        ^ missing-field
"#,
    );
}

#[test]
fn names() {
    check(
        r#"
let tier = "x"
let tier = tier
    ^ duplicate-name
output a = teir
           ^ unknown-name
type Tier = dev | prod
output b = dev
           ^ unknown-name
resource web = servce { port = 1 }
               ^ unknown-kind
type Web = { image: imagee }
                    ^ unknown-name
component image {}
          ^ duplicate-name
"#,
    );
}

#[test]
fn variants_win_where_they_are_expected() {
    check(
        r#"
type Tier = dev | prod
param tier: Tier = dev
let prod = tier
    ^ shadowed-variant
output bad: Tier = prod
                   ^ ambiguous-name
output good: Tier = Tier.prod
output same = tier == dev
output dot: Tier = Tier.nothing
                        ^ unknown-name
"#,
    );
}

#[test]
fn types_that_do_not_fit() {
    check(
        r#"
param port: Port = "8080"
                   ^ type-mismatch
durable data = volume { size = 512m }
                               ^ type-mismatch
let n: Int = 1.5
             ^ type-mismatch
let x: Float = 1
output y = x + 1
output s = "a" + 1
               ^ type-mismatch
output h = "${5s}"
              ^ type-mismatch
output f = x => x
           ^ type-mismatch
output l = [1, "a"]
               ^ type-mismatch
output e = {}
           ^ type-mismatch
output q = 5s * 2
output r = 2 * 5s
             ^ type-mismatch
output p = n + port
output z = n + 1
"#,
    );
}

#[test]
fn minutes_are_not_mebibytes() {
    let found = check(
        r#"
durable data = volume { size = 512m }
                               ^ type-mismatch
"#,
    );
    assert_eq!(found[0].helps, ["`512m` is 512 minutes; write `512MiB`"]);
    assert_eq!(found[0].fixes[0].edits[0].text, "512MiB");
}

#[test]
fn optionals_are_told_apart() {
    check(
        r#"
param host: String?
let a: String = host
                ^ type-mismatch
let b: String = host ?? "x"
let c = host.len()
             ^ unknown-field
let d: Int? = host?.len()
let e = match host { none => "x", some(h) => h }
let f = b ?? "x"
        ^ type-mismatch
let g: String? = host.map(h => h.upper())
output all = "${a}${b}${c}${e}${f}${d ?? 1}${g ?? ""}"
"#,
    );
}

#[test]
fn matches_cover_every_case() {
    check(
        r#"
type Store = memory | postgres { pool: Int, name: String }
param store: Store = memory
output a = match store { memory => 1 }
                 ^ not-exhaustive
output b = match store { memory => 1, postgres { pool, .. } => pool }
output c = match store { memory => 1, postgres { pool } => pool }
                                      ^ missing-field
output d = match store { memry => 1, _ => 2 }
                         ^ unknown-name
output e = match 5 { 1 => "a" }
                 ^ not-exhaustive
output f = match "x" { "x" => 1, _ => 2 }
output g = match true { true => 1 }
                 ^ not-exhaustive
output h = match store { memory | postgres => 1 }
output i = match store { some(x) => 1, _ => 2 }
                         ^ type-mismatch
"#,
    );
}

#[test]
fn what_is_late_stays_late() {
    check(
        r#"
resource app = image {}
resource web = service { image = app, port = 80, health = http {} }
pointer front = route { to = web }
output url: String = front.url
                     ^ type-mismatch
output late: ~String = front.url
output text = "see ${front.url}"
resource b if front.url == "x" = image {}
              ^ count-not-known
resource c for u in [front.url] = image {}
                    ^ count-not-known
resource d = service { image = app, port = 80, health = http {}, replicas = front.port }
                                                                            ^ count-not-known
let by_url: Map[~String] = { a = front.url }
output keys: [String] = by_url.keys()
output len: Int = by_url.len()
output joined: ~String = [front.url, "x"].join(",")
output plain: String = [front.url, "x"].join(",")
                       ^ type-mismatch
let keyed = { [front.url] = 1 }
               ^ count-not-known
output k = keyed
output id: String = app.id
resource e = image { labels = { a = front.url } }
                                    ^ type-mismatch
"#,
    );
}

#[test]
fn secrets_do_not_leak() {
    check(
        r#"
param key: Secret[String]
param other: Secret[String] where it.len() >= 20
import std.secret
import std.encode
resource a = image { env = { KEY = key } }
                                   ^ secret-leak
resource b if key == "x" = image {}
              ^ secret-leak
output long: Int = key.len()
                   ^ secret-leak
output text: String = "x${key}"
                      ^ secret-leak
output fine: Secret[String] = "x${key}"
output print: String = secret.fingerprint(key)
output json: Secret[String] = encode.json({ key, other })
output bad: String = encode.json({ key })
                     ^ secret-leak
assert key.len() > 3 else "too short ${key}"
                          ^ secret-leak
resource c = file { content = template("x", { key }) }
resource d = site { files = { "/a" = template("x", { key }) } }
                                     ^ secret-leak
"#,
    );
}

#[test]
fn classes_and_what_they_forbid() {
    let found = check(
        r#"
resource data = volume { size = 1GiB }
^ wrong-class
resource app = image {}
use web = service { image = app, port = 80, health = http {} }
^ wrong-class
component part { output a = 1 }
resource p = part {}
^ wrong-class
durable late = volume { size = 1GiB, owner = app.id }
                                             ^ durable-on-disposable
resource pg = service {
  image = app, port = 80, health = http {}
  mounts = { "/data" = volume { of = late } }
                       ^ exclusive-volume
}
durable own = volume { size = 1GiB }
resource pg2 = service {
  image = app, port = 80, health = http {}
  mounts = { "/data" = volume { of = own } }
} with { replace = handover {} }
resource c = container { image = app, port = 80 }
pointer front = route { to = c }
                             ^ no-health-check
resource n for s in [{ a = 1 }] = image { cmd = ["${s.a}"] }
                    ^ positional-key
resource m for i, s in ["a"] = image { cmd = ["${i}${s}"] }
               ^ positional-key
"#,
    );
    let fix = found.iter().flat_map(|d| &d.fixes).find(|f| f.title == "write `durable`").unwrap();
    assert_eq!(fix.applicability, imm_ir::Applicability::Safe);
}

#[test]
fn cycles_and_recursion() {
    let found = check(
        r#"
let a = b + 1
        ^ dependency-cycle
let b = c + 1
let c = a + 1
fn f(n: Int) -> Int = g(n)
                      ^ recursive-function
fn g(n: Int) -> Int = f(n)
fn h(n: Int) -> Int = if n == 0 then 1 else h(n - 1)
                                            ^ recursive-function
component x {
  use inner = x {}
              ^ dependency-cycle
}
type T = { t: T? }
     ^ dependency-cycle
output all = "${a}${f(1)}${h(1)}"
"#,
    );
    let cycle = found.iter().find(|d| d.message.contains("`a` → `b` → `c` → `a`")).unwrap();
    assert_eq!(cycle.labels.len(), 3);
}

#[test]
fn a_pointer_is_reserved_before_it_is_set() {
    clean(
        r#"
resource app = image {}
resource web = service { image = app, port = 80, health = http {}, env = { URL = front.url } }
pointer front = route { to = web }
"#,
    );
    check(
        r#"
resource app = image {}
resource web = service { image = app, port = 80, health = http {} } with { needs = [front] }
                                                                                    ^ dependency-cycle
pointer front = route { to = web }
"#,
    );
}

#[test]
fn components_see_only_their_own_params() {
    check(
        r#"
param tier: String = "x"
let fixed = 1
let depends = tier.len()
component web {
  param size: Int = fixed
  output a = size + fixed
  output b = tier
             ^ unknown-name
  output c = depends
             ^ unknown-name
}
use w = web { sise = 1 }
              ^ unknown-field
use v = web {}
output a = v.a
output d = v.size
             ^ unknown-field
fn f() -> Int = depends
                ^ unknown-name
fn g() -> String = tier
                   ^ unknown-name
output last = "${f()}${g()}"
"#,
    );
}

#[test]
fn one_mistake_is_one_diagnostic() {
    check(
        r#"
let a = nought
        ^ unknown-name
let b = a + 1
let c = b.foo.bar[3] ?? a
output d: Int = c
output e = match b { x => 1 }
resource f if c = image { cmd = [a, b, c] }
resource g for k in a = image { cmd = [k] }
"#,
    );
}

#[test]
fn unused_bindings_are_warnings() {
    check(
        r#"
param p: Int = 1
      ^ unused-binding
let a = 1
    ^ unused-binding
let _b = 1
import std.encode
           ^ unused-binding
fn f(x: Int) -> Int = 1
   ^ unused-binding
     ^ unused-binding
output o = [for i in 0..3: 1]
                ^ unused-binding
type S = one { x: Int } | two
param s: S = two
output m = match s { one { x } => 1, two => 2 }
                           ^ unused-binding
"#,
    );
}

#[test]
fn environments_set_declared_params() {
    check(
        r#"
type Tier = dev | prod
param tier: Tier = dev
param host: String?
environment prod { params = { tier = prod, host = "x" }, keep = 3, confirm = true, state = local { path = "x" } }
environment bad { params = { teir = prod }, keeep = 3, watch = 5 }
                             ^ unknown-field
                                            ^ unknown-field
                                                               ^ type-mismatch
environment ref { params = { host = tier } }
                                    ^ unknown-name
output o = "${tier}${host ?? ""}"
"#,
    );
}

#[test]
fn keys_and_spreads() {
    check(
        r#"
let base = { a = 1, b = 2 }
let over = { ..base, b = 3 }
let twice = { a = 1, a = 2 }
                     ^ duplicate-key
let map = { "x" = 1, "x" = 2 }
                     ^ duplicate-key
type R = { a: Int, b: Int, c: Int? }
let r: R = { ..base }
let s: R = { a = 1 }
           ^ missing-field
let t: R = { ..base, d = 1 }
                     ^ unknown-field
let u = { ..5 }
            ^ type-mismatch
output all = "${over.b}${r.a}${s.a}${t.a}${twice.a}${map["x"]}"
output v = u
"#,
    );
}

#[test]
fn methods_are_known_by_type() {
    check(
        r#"
let xs = [3, 1, 2]
output a: [Int] = xs.map(x => x + 1).filter(x => x > 1)
output b: Int = xs.fold(0, (sum, x) => sum + x)
output c: Int? = xs.min()
output d = xs.mapp(x => x)
              ^ unknown-field
output e = xs.map(x => y)
                       ^ unknown-name
output f = xs.map((a, b) => a)
                  ^ type-mismatch
output g = xs.map()
              ^ type-mismatch
output h: [String] = xs.map(x => "${x}")
output i = len(xs)
           ^ unknown-name
output j: Map[[Int]] = xs.group_by(x => "${x}")
output k: Map[Int] = { "a" = 1 }.map(v => v + 1).filter((k, v) => k == "a" && v > 0)
output l = xs.filter(x => x)
                          ^ type-mismatch
output m: Duration = [1s, 2s].sum()
output n = ["a"].sum()
                 ^ unknown-field
output o: [Int] = [[1], [2]].flatten()
output p: Bool = xs.any(x => x in 1..5)
"#,
    );
}

#[test]
fn what_cannot_run_twice_or_be_nested() {
    check(
        r#"
resource app = image {}
durable data = volume { size = 1GiB }
resource a = service {
  image = app, port = 80, health = http {}
  mounts = { "/data" = volume { of = data } }
} with { replace = handover {} }
resource b = worker {
  image = app
  mounts = { "/data" = volume { of = data } }
                       ^ cannot-coexist
} with { replace = stop_first { because = "one writer" } }
resource c = worker { image = app, mounts = { "/data" = volume { of = data, read_only = true } } }
pointer front = route { to = a, rollout = rolling {} }
                                          ^ canary-needs-overlap
pointer again = route { to = front }
                             ^ nested-rollout
"#,
    );
}

#[test]
fn kinds_of_providers_are_held_to_the_rules_of_classes() {
    let program = |classes: &str, item: &str| {
        format!("provider a = cloud {{ region = \"x\", classes = {classes} }}\nresource m = a.machine {{}}\n{item}\n")
    };
    let said = |classes: &str, item: &str| said_with(&clouds(), &program(classes, item)).1;
    let holds = "state-in-resource: `a.disk` holds state, and a `resource` is disposable";
    assert_eq!(said("{}", "resource d = a.disk { size = 1GiB }"), [holds]);
    assert_eq!(said("{ resource = [\"disk\"] }", "resource d = a.disk { size = 1GiB }"), [""; 0]);
    let holds = "state-in-resource: `a.machine` holds state, and a `resource` is disposable";
    assert_eq!(said("{ durable = [\"machine\"] }", ""), [holds]);
    assert_eq!(said("{ durable = [\"machin\"] }", ""), ["unknown-kind: there is no kind `machin`"]);
}

/// A provider of virtual machines, as a crate would register it.
fn clouds() -> imm_ir::SchemaSet {
    use imm_ir::{Class, ProviderField, ProviderSchema, kinds};
    let mut schemas = kinds::builtin().clone();
    let field = |name: &str, ty, required| ProviderField { name: name.into(), ty, required, doc: "Text.".into() };
    let names = |name: &str| imm_ir::FieldType {
        name: name.into(),
        ty: imm_ir::Type::option(imm_ir::Type::list(imm_ir::Type::String)),
        default: None,
    };
    let fields = ["resource", "durable", "pointer", "external"].map(names).into();
    let classes = imm_ir::Type::option(imm_ir::Type::Record(std::sync::Arc::new(imm_ir::RecordType { fields })));
    let mut machine = schemas.get("image").unwrap().clone();
    machine.name = "machine".into();
    let mut disk = schemas.get("volume").unwrap().clone();
    disk.name = "disk".into();
    assert_eq!((machine.class, disk.class), (Class::Resource, Class::Durable));
    let provider = ProviderSchema {
        fields: vec![
            field("region", imm_ir::Type::String, true),
            field("retries", imm_ir::Type::Int, false),
            field("classes", classes, false),
        ],
        kinds: [("machine".into(), machine), ("disk".into(), disk)].into(),
    };
    schemas.providers.insert("cloud".into(), provider);
    schemas
}

fn said_with(schemas: &imm_ir::SchemaSet, text: &str) -> (crate::hir::TypedModule, Vec<String>) {
    let mut sources = imm_ir::Sources::default();
    let file = sources.add(imm_ir::SourceFile::new("main.imm", text));
    let parsed = imm_syntax::parse(file, text);
    assert_eq!(parsed.diagnostics, []);
    let input = super::ModuleInput { files: vec![(file, parsed.module.into())], ..Default::default() };
    let (module, found) = super::check(&[input], 0, &sources, schemas);
    (module, found.iter().map(|d| format!("{}: {}", d.code, d.message)).collect())
}

#[test]
fn kinds_of_providers_have_their_name_before_a_dot() {
    let text = r#"
param region: String = "here"
provider west = cloud { region }
provider east = cloud { region = "east", retries = 3 }
resource a = west.machine {}
durable d = east.disk { size = 1GiB }
component pair {
  param of: west.machine
  output id = of.id
}
use p = pair { of = a }
output id = p.id
"#;
    let (module, found) = said_with(&clouds(), text);
    assert_eq!(found, [""; 0]);
    let kinds: Vec<&str> = module.provided.keys().map(|kind| &**kind).collect();
    assert_eq!(kinds, ["east.disk", "east.machine", "west.disk", "west.machine"]);
    let made = crate::evaluate::graph_of(&module, text);
    let providers: Vec<(&str, &str, &str)> =
        made.nodes.iter().map(|(addr, node)| (addr.as_str(), &*node.kind, &*node.provider)).collect();
    assert_eq!(providers, [("a", "west.machine", "west"), ("d", "east.disk", "east")]);
    // Equal inputs at another provider are another thing.
    let other = text.replace("west.machine", "east.machine");
    let (module, _) = said_with(&clouds(), &other);
    let other = crate::evaluate::graph_of(&module, &other);
    assert_ne!(made.nodes.values().next().unwrap().spec, other.nodes.values().next().unwrap().spec);
}

#[test]
fn settings_of_providers_are_held_to_their_schema() {
    let said = |text: &str| said_with(&clouds(), text).1;
    assert_eq!(
        said("provider a = cloud { regoin = \"x\", retries = \"3\" }\n"),
        ["unknown-field: provider `a` has no field `regoin`", "type-mismatch: expected `Int`, found `String`"]
    );
    assert_eq!(said("provider a = cloud {}\n"), ["missing-field: provider `a` needs the field `region`"]);
    assert_eq!(
        said("provider a = clod {}\nresource m = a.machine {}\n"),
        ["unknown-kind: there is no provider `clod`"]
    );
    assert_eq!(
        said("provider a = cloud { region = \"x\" }\nresource m = a.machin {}\nresource n = b.machine {}\n"),
        ["unknown-kind: there is no kind `a.machin`", "unknown-kind: there is no kind `b.machine`"]
    );
    assert_eq!(
        said("provider a = cloud { region = \"x\" }\nprovider a = cloud { region = \"y\" }\n"),
        ["duplicate-name: `a` is declared twice"]
    );
    assert_eq!(
        said("provider a = cloud { region = m.id }\nresource m = image {}\n"),
        ["unknown-name: node `m` cannot be used in a provider"]
    );
    assert_eq!(
        said("provider a = cloud { region = \"x\" }\nresource d = a.disk { size = 1GiB }\n"),
        ["state-in-resource: `a.disk` holds state, and a `resource` is disposable"]
    );
}

#[test]
fn at_most_twenty_errors_of_a_file() {
    let text: String = (0..50).map(|i| format!("output o{i} = nothing{i}\n")).collect();
    let (_, found, _) = helper::checked(&text);
    assert_eq!(found.len(), 20);
}

#[test]
fn the_order_puts_what_is_needed_first() {
    use crate::hir::Step;
    let module = clean(
        r#"
output url = front.url
let c = a + b
let b = a
let a = n + 1
let fixed = 2
param n: Int = 1
resource app = image { cmd = ["${c}", "${fixed}"] }
resource web = service { image = app, port = 80, health = http {}, env = { URL = front.url } }
pointer front = route { to = web }
"#,
    );
    let at = |step: Step| module.root.order.iter().position(|s| *s == step).unwrap();
    let binding =
        |name: &str| Step::Let(crate::hir::LetId::of(module.lets.iter().position(|l| &*l.name == name).unwrap()));
    let node = |name: &str| crate::hir::NodeId::of(module.nodes.iter().position(|n| &*n.name == name).unwrap());
    assert!(at(binding("a")) < at(binding("b")) && at(binding("b")) < at(binding("c")));
    assert!(at(Step::Param(module.root.params[0])) < at(binding("a")));
    assert!(at(binding("c")) < at(Step::Node(node("app"))));
    assert!(at(Step::Node(node("front"))) < at(Step::Node(node("web"))));
    assert!(at(Step::Node(node("web"))) < at(Step::Set(node("front"))));
    let constants: Vec<&str> = module.constants.iter().map(|id| &*module.lets[id.index()].name).collect();
    assert_eq!(constants, ["fixed"]);
}

#[test]
fn long_chains_and_deep_nests_end() {
    let mut chain: String = (1..4000).map(|i| format!("let a{} = a{i} + 1\n", i - 1)).collect();
    chain.push_str("let a3999 = 1\noutput o = a0\n");
    clean(&chain);
    let deep = format!("output o = {}1{}\n", "(".repeat(100), ")".repeat(100));
    clean(&deep);
}

/// Pages whose programs need nothing but the checker. `tests/documents.rs` does the others.
#[test]
fn the_pages_of_this_stage_say_what_is_said() {
    macro_rules! pages {
        ($($code:literal)*) => { [$(($code, include_str!(concat!("../../explain/", $code, ".md")))),*] };
    }
    let pages = pages! {
        "unknown-field" "missing-field" "type-mismatch" "unknown-name" "unknown-kind" "ambiguous-name" "duplicate-name"
        "recursive-function" "not-exhaustive" "count-not-known" "positional-key" "wrong-class" "exclusive-volume"
        "cannot-coexist" "canary-needs-overlap" "durable-on-disposable" "nested-rollout" "secret-leak"
        "dependency-cycle" "unused-binding" "shadowed-variant"
    };
    for (code, page) in pages {
        let block = |mark: &str| {
            page.split(mark).nth(1).and_then(|rest| rest.split("```").next()).unwrap_or_else(|| panic!("{code}"))
        };
        let said = |text: &str| {
            let (_, found, _) = helper::checked(text);
            let errors = found.iter().any(imm_ir::Diagnostic::is_error);
            let mut codes: Vec<&str> = found.iter().filter(|d| d.is_error() == errors).map(|d| d.code.0).collect();
            codes.dedup();
            (errors, codes)
        };
        assert_eq!(said(block("```imm wrong\n")).1, [code], "{code}: wrong");
        let (errors, codes) = said(block("```imm right\n"));
        assert!(!errors && !codes.contains(&code), "{code}: right {codes:?}");
    }
}
