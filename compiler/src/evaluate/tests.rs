//! Whole programs in, graphs and diagnostics out.

use crate::world::MemoryWorld;
use crate::{Compiled, Given, GivenValue, Options, check, compile};
use imm_ir::{CauseKind, Edge, EdgeKind, Graph, Key, Node, ParamFrom, Replace, Term, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

const HELLO: &str = include_str!("fixtures/hello.imm");

fn world(program: &str) -> MemoryWorld {
    let mut world = MemoryWorld::new([("main.imm", program), ("index.html", "<h1>{{ greeting }}</h1>\n")]);
    world.insert_program(None, b"\x7fELF");
    world
}

fn options(params: &[(&str, &str)]) -> Options {
    let given = |text: &str| Given { value: GivenValue::Text(text.to_owned()), from: ParamFrom::CommandLine };
    let params = params.iter().map(|(name, text)| (Arc::from(*name), given(text))).collect();
    Options { params, ..Options::default() }
}

#[track_caller]
fn compiled_with(program: &str, params: &[(&str, &str)]) -> Compiled {
    match compile(&world(program), "", &options(params)) {
        Ok(compiled) => compiled,
        Err(failed) => panic!("{:#?}", failed.diagnostics),
    }
}

#[track_caller]
fn compiled(program: &str) -> Compiled {
    compiled_with(program, &[])
}

/// Codes and messages of what is wrong.
#[track_caller]
fn wrong_with(program: &str, params: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    match compile(&world(program), "", &options(params)) {
        Ok(compiled) => panic!("no error: {:#?}", compiled.graph),
        Err(failed) => {
            failed.diagnostics.into_iter().filter(imm_ir::Diagnostic::is_error).map(|d| (d.code.0, d.message)).collect()
        }
    }
}

#[track_caller]
fn wrong(program: &str, code: &str, message: &str) {
    assert_eq!(wrong_with(program, &[]), [(leaked(code), message.to_owned())]);
}

fn leaked(text: &str) -> &'static str {
    imm_ir::code::ALL.iter().find(|code| code.0 == text).expect("a code").0
}

fn node<'g>(graph: &'g Graph, addr: &str) -> &'g Node {
    graph.nodes.iter().find(|(a, _)| a.as_str() == addr).map(|(_, node)| node).unwrap_or_else(|| panic!("no {addr}"))
}

fn edges(graph: &Graph, addr: &str) -> Vec<(String, EdgeKind)> {
    node(graph, addr).edges.iter().map(|Edge { to, kind }| (to.to_string(), *kind)).collect()
}

fn output(compiled: &Compiled, name: &str) -> Term {
    compiled.graph.outputs.iter().find(|o| &*o.name == name).unwrap_or_else(|| panic!("no {name}")).term.clone()
}

/// The value of `output x = EXPR` after some declarations.
#[track_caller]
fn value_of(declarations: &str, expr: &str) -> Value {
    let compiled = compiled(&format!("{declarations}\noutput x = {expr}\n"));
    output(&compiled, "x").into_value().expect("a value")
}

fn addresses(graph: &Graph) -> Vec<&str> {
    graph.nodes.keys().map(imm_ir::Addr::as_str).collect()
}

#[test]
fn hello_is_five_objects() {
    let compiled = compiled(HELLO);
    let graph = &compiled.graph;
    let expected = ["app", "front", "uploads", "web.instance[\"0\"]", "web.instance[\"1\"]"];
    assert_eq!(addresses(graph), expected);
    let app = |kind| ("app".to_owned(), kind);
    assert_eq!(edges(graph, "web.instance[\"0\"]"), [app(EdgeKind::Bind)]);
    let targets = ["web.instance[\"0\"]", "web.instance[\"1\"]"].map(|a| (a.to_owned(), EdgeKind::Set));
    assert_eq!(edges(graph, "front"), targets);
    assert_eq!(edges(graph, "uploads"), []);
    let expanded = graph.expanded.values().next().unwrap();
    assert_eq!((&*expanded.kind, expanded.members.len()), ("service", 2));
    assert_eq!(expanded.count_loc.to_string(), "main.imm:15:14");
    assert_eq!(node(graph, "web.instance[\"0\"]").spec, node(graph, "web.instance[\"1\"]").spec);
    assert!(!node(graph, "web.instance[\"0\"]").inputs.contains_key("replicas"));
    assert_eq!(node(graph, "app").origin.loc.to_string(), "main.imm:5:1");
    assert_eq!(compiled.machine_inputs.len(), 1);
    assert_eq!(compiled.files.keys().map(|k| &**k).collect::<Vec<_>>(), ["index.html", "main.imm"]);
    assert!(
        matches!(output(&compiled, "url"), Term::Output(addr, field) if addr.as_str() == "front" && &*field == "url")
    );
}

