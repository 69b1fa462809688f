//! An image made of busybox, and what tests do with containers of it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use imm_sandbox::{Exit, ExitStatus, LaunchError, Mount, Run, Spec, launch};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tempfile::TempDir;

use crate::Skip;

/// Bound of every wait; only ever reached by a failing test.
pub const LONG: Duration = Duration::from_secs(20);

/// A directory with two image layers and places for containers; all are ended when it is dropped.
pub struct Fixture {
    pub dir: TempDir,
    count: std::cell::Cell<u32>,
}

/// The command that makes this binary a monitor.
pub fn monitor() -> Vec<OsString> {
    vec!["/proc/self/exe".into(), "__container".into()]
}

impl Fixture {
    pub fn new() -> Result<Self, Skip> {
        let busybox = Path::new("/bin/busybox");
        let linked = fs::read(busybox).map_err(|_| Skip("/bin/busybox is missing (package busybox-static)".into()))?;
        // A dynamic one would need libraries that these layers do not have.
        if linked[..4096].windows(9).any(|w| w == b"/ld-linux") {
            return Err(Skip("/bin/busybox is not static (package busybox-static)".into()));
        }
        let dir = tempfile::tempdir().unwrap();
        // Levels C and D run the program by its path on the host, as another user.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let low = dir.path().join("low");
        fs::create_dir_all(low.join("bin")).unwrap();
        fs::create_dir_all(low.join("etc")).unwrap();
        fs::write(low.join("etc/which"), "low\n").unwrap();
        fs::write(low.join("etc/low"), "low\n").unwrap();
        fs::copy(busybox, low.join("bin/busybox")).unwrap();
        for applet in [
            "sh", "cat", "ls", "id", "touch", "sleep", "mount", "hostname", "dd", "httpd", "setsid", "grep", "mkdir",
            "ps", "wget", "test", "kill",
        ] {
            symlink("busybox", low.join("bin").join(applet)).unwrap();
        }
        let high = dir.path().join("high");
        fs::create_dir_all(high.join("etc")).unwrap();
        fs::write(high.join("etc/which"), "high\n").unwrap();
        Ok(Self { dir, count: 0.into() })
    }

    pub fn layers(&self) -> Vec<PathBuf> {
        vec![self.dir.path().join("low"), self.dir.path().join("high")]
    }

    /// A container with a new directory and a name that no other test has.
    pub fn spec(&self, argv: &[&str]) -> Spec {
        let number = self.count.get();
        self.count.set(number + 1);
        let dir = self.dir.path().join(format!("c{number}"));
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        let id = format!("test-{}-{number}", std::process::id());
        let mut spec = Spec::new(id, dir, self.layers(), argv.iter().map(|a| (*a).to_owned()).collect());
        spec.env.push(("PATH".to_owned(), "/bin".to_owned()));
        spec
    }

    pub fn shell(&self, script: &str) -> Spec {
        self.spec(&["/bin/sh", "-c", script])
    }

    /// Add a directory `/sync` with a pipe that the container announces itself on: `echo > /sync/ready`.
    pub fn ready(&self, spec: &mut Spec) -> Ready {
        let sync = spec.dir.join("sync");
        fs::create_dir(&sync).unwrap();
        let pipe = sync.join("ready");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
        for path in [&sync, &pipe] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        }
        // Opened for writing too: a writer that comes and goes is then no end of file, and one that comes first waits not.
        let pipe = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(pipe).unwrap();
        spec.mounts.push(Mount::Bind { source: sync, target: "/sync".into(), read_only: false });
        Ready(pipe)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        for number in 0..self.count.get() {
            let dir = self.dir.path().join(format!("c{number}"));
            if let Ok(imm_sandbox::RunState::Running(run)) = imm_sandbox::reopen(&dir) {
                let _ = run.stop(Duration::ZERO);
            }
            let _ = imm_sandbox::remove(&dir);
        }
    }
}

pub struct Ready(File);

impl Ready {
    pub fn wait(&self) {
        let mut polled = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(LONG).unwrap();
        assert_eq!(poll(&mut polled, timeout).unwrap(), 1, "the container did not announce itself");
    }
}

pub fn start(spec: &Spec) -> Run {
    launch(spec, &monitor()).unwrap_or_else(|e| panic!("{e}"))
}

pub fn refused(spec: &Spec) -> LaunchError {
    launch(spec, &monitor()).expect_err("this must not start")
}

/// Run to its end.
pub fn run(spec: &Spec) -> Exit {
    start(spec).wait(LONG).unwrap().expect("the container ends")
}

/// Run to its end, which must be a success; what it wrote to standard output.
pub fn output(spec: &Spec) -> String {
    let exit = run(spec);
    assert_eq!(exit.status, ExitStatus::Code(0), "log:\n{}", log(spec));
    stream(spec, "o")
}

pub fn log(spec: &Spec) -> String {
    fs::read_to_string(spec.dir.join("log")).unwrap_or_default()
}

/// The text of one stream in the log, its form checked.
pub fn stream(spec: &Spec, mark: &str) -> String {
    let mut text = String::new();
    let mut last = 0;
    for line in log(spec).lines() {
        let mut parts = line.splitn(3, ' ');
        let time: u64 = parts.next().unwrap().parse().unwrap();
        assert!(time >= last, "times rise");
        last = time;
        if parts.next() == Some(mark) {
            text.push_str(parts.next().unwrap());
            text.push('\n');
        }
    }
    text
}

/// Whether a process exists and is no zombie.
pub fn alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.rsplit_once(") ").unwrap().1.starts_with('Z'))
}
