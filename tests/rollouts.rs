//! Rollouts on the real router under a real load: what is stopped, what passes, what other terminals may say.

use crate::harness::http::{self, Load};
use crate::harness::{Bench, Said, eventually, finish};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

fn start(bench: &Bench, version: &str) -> Child {
    let param = format!("version={version}");
    let mut command = bench.command(&["apply", "--yes", "--param", &param]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the rollout that runs is in this stage.
fn in_stage(bench: &Bench, stage: u64) {
    eventually("the stage has begun", || bench.json(&["rollout", "status"])["stage"] == stage);
}

fn serves(bench: &Bench, version: &str) -> bool {
    (0..20).all(|_| http::get(bench.port, "/").is_ok_and(|page| page.contains(&format!("version {version}"))))
}

#[test]
fn a_canary_with_errors_is_stopped_and_a_healthy_one_passes() {
    let bench = Bench::example("canary");
    assert!(bench.ok(&["test"]).contains("4 passed, 0 failed"));
    bench.ok(&["apply", "--yes"]);
    let load = Load::start(bench.port, 4);
    bench.ok(&["apply", "--yes", "--param", "version=2"]);
    assert!(serves(&bench, "2"));
    let (good, failures) = load.stop();
    assert!(good > 500 && failures.is_empty(), "{good} good, then {:?}", failures.first());
    let load = Load::start(bench.port, 4);
    let failed = bench.imm(&["apply", "--yes", "--param", "version=3", "--param", "errors=5%"]);
    drop(load.stop());
    assert_eq!(failed.code, 4, "{failed:?}");
    assert!(failed.err.contains("the gate of front stopped stage 1 of 3: new.errors <= old.errors + 1%"), "{failed:?}");
    assert!(serves(&bench, "2"));
    let judged = bench.json(&["gate", "backtest"]);
    let judged = judged["judgements"].as_array().unwrap();
    let verdicts: Vec<_> = judged.iter().map(|j| (j["stage"].as_u64().unwrap(), j["then"].as_str().unwrap())).collect();
    assert_eq!(verdicts, [(1, "fail"), (2, "pass"), (1, "pass")]);
    let requests = |side: &str| judged[0][side]["requests"].as_f64().unwrap();
    let part = requests("new") / (requests("new") + requests("old"));
    assert!(part < 0.3, "the bad version had {part} of the requests");
    assert_eq!(bench.json(&["metrics"])["gates"]["failed"], 1);
    bench.ok(&["audit", "verify"]);
}

#[test]
fn too_little_traffic_is_inconclusive() {
    let bench = Bench::example("canary");
    bench.edit("wait = 10s", "wait = 1s");
    bench.ok(&["apply", "--yes"]);
    let failed = bench.imm(&["apply", "--yes", "--param", "version=2"]);
    assert_eq!(failed.code, 4, "{failed:?}");
    assert!(
        failed.err.contains("the gate of front is inconclusive: the new side had 0 requests, and 100 are needed"),
        "{failed:?}"
    );
    assert!(serves(&bench, "1"));
}

#[test]
fn another_terminal_holds_goes_on_and_undoes() {
    let bench = Bench::example("canary");
    bench.edit("{ weight = 10%, hold = 3s }", "{ weight = 10%, hold = 1ms, approve = true }");
    bench.edit("{ weight = 50%, hold = 3s }", "{ weight = 50%, hold = 1h }");
    bench.ok(&["apply", "--yes"]);
    for verb in ["pause", "promote", "abort"] {
        assert_eq!(bench.imm(&["rollout", verb]).code, 1, "nothing is under way");
    }
    let load = Load::start(bench.port, 2);
    let child = start(&bench, "2");
    in_stage(&bench, 1);
    let preview = |port| {
        let mut client = http::Client::connect(port).unwrap();
        client.get_with("/", &[("x-version", "2")]).unwrap().1
    };
    eventually("marked requests reach the new version", || preview(bench.port).contains("version 2"));
    bench.ok(&["rollout", "pause"]);
    assert_eq!(bench.json(&["rollout", "status"])["paused"], true);
    // It is seen to be under way: nothing is interrupted, and what is new is not taken for what is kept.
    let status = bench.json(&["status"]);
    assert!(status["interrupted"].is_null() && status["under_way"]["phase"] == "switching", "{status:#}");
    let count = |state: &str| status["objects"].as_array().unwrap().iter().filter(|o| o["state"] == state).count();
    assert_eq!((count("new"), count("warm")), (3, 0), "{status:#}");
    let said = bench.ok(&["status"]);
    assert!(
        said.contains(r#"front → web.instance["0"] 45%, web.instance["1"] 45%; new: web.instance["0"] 5%"#),
        "{said}"
    );
    bench.ok(&["rollout", "promote"]);
    in_stage(&bench, 2);
    let said = bench.json(&["rollout", "abort"]);
    assert_eq!(said["heard"], "back", "{said}");
    assert!(serves(&bench, "1"));
    let Said { code, err, .. } = finish(child, &["apply"]);
    assert!(code == 4 && err.contains("aborted by"), "{code}: {err}");
    assert!(
        err.contains(" paused it") && err.contains(" let it go on") && !err.contains("correct the program"),
        "{err}"
    );
    assert!(bench.json(&["status"])["under_way"].is_null());
    let (good, failures) = load.stop();
    assert!(good > 0 && failures.is_empty(), "{good} good, then {:?}", failures.first());
}

#[test]
fn a_batch_takes_over_after_the_other() {
    let bench = Bench::example("canary");
    let text = std::fs::read_to_string(bench.module.join("main.imm")).unwrap();
    let (head, rest) = text.split_once("  rollout = canary {").unwrap();
    let tail = rest.split_once("output url").unwrap().1;
    let rolling = format!("{head}  rollout = rolling {{ batch = 1, hold = 500ms }}\n}}\n\noutput url{tail}");
    std::fs::write(bench.module.join("main.imm"), rolling).unwrap();
    bench.ok(&["apply", "--yes"]);
    let load = Load::start(bench.port, 4);
    let said = bench.imm(&["apply", "--yes", "--param", "version=2"]);
    assert!(said.code == 0 && said.err.contains("stage 1 of 2: front 50%"), "{said:?}");
    assert!(serves(&bench, "2"));
    bench.ok(&["rollback", "--yes"]);
    assert!(serves(&bench, "1"));
    let (good, failures) = load.stop();
    assert!(failures.is_empty(), "{good} good, then {:?}", failures.first());
}

#[test]
fn what_fails_its_watch_is_rolled_back_from() {
    let bench = Bench::example("canary");
    bench.edit("{ weight = 10%, hold = 3s },", "{ weight = 10%, hold = 500ms },");
    bench.edit("{ weight = 50%, hold = 3s },", "");
    bench.edit("new.errors <= old.errors + budget && new.p99 < 250ms && new.restarts == 0", "new.requests < 2_000");
    bench.ok(&["apply", "--yes"]);
    let load = Load::start(bench.port, 4);
    let began = Instant::now();
    let said = bench.imm(&["apply", "--yes", "--watch", "60s", "--param", "version=2"]);
    assert!(load.stop().1.is_empty());
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.err.contains("Generation 2 was rolled back from: generation 3 serves"), "{said:?}");
    assert!(began.elapsed() < Duration::from_secs(60), "as soon as it is sure");
    assert!(serves(&bench, "1"));
    assert_eq!(bench.json(&["metrics"])["auto_rollbacks"], 1);
    let last = bench.json(&["history"])["applies"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["verb"], "automatic rollback of 2", "{last}");
}
