//! A command in a terminal, driven by its keys: what somebody sees who types. Needs tmux.

use super::{Bench, IMM};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// A terminal with a command in it.
pub struct Terminal {
    socket: String,
    /// Where the exit status comes to be.
    status: PathBuf,
}

impl Terminal {
    /// Starts a command in the module's folder. `None`: there is no tmux.
    pub fn start(bench: &Bench, name: &str, args: &[&str]) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            eprintln!("skipped: there is no tmux");
            return None;
        }
        let status = bench.path(&format!("{name}.status"));
        let terminal = Self { socket: bench.path(name).display().to_string(), status };
        // The shell notes the status itself: of a pane that is dead, tmux does not always know it. A trap that does nothing
        // keeps the shell through a Ctrl-C, and is not handed on to the command.
        let line = format!(
            "trap : INT; cd {} && env IMM_HOME={} TERM=screen NO_COLOR=1 {IMM} {}; echo $? > {}",
            bench.module.display(),
            bench.home().display(),
            args.join(" "),
            terminal.status.display()
        );
        terminal.tmux(&["new-session", "-d", "-x", "100", "-y", "40", &line]);
        terminal.tmux(&["set-option", "-g", "remain-on-exit", "on"]);
        Some(terminal)
    }

    fn tmux(&self, words: &[&str]) -> String {
        let output = Command::new("tmux").args(["-S", &self.socket, "-f", "/dev/null"]).args(words).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types keys, named as tmux names them.
    pub fn keys(&self, keys: &[&str]) {
        let mut words = vec!["send-keys"];
        words.extend(keys);
        self.tmux(&words);
    }

    /// Pastes a text as terminals do that say so (bracketed paste).
    pub fn paste(&self, text: &str) {
        self.tmux(&["set-buffer", text]);
        self.tmux(&["paste-buffer", "-p"]);
    }

    /// The screen, once it has a text.
    pub fn screen(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    /// Waits until the last line is this and nothing is typed yet: a key before that is not the editor's.
    pub fn last_line(&self, line: &str) {
        self.until(line, |screen| screen.trim_end().lines().last().is_some_and(|last| last.trim_end() == line));
    }

    fn until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.tmux(&["capture-pane", "-p"]);
            if holds(&screen) {
                return screen;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{what:?} is not on\n{screen}");
            std::thread::yield_now();
        }
    }

    /// Waits until the command is over; answers what it left on the screen and its exit status.
    pub fn ended(&self) -> (String, i32) {
        let began = Instant::now();
        loop {
            // A dead pane has shown all that there was.
            if self.tmux(&["list-panes", "-F", "#{pane_dead}"]).trim() == "1" {
                let status = std::fs::read_to_string(&self.status).unwrap_or_default();
                return (self.tmux(&["capture-pane", "-p"]), status.trim().parse().unwrap_or(-1));
            }
            assert!(began.elapsed() < Duration::from_secs(60), "it goes on");
            std::thread::yield_now();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
