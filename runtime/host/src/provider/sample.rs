//! What requests met since the last question.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use imm_ir::Digest;
use imm_router::TargetSamples;
use imm_runtime::id::ObjectId;
use imm_runtime::provider::{Ctx, Result, Sample};

use super::HostProvider;
use super::object::known;

/// What was told last, by route and target.
pub type Seen = BTreeMap<(String, String), (TargetSamples, u64)>;

impl HostProvider {
    pub(super) async fn sample_pointer(&self, ctx: &Ctx, pointer: ObjectId) -> Result<BTreeMap<ObjectId, Sample>> {
        let lineage = ctx.lineage.to_string();
        let samples = self.ask(ctx, |agent| {
            let lineage = lineage.clone();
            async move { known(agent.samples(&lineage).await) }
        });
        let Some(samples) = samples.await? else { return Ok(BTreeMap::new()) };
        let pointer = pointer.to_string();
        let mut seen = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = BTreeMap::new();
        for now in samples.samples.into_iter().filter(|sample| sample.route == pointer) {
            let Some(object) = Digest::from_hex(&now.target).map(ObjectId) else { continue };
            let restarts = samples.restarts.get(&now.target).copied().unwrap_or(0);
            let key = (now.route.clone(), now.target.clone());
            found.insert(object, window(&now, restarts, seen.get(&key)));
            seen.insert(key, (now, restarts));
        }
        Ok(found)
    }
}

/// An agent that was replaced counts from zero: then all that it counted is new.
fn window(now: &TargetSamples, restarts: u64, before: Option<&(TargetSamples, u64)>) -> Sample {
    let before = before.filter(|(before, _)| before.requests <= now.requests);
    let latency = before.map_or_else(|| now.latency.clone(), |(before, _)| now.latency.since(&before.latency));
    let micros = |bound: std::time::Duration| u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
    Sample {
        requests: now.requests - before.map_or(0, |(before, _)| before.requests),
        errors: now.errors.saturating_sub(before.map_or(0, |(before, _)| before.errors)),
        restarts: restarts.saturating_sub(before.map_or(0, |(_, restarts)| *restarts)),
        latency: latency.buckets().map(|(bound, count)| (micros(bound), count)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(requests: u64, errors: u64) -> TargetSamples {
        TargetSamples {
            route: "r".to_owned(),
            target: "t".to_owned(),
            address: "127.0.0.1:1".to_owned(),
            group: String::new(),
            in_force: true,
            requests,
            errors,
            in_flight: 0,
            latency: imm_router::Histogram::default(),
        }
    }

    #[test]
    fn only_what_is_new_is_told() {
        let first = window(&samples(10, 1), 2, None);
        assert_eq!((first.requests, first.errors, first.restarts), (10, 1, 2));
        let second = window(&samples(15, 1), 3, Some(&(samples(10, 1), 2)));
        assert_eq!((second.requests, second.errors, second.restarts), (5, 0, 1));
        let of_a_new_agent = window(&samples(3, 3), 0, Some(&(samples(10, 1), 2)));
        assert_eq!((of_a_new_agent.requests, of_a_new_agent.errors), (3, 3));
    }
}
