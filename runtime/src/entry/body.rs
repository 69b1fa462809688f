//! Every kind of entry (engine-reference, "Ledger entries"). Which of them must be durable before the next effect is the
//! writer's business; this file only says what they are.

use super::parts::*;
use crate::id::{Lineage, ObjectId};
use crate::lease::Holder;
use crate::provider::Handle;
use imm_ir::{Addr, Digest, Fields, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are explained where their types are")]
pub enum Body {
    /// The first entry.
    Opened {
        lineage: Lineage,
        environment: String,
        encoding_version: u16,
        digest_key: Option<Digest>,
        recipients: Vec<String>,
    },
    /// A process may write from here on; the header has its fence.
    LeaseTaken { holder: Holder, took_over: Option<Takeover> },
    /// An external was read.
    ReadExternal { address: Addr, provider: Arc<str>, query: Digest, value: Digest },
    /// Somebody approved a plan.
    Approved { plan: Digest, by: String, signature: Option<Vec<u8>> },
    /// Somebody consented to one dear part of a plan.
    Consented { plan: Digest, kind: ConsentKind, subjects: Vec<ObjectId>, because: String },
    /// An apply begins.
    ApplyStarted(Box<ApplyStarted>),
    /// About to create.
    IntentCreate(Box<CreateIntent>),
    /// About to destroy.
    IntentDestroy { step: StepId, object: ObjectId },
    /// About to let it act.
    IntentActivate { step: StepId, object: ObjectId },
    /// About to stop it from acting.
    IntentDeactivate { step: StepId, object: ObjectId },
    /// About to wait until nothing is in flight to it.
    IntentDrain { step: StepId, object: ObjectId, deadline_ms: u64 },
    /// About to move pointers.
    IntentSwitch(Box<SwitchIntent>),
    /// About to take a snapshot.
    IntentSnapshot { step: StepId, durable: ObjectId, token: Digest },
    /// About to run a job.
    IntentRun { step: StepId, object: ObjectId, token: Digest },
    /// It is there.
    Created {
        step: StepId,
        object: ObjectId,
        handle: Handle,
        outputs: Fields<Value>,
        tainted: Option<String>,
        found: bool,
    },
    /// It may be there.
    Unknown { step: StepId, object: ObjectId, error: String },
    /// An attempted effect did not take place; `object` is the first one of a batch.
    NotHappened { step: StepId, object: ObjectId, proof: Proof },
    /// It works.
    Verified { step: StepId, object: ObjectId, took_ms: u64 },
    /// A condition was judged.
    Checked { what: String, ok: bool, operands: Digest },
    /// It acts.
    Activated { step: StepId, object: ObjectId },
    /// It no longer acts.
    Deactivated { step: StepId, object: ObjectId, forced: bool },
    /// A snapshot exists.
    SnapshotTaken { step: StepId, durable: ObjectId, snapshot: Handle, consistent: bool },
    /// A job ended.
    JobFinished { step: StepId, object: ObjectId, outcome: JobOutcome, outputs: Fields<Value> },
    /// A stage of the rollout begins.
    StageEntered { stage: u32, weights: Vec<(ObjectId, u32)>, of: u32, hold_ms: u64, approve: bool },
    /// Pointers moved.
    Switched { step: StepId, batch: u32, moved: Vec<Moved>, provisional: bool },
    /// Pointers went back.
    Reverted { by_agent: bool, moved: Vec<Moved>, agent_seq: Option<u64> },
    /// A gate was judged.
    GateJudged(Box<GateJudged>),
    /// Another process spoke.
    Signalled { signal: u64, verb: SignalVerb, by: String },
    /// The apply is being undone.
    UnwindStarted { cause: UnwindCause, error: String },
    /// The new generation is in force, whatever happens from here on.
    Committed(Box<Commit>),
    /// A provider has made the settings permanent; so many others still have to.
    Confirmed { provider: Arc<str>, remaining: u32 },
    /// A watch ended, and why if it did not pass.
    WatchEnded { verdict: Verdict, why: String },
    /// Nothing is in flight to it.
    Drained { step: StepId, object: ObjectId, in_flight_cut: u64, took_ms: u64 },
    /// It is no longer there.
    Destroyed { step: StepId, object: ObjectId, was_missing: bool },
    /// Content is left to the collector.
    Released { object: ObjectId },
    /// A durable stays although nothing declares it.
    Retained { durable: ObjectId, reason: RetainReason },
    /// A durable is declared again.
    Attached { durable: ObjectId, generation: u64 },
    /// An object has another address.
    Renamed { object: ObjectId, from: Addr, to: Addr },
    /// A thing that no entry spoke of, or that may have been made, is ours.
    Adopted(Box<Adopted>),
    /// We no longer care about a thing.
    Forgotten { object: ObjectId, because: String },
    /// A thing was looked at.
    Observed { object: ObjectId, seen: Seen, fields: Vec<(String, String, String)> },
    /// A thing with our tag and without an entry.
    OrphanFound { provider: Arc<str>, object: ObjectId, kind: Arc<str> },
    /// The agent's journal was read up to here.
    AgentMerged { agent: String, from_seq: u64, to_seq: u64, head: Digest },
    /// A run was replaced.
    Healed { object: ObjectId, run_from: u64, run_to: u64, cause: String, count: u64, by: Option<ObjectId> },
    /// A drill ended.
    DrillFinished { generation: u64, passed: bool, seconds: u64, covered: Vec<ObjectId>, not_covered: Vec<Leftover> },
    /// An apply ended. `outage_ms` is the longest time, measured, that a handover left a pointer without a target that acts.
    Finished { ending: Ending, leftovers: Vec<Leftover>, took_ms: u64, outage_ms: u64 },
    /// A generation can no longer be made again.
    Expired { generation: u64, because: String },
    /// Blobs were dropped.
    Pruned { blobs: Vec<Digest>, because: String },
    /// The recipients of secrets changed.
    Rekeyed { recipients: Vec<String>, digest_key: Digest, assumed_equal: Vec<Digest> },
    /// Handles were rewritten for a newer schema.
    SchemaUpgraded { kind: Arc<str>, from: u32, to: u32, handles: Vec<(ObjectId, Handle)> },
    /// The state up to here has this digest.
    Checkpoint { state: Digest, up_to: u64 },
    /// The head was noted elsewhere.
    Anchored { seq: u64, hash: Digest, place: String },
    /// The ledger was rewritten in a newer format.
    Migrated { from: u16, to: u16, old_head: Digest },
}
