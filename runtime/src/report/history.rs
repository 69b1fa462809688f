//! Every apply, oldest first.

use super::status::verb;
use crate::state::{Phase, State};
use serde::Serialize;

/// `imm history --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    /// Of this document.
    pub format: u32,
    /// The applies.
    pub applies: Vec<ApplyReport>,
}

/// One apply.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApplyReport {
    /// Its id.
    pub apply: String,
    /// What it was for.
    pub verb: String,
    /// The generation it committed.
    pub generation: Option<u64>,
    /// `committed`, `rolled_back`, `stuck` or `interrupted`.
    pub outcome: &'static str,
    /// When it started, RFC 3339 in UTC.
    pub at: String,
    /// `user@host`
    pub actor: String,
    /// The reason that was given.
    pub because: Option<String>,
    /// Commit of the working tree.
    pub commit: Option<String>,
    /// Objects made.
    pub created: u64,
    /// Objects destroyed.
    pub destroyed: u64,
    /// How long it took, once it ended.
    pub seconds: Option<f64>,
    /// When a rollback to its generation was last rehearsed.
    pub rollback_proven_at: Option<String>,
    /// Why it was undone.
    pub error: Option<String>,
}

/// The history of a state.
pub fn history(state: &State) -> History {
    let applies = state.applies.iter().map(|a| ApplyReport {
        apply: a.id.to_string(),
        verb: verb(&a.started.verb),
        generation: a.generation,
        outcome: match a.phase {
            Phase::Committed => "committed",
            Phase::RolledBack => "rolled_back",
            Phase::StuckBack | Phase::StuckForward => "stuck",
            Phase::Preparing
            | Phase::Building
            | Phase::HandingOver
            | Phase::Crossing
            | Phase::Staging(_)
            | Phase::Confirming
            | Phase::Watching
            | Phase::Retiring
            | Phase::Unwinding => "interrupted",
        },
        at: super::instant(a.at_ms),
        actor: format!("{}@{}", a.actor.user, a.actor.host),
        because: a.started.because.clone(),
        commit: a.started.commit.clone(),
        created: a.created,
        destroyed: a.destroyed,
        seconds: a.took_ms.map(|ms| std::time::Duration::from_millis(ms).as_secs_f64()),
        rollback_proven_at: a.generation.and_then(|g| state.generations.get(&g)?.proven_at_ms).map(super::instant),
        error: a.error.clone(),
    });
    History { format: 1, applies: applies.collect() }
}
