//! `imm show`, `imm diff` and `imm graph` on recorded generations of hello.

use crate::harness::{Bench, http};

#[test]
fn generations_are_shown_and_compared() {
    let bench = Bench::example("hello");
    let early = bench.imm(&["show"]);
    assert!(early.code == 1 && early.err.contains("nothing was applied yet"), "{early:?}");
    bench.ok(&["apply", "--yes", "--because", "the first"]);
    bench.edit("replicas: Int = 2", "replicas: Int = 3");
    bench.ok(&["apply", "--yes", "--param", "greeting=Hi"]);

    let text = bench.ok(&["show", "1"]);
    for part in
        ["generation 1 · warm", "because  the first", "greeting = Hello", "main.imm (", "front → web.instance[\"0\"]"]
    {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let newest = bench.json(&["show"]);
    assert_eq!((&newest["generation"], &newest["tier"]), (&2.into(), &"serves".into()));
    assert_eq!((&newest["params"]["greeting"], &newest["params"]["replicas"]), (&"Hi".into(), &3.into()));
    assert_eq!(newest["objects"].as_array().unwrap().len(), 6);
    assert_eq!(newest["settings"]["front"].as_array().unwrap().len(), 3);

    let diff = bench.json(&["diff", "1", "2"]);
    let change = |address: &str| {
        let nodes = diff["nodes"].as_array().unwrap();
        nodes.iter().find(|n| n["address"] == address).map(|n| n["change"].as_str().unwrap().to_owned())
    };
    assert_eq!(change("app").as_deref(), Some("replaced"));
    assert_eq!(change("web.instance[\"0\"]").as_deref(), Some("replaced"));
    assert_eq!(change("web.instance[\"2\"]").as_deref(), Some("added"));
    assert_eq!(change("front").as_deref(), Some("set"));
    assert_eq!(change("uploads"), None);
    assert_eq!(diff["params"][0]["path"], "greeting");
    assert_eq!((&diff["sources"][0]["file"], &diff["sources"][0]["lines_added"]), (&"main.imm".into(), &1.into()));
    let text = bench.ok(&["diff", "1"]);
    assert!(text.contains("files[\"/srv/index.html\"]: ") && text.contains("param  replicas: 2 → 3"), "{text}");
    assert!(bench.ok(&["diff", "2", "2"]).contains("nothing differs"));
    let missing = bench.imm(&["diff", "1", "9"]);
    assert!(missing.code == 1 && missing.err.contains("there is no generation 9"), "{missing:?}");

    let then = bench.ok(&["graph", "--generation", "1", "--format", "json"]);
    let then: serde_json::Value = serde_json::from_str(&then).unwrap();
    assert_eq!(then["nodes"].as_array().unwrap().len(), 5);
    assert_eq!(then["groups"][0]["members"].as_array().unwrap().len(), 2);
    let picture = bench.ok(&["graph", "--format", "svg"]);
    for part in [
        "<svg ",
        "class=\"box pointer\"",
        "class=\"box durable\"",
        "instance[&quot;2&quot;]",
        "points at: switched",
        "</svg>",
    ] {
        assert!(picture.contains(part), "{part:?} is not in {picture}");
    }
    assert!(bench.ok(&["graph", "--format", "mermaid", "--at", "front"]).contains("==>"));
    assert!(bench.ok(&["graph"]).starts_with("digraph"));
}

/// What is kept for a rollback was made with the route's address: without the route it would be of no use.
#[test]
fn a_route_stays_as_long_as_what_is_kept_and_was_made_with_it() {
    let bench = Bench::example("hello");
    let with = std::fs::read_to_string(bench.module.join("main.imm")).unwrap();
    let with = with.replace("port     = 8080\n", "port     = 8080\n  env      = { HOME_PAGE = front.url }\n");
    let without = with.replace("  env      = { HOME_PAGE = front.url }\n", "");
    let without = without.replace("output url: ~String = front.url", "");
    let (before, route) = without.split_once("pointer front").unwrap();
    let without = format!("{before}{}", route.split_once("}\n\n").unwrap().1);
    std::fs::remove_file(bench.module.join("tests.imm")).unwrap();
    let write = |text: &str| std::fs::write(bench.module.join("main.imm"), text).unwrap();
    write(&with);
    bench.ok(&["apply", "--yes"]);
    assert!(bench.page().contains("Hello, world"));

    write(&without);
    let plan = bench.ok(&["plan"]);
    assert!(plan.contains("- warm    front") && plan.contains("it stays for what is kept for rollback"), "{plan}");
    let said = bench.imm(&["apply", "--yes"]);
    assert!(said.code == 0 && !said.err.contains("needs it"), "nothing is left over: {said:?}");
    assert!(http::get(bench.port, "/").is_err(), "it is closed");
    assert_eq!(bench.imm(&["plan", "--exit-code"]).code, 0);

    // Back: the same containers behind the same route, in one switch.
    let plan = bench.ok(&["rollback", "--yes"]);
    assert!(plan.contains("= reuse   front") && !plan.contains("+ create"), "{plan}");
    assert!(bench.page().contains("Hello, world"));

    // It goes with the last that was made with it.
    write(&without);
    bench.ok(&["apply", "--yes", "--again", "--because", "now for good"]);
    let plan = bench.ok(&["apply", "--yes", "--keep", "0", "--param", "greeting=Hi"]);
    assert!(plan.contains("- destroy  front"), "{plan}");
    let left = bench.json(&["agent", "ps"]).to_string();
    assert!(!left.contains("\"route\""), "{left}");
    bench.ok(&["audit", "verify"]);
}