#[test]
fn a_param_is_the_cause_of_what_it_goes_into() {
    let compiled = compiled_with(HELLO, &[("greeting", "Hi")]);
    let files = &node(&compiled.graph, "app").inputs["files"];
    let shown: Vec<String> = files
        .causes
        .iter()
        .map(|cause| match &cause.what {
            CauseKind::Param { name, from, shown } => format!("{name} {from:?} {shown} {}", cause.loc),
            CauseKind::File(path) => format!("file {path} {}", cause.loc),
            CauseKind::Machine(name) => format!("machine {name} {}", cause.loc),
            CauseKind::Function(name) => format!("fn {name} {}", cause.loc),
            CauseKind::Let { name, .. } => format!("let {name} {}", cause.loc),
        })
        .collect();
    let expected =
        ["greeting CommandLine \"Hi\" main.imm:7:50", "file index.html main.imm:7:25", "machine self main.imm:8:25"];
    assert_eq!(shown, expected);
    let Value::Map(map) = files.term.known().unwrap() else { panic!("a map") };
    let Value::Content(imm_ir::Content::Bytes(blob)) = &map[&Key::from("/srv/index.html")] else { panic!("bytes") };
    assert_eq!(&*blob.bytes, b"<h1>Hi</h1>\n");
    let (default, given) = (crate::evaluate::tests::compiled(HELLO), compiled);
    assert_ne!(node(&default.graph, "app").spec, node(&given.graph, "app").spec);
    assert_eq!(node(&default.graph, "uploads").spec, node(&given.graph, "uploads").spec);
    assert_ne!(default.graph.root(), given.graph.root());
}

#[test]
fn a_let_keeps_its_causes_and_is_one() {
    let compiled = compiled(
        "param a: String = \"x\"\nlet b = \"${a}!\"\nresource app = image { env = { B = b }, labels = { L = \"l\" } }\n",
    );
    let app = node(&compiled.graph, "app");
    let causes = &app.inputs["env"].causes;
    let loc = causes[0].loc.clone();
    assert_eq!(causes.iter().map(|c| c.loc.to_string()).collect::<Vec<_>>(), ["main.imm:2:12", "main.imm:2:5"]);
    let CauseKind::Let { name, through, .. } = &causes[1].what else { panic!("{causes:?}") };
    assert_eq!((&**name, &**through), ("b", &[loc][..]));
    assert_eq!(app.inputs["labels"].causes, []);
}

#[test]
fn same_input_same_bytes() {
    let bytes = || postcard::to_allocvec(&compiled(HELLO).graph).unwrap();
    assert_eq!(bytes(), bytes());
    let moved = format!("\n\n{HELLO}");
    let (here, there) = (compiled(HELLO), compiled(&moved));
    assert_eq!(here.graph.root(), there.graph.root());
}

