//! Q9 over sources: every subset of some edits of a program; for each object that is replaced, undoing just the edits whose
//! names `why` gives makes its action vanish. And `imm why` itself, on a recorded generation.

use crate::harness::Bench;
use imm_compiler::{MemoryWorld, Options as Compile};
use imm_ir::{Graph, kinds};
use imm_runtime::explain::{Question, Root};
use imm_runtime::plan::{Observed, Options, Plan, Recorded, plan};
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use std::collections::BTreeMap;

const PROGRAM: &str = r#"param greeting: String = "Hello"
param size: Int = 1
let page = "${greeting}, world"
let title = shout("plain")
fn shout(text: String) -> String = text.upper()
let labels = { title, page }

component page_of {
  param text: String
  param listen: Port
  let body = "<h1>${text}</h1>"
  resource app = image { files = { "/index.html" = body }, cmd = ["/bin/true"], env = { A = "1" } }
  resource web = service { image = app, port = 80, replicas = 2, health = http { path = "/" } }
  pointer edge = route { listen, to = web }
}

use one = page_of { text = page, listen = 8080 }
use two = page_of { text = title, listen = 8081 }
resource notes = file { content = file("notes.txt") }
resource many for name in ["a", "b"] = file { content = name }
"#;

/// What an edit is called in causes, and what it does: in a file, this becomes that.
const EDITS: &[(&str, &str, &str, &str)] = &[
    ("greeting", "main.imm", "\"Hello\"", "\"Hi\""),
    ("title", "main.imm", "shout(\"plain\")", "shout(\"fancy\")"),
    ("body", "main.imm", "<h1>${text}</h1>", "<h2>${text}</h2>"),
    ("env", "main.imm", "A = \"1\"", "A = \"2\""),
    ("notes.txt", "notes.txt", "old", "new"),
    ("many", "main.imm", "[\"a\", \"b\"]", "[\"a\", \"b\", \"c\"]"),
    ("shout", "main.imm", "text.upper()", "text.upper() + \"!\""),
    ("text", "main.imm", "page, listen", "page + \".\", listen"),
    ("content", "main.imm", "file(\"notes.txt\")", "\"other\""),
    ("size", "main.imm", "param size: Int = 1", "param size: Int = 2"),
];

fn graph(edits: &[usize]) -> Graph {
    let mut files = BTreeMap::from([("main.imm", PROGRAM.to_owned()), ("notes.txt", "old\n".to_owned())]);
    for edit in edits {
        let (_, file, from, to) = EDITS[*edit];
        let text = &files[file];
        assert!(text.contains(from), "{from}");
        files.insert(file, text.replace(from, to));
    }
    let mut world = MemoryWorld::default();
    for (path, text) in &files {
        world.insert(path, text.as_bytes());
    }
    let compiled = imm_compiler::compile(&world, "", &Compile::default());
    let mut graph = compiled.unwrap_or_else(|e| panic!("{:#?}", e.diagnostics)).graph;
    graph.nodes.values_mut().for_each(|node| node.provider = "simulated".into());
    graph
}

fn name(root: &Root) -> String {
    // A node that is new goes by what it belongs to.
    root.name.clone().unwrap_or_else(|| root.address.split(['[', '.']).next().unwrap_or_default().to_owned())
}

