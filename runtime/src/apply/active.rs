//! The active set: lets objects act and stops them, with an intent on disk first. Used forward (handover, final stage), after
//! the commit (what stays warm stops acting) and backward.

use super::build::millis;
use super::call::Patience;
use super::{Engine, EngineError, Event};
use crate::entry::{Body, Proof};
use crate::id::ObjectId;
use crate::plan::Plan;
use crate::provider::{Ctx, Error, ErrorKind, Handle, Happened, Level, Provider};
use futures_util::stream::{FuturesUnordered, StreamExt};
use imm_ir::{Addr, FieldClass, Fields, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long what was told to act may seem to rest.
const RISE: Duration = Duration::from_secs(5);

/// Objects that did not do as they were told, and why.
pub(super) type Unwilling = Vec<(ObjectId, Error)>;

impl Engine {
    /// Lets these objects act, or stops them: all intents in one write, then all calls at once. Answers the ones that failed.
    pub(super) async fn set_acting(
        &mut self,
        objects: &[ObjectId],
        act: bool,
        retries: u32,
    ) -> Result<Unwilling, EngineError> {
        let mut step = self.next_step();
        let (mut intents, mut calls) = (Vec::new(), FuturesUnordered::new());
        let action = if act { "activate" } else { "deactivate" };
        for id in objects.iter().copied() {
            let Some(object) = self.state().objects.get(&id) else { continue };
            let Some(provider) = self.providers.get(&object.provider).cloned() else { continue };
            intents.push(if act {
                Body::IntentActivate { step, object: id }
            } else {
                Body::IntentDeactivate { step, object: id }
            });
            let (kind, handle, address) = (object.kind.clone(), self.handle(id), object.address.clone());
            (self.events)(Event::StepStarted { action, address: address.clone(), object: id });
            let (ctx, patience) = (self.ctx(self.limits.call_timeout), self.patience(retries).for_step(step));
            calls.push(async move {
                let began = Instant::now();
                let result = if act {
                    patience.call(|| provider.activate(&ctx, &kind, id, &handle)).await
                } else {
                    patience.call(|| provider.deactivate(&ctx, &kind, id, &handle)).await
                };
                (id, step, address, result, began)
            });
            step += 1;
        }
        if intents.is_empty() {
            return Ok(Vec::new());
        }
        self.append(intents, true)?;
        let (mut bodies, mut failed) = (Vec::new(), Vec::new());
        while let Some((object, step, address, result, began)) = calls.next().await {
            match result {
                Ok(()) => {
                    self.done(action, &address, object, began);
                    bodies.push(if act {
                        Body::Activated { step, object }
                    } else {
                        Body::Deactivated { step, object, forced: false }
                    });
                }
                Err(error) if error.kind == ErrorKind::Fenced => return Err(EngineError::Provider(error)),
                Err(error) => {
                    self.step_failed(action, &address, object, &error.message);
                    bodies.push(match error.happened {
                        Happened::No => Body::NotHappened { step, object, proof: Proof::ProviderSaid },
                        Happened::Maybe | Happened::Yes => Body::Unknown { step, object, error: error.message.clone() },
                    });
                    failed.push((object, error));
                }
            }
        }
        // The same failure is named whichever answer came first.
        failed.sort_by_key(|(object, _)| *object);
        self.append(bodies, false)?;
        Ok(failed)
    }

    /// Waits until an object that was let act is healthy, as recorded: no plan is needed for it.
    pub(super) async fn wait_healthy(&self, id: ObjectId, timeout: Duration) -> Result<Level, Error> {
        let Some(object) = self.state().objects.get(&id) else { return Ok(Level::Missing) };
        let Some(provider) = self.providers.get(&object.provider) else {
            return Err(super::stage::unprovided(&object.provider));
        };
        let inputs = self.ledger.inputs(object).unwrap_or_default();
        let schema = provider.schemas().get(&object.kind);
        let policy = |name: &str| schema.and_then(|s| s.field(name)).is_some_and(|f| f.class == FieldClass::Policy);
        let policy: Fields<Value> = inputs.into_iter().filter(|(name, _)| policy(name)).collect();
        let patience = Patience { timeout, ..self.patience(self.limits.settle_retries) };
        let ask = Ask {
            provider: Arc::clone(provider),
            ctx: self.ctx(timeout),
            kind: object.kind.clone(),
            object: id,
            handle: self.handle(id),
            policy,
        };
        ask.level(patience).await
    }

    /// The addresses of objects, as people know them.
    pub(super) fn address(&self, id: ObjectId) -> Option<Addr> {
        self.state().objects.get(&id).map(|o| o.address.clone())
    }

    /// Copies what durables hold while nobody writes to them. Each that these objects write to, that wants it, and that was
    /// there before this apply.
    pub(super) async fn snapshot(
        &mut self,
        plan: &Plan,
        addrs: &[Addr],
        consistent: bool,
    ) -> Result<Option<String>, EngineError> {
        let Ok(apply) = self.open().map(|a| a.id) else { return Ok(None) };
        let mut wanted: Vec<(Addr, ObjectId)> = Vec::new();
        for edge in addrs.iter().filter_map(|a| plan.graph.nodes.get(a)).flat_map(|n| &n.edges) {
            let Some((node, planned)) = plan.graph.nodes.get(&edge.to).zip(plan.nodes.get(&edge.to)) else { continue };
            let before = self.state().objects.get(&planned.object).is_some_and(|o| o.made_by != apply);
            let asks = node.known("snapshot") == Some(&Value::tag("before_apply"));
            let taken = wanted.iter().any(|(_, id)| *id == planned.object) || self.copied.contains(&planned.object);
            if asks && before && !taken {
                wanted.push((edge.to.clone(), planned.object));
            }
        }
        for (address, durable) in wanted {
            let Some(object) = self.state().objects.get(&durable) else { continue };
            let Some(provider) = self.providers.get(&object.provider).cloned() else { continue };
            let (kind, handle, step) = (object.kind.clone(), self.handle(durable), self.next_step());
            let token = token(apply, durable);
            self.append(vec![Body::IntentSnapshot { step, durable, token }], true)?;
            let (ctx, patience, began) = (self.ctx(self.limits.call_timeout), self.patience(3), Instant::now());
            match patience.call(|| provider.snapshot(&ctx, &kind, durable, &handle, token)).await {
                Ok(snapshot) => {
                    self.append(vec![Body::SnapshotTaken { step, durable, snapshot, consistent }], true)?;
                    self.copied.insert(durable);
                    let took_ms = millis(began.elapsed());
                    (self.events)(Event::StepDone { action: "snapshot", address, object: durable, took_ms });
                }
                Err(error) if error.kind == ErrorKind::Fenced => return Err(EngineError::Provider(error)),
                Err(error) => {
                    let help = error.help.map_or_else(String::new, |h| format!(" ({h})"));
                    return Ok(Some(format!("{address} cannot be copied: {}{help}", error.message)));
                }
            }
        }
        Ok(None)
    }
}

/// The question how an object is that was told to act.
pub(super) struct Ask {
    pub provider: Arc<dyn Provider>,
    pub ctx: Ctx,
    pub kind: Arc<str>,
    pub object: ObjectId,
    pub handle: Handle,
    pub policy: Fields<Value>,
}

impl Ask {
    /// Asks until it is known. One that was told to act and still rests has not begun yet.
    pub(super) async fn level(self, patience: Patience) -> Result<Level, Error> {
        let began = Instant::now();
        loop {
            let timeout = self.ctx.timeout.saturating_sub(began.elapsed());
            let ctx = Ctx { timeout, ..self.ctx.clone() };
            let ask = || self.provider.health(&ctx, &self.kind, self.object, &self.handle, &self.policy);
            let level = Patience { timeout, ..patience }.call(ask).await?;
            if level != Level::Dormant || began.elapsed() >= self.ctx.timeout.min(RISE) {
                return Ok(level);
            }
            tokio::time::sleep(RISE / 50).await;
        }
    }
}

/// One copy of one durable by one apply, however often it is asked for.
fn token(apply: crate::id::ApplyId, durable: ObjectId) -> imm_ir::Digest {
    let mut out = imm_ir::Encoder::new("imm.snapshot.1");
    out.bytes(&apply.0);
    out.digest(&durable.0);
    out.finish()
}
