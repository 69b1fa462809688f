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
    ];
    for (args, code, words) in cases {
        let said = bench.imm(args);
        assert_eq!(said.code, *code, "{args:?}: {said:?}");
        assert!(said.err.contains(words), "{args:?} does not say {words}: {said:?}");
        assert!(!said.err.contains("panicked"), "{args:?}: {said:?}");
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
