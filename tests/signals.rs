//! What signals do to an apply on the real platform: the first one unwinds, the second stops at once, and TERM with KILL 2.5 s
//! later, as CI runners send them, leaves a record that says what was interrupted and a `recover` that settles it.

use crate::harness::{Bench, Said, eventually, finish};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// hello in force, and an apply under way that waits for containers which will never be healthy.
fn under_way() -> (Bench, Child, Pid) {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    bench.edit("/healthz", "/nowhere");
    let child = spawn(&bench, &["apply", "--yes", "--param", "greeting=Slow"]);
    let pid = Pid::from_raw(child.id() as i32);
    eventually("it verifies what will never be healthy", || {
        bench.json(&["agent", "ps"]).to_string().matches("\"kind\":\"container\"").count() > 3
    });
    (bench, child, pid)
}

fn spawn(bench: &Bench, args: &[&str]) -> Child {
    bench.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn agent(bench: &Bench) -> Pid {
    let pid = bench.json(&["agent", "status"])["agent"]["pid"].as_i64().unwrap();
    Pid::from_raw(i32::try_from(pid).unwrap())
}

/// Whether it ended by itself within the time: a bounded wait for the child, as a runner waits.
fn ends_within(child: &mut Child, time: Duration) -> bool {
    let end = Instant::now() + time;
    while Instant::now() < end {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    false
}

/// Generation 1 serves, whole, and nothing else is there.
fn assert_whole(bench: &Bench) {
    assert!(bench.page().contains("Hello, world"));
    let status = bench.json(&["status"]);
    assert_eq!((status["generation"].as_u64(), status["interrupted"].is_null()), (Some(1), true), "{status:#}");
    let containers = status["objects"].as_array().unwrap().iter().filter(|o| o["kind"] == "container");
    assert!(containers.clone().all(|o| o["health"] == "healthy") && containers.count() == 2, "{status:#}");
    assert_eq!(bench.imm(&["drift", "--exit-code"]).code, 0);
    bench.ok(&["audit", "verify"]);
}

#[test]
fn term_unwinds_and_ends_with_four() {
    let (bench, child, pid) = under_way();
    kill(pid, Signal::SIGTERM).unwrap();
    let said = finish(child, &["apply, told to stop"]);
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.err.contains("stopped by a signal") && said.err.contains("generation 1 serves"), "{said:?}");
    assert_whole(&bench);
    let last = bench.json(&["history"])["applies"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((last["outcome"].as_str(), last["error"].as_str()), (Some("rolled_back"), Some("stopped by a signal")));
}

#[test]
fn term_and_then_kill_as_ci_runners_send_them_leave_what_recover_settles() {
    let (bench, mut child, pid) = under_way();
    // An agent that does not answer keeps the unwinding from ending in time.
    let agent = agent(&bench);
    kill(agent, Signal::SIGSTOP).unwrap();
    kill(pid, Signal::SIGTERM).unwrap();
    assert!(!ends_within(&mut child, Duration::from_millis(2500)), "it had something to unwind");
    child.kill().unwrap();
    child.wait().unwrap();
    kill(agent, Signal::SIGCONT).unwrap();
    for command in [&["status"][..], &["history"], &["plan"], &["drift"], &["graph", "--format", "dot"]] {
        let said = bench.imm(command);
        assert_eq!(said.code, 0, "{command:?}: {said:?}");
        assert!(said.err.contains("interrupted") && said.err.contains("imm recover"), "{command:?}: {said:?}");
    }
    assert!(bench.page().contains("Hello, world"));
    let said = bench.imm(&["recover"]);
    assert!(said.code == 0 && said.out.contains("generation 1 serves"), "{said:?}");
    assert_whole(&bench);
    assert!(bench.imm(&["recover"]).err.contains("Nothing to recover"));
}

#[test]
fn a_second_signal_stops_at_once_and_ends_with_five() {
    let (bench, mut child, pid) = under_way();
    let agent = agent(&bench);
    kill(agent, Signal::SIGSTOP).unwrap();
    kill(pid, Signal::SIGINT).unwrap();
    assert!(!ends_within(&mut child, Duration::from_millis(300)), "the first one unwinds");
    kill(pid, Signal::SIGINT).unwrap();
    let at_once = ends_within(&mut child, Duration::from_secs(10));
    kill(agent, Signal::SIGCONT).unwrap();
    let Said { code, err, .. } = finish(child, &["apply, told to stop twice"]);
    assert!(at_once && code == 5, "{code}: {err}");
    assert!(err.contains("imm recover"), "{err}");
    bench.ok(&["recover"]);
    assert_whole(&bench);
}

#[test]
fn a_signal_after_the_commit_is_no_failure_and_names_what_is_left() {
    let bench = Bench::example("hello");
    std::fs::write(bench.module.join("big.bin"), vec![7; 12 << 20]).unwrap();
    bench.edit("\"/bin/imm\"        =", "\"/srv/big.bin\" = file(\"big.bin\")\n    \"/bin/imm\"        =");
    bench.ok(&["apply", "--yes", "--keep", "0"]);
    // A download that nobody reads is in flight to the old generation, so draining it takes its whole time.
    let mut slow = TcpStream::connect(("127.0.0.1", bench.port)).unwrap();
    slow.write_all(b"GET /big.bin HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut first = [0; 1];
    slow.read_exact(&mut first).unwrap();
    // New containers of the same image.
    bench.edit("memory = 64MiB", "memory = 65MiB");
    let child = spawn(&bench, &["apply", "--yes", "--keep", "0"]);
    eventually("it is committed", || bench.json(&["status"])["generation"] == 2);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    let said = finish(child, &["apply, told to stop after its commit"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("stopped by a signal"), "{said:?}");
    assert_eq!(bench.json(&["status"])["generation"], 2);
    drop(slow);
    // The next apply retires what was left.
    bench.edit("memory = 65MiB", "memory = 66MiB");
    bench.ok(&["apply", "--yes", "--keep", "0"]);
    let status = bench.json(&["status"]);
    assert_eq!(status["objects"].as_array().unwrap().iter().filter(|o| o["kind"] == "container").count(), 2);
}
