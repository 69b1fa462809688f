//! Undoing an apply before its commit, from recorded state alone: pointers back, new objects drained, then destroyed;
//! durables retained, content released. Idempotent: run again after a crash, it finishes what is left.

use super::{Engine, EngineError, Event, Outcome};
use crate::entry::{Body, Ending, Leftover, RetainReason, UnwindCause};
use crate::id::ObjectId;
use crate::provider::{Error, ErrorKind};
use crate::state::{ObjectState, Phase};
use imm_ir::{Class, CreateMode, FindMode, Nature};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

impl Engine {
    pub(super) async fn unwind(
        &mut self,
        cause: UnwindCause,
        error: &str,
        began: Instant,
    ) -> Result<Outcome, EngineError> {
        (self.events)(Event::Unwinding);
        if self.open()?.phase != Phase::Unwinding {
            self.append(vec![Body::UnwindStarted { cause, error: error.to_owned() }], true)?;
        }
        // One signal may have begun this; the next one ends it at once.
        let second = self.signalled(2);
        let undone = tokio::select! {
            biased;
            () = second => return Err(EngineError::Interrupted),
            undone = self.undo() => undone?,
        };
        self.provisional.store(false, Ordering::Relaxed);
        let error = self.open()?.error.clone().unwrap_or_else(|| error.to_owned());
        let took_ms = super::build::millis(began.elapsed());
        match undone {
            Ok(leftovers) => {
                let named = self.name(&leftovers);
                self.append(
                    vec![Body::Finished { ending: Ending::RolledBack, leftovers, took_ms, outage_ms: self.outage_ms }],
                    true,
                )?;
                Ok(Outcome::RolledBack { error, leftovers: named, took_ms })
            }
            Err((why, leftovers)) => {
                self.append(
                    vec![Body::Finished { ending: Ending::Stuck, leftovers, took_ms, outage_ms: self.outage_ms }],
                    true,
                )?;
                Ok(Outcome::Stuck { error, why, committed: false })
            }
        }
    }

    /// The inner error is what could not be settled: nothing more is destroyed after it.
    async fn undo(&mut self) -> Result<Result<Vec<Leftover>, (String, Vec<Leftover>)>, EngineError> {
        if let Err(error) = self.pointers_back().await? {
            return self.given_up(error);
        }
        let before: BTreeSet<ObjectId> =
            self.open()?.before.values().flat_map(|s| s.targets.iter().map(|t| t.object)).collect();
        let exposed: BTreeSet<ObjectId> = self.open()?.exposed.difference(&before).copied().collect();
        let stuck = |this: &Self, leftovers: Vec<Leftover>| {
            let named = this.name(&leftovers);
            let why: Vec<String> = named.iter().map(|(addr, why)| format!("{addr}: {why}")).collect();
            Ok(Err((why.join("; "), leftovers)))
        };
        let undrained = self.drain(&exposed).await?;
        if !undrained.is_empty() {
            return stuck(self, undrained);
        }
        let unsettled = self.settle_durables().await?;
        if !unsettled.is_empty() {
            return stuck(self, unsettled);
        }
        let (mut end, mut released, mut unknown) = (BTreeSet::new(), Vec::new(), Vec::new());
        let made_by = self.open()?.id;
        for (id, object) in self.state().objects.iter().filter(|(_, o)| o.made_by == made_by && o.state.exists()) {
            let unfindable = object.create == CreateMode::Once && object.find == FindMode::None;
            match (object.class, object.nature) {
                (Class::Durable, _) if object.state == ObjectState::Retained => {}
                (Class::External, _) | (Class::Resource, Nature::Content) => {
                    released.push(Body::Released { object: *id });
                }
                // Nobody can tell whether it is there, nor name it: it stays unknown.
                _any if unfindable && Self::is_open(object.state) => {
                    unknown.push(Leftover { object: *id, why: "it may have been made, and cannot be found".into() });
                }
                _any => {
                    end.insert(*id);
                }
            }
        }
        let failed = self.demolish(end).await?;
        if !failed.is_empty() {
            return stuck(self, failed);
        }
        self.append(released, false)?;
        Ok(Ok(unknown))
    }

