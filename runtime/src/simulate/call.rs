//! A provider's calls as data: so that the world can delay, repeat and log them, and a socket can carry them.
//!
//! [`Client`] is the [`Provider`] that the engine sees; whatever implements [`Ask`] is behind it. No call is interpreted here.

use crate::id::ObjectId;
use crate::provider::{
    Created, Ctx, Error, ErrorKind, Handle, Happened, Level, Move, Observation, Provider, Request, Result, Sample,
    Setting, There,
};
use async_trait::async_trait;
use imm_ir::{CreateMode, Digest, Fields, FindMode, Nature, SchemaSet, Value, kinds};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Identity of the simulated provider instance.
pub const IDENTITY: &str = "simulated";

/// Identity of the other simulated provider instance.
pub const AFAR: &str = "simulated-afar";

/// How long after a call a look afar tells for certain, milliseconds.
pub const SETTLE_MS: u64 = 4_000;

/// Longest time that such a call may be on its way, and that what it made may stay unseen after that.
pub const UNSEEN_MS: u64 = SETTLE_MS / 2;

/// Which of the two providers of the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// As our own are: a create may be repeated, a look tells, a token that was destroyed is refused.
    #[default]
    Here,
    /// As those of others may be: every create makes another one, a look tells only after a while and for files never, and
    /// nothing is remembered of what was destroyed.
    Afar,
}

impl Place {
    /// The identity that programs name it by.
    pub fn identity(self) -> &'static str {
        match self {
            Self::Here => IDENTITY,
            Self::Afar => AFAR,
        }
    }

    /// Its kinds.
    pub fn schemas(self) -> &'static SchemaSet {
        static ELSEWHERE: LazyLock<SchemaSet> = LazyLock::new(|| {
            let mut set = kinds::builtin().clone();
            // Content is named by what is in it, wherever it is.
            for kind in set.kinds.values_mut().filter(|kind| kind.nature != Nature::Content) {
                kind.create = CreateMode::Once;
                kind.find = if &*kind.name == "file" { FindMode::None } else { FindMode::Eventual(SETTLE_MS) };
            }
            set
        });
        match self {
            Self::Here => kinds::builtin(),
            Self::Afar => &ELSEWHERE,
        }
    }
}

/// One call of [`Provider`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named and explained as the provider's methods and their parameters")]
pub enum Call {
    Announce { head: (u64, Digest) },
    Create(Box<Request>),
    Find { object: ObjectId },
    Inspect { object: ObjectId, spec: Option<Digest> },
    List,
    Observe { object: ObjectId },
    Health { object: ObjectId },
    Activate { object: ObjectId },
    Deactivate { object: ObjectId },
    Snapshot { object: ObjectId, token: Digest },
    Destroy { kind: Arc<str>, object: ObjectId, known: bool },
    Switch { moves: Vec<Move>, ttl: Duration },
    Renew { ttl: Duration },
    Confirm,
    Setting { object: ObjectId },
    Sample { pointer: ObjectId },
    Drain { objects: Vec<ObjectId>, deadline: Duration },
}

/// What a call answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as the calls")]
pub enum Reply {
    Announced(Option<(u64, Digest)>),
    Created(Created),
    Found(Option<Created>),
    Inspected(Option<Box<There>>),
    Listed(Vec<(ObjectId, Arc<str>)>),
    Observed(Observation),
    Level(Level),
    Done,
    Copied(Handle),
    Destroyed { missing: bool },
    Switched(Vec<u64>),
    Setting(Option<(u64, Setting)>),
    Sampled(BTreeMap<ObjectId, Sample>),
    Drained { cut: u64 },
}

impl Call {
    /// Its name in messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Announce { .. } => "announce",
            Self::Create(_) => "create",
            Self::Find { .. } => "find",
            Self::Inspect { .. } => "inspect",
            Self::List => "list",
            Self::Observe { .. } => "observe",
            Self::Health { .. } => "health",
            Self::Activate { .. } => "activate",
            Self::Deactivate { .. } => "deactivate",
            Self::Snapshot { .. } => "snapshot",
            Self::Destroy { .. } => "destroy",
            Self::Switch { .. } => "switch",
            Self::Renew { .. } => "renew",
            Self::Confirm => "confirm",
            Self::Setting { .. } => "setting",
            Self::Sample { .. } => "sample",
            Self::Drain { .. } => "drain",
        }
    }

    /// Whether it changes anything in the world.
    pub fn has_effect(&self) -> bool {
        !matches!(
            self,
            Self::Find { .. }
                | Self::Inspect { .. }
                | Self::List
                | Self::Observe { .. }
                | Self::Health { .. }
                | Self::Setting { .. }
                | Self::Sample { .. }
        )
    }
}

/// An error without help.
pub(crate) fn error(kind: ErrorKind, happened: Happened, message: String) -> Error {
    Error { message, help: None, kind, happened }
}

/// Whatever answers calls.
#[async_trait]
pub trait Ask: Send + Sync {
    /// Answers one.
    ///
    /// # Errors
    /// As the provider's method.
    async fn ask(&self, ctx: &Ctx, call: Call) -> Result<Reply>;
}

/// The provider in front of an [`Ask`]; makes all built-in kinds.
#[derive(Clone, Debug)]
pub struct Client<A> {
    ask: A,
    place: Place,
}

impl<A: Ask> Client<A> {
    /// The provider that asks `ask`.
    pub fn new(ask: A) -> Self {
        Self { ask, place: Place::Here }
    }

    /// As [`new`](Self::new), for one of the two.
    pub fn at(place: Place, ask: A) -> Self {
        Self { ask, place }
    }

