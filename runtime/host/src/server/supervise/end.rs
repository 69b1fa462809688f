//! How a run ends: asked to, or by itself. Its status is settled and its output taken before its directory goes.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use imm_sandbox::{ExitStatus, Signal};
use tokio::task::{block_in_place, spawn_blocking};

use crate::api::StopSignal;

use super::super::collect::Collector;
use super::super::journal::Event;
use super::super::outcome::Outcome;
use super::{Keeper, Live};

/// How a run ended.
pub(super) struct Ended {
    /// In words.
    pub(super) how: String,
    /// The exit code, if it exited by itself.
    pub(super) code: Option<i32>,
    /// It was healthy for so long.
    pub(super) healthy_for: Duration,
    /// Its last lines.
    pub(super) last_lines: Vec<String>,
}

impl Keeper {
    /// Asks a run to end, then ends it.
    pub(super) async fn stop(&self, live: Live) {
        let stop = self.object.policy.borrow().stop;
        let signal = match stop.signal {
            StopSignal::Term => Signal::SIGTERM,
            StopSignal::Int => Signal::SIGINT,
            StopSignal::Quit => Signal::SIGQUIT,
        };
        let run = Arc::clone(&live.run);
        let stopped = spawn_blocking(move || {
            run.signal(signal)?;
            if run.wait(Duration::from_millis(stop.grace_ms))?.is_none() {
                run.signal(Signal::SIGKILL)?;
                run.wait(Duration::MAX)?;
            }
            Ok::<_, io::Error>(())
        });
        if let Err(cause) = stopped.await.unwrap_or_else(|cause| Err(io::Error::other(cause))) {
            self.site.say(&format!("object {}: cannot stop run {}: {cause}", self.object.id, live.number));
        }
        self.reap(live, Duration::ZERO, Event::RunStopped).await;
    }

    /// After a run's end: its status, its output, its directory.
    pub(super) async fn reap(&self, mut live: Live, healthy_for: Duration, event: Event) -> Ended {
        let run = Arc::clone(&live.run);
        let exit = spawn_blocking(move || run.wait(Duration::MAX)).await;
        let mut seen = None;
        let (how, code) = match exit.unwrap_or_else(|cause| Err(io::Error::other(cause))) {
            Ok(Some(exit)) => {
                let code = match exit.status {
                    ExitStatus::Code(code) => Some(code),
                    ExitStatus::Signal(_) | ExitStatus::Failed(_) | ExitStatus::Unknown => None,
                };
                let how = describe(&exit.status, exit.oom_killed);
                seen = Some(exit);
                (how, code)
            }
            Ok(None) => ("nobody saw how it ended".to_owned(), None),
            Err(cause) => (format!("how it ended cannot be read: {cause}"), None),
        };
        self.take_output(&mut live.collector);
        *self.object.run.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.journal(event, live.number, &how);
        let last_lines = live.collector.last_lines();
        let number = live.number;
        drop(live);
        let outcome = || match seen {
            Some(exit) => Outcome::of(exit, how.clone(), last_lines.clone()),
            None => Outcome::lost(how.clone()),
        };
        if self.settle(number, outcome) {
            self.clear_run(number).await;
        }
        Ended { how, code, healthy_for, last_lines }
    }

    pub(super) async fn clear_run(&self, number: u64) {
        let dir = self.object.run_dir(number);
        let removed = spawn_blocking(move || imm_sandbox::remove(&dir)).await;
        if let Err(cause) = removed.unwrap_or_else(|cause| Err(io::Error::other(cause))) {
            self.site.say(&format!("object {}: cannot remove run {number}: {cause}", self.object.id));
        }
    }

    /// Says how the one run of a job ended. False: it is not on disk, so what tells it otherwise must stay.
    pub(super) fn settle(&self, number: u64, outcome: impl FnOnce() -> Outcome) -> bool {
        if !self.container.once {
            return true;
        }
        let written = self.object.set_outcome(outcome());
        let failed = |cause: &io::Error| {
            self.site.say(&format!("object {}: how run {number} ended cannot be recorded: {cause}", self.object.id));
        };
        written.inspect_err(failed).is_ok()
    }

    /// While the program runs: a bounded part, on a thread that may block.
    pub(super) fn take_some_output(&self, collector: &mut Collector) {
        if let Err(cause) = block_in_place(|| collector.collect_some(&self.records.logs)) {
            self.site.say(&format!("object {}: its output cannot be logged: {cause}", self.object.id));
        }
    }

    /// After the program's end: all of it.
    pub(super) fn take_output(&self, collector: &mut Collector) {
        if let Err(cause) = block_in_place(|| collector.collect(&self.records.logs)) {
            self.site.say(&format!("object {}: its output cannot be logged: {cause}", self.object.id));
        }
    }
}

/// In words.
pub(super) fn describe(status: &ExitStatus, oom_killed: bool) -> String {
    let how = match status {
        ExitStatus::Code(code) => format!("exited with code {code}"),
        ExitStatus::Signal(signal) => format!("ended by signal {signal}"),
        ExitStatus::Failed(text) => format!("could not be started: {text}"),
        ExitStatus::Unknown => "ended while nobody watched; its status is not known".to_owned(),
    };
    if oom_killed { format!("{how}; the kernel killed a process because the memory limit was reached") } else { how }
}
