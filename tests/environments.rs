//! What an `environment` block says, and what the command line says over it: each setting is looked at where it ends.

use crate::harness::Bench;
use imm_ir::{Policy, Value};
use imm_runtime::plan::saved::SavedPlan;

const PROGRAM: &str = r#"
param greeting: String = "Hello"

resource app = image { cmd = ["/app"], labels = { greeting } }
resource web = service { image = app, port = 8080, health = http {} }
resource own = worker { image = app, isolation = best }
pointer front = route { to = web }

environment prod {
  params        = { greeting = "Good day" }
  state         = local { path = "../records" }
  platform      = host { isolation = require }
  keep          = 3
  retain        = 7
  watch         = 90s
  replace_limit = 30%
  confirm       = true
}
"#;

fn bench() -> Bench {
    let bench = Bench::program(PROGRAM);
    std::fs::create_dir_all(bench.home()).unwrap();
    bench
}

/// The plan that these arguments make.
fn planned(bench: &Bench, args: &[&str]) -> SavedPlan {
    let file = bench.path("x.immplan");
    bench.ok(&[&["plan", "--out", file.to_str().unwrap()], args].concat());
    SavedPlan::decode(&std::fs::read(file).unwrap()).unwrap()
}

fn isolation(saved: &SavedPlan, address: &str) -> String {
    let node = saved.plan.graph.nodes.iter().find(|(addr, _)| addr.to_string() == address).unwrap().1;
    match node.known("isolation") {
        Some(Value::Variant(level, _)) => level.to_string(),
        other => panic!("{address}: {other:?}"),
    }
}

#[test]
fn every_setting_of_an_environment_is_in_force() {
    let bench = bench();
    let local = planned(&bench, &[]);
    assert_eq!(local.plan.graph.policy, Policy::default());
    assert_eq!(isolation(&local, "web.instance[\"0\"]"), "best");
    assert!(bench.module.join(".imm/local/ledger.db").is_file());

    let prod = planned(&bench, &["--env", "prod"]);
    let policy = &prod.plan.graph.policy;
    assert_eq!((policy.keep, policy.retain, policy.watch_ms), (3, 7, 90_000));
    assert_eq!((policy.replace_limit_ppm, policy.confirm), (Some(300_000), true));
    assert_eq!(isolation(&prod, "web.instance[\"0\"]"), "require");
    // What a node says itself counts.
    assert_eq!(isolation(&prod, "own.instance[\"0\"]"), "best");
    assert_eq!(prod.attached.params, [("greeting".to_owned(), "\"Good day\"".to_owned())]);
    assert!(bench.path("records/prod/ledger.db").is_file(), "the ledger is where the program says");
    assert!(!bench.module.join(".imm/prod").exists());
    let refused = bench.imm(&["apply", "--env", "prod", "--yes"]);
    assert!(refused.code == 2 && refused.err.contains("--confirm=false"), "{refused:?}");
}

#[test]
fn the_command_line_overrules_each_setting() {
    let bench = bench();
    let args = [
        "--env",
        "prod",
        "--state",
        "elsewhere",
        "--keep",
        "0",
        "--retain",
        "1",
        "--watch",
        "5s",
        "--replace-limit",
        "100%",
        "--platform",
        "host { isolation = best }",
        "--param",
        "greeting=Hi",
    ];
    let over = planned(&bench, &args);
    let policy = &over.plan.graph.policy;
    assert_eq!((policy.keep, policy.retain, policy.watch_ms), (0, 1, 5_000));
    assert_eq!(policy.replace_limit_ppm, Some(1_000_000));
    assert_eq!(isolation(&over, "web.instance[\"0\"]"), "best");
    assert_eq!(over.attached.params, [("greeting".to_owned(), "\"Hi\"".to_owned())]);
    assert!(bench.module.join("elsewhere/prod/ledger.db").is_file());
    assert!(planned(&bench, &["--confirm"]).plan.graph.policy.confirm);
    assert!(planned(&bench, &["--env", "prod", "--confirm=true"]).plan.graph.policy.confirm);
    assert!(!planned(&bench, &["--env", "prod", "--confirm=false"]).plan.graph.policy.confirm);

    for (args, code, words) in [
        (&["plan", "--watch", "30"][..], 1, "--watch:1:1"),
        (&["plan", "--replace-limit", "130%"], 1, "cannot be more than 100%"),
        (&["plan", "--platform", "docker"], 1, "--platform:1:1"),
        (&["plan", "--keep=-1"], 2, "--keep"),
        (&["plan", "--env", "prd"], 1, "did you mean `prod`?"),
        (&["check", "--env", "prd"], 1, "--env prd:1:1"),
    ] {
        let said = bench.imm(args);
        assert!(said.code == code && said.err.contains(words), "{args:?}: {said:?}");
    }
}

#[test]
fn a_program_with_a_mistake_is_not_taken_for_one_without_a_ledger() {
    let bench = bench();
    planned(&bench, &["--env", "prod"]);
    assert_eq!(bench.imm(&["status", "--env", "prod"]).code, 0);
    bench.edit("local { path = \"../records\" }", "local { path = ../records }");
    let said = bench.imm(&["status", "--env", "prod"]);
    assert!(said.code == 1 && said.err.contains("main.imm:11:") && said.err.contains("--state"), "{said:?}");
    let records = bench.path("records");
    assert_eq!(bench.imm(&["status", "--env", "prod", "--state", records.to_str().unwrap()]).code, 0);
    // A mistake elsewhere does not hide where it is.
    bench.edit("local { path = ../records }", "local { path = \"../records\" }");
    bench.edit("port = 8080", "prot = 8080");
    assert_eq!(bench.imm(&["status", "--env", "prod"]).code, 0);
}