    async fn done(&self, ctx: &Ctx, call: Call) -> Result<()> {
        match self.ask.ask(ctx, call).await? {
            Reply::Done => Ok(()),
            other => Err(strange(&other)),
        }
    }
}

/// An answer that does not belong to the question: a fault in the transport.
fn strange(reply: &Reply) -> Error {
    error(ErrorKind::Permanent, Happened::Maybe, format!("the simulated world gave another call's answer: {reply:?}"))
}

#[async_trait]
impl<A: Ask> Provider for Client<A> {
    fn schemas(&self) -> &SchemaSet {
        self.place.schemas()
    }

    fn identity(&self) -> &str {
        self.place.identity()
    }

    async fn announce(&self, ctx: &Ctx, head: (u64, Digest)) -> Result<Option<(u64, Digest)>> {
        match self.ask.ask(ctx, Call::Announce { head }).await? {
            Reply::Announced(before) => Ok(before),
            other => Err(strange(&other)),
        }
    }

    async fn create(&self, ctx: &Ctx, request: &Request) -> Result<Created> {
        match self.ask.ask(ctx, Call::Create(Box::new(request.clone()))).await? {
            Reply::Created(created) => Ok(created),
            other => Err(strange(&other)),
        }
    }

    async fn find(&self, ctx: &Ctx, _kind: &str, object: ObjectId) -> Result<Option<Created>> {
        match self.ask.ask(ctx, Call::Find { object }).await? {
            Reply::Found(found) => Ok(found),
            other => Err(strange(&other)),
        }
    }

    async fn inspect(
        &self,
        ctx: &Ctx,
        _kind: &str,
        object: ObjectId,
        declared: Option<&Request>,
    ) -> Result<Option<There>> {
        match self.ask.ask(ctx, Call::Inspect { object, spec: declared.map(|request| request.spec) }).await? {
            Reply::Inspected(there) => Ok(there.map(|there| *there)),
            other => Err(strange(&other)),
        }
    }

    async fn list(&self, ctx: &Ctx) -> Result<Vec<(ObjectId, Arc<str>)>> {
        match self.ask.ask(ctx, Call::List).await? {
            Reply::Listed(all) => Ok(all),
            other => Err(strange(&other)),
        }
    }

    async fn observe(&self, ctx: &Ctx, _kind: &str, object: ObjectId, _handle: &Handle) -> Result<Observation> {
        match self.ask.ask(ctx, Call::Observe { object }).await? {
            Reply::Observed(seen) => Ok(seen),
            other => Err(strange(&other)),
        }
    }

    async fn health(
        &self,
        ctx: &Ctx,
        _kind: &str,
        object: ObjectId,
        _handle: &Handle,
        _policy: &Fields<Value>,
    ) -> Result<Level> {
        match self.ask.ask(ctx, Call::Health { object }).await? {
            Reply::Level(level) => Ok(level),
            other => Err(strange(&other)),
        }
    }

    async fn activate(&self, ctx: &Ctx, _kind: &str, object: ObjectId, _handle: &Handle) -> Result<()> {
        self.done(ctx, Call::Activate { object }).await
    }

    async fn deactivate(&self, ctx: &Ctx, _kind: &str, object: ObjectId, _handle: &Handle) -> Result<()> {
        self.done(ctx, Call::Deactivate { object }).await
    }

    async fn snapshot(
        &self,
        ctx: &Ctx,
        _kind: &str,
        object: ObjectId,
        _handle: &Handle,
        token: Digest,
    ) -> Result<Handle> {
        match self.ask.ask(ctx, Call::Snapshot { object, token }).await? {
            Reply::Copied(handle) => Ok(handle),
            other => Err(strange(&other)),
        }
    }

    async fn destroy(&self, ctx: &Ctx, kind: &str, object: ObjectId, handle: Option<&Handle>) -> Result<bool> {
        match self.ask.ask(ctx, Call::Destroy { kind: Arc::from(kind), object, known: handle.is_some() }).await? {
            Reply::Destroyed { missing } => Ok(missing),
            other => Err(strange(&other)),
        }
    }

    async fn switch(&self, ctx: &Ctx, moves: &[Move], ttl: Duration) -> Result<Vec<u64>> {
        match self.ask.ask(ctx, Call::Switch { moves: moves.to_vec(), ttl }).await? {
            Reply::Switched(epochs) => Ok(epochs),
            other => Err(strange(&other)),
        }
    }

    async fn renew(&self, ctx: &Ctx, ttl: Duration) -> Result<()> {
        self.done(ctx, Call::Renew { ttl }).await
    }

    async fn confirm(&self, ctx: &Ctx) -> Result<()> {
        self.done(ctx, Call::Confirm).await
    }

    async fn setting(&self, ctx: &Ctx, object: ObjectId, _handle: &Handle) -> Result<Option<(u64, Setting)>> {
        match self.ask.ask(ctx, Call::Setting { object }).await? {
            Reply::Setting(setting) => Ok(setting),
            other => Err(strange(&other)),
        }
    }

    async fn sample(&self, ctx: &Ctx, pointer: ObjectId) -> Result<BTreeMap<ObjectId, Sample>> {
        match self.ask.ask(ctx, Call::Sample { pointer }).await? {
            Reply::Sampled(samples) => Ok(samples),
            other => Err(strange(&other)),
        }
    }

    async fn drain(&self, ctx: &Ctx, objects: &[ObjectId], deadline: Duration) -> Result<u64> {
        match self.ask.ask(ctx, Call::Drain { objects: objects.to_vec(), deadline }).await? {
            Reply::Drained { cut } => Ok(cut),
            other => Err(strange(&other)),
        }
    }
}
