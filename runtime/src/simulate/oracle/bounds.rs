//! Q11 and Q12: what an apply writes is bounded by its steps, and so is the time in which it comes to an end or to a question.

use super::{Evidence, Findings};
use crate::entry::{Body, Entry};
use crate::id::ApplyId;
use std::collections::BTreeMap;

/// Entries of one step, at most: intent, effect, proof, drain, rest, end, and the ways back.
const ENTRIES_A_STEP: u64 = 12;

/// Entries of an apply, of each of its stages, and of each engine that works on it.
const ENTRIES_AROUND: u64 = 16;

/// Longest time of a step, milliseconds: every call of it as slow as callers wait, and repeated as often as they do.
const STEP_MS: u64 = 600_000;

/// Judges every apply and every command.
pub(super) fn judge(entries: &[(u64, Entry)], evidence: &Evidence, findings: &mut Findings) {
    // Entries, and what may have come with how many.
    let mut counts: BTreeMap<ApplyId, (u64, u64)> = BTreeMap::new();
    for (_, entry) in entries {
        let Some(id) = entry.header.apply else { continue };
        let (written, around) = counts.entry(id).or_default();
        *written += 1;
        let engine = matches!(
            entry.body,
            Body::ApplyStarted(_) | Body::LeaseTaken { .. } | Body::StageEntered { .. } | Body::UnwindStarted { .. }
        );
        // An engine that another one follows may have tried everything once.
        *around += u64::from(engine);
        *written -= u64::from(matches!(entry.body, Body::Signalled { .. } | Body::Consented { .. }));
    }
    for (id, (written, around)) in counts {
        let Some(promise) = evidence.promises.get(&id) else { continue };
        let allowed = (ENTRIES_A_STEP * promise.steps as u64 + ENTRIES_AROUND) * around.max(1);
        if written > allowed {
            let steps = promise.steps;
            findings.add("Q11", format!("apply {id} wrote {written} entries for {steps} steps, more than {allowed}"));
        }
    }
    for span in &evidence.spans {
        let allowed = STEP_MS * (span.steps as u64 + 2);
        if span.took_ms > allowed {
            findings.add("Q12", format!("{} took {} ms, more than {allowed}", span.what, span.took_ms));
        }
        if span.question.as_ref().is_some_and(String::is_empty) {
            findings.add("Q12", format!("{} did not come to an end and asks nothing", span.what));
        }
    }
}
