//! Starts a monitor and waits until its program runs or is known not to.
//!
//! Guarantees: an error means that nothing runs (a monitor that does not answer in time is killed, its container dies with
//! it); a directory is launched in at most once. The monitor answers on a pipe that is its standard output, so that its
//! death is seen at once as the pipe's end.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::cgroup::Cgroups;
use crate::probe::{Probe, probe};
use crate::record::{self, Order, Request};
use crate::run::{self, Exit, Run};
use crate::spec::{Level, Mount, Network, Spec};
use crate::sys;

/// Why a container was not started. Nothing of it runs.
#[derive(Debug)]
pub enum LaunchError {
    /// The request makes no sense, on any machine.
    Invalid(String),
    /// This machine cannot give the isolation or the limits that were required.
    Isolation(String),
    /// The directory holds a container already, running or ended.
    Used(String),
    /// The program could not be started: a mount, the user, the exec itself.
    Start(String),
    /// The machinery failed: records, processes, the monitor.
    Io(io::Error),
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(text) | Self::Isolation(text) | Self::Used(text) | Self::Start(text) => f.write_str(text),
            Self::Io(error) => write!(f, "the container could not be started: {error}"),
        }
    }
}

impl std::error::Error for LaunchError {}

impl From<io::Error> for LaunchError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The probe of this process, made once.
pub(crate) fn probed() -> &'static Probe {
    static PROBED: OnceLock<Probe> = OnceLock::new();
    PROBED.get_or_init(probe)
}

/// Start the program of `spec`. `monitor` is the command that ends up in [`crate::monitor_main`]; the container's
/// directory is appended to it as its last argument.
///
/// # Errors
/// See [`LaunchError`]; after each of them nothing of the container runs.
pub fn launch(spec: &Spec, monitor: &[OsString]) -> Result<Run, LaunchError> {
    validate(spec).map_err(LaunchError::Invalid)?;
    let (level, warnings) = choose(spec, probed())?;
    let Some((command, arguments)) = monitor.split_first() else {
        return Err(LaunchError::Invalid("no monitor command was given".to_owned()));
    };
    let dir = &spec.dir;
    let used =
        || LaunchError::Used(format!("{} holds a container already; each launch needs a new directory", dir.display()));
    let lock = record::lock_request(dir)?.ok_or_else(used)?;
    if record::read_running(dir)?.is_some() || record::read_exit(dir)?.is_some() {
        return Err(used());
    }
    let request = Request { spec: spec.clone(), level, probe: probed().clone(), warnings };
    record::write_request(&lock, &request)?;

    let whole = record::hand_over(&Order::Launch(Box::new(request)))?;
    let (mut answer, answering) = io::pipe()?;
    let deadline = Instant::now() + Duration::from_millis(spec.start_timeout_ms);
    // The lock goes along as standard input: it is held until launcher and monitor are both gone. The request, which may hold
    // secrets, goes along in memory.
    let mut starter = Command::new(command)
        .args(arguments)
        .arg(dir)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(lock))
        .stdout(Stdio::from(answering))
        .stderr(Stdio::from(whole))
        .spawn()
        .map_err(|e| LaunchError::Start(format!("the monitor {} cannot be run: {e}", command.display())))?;
    // `Command` has closed its copy of the pipe; the process that was spawned only forks the monitor and ends.
    let mut text = String::new();
    let said = loop {
        if !sys::wait_readable(answer.as_fd(), Some(deadline))? {
            break false;
        }
        let mut bytes = [0; 4096];
        match answer.read(&mut bytes)? {
            0 => break true,
            n => text.push_str(&String::from_utf8_lossy(bytes.get(..n).unwrap_or_default())),
        }
    };
    // A monitor that has not announced itself yet finds the pipe closed and gives up.
    drop(answer);
    if !said {
        let _ = starter.kill();
        kill_monitor(&text);
        settle(dir)?;
    }
    let _ = starter.wait();
    // First line: the monitor's process id and start time. Then `ok`, or the reason.
    let mut lines = text.splitn(2, '\n');
    let outcome = lines.nth(1).unwrap_or_default();
    match outcome {
        "ok\n" => {}
        _ if !said => {
            let ms = spec.start_timeout_ms;
            let text = format!("the program did not start within {ms} ms and was given up");
            let _ = record::write_exit(dir, &Exit::failed(text.clone()));
            return Err(LaunchError::Start(text));
        }
        "" => {
            let text = "the monitor ended before the program was started (killed, or its command is not a monitor)";
            return Err(LaunchError::Start(text.to_owned()));
        }
        reason => return Err(LaunchError::Start(reason.trim_end().to_owned())),
    }
    let running = record::read_running(dir)?.ok_or_else(|| io::Error::other("the monitor left no record"))?;
    match run::open(dir, running.clone())? {
        Some(run) => Ok(run),
        // A program that ran and ended before we looked: its monitor and init are gone, the record tells.
        None => Ok(Run::ended(dir, running)?),
    }
}

fn kill_monitor(said: &str) {
    let mut words = said.split_whitespace();
    let mut number = || words.next().and_then(|w| w.parse::<i64>().ok());
    let (Some(pid), Some(start)) = (number(), number()) else { return };
    if let (Ok(pid), Ok(start)) = (i32::try_from(pid), u64::try_from(start))
        && let Ok(Some(process)) = sys::open_process(pid, start)
    {
        let _ = sys::pidfd_signal(process.as_fd(), Signal::SIGKILL);
        let _ = sys::wait_readable(process.as_fd(), Some(Instant::now() + Duration::from_secs(5)));
    }
}

