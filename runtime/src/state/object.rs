//! The states of an object and the one table of its legal transitions.

use crate::entry::{Adopted, Body};
use imm_ir::{Class, Nature};
use serde::{Deserialize, Serialize};

/// What becomes of an object when it is made; decides which states it can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Family {
    /// A process or a plain thing that acts (or has nothing to act) at once.
    Running,
    /// Made ready, not acting.
    Dormant,
    /// Holds data.
    Durable,
    /// Runs once.
    Job,
    /// Bytes by their content.
    Content,
    /// Is switched.
    Pointer,
}

impl Family {
    /// The family of an object with this class and nature.
    pub fn of(class: Class, nature: Nature, dormant: bool) -> Self {
        match (class, nature) {
            (Class::Durable, _) => Self::Durable,
            (Class::Pointer, _) => Self::Pointer,
            (_, Nature::Content) => Self::Content,
            (_, Nature::Job) => Self::Job,
            (_, Nature::Process | Nature::Plain) if dormant => Self::Dormant,
            (_, Nature::Process | Nature::Plain) => Self::Running,
        }
    }
}

/// Where an object is in its life. Health and drift are observed beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ObjectState {
    /// No intent yet.
    Planned,
    /// Intent to create is recorded.
    Creating(Family),
    /// It may be there and nobody can tell.
    Unknown(Family),
    /// It was proven that it was not made.
    Failed,
    /// It is there and unusable.
    Tainted,
    /// It is there and does not act.
    Dormant,
    /// It is there and acts.
    Running,
    /// It is being drained.
    Leaving,
    /// It is there, nothing is in flight to it and nothing points at it.
    Idle,
    /// Content is there.
    Present,
    /// Content is left to the collector.
    Released,
    /// A durable that is declared.
    Attached,
    /// A durable that nothing declares.
    Retained,
    /// A pointer that holds its claim and was never set.
    Reserved,
    /// A pointer that was set.
    Bound,
    /// A pointer that is being drained.
    Closing,
    /// A job was started; before that it is dormant.
    Started,
    /// A job ended with this status; a fact for ever.
    Ended(i32),
    /// A job was started and nobody knows how it ended.
    Lost,
    /// Intent to destroy is recorded.
    Destroying,
    /// It is no longer there.
    Gone,
}

impl ObjectState {
    /// Whether something of it may exist.
    pub fn exists(self) -> bool {
        !matches!(self, Self::Planned | Self::Failed | Self::Gone | Self::Released)
    }

    /// Of what is ours from here on and that no generation has: as it would be if it had left service.
    fn adopted(adopted: &Adopted) -> Self {
        let declared = &adopted.declared;
        match Family::of(declared.class, declared.nature, false) {
            Family::Durable => Self::Retained,
            Family::Pointer => Self::Reserved,
            Family::Content => Self::Present,
            // Whether it ran, and how it ended, nobody recorded.
            Family::Job => Self::Lost,
            Family::Running | Family::Dormant if declared.nature != Nature::Process => Self::Running,
            Family::Running | Family::Dormant if adopted.acts => Self::Idle,
            Family::Running | Family::Dormant => Self::Dormant,
        }
    }

    /// Whether it does what it is for, or may.
    pub fn acts(self) -> bool {
        matches!(self, Self::Running | Self::Leaving | Self::Idle)
    }

    /// Whether a new generation can have it as it is.
    pub fn usable(self) -> bool {
        matches!(
            self,
            Self::Dormant
                | Self::Running
                | Self::Idle
                | Self::Present
                | Self::Attached
                | Self::Retained
                | Self::Reserved
                | Self::Bound
                | Self::Ended(0)
        )
    }

