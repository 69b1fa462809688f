//! I5, stage by stage: what a pointer is set to is what the plan's stage says, target by target, and the whole is dealt out.

use super::{Findings, Promise};
use crate::entry::{Body, Entry, SwitchIntent};
use crate::id::{ApplyId, ObjectId};
use std::collections::BTreeMap;

/// Everything, parts per million.
const WHOLE: u32 = 1_000_000;

/// Judges every setting that was sent on the way to a commit.
pub(super) fn judge(entries: &[(u64, Entry)], promises: &BTreeMap<ApplyId, Promise>, findings: &mut Findings) {
    // Back or forward, and not on the way any more.
    let mut over = BTreeMap::new();
    for (seq, entry) in entries {
        let Some((id, promise)) = entry.header.apply.and_then(|id| Some((id, promises.get(&id)?))) else { continue };
        match &entry.body {
            Body::UnwindStarted { .. } | Body::Committed(_) => _ = over.insert(id, ()),
            Body::StageEntered { stage, weights, of, .. } => entered(*seq, (*stage, *of), weights, promise, findings),
            Body::IntentSwitch(intent) => {
                dealt(*seq, intent, findings);
                if !over.contains_key(&id) {
                    sent(*seq, intent, promise, findings);
                }
            }
            _other => {}
        }
    }
}

fn entered(seq: u64, (stage, of): (u32, u32), weights: &[(ObjectId, u32)], promise: &Promise, findings: &mut Findings) {
    let planned = promise.stages.len() + 1;
    if of as usize != planned {
        findings.add("I5", format!("entry {seq} says there are {of} stages, its plan has {planned}"));
    }
    let Some(turns) = promise.stages.get(stage as usize - 1) else { return };
    let told: BTreeMap<ObjectId, u32> = weights.iter().copied().collect();
    if told != turns.iter().map(|(pointer, turn)| (*pointer, turn.weight)).collect() {
        findings.add("I5", format!("entry {seq} says other weights of stage {stage} than its plan"));
    }
}

/// What a setting deals out is the whole, or there is nobody.
fn dealt(seq: u64, intent: &SwitchIntent, findings: &mut Findings) {
    for m in &intent.moves {
        let sum: u32 = m.to.targets.iter().map(|t| t.weight).sum();
        if !m.to.targets.is_empty() && sum != WHOLE {
            findings.add("I5", format!("entry {seq} deals out {sum} parts per million of {}", m.object.short()));
        }
    }
}

fn sent(seq: u64, intent: &SwitchIntent, promise: &Promise, findings: &mut Findings) {
    let turns = intent.stage.and_then(|stage| promise.stages.get(stage as usize - 1));
    for m in &intent.moves {
        let what = m.object.short();
        let targets: BTreeMap<ObjectId, u32> = m.to.targets.iter().map(|t| (t.object, t.weight)).collect();
        if let Some(turns) = turns {
            match turns.get(&m.object) {
                None => findings.add("I5", format!("entry {seq} moves {what} in a stage in which it stays")),
                Some(turn) if turn.targets != targets => {
                    findings.add("I5", format!("entry {seq} sets {what} otherwise than its stage says"));
                }
                Some(_as_planned) => {}
            }
            continue;
        }
        // The last stage, and what moves before any: all of it, evenly.
        let Some(wanted) = promise.finals.get(&m.object) else { continue };
        let share = WHOLE / u32::try_from(wanted.len().max(1)).unwrap_or(WHOLE);
        let even = targets.values().all(|weight| weight.abs_diff(share) <= 1);
        if !targets.keys().eq(wanted) || !even {
            findings.add("I5", format!("entry {seq} sets {what} otherwise than its plan says"));
        }
    }
}
