//! The states of an apply and the one table of its legal transitions.

use super::object::{Illegal, name};
use crate::entry::{Body, Ending};
use imm_ir::Nature;
use serde::{Deserialize, Serialize};

/// Where an apply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Started; nothing was made.
    Preparing,
    /// Objects are made and verified, new pointers bound.
    Building,
    /// Old objects give way to new ones that cannot act beside them.
    HandingOver,
    /// Jobs run whose effect stays.
    Crossing,
    /// Stage of the rollout.
    Staging(u32),
    /// The commit is on disk; from here on only forward.
    Confirming,
    /// Confirmed; the new generation is watched, and the old one kept.
    Watching,
    /// Confirmed; old objects leave.
    Retiring,
    /// Being undone.
    Unwinding,
    /// Undoing failed; a person has to look.
    StuckBack,
    /// Going forward after the commit failed; a person has to look.
    StuckForward,
    /// Ended, with the new generation in force.
    Committed,
    /// Ended, with the old one in force.
    RolledBack,
}

impl Phase {
    /// Whether the apply has come to its end.
    pub fn ended(self) -> bool {
        matches!(self, Self::Committed | Self::RolledBack)
    }

    /// Whether it is on its way to a commit.
    pub fn before_commit(self) -> bool {
        self.building() || matches!(self, Self::Staging(_))
    }

    /// Before the first stage: three phases that take turns as the graph allows.
    fn building(self) -> bool {
        matches!(self, Self::Preparing | Self::Building | Self::HandingOver | Self::Crossing)
    }

    /// Whether it can only go forward.
    pub fn forward(self) -> bool {
        matches!(self, Self::Confirming | Self::Watching | Self::Retiring | Self::StuckForward | Self::Committed)
    }

    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Building => "building",
            Self::HandingOver => "handing over",
            Self::Crossing => "running jobs",
            Self::Staging(_) => "switching",
            Self::Confirming => "confirming",
            Self::Watching => "watching",
            Self::Retiring => "retiring",
            Self::Unwinding => "unwinding",
            Self::StuckBack => "stuck while unwinding",
            Self::StuckForward => "stuck after the commit",
            Self::Committed => "committed",
            Self::RolledBack => "rolled back",
        }
    }
}

/// The phase after an entry of this apply.
///
/// Every kind of entry has its own arm: a new one does not compile until it is decided here. A state that an arm does not
/// list refuses the entry. `watched`: the apply is to be watched after its commit.
///
/// # Errors
/// The entry cannot follow in this phase.
pub fn next(phase: Phase, body: &Body, watched: bool) -> Result<Phase, Illegal> {
    use Phase as P;
    let to = match body {
        // Effects forward: only before the commit. What a job did is undone by a job, so one may be made while unwinding.
        Body::IntentCreate(intent) => match phase {
            P::Unwinding if intent.nature == Nature::Job => Some(phase),
            _any => phase.building().then_some(P::Building),
        },
        Body::IntentRun { .. } => match phase {
            P::Unwinding => Some(phase),
            _any => phase.building().then_some(P::Crossing),
        },
        Body::IntentSnapshot { .. } => match phase {
            P::Staging(_) => Some(phase),
            _any => phase.building().then_some(P::HandingOver),
        },
        Body::IntentActivate { .. } | Body::IntentDeactivate { .. } => match phase {
            P::Staging(_) | P::Unwinding | P::Retiring => Some(phase),
            _any => phase.building().then_some(P::HandingOver),
        },
        Body::StageEntered { stage, .. } => match phase {
            P::Staging(before) => (before < *stage).then_some(P::Staging(*stage)),
            _any => phase.building().then_some(P::Staging(*stage)),
        },
        Body::IntentSwitch(intent) => match (phase, intent.stage) {
            (P::Staging(now), Some(stage)) if now == stage => Some(phase),
            (P::Unwinding | P::Confirming | P::StuckForward, None) => Some(phase),
            // A handover moves the pointers to what was handed over.
            (P::HandingOver, None) => Some(phase),
            (_any, None) if phase.building() => Some(P::Building),
            _other => None,
        },
        // Nothing is destroyed before the commit but by unwinding.
        Body::IntentDestroy { .. } => matches!(phase, P::Retiring | P::Unwinding).then_some(phase),
        // A batch that was taken over from is drained before it rests.
        Body::IntentDrain { .. } => matches!(phase, P::Staging(_) | P::Retiring | P::Unwinding).then_some(phase),
        Body::Committed(_) => phase.before_commit().then_some(P::Confirming),
        // Once all have confirmed, and not before, old objects may leave.
        Body::Confirmed { remaining, .. } => match phase {
            P::Confirming | P::StuckForward if *remaining == 0 => Some(if watched { P::Watching } else { P::Retiring }),
            P::Confirming | P::StuckForward => Some(P::Confirming),
            P::Retiring | P::Watching | P::Unwinding => Some(phase),
            _other => None,
        },
        Body::WatchEnded { .. } => matches!(phase, P::Watching).then_some(P::Retiring),
        Body::UnwindStarted { .. } => {
            (phase.before_commit() || matches!(phase, P::StuckBack | P::Unwinding)).then_some(P::Unwinding)
        }
        Body::Finished { ending, .. } => match (phase, ending) {
            (P::Retiring, Ending::Committed) => Some(P::Committed),
            (P::Unwinding, Ending::RolledBack) => Some(P::RolledBack),
            (P::Unwinding, Ending::Stuck) => Some(P::StuckBack),
            (P::Confirming | P::Watching | P::Retiring | P::StuckForward, Ending::Stuck) => Some(P::StuckForward),
            _other => None,
        },
        // Results of intents may be recorded as long as the apply is open.
        Body::Created { .. }
        | Body::Unknown { .. }
        | Body::NotHappened { .. }
        | Body::Verified { .. }
        | Body::Checked { .. }
        | Body::Activated { .. }
        | Body::Deactivated { .. }
        | Body::SnapshotTaken { .. }
        | Body::JobFinished { .. }
        | Body::Switched { .. }
        | Body::Reverted { .. }
        | Body::GateJudged(_)
        | Body::Signalled { .. }
        | Body::Drained { .. }
        | Body::Destroyed { .. }
        | Body::Released { .. }
        | Body::Retained { .. }
        | Body::Attached { .. }
        | Body::Renamed { .. }
        | Body::Observed { .. }
        | Body::Healed { .. }
        | Body::DrillFinished { .. }
        | Body::ReadExternal { .. }
        | Body::Approved { .. }
        | Body::Consented { .. } => (!phase.ended()).then_some(phase),
        Body::Opened { .. }
        | Body::LeaseTaken { .. }
        | Body::Forgotten { .. }
        | Body::Adopted(_)
        | Body::OrphanFound { .. }
        | Body::AgentMerged { .. }
        | Body::Expired { .. }
        | Body::Pruned { .. }
        | Body::Rekeyed { .. }
        | Body::SchemaUpgraded { .. }
        | Body::Checkpoint { .. }
        | Body::Anchored { .. }
        | Body::Migrated { .. } => Some(phase),
        Body::ApplyStarted(_) => None,
    };
    to.ok_or_else(|| Illegal::new(name(body), format!("the apply is {}", phase.word())))
}