#[test]
fn a_canary_carries_its_gate_as_a_term() {
    let program = HELLO.replace(
        "blue_green {}",
        "canary {\n    steps = [{ weight = 10%, hold = 5s }, { weight = 50%, hold = 5s }]\n    gate = (new, old) => new.errors <= old.errors + 1% && new.p99 < 250ms\n  }",
    );
    let compiled = compiled(&program);
    let Term::Variant(tag, payload) = &node(&compiled.graph, "front").inputs["rollout"].term else { panic!("a hole") };
    assert_eq!(&**tag, "canary");
    assert_eq!(payload["min_requests"], Term::Value(Value::Int(100)));
    let samples = |errors, p99| {
        let fields = [("errors", Value::Ratio(errors)), ("p99", Value::Duration(p99))];
        Term::Value(Value::Record(fields.into_iter().map(|(k, v)| (Arc::from(k), v)).collect()))
    };
    let judge = |new, old| imm_ir::reduce::call(&payload["gate"], &[new, old]).unwrap();
    assert_eq!(judge(samples(10_000, 100), samples(0, 100)), Term::Value(Value::Bool(true)));
    assert_eq!(judge(samples(10_001, 100), samples(0, 100)), Term::Value(Value::Bool(false)));
    assert_eq!(judge(samples(0, 250), samples(0, 100)), Term::Value(Value::Bool(false)));
}

#[test]
fn references_bind_order_or_are_set() {
    let compiled = compiled(
        "resource app = image { cmd = [\"a\"] }\n\
         durable data = volume { size = 1GiB }\n\
         resource web = service { image = app, port = 80, health = http {}, mounts = { \"/d\" = volume { of = data } }, env = { URL = front.url } } with { replace = handover { max_outage = 20s } }\n\
         pointer front = route { to = web }\n\
         resource note = file { content = \"${app.id} ${web.port}\" }\n\
         resource late = file { content = front.url } with { needs = [web], timeout = 10s }\n",
    );
    let graph = &compiled.graph;
    let edge = |to: &str, kind| (to.to_owned(), kind);
    let web = "web.instance[\"0\"]";
    let bind = EdgeKind::Bind;
    assert_eq!(edges(graph, web), [edge("app", bind), edge("data", bind), edge("front", bind)]);
    assert_eq!(edges(graph, "front"), [edge(web, EdgeKind::Set)]);
    assert_eq!(edges(graph, "note"), [edge("app", EdgeKind::Order), edge(web, EdgeKind::Order)]);
    assert_eq!(edges(graph, "late"), [edge("front", bind), edge(web, EdgeKind::Order)]);
    assert_eq!(node(graph, "late").with.timeout_ms, 10_000);
    assert_eq!(node(graph, web).with.replace, Replace::Handover { max_outage_ms: 20_000 });
    let note = node(graph, "note").inputs["content"].term.known().unwrap();
    assert_eq!(format!("{note:?}"), format!("Bytes(Blob({} bytes))", 64 + 3));
}

#[test]
fn components_have_addresses_and_their_own_lets() {
    let compiled = compiled(
        "component page {\n  param title: String\n  param port: Port = 8080\n  let html = \"<h1>${title}</h1>\"\n  resource files = site { files = { \"/index.html\" = html } }\n  pointer front = route { listen = port, to = files }\n  output url: ~String = front.url\n}\n\
         use blog = page { title = \"Blog\" }\n\
         let all: Map[Int] = { a = 1, b = 2 }\nuse shops for name, port in all = page { title = name, port }\n\
         output urls: Map[~String] = { for name, s in shops: [name] = s.url }\n",
    );
    let expected = [
        "blog.files",
        "blog.front",
        "shops[\"a\"].files",
        "shops[\"a\"].front",
        "shops[\"b\"].files",
        "shops[\"b\"].front",
    ];
    assert_eq!(addresses(&compiled.graph), expected);
    let origin = &node(&compiled.graph, "shops[\"b\"].front").origin;
    assert_eq!(
        (origin.loc.to_string(), origin.uses[0].to_string()),
        ("main.imm:6:3".to_owned(), "main.imm:11:1".to_owned())
    );
    let Term::Map(urls) = output(&compiled, "urls") else { panic!("a map with holes") };
    assert!(matches!(&urls[&Key::from("b")], Term::Output(addr, _) if addr.as_str() == "shops[\"b\"].front"));
    assert_eq!(node(&compiled.graph, "blog.front").inputs["listen"].term, Term::Value(Value::Int(8080)));
}