    /// One word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Creating(_) => "creating",
            Self::Unknown(_) => "unknown",
            Self::Failed => "failed",
            Self::Tainted => "tainted",
            Self::Dormant => "dormant",
            Self::Running => "running",
            Self::Leaving => "leaving",
            Self::Idle => "warm",
            Self::Present => "present",
            Self::Released => "released",
            Self::Attached => "attached",
            Self::Retained => "retained",
            Self::Reserved => "reserved",
            Self::Bound => "bound",
            Self::Closing => "closing",
            Self::Started => "started",
            Self::Ended(_) => "ended",
            Self::Lost => "lost",
            Self::Destroying => "destroying",
            Self::Gone => "gone",
        }
    }
}

/// The status of a job that was killed because it took too long, as `timeout` says it.
const TIMED_OUT: i32 = 124;

/// An entry that cannot follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} while {state}")]
pub struct Illegal {
    /// What was to happen.
    pub what: String,
    /// In which state.
    pub state: String,
}

impl Illegal {
    pub(crate) fn new(what: impl Into<String>, state: impl Into<String>) -> Self {
        Self { what: what.into(), state: state.into() }
    }
}

/// The state after an entry about this object. An entry that says nothing about objects leaves it as it is.
///
/// Every kind of entry has its own arm: a new one does not compile until it is decided here. A state that an arm does not
/// list refuses the entry.
///
/// # Errors
/// The entry cannot follow in this state.
pub fn next(state: ObjectState, body: &Body) -> Result<ObjectState, Illegal> {
    use ObjectState as S;
    let to = match body {
        Body::IntentCreate(intent) => {
            // Content is the same bytes whenever it is made.
            let again = state == S::Released && intent.nature == Nature::Content;
            (state == S::Planned || again).then_some(S::Creating(Family::of(
                intent.class,
                intent.nature,
                intent.dormant,
            )))
        }
        Body::Created { tainted, .. } => match state {
            S::Creating(family) | S::Unknown(family) => Some(match (family, tainted) {
                // Data is never thrown away for being in a bad shape.
                (Family::Durable, _) => S::Attached,
                (_, Some(_)) => S::Tainted,
                (Family::Running, None) => S::Running,
                (Family::Dormant | Family::Job, None) => S::Dormant,
                (Family::Content, None) => S::Present,
                (Family::Pointer, None) => S::Reserved,
            }),
            _other => None,
        },
        Body::Unknown { .. } => match state {
            S::Creating(family) | S::Unknown(family) => Some(S::Unknown(family)),
            // A switch that may have happened: the pointer says so beside its state.
            S::Reserved
            | S::Bound
            | S::Attached
            | S::Retained
            | S::Running
            | S::Idle
            | S::Leaving
            | S::Dormant
            | S::Started
            | S::Destroying => Some(state),
            _other => None,
        },
        Body::NotHappened { .. } => match state {
            S::Creating(_) | S::Unknown(_) => Some(S::Failed),
            // A job whose run was proven never to have begun.
            S::Started => Some(S::Dormant),
            S::Reserved | S::Bound | S::Attached | S::Retained | S::Running | S::Idle | S::Leaving | S::Dormant => {
                Some(state)
            }
            _other => None,
        },
        // Proven to work, a warm object is in service again.
        Body::Verified { .. } => match state {
            S::Idle | S::Leaving => Some(S::Running),
            S::Running | S::Dormant | S::Present | S::Attached | S::Retained | S::Reserved | S::Bound => Some(state),
            _other => None,
        },
        // One that was told to rest while it left may do so already: it is told to act again all the same.
        Body::IntentActivate { .. } => matches!(state, S::Dormant | S::Idle | S::Running | S::Leaving).then_some(state),
        Body::Activated { .. } => matches!(state, S::Dormant | S::Idle | S::Running | S::Leaving).then_some(S::Running),
        Body::IntentDeactivate { .. } => {
            matches!(state, S::Running | S::Idle | S::Dormant | S::Leaving | S::Started).then_some(state)
        }
        Body::Deactivated { .. } => {
            // A job that was killed has ended: that is said by an entry of its own.
            if state == S::Started {
                Some(state)
            } else {
                matches!(state, S::Running | S::Idle | S::Dormant | S::Leaving).then_some(S::Dormant)
            }
        }
        Body::IntentDrain { .. } => match state {
            S::Running | S::Leaving | S::Idle => Some(S::Leaving),
            S::Bound | S::Closing => Some(S::Closing),
            S::Dormant | S::Tainted => Some(state),
            _other => None,
        },
        Body::Drained { .. } => match state {
            S::Leaving => Some(S::Idle),
            S::Closing | S::Dormant | S::Tainted => Some(state),
            _other => None,
        },
        Body::IntentSwitch(_) => matches!(state, S::Reserved | S::Bound | S::Attached | S::Retained).then_some(state),
        Body::Switched { .. } => match state {
            S::Reserved | S::Bound => Some(S::Bound),
            S::Attached | S::Retained => Some(state),
            _other => None,
        },
        Body::Reverted { .. } => matches!(state, S::Reserved | S::Bound | S::Attached | S::Retained).then_some(state),
        Body::IntentDestroy { .. } => matches!(
            state,
            S::Creating(_)
                | S::Unknown(_)
                | S::Tainted
                | S::Dormant
                | S::Running
                | S::Idle
                | S::Reserved
                | S::Bound
                | S::Closing
                | S::Started
                | S::Ended(_)
                | S::Lost
                | S::Destroying
                | S::Retained
        )
        .then_some(S::Destroying),
        Body::Destroyed { .. } => matches!(state, S::Destroying).then_some(S::Gone),
        Body::Released { .. } => {
            matches!(state, S::Present | S::Creating(Family::Content) | S::Unknown(Family::Content) | S::Tainted)
                .then_some(S::Released)
        }
        Body::Retained { .. } => matches!(state, S::Attached | S::Retained).then_some(S::Retained),
        Body::Attached { .. } => matches!(state, S::Attached | S::Retained).then_some(S::Attached),
        Body::IntentRun { .. } => matches!(state, S::Dormant | S::Started).then_some(S::Started),
        Body::JobFinished { outcome, .. } => match state {
            S::Started => Some(match outcome {
                crate::entry::JobOutcome::Exit(status) => S::Ended(*status),
                // As shells say it.
                crate::entry::JobOutcome::Signal(signal) => S::Ended(128 + signal),
                crate::entry::JobOutcome::Timeout => S::Ended(TIMED_OUT),
                crate::entry::JobOutcome::Lost => S::Lost,
            }),
            _other => None,
        },
        // One that is to be declared again is still retained.
        Body::IntentSnapshot { .. } | Body::SnapshotTaken { .. } => {
            matches!(state, S::Attached | S::Retained).then_some(state)
        }
        Body::Renamed { .. } | Body::Observed { .. } | Body::Healed { .. } => state.exists().then_some(state),
        Body::Adopted(adopted) => {
            matches!(state, S::Planned | S::Unknown(_) | S::Failed | S::Gone).then(|| S::adopted(adopted))
        }
        Body::Forgotten { .. } => state.exists().then_some(S::Gone),
        Body::Opened { .. }
        | Body::LeaseTaken { .. }
        | Body::ReadExternal { .. }
        | Body::Approved { .. }
        | Body::Consented { .. }
        | Body::ApplyStarted(_)
        | Body::Checked { .. }
        | Body::StageEntered { .. }
        | Body::GateJudged(_)
        | Body::Signalled { .. }
        | Body::UnwindStarted { .. }
        | Body::Committed(_)
        | Body::Confirmed { .. }
        | Body::WatchEnded { .. }
        | Body::OrphanFound { .. }
        | Body::AgentMerged { .. }
        | Body::DrillFinished { .. }
        | Body::Finished { .. }
        | Body::Expired { .. }
        | Body::Pruned { .. }
        | Body::Rekeyed { .. }
        | Body::SchemaUpgraded { .. }
        | Body::Checkpoint { .. }
        | Body::Anchored { .. }
        | Body::Migrated { .. } => Some(state),
    };
    to.ok_or_else(|| Illegal::new(name(body), state.word()))
}

/// Name of an entry for messages.
pub fn name(body: &Body) -> String {
    let text = format!("{body:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}
