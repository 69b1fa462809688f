//! `imm show`, `imm diff` and `imm graph` on recorded generations of hello.

use crate::harness::Bench;

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