#[test]
fn heads_decide_which_nodes_exist() {
    let program = "param on: Bool = false\nresource app = image { cmd = [\"a\"] }\nresource extra if on = image { labels = { A = \"a\" } }\nresource many for n in [\"x\", \"y\", \"z\"] if n != \"y\" = image { labels = { N = n } }\noutput id = extra?.id\n";
    let off = compiled(program);
    assert_eq!(addresses(&off.graph), ["app", "many[\"x\"]", "many[\"z\"]"]);
    assert_eq!(output(&off, "id"), Term::Value(Value::None));
    let on = compiled_with(program, &[("on", "true")]);
    assert!(addresses(&on.graph).contains(&"extra"));
    let id = output(&on, "id").into_value().unwrap();
    assert_eq!(id, Value::text(node(&on.graph, "extra").spec.hex()));
}

#[test]
fn expressions_have_their_values() {
    let types = "let pairs: Map[Int] = { a = 1, b = 2 }\ntype Store = memory | postgres { pool: Int }\nfn pool(s: Store) -> Int = match s { memory => 0, postgres { pool } => pool }\nfn twice(n: Int) -> Int = n * 2\n";
    for (expr, expected) in [
        ("1 + 2 * 3", Value::Int(7)),
        ("twice(twice(2))", Value::Int(8)),
        ("pool(postgres { pool = 5 }) + pool(memory)", Value::Int(5)),
        ("if 1 in 1..=3 then \"yes\" else \"no\"", Value::text("yes")),
        ("[for n in 1..=3 if n != 2: n * 10].sum()", Value::Int(40)),
        ("{ for k, v in pairs: [\"${k}!\"] = v }.keys().join(\",\")", Value::text("a!,b!")),
        ("[3, 1, 2].sort_by(n => n).map(n => \"${n}\").join(\" \")", Value::text("1 2 3")),
        ("[1, 2, 3].fold(0, (sum, n) => sum + n)", Value::Int(6)),
        ("[1, ..[2, 3], 4].len()", Value::Int(4)),
        ("[1, 2].get(5) ?? 9", Value::Int(9)),
        ("(512MiB).in_mib() / 2", Value::Int(256)),
        ("false && 1 / 0 == 1", Value::Bool(false)),
    ] {
        assert_eq!(value_of(types, expr), expected, "{expr}");
    }
}

#[test]
fn mistakes_of_values_have_places() {
    wrong(
        "output x: Int = 9_000_000_000_000_000_000 * 2\n",
        "overflow",
        "9000000000000000000 * 2 does not fit into 64 bits",
    );
    wrong("let n = 0\noutput x: Int = 1 / n\n", "division-by-zero", "division by zero");
    wrong("output x: Int = [1][3]\n", "out-of-range", "there is no element 3 in a list of 1");
    wrong(
        "param p: Port = 8080\nlet many = [8080, 70_000]\noutput x: [Port] = many\n",
        "out-of-range",
        "70000 is no Port",
    );
    wrong(
        "let k = \"a\"\noutput x: Map[Int] = { [k] = 1, [\"a\"] = 2 }\n",
        "duplicate-key",
        "the key \"a\" occurs twice",
    );
    wrong("resource a for n in [\"x\", \"x\"] = image {}\n", "duplicate-key", "two nodes would be `a[\"x\"]`");
    wrong("let n = 1\nassert n >= 2 else \"too few\"\n", "assert-failed", "too few");
    wrong(
        "let page = file(\"indx.html\")\nresource s = site { files = { \"/\" = page } }\n",
        "file-not-found",
        "there is no `indx.html`",
    );
    wrong(
        "resource app = image { cmd = [\"a\"] }\nresource web = service { image = app, replicas = 5000, port = 80, health = http {} }\n",
        "out-of-range",
        "5000 is no Replicas",
    );
}

