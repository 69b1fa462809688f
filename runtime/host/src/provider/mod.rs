//! The engine's way to this platform: kinds `image site container job route volume file secret endpoint`.
//!
//! Images and sites are built in the calling process into the home's store, endpoints are asked from it; everything else is asked of the
//! agent, which is started when it is not there. Read `inputs` (values to requests), `image`, `site`, `endpoint`, `object` (create, look, destroy), `pointer` (switch), `sample`. Decides
//! nothing that the engine or the agent decides.

mod endpoint;
mod failure;
mod handle;
mod image;
mod inputs;
mod journal;
mod object;
mod pointer;
mod sample;
mod site;

pub use handle::copied_to;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use imm_ir::{Digest, Fields, SchemaSet, Value, kinds};
use imm_runtime::id::ObjectId;
use imm_runtime::provider::{
    Bound, Created, Ctx, Freed, Handle, Journal, Level, Move, Observation, Provider, Request, Result, Sample, Setting,
    There,
};

use crate::api::{Announce, LedgerHead};
use crate::client::{Client, ClientError, connect_or_start};
use crate::home::Home;

use failure::{permanent, refused};
use image::Images;
use object::known;

/// Kinds that this platform provides in this version.
///
/// `service` and `worker` are containers by the time that they come here.
const KINDS: [&str; 11] =
    ["container", "endpoint", "file", "image", "job", "route", "secret", "service", "site", "volume", "worker"];

/// The host platform as the engine sees it.
#[derive(Debug)]
pub struct HostProvider {
    home: Home,
    program: OsString,
    schemas: SchemaSet,
    images: Images,
    /// Held while an agent is started: calls that find none at once start one.
    starting: tokio::sync::Mutex<()>,
    /// The last epoch that this process set, by lineage: a confirm must not confirm what replaced it.
    set: Mutex<BTreeMap<String, u64>>,
    samples: Mutex<sample::Seen>,
}

impl HostProvider {
    /// The platform of a home. `program` is run as `program agent run` when no agent is there.
    ///
    /// # Errors
    /// The image store cannot be opened.
    pub fn open(home: &Home, program: impl Into<OsString>) -> std::result::Result<Self, imm_image::ImageError> {
        let all = &kinds::builtin().kinds;
        let provided = all.iter().filter(|(name, _)| KINDS.contains(&&***name));
        Ok(Self {
            home: home.clone(),
            program: program.into(),
            schemas: SchemaSet {
                kinds: provided.map(|(name, kind)| (Arc::clone(name), kind.clone())).collect(),
                ..SchemaSet::default()
            },
            images: Images::open(home)?,
            starting: tokio::sync::Mutex::default(),
            set: Mutex::default(),
            samples: Mutex::default(),
        })
    }

    /// The platform of a module in this folder: bases that its program names by a relative path begin there.
    #[must_use]
    pub fn of_module(self, folder: PathBuf) -> Self {
        Self { images: self.images.below(folder), ..self }
    }

    /// Asks the agent; starts it when nobody listens, in which case nothing was sent yet.
    async fn ask<T, F>(&self, ctx: &Ctx, request: impl Fn(Client) -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, ClientError>>,
    {
        // The agent bounds its own work; this bound is for an agent that hangs.
        let patience = ctx.timeout + Duration::from_secs(15);
        match request(Client::new(&self.home).with_patience(patience)).await {
            Err(ClientError::Unreachable { .. }) => {}
            other => return other.map_err(refused),
        }
        let starting = self.starting.lock().await;
        let client = connect_or_start(&self.home, &self.program).await.map_err(failure::not_started)?;
        drop(starting);
        request(client.with_patience(patience)).await.map_err(refused)
    }

    /// A ledger that has applied something is announced to the agent it was applied with. Another one has nothing of it: all
    /// would be made again beside what runs, and the routes could not be switched.
    async fn check_known(&self, ctx: &Ctx) -> Result<()> {
        let lineage = ctx.lineage.to_string();
        let report = self.ask(ctx, |agent| {
            let lineage = lineage.clone();
            async move { known(agent.lineage(&lineage).await) }
        });
        if report.await?.is_some() {
            return Ok(());
        }
        let home = self.home.root().display();
        Err(permanent(
            format!("what this ledger made is not in {home}: its agent has never heard of lineage {lineage}"),
            Some(
                "set IMM_HOME to the folder that earlier applies used; if that one is lost, `imm lineage take --because TEXT` goes on without it"
                    .to_owned(),
            ),
        ))
    }

    fn remember(&self, ctx: &Ctx, epoch: u64) {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).insert(ctx.lineage.to_string(), epoch);
    }

