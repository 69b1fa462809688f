//! Ending objects, dependents first, several at once: for what retires after a commit and for what a failed apply made. A
//! result goes to the disk with the next intents, or before anything is waited for.

use super::stage::unprovided;
use super::{Engine, EngineError, Event};
use crate::entry::{Body, Leftover, StepId};
use crate::id::ObjectId;
use crate::provider::{ErrorKind, Provider, Result as Called};
use crate::state::ObjectState;
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use imm_ir::{Nature, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

impl Engine {
    /// Waits until nothing is in flight to these objects. What is cut at the deadline is recorded.
    pub(super) async fn drain(&mut self, objects: &BTreeSet<ObjectId>) -> Result<Vec<Leftover>, EngineError> {
        let deadline = self.drain_deadline();
        let mut step = self.next_step();
        let (mut intents, mut calls) = (Vec::new(), FuturesUnordered::new());
        let mut steps = BTreeMap::new();
        let stood_in = self.stood_in()?;
        for id in objects {
            let Some(object) = self.state().objects.get(id) else { continue };
            let busy = matches!(object.state, ObjectState::Running | ObjectState::Leaving) || stood_in.contains(id);
            let Some(provider) = self.providers.get(&object.provider).cloned() else { continue };
            if !busy || object.nature != Nature::Process {
                continue;
            }
            intents.push(Body::IntentDrain { step, object: *id, deadline_ms: super::build::millis(deadline) });
            steps.insert(*id, (step, object.address.clone()));
            let (ctx, patience) = (self.ctx(deadline), self.patience(self.limits.settle_retries));
            let patience = super::call::Patience { timeout: deadline + self.limits.call_timeout, ..patience };
            let id = *id;
            calls.push(async move {
                let began = Instant::now();
                let cut = patience.call(|| provider.drain(&ctx, std::slice::from_ref(&id), deadline)).await;
                (id, cut, super::build::millis(began.elapsed()))
            });
            step += 1;
        }
        if intents.is_empty() {
            return Ok(Vec::new());
        }
        self.append(intents, true)?;
        let (mut bodies, mut leftovers) = (Vec::new(), Vec::new());
        while let Some((object, cut, took_ms)) = calls.next().await {
            let Some((step, address)) = steps.get(&object).cloned() else { continue };
            match cut {
                Ok(in_flight_cut) => {
                    bodies.push(Body::Drained { step, object, in_flight_cut, took_ms });
                    (self.events)(Event::StepDone { action: "drain", address, object, took_ms });
                }
                Err(error) if error.kind == ErrorKind::Fenced => return Err(EngineError::Provider(error)),
                Err(error) => {
                    self.step_failed("drain", &address, object, &error.message);
                    leftovers.push(Leftover { object, why: format!("cannot be drained: {}", error.message) });
                }
            }
        }
        self.append(bodies, false)?;
        Ok(leftovers)
    }

    /// What an earlier batch stopped, and a provider that went back by itself may have let act again: requests may have come
    /// to it since, until the setting that was committed was in force once more.
    pub(super) fn stood_in(&self) -> Result<BTreeSet<ObjectId>, EngineError> {
        let state = self.state();
        let before = self.open()?.before.values().flat_map(|setting| &setting.targets).map(|target| target.object);
        let rests = |id: &ObjectId| state.objects.get(id).is_some_and(|o| o.state == ObjectState::Dormant);
        Ok(before.filter(rests).collect())
    }

    /// As long as the most patient pointer of the open apply says (its `drain` input).
    fn drain_deadline(&self) -> Duration {
        let state = self.state();
        let said = |s: &crate::provider::Setting| s.inputs.get("drain").and_then(Value::as_int);
        let before = state.open_apply().into_iter().flat_map(|a| a.before.values());
        let longest = before.chain(state.pointers.values().map(|p| &p.setting)).filter_map(said).max();
        longest.and_then(|ms| u64::try_from(ms).ok()).map_or(self.limits.drain, Duration::from_millis)
    }

    /// Destroys objects, dependents before what they depend on, as many at once as allowed. What cannot be is left over, and
    /// what it binds with it.
    pub(super) async fn demolish(&mut self, mut open: BTreeSet<ObjectId>) -> Result<Vec<Leftover>, EngineError> {
        let mut leftovers: Vec<Leftover> = Vec::new();
        // What is worth a look: everything at first, then what a destroyed one depended on.
        let mut candidates = open.clone();
        let followers = self.followers(&open);
        let mut calls = Calls::new();
        loop {
            let mut ready = Vec::new();
            while calls.len() + ready.len() < self.limits.parallel.max(1)
                && let Some(id) = candidates.pop_first()
            {
                // Whoever binds or follows it goes first, be it in this set or not.
                if !open.contains(&id) || self.depended_on(id, &open, &followers).is_some() {
                    continue;
                }
                match self.provider_of(id) {
                    Ok(provider) => ready.push((id, provider)),
                    Err(why) => {
                        open.remove(&id);
                        leftovers.push(Leftover { object: id, why });
                    }
                }
            }
            self.destroy(ready, &mut calls)?;
            self.write_noted()?;
            let Some(first) = calls.next().await else { break };
            let mut ended = vec![first];
            while let Some(Some(more)) = calls.next().now_or_never() {
                ended.push(more);
            }
            for Ended { object, .. } in &ended {
                open.remove(object);
                let freed = self.state().objects.get(object);
                candidates.extend(freed.into_iter().flat_map(|o| o.bindings.iter().chain(&o.after)));
            }
            leftovers.extend(self.destroyed(ended)?);
        }
        for id in &open {
            let why = self.depended_on(*id, &open, &followers).unwrap_or_default();
            leftovers.push(Leftover { object: *id, why });
        }
        Ok(leftovers)
    }

    /// Which of these objects come after each.
    fn followers(&self, open: &BTreeSet<ObjectId>) -> BTreeMap<ObjectId, Vec<ObjectId>> {
        let mut followers: BTreeMap<ObjectId, Vec<ObjectId>> = BTreeMap::new();
        for id in open {
            for before in self.state().objects.get(id).into_iter().flat_map(|o| &o.after) {
                followers.entry(*before).or_default().push(*id);
            }
        }
        followers
    }

    /// Why an object cannot go yet.
    fn depended_on(
        &self,
        id: ObjectId,
        open: &BTreeSet<ObjectId>,
        followers: &BTreeMap<ObjectId, Vec<ObjectId>>,
    ) -> Option<String> {
        let state = self.state();
        if state.may_point(id) {
            return Some("a pointer may still point at it".to_owned());
        }
        let after = followers.get(&id).into_iter().flatten().filter(|other| open.contains(other));
        let by = state
            .bound_by(id)
            .or_else(|| after.filter_map(|other| state.objects.get(other)).find(|o| o.state.exists()));
        by.map(|o| format!("{} still needs it", o.address))
    }

    fn provider_of(&self, object: ObjectId) -> Result<Arc<dyn Provider>, String> {
        let name = self.state().objects.get(&object).map(|o| &o.provider);
        let found = name.and_then(|name| self.providers.get(name)).cloned();
        found.ok_or_else(|| unprovided(name.map_or("", |name| name)).message)
    }

    /// One write for all these intents, then their effects.
    fn destroy(&mut self, ready: Vec<(ObjectId, Arc<dyn Provider>)>, calls: &mut Calls) -> Result<(), EngineError> {
        let first = self.next_step();
        let intents =
            ready.iter().zip(first..).map(|((object, _), step)| Body::IntentDestroy { step, object: *object });
        self.append(intents.collect(), true)?;
        for ((object, provider), step) in ready.into_iter().zip(first..) {
            let Some(known) = self.state().objects.get(&object) else { continue };
            let (kind, handle) = (Arc::clone(&known.kind), known.handle.clone());
            let ctx = self.ctx(self.limits.call_timeout);
            let patience = self.patience(self.limits.settle_retries);
            calls.push(Box::pin(async move {
                let began = Instant::now();
                let result = patience.call(|| provider.destroy(&ctx, &kind, object, handle.as_ref())).await;
                Ended { object, step, result, began }
            }));
        }
        Ok(())
    }

    /// Takes down how these ended; answers what is left over.
    fn destroyed(&mut self, ended: Vec<Ended>) -> Result<Vec<Leftover>, EngineError> {
        let (mut bodies, mut leftovers) = (Vec::new(), Vec::new());
        for Ended { object, step, result, began } in ended {
            let Some(address) = self.address(object) else { continue };
            match result {
                Ok(was_missing) => {
                    bodies.push(Body::Destroyed { step, object, was_missing });
                    self.done("destroy", &address, object, began);
                }
                Err(error) if error.kind == ErrorKind::Fenced => return Err(EngineError::Provider(error)),
                Err(error) => {
                    self.step_failed("destroy", &address, object, &error.message);
                    leftovers.push(Leftover { object, why: error.message });
                }
            }
        }
        self.note(bodies)?;
        Ok(leftovers)
    }
}

/// One that was to be destroyed, and how that ended.
struct Ended {
    object: ObjectId,
    step: StepId,
    result: Called<bool>,
    began: Instant,
}

type Calls = FuturesUnordered<Pin<Box<dyn Future<Output = Ended> + Send>>>;
