//! I14: a dearer step begins only when nothing cheaper is ready or under way, and what cannot be undone only with consent.

use super::{Findings, Promise};
use crate::entry::{Body, ConsentKind, Entry};
use crate::id::{ApplyId, ObjectId};
use imm_ir::Nature;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
struct Seen {
    /// Made and proven, as far as that is to be done before a stage.
    finished: BTreeSet<ObjectId>,
    created: BTreeSet<ObjectId>,
    consents: BTreeSet<ObjectId>,
    natures: BTreeMap<ObjectId, (Nature, bool)>,
    unwound: bool,
}

/// Judges the order of the steps of every apply whose plan is known.
pub(super) fn judge(entries: &[(u64, Entry)], promises: &BTreeMap<ApplyId, Promise>, findings: &mut Findings) {
    let mut seen: BTreeMap<ApplyId, Seen> = BTreeMap::new();
    for (seq, entry) in entries {
        let Some((id, promise)) = entry.header.apply.and_then(|id| Some((id, promises.get(&id)?))) else { continue };
        seen.entry(id).or_default().follow(*seq, &entry.body, promise, findings);
    }
}

impl Seen {
    fn follow(&mut self, seq: u64, body: &Body, promise: &Promise, findings: &mut Findings) {
        match body {
            Body::Consented { kind: ConsentKind::NeverStep, subjects, .. } => self.consents.extend(subjects),
            Body::IntentCreate(intent) => {
                self.natures.insert(intent.object, (intent.nature, intent.dormant));
            }
            Body::Created { object, .. } => {
                self.created.insert(*object);
                // What does not act yet, and what has no level, is finished by being there.
                match self.natures.get(object) {
                    Some((Nature::Process, false) | (Nature::Job, _)) => {}
                    _there if promise.costs.get(object).is_some_and(|(cost, _)| *cost > 0) => {}
                    _there => _ = self.finished.insert(*object),
                }
            }
            Body::Verified { object, .. } | Body::JobFinished { object, .. } => _ = self.finished.insert(*object),
            Body::UnwindStarted { .. } => self.unwound = true,
            Body::IntentRun { object, .. } if !self.unwound => {
                let Some((cost, _)) = promise.costs.get(object) else { return };
                if *cost == 2 && !self.consents.contains(object) {
                    findings.add("I14", format!("entry {seq} runs {}, and nobody consented", object.short()));
                }
                self.cheaper(seq, *object, *cost, promise, findings);
            }
            Body::IntentDeactivate { object, .. } if !self.unwound && promise.gives_way.contains(object) => {
                self.cheaper(seq, *object, 1, promise, findings);
            }
            _other => {}
        }
    }

    /// Whether something that costs less is ready or under way.
    fn cheaper(&self, seq: u64, object: ObjectId, cost: u8, promise: &Promise, findings: &mut Findings) {
        let ours = |id: &ObjectId| promise.costs.contains_key(id);
        for (other, (price, after)) in promise.costs.iter().filter(|(other, _)| **other != object) {
            let waits = after.iter().filter(|id| ours(id)).any(|id| !self.finished.contains(id));
            if *price < cost && !self.finished.contains(other) && !waits {
                let (object, other) = (object.short(), other.short());
                findings.add(
                    "I14",
                    format!("entry {seq} begins with {object} while {other}, which costs less, is not done"),
                );
            }
        }
    }
}