    fn remembered(&self, ctx: &Ctx) -> Option<u64> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).get(&ctx.lineage.to_string()).copied()
    }
}

#[async_trait]
impl Provider for HostProvider {
    fn schemas(&self) -> &SchemaSet {
        &self.schemas
    }

    fn identity(&self) -> &str {
        "host"
    }

    async fn announce(&self, ctx: &Ctx, head: (u64, Digest)) -> Result<Option<(u64, Digest)>> {
        // The agent must be of this version before the first effect.
        connect_or_start(&self.home, &self.program).await.map_err(failure::not_started)?;
        let announce = Announce { fence: ctx.fence, head: Some(LedgerHead { seq: head.0, hash: head.1 }), take: false };
        let lineage = ctx.lineage.to_string();
        if ctx.generation > 0 {
            self.check_known(ctx).await?;
        }
        let before = self.ask(ctx, |agent| {
            let lineage = lineage.clone();
            async move { agent.announce(&lineage, &announce).await }
        });
        Ok(before.await?.map(|head| (head.seq, head.hash)))
    }

    async fn seen(&self, ctx: &Ctx) -> Result<Option<(u64, Digest)>> {
        let lineage = ctx.lineage.to_string();
        let report = self.ask(ctx, |agent| {
            let lineage = lineage.clone();
            async move { known(agent.lineage(&lineage).await) }
        });
        Ok(report.await?.and_then(|report| report.head).map(|head| (head.seq, head.hash)))
    }

    async fn create(&self, ctx: &Ctx, request: &Request) -> Result<Created> {
        match &*request.kind {
            "image" | "site" => self.images.create(ctx, request).await,
            "endpoint" => endpoint::read(ctx, request).await,
            "container" | "file" | "job" | "route" | "secret" | "volume" => self.create_object(ctx, request).await,
            other => Err(not_provided(other)),
        }
    }

    async fn find(&self, ctx: &Ctx, kind: &str, object: ObjectId) -> Result<Option<Created>> {
        match kind {
            "image" | "site" => self.images.find(ctx, object),
            // Nothing was made, so nothing is found.
            "endpoint" => Ok(None),
            "container" | "file" | "job" | "route" | "secret" | "volume" => self.find_object(ctx, object).await,
            other => Err(not_provided(other)),
        }
    }

    async fn inspect(
        &self,
        ctx: &Ctx,
        kind: &str,
        object: ObjectId,
        declared: Option<&Request>,
    ) -> Result<Option<There>> {
        match kind {
            "image" | "site" => Ok(self.images.find(ctx, object)?.map(There::at_rest)),
            "endpoint" => Ok(None),
            "container" | "file" | "job" | "route" | "secret" | "volume" => {
                self.inspect_object(ctx, object, declared).await
            }
            other => Err(not_provided(other)),
        }
    }

    async fn list(&self, ctx: &Ctx) -> Result<Vec<(ObjectId, Arc<str>)>> {
        self.list_objects(ctx).await
    }

    async fn observe(&self, ctx: &Ctx, kind: &str, object: ObjectId, handle: &Handle) -> Result<Observation> {
        let there = match kind {
            "image" | "site" => self.images.contains(handle)?,
            // It is not ours: what can be told is whether anything answers there.
            "endpoint" => return endpoint::observe(handle).await,
            "container" | "file" | "job" | "route" | "secret" | "volume" => {
                match self.report(ctx, object).await? {
                    Some(report) => return Ok(object::observed(report)),
                    None => {
                        // One that is missing is drift; an agent that has none of it is the wrong one.
                        self.check_known(ctx).await?;
                        false
                    }
                }
            }
            other => return Err(not_provided(other)),
        };
        Ok(if there { Observation::Intact } else { Observation::Missing })
    }

