//! The thread for requests over many files and for plans. The loop stays free for what a keystroke waits for.

use super::answers::{self, Answer};
use super::lens;
use super::transport::Id;
use super::wanted::Wanted;
use super::workspace::Snapshot;
use crate::cli::Params;
use crate::compile;
use imm_compiler::Options;
use serde_json::Value;
use std::sync::mpsc::Receiver;

/// A request.
pub struct Job {
    /// Its number.
    pub id: Id,
    /// What is asked.
    pub method: String,
    /// About what.
    pub params: Value,
    /// The program at that moment.
    pub snapshot: Snapshot,
    /// How many changes had been read then.
    pub changes: u64,
}

/// Answers until the loop hangs up.
pub fn work(jobs: &Receiver<Job>, answer: &dyn Fn(Id, Answer), wanted: &Wanted) {
    while let Ok(Job { id, method, params, snapshot, changes }) = jobs.recv() {
        let made = wanted.answer(&id, &method, Some(changes), || match method.as_str() {
            "textDocument/codeLens" => lens::lenses(&snapshot, &params),
            _other => answers::answer(&snapshot, &method, &params),
        });
        answer(id, made);
    }
}

/// What the command line would give.
pub fn options() -> Options {
    let params = compile::given(&Params::default()).unwrap_or_default();
    Options { params, ..Options::default() }
}
