//! A second program in a running container: asked for from outside, held by the same walls as the first, and counted to its limits.
//!
//! `exec` runs the caller's own binary again (as `launch` does for a monitor), which joins the container's cgroups and namespaces, gives up
//! what the container's program gave up, and becomes the program. It keeps nothing and records nothing; what it leaves behind ends
//! with the container.

#![expect(unsafe_code, reason = "fork, and a descriptor that is connected by number")]

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{SigHandler, Signal, killpg, signal};
use nix::unistd::{ForkResult, Pid, fork};
use serde::{Deserialize, Serialize};

use crate::cgroup::Group;
use crate::confine::Confinement;
use crate::launch::parse_user;
use crate::record::{self, Order};
use crate::run::Run;
use crate::spec::{Level, Network, Spec};
use crate::{copied, launch, program, sys};

/// What is kept of the program's output, in bytes.
const MOST_OUTPUT: u64 = 4 << 10;
/// As shells and `timeout` have it.
const TOO_LONG: i32 = 124;
const NOT_STARTED: i32 = 127;
/// From outside the container is given up this much later than from inside.
const SLACK: Duration = Duration::from_secs(2);

/// How a second program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its exit status; 124: it was ended because it took too long; 127: it could not be run; 128 and above: a signal ended it.
    pub code: i32,
    /// What it printed first, on both streams.
    pub output: String,
}

/// What the caller's binary is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Inside {
    spec: Spec,
    level: Level,
    rootless: bool,
    landlock_abi: u32,
    seccomp: bool,
    pid: i32,
    start_time: u64,
    group: Group,
    timeout_ms: u64,
}

/// Runs `spec.argv` in the container of `run`, at most so long; `spec` is otherwise the one that it was launched with. Blocks.
///
/// # Errors
/// When nothing could be run at all.
pub fn exec(run: &Run, spec: &Spec, monitor: &[OsString], timeout: Duration) -> io::Result<Ran> {
    let probe = launch::probed();
    let inside = Inside {
        spec: spec.clone(),
        level: run.level,
        rootless: probe.rootless,
        landlock_abi: probe.landlock_abi,
        seccomp: probe.seccomp,
        pid: run.pid,
        start_time: run.start_time,
        group: run.group().clone(),
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
    };
    let Some((command, arguments)) = monitor.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no monitor command was given"));
    };
    let mut helper = Command::new(command)
        .args(arguments)
        .arg(run.dir())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::from(record::hand_over(&Order::Exec(Box::new(inside)))?))
        .spawn()?;
    let deadline = Instant::now() + timeout + SLACK;
    let mut output = Vec::new();
    if let Some(mut printed) = helper.stdout.take() {
        let mut part = [0; 1024];
        // Its end is the end of all that the program has left open: a time limit is for what goes on in the background.
        while sys::wait_readable(printed.as_fd(), Some(deadline))? {
            match printed.read(&mut part)? {
                0 => break,
                read if (output.len() as u64) < MOST_OUTPUT => {
                    output.extend_from_slice(part.get(..read).unwrap_or_default());
                }
                _more => {}
            }
            if helper.try_wait()?.is_some() {
                break;
            }
        }
    }
    let status = loop {
        if let Some(status) = helper.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            helper.kill()?;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    Ok(Ran { code: status.code().unwrap_or(TOO_LONG), output: String::from_utf8_lossy(&output).trim_end().to_owned() })
}

/// In the caller's binary, which has one thread: joins the container and runs the program; its exit code.
pub(crate) fn inside(order: &Inside) -> i32 {
    match enter(order) {
        Ok(code) => code,
        Err(text) => {
            say(&text);
            NOT_STARTED
        }
    }
}