    fn given_up<T>(&self, error: Error) -> Result<Result<T, (String, Vec<Leftover>)>, EngineError> {
        if error.kind == ErrorKind::Fenced {
            Err(EngineError::Provider(error))
        } else {
            Ok(Err((error.message, Vec::new())))
        }
    }

    /// Sets every pointer that this apply touched to what it was before. Also one whose switch was never acknowledged: a
    /// switch that changes nothing still raises the epoch, so a late one can no longer take effect.
    async fn pointers_back(&mut self) -> Result<Result<(), Error>, EngineError> {
        let mut batches: BTreeMap<Arc<str>, Vec<ObjectId>> = BTreeMap::new();
        for (id, setting) in &self.open()?.before {
            let state = self.state();
            let Some((object, pointer)) = state.objects.get(id).zip(state.pointers.get(id)) else { continue };
            let back = pointer.pending.is_empty() && !pointer.provisional && pointer.setting == *setting;
            if object.state.exists() && object.state != ObjectState::Destroying && !back {
                batches.entry(object.provider.clone()).or_default().push(*id);
            }
        }
        for (name, pointers) in batches {
            let Some(provider) = self.providers.get(&name).cloned() else {
                return Ok(Err(super::stage::unprovided(&name)));
            };
            let ctx = self.ctx(self.limits.call_timeout);
            let mut moves = Vec::new();
            for id in pointers {
                let handle = self.handle(id);
                let patience = self.patience(self.limits.settle_retries);
                let now = match patience.call(|| provider.setting(&ctx, id, &handle)).await {
                    Ok(now) => now.map_or(0, |(epoch, _)| epoch),
                    Err(error) => return Ok(Err(error)),
                };
                let before = self.open()?.before.get(&id).cloned().unwrap_or_default();
                moves.push((id, now, before));
            }
            if let Err(error) = self.move_batch(&name, None, moves, self.limits.settle_retries).await? {
                return Ok(Err(error));
            }
            let patience = self.patience(self.limits.settle_retries);
            if let Err(error) = patience.call(|| provider.confirm(&ctx)).await {
                return Ok(Err(error));
            }
            self.append(vec![Body::Confirmed { provider: name, remaining: 0 }], true)?;
        }
        Ok(Ok(()))
    }

    /// A durable this apply made is kept. One whose create was never acknowledged is looked for; only what is not there
    /// gets a tombstone.
    async fn settle_durables(&mut self) -> Result<Vec<Leftover>, EngineError> {
        let made_by = self.open()?.id;
        let mut leftovers = Vec::new();
        let mine: Vec<_> = self
            .state()
            .objects
            .iter()
            .filter(|(_, o)| o.made_by == made_by && o.class == Class::Durable && o.state.exists())
            .map(|(id, o)| (*id, o.state, o.kind.clone(), o.provider.clone()))
            .collect();
        for (id, state, kind, provider) in mine {
            let retained = Body::Retained { durable: id, reason: RetainReason::Unwind };
            if !Self::is_open(state) {
                if state == ObjectState::Attached {
                    self.append(vec![retained], true)?;
                }
                continue;
            }
            let Some(provider) = self.providers.get(&provider).cloned() else { continue };
            let (ctx, patience) = (self.ctx(self.limits.call_timeout), self.patience(self.limits.settle_retries));
            match patience.call(|| provider.find(&ctx, &kind, id)).await {
                Ok(Some(found)) => {
                    let step = self.next_step();
                    let created = Body::Created {
                        step,
                        object: id,
                        handle: found.handle,
                        outputs: found.outputs,
                        tainted: found.tainted,
                        found: true,
                    };
                    self.append(vec![created, retained], true)?;
                }
                // Not there: what follows for all others leaves its token as a tombstone.
                Ok(None) => {}
                Err(error) if error.kind == ErrorKind::Fenced => return Err(EngineError::Provider(error)),
                Err(error) => leftovers.push(Leftover { object: id, why: error.message }),
            }
        }
        Ok(leftovers)
    }
}
