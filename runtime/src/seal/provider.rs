//! A provider as the engine sees it: what goes in is opened on the way, what comes out is sealed. So the engine, its record
//! and its words never hold a secret in the clear.

use super::{SealError, Vault};
use crate::id::ObjectId;
use crate::provider::{
    Created, Ctx, Error, ErrorKind, Freed, Handle, Happened, Journal, Level, Move, Observation, Provider, Request,
    Result, Sample, Setting, There,
};
use async_trait::async_trait;
use imm_ir::{Digest, Fields, SchemaSet, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A provider behind a ledger's vault.
pub struct Sealed {
    inner: Arc<dyn Provider>,
    vault: Arc<Vault>,
}

impl Sealed {
    /// Puts a provider behind a vault.
    pub fn new(inner: Arc<dyn Provider>, vault: Arc<Vault>) -> Self {
        Self { inner, vault }
    }

    fn created(&self, created: Created) -> Result<Created> {
        let outputs = self.vault.sealed_fields(&created.outputs).map_err(|e| made(&e))?;
        Ok(Created { outputs, ..created })
    }

    fn setting_of(&self, (epoch, setting): (u64, Setting)) -> Result<(u64, Setting)> {
        let inputs = self.vault.sealed_fields(&setting.inputs).map_err(|e| before(&e))?;
        Ok((epoch, Setting { inputs, ..setting }))
    }
}

/// Nothing was asked yet.
fn before(error: &SealError) -> Error {
    Error { message: error.to_string(), help: None, kind: ErrorKind::Permanent, happened: Happened::No }
}

/// It happened, and what it gave cannot be recorded.
fn made(error: &SealError) -> Error {
    Error { happened: Happened::Yes, ..before(error) }
}

#[async_trait]
impl Provider for Sealed {
    fn schemas(&self) -> &SchemaSet {
        self.inner.schemas()
    }

    fn identity(&self) -> &str {
        self.inner.identity()
    }

    async fn announce(&self, ctx: &Ctx, head: (u64, Digest)) -> Result<Option<(u64, Digest)>> {
        self.inner.announce(ctx, head).await
    }

    async fn seen(&self, ctx: &Ctx) -> Result<Option<(u64, Digest)>> {
        self.inner.seen(ctx).await
    }

    async fn create(&self, ctx: &Ctx, request: &Request) -> Result<Created> {
        let inputs = self.vault.opened_fields(&request.inputs).map_err(|e| before(&e))?;
        self.created(self.inner.create(ctx, &Request { inputs, ..request.clone() }).await?)
    }

    async fn find(&self, ctx: &Ctx, kind: &str, object: ObjectId) -> Result<Option<Created>> {
        self.inner.find(ctx, kind, object).await?.map(|found| self.created(found)).transpose()
    }

    async fn inspect(
        &self,
        ctx: &Ctx,
        kind: &str,
        object: ObjectId,
        declared: Option<&Request>,
    ) -> Result<Option<There>> {
        let open = |request: &Request| -> Result<Request> {
            let inputs = self.vault.opened_fields(&request.inputs).map_err(|e| before(&e))?;
            Ok(Request { inputs, ..request.clone() })
        };
        let declared = declared.map(open).transpose()?;
        let Some(there) = self.inner.inspect(ctx, kind, object, declared.as_ref()).await? else { return Ok(None) };
        let setting = there.setting.map(|s| self.setting_of(s)).transpose()?;
        Ok(Some(There { created: self.created(there.created)?, setting, ..there }))
    }

    async fn list(&self, ctx: &Ctx) -> Result<Vec<(ObjectId, Arc<str>)>> {
        self.inner.list(ctx).await
    }

    async fn observe(&self, ctx: &Ctx, kind: &str, object: ObjectId, handle: &Handle) -> Result<Observation> {
        self.inner.observe(ctx, kind, object, handle).await
    }

    async fn health(
        &self,
        ctx: &Ctx,
        kind: &str,
        object: ObjectId,
        handle: &Handle,
        policy: &Fields<Value>,
    ) -> Result<Level> {
        let policy = self.vault.opened_fields(policy).map_err(|e| before(&e))?;
        self.inner.health(ctx, kind, object, handle, &policy).await
    }

    async fn activate(&self, ctx: &Ctx, kind: &str, object: ObjectId, handle: &Handle) -> Result<()> {
        self.inner.activate(ctx, kind, object, handle).await
    }

    async fn deactivate(&self, ctx: &Ctx, kind: &str, object: ObjectId, handle: &Handle) -> Result<()> {
        self.inner.deactivate(ctx, kind, object, handle).await
    }

    async fn snapshot(
        &self,
        ctx: &Ctx,
        kind: &str,
        durable: ObjectId,
        handle: &Handle,
        token: Digest,
    ) -> Result<Handle> {
        self.inner.snapshot(ctx, kind, durable, handle, token).await
    }

    async fn destroy(&self, ctx: &Ctx, kind: &str, object: ObjectId, handle: Option<&Handle>) -> Result<bool> {
        self.inner.destroy(ctx, kind, object, handle).await
    }

    async fn switch(&self, ctx: &Ctx, moves: &[Move], ttl: Duration) -> Result<Vec<u64>> {
        let open = |m: &Move| {
            let inputs = self.vault.opened_fields(&m.to.inputs)?;
            Ok(Move { to: Setting { inputs, targets: m.to.targets.clone() }, ..m.clone() })
        };
        let moves: Vec<Move> =
            moves.iter().map(open).collect::<std::result::Result<_, SealError>>().map_err(|e| before(&e))?;
        self.inner.switch(ctx, &moves, ttl).await
    }

    async fn renew(&self, ctx: &Ctx, ttl: Duration) -> Result<()> {
        self.inner.renew(ctx, ttl).await
    }

    async fn confirm(&self, ctx: &Ctx) -> Result<()> {
        self.inner.confirm(ctx).await
    }

    async fn setting(&self, ctx: &Ctx, object: ObjectId, handle: &Handle) -> Result<Option<(u64, Setting)>> {
        self.inner.setting(ctx, object, handle).await?.map(|found| self.setting_of(found)).transpose()
    }

    async fn collect(&self, ctx: &Ctx, needed: &BTreeSet<ObjectId>) -> Result<Freed> {
        self.inner.collect(ctx, needed).await
    }

    async fn journal(&self, ctx: &Ctx, merged: &BTreeMap<String, u64>) -> Result<Option<Journal>> {
        self.inner.journal(ctx, merged).await
    }

    async fn sample(&self, ctx: &Ctx, pointer: ObjectId) -> Result<BTreeMap<ObjectId, Sample>> {
        self.inner.sample(ctx, pointer).await
    }

    async fn drain(&self, ctx: &Ctx, objects: &[ObjectId], deadline: Duration) -> Result<u64> {
        self.inner.drain(ctx, objects, deadline).await
    }
}
