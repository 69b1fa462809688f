//! What bad usage gets: words and an exit code, never a panic.

use crate::harness::Bench;

#[test]
fn every_mistake_gets_words_and_a_code() {
    let bench = Bench::example("hello");
    let cases: &[(&[&str], i32, &str)] = &[
        (&["frobnicate"], 2, "frobnicate"),
        (&["plan", "--nope"], 2, "--nope"),
        (&["plan", "no/such/folder"], 1, "imm new"),
        (&["plan", "index.html"], 1, "not a module"),
        (&["apply"], 2, "--yes"),
        (&["rollback", "--yes"], 1, "generation"),
        (&["rollback", "x"], 2, "x"),
        (&["plan", "--param", "greeting"], 1, "greeting"),
        (&["plan", "--param", "greting=Hi"], 1, "greeting"),
        (&["plan", "--param", "replicas=many"], 1, "replicas"),
        (&["plan", "--param", "replicas=21"], 1, "replicas"),
        (&["plan", "--param", "greeting="], 1, "greeting"),
        (&["plan", "--param-file", "greeting=/no/such"], 1, "/no/such"),
        (&["explain", "unknown-feild"], 1, "unknown-field"),
        (&["logs", "web[0]"], 1, "address"),
        (&["apply", "missing.immplan", "--yes"], 1, "missing.immplan"),
        (&["--env", "a/b", "status"], 2, "a/b"),
        (&["gate", "test", "front", "--new", "errors=1%", "--old", "errors=0%"], 1, "front has no gate"),
        (&["gate", "test", "nope", "--new", "errors=1%", "--old", "errors=0%"], 1, "nothing is declared at nope"),
    ];
    for (args, code, words) in cases {
        let said = bench.imm(args);
        assert_eq!(said.code, *code, "{args:?}: {said:?}");
        assert!(said.err.contains(words), "{args:?} does not say {words}: {said:?}");
        assert!(!said.err.contains("panicked"), "{args:?}: {said:?}");
    }
}

/// With `--json` everything on stderr is for programs: what is wrong with the sources, and why the command failed.
#[test]
fn failures_are_json_where_it_is_asked_for() {
    let bench = Bench::example("hello");
    let lines = |args: &[&str], code: i32| -> Vec<serde_json::Value> {
        let said = bench.imm(args);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{args:?}: {said:?}");
        said.err
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{args:?}: {e}: {line}")))
            .collect()
    };
    let cases: &[(&[&str], i32, &str)] = &[
        (&["rollback", "99", "--yes", "--json"], 1, "no ledger"),
        (&["volume", "show", "nope", "--json"], 1, "nothing was applied"),
        (&["gate", "backtest", "--json"], 1, "gate"),
        (&["logs", "web[0]", "--json"], 1, "address"),
        (&["image", "build", "--json", "no/such/folder"], 1, "no/such/folder"),
    ];
    for (args, code, words) in cases {
        let said = lines(args, *code);
        let [failure] = said.as_slice() else { panic!("{args:?}: {said:?}") };
        assert!(failure["message"].as_str().unwrap().contains(words), "{args:?}: {failure}");
        assert_eq!((&failure["severity"], &failure["exit"]), (&"error".into(), &(*code).into()), "{args:?}: {failure}");
        assert!(failure["helps"].is_array() && failure["code"].is_null(), "{args:?}: {failure}");
    }
    bench.edit("image    = app", "image    = ap");
    for args in [&["plan", "--json"][..], &["apply", "--yes", "--json"], &["image", "build", "--json"]] {
        let said = lines(args, 1);
        assert_eq!(said[0]["code"], "unknown-name", "{said:?}");
    }
}

#[test]
fn new_makes_a_module_that_checks_and_never_overwrites() {
    let bench = Bench::example("hello");
    bench.ok(&["new", "fresh"]);
    bench.ok(&["check", "fresh"]);
    let again = bench.imm(&["new", "fresh"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("there already"), "{again:?}");
}

#[test]
fn a_command_without_a_ledger_says_so() {
    let bench = Bench::example("hello");
    for command in [&["status"][..], &["history"], &["logs"]] {
        let said = bench.imm(command);
        assert!(!said.err.contains("panicked"), "{said:?}");
        assert!((said.out + &said.err).contains("imm apply"), "{command:?}");
    }
    assert!(!bench.module.join(".imm").exists(), "reading made a ledger");
    assert!(bench.processes().is_empty(), "reading started an agent");
}