#[test]
fn an_error_inside_of_a_call_shows_the_way() {
    let program = "fn half(n: Int) -> Int = 10 / n\nfn deep(n: Int) -> Int = half(n)\noutput x: Int = deep(0)\n";
    let failed = compile(&world(program), "", &Options::default()).unwrap_err();
    let labels: Vec<(u32, &str)> = failed.diagnostics[0]
        .labels
        .iter()
        .map(|label| (failed.sources.loc(label.span).line, label.text.as_str()))
        .collect();
    assert_eq!(labels, [(1, ""), (2, "in this call of `half`"), (3, "in this call of `deep`")]);
}

#[test]
fn templates_and_their_variables() {
    let with = |record: &str| format!("output page: String = template(\"index.html\", {record})\n");
    let page = output(&compiled(&with("{ greeting = \"Hi\" }")), "page");
    assert_eq!(page, Term::Value(Value::text("<h1>Hi</h1>\n")));
    wrong(&with("{ greetin = \"Hi\" }"), "template-variable", "nothing gives `greeting`");
    wrong(
        &with("{ greeting = \"a\", more = 1 }"),
        "template-variable",
        "the template `index.html` does not use `more`",
    );
    let failed = compile(&world(&with("{ greetin = \"Hi\" }")), "", &Options::default()).unwrap_err();
    assert_eq!(failed.sources.loc(failed.diagnostics[0].span()).to_string(), "index.html:1:5");
}

#[test]
fn params_come_from_outside() {
    let program = "type Tier = dev | prod { zones: Int }\nparam tier: Tier = dev\nparam zones: [String] = []\nparam limit: Bytes? = none\nparam n: Int = 2 where it in 1..=20\noutput t = tier\noutput z = zones\noutput l = limit\n";
    let given = compiled_with(
        program,
        &[("tier", "prod { zones = 3 }"), ("zones", "[\"a\"]"), ("limit", "64MiB"), ("n", "20")],
    );
    assert_eq!(output(&given, "z"), Term::Value(Value::List(vec![Value::text("a")])));
    assert_eq!(output(&given, "l"), Term::Value(Value::Bytes(64 << 20)));
    assert_eq!(given.params.iter().filter(|p| p.from == ParamFrom::CommandLine).count(), 4);
    let message = |params: &[(&str, &str)]| wrong_with(program, params).remove(0);
    assert_eq!(message(&[("n", "99")]), ("param-rejected", "param `n` cannot be 99".to_owned()));
    assert_eq!(message(&[("n", "x")]).0, "param-rejected");
    assert_eq!(message(&[("tier", "prd")]).0, "param-rejected");
    assert_eq!(message(&[("zone", "[]")]), ("unknown-name", "there is no param `zone`".to_owned()));
}

#[test]
fn json_gives_params_too() {
    let program = "type Tier = dev | prod { zones: Int }\nparam tier: Tier\nparam wait: Duration\noutput t = tier\noutput w = wait\n";
    let json = |text: &str| Given {
        value: GivenValue::Json(serde_json::from_str(text).unwrap()),
        from: ParamFrom::ParamsFile,
    };
    let options = |tier, wait| Options {
        params: BTreeMap::from([(Arc::from("tier"), json(tier)), (Arc::from("wait"), json(wait))]),
        ..Options::default()
    };
    let compiled = compile(&world(program), "", &options("{\"prod\": {\"zones\": 2}}", "\"5s\"")).unwrap();
    assert_eq!(output(&compiled, "w"), Term::Value(Value::Duration(5000)));
    assert_eq!(output(&compiled, "t").known().unwrap().get("zones"), Some(&Value::Int(2)));
    let failed = compile(&world(program), "", &options("\"prod\"", "5")).unwrap_err();
    assert_eq!(failed.diagnostics.len(), 2);
    assert!(failed.diagnostics.iter().all(|d| d.code.0 == "param-rejected"));
}

