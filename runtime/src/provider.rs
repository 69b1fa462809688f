//! The interface to everything that has effects. There is no update: a thing is created, looked at, switched to,
//! destroyed.
//!
//! Every call that has an effect carries the [`Ctx`]: the lineage and the fence of the lease it is made under. A provider
//! that can refuses a fence lower than the highest it has seen. Calls are repeated after crashes with the same token and
//! must then not make a second thing.
//!
//! What acts without being pointed at is created with [`Request::dormant`] and acts from [`Provider::activate`] to
//! [`Provider::deactivate`]. A *job* is always created dormant and never runs by being created: `activate` starts its one
//! run, and starts nothing when it was ever started; `health` waits for its end and answers [`Level::Exited`]
//! ([`Level::Dormant`]: never started; [`Level::Missing`] or [`Level::Unhealthy`]: nobody knows how it ended); after that
//! `find` answers its outputs; `deactivate` kills the run.

use crate::id::{Lineage, ObjectId};
pub use crate::rollout::Sample;
use async_trait::async_trait;
use imm_ir::{Addr, Digest, Fields, SchemaSet, Value};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Under whose authority a call is made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ctx {
    /// The ledger's lineage.
    pub lineage: Lineage,
    /// Rises at each take-over of the lease.
    pub fence: u64,
    /// The generation that the calling apply makes (the last committed one outside of an apply). Only for people: it tags logs.
    pub generation: u64,
    /// How long the call may take.
    pub timeout: Duration,
}

/// Opaque to the engine: how the provider names what it made. Versioned by the provider, outside of identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle(pub Vec<u8>);

/// What to make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Which one: the idempotency token.
    pub object: ObjectId,
    /// Where it is declared. For names in logs and messages only.
    pub address: Addr,
    /// Its kind.
    pub kind: Arc<str>,
    /// What it is.
    pub spec: Digest,
    /// Identity, movable and policy inputs, all holes filled. Handles ([`Value::Node`]) are resolved through `bound`.
    pub inputs: Fields<Value>,
    /// The objects that handles in `inputs` stand for.
    pub bound: BTreeMap<Addr, Bound>,
    /// Make it ready, but do not let it act.
    pub dormant: bool,
}

/// An object that another one refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Which one.
    pub object: ObjectId,
    /// Its provider's handle.
    pub handle: Handle,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// How to name it from now on.
    pub handle: Handle,
    /// Its outputs by name; those of a process include what the schema says.
    pub outputs: Fields<Value>,
    /// It is there but not usable; it will be destroyed.
    pub tainted: Option<String>,
}

/// What is there under a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct There {
    /// As its create would have answered.
    pub created: Created,
    /// It acts.
    pub acts: bool,
    /// Its epoch and setting, if it is switched.
    pub setting: Option<(u64, Setting)>,
    /// In what it is not as it is declared: name, declared, observed, as text, without secrets. What is switched is no difference.
    pub differs: Vec<(String, String, String)>,
}

impl There {
    /// It does not act, is not switched, and differs in nothing.
    pub fn at_rest(created: Created) -> Self {
        Self { created, acts: false, setting: None, differs: Vec::new() }
    }
}

/// How healthy an object is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// Not known yet; ask again.
    Starting,
    /// Works.
    Healthy,
    /// Does not work. The text says why, with the program's last words where there are any.
    Unhealthy(String),
    /// Made ready, not acting.
    Dormant,
    /// Ran to its end (jobs; a process that will not be started again).
    Exited(i32, String),
    /// Is not there.
    Missing,
}

/// What an object looks like from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observation {
    /// As it was made.
    Intact,
    /// These fields differ: name, recorded, observed, as text.
    Changed(Vec<(String, String, String)>),
    /// Is not there.
    Missing,
}

/// What a pointer is set to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Weighted targets in address order. Weights are parts per million of the whole and sum to 1,000,000, or there are none.
    pub targets: Vec<Target>,
    /// Other movable and policy inputs, all holes filled.
    pub inputs: Fields<Value>,
}

