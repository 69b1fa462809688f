//! A container seen from outside: is it running, how did it end, make it end.
//!
//! Identity is process id, start time and boot id, checked after opening a pidfd, so a reused id is never taken for the
//! container. The pollable descriptor is the *monitor's*: when it is readable, the exit record has been written, or the
//! monitor was killed and the status is unknown. Works the same in the launching process and in any later one.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::cgroup::Group;
use crate::record::{self, Running};
use crate::spec::Level;
use crate::sys;

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It never ran; the text says at which step and why.
    Failed(String),
    /// Its monitor was killed (the container with it) or the machine restarted: nobody saw the status.
    Unknown,
}

/// The end of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// How the program ended.
    pub status: ExitStatus,
    /// Whether the kernel killed a process of the container because the memory limit was reached.
    pub oom_killed: bool,
    /// When, in nanoseconds since 1970; 0 when unknown.
    pub ended_ns: u64,
    /// The end of its standard output, as much as was asked for.
    #[serde(default)]
    pub stdout: String,
}

/// What a container uses right now; `None` where no cgroup tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time since the start, in nanoseconds.
    pub cpu_ns: Option<u64>,
    /// Bytes of memory charged to it.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// A container whose program was started and has not been seen to end.
#[derive(Debug)]
pub struct Run {
    /// The container's init (on the host's numbering): signals to it reach the program.
    pub pid: i32,
    /// Start time of `pid` in clock ticks since boot; with `pid` and the boot it is unique.
    pub start_time: u64,
    /// The monitor.
    pub monitor_pid: i32,
    /// The isolation that was reached.
    pub level: Level,
    /// What was asked for and could not be had here (limits, weaker isolation), for the user.
    pub warnings: Vec<String>,
    dir: PathBuf,
    group: Group,
    init: Option<OwnedFd>,
    monitor: OwnedFd,
}

/// What [`reopen`] finds in a container's directory.
#[derive(Debug)]
pub enum RunState {
    /// Nothing was ever started here, and nothing is about to.
    NotStarted,
    /// Started, not ended.
    Running(Run),
    /// Ended.
    Exited(Exit),
}

impl AsRawFd for Run {
    /// Readable once the container has ended and its record is written; for pollers.
    fn as_raw_fd(&self) -> RawFd {
        self.monitor.as_raw_fd()
    }
}

impl AsFd for Run {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.monitor.as_fd()
    }
}

impl Run {
    /// A run whose processes are gone already: waiting for it returns its record at once.
    pub(crate) fn ended(dir: &Path, running: Running) -> io::Result<Self> {
        // The read end of a pipe whose other end is closed is readable for ever, as a pidfd of the dead would be.
        let (over, _) = io::pipe()?;
        Ok(Self::assemble(dir, running, None, over.into()))
    }

    fn assemble(dir: &Path, running: Running, init: Option<OwnedFd>, monitor: OwnedFd) -> Self {
        Self {
            pid: running.pid,
            start_time: running.start_time,
            monitor_pid: running.monitor_pid,
            level: running.level,
            warnings: running.warnings,
            dir: dir.to_owned(),
            group: running.group,
            init,
            monitor,
        }
    }

    /// The container's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn group(&self) -> &Group {
        &self.group
    }

    /// Send a signal to the program through its init; `KILL` ends every process of the container. A container that has
    /// ended already is no error.
    ///
    /// # Errors
    /// When the kernel refuses the signal.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        self.init.as_ref().map_or(Ok(()), |init| sys::pidfd_signal(init.as_fd(), signal))
    }

    /// Wait at most `timeout` for the end; `None` when the time is over.
    ///
    /// # Errors
    /// When polling fails or the exit record is unreadable.
    pub fn wait(&self, timeout: Duration) -> io::Result<Option<Exit>> {
        let deadline = Instant::now().checked_add(timeout);
        for fd in std::iter::once(self.monitor.as_fd()).chain(self.init.as_ref().map(AsFd::as_fd)) {
            if !sys::wait_readable(fd, deadline)? {
                return Ok(None);
            }
        }
        Ok(Some(record::read_exit(&self.dir)?.unwrap_or_else(Exit::unseen)))
    }

    /// Ask the program to end (TERM), give it `grace`, then kill all of it and wait for at most ten seconds more.
    ///
    /// # Errors
    /// As [`Run::signal`] and [`Run::wait`], or when even a killed container does not end.
    pub fn stop(&self, grace: Duration) -> io::Result<Exit> {
        self.signal(Signal::SIGTERM)?;
        if let Some(exit) = self.wait(grace)? {
            return Ok(exit);
        }
        self.signal(Signal::SIGKILL)?;
        self.wait(Duration::from_secs(10))?.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::TimedOut,
                format!("process {} did not end within 10 s of SIGKILL (blocked in the kernel?)", self.pid),
            )
        })
    }

    /// What it uses now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.group.usage()
    }
}

impl Exit {
    pub(crate) const fn unseen() -> Self {
        Self { status: ExitStatus::Unknown, oom_killed: false, ended_ns: 0, stdout: String::new() }
    }

    pub(crate) fn failed(text: String) -> Self {
        Self { status: ExitStatus::Failed(text), ended_ns: sys::now_ns(), ..Self::unseen() }
    }
}

/// Find out what became of the container in `dir`, whoever launched it. While a launch is under way it waits for its
/// outcome, for at most ten seconds.
///
/// # Errors
/// When records are there and unreadable, or a launch under way does not come to an end.
pub fn reopen(dir: &Path) -> io::Result<RunState> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        // Order matters: once the lock is seen free nobody writes records any more, so what is read after it is final.
        let busy = record::launch_lock_held(dir)?;
        if let Some(exit) = record::read_exit(dir)? {
            return Ok(RunState::Exited(exit));
        }
        if let Some(running) = record::read_running(dir)? {
            if let Some(run) = open(dir, running)? {
                return Ok(RunState::Running(run));
            }
            // Its processes are gone. The monitor may have written the record between the two looks.
            return Ok(RunState::Exited(record::read_exit(dir)?.unwrap_or_else(Exit::unseen)));
        }
        if !busy {
            return Ok(RunState::NotStarted);
        }
        if Instant::now() > deadline {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("a launch in {} has been under way for more than 10 s", dir.display()),
            ));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Open what `running` names; `None` when monitor and init are both gone.
pub(crate) fn open(dir: &Path, running: Running) -> io::Result<Option<Run>> {
    if running.boot_id != sys::boot_id()? {
        return Ok(None);
    }
    let init = sys::open_process(running.pid, running.start_time)?;
    let monitor = sys::open_process(running.monitor_pid, running.monitor_start_time)?;
    // A monitor killed a moment ago takes its container with it: then the init is all that is left to wait for.
    let (init, monitor) = match (init, monitor) {
        (None, None) => return Ok(None),
        (init, Some(monitor)) => (init, monitor),
        (Some(init), None) => {
            let monitor = init.try_clone()?;
            (Some(init), monitor)
        }
    };
    Ok(Some(Run::assemble(dir, running, init, monitor)))
}

/// Remove an ended container: its cgroups and its whole directory, log included. Doing it twice is no error.
///
/// # Errors
/// When the container still runs (`ResourceBusy`), or a file cannot be removed.
pub fn remove(dir: &Path) -> io::Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    match reopen(dir)? {
        RunState::Running(run) => {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("the container in {} still runs (process {}): stop it first", dir.display(), run.pid),
            ));
        }
        RunState::NotStarted | RunState::Exited(_) => {}
    }
    if let Some(group) = record::read_group(dir)? {
        group.remove()?;
    }
    std::fs::remove_dir_all(dir)
}