#[test]
fn secrets_do_not_show() {
    let program = "param key: Secret[String] where it.len() >= 20\nresource app = image { cmd = [\"a\"] }\nresource w = worker { image = app, env = { KEY = key, URL = \"x:${key}\" } }\n";
    let secret = |text: &str| {
        let given = Given { value: GivenValue::File(text.to_owned()), from: ParamFrom::CommandLine };
        Options { params: BTreeMap::from([(Arc::from("key"), given)]), ..Options::default() }
    };
    let compiled = compile(&world(program), "", &secret("hunter2hunter2hunter2")).unwrap();
    assert!(!format!("{:?}", compiled.graph).contains("hunter2"), "{:?}", compiled.graph);
    assert!(compiled.sources.iter().all(|(_, file)| !file.text.contains("hunter2")));
    let failed = compile(&world(program), "", &secret("hunter2")).unwrap_err();
    assert_eq!(failed.diagnostics[0].message, "param `key` cannot be this secret");
    assert!(!format!("{failed:?}").contains("hunter2"));
    assert_eq!(wrong_with(program, &[("key", "hunter2hunter2hunter2")])[0].0, "param-rejected");
}

#[test]
fn a_missing_param_belongs_to_plan() {
    let program = "param version: String\nparam n: Int\nparam on: Bool\nresource app = image { labels = { V = version } }\nresource w for i in [\"${n}\"] = image { labels = { V = i } }\nresource x if on = image {}\noutput h: Int = 10 / n\nassert n > 3 else \"few\"\n";
    let found = wrong_with(program, &[]);
    assert_eq!(found.iter().map(|(code, _)| *code).collect::<Vec<_>>(), ["missing-param"; 3]);
    let checked = check(&world(program), "", &Options::default());
    assert_eq!(checked.diagnostics, []);
}

#[test]
fn environments_set_params_and_policy() {
    let program = "param tier: String = \"dev\"\noutput t: String = tier\nenvironment prod {\n  params = { tier = \"prod\" }\n  keep = 3\n  watch = 10s\n  replace_limit = 30%\n  confirm = true\n}\n";
    let prod = Options { environment: "prod".to_owned(), ..Options::default() };
    let compiled = compile(&world(program), "", &prod).unwrap();
    assert_eq!(output(&compiled, "t"), Term::Value(Value::text("prod")));
    let policy = &compiled.graph.policy;
    assert_eq!(
        (policy.keep, policy.watch_ms, policy.replace_limit_ppm, policy.confirm),
        (3, 10_000, Some(300_000), true)
    );
    let typo = Options { environment: "prd".to_owned(), ..Options::default() };
    let failed = compile(&world(program), "", &typo).unwrap_err();
    assert_eq!(
        (failed.diagnostics[0].code.0, failed.diagnostics[0].helps[0].as_str()),
        ("unknown-name", "did you mean `prod`?")
    );
}

#[test]
fn what_is_late_stays_a_term() {
    let compiled = compiled(
        "resource app = image { cmd = [\"a\"] }\nresource web = service { image = app, port = 80, health = http {} }\nlet port = web.instance[\"0\"].port\noutput big: ~Bool = port > 1000\noutput all: ~[String] = [for c in [port]: \"p${c}\"]\nassert port > 1 else \"a port\"\n",
    );
    assert!(matches!(output(&compiled, "big"), Term::Call(..)));
    assert!(matches!(output(&compiled, "all"), Term::List(_)));
    assert_eq!(compiled.graph.asserts.len(), 1);
    assert_eq!(&*compiled.graph.asserts[0].message, "a port");
}

#[test]
fn routes_do_not_collide_and_targets_have_health() {
    let site = "resource s = site { files = { \"/index.html\" = \"x\" } }\n";
    wrong(
        &format!("{site}pointer a = route {{ listen = 80, to = s }}\npointer b = route {{ listen = 80, to = s }}\n"),
        "duplicate-route",
        "`a` and `b` both answer at *:80/",
    );
    compiled(&format!(
        "{site}pointer a = route {{ listen = 80, to = s }}\npointer b = route {{ listen = 80, path = \"/b\", to = s }}\n"
    ));
    let codes: Vec<_> = wrong_with(
        "resource app = image { cmd = [\"a\"] }\nresource c = container { image = app, port = 80 }\npointer a = route { to = c }\n",
        &[],
    );
    assert_eq!(codes[0].0, "no-health-check");
}

