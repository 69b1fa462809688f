//! A user who is not root gets a working hello too, or a clear sentence about what the kernel forbids.
//!
//! Run as root, the tests become such a user for the commands; run as an ordinary user, every other test of this suite is
//! the proof already, and these say so.

use crate::harness::{Bench, IMM, Said, eventually, finish, http};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An id that no account of the machine has.
const ID: u32 = 54_321;

/// An ordinary user with a world and a copy of the program of their own.
pub struct Stranger {
    /// The world: all of it is the stranger's.
    pub bench: Bench,
    program: PathBuf,
}

impl Stranger {
    /// Hello in the stranger's hands; `None` when this is not root's to give, with a word about it.
    pub fn hello() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: not root, so every test of this suite runs as an ordinary user already");
            return None;
        }
        let bench = Bench::example("hello");
        let folder = bench.path("bin");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir_all(bench.home()).unwrap();
        // The build's own folder may be closed to others.
        let program = folder.join("imm");
        std::fs::copy(IMM, &program).unwrap();
        give(bench.module.parent().unwrap());
        Some(Self { bench, program })
    }

    /// Runs a command as the stranger, without any of root's groups and variables.
    pub fn imm(&self, args: &[&str]) -> Said {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(&self.bench.module).uid(ID).gid(ID).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.bench.home()).env("IMM_HOME", self.bench.home());
        command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let said = finish(command.spawn().unwrap(), args);
        println!("stranger$ imm {}\n{}{}", args.join(" "), said.out, said.err);
        said
    }

    /// Runs a command that must succeed.
    pub fn ok(&self, args: &[&str]) -> Said {
        let said = self.imm(args);
        assert_eq!(said.code, 0, "imm {args:?}: {said:?}");
        said
    }
}

fn give(path: &Path) {
    chown(path, Some(ID), Some(ID)).unwrap();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path());
        }
    }
}

#[test]
fn hello_serves_without_root() {
    let Some(stranger) = Stranger::hello() else { return };
    let doctor = stranger.ok(&["agent", "doctor", "--json"]);
    let probe = serde_json::from_str::<serde_json::Value>(&doctor.out).unwrap()["doctor"].clone();
    let applied = stranger.ok(&["apply", "--yes"]);
    assert!(stranger.bench.page().contains("Hello, world"));

    let status = stranger.ok(&["status"]);
    let said = format!("{}{}{}{}", applied.out, applied.err, status.out, status.err);
    if probe["level"] == "A" {
        assert_eq!(probe["rootless"], true, "{probe}");
        assert!(!said.contains("isolation is"), "nothing weaker was used: {said}");
    } else {
        let reasons = probe["missing"].as_array().unwrap();
        assert!(!reasons.is_empty(), "the doctor says why: {probe}");
        assert!(said.contains("isolation is") && said.contains("not allowed"), "what was used, and why: {said}");
    }

    let processes = stranger.bench.processes();
    let monitors = processes.iter().filter(|(_, command)| command.contains("__container")).count();
    assert!(monitors >= 2, "{processes:?}");
    for (pid, command) in processes {
        // One that has just ended has no owner any more.
        if let Ok(owner) = std::fs::metadata(format!("/proc/{pid}/status")) {
            assert_eq!(owner.uid(), ID, "process {pid} ({command}) is not the stranger's");
        }
    }

    stranger.ok(&["apply", "--yes", "--param", "greeting=Hi"]);
    assert!(stranger.bench.page().contains("Hi, world"));
    stranger.ok(&["destroy", "--yes"]);
    assert!(http::get(stranger.bench.port, "/").is_err());
    eventually("no container is left", || !stranger.bench.processes().iter().any(|(_, c)| c.contains("__container")));
}

#[test]
fn another_users_agent_does_not_answer() {
    let Some(stranger) = Stranger::hello() else { return };
    stranger.ok(&["apply", "--yes"]);
    // Even where the files would let them, another user's request is refused.
    let (home, world) = (stranger.bench.home(), stranger.bench.path("."));
    let opened = Command::new("chmod").args(["-R", "a+rwX"]).arg(&world).status().unwrap();
    assert!(opened.success());
    let mut command = Command::new(&stranger.program);
    command.args(["agent", "ps"]).current_dir("/").uid(ID + 1).gid(ID + 1).env_clear().env("IMM_HOME", &home);
    command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let said = finish(command.spawn().unwrap(), &["agent", "ps"]);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(
        !said.out.contains("web.instance") && !said.err.contains("ermission denied"),
        "the agent itself refuses: {said:?}"
    );
    stranger.ok(&["destroy", "--yes"]);
}
