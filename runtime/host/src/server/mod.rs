//! The agent's process: one per home.
//!
//! `run` takes the lock, restores every lineage (setting first, sockets second), serves the API, and on TERM leaves containers and
//! their monitors running. Read on: `http` (requests), `lineage` (what they do), `settings` (the pointer), `object` and `supervise`
//! (containers), `board` (routes), `hand_over` and `tail` (the next agent), `logs`, `journal`. Nothing listens on TCP but the routes that were declared.

mod access;
mod board;
mod claims;
mod clock;
mod collect;
mod compare;
mod content;
mod create;
mod hand_over;
mod http;
mod journal;
mod launch;
mod lineage;
mod logs;
mod metrics;
mod object;
mod outcome;
mod ports;
mod registry;
mod remove;
mod run;
mod settings;
mod snapshot;
mod supervise;
mod tail;
mod tombstones;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;

use crate::home::Home;
use crate::seal::Seal;

pub use journal::verify as verify_journal;
pub use run::{AgentError, Options, run};

/// What all lineages of one agent share.
#[derive(Debug)]
struct Site {
    home: Home,
    monitor: Vec<OsString>,
    seal: Arc<Seal>,
    store: imm_image::Store,
    ports: ports::Ports,
    claims: claims::Claims,
    board: std::sync::Arc<board::Board>,
    log_bounds: logs::Bounds,
}

impl Site {
    /// Writes a line into the agent's own log: for what no request is there to carry.
    fn say(&self, text: &str) {
        let line = format!("{} {text}\n", clock::unix_ms());
        let written = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(self.home.agent_log())
            .and_then(|mut file| file.write_all(line.as_bytes()));
        // There is nobody left to tell when even this fails.
        drop(written);
    }
}
