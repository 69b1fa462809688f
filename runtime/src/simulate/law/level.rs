//! How objects are, and how jobs end.

use super::{Object, Things};
use crate::id::ObjectId;
use crate::provider::{Created, Level};
use crate::simulate::world::Behaviour;
use imm_ir::{Nature, Value};
use std::sync::Arc;

impl Things {
    /// How an object is, and when that may change.
    pub fn level(&self, object: ObjectId) -> (Level, u64) {
        let Some(there) = self.there(object) else { return (Level::Missing, u64::MAX) };
        if there.made.tainted {
            return (Level::Unhealthy("it was made badly".to_owned()), u64::MAX);
        }
        let Some(since) = there.acts_since_ms else { return (Level::Dormant, u64::MAX) };
        if there.made.nature == Nature::Job {
            return self.job_level(there, since);
        }
        if self.sick.contains(&object) {
            return (Level::Unhealthy("it never answers".to_owned()), u64::MAX);
        }
        let starting =
            |ready: u64, then: Level| if self.now_ms < ready { (Level::Starting, ready) } else { (then, u64::MAX) };
        match self.behaviour(there) {
            Behaviour::HealthyAfter(ms) => starting(since + ms, Level::Healthy),
            Behaviour::NeverHealthy(ms) => starting(since + ms, Level::Unhealthy("it never answers".to_owned())),
            Behaviour::DiesAfter(ms) if self.now_ms < since + ms => (Level::Healthy, since + ms),
            Behaviour::DiesAfter(_) => (Level::Unhealthy("it died".to_owned()), u64::MAX),
        }
    }

    fn behaviour(&self, there: &Object) -> Behaviour {
        let by_address = self.by_address.get(&there.made.address);
        by_address
            .or_else(|| self.by_spec.get(&there.made.spec))
            .copied()
            .or(there.told)
            .unwrap_or(Behaviour::HealthyAfter(0))
    }

    /// How far a job is that was begun.
    fn job_level(&self, there: &Object, since: u64) -> (Level, u64) {
        if there.killed {
            return (Level::Exited(137, "it was killed".to_owned()), u64::MAX);
        }
        let sick = self.sick.contains(&there.made.object);
        let (after, end) = match self.behaviour(there) {
            Behaviour::NeverHealthy(ms) => (ms, Level::Exited(1, "it failed".to_owned())),
            Behaviour::DiesAfter(ms) => (ms, Level::Missing),
            Behaviour::HealthyAfter(ms) if sick => (ms, Level::Exited(1, "it failed".to_owned())),
            Behaviour::HealthyAfter(ms) => (ms, Level::Exited(0, String::new())),
        };
        if self.now_ms < since + after { (Level::Starting, since + after) } else { (end, u64::MAX) }
    }

    /// What a look by the token finds: of a job that has ended also what it gave.
    pub(super) fn found(&self, object: ObjectId) -> Option<Created> {
        let there = self.there(object)?;
        let mut created = there.created.clone();
        if there.made.nature == Nature::Job {
            match self.level(object).0 {
                Level::Exited(status, _) => {
                    created.outputs.insert(Arc::from("exit_code"), Value::Int(i64::from(status)));
                    created.outputs.insert(Arc::from("stdout"), Value::text(object.short()));
                }
                _runs => created.outputs.clear(),
            }
        }
        Some(created)
    }
}