    async fn health(
        &self,
        ctx: &Ctx,
        kind: &str,
        object: ObjectId,
        handle: &Handle,
        policy: &Fields<Value>,
    ) -> Result<Level> {
        match kind {
            "image" | "site" => Ok(if self.images.contains(handle)? { Level::Healthy } else { Level::Missing }),
            "endpoint" => endpoint::health(ctx, handle, policy).await,
            "container" => self.container_health(ctx, object, policy).await,
            "job" => self.job_health(ctx, object).await,
            "file" | "route" | "secret" | "volume" => {
                let there = self.find_object(ctx, object).await?.is_some();
                Ok(if there { Level::Healthy } else { Level::Missing })
            }
            other => Err(not_provided(other)),
        }
    }

    async fn activate(&self, ctx: &Ctx, kind: &str, object: ObjectId, _handle: &Handle) -> Result<()> {
        self.set_activity(ctx, kind, object, true).await
    }

    async fn deactivate(&self, ctx: &Ctx, kind: &str, object: ObjectId, _handle: &Handle) -> Result<()> {
        self.set_activity(ctx, kind, object, false).await
    }

    async fn snapshot(
        &self,
        ctx: &Ctx,
        kind: &str,
        durable: ObjectId,
        _handle: &Handle,
        token: Digest,
    ) -> Result<Handle> {
        match kind {
            "volume" => self.take_snapshot(ctx, durable, token).await,
            // Never changes after it was made.
            "secret" => Ok(handle::of_object(durable)),
            other => Err(not_provided(other)),
        }
    }

    async fn destroy(&self, ctx: &Ctx, kind: &str, object: ObjectId, _handle: Option<&Handle>) -> Result<bool> {
        match kind {
            "image" | "site" => self.images.forget(ctx, object),
            "endpoint" => Ok(false),
            "container" | "file" | "job" | "route" | "secret" | "volume" => self.destroy_object(ctx, object).await,
            other => Err(not_provided(other)),
        }
    }

    async fn switch(&self, ctx: &Ctx, moves: &[Move], ttl: Duration) -> Result<Vec<u64>> {
        self.switch_pointers(ctx, moves, ttl).await
    }

    async fn renew(&self, ctx: &Ctx, ttl: Duration) -> Result<()> {
        self.renew_setting(ctx, ttl).await
    }

    async fn confirm(&self, ctx: &Ctx) -> Result<()> {
        self.confirm_setting(ctx).await
    }

    async fn setting(&self, ctx: &Ctx, object: ObjectId, _handle: &Handle) -> Result<Option<(u64, Setting)>> {
        self.pointer_setting(ctx, object).await
    }

    async fn collect(&self, ctx: &Ctx, needed: &BTreeSet<ObjectId>) -> Result<Freed> {
        self.images.collect(ctx, needed).await
    }

    async fn journal(&self, ctx: &Ctx, merged: &BTreeMap<String, u64>) -> Result<Option<Journal>> {
        self.merge(ctx, merged).await
    }

    async fn sample(&self, ctx: &Ctx, pointer: ObjectId) -> Result<BTreeMap<ObjectId, Sample>> {
        self.sample_pointer(ctx, pointer).await
    }

    async fn drain(&self, ctx: &Ctx, objects: &[ObjectId], deadline: Duration) -> Result<u64> {
        self.drain_objects(ctx, objects, deadline).await
    }
}

fn not_provided(kind: &str) -> imm_runtime::provider::Error {
    permanent(format!("kind `{kind}` is not provided by platform host in this version"), None)
}

/// The object that a handle value stands for.
fn bound<'a>(request: &'a Request, value: &Value) -> Result<&'a Bound> {
    let Value::Node(address) = value else {
        return Err(permanent(format!("{}: a node is expected where {value:?} is given", request.address), None));
    };
    request
        .bound
        .get(address)
        .ok_or_else(|| permanent(format!("{}: {address} is not bound to an object", request.address), None))
}