/// One target of a pointer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Its address, for messages.
    pub address: Addr,
    /// Which one.
    pub object: ObjectId,
    /// Its provider's handle.
    pub handle: Handle,
    /// Parts per million.
    pub weight: u32,
    /// Belongs to the generation being rolled out and not to the old one.
    pub fresh: bool,
}

/// One move of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// The pointer, or the durable whose movable field this is.
    pub object: ObjectId,
    /// Its address, for messages.
    pub address: Addr,
    /// Its kind.
    pub kind: Arc<str>,
    /// Its provider's handle.
    pub handle: Handle,
    /// The epoch it must have now; 0 before its first setting.
    pub from_epoch: u64,
    /// What it is set to; no targets: closed.
    pub to: Setting,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Error {
    /// What was attempted and what went wrong, for people; never with a secret in it.
    pub message: String,
    /// What to do, if there is something.
    pub help: Option<String>,
    /// Class of the failure.
    pub kind: ErrorKind,
    /// Whether the effect may have taken place.
    pub happened: Happened,
}

/// Classes of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorKind {
    /// May go away by itself: try again.
    Transient,
    /// Will fail again.
    Permanent,
    /// The fence is too low: another engine has taken over.
    Fenced,
    /// The pointer is not at the epoch we think: somebody else moved it.
    Epoch,
    /// Another object holds the claim.
    Claim,
    /// The token was destroyed before: a late create.
    Tombstone,
}

/// Whether an effect took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Happened {
    /// Certainly not.
    No,
    /// Cannot tell.
    Maybe,
    /// Certainly.
    Yes,
}

/// What a platform did on its own since somebody last asked: runs of objects that were replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Whose journal it is: another one begins anew.
    pub agent: String,
    /// The first new entry of it.
    pub from_seq: u64,
    /// The last one.
    pub to_seq: u64,
    /// Hash of the last one.
    pub head: Digest,
    /// Runs that were replaced, one for each object.
    pub replaced: Vec<Replaced>,
}

/// What a collection gave back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freed {
    /// Images and sites.
    pub images: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// Runs of one object that ended by themselves and were replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Which.
    pub object: ObjectId,
    /// The first run that ended.
    pub run_from: u64,
    /// The run that took its place in the end.
    pub run_to: u64,
    /// How the last one ended.
    pub cause: String,
    /// How many ended.
    pub count: u64,
}

/// The result of a provider's call.
pub type Result<T> = std::result::Result<T, Error>;

