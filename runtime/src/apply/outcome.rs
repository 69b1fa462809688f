//! How an apply ends.

use crate::entry::UnwindCause;
use crate::ledger::LedgerError;
use crate::plan::PlanError;
use crate::plan::saved::Refused;
use crate::provider::Error;
use imm_ir::{Addr, Fields, Value};
use serde::Serialize;

/// How an apply, or the recovery of one, ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Equal graph, everything there: nothing was recorded.
    NothingToDo,
    /// The new generation is in force.
    Committed {
        /// Its number.
        generation: u64,
        /// What could not be cleaned up, and why.
        leftovers: Vec<(Addr, String)>,
        /// Values of the outputs.
        #[serde(skip)]
        outputs: Fields<Value>,
        /// How long it took.
        took_ms: u64,
    },
    /// The old generation is in force, whole.
    RolledBack {
        /// What went wrong first.
        error: String,
        /// What kind of thing that was.
        #[serde(serialize_with = "word")]
        cause: UnwindCause,
        /// What could not be cleaned up, and why.
        leftovers: Vec<(Addr, String)>,
        /// How long it took.
        took_ms: u64,
    },
    /// The new generation was committed, failed while it was watched, and was rolled back from.
    Reverted {
        /// The generation that failed.
        failed: u64,
        /// The one that is in force now, with what was in force before.
        generation: u64,
        /// Why.
        error: String,
        /// What could not be cleaned up, and why.
        leftovers: Vec<(Addr, String)>,
        /// How long it took.
        took_ms: u64,
    },
    /// A rollback was rehearsed, and everything it made is gone again.
    Drilled {
        /// To which generation.
        generation: u64,
        /// Why it would not work.
        error: Option<String>,
        /// What was proven.
        covered: Vec<Addr>,
        /// What could not be, and why.
        not_covered: Vec<(Addr, String)>,
        /// What could not be cleaned up, and why.
        leftovers: Vec<(Addr, String)>,
        /// How long it took.
        took_ms: u64,
    },
    /// Settling failed; nothing more was destroyed. `imm recover` tries again.
    Stuck {
        /// What went wrong first, if it was being undone.
        error: String,
        /// What could not be settled.
        why: String,
        /// The new generation is in force.
        committed: bool,
    },
}

fn word<S: serde::Serializer>(cause: &UnwindCause, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(cause.word())
}

/// Why a command ended without an outcome.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nothing was changed: another apply has to be settled first.
    #[error("an earlier apply was interrupted; run `imm recover`")]
    Open,
    /// Nothing waits for an answer.
    #[error("no apply is interrupted, so there is nothing to give up")]
    NothingOpen,
    /// Nothing was changed: there is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Nothing was changed: the plan does not fit.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// What was committed failed its watch and stays in force: there is no plan of going back.
    #[error("{why}; it stays in force, since going back is refused: {refused}")]
    NoWayBack {
        /// Why it failed.
        why: String,
        /// Why there is no plan.
        refused: PlanError,
    },
    /// There is no such generation.
    #[error("there is no generation {0}")]
    NoGeneration(u64),
    /// What it needs was dropped.
    #[error("generation {0} has expired: its graph, sources and outputs are no longer in the ledger")]
    Expired(u64),
    /// The provider has seen a later ledger than this one: it was copied or restored.
    #[error(
        "forked-ledger: {provider} has seen entry {seq} of this ledger, which ends with {head}: it is a copy, or was restored"
    )]
    Forked {
        /// Who says so.
        provider: String,
        /// What it has seen.
        seq: u64,
        /// Our head.
        head: u64,
    },
    /// A provider refused before anything was started, or took the lease away.
    #[error("{0}")]
    Provider(Error),
    /// Recording failed or is impossible.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Stopped at once, by a second signal. `imm recover` settles it.
    #[error("interrupted; run `imm recover`")]
    Interrupted,
}