/// To whoever asked; who is gone need not know.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn enter(order: &Inside) -> Result<i32, String> {
    let gone = || "the container has ended".to_owned();
    let _init = sys::open_process(order.pid, order.start_time).map_err(|e| e.to_string())?.ok_or_else(gone)?;
    // A limit that it does not count to is worth less than the answer.
    let _ = order.group.join();
    if order.level == Level::Namespaces {
        let owned: &[&str] = if order.rootless { &["user"] } else { &[] };
        let network: &[&str] = if order.spec.network == Network::Host { &[] } else { &["net"] };
        let files = owned.iter().chain(network).chain(&["ipc", "uts", "pid", "mnt"]).map(|name| {
            let path = format!("/proc/{}/ns/{name}", order.pid);
            File::open(&path).map_err(|e| format!("{path}: {e}"))
        });
        for file in files.collect::<Result<Vec<File>, String>>()? {
            setns(file.as_fd(), CloneFlags::empty()).map_err(|e| format!("the container cannot be entered: {e}"))?;
        }
    }
    // SAFETY: one thread; the child goes on in ordinary Rust until it execs or exits.
    match unsafe { fork() } {
        Err(e) => Err(format!("no process: {e}")),
        Ok(ForkResult::Child) => {
            let text = become_program(order);
            say(&text);
            // SAFETY: ends this process without running what belongs to the parent's frames.
            unsafe { libc::_exit(NOT_STARTED) }
        }
        Ok(ForkResult::Parent { child }) => wait(child, Duration::from_millis(order.timeout_ms)),
    }
}

fn wait(child: Pid, timeout: Duration) -> Result<i32, String> {
    let pidfd = sys::pidfd_open(child.as_raw()).map_err(|e| format!("no pidfd: {e}"))?;
    let ended = sys::wait_readable(pidfd.as_fd(), Some(Instant::now() + timeout)).map_err(|e| e.to_string())?;
    if !ended {
        // Its own group, which it leads; one that has not come so far is killed alone.
        let _ = killpg(child, Signal::SIGKILL);
        let _ = sys::pidfd_signal(pidfd.as_fd(), Signal::SIGKILL);
    }
    let raw = sys::reap(child.as_raw());
    Ok(match raw {
        _ if !ended => TOO_LONG,
        Some(raw) if libc::WIFEXITED(raw) => libc::WEXITSTATUS(raw),
        Some(raw) if libc::WIFSIGNALED(raw) => 128 + libc::WTERMSIG(raw),
        Some(_) | None => NOT_STARTED,
    })
}

/// Returns the reason why it did not become the program.
fn become_program(order: &Inside) -> String {
    let confined = || {
        let spec = &order.spec;
        let _ = nix::unistd::setsid();
        let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
        if order.level == Level::Chroot {
            let root = copied::root_of(spec);
            nix::unistd::chroot(&root).map_err(|e| format!("chroot to {}: {e}", root.display()))?;
        }
        let files = matches!(order.level, Level::Chroot | Level::Landlock)
            .then(|| copied::files(spec, order.level))
            .filter(|_| order.landlock_abi > 0);
        let root = nix::unistd::geteuid().is_root() && !(order.rootless && order.level == Level::Namespaces);
        let user = if root { Some(parse_user(&spec.user)?) } else { None };
        let (landlock_abi, seccomp) = (order.landlock_abi, order.seccomp);
        Confinement { user, landlock_abi, seccomp, port: None, files: files.as_ref() }.apply()?;
        let host_root = matches!(order.level, Level::Landlock | Level::Plain).then(|| copied::root_of(spec));
        let at = match &host_root {
            None => std::path::PathBuf::from(&spec.cwd),
            Some(root) => program::resolve(root, &spec.cwd).map_err(|e| e.to_string())?,
        };
        nix::unistd::chdir(&at).map_err(|e| format!("the working directory {:?}: {e}", spec.cwd))?;
        Ok::<_, String>(host_root)
    };
    let host_root = match confined() {
        Ok(host_root) => host_root,
        Err(text) => return text,
    };
    // SAFETY: both are open; what was told on standard error has been read.
    if unsafe { libc::dup2(io::stdout().as_raw_fd(), 2) } < 0 {
        return "its output cannot be connected".to_owned();
    }
    // SAFETY: SIGPIPE's default action is restored (the Rust runtime ignores it); no handler is installed.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    sys::close_on_exec_from(3);
    program::execute(&order.spec, host_root.as_deref())
}
