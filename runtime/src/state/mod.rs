//! State: the fold of the ledger's entries, and nothing else.
//!
//! [`object`] and [`phase`] hold the two transition tables, [`fold`] applies an entry, [`answer`] and [`links`] derive what
//! planning and undoing need to know. An illegal entry is refused before it reaches the disk. [`projection`] writes the state
//! down beside the entries, so that a start need not fold them all; [`objects`] and [`consist`] then read the rest of what is
//! recorded when somebody asks for it, and [`tracked`] tells what changed since.

pub mod answer;
pub mod consist;
pub mod fold;
pub mod links;
pub mod object;
pub mod objects;
pub mod phase;
pub mod projection;
#[cfg(test)]
mod tests;
pub mod tracked;

pub use consist::{Consist, Places};
pub use object::{Family, Illegal, ObjectState};
pub use objects::Objects;
pub use phase::Phase;
pub use tracked::{Grown, Tracked};

use crate::entry::{ApplyStarted, Claim, ConsentKind, Leftover, StepId, Verdict};
use crate::id::{ApplyId, Lineage, ObjectId};
use crate::provider::Setting;
use imm_ir::{Addr, Class, Digest, Nature};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything that is recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Number of the last entry.
    pub seq: u64,
    /// Highest fence seen.
    pub fence: u64,
    /// Recorded time of the last entry.
    pub at_ms: i64,
    /// Format of the last entry.
    pub format: u16,
    /// Set by the first entry.
    pub lineage: Option<Lineage>,
    /// Set by the first entry.
    pub environment: String,
    /// Name of the sealed key that secrets are digested under.
    pub digest_key: Option<Digest>,
    /// Whom secrets are sealed for.
    pub recipients: Vec<String>,
    /// Every object that ever had an intent, those that are gone too.
    pub objects: Objects,
    /// Settings of pointers and cells of durables.
    pub pointers: Tracked<ObjectId, Pointer>,
    /// Committed generations.
    pub generations: Tracked<u64, Generation>,
    /// The newest committed one.
    pub current: Option<u64>,
    /// All applies, in order.
    pub applies: Grown<Apply>,
    /// What people consented to.
    pub consents: BTreeSet<(ConsentKind, ObjectId)>,
    /// The last entry of each agent's journal that is recorded here.
    pub merged: BTreeMap<String, u64>,
    /// The last signal that was recorded.
    pub signal: u64,
    /// What is derived at first use and kept up from then on.
    pub derived: links::Derived,
}

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Where it is declared now, or was last.
    pub address: Addr,
    /// Its class.
    pub class: Class,
    /// Behaviour beyond the class.
    pub nature: Nature,
    /// Its kind.
    pub kind: Arc<str>,
    /// Identity of the provider instance.
    pub provider: Arc<str>,
    /// What it is.
    pub spec: Digest,
    /// The objects it binds, in slot order.
    pub bindings: Vec<ObjectId>,
    /// How many with this spec and bindings came before.
    pub serial: u64,
    /// Where it is in its life.
    pub state: ObjectState,
    /// It was made dormant: it acts without being pointed at, or took over from another one.
    pub made_dormant: bool,
    /// The status that a job ended with. A fact: it stays when the object is gone.
    pub ended: Option<i32>,
    /// What the job did was taken back.
    pub undone: bool,
    /// What it claims.
    pub claims: Vec<Claim>,
    /// Which apply made it.
    pub made_by: ApplyId,
    /// First generation that has it.
    pub since: Option<u64>,
    /// It was last seen missing or changed: it is never taken back into service.
    pub drifted: bool,
    /// It was taken over from outside; what made it is not recorded.
    pub adopted: bool,
    /// Runs of it that ended by themselves and that its platform replaced.
    pub replaced: Option<Box<Replacements>>,
    /// When it was recorded as gone.
    pub gone_at_ms: Option<i64>,
    /// The rest, read when it is asked for; its fields read as if they were the object's.
    pub details: objects::Recalled,
}

/// Runs of an object that were replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacements {
    /// How many.
    pub count: u64,
    /// How the last one ended.
    pub cause: String,
}

/// One pointer, or the cells of one durable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pointer {
    /// Last acknowledged epoch; 0 before the first setting.
    pub epoch: u64,
    /// Last acknowledged setting.
    pub setting: Setting,
    /// The last setting that was confirmed: what a provider goes back to.
    pub confirmed: Setting,
    /// Settings that were sent and neither acknowledged nor proven not to have happened.
    pub pending: Vec<(StepId, Setting)>,
    /// The setting in force is not confirmed.
    pub provisional: bool,
}

/// One committed generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// The one before.
    pub parent: Option<u64>,
    /// The apply that made it.
    pub apply: ApplyId,
    /// What the approval named.
    pub graph_root: Digest,
    /// Format of the entry that committed it, and of what it names.
    pub format: u16,
    /// Blob of its graph.
    pub record: Digest,
    /// Its objects.
    pub objects: Arc<Consist>,
    /// Blob of the values of its outputs.
    pub outputs: Digest,
    /// A rollback left it.
    pub rolled_back_from: bool,
    /// When a rollback to it was last rehearsed with success, UTC milliseconds.
    pub proven_at_ms: Option<i64>,
    /// It cannot be made again.
    pub expired: bool,
}

/// One apply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Apply {
    /// Its id.
    pub id: ApplyId,
    /// How it started.
    pub started: Arc<ApplyStarted>,
    /// When.
    pub at_ms: i64,
    /// By whom.
    pub actor: crate::entry::Actor,
    /// Where it is.
    pub phase: Phase,
    /// First unused step number.
    pub next_step: StepId,
    /// First unused batch number.
    pub next_batch: u32,
    /// The generation it committed.
    pub generation: Option<u64>,
    /// What its pointers were set to before it, by pointer. This and the sets below are dropped when it ends.
    pub before: BTreeMap<ObjectId, Setting>,
    /// Objects that were targets of any setting it sent.
    pub exposed: BTreeSet<ObjectId>,
    /// The pointers that it moved in a stage: these go back first.
    pub staged: BTreeSet<ObjectId>,
    /// Objects that it may have activated or deactivated before its commit, and whether they acted before.
    pub acted: BTreeMap<ObjectId, bool>,
    /// Why it is being undone, or is to be rolled back from; first cause first.
    pub error: Option<String>,
    /// Objects it made.
    pub created: u64,
    /// Objects it destroyed.
    pub destroyed: u64,
    /// What it could not clean up.
    pub leftovers: Vec<Leftover>,
    /// How long it took, once ended.
    pub took_ms: Option<u64>,
    /// Longest outage that it made, as measured.
    pub outage_ms: u64,
    /// The stage it is in, or was in last.
    pub stage: Option<Staged>,
    /// Somebody holds it.
    pub paused: bool,
    /// What gates said: stage (0: after the commit), pointer, verdict.
    pub judged: Vec<(u32, ObjectId, Verdict)>,
    /// How its watch ended.
    pub watched: Option<Verdict>,
}

/// A stage that was entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// Its number, from 1.
    pub stage: u32,
    /// Of so many.
    pub of: u32,
    /// Part of the requests that the new side of each pointer gets, parts per million.
    pub weights: Vec<(ObjectId, u32)>,
    /// When, UTC milliseconds.
    pub at_ms: i64,
    /// How long it is held, milliseconds.
    pub hold_ms: u64,
    /// Somebody has to say that it goes on.
    pub approve: bool,
}
