//! A place for one test: its own IMM_HOME, its own copy of an example on free ports, the real binary. Everything it
//! started is ended when it is dropped, also when the test fails.

pub mod demo;
pub mod editor;
pub mod http;
pub mod lsp;
pub mod terminal;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The binary under test.
pub const IMM: &str = env!("CARGO_BIN_EXE_imm");

/// One test's world.
pub struct Bench {
    root: tempfile::TempDir,
    /// The copied module.
    pub module: PathBuf,
    /// The route's port.
    pub port: u16,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Bench {
    /// A copy of an example with its ports rewritten to free ones.
    pub fn example(name: &str) -> Self {
        let root = tempfile::Builder::new().prefix("imm").tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let module = root.path().join(name);
        std::fs::create_dir_all(&module).unwrap();
        let port = free_port();
        copy(&source, &module, port);
        Self { root, module, port }
    }

    /// A module of one file; the text `PORT` in it is a free port.
    pub fn program(text: &str) -> Self {
        let root = tempfile::Builder::new().prefix("imm").tempdir().unwrap();
        let (module, port) = (root.path().join("module"), free_port());
        std::fs::create_dir_all(&module).unwrap();
        std::fs::write(module.join("main.imm"), text.replace("PORT", &port.to_string())).unwrap();
        Self { root, module, port }
    }

    /// The agent's home.
    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// A path beside the module.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Replaces text in the program; it must be there.
    pub fn edit(&self, from: &str, to: &str) {
        let path = self.module.join("main.imm");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from:?} is not in {text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// The command, ready to be run in this world.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(IMM);
        command
            .args(args)
            .current_dir(&self.module)
            .env("IMM_HOME", self.home())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, at most two minutes.
    pub fn imm(&self, args: &[&str]) -> Said {
        let child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = finish(child, args);
        eprintln!("$ imm {}\n{}{}", args.join(" "), said.out, said.err);
        said
    }

    /// Runs a command that must succeed.
    pub fn ok(&self, args: &[&str]) -> String {
        let said = self.imm(args);
        assert_eq!(said.code, 0, "imm {args:?}: {said:?}");
        said.out
    }

    /// Runs a command with `--json` and reads its one document.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        let out = self.ok(&[args, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"))
    }

    /// The page that the route serves.
    pub fn page(&self) -> String {
        http::get(self.port, "/").unwrap_or_else(|e| panic!("port {}: {e}", self.port))
    }

    /// Every process that has this world's home in its command line or environment.
    pub fn processes(&self) -> Vec<(i32, String)> {
        let home = self.home().display().to_string();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
            let read = |name: &str| {
                String::from_utf8_lossy(&std::fs::read(entry.path().join(name)).unwrap_or_default()).replace('\0', " ")
            };
            let cmdline = read("cmdline");
            if pid != std::process::id() as i32 && (cmdline.contains(&home) || read("environ").contains(&home)) {
                found.push((pid, cmdline));
            }
        }
        found
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(log) = std::fs::read_to_string(self.home().join("agent.log"))
        {
            eprintln!("--- agent.log\n{log}");
        }
        drop(self.command(&["agent", "stop"]).stdout(Stdio::null()).stderr(Stdio::null()).status());
        for (pid, _) in self.processes() {
            _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

/// Copies a module with its folders; its route gets the port.
fn copy(from: &Path, to: &Path, port: u16) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            // What a run by hand left is no part of it.
            if entry.file_name() != ".imm" {
                copy(&entry.path(), &target, port);
            }
        } else if entry.path().extension().is_some_and(|e| e == "imm") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let text = ["listen = 8080", "listen  = 8080"]
                .into_iter()
                .fold(text, |text, listen| text.replace(listen, &listen.replace("8080", &port.to_string())));
            std::fs::write(target, text).unwrap();
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Waits for a command, at most two minutes.
pub fn finish(child: Child, args: &[&str]) -> Said {
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    let (done, watch) = std::sync::mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if watch.recv_timeout(Duration::from_secs(120)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
    });
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    drop(done);
    guard.join().unwrap();
    let code = status.code().unwrap_or_else(|| panic!("imm {args:?} was killed: {}", String::from_utf8_lossy(&stderr)));
    Said {
        code,
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until `holds`, looking often; panics with `what` after a bound.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "not within 30 s: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
