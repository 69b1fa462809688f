//! What others learn of a run: the journal, and what is `seen` of the object.

use imm_sandbox::Run;

use crate::api::{Health, Level};

use super::super::collect::Collector;
use super::super::journal::Event;
use super::super::object::Want;
use super::Keeper;
use super::end::Ended;

impl Keeper {
    pub(super) fn journal(&self, event: Event, number: u64, detail: &str) {
        if let Err(cause) = self.records.journal.record(event, Some(&self.object.id), number, detail) {
            self.site.say(&format!("object {}: the journal cannot be written: {cause}", self.object.id));
        }
    }

    pub(super) fn tell_run(&self, number: u64, run: &Run) {
        self.object.seen.send_modify(|seen| {
            seen.processes = true;
            seen.isolation = Some(run.level.to_string());
            seen.warnings.clone_from(&run.warnings);
            seen.health.run = number;
            // After a crash the words of the last run stay until the new one is judged.
            change_level(&mut seen.health, Level::Starting);
        });
    }

    pub(super) fn tell_level(&self, level: Level, failure: Option<String>, collector: &Collector) {
        self.object.seen.send_if_modified(|seen| {
            let before = seen.health.clone();
            change_level(&mut seen.health, level);
            if level == Level::Healthy {
                seen.health.reason = None;
                seen.health.exit_code = None;
                seen.health.last_lines.clear();
            } else if let Some(failure) = failure {
                // How a run before this one ended says more than that this one does not answer yet.
                if level == Level::Unhealthy || seen.health.exit_code.is_none() {
                    seen.health.reason = Some(failure);
                }
                seen.health.last_lines = collector.last_lines();
            } else if level == Level::Unhealthy && seen.health.reason.is_none() {
                seen.health.reason =
                    Some("it answers, but was not healthy within the time that its health allows".to_owned());
                seen.health.last_lines = collector.last_lines();
            }
            seen.health != before
        });
    }

    pub(super) fn tell_ended(&self, ended: &Ended) {
        let outcome = self.object.outcome();
        self.object.seen.send_modify(|seen| {
            seen.processes = false;
            seen.health.run = self.object.last_run();
            seen.health.reason = Some(ended.how.clone());
            seen.health.exit_code = outcome.map_or(ended.code, |outcome| outcome.code);
            seen.health.last_lines.clone_from(&ended.last_lines);
            change_level(&mut seen.health, Level::Exited);
        });
    }

    /// No processes, and nothing held alone.
    pub(super) fn rest(&self, level: Level) {
        self.site.claims.release(&self.object.lineage, &self.object.id);
        let outcome = self.object.outcome();
        self.object.seen.send_modify(|seen| {
            // It may have been told to act since: then it is not dormant, and there may be processes soon.
            let gone = *self.object.want.borrow() == Want::Gone;
            let again = level == Level::Dormant && !gone && self.object.is_active();
            seen.processes = again;
            change_level(&mut seen.health, if again { Level::Starting } else { level });
            seen.health.reason = outcome.as_ref().map(|outcome| outcome.how.clone());
            seen.health.exit_code = outcome.as_ref().and_then(|outcome| outcome.code);
            seen.health.last_lines = outcome.map(|outcome| outcome.last_lines).unwrap_or_default();
        });
    }
}

fn change_level(health: &mut Health, level: Level) {
    if health.level != level {
        health.level = level;
        health.changes += 1;
    }
}
