//! The monitor: one small process for each container, which makes it, keeps its output and records its end.
//!
//! Guarantees: the program's exit is on disk before the monitor ends; an end of the monitor, by whatever signal, ends the
//! container; an end of the launcher changes nothing. One thread, no async: it forks. It never mounts anything itself and
//! stays in the host's namespaces (but for a user namespace of its own when it is not root, and the network of a container that has one).

#![expect(unsafe_code, reason = "fork, and descriptors that are handed over by number")]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};

use crate::cgroup::Group;
use crate::init::{self, Ends};
use crate::launch::parse_user;
use crate::log::{Lines, Log};
use crate::record::{self, Order, Request, Running};
use crate::run::{Exit, ExitStatus};
use crate::spec::{Level, Network};
use crate::{copied, door, exec, rootfs, sys};

/// Body of the hidden subcommand that `crate::launch` runs; its result is the process's exit code. Must be called
/// first thing in `main`, before any thread is made or file opened: it closes every descriptor from 3 on.
#[must_use]
pub fn monitor_main(dir: &Path) -> i32 {
    sys::close_from(3);
    let request = match told().and_then(record::take_over) {
        Ok(Order::Launch(request)) => *request,
        Ok(Order::Exec(order)) => return exec::inside(&order),
        Err(_) => return 71,
    };
    // SAFETY: one thread. The parent ends at once, which hands the monitor to the machine's init: no launcher has to reap it.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { .. }) => return 0,
        Ok(ForkResult::Child) => {}
        Err(_) => return 71,
    }
    let Ok((lock, mut answer)) = detach() else { return 71 };
    let own = std::process::id();
    let start = i32::try_from(own).ok().and_then(|pid| sys::start_time_of(pid).ok()).unwrap_or(0);
    if answer.write_all(format!("{own} {start}\n").as_bytes()).is_err() {
        // The launcher is gone or has given up: nothing was started, nothing shall be.
        return 75;
    }
    let mut answer = Some(answer);
    match supervise(dir, &request, start, &mut answer) {
        Ok(exit) => i32::from(record::write_exit(dir, &exit).is_err()),
        Err(text) => {
            let exit = Exit::failed(text.clone());
            let written = record::write_exit(dir, &exit);
            if let Some(mut answer) = answer {
                let _ = answer.write_all(text.as_bytes());
            }
            drop(lock);
            i32::from(written.is_err())
        }
    }
}

/// The order, which is what standard error is connected to.
fn told() -> io::Result<File> {
    // SAFETY: whoever runs this has connected it; it is only borrowed for the call.
    let given = unsafe { std::os::fd::BorrowedFd::borrow_raw(2) };
    Ok(File::from(given.try_clone_to_owned()?))
}

