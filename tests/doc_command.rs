//! `imm doc`: pages of programs and of what is built in.

use crate::harness::Bench;

#[test]
fn pages_of_programs_and_names() {
    let bench = Bench::example("hello");
    let said = bench.ok(&["doc"]);
    assert!(said.contains("The word on the front page.") && said.contains("param replicas: Int = 2"), "{said}");
    assert!(said.contains("## Nodes") && !said.contains("\u{1b}["), "{said}");
    let said = bench.ok(&["doc", "route"]);
    assert!(said.contains("listen: Port?") && said.contains("A change makes a new object."), "{said}");
    assert!(bench.ok(&["doc", "Health"]).contains("type Health = http { path: String = \"/healthz\""));
    assert!(bench.ok(&["doc", "Port"]).contains("type Port = Int where it in 1..=65535"));
    assert!(bench.ok(&["doc", "split"]).contains("String.split("));
    assert!(bench.ok(&["doc", "List.map"]).contains("[T].map(f: (T) => U) -> [U]"));
    assert!(bench.ok(&["doc", "net.subnet"]).contains("10.0.3.0/24"));
    assert!(bench.ok(&["doc", "std.semver"]).contains("pub type Version"));
    let said = bench.ok(&["doc", "--color", "always", "service"]);
    assert!(said.contains("\u{1b}[1mservice"), "{said}");
}

#[test]
fn documentation_as_json_and_as_a_file() {
    let bench = Bench::example("hello");
    let page = bench.json(&["doc", "volume"])["pages"][0].clone();
    assert_eq!(
        (page["title"].as_str(), page["sections"][0]["entries"][0]["name"].as_str()),
        (Some("volume"), Some("access"))
    );
    bench.ok(&["doc", "--out", "page.md"]);
    let written = std::fs::read_to_string(bench.module.join("page.md")).unwrap();
    assert!(written.starts_with("# ") && written.contains("### `greeting`"), "{written}");
}

#[test]
fn what_has_no_page_says_what_has() {
    let bench = Bench::example("hello");
    let said = bench.imm(&["doc", "rout"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("did you mean `route`?"), "{said:?}");
    let said = bench.imm(&["doc", "nothing"]);
    assert!(said.code == 1 && !said.err.contains("did you mean"), "{said:?}");
    assert!(bench.imm(&["doc", "fixed-name"]).err.contains("imm explain fixed-name"));
    assert!(!bench.imm(&["explain", "nothing"]).err.contains("did you mean"));
    std::fs::write(bench.module.join("main.imm"), "param a: = 1\n").unwrap();
    let said = bench.imm(&["doc"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.contains("syntax"), "{said:?}");
}
