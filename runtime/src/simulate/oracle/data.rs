//! I8, the bytes: what a durable holds is what it held before, and what somebody wrote to it who was to act.
//!
//! Its own account of the data: who wrote, in which order. Whoever wrote unseen, and whoever took one durable for another,
//! leaves data that does not fit it.

use super::{Evidence, Findings};
use crate::entry::{Body, Entry};
use crate::id::ObjectId;
use crate::simulate::effect::Deed;
use imm_ir::{Class, Digest, Encoder};
use std::collections::{BTreeMap, BTreeSet};

/// Judges who wrote, and what is there in the end.
pub(super) fn judge(entries: &[(u64, Entry)], evidence: &Evidence, findings: &mut Findings) {
    let mut data: BTreeMap<ObjectId, Digest> = BTreeMap::new();
    // Who may write: what was let act, what ran, what requests were led to, and what acts from its create on and holds the
    // data alone.
    let mut may: BTreeSet<ObjectId> = BTreeSet::new();
    let mut rest = entries.iter().peekable();
    let ours = evidence.effects.iter().filter(|e| evidence.lineage.is_none_or(|l| l == e.lineage));
    for effect in ours {
        while let Some((_, entry)) = rest.next_if(|(seq, _)| *seq <= effect.durable) {
            match &entry.body {
                Body::IntentActivate { object, .. } | Body::IntentRun { object, .. } => _ = may.insert(*object),
                Body::IntentSwitch(intent) => {
                    may.extend(intent.moves.iter().flat_map(|m| &m.to.targets).map(|t| t.object));
                }
                Body::IntentCreate(intent) if !intent.dormant && intent.claims.iter().any(|c| c.exclusive) => {
                    may.insert(intent.object);
                }
                _other => {}
            }
        }
        match &effect.deed {
            Deed::Created(made) if made.class == Class::Durable => {
                data.insert(made.object, Digest::of(&made.object.0.0));
            }
            Deed::Destroyed { object, .. } => _ = data.remove(object),
            Deed::Wrote { durable, by, data: now } => {
                let (at, what, who) = (effect.at_ms, durable.short(), by.short());
                if !may.contains(by) {
                    findings.add("I8", format!("at {at} ms {who} wrote to {what} and was not to act"));
                }
                let Some(before) = data.get(durable) else {
                    findings.add("I8", format!("at {at} ms {who} wrote to {what}, which is not there"));
                    continue;
                };
                // Written down again from the law of the world, on purpose.
                let mut after = Encoder::new("simulated.data");
                after.digest(before);
                after.digest(&by.0);
                let after = after.finish();
                if after != *now {
                    findings.add("I8", format!("at {at} ms the data of {what} is not what was written to it"));
                }
                data.insert(*durable, *now);
            }
            _other => {}
        }
    }
    for (durable, now) in &evidence.data {
        if data.get(durable).is_some_and(|known| known != now) {
            findings.add("I8", format!("the data of {} is not what was written to it", durable.short()));
        }
    }
}
