//! The container's first process: makes the isolation from inside, forks the program, forwards signals to it, reaps.
//!
//! It is PID 1 of its process namespace at level A, so that a program without handlers still ends on TERM, and it ends
//! together with its monitor: by the parent-death signal, and by the pipe between them. Held by the same filters and
//! capabilities as the program. Ends with 128 + signal as shells do; the exact status goes to the monitor on a pipe.

#![expect(unsafe_code, reason = "fork and a few calls on descriptors and signals")]

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{ForkResult, Pid, fork};

use crate::cgroup::Group;
use crate::confine::{Confinement, Files};
use crate::launch::parse_user;
use crate::record::Request;
use crate::spec::Level;
use crate::{copied, program, rootfs, sys};

/// The ends of the pipes that belong to the init.
pub(crate) struct Ends {
    /// One byte says go; its end says that the monitor is gone.
    pub(crate) lifeline: File,
    /// What could not be joined, ended by a zero byte; then text of what failed, or the end by a successful exec.
    pub(crate) errors: File,
    /// The program's wait status, four bytes.
    pub(crate) status: File,
    /// The program's output.
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

const FORWARDED: [Signal; 8] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
    Signal::SIGCONT,
];

/// Exit code when the program could not be started.
const NOT_STARTED: i32 = 127;

/// Body of the init; `owned` says whether the monitor made a user namespace.
pub(crate) fn run(request: &Request, group: &Group, owned: bool, mut ends: Ends) -> i32 {
    let _ = ends.errors.write_all(format!("{}\0", group.join().join("\n")).as_bytes());
    let prepared = prepare(request, owned, &mut ends);
    let waiting = match prepared {
        Ok(waiting) => waiting,
        Err(text) => {
            let _ = ends.errors.write_all(text.as_bytes());
            return NOT_STARTED;
        }
    };
    // SAFETY: this process has one thread; the child goes on in ordinary Rust until it execs or exits.
    let child = match unsafe { fork() } {
        Ok(ForkResult::Child) => {
            let text = become_program(request, &ends);
            let _ = ends.errors.write_all(text.as_bytes());
            return NOT_STARTED;
        }
        Ok(ForkResult::Parent { child }) => child,
        Err(e) => {
            let _ = ends.errors.write_all(format!("the program's process cannot be made: {e}").as_bytes());
            return NOT_STARTED;
        }
    };
    let Ends { lifeline, errors, mut status, stdout, stderr } = ends;
    // Only the program may hold these: their end tells the monitor that it runs, and that its output is over.
    drop((errors, stdout, stderr));
    let raw = serve(child, &waiting, &lifeline);
    let _ = status.write_all(&raw.to_ne_bytes());
    if libc::WIFSIGNALED(raw) { 128 + libc::WTERMSIG(raw) } else { libc::WEXITSTATUS(raw) }
}

/// What the init waits with.
struct Waiting {
    signals: SignalFd,
    /// `children` of this process in the host's /proc, for the end of programs without a process namespace.
    children: Option<File>,
}

fn prepare(request: &Request, owned: bool, ends: &mut Ends) -> Result<Waiting, String> {
    let Request { spec, level, probe, warnings: _ } = request;
    nix::unistd::setsid().map_err(|e| format!("no session of its own: {e}"))?;
    if *level == Level::Namespaces {
        die_with_parent();
    }
    let mut go = [0];
    // The monitor has recorded this process.
    ends.lifeline.read_exact(&mut go).map_err(|_| "the monitor is gone".to_owned())?;
    let mut files: Option<Files> = None;
    let mut children = None;
    match level {
        Level::Namespaces => {
            unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS)
                .map_err(|e| format!("no namespaces: {e}"))?;
            rootfs::enter(spec, owned)?;
            nix::unistd::sethostname(&spec.id).map_err(|e| format!("the host name cannot be set: {e}"))?;
        }
        Level::Chroot | Level::Landlock | Level::Plain => {
            nix::sys::prctl::set_child_subreaper(true).map_err(|e| format!("orphans cannot be adopted: {e}"))?;
            children = File::open("/proc/thread-self/children").ok();
            if *level == Level::Chroot {
                let root = copied::root_of(spec);
                nix::unistd::chroot(&root).map_err(|e| format!("chroot to {}: {e}", root.display()))?;
                nix::unistd::chdir("/").map_err(|e| format!("the new root: {e}"))?;
            }
            if *level != Level::Plain && probe.landlock_abi > 0 {
                files = Some(copied::files(spec, *level));
            }
        }
    }
    let root = nix::unistd::geteuid().is_root() && !owned;
    let user = if root { Some(parse_user(&spec.user)?) } else { None };
    let signals = wait_by_descriptor()?;
    Confinement {
        user,
        landlock_abi: probe.landlock_abi,
        seccomp: probe.seccomp,
        port: spec.port,
        files: files.as_ref(),
    }
    .apply()?;
    // Changing the user has cleared it. Without a process namespace the init must outlive its monitor for a moment, to end
    // what the program has left behind.
    if *level == Level::Namespaces {
        die_with_parent();
    }
    // The monitor may have ended in between.
    let mut lost = [PollFd::new(ends.lifeline.as_fd(), PollFlags::POLLIN)];
    if poll(&mut lost, PollTimeout::ZERO).is_ok_and(|n| n > 0) {
        return Err("the monitor is gone".to_owned());
    }
    Ok(Waiting { signals, children })
}

