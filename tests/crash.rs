//! `kill -9` of `imm apply` at seeded random instants on the host platform.

use crate::harness::Bench;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Splitmix64: the instants are the same in every run.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn kill_9_at_twenty_instants_leaves_one_whole_generation() {
    let bench = Bench::example("hello");
    let start = Instant::now();
    bench.ok(&["apply", "--yes"]);
    bench.ok(&["apply", "--yes", "--param", "greeting=Warm"]);
    // Instants over the length of one apply, measured here.
    let clock = Instant::now();
    bench.ok(&["apply", "--yes", "--param", "greeting=Again"]);
    let length = clock.elapsed().max(Duration::from_millis(100));
    let mut seed = 7;
    let mut interrupted = 0;
    for round in 0..20 {
        let before = bench.page();
        let greeting = format!("Kill{round}");
        let param = format!("greeting={greeting}");
        let mut child = bench
            .command(&["apply", "--yes", "--param", &param])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let wait = length.mul_f64((next(&mut seed) % 1000) as f64 / 1000.0);
        // The instant is the point of the test: a bounded wait for the child, not a sleep.
        let end = Instant::now() + wait;
        while Instant::now() < end && child.try_wait().unwrap().is_none() {
            std::thread::park_timeout(Duration::from_millis(2));
        }
        child.kill().unwrap();
        interrupted += usize::from(!child.wait().unwrap().success());
        bench.ok(&["recover"]);
        let after = bench.page();
        assert!(after == before || after.contains(&greeting), "round {round}: {after}");
        bench.ok(&["audit", "verify"]);
        whole(&bench, round);
    }
    assert!(interrupted >= 10, "{interrupted} of 20 kills hit a running apply, in {:?}", start.elapsed());
    bench.ok(&["destroy", "--yes"]);
    assert_eq!(monitors(&bench), 0);
}

fn monitors(bench: &Bench) -> usize {
    bench.processes().iter().filter(|(_, c)| c.contains("__container")).count()
}

/// Nothing is interrupted, each container of the ledger has its one process, and there is no other.
fn whole(bench: &Bench, round: usize) {
    let status = bench.json(&["status"]);
    assert!(status["interrupted"].is_null(), "round {round}: {status:#}");
    let objects = status["objects"].as_array().unwrap();
    let containers = objects.iter().filter(|o| o["kind"] == "container").count();
    let serving: Vec<_> = objects.iter().filter(|o| o["kind"] == "container" && o["state"] != "warm").collect();
    assert_eq!(serving.len(), 2, "round {round}: {status:#}");
    assert!(serving.iter().all(|o| o["health"] == "healthy"), "round {round}: {status:#}");
    let ids: std::collections::BTreeSet<_> = objects.iter().map(|o| o["object"].to_string()).collect();
    assert_eq!(ids.len(), objects.len(), "round {round}: nothing twice");
    let recorded = objects.iter().filter(|o| o["kind"] != "image").map(|o| o["object"].as_str().unwrap().to_owned());
    let recorded: std::collections::BTreeSet<_> = recorded.collect();
    assert_eq!(on_disk(bench), recorded, "round {round}: directories and entries are the same objects");
    crate::harness::eventually("each container has one monitor", || {
        let tops =
            bench.processes().iter().filter(|(pid, c)| c.contains("__container") && !child_of_monitor(*pid)).count();
        tops == containers
    });
}

/// Objects of which the agent has a directory.
fn on_disk(bench: &Bench) -> std::collections::BTreeSet<String> {
    let lineages = std::fs::read_dir(bench.home().join("lineages")).unwrap().flatten();
    let objects = lineages.flat_map(|l| std::fs::read_dir(l.path().join("objects")).unwrap().flatten());
    objects.map(|o| o.file_name().to_string_lossy().into_owned()).collect()
}

/// A monitor's own children carry its command line until they exec.
fn child_of_monitor(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let parent = stat.rsplit(')').next().and_then(|s| s.split_whitespace().nth(1)).unwrap_or("0").to_owned();
    std::fs::read(format!("/proc/{parent}/cmdline")).is_ok_and(|c| String::from_utf8_lossy(&c).contains("__container"))
}
