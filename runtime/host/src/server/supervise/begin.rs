//! How a run begins: found again after another agent, or started.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use imm_sandbox::{Run, RunState};
use tokio::task::spawn_blocking;

use super::super::collect::{Collector, Source};
use super::super::journal::Event;
use super::super::launch::{self, Surroundings};
use super::super::outcome::Outcome;
use super::end::{Ended, describe};
use super::{Keeper, Live};

/// Why nothing was started.
enum NotStarted {
    /// Another one holds what it needs: to be tried again.
    Held(String),
    Failed(String),
}

impl Keeper {
    /// The run that an earlier agent left alive. Ended ones are collected and removed.
    pub(super) async fn find_again(&self) -> Option<Live> {
        let mut found = None;
        for number in launch::runs(&self.object.dir) {
            let dir = self.object.run_dir(number);
            let mut collector = self.collector(number);
            let looked = spawn_blocking(move || imm_sandbox::reopen(&dir)).await;
            match looked.unwrap_or_else(|cause| Err(io::Error::other(cause))) {
                Ok(RunState::Running(run)) => {
                    self.journal(Event::RunAdopted, number, "found alive by a new agent");
                    self.tell_run(number, &run);
                    found = Some(self.live(number, run));
                }
                Ok(RunState::Exited(exit)) => {
                    let how = describe(&exit.status, exit.oom_killed);
                    self.journal(Event::RunEnded, number, &how);
                    self.take_output(&mut collector);
                    let last_lines = collector.last_lines();
                    if self.settle(number, || Outcome::of(exit, how, last_lines)) {
                        self.clear_run(number).await;
                    }
                }
                Ok(RunState::NotStarted) => {
                    // After a restart of the machine the records of a program that did begin may be lost.
                    let begun = || Outcome::lost("the machine was restarted, and nobody knows whether it had begun");
                    if self.object.ran_in_this_boot() || self.settle(number, begun) {
                        self.clear_run(number).await;
                    }
                }
                Err(cause) => {
                    self.site.say(&format!("object {}, run {number}: {cause}", self.object.id));
                    let how = format!("what is recorded of its run cannot be read: {cause}");
                    self.settle(number, || Outcome::lost(how));
                }
            }
        }
        if found.is_none() && self.container.once && self.object.last_run() > 0 && !self.object.ran_in_this_boot() {
            let how = "the machine was restarted, and nobody knows how it ended";
            self.settle(self.object.last_run(), || Outcome::lost(how));
        }
        found
    }

    pub(super) async fn start(&self) -> Option<Live> {
        match self.try_start().await {
            Ok((number, run)) => {
                self.journal(Event::RunStarted, number, &format!("isolation {}", run.level));
                self.tell_run(number, &run);
                Some(self.live(number, run))
            }
            Err(NotStarted::Held(how)) => {
                self.tell_ended(&Ended { how, code: None, healthy_for: Duration::ZERO, last_lines: Vec::new() });
                None
            }
            Err(NotStarted::Failed(how)) => {
                self.journal(Event::RunEnded, self.object.last_run(), &how);
                self.settle(self.object.last_run(), || Outcome::not_begun(how.clone()));
                let ended = Ended { how, code: None, healthy_for: Duration::ZERO, last_lines: Vec::new() };
                self.tell_ended(&ended);
                None
            }
        }
    }

    async fn try_start(&self) -> Result<(u64, Run), NotStarted> {
        let (keys, holder) = &self.holds;
        self.site.claims.take(keys, holder).map_err(|refused| NotStarted::Held(refused.message))?;
        self.object.seen.send_modify(|seen| seen.processes = true);
        let number = self.object.next_run().map_err(|cause| NotStarted::Held(cause.to_string()))?;
        let (site, object, container) = (Arc::clone(&self.site), Arc::clone(&self.object), self.container.clone());
        let lineage_dir = self.records.dir.clone();
        let launched = spawn_blocking(move || {
            let run_dir = object.run_dir(number);
            let at = Surroundings {
                store: &site.store,
                monitor: &site.monitor,
                lineage_dir: &lineage_dir,
                run_dir: &run_dir,
                object: &object.id,
                run: number,
            };
            launch::launch(at, &object.record(), &container)
        });
        match launched.await {
            Ok(Ok(run)) => Ok((number, run)),
            Ok(Err(how)) => {
                self.take_output(&mut self.collector(number));
                self.clear_run(number).await;
                Err(NotStarted::Failed(how))
            }
            Err(cause) => Err(NotStarted::Failed(cause.to_string())),
        }
    }

    fn live(&self, number: u64, run: Run) -> Live {
        let run = Arc::new(run);
        *self.object.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&run));
        Live { number, run, collector: self.collector(number) }
    }

    fn collector(&self, run: u64) -> Collector {
        let record = self.object.record();
        let source =
            Source { address: record.address, object: self.object.id.clone(), generation: record.generation, run };
        Collector::new(&self.object.run_dir(run), source)
    }
}
