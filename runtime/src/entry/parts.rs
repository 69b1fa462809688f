//! What entries carry. Small things are inline, so that state is a fold of entries alone; what can be large (graphs, inputs,
//! sources) is a blob, named by its digest.

use crate::id::ObjectId;
use crate::lease::Holder;
use crate::provider::{Handle, Setting};
use crate::rollout::Sample;
use imm_ir::{Addr, Class, CreateMode, Digest, Fields, FindMode, Nature, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Number of a step within its apply.
pub type StepId = u32;

/// Who ran the command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Login name.
    pub user: String,
    /// Host name.
    pub host: String,
    /// Version of the program.
    pub tool_version: String,
}

/// How a lease changed hands without being given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takeover {
    /// The fence before.
    pub fence: u64,
    /// Who held it.
    pub holder: Holder,
    /// The lock was free; otherwise a person consented.
    pub lock_free: bool,
    /// Their reason.
    pub because: Option<String>,
}

/// What a person agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConsentKind {
    /// A durable gets a successor without its data.
    DurableReplace,
    /// A durable is destroyed.
    DurableDestroy,
    /// A durable or pointer moves to another address.
    Rename,
    /// An object is bound anew.
    Rebind,
    /// A step that cannot be undone.
    NeverStep,
    /// A rollback across a job.
    AcrossJob,
    /// More replacements than the limit.
    ReplaceLimit,
    /// A graph that was rolled back from.
    RolledBackRoot,
    /// What cannot be settled is given up.
    AcceptLost,
    /// A live holder of the lease is overruled.
    TakeOver,
}

/// What an apply is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// A program.
    Apply,
    /// An earlier generation's graph.
    Rollback {
        /// Which.
        to: u64,
    },
    /// The empty graph.
    Destroy,
    /// The same graph, with new objects for what drifted.
    Heal,
    /// A rollback that moves nothing.
    Drill {
        /// Of which generation.
        of: u64,
    },
    /// A watch failed.
    AutoRollback {
        /// Which generation failed.
        of: u64,
    },
    /// Only to settle what was left open.
    RecoverOnly,
}

impl Verb {
    /// Whether jobs are run in it: what a rehearsal of a rollback proves, it proves without them.
    pub fn runs_jobs(&self) -> bool {
        !matches!(self, Self::Drill { .. } | Self::RecoverOnly)
    }
}

/// The start of an apply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApplyStarted {
    /// What for.
    pub verb: Verb,
    /// Digest of the plan.
    pub plan_digest: Digest,
    /// The plan.
    pub plan: Digest,
    /// Generation it starts from.
    pub base_generation: Option<u64>,
    /// Digest of the state it was planned on.
    pub base_digest: Digest,
    /// What the approval names.
    pub graph_root: Digest,
    /// The program's files.
    pub sources: Option<Digest>,
    /// The params it was evaluated with.
    pub params: Option<Digest>,
    /// Commit of the working tree.
    pub commit: Option<String>,
    /// Why.
    pub because: Option<String>,
    /// Seed of all randomness in it.
    pub seed: u64,
    /// Earlier generations that stay warm.
    pub keep: u32,
    /// Earlier generations that can be made again.
    pub retain: u32,
    /// When the working tree's commit was made, UTC milliseconds.
    pub commit_at_ms: Option<i64>,
    /// How long it is watched after its commit, milliseconds.
    pub watch_ms: u64,
}

/// Something that two objects may not both have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Claim {
    /// Kind of thing, `volume`.
    pub scope: Arc<str>,
    /// Which one.
    pub key: Arc<str>,
    /// No other claim beside it; otherwise shared.
    pub exclusive: bool,
}

/// What is about to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreateIntent {
    /// Step.
    pub step: StepId,
    /// Which one; also the idempotency token.
    pub object: ObjectId,
    /// Where it is declared.
    pub address: Addr,
    /// Class.
    pub class: Class,
    /// Behaviour beyond the class.
    pub nature: Nature,
    /// Kind.
    pub kind: Arc<str>,
    /// What it is.
    pub spec: Digest,
    /// The objects it binds, in slot order.
    pub bindings: Vec<ObjectId>,
    /// Objects it only comes after.
    pub after: Vec<ObjectId>,
    /// How many with this spec and these bindings were planned before.
    pub serial: u64,
    /// Identity of the provider instance.
    pub provider: Arc<str>,
    /// Version of the kind's schema.
    pub schema_version: u32,
    /// Names its inputs, holes filled.
    pub inputs: Digest,
    /// Movable inputs of a durable, as it is made with them.
    pub cells: Fields<Value>,
    /// What it claims.
    pub claims: Vec<Claim>,
    /// Whether repeating is safe.
    pub create: CreateMode,
    /// How it is found again.
    pub find: FindMode,
    /// Made ready, not acting.
    pub dormant: bool,
    /// Its inputs themselves, where they are short; else they are a blob. Since format 4.
    pub inline: Vec<u8>,
}