/// A place where objects live.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The kinds this provider makes.
    fn schemas(&self) -> &SchemaSet;

    /// The part of the identity of its objects that names the provider instance, for example `host`.
    fn identity(&self) -> &str;

    /// Announces a fence: from now on lower ones are refused. The first act of every apply and recovery; a higher fence of the
    /// same lease is announced by any call with an effect that carries it. Also hands over
    /// the ledger's head (sequence number and hash) and gets back the last one announced, for `forked-ledger`.
    async fn announce(&self, ctx: &Ctx, head: (u64, Digest)) -> Result<Option<(u64, Digest)>>;

    /// The ledger's head that was announced last, if it keeps one. Asked before anything is announced.
    async fn seen(&self, _ctx: &Ctx) -> Result<Option<(u64, Digest)>> {
        Ok(None)
    }

    /// Makes an object (for a pointer: reserves it, bound but not listening). Idempotent by `object`; refused for a token
    /// that was destroyed.
    async fn create(&self, ctx: &Ctx, request: &Request) -> Result<Created>;

    /// Looks for an object by its token.
    async fn find(&self, ctx: &Ctx, kind: &str, object: ObjectId) -> Result<Option<Created>>;

    /// Looks at what is there under a token, whether anything is recorded of it or not, next to what it is declared as.
    /// `None`: nothing is there.
    async fn inspect(
        &self,
        ctx: &Ctx,
        kind: &str,
        object: ObjectId,
        declared: Option<&Request>,
    ) -> Result<Option<There>>;

    /// Every object with our lineage's tag.
    async fn list(&self, ctx: &Ctx) -> Result<Vec<(ObjectId, Arc<str>)>>;

    /// Compares an object with what it was made as.
    async fn observe(&self, ctx: &Ctx, kind: &str, object: ObjectId, handle: &Handle) -> Result<Observation>;

    /// How healthy an object is, waiting up to `ctx.timeout` while it is [`Level::Starting`]. `policy` holds its policy
    /// inputs (`health` …), which may differ from those at create.
    async fn health(
        &self,
        ctx: &Ctx,
        kind: &str,
        object: ObjectId,
        handle: &Handle,
        policy: &Fields<Value>,
    ) -> Result<Level>;

    /// Lets a dormant object act; one that acts already goes on. Refused with [`ErrorKind::Claim`] while another object that
    /// acts, or whose processes are not gone yet, holds one of its exclusive claims. Starts a job, at most once for ever.
    async fn activate(&self, ctx: &Ctx, kind: &str, object: ObjectId, handle: &Handle) -> Result<()>;

    /// Stops an object from acting, but keeps it ready. Returns when its processes are gone.
    async fn deactivate(&self, ctx: &Ctx, kind: &str, object: ObjectId, handle: &Handle) -> Result<()>;

    /// Copies a durable's data, once for each token. Whoever writes to it is stopped if it is to be consistent: that is the
    /// caller's business. A provider that cannot says so, and the apply that wants a copy fails before it changes anything.
    async fn snapshot(
        &self,
        _ctx: &Ctx,
        kind: &str,
        _durable: ObjectId,
        _handle: &Handle,
        _token: Digest,
    ) -> Result<Handle> {
        Err(Error {
            message: format!("the provider of kind `{kind}` cannot copy data"),
            help: Some("write `snapshot = never`".to_owned()),
            kind: ErrorKind::Permanent,
            happened: Happened::No,
        })
    }

    /// Ends an object. An unknown token is a tombstone: a later create with it is refused. A handle is absent when its
    /// create was never acknowledged. Answers whether it was missing.
    async fn destroy(&self, ctx: &Ctx, kind: &str, object: ObjectId, handle: Option<&Handle>) -> Result<bool>;

    /// Moves pointers and movable fields, all or none, by compare-and-swap. Acknowledged when durable and in force.
    /// Provisional until confirmed: without [`renew`](Self::renew) within `ttl` the provider goes back to the last
    /// confirmed settings by itself. Answers the new epochs in the order of `moves`; every accepted move raises it.
    async fn switch(&self, ctx: &Ctx, moves: &[Move], ttl: Duration) -> Result<Vec<u64>>;

    /// Keeps provisional settings alive for another `ttl`.
    async fn renew(&self, ctx: &Ctx, ttl: Duration) -> Result<()>;

    /// Makes the settings in force permanent.
    async fn confirm(&self, ctx: &Ctx) -> Result<()>;

    /// The epoch and setting of a pointer now; `None` before its first.
    async fn setting(&self, ctx: &Ctx, object: ObjectId, handle: &Handle) -> Result<Option<(u64, Setting)>>;

    /// Drops what was left to the collector of this lineage's content, all but these. What is shared with others stays.
    async fn collect(&self, _ctx: &Ctx, _needed: &BTreeSet<ObjectId>) -> Result<Freed> {
        Ok(Freed::default())
    }

    /// What it did on its own, beyond what was `merged`: the last entry that is recorded, by whose journal it is. `None`: nothing.
    async fn journal(&self, _ctx: &Ctx, _merged: &BTreeMap<String, u64>) -> Result<Option<Journal>> {
        Ok(None)
    }

    /// What requests met per target object since the last call with this pointer; at the first call, since it was there.
    async fn sample(&self, ctx: &Ctx, pointer: ObjectId) -> Result<BTreeMap<ObjectId, Sample>>;

    /// Waits until nothing is in flight to these objects, at most `deadline`. Answers how many requests were cut.
    async fn drain(&self, ctx: &Ctx, objects: &[ObjectId], deadline: Duration) -> Result<u64>;
}
