//! After the commit: the settings are made permanent, then old objects leave. From recorded state alone, so that a recovery
//! goes the same way. Nothing here fails the apply: what cannot be cleaned up is left over, with a reason.

use super::{Engine, EngineError, Event, Outcome};
use crate::entry::{Body, ConsentKind, Ending, Leftover, RetainReason, Verb, Verdict};
use crate::id::ObjectId;
use crate::plan::{Action, retire};
use crate::provider::{Error, ErrorKind, Setting};
use crate::state::{Object, Phase};
use imm_ir::{Class, Fields, Nature};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

impl Engine {
    pub(super) async fn forward(&mut self, began: Instant) -> Result<Outcome, EngineError> {
        if !matches!(self.open()?.phase, Phase::Watching | Phase::Retiring)
            && let Err(error) = self.confirm_all().await?
        {
            let why = error.message;
            let took_ms = super::build::millis(began.elapsed());
            self.append(
                vec![Body::Finished {
                    ending: Ending::Stuck,
                    leftovers: Vec::new(),
                    took_ms,
                    outage_ms: self.outage_ms,
                }],
                true,
            )?;
            return Ok(Outcome::Stuck { error: String::new(), why, committed: true });
        }
        self.pulse.provisional.store(false, Ordering::Relaxed);
        if self.open()?.phase == Phase::Watching {
            self.failed_watch = self.watch().await?;
        } else if self.open()?.watched == Some(Verdict::Fail) {
            // Its engine died before it could go back.
            self.failed_watch = self.open()?.error.clone();
        }
        let stop = self.signalled(1);
        let leftovers = tokio::select! {
            biased;
            leftovers = self.retire_unless_needed() => leftovers?,
            // What is under way has its intent on disk; the next apply retires what is left.
            () = stop => self.leaving().map(|l| l.end)?
                .into_iter()
                .map(|object| Leftover { object, why: "stopped by a signal; the next apply destroys it".to_owned() })
                .collect(),
        };
        let took_ms = super::build::millis(began.elapsed());
        let named = self.name(&leftovers);
        let generation = self.state().current.unwrap_or(0);
        self.append(
            vec![Body::Finished { ending: Ending::Committed, leftovers, took_ms, outage_ms: self.outage_ms }],
            true,
        )?;
        let outputs = match self.state().generation() {
            Some(g) => self.ledger.load(&g.outputs)?,
            None => Fields::new(),
        };
        Ok(Outcome::Committed { generation, leftovers: named, outputs, took_ms })
    }

    /// Addresses of leftovers, for people.
    pub(super) fn name(&self, leftovers: &[Leftover]) -> Vec<(imm_ir::Addr, String)> {
        let address = |l: &Leftover| self.state().objects.get(&l.object).map(|o| o.address.clone());
        leftovers.iter().filter_map(|l| Some((address(l)?, l.why.clone()))).collect()
    }

    /// Providers that the open apply, or the generation before it, has something on.
    fn concerned(&self) -> Vec<Arc<str>> {
        let state = self.state();
        let used: BTreeSet<&str> = state.objects.values().filter(|o| o.state.exists()).map(|o| &*o.provider).collect();
        self.providers.keys().filter(|name| used.contains(&***name)).cloned().collect()
    }

    /// Makes the settings permanent. Where a provider has gone back by itself, because nobody renewed them, they are set
    /// again first.
    pub(super) async fn confirm_all(&mut self) -> Result<Result<(), Error>, EngineError> {
        let providers = self.concerned();
        let mut remaining = u32::try_from(providers.len()).unwrap_or(u32::MAX);
        if providers.is_empty() {
            let provider = Arc::from("none");
            self.append(vec![Body::Confirmed { provider, remaining: 0 }], true)?;
        }
        for name in providers {
            let mut confirmed = self.confirm_one(&name).await?;
            if matches!(&confirmed, Err(error) if error.kind == ErrorKind::Fenced) {
                // It went back by itself and listens to nothing of before. If it is another engine that took over, it says so again.
                if let Err(error) = self.turn().await {
                    return Ok(Err(error));
                }
                confirmed = self.confirm_one(&name).await?;
            }
            if let Err(error) = confirmed {
                return Ok(Err(error));
            }
            remaining = remaining.saturating_sub(1);
            self.append(vec![Body::Confirmed { provider: name, remaining }], true)?;
        }
        Ok(Ok(()))
    }

