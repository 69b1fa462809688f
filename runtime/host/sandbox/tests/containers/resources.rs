//! Limits, usage, and what a start costs.

use std::time::{Duration, Instant};

use imm_sandbox::{Cgroups, ExitStatus, Limits, probe, remove};

use crate::fixture::{Fixture, LONG, log, run, start};
use crate::{Outcome, Skip, Test};

pub const TESTS: &[Test] = &[
    ("resources::limits_are_set_and_usage_is_read", limits),
    ("resources::memory_is_held", memory),
    ("resources::processes_are_held", processes),
    ("resources::start_cost", start_cost),
];

fn fixture() -> Result<Fixture, Skip> {
    match probe().cgroups {
        Cgroups::None { reason } => Err(Skip(reason)),
        Cgroups::V1 { .. } | Cgroups::V2 { .. } => Fixture::new(),
    }
}

fn limits() -> Outcome {
    let fixture = fixture()?;
    let mut spec = fixture.shell("echo > /sync/ready; exec sleep 1000");
    spec.limits = Limits { cpu_milli: Some(500), memory: Some(32 << 20), pids: Some(20) };
    let ready = fixture.ready(&mut spec);
    let run = start(&spec);
    assert_eq!(run.warnings, Vec::<String>::new());
    ready.wait();
    let record = std::fs::read(spec.dir.join("running.json")).unwrap();
    let record = &serde_json::from_slice::<serde_json::Value>(&record).unwrap()["group"];
    let unified = record["unified"].as_bool().unwrap();
    let read = |controller: &str, first: &str, second: &str| {
        let dir = record["dirs"][if unified { "unified" } else { controller }].as_str().unwrap();
        let file = std::path::Path::new(dir).join(if unified { second } else { first });
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    };
    assert_eq!(read("memory", "memory.limit_in_bytes", "memory.max"), (32 << 20).to_string());
    assert_eq!(read("pids", "pids.max", "pids.max"), "20");
    assert_eq!(read("cpu", "cpu.cfs_quota_us", "cpu.max").split(' ').next(), Some("50000"));
    let usage = run.usage();
    assert_eq!(usage.pids, Some(2), "init and program");
    assert!(usage.memory.is_some_and(|m| m > 0) && usage.cpu_ns.is_some_and(|c| c > 0), "{usage:?}");
    run.stop(LONG).unwrap();
    remove(&spec.dir).unwrap();
    for dir in record["dirs"].as_object().unwrap().values() {
        assert!(!std::path::Path::new(dir.as_str().unwrap()).exists(), "{dir} is gone");
    }
    Ok(())
}

fn memory() -> Outcome {
    let fixture = fixture()?;
    let mut spec = fixture.spec(&["/bin/dd", "if=/dev/zero", "of=/tmp/big", "bs=1M", "count=40"]);
    spec.limits.memory = Some(16 << 20);
    let exit = run(&spec);
    assert_eq!((exit.status, exit.oom_killed), (ExitStatus::Signal(9), true), "{}", log(&spec));
    Ok(())
}

fn processes() -> Outcome {
    let fixture = fixture()?;
    let mut spec = fixture.shell("i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i+1)); done; exit 9");
    spec.limits.pids = Some(10);
    let exit = run(&spec);
    assert_ne!(exit.status, ExitStatus::Code(9), "{}", log(&spec));
    assert!(log(&spec).contains("can't fork"), "{}", log(&spec));
    Ok(())
}

/// From the call of `launch` to the program's exec seen, with limits.
fn start_cost() -> Outcome {
    let fixture = fixture()?;
    let mut times = Vec::new();
    for _ in 0..40 {
        let mut spec = fixture.spec(&["/bin/sleep", "1000"]);
        spec.limits = Limits { cpu_milli: Some(500), memory: Some(32 << 20), pids: Some(20) };
        let begun = Instant::now();
        let run = start(&spec);
        times.push(begun.elapsed());
        run.stop(Duration::ZERO).unwrap();
    }
    times.sort();
    let median = times[times.len() / 2];
    println!("  start: median {median:?}, fastest {:?}, slowest {:?}", times[0], times[times.len() - 1]);
    // An order of magnitude above the aim, for loaded machines and unoptimised builds.
    assert!(median < Duration::from_millis(100), "{median:?}");
    Ok(())
}