/// Leave the launcher's session; keep its lock (standard input) and its pipe (standard output) under other numbers.
fn detach() -> io::Result<(File, File)> {
    nix::unistd::setsid()?;
    umask(Mode::from_bits_truncate(0o022));
    let mut kept = [0, 1].into_iter().map(|number| {
        // SAFETY: the launcher has connected both; each is only borrowed for the call.
        let given = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
        let high = fcntl(given, FcntlArg::F_DUPFD_CLOEXEC(10))?;
        // SAFETY: just made, owned by nobody else.
        Ok::<_, io::Error>(unsafe { File::from_raw_fd(high) })
    });
    let (Some(lock), Some(answer)) = (kept.next(), kept.next()) else { return Err(io::ErrorKind::InvalidInput.into()) };
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for number in 0..3 {
        // SAFETY: replaces the standard descriptors, which nothing else in this process holds, by /dev/null.
        if unsafe { libc::dup2(null.as_raw_fd(), number) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok((lock?, answer?))
}

/// Make the container, answer the launcher, keep the output, see the end.
fn supervise(dir: &Path, request: &Request, own_start: u64, answer: &mut Option<File>) -> Result<Exit, String> {
    let Request { spec, level, probe, warnings } = request;
    let mut warnings = warnings.clone();
    let (group, refused) = Group::create(&probe.cgroups, &spec.id, &spec.limits);
    let undo = |text: String| {
        // Left to `remove` when it fails.
        let _ = group.remove();
        text
    };
    if spec.require == Some(Level::Namespaces) && !refused.is_empty() {
        return Err(undo(format!("limits are required: {}", refused.join("; "))));
    }
    warnings.extend(refused);
    let mut log = Log::open(&dir.join("log")).map_err(|e| undo(format!("the log cannot be opened: {e}")))?;
    let mut owned = false;
    if *level == Level::Namespaces {
        rootfs::prepare(spec).map_err(undo)?;
        owned = probe.rootless;
        namespaces(request, owned).map_err(undo)?;
    } else {
        warnings.extend(copied::prepare(spec, *level).map_err(undo)?);
        let _ = nix::sys::prctl::set_child_subreaper(true);
    }
    let mut container = spawn(request, &group, owned).map_err(undo)?;
    let started = (|| {
        let refused = container.joined()?;
        if spec.require == Some(Level::Namespaces) && !refused.is_empty() {
            return Err(format!("limits are required: {}", refused.join("; ")));
        }
        warnings.extend(refused);
        record_running(dir, request, &container, own_start, warnings, &group)
            .and_then(|()| container.lifeline.write_all(&[1]))
            .map_err(|e| format!("the container cannot be recorded: {e}"))?;
        container.started()
    })();
    if let Err(text) = started {
        let _ = nix::sys::signal::kill(container.init, nix::sys::signal::Signal::SIGKILL);
        let _ = waitpid(container.init, None);
        return Err(undo(text));
    }
    if let Some(mut answer) = answer.take() {
        // A launcher that is gone does not matter to the container.
        let _ = answer.write_all(b"ok\n");
    }
    let stdout =
        container.keep_output(&mut log, spec.keep_stdout).map_err(|e| format!("the monitor cannot wait: {e}"))?;
    let status = container.status();
    let oom_killed = group.oom_killed();
    let _ = group.remove();
    Ok(Exit { status, oom_killed, ended_ns: sys::now_ns(), stdout })
}

fn record_running(
    dir: &Path,
    request: &Request,
    container: &Container,
    own_start: u64,
    warnings: Vec<String>,
    group: &Group,
) -> io::Result<()> {
    let pid = container.init.as_raw();
    let running = Running {
        pid,
        start_time: sys::start_time_of(pid)?,
        monitor_pid: Pid::this().as_raw(),
        monitor_start_time: own_start,
        boot_id: sys::boot_id()?,
        level: request.level,
        warnings,
        group: group.clone(),
    };
    record::write_running(dir, &running)
}

/// The monitor goes into the network of its container, if it has one of its own, and its children into a new process namespace; when it
/// is not root, into a user namespace with the one user that can be mapped without a setuid helper: its own.
fn namespaces(request: &Request, rootless: bool) -> Result<(), String> {
    let spec = &request.spec;
    let door = if let Network::Private { door } = spec.network { door } else { None };
    // In the host's network, still.
    let taken = door.map(|door| Ok::<_, String>((door::take(door.outside)?, door.inside))).transpose()?;
    if rootless {
        own_user(&spec.user)?;
    }
    if spec.network != Network::Host {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|e| format!("no network namespace: {e}"))?;
        sys::loopback_up().map_err(|e| format!("the loopback interface cannot be brought up: {e}"))?;
        // On its own loopback a program may listen at any port. Without this it is told by its own failure.
        let _ = std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    }
    if let Some((taken, inside)) = taken {
        // Before the process namespace, whose first process is the container's init.
        door::open(taken, inside, request, rootless)?;
    }
    unshare(CloneFlags::CLONE_NEWPID).map_err(|e| format!("no process namespace: {e}"))
}

fn own_user(user: &str) -> Result<(), String> {
    let (outer_uid, outer_gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let (uid, gid) = parse_user(user)?;
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|e| format!("no user namespace: {e}"))?;
    // The order is the kernel's: groups can only be mapped once setgroups is given up.
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{uid} {outer_uid} 1")),
        ("gid_map", format!("{gid} {outer_gid} 1")),
    ] {
        let path = format!("/proc/self/{file}");
        // One write by itself: the kernel takes the whole map at once.
        let written = OpenOptions::new().write(true).open(&path).and_then(|mut f| f.write_all(text.as_bytes()));
        written.map_err(|e| format!("the user cannot be mapped ({path}): {e}"))?;
    }
    Ok(())
}

/// The monitor's side of a container.
struct Container {
    init: Pid,
    pidfd: OwnedFd,
    lifeline: File,
    errors: File,
    status: File,
    stdout: File,
    stderr: File,
}

/// A pipe whose ends are closed by exec.
fn pipe() -> Result<(File, File), String> {
    let (read, write) = io::pipe().map_err(|e| format!("no pipe: {e}"))?;
    Ok((OwnedFd::from(read).into(), OwnedFd::from(write).into()))
}

/// Fork the init. It waits for a byte on the lifeline before it does anything.
fn spawn(request: &Request, group: &Group, owned: bool) -> Result<Container, String> {
    let (life_read, lifeline) = pipe()?;
    let (errors, errors_write) = pipe()?;
    let (status, status_write) = pipe()?;
    let (stdout, stdout_write) = pipe()?;
    let (stderr, stderr_write) = pipe()?;
    // SAFETY: one thread; the child goes on in ordinary Rust and ends by `_exit` below.
    match unsafe { fork() } {
        Err(e) => Err(format!("the container's process cannot be made: {e}")),
        Ok(ForkResult::Child) => {
            let ends = Ends {
                lifeline: life_read,
                errors: errors_write,
                status: status_write,
                stdout: stdout_write.into(),
                stderr: stderr_write.into(),
            };
            // All that is the monitor's: log, lock, the launcher's pipe, the other ends.
            sys::close_all_but(&[
                ends.lifeline.as_raw_fd(),
                ends.errors.as_raw_fd(),
                ends.status.as_raw_fd(),
                ends.stdout.as_raw_fd(),
                ends.stderr.as_raw_fd(),
            ]);
            let code = init::run(request, group, owned, ends);
            // SAFETY: ends this process without running what belongs to the monitor's frames.
            unsafe { libc::_exit(code) }
        }
        Ok(ForkResult::Parent { child }) => {
            let pidfd = sys::pidfd_open(child.as_raw()).map_err(|e| format!("no pidfd: {e}"))?;
            Ok(Container { init: child, pidfd, lifeline, errors, status, stdout, stderr })
        }
    }
}