    async fn confirm_one(&mut self, name: &Arc<str>) -> Result<Result<(), Error>, EngineError> {
        let Some(provider) = self.providers.get(name).cloned() else { return Ok(Ok(())) };
        let there =
            |id: &ObjectId| self.state().objects.get(id).is_some_and(|o| o.provider == *name && o.state.exists());
        let open = self.state().pointers.iter().filter(|(id, p)| p.provisional && there(id));
        let wanted: Vec<_> = open.map(|(id, p)| (*id, p.epoch, p.setting.clone())).collect();
        let found = match self.found_set(&provider, wanted.iter().map(|(id, ..)| *id)).await {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let gone_back = wanted.into_iter().zip(found).filter_map(|((id, epoch, setting), found)| {
            let now = found.map_or(0, |(now, _)| now);
            (now != epoch).then_some((id, now, setting))
        });
        let moves: Vec<(ObjectId, u64, Setting)> = gone_back.collect();
        if !moves.is_empty()
            && let Err(error) = self.move_batch(name, None, moves, self.limits.settle_retries).await?
        {
            return Ok(Err(error));
        }
        let (ctx, patience) = (self.ctx(self.limits.call_timeout), self.patience(self.limits.settle_retries));
        Ok(patience.call(|| provider.confirm(&ctx)).await)
    }

    /// What is to leave now, by tier.
    fn leaving(&self) -> Result<Leaving, EngineError> {
        let (verb, keep) = self.open().map(|a| (a.started.verb.clone(), a.started.keep))?;
        let reason = match verb {
            Verb::Rollback { .. } | Verb::AutoRollback { .. } => RetainReason::Rollback,
            Verb::Destroy => RetainReason::Destroy,
            Verb::Apply | Verb::Heal | Verb::Drill { .. } | Verb::RecoverOnly => RetainReason::Removed,
        };
        let (in_use, warm) = (self.state().in_use(), self.state().warm(keep));
        let consented = |id: &ObjectId| self.state().consents.contains(&(ConsentKind::DurableDestroy, *id));
        let stood_in = self.stood_in()?;
        let alone = |id: &ObjectId, o: &Object| {
            let holds = o.made_dormant || o.claims.iter().any(|c| c.exclusive);
            holds && o.nature == Nature::Process && (o.state.acts() || stood_in.contains(id))
        };
        let mut leaving = Leaving::default();
        for (id, object) in self.state().objects.iter().filter(|(id, _)| !in_use.contains(id)) {
            match retire::tier(object, warm.contains(id), consented(id)) {
                Some(Action::Retain) => leaving.retained.push(Body::Retained { durable: *id, reason }),
                Some(Action::Release | Action::Forget) => leaving.released.push(*id),
                Some(Action::Warm) => {
                    leaving.drain.insert(*id);
                    if alone(id, object) {
                        leaving.rest.push(*id);
                    }
                }
                Some(Action::Destroy) => {
                    // A durable is out of use before its data goes.
                    if object.class == Class::Durable {
                        leaving.retained.push(Body::Retained { durable: *id, reason });
                    }
                    leaving.drain.insert(*id);
                    leaving.end.insert(*id);
                    if alone(id, object) {
                        leaving.rest.push(*id);
                    }
                }
                Some(_) | None => {}
            }
        }
        Ok(leaving)
    }

    /// What failed its watch is rolled back from: the old objects are needed again.
    async fn retire_unless_needed(&mut self) -> Result<Vec<Leftover>, EngineError> {
        if self.failed_watch.is_some() { Ok(Vec::new()) } else { self.retire().await }
    }

    async fn retire(&mut self) -> Result<Vec<Leftover>, EngineError> {
        let Leaving { retained, released, drain, mut rest, mut end } = self.leaving()?;
        (self.events)(Event::Retiring { objects: drain.len() });
        self.append(retained, true)?;
        let mut leftovers = self.drain(&drain).await?;
        // What could not be drained still has requests in flight.
        for leftover in &leftovers {
            end.remove(&leftover.object);
            rest.retain(|object| *object != leftover.object);
        }
        // What acts by itself, or holds something alone, rests: if it stays warm, and if its end fails. Else it would go on
        // beside its successor.
        rest.retain(|object| !self.state().may_point(*object));
        for (object, error) in self.set_acting(&rest, false, self.limits.settle_retries).await? {
            end.remove(&object);
            leftovers.push(Leftover { object, why: error.message });
        }
        leftovers.extend(self.demolish(end).await?);
        // Content goes last: nothing that binds it is there any more, unless it was left over.
        let free = |object: &ObjectId| self.state().bound_by(*object).is_none();
        let released = released.into_iter().filter(free).map(|object| Body::Released { object }).collect();
        self.append(released, false)?;
        Ok(leftovers)
    }
}

/// What is to leave after a commit.
#[derive(Default)]
struct Leaving {
    /// Durables that nothing declares any more.
    retained: Vec<Body>,
    /// Content.
    released: Vec<ObjectId>,
    /// What nothing must be in flight to.
    drain: BTreeSet<ObjectId>,
    /// Of it, what must not act by itself any more.
    rest: Vec<ObjectId>,
    /// Of it, what is destroyed.
    end: BTreeSet<ObjectId>,
}
