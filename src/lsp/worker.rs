//! The thread for what may take longer: checking a whole program, plans, requests over many files. The loop stays free
//! for what a keystroke waits for.

use super::answers::{self, Refused};
use super::documents::EditorWorld;
use super::lens;
use super::report::{Problems, problems};
use super::server::{Cancelled, guarded};
use super::workspace::Snapshot;
use crate::cli::Params;
use crate::compile;
use imm_compiler::Options;
use imm_ir::{Diagnostic, Sources};
use lsp_server::{Message, RequestId, Response};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};

/// What is to be done.
pub enum Job {
    /// Check a program: the newest of those that wait for one root is done, the others are not.
    Check(Snapshot, u64),
    /// Answer a request.
    Request(RequestId, String, Value, Snapshot),
}

/// A program that was checked.
pub struct CheckedProgram {
    /// Its root.
    pub root: PathBuf,
    /// The moment it was checked at.
    pub revision: u64,
    /// Its files.
    pub sources: Sources,
    /// What is wrong, as data for code actions.
    pub diagnostics: Vec<Diagnostic>,
    /// The same in the protocol's words.
    pub problems: Problems,
}

/// What the loop wakes up for.
pub enum Event {
    /// Something from the client.
    Client(Message),
    /// The client hung up.
    Gone,
    /// A check is done.
    Checked(Box<CheckedProgram>),
    /// A check of this root failed inside of imm.
    Broken(PathBuf),
}

/// Works until the loop hangs up.
pub fn work(jobs: &Receiver<Job>, events: &Sender<Event>, answers: &dyn Fn(Response), cancelled: &Cancelled) {
    while let Ok(first) = jobs.recv() {
        let mut waiting = vec![first];
        waiting.extend(jobs.try_iter());
        let newest = |root: &PathBuf, waiting: &[Job]| {
            waiting
                .iter()
                .filter_map(|job| match job {
                    Job::Check(snapshot, revision) if snapshot.root == *root => Some(*revision),
                    Job::Check(..) | Job::Request(..) => None,
                })
                .max()
        };
        let plan: Vec<bool> = waiting
            .iter()
            .map(|job| match job {
                Job::Check(snapshot, revision) => newest(&snapshot.root, &waiting) == Some(*revision),
                Job::Request(..) => true,
            })
            .collect();
        for (job, wanted) in waiting.into_iter().zip(plan) {
            match job {
                Job::Check(snapshot, revision) if wanted => {
                    let checked = std::panic::catch_unwind(|| check(&snapshot, revision));
                    let event = checked.map_or(Event::Broken(snapshot.root), |c| Event::Checked(Box::new(c)));
                    if events.send(event).is_err() {
                        return;
                    }
                }
                Job::Check(..) => {}
                Job::Request(id, method, params, snapshot) => {
                    if cancelled.take(&id) {
                        answers(Refused::Cancelled.response(id));
                        continue;
                    }
                    let answer = guarded(&method, || match method.as_str() {
                        "textDocument/codeLens" => lens::lenses(&snapshot, &params),
                        _other => answers::answer(&snapshot, &method, &params),
                    });
                    answers(match answer {
                        Ok(value) => Response::new_ok(id, value),
                        Err(refused) => refused.response(id),
                    });
                }
            }
        }
    }
}

/// What the command line would give.
pub fn options() -> Options {
    let params = compile::given(&Params::default()).unwrap_or_default();
    Options { params, ..Options::default() }
}

fn check(snapshot: &Snapshot, revision: u64) -> CheckedProgram {
    let world = EditorWorld::new(&snapshot.documents);
    let checked = imm_compiler::check(&world, &snapshot.root.to_string_lossy(), &options());
    let problems =
        problems(&snapshot.root, &snapshot.documents, snapshot.encoding, &checked.sources, &checked.diagnostics);
    CheckedProgram {
        root: snapshot.root.clone(),
        revision,
        sources: checked.sources,
        diagnostics: checked.diagnostics,
        problems,
    }
}
