//! Starting, ending, being killed, being found again.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use imm_sandbox::{Exit, ExitStatus, LaunchError, RunState, Signal, launch, remove, reopen};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::fixture::{Fixture, LONG, alive, log, monitor, output, refused, run, start, stream};
use crate::{Outcome, Test};

pub const TESTS: &[Test] = &[
    ("lifecycle::exit_codes_and_signals", codes),
    ("lifecycle::term_without_a_handler_ends_it", term),
    ("lifecycle::term_reaches_a_handler", handler),
    ("lifecycle::what_keeps_running_is_killed", stubborn),
    ("lifecycle::an_exec_error_says_why", exec_error),
    ("lifecycle::output_is_kept", kept_output),
    ("lifecycle::a_killed_launcher_changes_nothing", killed_launcher),
    ("lifecycle::a_killed_monitor_is_reported", killed_monitor),
    ("lifecycle::a_directory_is_used_once", used_once),
    ("lifecycle::a_start_that_hangs_is_given_up", hanging_start),
    ("lifecycle::bad_requests", bad_requests),
    ("lifecycle::a_reused_process_id_is_not_taken_for_it", reused),
];

/// Levels without namespaces cannot bind the directory that tests are told through; they are the business of `isolation`.
fn fixture() -> Result<Fixture, crate::Skip> {
    match imm_sandbox::probe() {
        p if p.level == imm_sandbox::Level::Namespaces => Fixture::new(),
        p => Err(crate::Skip(format!("no namespaces: {}", p.reasons.join("; ")))),
    }
}

fn exited(dir: &Path) -> Exit {
    match reopen(dir).unwrap() {
        RunState::Exited(exit) => exit,
        other @ (RunState::NotStarted | RunState::Running(_)) => panic!("{other:?}"),
    }
}

fn codes() -> Outcome {
    let fixture = fixture()?;
    for (script, status) in [
        ("exit 0", ExitStatus::Code(0)),
        ("exit 143", ExitStatus::Code(143)),
        ("kill -9 $$", ExitStatus::Signal(9)),
        ("kill -SEGV $$", ExitStatus::Signal(11)),
    ] {
        let spec = fixture.shell(script);
        let exit = run(&spec);
        assert_eq!(exit.status, status, "{script}");
        assert!(!exit.oom_killed && exit.ended_ns > 0);
        assert_eq!(exited(&spec.dir), exit, "{script}: the record is there for others");
    }
    Ok(())
}

fn term() -> Outcome {
    let fixture = fixture()?;
    let spec = fixture.spec(&["/bin/sleep", "1000"]);
    let run = start(&spec);
    let mut polled = [PollFd::new(run.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut polled, PollTimeout::ZERO).unwrap(), 0, "not readable while it runs");
    assert_eq!(run.wait(Duration::ZERO).unwrap(), None);
    run.signal(Signal::SIGTERM).unwrap();
    assert_eq!(poll(&mut polled, PollTimeout::try_from(LONG).unwrap()).unwrap(), 1, "readable at the end");
    // As a poller would: no more waiting once the descriptor is readable.
    assert_eq!(run.wait(LONG).unwrap().unwrap().status, ExitStatus::Signal(15));
    run.signal(Signal::SIGTERM).unwrap();
    assert!(!alive(run.pid));
    Ok(())
}

fn handler() -> Outcome {
    let fixture = fixture()?;
    let mut spec =
        fixture.shell("trap 'echo bye; exit 3' TERM; echo > /sync/ready; while :; do sleep 1000 & wait; done");
    let ready = fixture.ready(&mut spec);
    let run = start(&spec);
    ready.wait();
    run.signal(Signal::SIGTERM).unwrap();
    assert_eq!(run.wait(LONG).unwrap().unwrap().status, ExitStatus::Code(3));
    assert_eq!(stream(&spec, "o"), "bye\n");
    Ok(())
}