#[test]
fn undoing_the_edits_that_are_named_removes_the_action() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let base = graph(&[]);
    let state = runtime.block_on(async {
        let mut scene = Scene::new(1);
        let ended = scene.run(&Command::Apply(Box::new(base.clone())), None, &Life::default()).await;
        assert!(matches!(ended, Ended::Outcome(_)), "{ended:?}");
        scene.state().unwrap()
    });
    let wanted = Options::new(BTreeMap::from([("simulated".into(), kinds::builtin().clone())]));
    let (recorded, observed) = (Recorded { state: &state, graph: Some(&base) }, Observed::default());
    let mut plans: BTreeMap<Vec<usize>, Plan> = BTreeMap::new();
    let mut planned = |edits: &[usize]| -> Plan {
        let make = || plan(&graph(edits), recorded, &observed, &wanted).unwrap();
        plans.entry(edits.to_vec()).or_insert_with(make).clone()
    };
    let mut checked = 0;
    // All pairs, and some of the larger ones.
    for subset in (0..1_usize << EDITS.len()).filter(|s| s.count_ones() <= 2 || s % 29 == 0) {
        let edits: Vec<usize> = (0..EDITS.len()).filter(|i| subset >> i & 1 == 1).collect();
        let now = planned(&edits);
        let question = Question { plan: &now, recorded, observed: &observed, options: &wanted };
        let addresses: std::collections::BTreeSet<_> = now.steps.iter().map(|s| s.address.clone()).collect();
        for change in addresses.iter().flat_map(|a| question.changes(a)) {
            let named: Vec<String> = change.causes.iter().map(name).collect();
            let left: Vec<usize> = edits.iter().copied().filter(|e| !named.iter().any(|n| n == EDITS[*e].0)).collect();
            let told = format!("{edits:?}: {} {} because {named:?}", change.action, change.address);
            assert!(left.len() < edits.len(), "{told}: no edit is named");
            let again = planned(&left);
            let there =
                again.steps.iter().any(|s| s.action.word() == change.action && s.address.as_str() == change.address);
            assert!(!there, "{told}: it is still there");
            assert!(change.unless.is_some(), "{told}: no counterfactual");
            checked += 1;
        }
    }
    assert!(checked > 500, "{checked}");
}

#[test]
fn the_way_goes_over_lets_down_to_the_param() {
    let bench = Bench::example("hello");
    bench.edit("template(\"index.html\", { greeting })", "page");
    bench.edit("resource app", "let page = template(\"index.html\", { greeting })\n\nresource app");
    bench.ok(&["apply", "--yes", "--because", "first"]);
    let asked = ["why", "web.instance[\"0\"]", "--param", "greeting=Hi"];
    let text = bench.ok(&asked);
    for part in [
        "+ create  web.instance[\"0\"]",
        "because app is replaced",
        "← its files[\"/srv/index.html\"] changed  (main.imm:",
        "← page changed  (main.imm:7:5)",
        "← param greeting is \"Hi\", it was \"Hello\"  (main.imm:7:37, --param)",
        "would be kept if greeting were \"Hello\" again",
        "since generation 1",
        "because \"first\"",
        "then because: new (main.imm:",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let document = bench.json(&asked);
    let change = &document["addresses"][0]["changes"][0];
    let cause = &change["causes"][0];
    assert_eq!(cause["path"], serde_json::json!(["web.instance[\"0\"]", "app"]));
    assert_eq!((&cause["kind"], &cause["line"], &cause["column"]), (&"param".into(), &7.into(), &37.into()));
    // Undo what is named, on the command line: nothing is left to do.
    let (param, value) = (&change["unless"]["params"][0][0], &change["unless"]["params"][0][1]);
    let value = value.as_str().unwrap().trim_matches('"');
    let back = format!("{}={value}", param.as_str().unwrap());
    assert_eq!(bench.imm(&["plan", "--exit-code", "--param", &back]).code, 0);
    let app = bench.ok(&["why", "app", "--param", "greeting=Hi"]);
    assert!(app.contains("Cascade: app replaces 2 others"), "{app}");
    assert!(app.contains("it ends at front (pointer)"), "{app}");

    // A param that went back says so; an edit beside it makes the param alone no counterfactual.
    bench.ok(&["apply", "--yes", "--param", "greeting=Hi"]);
    let back = bench.ok(&["why", "app"]);
    assert!(back.contains("if greeting were \"Hi\" again"), "{back}");
    bench.edit("\"serve\", \"/srv\"]", "\"serve\", \"/srv\"]\n  env = { X = \"1\" }");
    let both = bench.ok(&["why", "web"]);
    assert!(both.contains("env of app were {} again"), "{both}");
    let unknown = bench.imm(&["why", "ap"]);
    assert!(unknown.code == 1 && unknown.err.contains("did you mean app?"), "{}", unknown.err);
}