impl Container {
    /// Wait until the init has joined its cgroups; sentences about those that it could not join.
    fn joined(&mut self) -> Result<Vec<String>, String> {
        let mut said = Vec::new();
        let mut byte = [0];
        // A byte at a time, nearly always one: what follows belongs to `started`.
        loop {
            self.errors.read_exact(&mut byte).map_err(|_| "the container's init was killed".to_owned())?;
            match byte {
                [0] => break,
                [other] => said.push(other),
            }
        }
        Ok(String::from_utf8_lossy(&said).lines().map(str::to_owned).collect())
    }

    /// Wait until the program has been executed; the error says what failed instead.
    fn started(&mut self) -> Result<(), String> {
        let mut text = String::new();
        match self.errors.read_to_string(&mut text) {
            Ok(0) => Ok(()),
            Ok(_) => Err(text),
            Err(e) => Err(format!("the container's answer cannot be read: {e}")),
        }
    }

    /// Append the program's output to the log until the container has ended; so many bytes of the end of its standard output are
    /// the answer.
    fn keep_output(&mut self, log: &mut Log, keep: u64) -> io::Result<String> {
        let mut streams =
            [Some((Lines::new('o', keep), &mut self.stdout)), Some((Lines::new('e', 0), &mut self.stderr))];
        let mut tail = String::new();
        for (_, pipe) in streams.iter().flatten() {
            fcntl(pipe.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        let mut swept = false;
        loop {
            let mut polled = vec![PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
            polled.extend(streams.iter().flatten().map(|(_, pipe)| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
            match poll(&mut polled, PollTimeout::NONE) {
                Err(nix::errno::Errno::EINTR) => continue,
                Err(e) => return Err(e.into()),
                Ok(_) => {}
            }
            let ended = polled.first().is_some_and(|p| p.any() == Some(true));
            drop(polled);
            if ended && !swept {
                // At level A the kernel has ended everything; elsewhere what is left has become the monitor's child.
                sweep(self.init);
                swept = true;
            }
            let now = sys::now_ns();
            let mut entries = Vec::new();
            for stream in &mut streams {
                let Some((lines, pipe)) = stream else { continue };
                if !read_some(pipe, lines, now, &mut entries, ended) {
                    lines.finish(now, &mut entries);
                    if let Some((lines, _)) = stream.take().filter(|(lines, _)| lines.is_output()) {
                        tail = lines.tail();
                    }
                }
            }
            log.write(&entries, now);
            if ended {
                return Ok(tail);
            }
        }
    }

    /// The program's status, from its init when that lived to tell.
    fn status(&mut self) -> ExitStatus {
        let mut raw = [0; 4];
        let told = self.status.read_exact(&mut raw).is_ok();
        let seen = sys::reap(self.init.as_raw());
        let raw = if told { Some(i32::from_ne_bytes(raw)) } else { seen };
        match raw {
            Some(raw) if libc::WIFEXITED(raw) => ExitStatus::Code(libc::WEXITSTATUS(raw)),
            Some(raw) if libc::WIFSIGNALED(raw) => ExitStatus::Signal(libc::WTERMSIG(raw)),
            Some(_) | None => ExitStatus::Unknown,
        }
    }
}

/// Read what is there, at most a pipe's worth a turn so that no stream starves the other; all of it when `ended`. False when
/// the stream is over.
fn read_some(mut pipe: &File, lines: &mut Lines, now: u64, entries: &mut Vec<u8>, ended: bool) -> bool {
    let mut bytes = [0; 16 * 1024];
    for _ in 0..8 {
        match pipe.read(&mut bytes) {
            Ok(0) => return false,
            Ok(n) => lines.feed(bytes.get(..n).unwrap_or_default(), now, entries),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return !ended,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
    !ended
}

/// Kill and reap every child but the init, which has ended and whose status is still wanted.
fn sweep(init: Pid) {
    let Ok(children) = File::open("/proc/thread-self/children") else { return };
    loop {
        let killed = init::kill_children(&children, init);
        if killed.is_empty() {
            return;
        }
        for pid in killed {
            let _ = waitpid(pid, None);
        }
    }
}