#[test]
fn a_port_speaks_in_one_way_and_a_route_can_be_asked_for() {
    let nodes = "resource s = site { files = { \"/index.html\" = \"x\" } }\nresource app = image { cmd = [\"a\"] }\nresource web = service { image = app, port = 80, health = http {} }\n";
    let two = |other: &str| {
        format!(
            "{nodes}pointer a = route {{ listen = 80, to = web }}\npointer b = route {{ listen = 80, to = web, {other} }}\n"
        )
    };
    for (other, said) in [
        ("host = \"x\", tls = dev", "with and without TLS"),
        ("host = \"x\", bind = \"0.0.0.0\"", "at two addresses"),
        ("host = \"x\", protocol = tcp", "for two routes, and plain TCP does not say which one is meant"),
    ] {
        wrong(&two(other), "cannot-coexist", &format!("`a` and `b` would have port 80 {said}"));
    }
    compiled(&two("host = \"x\", timeout = 1s"));
    wrong(
        &format!("{}pointer c = route {{ listen = 80, to = web, host = \"X\" }}\n", two("host = \"x\"")),
        "duplicate-route",
        "`b` and `c` both answer at X:80/",
    );
    let tcp = "a` speaks plain TCP, and `s` is a site, which answers HTTP only";
    wrong(&format!("{nodes}pointer a = route {{ to = s, protocol = tcp }}\n"), "out-of-range", &format!("`{tcp}"));
    for (field, said) in [
        ("path = \"b\"", "\"b\" does not begin with `/`"),
        ("bind = \"here\"", "\"here\" is no IP address"),
        ("host = \"http://x\"", "\"http://x\" is a URL"),
        ("host = \"x/y\"", "\"x/y\" has a path"),
        ("host = \"x:80\"", "\"x:80\" has a port"),
        ("host = \"\"", "\"\" is no name of a host"),
    ] {
        wrong(&format!("{nodes}pointer a = route {{ to = web, {field} }}\n"), "out-of-range", said);
    }
    compiled(&format!("{nodes}pointer a = route {{ to = web, host = \"::1\", bind = \"::1\" }}\n"));
}

#[test]
fn a_long_chain_of_lets_leads_to_its_beginning() {
    let mut text = String::from("param a: String = \"x\"\nlet n0 = a\n");
    for n in 1..5_000 {
        text.push_str(&format!("let n{n} = n{}\n", n - 1));
    }
    text.push_str("resource f = file { content = n4999 }\n");
    let compiled = compiled(&text);
    let causes = &node(&compiled.graph, "f").inputs["content"].causes;
    let is_let = |cause: &&imm_ir::Cause| matches!(cause.what, CauseKind::Let { .. });
    assert!(causes.iter().any(|cause| matches!(&cause.what, CauseKind::Param { name, .. } if &**name == "a")));
    assert!(causes.iter().any(|cause| matches!(&cause.what, CauseKind::Let { name, .. } if &**name == "n4999")));
    assert_eq!(causes.iter().filter(is_let).count(), 1_000, "the nearest ones");
}

#[test]
fn nodes_of_one_declaration_share_what_is_the_same() {
    let text = "let word = \"w\"\nresource i for n in 0..3 = image { cmd = [\"/a\"], env = { W = word }, labels = { n = \"${n}\" } }\n";
    let compiled = compiled(text);
    let input = |n: usize, name: &str| &node(&compiled.graph, &format!("i[\"{n}\"]")).inputs[name];
    for name in ["cmd", "env", "clock"] {
        assert!(Arc::ptr_eq(input(0, name), input(2, name)), "{name}");
    }
    assert_eq!(input(2, "labels").term.known().unwrap().get("n"), Some(&Value::text("2")));
    assert_eq!(input(2, "env").causes.len(), 1);
    assert_ne!(node(&compiled.graph, "i[\"0\"]").spec, node(&compiled.graph, "i[\"1\"]").spec);
}

#[test]
fn an_explosion_is_a_diagnostic() {
    let found = wrong_with("output n: Int = (0..2_000_000_000).map(x => x * 2).len()\n", &[]);
    assert_eq!(found[0].0, "budget-exceeded");
}