fn stubborn() -> Outcome {
    let fixture = fixture()?;
    let mut spec = fixture.shell("trap '' TERM; setsid sleep 1000 & echo > /sync/ready; while :; do sleep 1000; done");
    let ready = fixture.ready(&mut spec);
    let run = start(&spec);
    ready.wait();
    assert_eq!(run.stop(Duration::from_millis(50)).unwrap().status, ExitStatus::Signal(9));
    remove(&spec.dir).unwrap();
    assert!(!spec.dir.exists());
    remove(&spec.dir).unwrap();
    Ok(())
}

fn exec_error() -> Outcome {
    let fixture = fixture()?;
    let spec = fixture.spec(&["/bin/nope"]);
    let text = refused(&spec).to_string();
    assert!(text.contains("\"/bin/nope\"") && text.contains("No such file"), "{text}");
    assert!(matches!(exited(&spec.dir).status, ExitStatus::Failed(recorded) if recorded == text));
    let text = refused(&fixture.spec(&["nope"])).to_string();
    assert!(text.contains("PATH"), "{text}");
    let text = refused(&fixture.spec(&["/etc/which"])).to_string();
    assert!(text.contains("Permission denied"), "{text}");
    let mut spec = fixture.shell("true");
    spec.cwd = "/missing".into();
    let text = refused(&spec).to_string();
    assert!(text.contains("working directory") && text.contains("/missing"), "{text}");
    Ok(())
}

fn kept_output() -> Outcome {
    let fixture = fixture()?;
    let spec = fixture.shell("echo one; echo two >&2; i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done; printf 'no newline \\377'");
    assert_eq!(run(&spec).status, ExitStatus::Code(0));
    assert_eq!(stream(&spec, "e"), "two\n");
    let text = stream(&spec, "o");
    assert_eq!(text.lines().count(), 5002);
    assert!(text.ends_with("line 4999\nno newline \u{fffd}\n"), "{:?}", &text[text.len() - 50..]);
    Ok(())
}

/// A launcher process: launches what the file says, says so, and waits for its own end.
pub fn launch_and_wait_to_be_killed(spec: &Path) -> ! {
    let spec = serde_json::from_slice(&std::fs::read(spec).unwrap()).unwrap();
    let run = launch(&spec, &monitor()).unwrap();
    println!("{} {}", run.pid, run.monitor_pid);
    std::io::stdout().flush().unwrap();
    loop {
        std::thread::park();
    }
}

fn killed_launcher() -> Outcome {
    let fixture = fixture()?;
    let mut spec = fixture
        .shell("trap 'echo after; exit 5' TERM; echo before; echo > /sync/ready; while :; do sleep 1000 & wait; done");
    let ready = fixture.ready(&mut spec);
    let file = fixture.dir.path().join("spec.json");
    std::fs::write(&file, serde_json::to_vec(&spec).unwrap()).unwrap();
    let mut launcher =
        Command::new("/proc/self/exe").arg("__launch").arg(&file).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(launcher.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    ready.wait();
    launcher.kill().unwrap();
    launcher.wait().unwrap();
    let RunState::Running(run) = reopen(&spec.dir).unwrap() else { panic!("it goes on") };
    assert_eq!(said.trim(), format!("{} {}", run.pid, run.monitor_pid));
    assert!(alive(run.pid) && alive(run.monitor_pid));
    run.signal(Signal::SIGTERM).unwrap();
    assert_eq!(run.wait(LONG).unwrap().unwrap().status, ExitStatus::Code(5));
    assert_eq!(stream(&spec, "o"), "before\nafter\n");
    Ok(())
}

fn killed_monitor() -> Outcome {
    let fixture = fixture()?;
    let mut spec = fixture.shell("echo seen; setsid sleep 1000 & echo > /sync/ready; exec sleep 1000");
    let ready = fixture.ready(&mut spec);
    let run = start(&spec);
    ready.wait();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(run.monitor_pid), Signal::SIGKILL).unwrap();
    assert_eq!(run.wait(LONG).unwrap().expect("its container ends too").status, ExitStatus::Unknown);
    assert!(!alive(run.pid));
    assert_eq!(exited(&spec.dir).status, ExitStatus::Unknown);
    remove(&spec.dir).unwrap();
    Ok(())
}