fn die_with_parent() {
    // Cannot fail with a valid signal; the lifeline is the second means to the same end.
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
}

fn wait_by_descriptor() -> Result<SignalFd, String> {
    let failed = |e: nix::Error| format!("signals cannot be waited for: {e}");
    let mut set = SigSet::empty();
    for signal in FORWARDED.into_iter().chain([Signal::SIGCHLD]) {
        set.add(signal);
    }
    set.thread_block().map_err(failed)?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(failed)
}

/// In the program's process: the last steps, then exec. Returns the reason why it did not happen.
fn become_program(request: &Request, ends: &Ends) -> String {
    let spec = &request.spec;
    let host_root = matches!(request.level, Level::Landlock | Level::Plain).then(|| copied::root_of(spec));
    // Its own session: no signal to a process group reaches the init, and none from it.
    let _ = nix::unistd::setsid();
    die_with_parent();
    for (from, to) in [(ends.stdout.as_raw_fd(), 1), (ends.stderr.as_raw_fd(), 2)] {
        // SAFETY: both descriptors are open; 1 and 2 are this process's /dev/null, which is replaced.
        if unsafe { libc::dup2(from, to) } < 0 {
            return format!("the output cannot be connected: {}", std::io::Error::last_os_error());
        }
    }
    // SAFETY: SIGPIPE's default action is restored (the Rust runtime ignores it); no handler is installed.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
    let entered = match &host_root {
        None => nix::unistd::chdir(Path::new(&spec.cwd)),
        Some(root) => program::resolve(root, &spec.cwd).and_then(|at| nix::unistd::chdir(&at)),
    };
    if let Err(e) = entered {
        return format!("the working directory {:?} cannot be entered: {}", spec.cwd, e.desc());
    }
    sys::close_on_exec_from(3);
    program::execute(spec, host_root.as_deref())
}

/// Until the program has ended: forward, reap, watch the monitor. Returns the raw wait status.
fn serve(child: Pid, waiting: &Waiting, lifeline: &File) -> i32 {
    let mut ended = None;
    loop {
        let mut polled =
            [PollFd::new(waiting.signals.as_fd(), PollFlags::POLLIN), PollFd::new(lifeline.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut polled, PollTimeout::NONE);
        let orphaned = polled.last().is_some_and(|p| p.any() == Some(true));
        while let Ok(Some(info)) = waiting.signals.read_signal() {
            let Ok(number) = i32::try_from(info.ssi_signo) else { continue };
            match Signal::try_from(number) {
                Ok(Signal::SIGCHLD) | Err(_) => {}
                // The program may have ended just now, which the reaping below sees.
                Ok(forward) => {
                    let _ = nix::sys::signal::kill(child, forward);
                }
            }
        }
        reap(child, &mut ended);
        if orphaned || ended.is_some() {
            end_all(child, waiting, &mut ended);
            return ended.unwrap_or(libc::SIGKILL);
        }
    }
}

/// Reap all that has ended; keep the program's status.
fn reap(child: Pid, ended: &mut Option<i32>) {
    loop {
        let mut raw = 0;
        // SAFETY: `raw` is a valid place. The raw status is passed on, which nix's type cannot give back.
        let pid = unsafe { libc::waitpid(-1, &raw mut raw, libc::WNOHANG) };
        match pid {
            0 => return,
            -1 if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted => return,
            _ if pid == child.as_raw() => *ended = Some(raw),
            _ => {}
        }
    }
}

/// Without a process namespace nobody else ends what the program has left behind. (With one the kernel does so, completely,
/// when this process ends.)
fn end_all(child: Pid, waiting: &Waiting, ended: &mut Option<i32>) {
    let Some(children) = &waiting.children else { return };
    if ended.is_none() {
        let _ = nix::sys::signal::kill(child, Signal::SIGKILL);
    }
    // Each round kills what has been adopted since the last; a fork bomb of orphans is held by the limit of processes.
    while !kill_children(children, Pid::from_raw(0)).is_empty() {
        let mut raw = 0;
        // SAFETY: as above; blocks until one of those killed has ended.
        let pid = unsafe { libc::waitpid(-1, &raw mut raw, 0) };
        if pid == child.as_raw() {
            *ended = Some(raw);
        }
    }
}

/// Kill every child but `spared`; those that were there. Only for them may one wait: others that appear meanwhile live on.
pub(crate) fn kill_children(children: &File, spared: Pid) -> Vec<Pid> {
    let mut pids = children_of(children);
    pids.retain(|pid| *pid != spared);
    for pid in &pids {
        // One that has ended in between is reaped by the caller all the same.
        let _ = nix::sys::signal::kill(*pid, Signal::SIGKILL);
    }
    pids
}

/// The processes that a `children` file of /proc names now.
fn children_of(mut children: &File) -> Vec<Pid> {
    let mut list = String::new();
    if children.rewind().is_err() || children.read_to_string(&mut list).is_err() {
        return Vec::new();
    }
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect()
}
