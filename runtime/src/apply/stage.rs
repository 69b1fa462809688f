//! From built to committed: levels, late asserts, the stages of the rollout, the one transaction that commits.

use super::call::doubted;
use super::heed::aborted;
use super::window::Window;
use super::{Engine, EngineError, Event, Step, Stop};
use crate::entry::{Body, Commit, Moved, RecordedMove, SwitchIntent, UnwindCause};
use crate::id::ObjectId;
use crate::plan::batches::{Batch, inner_first};
use crate::plan::{Fate, Plan, PlannedSwitch, Start};
use crate::provider::{Error, ErrorKind, Happened, Move, Provider, Setting};
use crate::rollout::{self, Stage, Turn};
use crate::state::ObjectState;
use imm_ir::{Addr, Digest, Encoder, Fields, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What of a pointer's inputs belongs to the rollout itself, and is in force from its first stage on.
const STEERS: [&str; 2] = ["rollout", "sticky"];

impl Engine {
    /// `moved` are pointers that handovers have moved already.
    pub(super) async fn roll_out(&mut self, plan: &Plan, moved: &BTreeSet<ObjectId>) -> Step<()> {
        self.check_asserts(plan)?;
        let moves: Vec<PlannedSwitch> =
            plan.switches.iter().filter(|s| !s.early && !moved.contains(&s.object)).cloned().collect();
        let begins: Vec<(&Addr, ObjectId)> = plan
            .nodes
            .iter()
            .filter(|(_, n)| n.start == Start::Final)
            .filter(|(_, n)| self.state().objects.get(&n.object).is_some_and(|o| o.state == ObjectState::Dormant))
            .map(|(addr, n)| (addr, n.object))
            .collect();
        if moves.is_empty() && begins.is_empty() && plan.rests.is_empty() {
            return self.check_levels(plan).await;
        }
        let of = u32::try_from(plan.rollout.stages.len()).unwrap_or(u32::MAX);
        self.open_windows(&plan.rollout);
        for (number, stage) in (1..).zip(&plan.rollout.stages) {
            self.while_paused().await?;
            self.check_levels(plan).await?;
            let last = number == of;
            self.enter(plan, number, of, stage, &moves)?;
            self.join(plan, &stage.joins).await?;
            let watched = last && plan.graph.policy.watch_ms > 0;
            let compared = !stage.judges.is_empty() || stage.hold_ms > 0 || stage.approve || watched;
            if compared {
                self.look().await?;
                self.windows.iter_mut().for_each(Window::end);
            }
            if last {
                self.change_active_set(plan, &begins).await?;
                self.switch(plan, Some(number), &moves).await?;
            } else {
                self.take_turns(plan, number, &stage.turns, moved).await?;
            }
            self.rest(&stage.leaves).await?;
            if compared {
                self.look().await?;
                self.windows.iter_mut().for_each(Window::begin);
            }
            self.hold(plan, number, of, stage).await?;
        }
        Ok(())
    }

    fn enter(&mut self, plan: &Plan, number: u32, of: u32, stage: &Stage, moves: &[PlannedSwitch]) -> Step<()> {
        let weights: Vec<(ObjectId, u32)> = if number == of {
            moves.iter().map(|s| (s.object, rollout::WHOLE)).collect()
        } else {
            stage.turns.iter().map(|turn| (turn.pointer, turn.weight)).collect()
        };
        for window in &mut self.windows {
            let turned = weights.iter().find(|(pointer, _)| *pointer == window.pointer);
            window.weight = turned.map_or(window.weight, |(_, weight)| *weight);
        }
        let named = weights.iter().filter_map(|(id, weight)| Some((self.address(*id)?, *weight))).collect();
        let (hold_ms, approve) = (stage.hold_ms, stage.approve);
        self.append(vec![Body::StageEntered { stage: number, weights, of, hold_ms, approve }], false)?;
        let gated = plan.rollout.stages.iter().any(|s| !s.judges.is_empty());
        (self.events)(Event::Stage { stage: number, of, weights: named, hold_ms, approve, gated });
        Ok(())
    }

    /// The next batch begins to act, and is proven.
    async fn join(&mut self, plan: &Plan, joins: &[ObjectId]) -> Step<()> {
        if joins.is_empty() {
            return Ok(());
        }
        let failed = self.set_acting(joins, true, 3).await?;
        self.willing(failed, "does not begin to act")?;
        self.check_levels(plan).await
    }

    /// What a batch took over from: drained, then put to rest.
    async fn rest(&mut self, leaves: &[ObjectId]) -> Step<()> {
        if leaves.is_empty() {
            return Ok(());
        }
        let leftovers = self.drain(&leaves.iter().copied().collect()).await?;
        if let Some((address, why)) = self.name(&leftovers).into_iter().next() {
            return Err(Stop::Unwind(UnwindCause::Failed(None), format!("{address} {why}")));
        }
        let failed = self.set_acting(leaves, false, 3).await?;
        self.willing(failed, "does not stop")
    }

    /// Moves pointers as far as a stage says. What is movable beside the targets stays as it was until the last stage.
    async fn take_turns(&mut self, plan: &Plan, number: u32, turns: &[Turn], moved: &BTreeSet<ObjectId>) -> Step<()> {
        let mut settings = Vec::new();
        for turn in turns.iter().filter(|turn| !moved.contains(&turn.pointer)) {
            let mut setting = self.before(turn.pointer);
            let wanted = plan.switches.iter().find(|s| s.object == turn.pointer);
            for (name, term) in wanted.into_iter().flat_map(|s| &s.inputs).filter(|(n, _)| STEERS.contains(&&***n)) {
                setting.inputs.insert(name.clone(), self.fill(plan, term, name)?);
            }
            setting.targets = turn.targets.iter().map(|share| self.target(share)).collect();
            settings.push((turn.pointer, setting));
        }
        self.send(Some(number), settings).await
    }

    /// What acts by itself: the old ones stop, then the new ones begin and are proven. Nobody points at them.
    async fn change_active_set(&mut self, plan: &Plan, begins: &[(&Addr, ObjectId)]) -> Step<()> {
        let failed = self.set_acting(&plan.rests, false, 3).await?;
        self.willing(failed, "does not stop")?;
        let addrs: Vec<Addr> = begins.iter().map(|(addr, _)| (*addr).clone()).collect();
        if let Some(why) = self.snapshot(plan, &addrs, true).await? {
            return Err(Stop::Unwind(UnwindCause::Failed(None), why));
        }
        let objects: Vec<ObjectId> = begins.iter().map(|(_, id)| *id).collect();
        let failed = self.set_acting(&objects, true, 3).await?;
        self.willing(failed, "does not begin to act")?;
        if objects.is_empty() { Ok(()) } else { self.check_levels(plan).await }
    }

    pub(super) fn check_asserts(&mut self, plan: &Plan) -> Step<()> {
        let mut bodies = Vec::new();
        let mut failure = None;
        for assert in &plan.graph.asserts {
            let held = self.fill(plan, &assert.condition, "assert")?.as_bool().unwrap_or(false);
            let operands = Digest::of(&postcard::to_stdvec(&assert.condition).unwrap_or_default());
            bodies.push(Body::Checked { what: format!("assert at {}", assert.loc), ok: held, operands });
            if !held && failure.is_none() {
                failure = Some(format!("{} ({})", assert.message, assert.loc));
            }
        }
        self.append(bodies, false)?;
        failure.map_or(Ok(()), |why| Err(Stop::Unwind(UnwindCause::Failed(None), why)))
    }

    /// Moves pointers, one atomic batch a provider. The intent is on disk before the call.
    pub(super) async fn switch(&mut self, plan: &Plan, stage: Option<u32>, switches: &[PlannedSwitch]) -> Step<()> {
        let mut settings = Vec::with_capacity(switches.len());
        for switch in switches {
            settings.push((switch.object, self.setting(plan, switch)?));
        }
        self.send(stage, settings).await
    }

    async fn send(&mut self, stage: Option<u32>, settings: Vec<(ObjectId, Setting)>) -> Step<()> {
        let mut batches: BTreeMap<Arc<str>, Batch<Setting>> = BTreeMap::new();
        for (pointer, setting) in settings {
            let Some(object) = self.state().objects.get(&pointer) else { continue };
            batches.entry(object.provider.clone()).or_default().push((pointer, setting));
        }
        let leads = |_: &ObjectId, to: &Setting| to.targets.iter().map(|t| t.object).collect();
        for (provider, moves) in inner_first(batches, leads) {
            let moves = moves.into_iter().map(|(id, to)| (id, self.epoch(id), to)).collect();
            if let Err(error) = self.move_batch(&provider, stage, moves, 3).await? {
                let what = "the switch failed";
                return Err(match error.kind {
                    ErrorKind::Epoch => Self::failed("a pointer was moved by somebody else", &error),
                    _other => Self::failed(what, &error),
                });
            }
        }
        Ok(())
    }

    fn epoch(&self, pointer: ObjectId) -> u64 {
        self.state().pointers.get(&pointer).map_or(0, |p| p.epoch)
    }

    /// One batch to one provider. The inner error is the provider's, and recorded; the outer one is ours.
    pub(super) async fn move_batch(
        &mut self,
        provider: &Arc<str>,
        stage: Option<u32>,
        moves: Vec<(ObjectId, u64, Setting)>,
        retries: u32,
    ) -> Result<Result<(), Error>, EngineError> {
        let Some(target) = self.providers.get(provider).cloned() else {
            return Ok(Err(unprovided(provider)));
        };
        let (step, batch) = self.open().map(|a| (a.next_step, a.next_batch))?;
        let recorded = moves.iter().map(|(object, from_epoch, to)| RecordedMove {
            object: *object,
            from_epoch: *from_epoch,
            from: self.state().setting(*object),
            to: to.clone(),
        });
        let ttl = self.limits.ttl;
        let intent = SwitchIntent {
            step,
            batch,
            stage,
            provider: provider.clone(),
            moves: recorded.collect(),
            ttl_ms: super::build::millis(ttl),
            return_to_epoch: moves.iter().map(|(_, epoch, _)| *epoch).collect(),
        };
        let calls: Vec<Move> = moves
            .iter()
            .filter_map(|(object, from_epoch, to)| {
                let known = self.state().objects.get(object)?;
                Some(Move {
                    object: *object,
                    address: known.address.clone(),
                    kind: known.kind.clone(),
                    handle: known.handle.clone().unwrap_or_default(),
                    from_epoch: *from_epoch,
                    to: to.clone(),
                })
            })
            .collect();
        self.append(vec![Body::IntentSwitch(Box::new(intent))], true)?;
        self.pulse.provisional.store(true, Ordering::Relaxed);
        let first = moves.first().map(|(object, ..)| *object);
        match self.call_switch(&target, &calls, ttl, retries).await {
            Ok(epochs) => {
                let moved = calls.iter().zip(epochs).map(|(m, epoch)| Moved { object: m.object, epoch }).collect();
                self.append(vec![Body::Switched { step, batch, moved, provisional: true }], false)?;
                for m in &calls {
                    (self.events)(Event::Switched { address: m.address.clone(), targets: m.to.targets.len() });
                }
                Ok(Ok(()))
            }
            Err(error) => {
                if let Some(object) = first {
                    let settled = match error.happened {
                        Happened::No => Body::NotHappened { step, object, proof: crate::entry::Proof::ProviderSaid },
                        Happened::Maybe | Happened::Yes => Body::Unknown { step, object, error: error.message.clone() },
                    };
                    self.append(vec![settled], false)?;
                }
                Ok(Err(error))
            }
        }
    }

    /// A switch is no call to repeat blindly: when it may have happened, the epochs tell.
    async fn call_switch(
        &self,
        provider: &Arc<dyn Provider>,
        moves: &[Move],
        ttl: Duration,
        retries: u32,
    ) -> Result<Vec<u64>, Error> {
        let ctx = self.ctx(self.limits.call_timeout);
        let once = self.patience(0);
        let (mut tries, mut doubt) = (0, false);
        loop {
            let error = match once.call(|| provider.switch(&ctx, moves, ttl)).await {
                Ok(epochs) => return Ok(epochs),
                Err(error) => error,
            };
            doubt |= error.happened != Happened::No;
            // A wrong epoch may be the work of an earlier attempt of ours.
            let ours = error.kind == ErrorKind::Epoch && doubt;
            if !ours && (error.kind != ErrorKind::Transient || tries >= retries) {
                return Err(doubted(error, doubt));
            }
            tries += 1;
            tokio::time::sleep(Duration::from_millis(100 << tries.min(6))).await;
            if doubt {
                let mut epochs = Vec::with_capacity(moves.len());
                for m in moves {
                    let patience = self.patience(retries);
                    let now = patience.call(|| provider.setting(&ctx, m.object, &m.handle)).await;
                    let now = now.map_err(|e| doubted(e, doubt))?;
                    epochs
                        .extend(now.filter(|(epoch, setting)| *epoch > m.from_epoch && *setting == m.to).map(|n| n.0));
                }
                if epochs.len() == moves.len() {
                    return Ok(epochs);
                }
                if ours {
                    return Err(doubted(error, doubt));
                }
            }
        }
    }

    /// A new object stands for one that was seen missing or changed.
    fn healed(&self, old: Option<ObjectId>, new: ObjectId) -> Option<Body> {
        let old = old.filter(|id| self.state().objects.get(id).is_some_and(|o| o.drifted && o.state.exists()))?;
        let cause = "it was seen missing or changed".to_owned();
        Some(Body::Healed { object: old, run_from: 0, run_to: 0, cause, count: 1, by: Some(new) })
    }

    /// The point from which there is only forward: one transaction that an abort can still stop.
    pub(super) fn commit(&mut self, plan: &Plan) -> Step<()> {
        self.check_stop()?;
        let (apply, parent) = (self.open()?.id, self.state().current);
        let generation = self.state().generations.last_key_value().map_or(0, |(n, _)| *n) + 1;
        let parent_record = self.state().generation().map(|g| (g.format, g.record));
        let record = crate::generation::keep(&mut self.ledger, &plan.graph, parent_record)?;
        let mut outputs = Fields::<Value>::new();
        for output in &plan.graph.outputs {
            let value = self.fill(plan, &output.term, &format!("output {}", output.name))?;
            outputs.insert(output.name.clone(), value);
        }
        let outputs = self.ledger.keep(&outputs)?;
        let before = self.state().generation().map(|g| Arc::clone(&g.objects)).unwrap_or_default();
        let now = |addr| plan.nodes.get(addr).map(|n| &n.object);
        let mut bodies = Vec::new();
        for (addr, planned) in &plan.nodes {
            match &planned.fate {
                Fate::Rename(from) => {
                    bodies.push(Body::Renamed { object: planned.object, from: from.clone(), to: addr.clone() });
                    // One that was retained at its old address is in use again.
                    let state = self.state().objects.get(&planned.object).map(|o| o.state);
                    if state == Some(ObjectState::Retained) {
                        bodies.push(Body::Attached { durable: planned.object, generation });
                    }
                }
                Fate::Attach => bodies.push(Body::Attached { durable: planned.object, generation }),
                Fate::Reuse => {
                    let was = self.state().objects.get(&planned.object).map(|o| o.address.clone());
                    if let Some(from) = was.filter(|from| from != addr) {
                        bodies.push(Body::Renamed { object: planned.object, from, to: addr.clone() });
                    }
                }
                Fate::Create => bodies.extend(self.healed(before.get(addr).copied(), planned.object)),
                Fate::Keep => {}
            }
        }
        let mut root = Encoder::new("imm.generation.1");
        for (addr, planned) in &plan.nodes {
            root.text(addr.as_str());
            root.digest(&planned.object.0);
        }
        let mut settings = Encoder::new("imm.settings.1");
        for (id, pointer) in &self.state().pointers {
            settings.digest(&id.0);
            settings.number(pointer.epoch);
        }
        let added = plan.nodes.iter().filter(|(a, n)| before.get(a) != Some(&n.object));
        bodies.push(Body::Committed(Box::new(Commit {
            generation,
            parent,
            graph_root: plan.graph_root,
            generation_root: root.finish(),
            record,
            added: added.map(|(a, n)| (a.clone(), n.object)).collect(),
            removed: before.iter().map(|(a, _)| a).filter(|a| now(a).is_none()).cloned().collect(),
            settings: settings.finish(),
            outputs,
            abort_checked_to: self.state().signal,
        })));
        match self.ledger.append_commit(apply, bodies, self.state().signal) {
            Ok(()) => {
                self.committed_here = true;
                (self.events)(Event::Committed { generation });
                Ok(())
            }
            Err(error) => match aborted(&error) {
                Some(why) => {
                    let heard = self.unheard()?;
                    self.append(heard, false)?;
                    Err(Stop::Unwind(UnwindCause::Aborted, why))
                }
                None => Err(Stop::Fatal(error.into())),
            },
        }
    }
}

pub(super) fn unprovided(provider: &str) -> Error {
    Error {
        message: format!("there is no provider `{provider}`"),
        help: None,
        kind: ErrorKind::Permanent,
        happened: Happened::No,
    }
}