fn used_once() -> Outcome {
    let fixture = fixture()?;
    let mut spec = fixture.spec(&["/bin/sleep", "1000"]);
    assert!(matches!(reopen(&spec.dir).unwrap(), RunState::NotStarted));
    spec.user = "nobody".into();
    assert!(matches!(refused(&spec), LaunchError::Invalid(_)));
    assert!(matches!(reopen(&spec.dir).unwrap(), RunState::NotStarted));
    spec.user = "65534".into();
    let run = start(&spec);
    assert!(matches!(refused(&spec), LaunchError::Used(_)));
    assert_eq!(remove(&spec.dir).unwrap_err().kind(), std::io::ErrorKind::ResourceBusy);
    assert!(alive(run.pid));
    run.stop(LONG).unwrap();
    assert!(matches!(refused(&spec), LaunchError::Used(_)));
    Ok(())
}

fn hanging_start() -> Outcome {
    let fixture = fixture()?;
    let mut spec = fixture.shell("true");
    spec.start_timeout_ms = 100;
    let begun = Instant::now();
    // Any program that says nothing and does not end stands for a monitor that hangs.
    let hangs = ["/bin/busybox", "sh", "-c", "exec sleep 1000"].map(Into::into);
    let text = launch(&spec, &hangs).expect_err("nothing started").to_string();
    assert!(text.contains("100 ms"), "{text}");
    assert!(begun.elapsed() < LONG);
    assert!(matches!(exited(&spec.dir).status, ExitStatus::Failed(_)));
    let spec = fixture.shell("true");
    let text = launch(&spec, &["/bin/busybox".into(), "true".into()]).expect_err("no monitor").to_string();
    assert!(text.contains("monitor"), "{text}");
    Ok(())
}

fn bad_requests() -> Outcome {
    let fixture = fixture()?;
    let good = fixture.shell("true");
    type Change = fn(&mut imm_sandbox::Spec);
    let bad: [(&str, Change); 8] = [
        ("container id", |s| s.id = "../../etc".into()),
        ("container id", |s| s.id = String::new()),
        ("no layers", |s| s.layers.clear()),
        ("must be absolute", |s| s.layers[0] = "low".into()),
        ("argv is empty", |s| s.argv.clear()),
        ("NUL", |s| s.argv.push("a\0b".into())),
        ("environment variable", |s| s.env.push(("A=B".into(), String::new()))),
        ("mount target", |s| s.mounts.push(imm_sandbox::Mount::Scratch { target: "/a/../..".into(), size: 1 })),
    ];
    for (text, change) in bad {
        let mut spec = good.clone();
        change(&mut spec);
        let error = refused(&spec);
        assert!(matches!(error, LaunchError::Invalid(_)) && error.to_string().contains(text), "{text}: {error:?}");
    }
    assert_eq!(output(&good), "", "{}", log(&good));
    Ok(())
}

fn reused() -> Outcome {
    let fixture = fixture()?;
    let spec = fixture.spec(&["/bin/sleep", "1000"]);
    let run = start(&spec);
    let path = spec.dir.join("running.json");
    let record = std::fs::read_to_string(&path).unwrap();
    // As if both ids had been given to younger processes.
    let mut other: serde_json::Value = serde_json::from_str(&record).unwrap();
    other["start_time"] = (other["start_time"].as_u64().unwrap() - 1).into();
    other["monitor_start_time"] = (other["monitor_start_time"].as_u64().unwrap() - 1).into();
    std::fs::write(&path, other.to_string()).unwrap();
    assert_eq!(exited(&spec.dir).status, ExitStatus::Unknown);
    std::fs::write(&path, record).unwrap();
    assert!(matches!(reopen(&spec.dir).unwrap(), RunState::Running(_)));
    run.stop(LONG).unwrap();
    Ok(())
}