/// What is there is ours from here on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adopted {
    /// What it is declared as: an intent that nothing has to be made for.
    pub declared: CreateIntent,
    /// How its provider names it.
    pub handle: Handle,
    /// What it gives.
    pub outputs: Fields<Value>,
    /// It acts already.
    pub acts: bool,
    /// Its epoch and setting, if it was ever switched.
    pub setting: Option<(u64, Setting)>,
    /// In what it is not as it is declared: name, declared, observed, as text.
    pub differs: Vec<(String, String, String)>,
    /// Why.
    pub because: String,
}

/// One move of a recorded batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedMove {
    /// Pointer, or durable whose cells these are.
    pub object: ObjectId,
    /// Its epoch before.
    pub from_epoch: u64,
    /// Its setting before.
    pub from: Setting,
    /// Its setting after.
    pub to: Setting,
}

/// Pointers are about to move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SwitchIntent {
    /// Step.
    pub step: StepId,
    /// Number of the batch within the apply.
    pub batch: u32,
    /// Stage of the rollout; `None` for early binding, unwinding and re-asserting.
    pub stage: Option<u32>,
    /// Identity of the provider instance.
    pub provider: Arc<str>,
    /// All or none.
    pub moves: Vec<RecordedMove>,
    /// Time to live of the provisional setting, milliseconds.
    pub ttl_ms: u64,
    /// What the provider goes back to, per move.
    pub return_to_epoch: Vec<u64>,
}

/// A pointer moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Which.
    pub object: ObjectId,
    /// Its epoch now.
    pub epoch: u64,
}

/// How it was proven that an attempted effect did not take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// It was looked for.
    FoundAbsent,
    /// The provider said so.
    ProviderSaid,
    /// A repeat with the same token won.
    IdempotentRetryWon,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobOutcome {
    /// With this status.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody knows.
    Lost,
    /// It took too long.
    Timeout,
}

/// What a gate said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Go on.
    Pass,
    /// Unwind.
    Fail,
    /// Too little to tell.
    Inconclusive,
    /// Nobody was there to judge.
    Unwatched,
}

/// A gate was judged, once a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateJudged {
    /// The stage; 0: after the commit.
    pub stage: u32,
    /// Whose gate.
    pub pointer: ObjectId,
    /// What it said.
    pub verdict: Verdict,
    /// How long the window was, milliseconds.
    pub window_ms: u64,
    /// What the new side met in it.
    pub new: Sample,
    /// What the old side met.
    pub old: Sample,
    /// Why it did not pass.
    pub why: String,
}

/// Words of other processes to a running apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignalVerb {
    /// Hold the stage.
    Pause,
    /// End the hold.
    Promote,
    /// Unwind.
    Abort,
    /// A signal of the operating system.
    Stop(i32),
}

impl SignalVerb {
    /// As it is said.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Promote => "promote",
            Self::Abort => "abort",
            Self::Stop(_) => "stop",
        }
    }
}

/// Why an apply is being undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnwindCause {
    /// A step failed.
    Failed(Option<StepId>),
    /// Somebody aborted it.
    Aborted,
    /// The process was told to stop.
    Signal,
    /// A gate said no.
    Gate,
    /// The lease is another's.
    LeaseLost,
    /// The process died.
    Crash,
}

impl UnwindCause {
    /// As documents say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::Aborted => "aborted",
            Self::Signal => "signal",
            Self::Gate => "gate",
            Self::LeaseLost => "lease_lost",
            Self::Crash => "crash",
        }
    }
}

/// What a generation consists of, relative to its parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// Its number: one more than the newest.
    pub generation: u64,
    /// The generation it is a difference to.
    pub parent: Option<u64>,
    /// What the approval named.
    pub graph_root: Digest,
    /// Digest over the objects at their addresses.
    pub generation_root: Digest,
    /// Graph, as a delta to the parent's or whole.
    pub record: Digest,
    /// Addresses with another object than in the parent.
    pub added: Vec<(Addr, ObjectId)>,
    /// Addresses that are gone.
    pub removed: Vec<Addr>,
    /// Digest over all settings in force.
    pub settings: Digest,
    /// Values of the outputs.
    pub outputs: Digest,
    /// No abort up to this signal was pending.
    pub abort_checked_to: u64,
}

/// Why a durable is kept although nothing declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetainReason {
    /// The apply that made it failed.
    Unwind,
    /// The program no longer has it.
    Removed,
    /// A rollback left it behind.
    Rollback,
    /// Everything else was destroyed.
    Destroy,
}

/// How an apply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The new generation is in force.
    Committed,
    /// The old one is.
    RolledBack,
    /// Needs a person.
    Stuck,
}

/// What could not be cleaned up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// Which.
    pub object: ObjectId,
    /// Why.
    pub why: String,
}

/// What an observation said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Seen {
    /// As it was made.
    Intact,
    /// Differs.
    Changed,
    /// Is not there.
    Missing,
}
