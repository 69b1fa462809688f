//! A rollout that is under way, and what gates said in those before, from the record.

use crate::entry::{Body, Entry, GateJudged, Verdict};
use crate::id::ObjectId;
use crate::state::{Apply, Phase, State};
use serde::Serialize;

/// `imm rollout status --json`, but for what is met now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rollout {
    /// Of this document.
    pub format: u32,
    /// The environment.
    pub environment: String,
    /// The apply, when one is open.
    pub apply: Option<String>,
    /// What it is for.
    pub verb: Option<String>,
    /// `building`, `switching`, `watching` …
    pub phase: Option<&'static str>,
    /// The stage it is in, from 1.
    pub stage: Option<u32>,
    /// Of so many.
    pub of: Option<u32>,
    /// When the stage began.
    pub since: Option<String>,
    /// How long it is held, milliseconds.
    pub hold_ms: u64,
    /// Somebody has to say that it goes on.
    pub approve: bool,
    /// Somebody holds it.
    pub paused: bool,
    /// Part of the requests that the new side of each pointer gets, per cent.
    pub weights: Vec<Weight>,
    /// What gates said in this apply.
    pub gates: Vec<Said>,
}

/// The part of one pointer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Weight {
    /// Its address.
    pub address: String,
    /// Per cent.
    pub new: f64,
}

/// What one gate said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Said {
    /// In which stage; 0: after the commit.
    pub stage: u32,
    /// Whose.
    pub address: String,
    /// What.
    pub verdict: Verdict,
}

/// The open apply of a state as a rollout.
pub fn rollout(state: &State) -> Rollout {
    let open = state.open_apply();
    let staged = open.filter(|a| matches!(a.phase, Phase::Staging(_) | Phase::Watching)).and_then(|a| a.stage.as_ref());
    let address = |id: &ObjectId| state.objects.get(id).map_or_else(|| id.short(), |o| o.address.to_string());
    let weight = |(id, ppm): &(ObjectId, u32)| Weight { address: address(id), new: f64::from(*ppm) / 10_000.0 };
    let said = |a: &Apply| {
        let said = |(stage, id, verdict): &(u32, ObjectId, Verdict)| Said {
            stage: *stage,
            address: address(id),
            verdict: *verdict,
        };
        a.judged.iter().map(said).collect()
    };
    Rollout {
        format: 1,
        environment: state.environment.clone(),
        apply: open.map(|a| a.id.to_string()),
        verb: open.map(|a| super::status::verb(&a.started.verb)),
        phase: open.map(|a| a.phase.word()),
        stage: staged.map(|s| s.stage),
        of: staged.map(|s| s.of),
        since: staged.map(|s| super::instant(s.at_ms)),
        hold_ms: staged.map_or(0, |s| s.hold_ms),
        approve: staged.is_some_and(|s| s.approve),
        paused: open.is_some_and(|a| a.paused),
        weights: staged.map(|s| s.weights.iter().map(weight).collect()).unwrap_or_default(),
        gates: open.map(said).unwrap_or_default(),
    }
}

/// What gates said before, newest first: when, in which apply, and of what.
pub fn judged(entries: &[(u64, Entry)]) -> Vec<(i64, Option<crate::id::ApplyId>, GateJudged)> {
    let one = |(_, entry): &(u64, Entry)| match &entry.body {
        Body::GateJudged(judged) => Some((entry.header.at_ms, entry.header.apply, (**judged).clone())),
        _other => None,
    };
    entries.iter().rev().filter_map(one).collect()
}