/// After its monitor was killed: wait for the container's own end, so that an error means that nothing runs.
fn settle(dir: &Path) -> io::Result<()> {
    if let Some(running) = record::read_running(dir)?
        && let Some(init) = sys::open_process(running.pid, running.start_time)?
    {
        sys::wait_readable(init.as_fd(), Some(Instant::now() + Duration::from_secs(5)))?;
    }
    if let Some(group) = record::read_group(dir)? {
        // Left to `remove` when it fails.
        let _ = group.remove();
    }
    Ok(())
}

fn validate(spec: &Spec) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if spec.id.is_empty() || spec.id.len() > 63 || spec.id.starts_with('.') || !spec.id.chars().all(plain) {
        return Err(format!("container id {:?}: 1 to 63 of A-Z a-z 0-9 . _ -, not starting with a dot", spec.id));
    }
    if spec.layers.is_empty() {
        return Err("the image has no layers".to_owned());
    }
    for path in spec.layers.iter().chain([&spec.dir]) {
        if !path.is_absolute() {
            return Err(format!("path {} must be absolute", path.display()));
        }
        if !path.is_dir() {
            return Err(format!("{} is not a directory", path.display()));
        }
    }
    match spec.argv.first() {
        None => return Err("no program: argv is empty".to_owned()),
        Some(program) if program.is_empty() => return Err("no program: its name is empty".to_owned()),
        Some(_) => {}
    }
    let texts = spec.argv.iter().chain(spec.env.iter().flat_map(|(k, v)| [k, v])).chain([&spec.cwd]);
    if texts.into_iter().any(|t| t.contains('\0')) {
        return Err("a NUL byte in the arguments, the environment or the working directory".to_owned());
    }
    if let Some((key, _)) = spec.env.iter().find(|(k, _)| k.is_empty() || k.contains('=')) {
        return Err(format!("environment variable {key:?}: a name is not empty and holds no `=`"));
    }
    if !spec.cwd.starts_with('/') {
        return Err(format!("working directory {:?} must be absolute", spec.cwd));
    }
    let (uid, _) = parse_user(&spec.user)?;
    if uid == 0 && nix::unistd::geteuid().is_root() {
        return Err("user 0: a container of root does not run as root; name another numeric user".to_owned());
    }
    for mount in &spec.mounts {
        let target = mount.target();
        let dotted = target.split('/').any(|part| matches!(part, "." | ".."));
        if !target.starts_with('/') || dotted || target.contains('\0') || target.trim_matches('/').is_empty() {
            return Err(format!(
                "mount target {target:?} must be an absolute path without `.` or `..`, below the root"
            ));
        }
        if let Mount::Bind { source, .. } = mount
            && !source.is_absolute()
        {
            return Err(format!("mount source {} must be absolute", source.display()));
        }
    }
    Ok(())
}

/// `uid[:gid]`, both numbers; the group is the user's number when it is left out.
pub(crate) fn parse_user(user: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("user {user:?} must be `uid` or `uid:gid` in numbers");
    let (uid, gid) = user.split_once(':').unwrap_or((user, user));
    // The highest number means "no change" to the kernel.
    let number = |text: &str| text.parse::<u32>().ok().filter(|n| *n != u32::MAX).ok_or_else(wrong);
    Ok((number(uid)?, number(gid)?))
}

/// The level for this container, with what the user should know about it.
fn choose(spec: &Spec, probe: &Probe) -> Result<(Level, Vec<String>), LaunchError> {
    let why = || if probe.reasons.is_empty() { String::new() } else { format!(": {}", probe.reasons.join("; ")) };
    let level = match spec.force {
        Some(level) if level < probe.level => {
            return Err(LaunchError::Isolation(format!("isolation {level} is not possible here{}", why())));
        }
        Some(Level::Chroot) if !probe.chroot => {
            return Err(LaunchError::Isolation(format!("isolation {} needs the right to chroot", Level::Chroot)));
        }
        Some(Level::Landlock) if probe.landlock_abi == 0 => {
            return Err(LaunchError::Isolation(format!("isolation {} needs Landlock in the kernel", Level::Landlock)));
        }
        Some(level) => level,
        None => probe.level,
    };
    if let Some(required) = spec.require {
        if level > required {
            let text = format!("isolation {required} is required, this machine allows {level}{}", why());
            return Err(LaunchError::Isolation(text));
        }
        if let (Level::Namespaces, true, Cgroups::None { reason }) = (required, spec.limits.any(), &probe.cgroups) {
            return Err(LaunchError::Isolation(format!("limits are required and none can be set: {reason}")));
        }
    }
    if level > Level::Namespaces
        && let Some(bind) = spec.mounts.iter().find(|m| matches!(m, Mount::Bind { .. }))
    {
        let target = bind.target();
        return Err(LaunchError::Isolation(format!(
            "the mount at {target} needs isolation A, this machine allows {level}{}",
            why()
        )));
    }
    if level > Level::Namespaces && spec.network != Network::Host {
        return Err(LaunchError::Isolation(format!(
            "a private network needs isolation A, this machine allows {level}{}",
            why()
        )));
    }
    let mut warnings = Vec::new();
    if level > Level::Namespaces {
        warnings.push(format!("isolation is {level}{}", why()));
    }
    if probe.landlock_abi < 4 && spec.network == Network::Host {
        warnings.push("the program can bind any port: this kernel has no Landlock for TCP".to_owned());
    }
    if !probe.seccomp {
        warnings.push("system calls are not filtered: no seccomp here".to_owned());
    }
    Ok((level, warnings))
}
