//! Building: everything new is made and verified, as much at once as allowed. All intents that are ready go to disk in one
//! write before their effects begin, together with the results that made them ready; results that make nothing ready are
//! written before anything is waited for.

use super::active::Ask;
use super::call::Patience;
use super::job::Ran;
use super::progress::Progress;
use super::{Engine, EngineError, Event, Step, Stop};
use crate::entry::{Body, CreateIntent, UnwindCause};
use crate::id::ObjectId;
use crate::ledger::LedgerError;
use crate::plan::start::Job;
use crate::plan::{Action, Fate, Plan, Planned, Start, Undo};
use crate::provider::{
    Created, Ctx, Error, ErrorKind, Happened, Level, Observation, Provider, Request, Result as Called,
};
use crate::state::ObjectState;
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use imm_ir::{Addr, Class, CreateMode, Digest, FieldClass, Fields, FindMode, Nature, Node, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Inputs up to this size are part of the entry: a blob of their own costs more than they do.
const INLINE: usize = 256;

/// Something under way came to an end.
pub(super) enum Done {
    Created(Addr, u32, Called<Created>, Instant),
    Verified(Addr, u32, Called<Level>, Instant),
    Ran(Addr, u32, Called<Ran>, Instant),
}

/// How often words of other processes are looked for while something is under way.
const HEED: Duration = Duration::from_millis(200);

pub(super) type Work = FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>;

impl Engine {
    /// Answers the pointers that handovers have moved already.
    pub(super) async fn build(&mut self, plan: &Plan) -> Step<BTreeSet<ObjectId>> {
        let mut progress = Progress::new(plan);
        loop {
            self.check_stop()?;
            self.bind_early(plan, &mut progress).await?;
            self.launch(plan, &mut progress).await?;
            self.write_noted()?;
            if !progress.work.is_empty() {
                self.next_results(plan, &mut progress).await?;
                continue;
            }
            // Nothing that costs nothing to undo is ready or under way: the next dearer step, cheapest first.
            let group = Self::next_handover(plan, &progress);
            if !group.is_empty() {
                self.hand_over(plan, &group, &mut progress).await?;
            } else if let Some((_, job)) = progress.jobs.pop_first() {
                self.start_job(plan, &job, &mut progress).await?;
            } else {
                break;
            }
        }
        match progress.stuck(plan) {
            Some(addr) => {
                Err(Stop::Unwind(UnwindCause::Failed(None), format!("{addr} waits for something that never comes")))
            }
            None => Ok(progress.moved),
        }
    }

    /// Waits for what is under way, and starts nothing new but what follows from it.
    pub(super) async fn finish_work(&mut self, plan: &Plan, progress: &mut Progress) -> Step<()> {
        while !progress.work.is_empty() {
            self.next_results(plan, progress).await?;
        }
        Ok(())
    }

    async fn next_results(&mut self, plan: &Plan, progress: &mut Progress) -> Step<()> {
        self.write_noted()?;
        let mut results: Vec<Done> = loop {
            match tokio::time::timeout(HEED, progress.work.next()).await {
                Ok(next) => break next.into_iter().collect(),
                Err(_) => self.check_stop()?,
            }
        };
        while let Some(Some(more)) = progress.work.next().now_or_never() {
            results.push(more);
        }
        self.take_results(plan, progress, results)
    }

    /// Starts everything that is ready and costs nothing to undo.
    async fn launch(&mut self, plan: &Plan, progress: &mut Progress) -> Step<()> {
        let room = self.limits.parallel.saturating_sub(progress.work.len());
        let ready = progress.take(room);
        self.launch_these(plan, ready, progress)?;
        // What does nothing to anybody need not wait for others.
        while progress.jobs.first().is_some_and(|(cost, _)| *cost == Undo::Free)
            && let Some((_, job)) = progress.jobs.pop_first()
        {
            self.start_job(plan, &job, progress).await?;
        }
        Ok(())
    }

    /// Starts to make these: one write for all their intents, then their effects.
    pub(super) fn launch_these(&mut self, plan: &Plan, ready: Vec<Addr>, progress: &mut Progress) -> Step<()> {
        let mut step = self.next_step();
        let (mut intents, mut starts) = (Vec::new(), Vec::new());
        for addr in ready {
            let Some((planned, node)) = plan.nodes.get(&addr).zip(plan.graph.nodes.get(&addr)) else { continue };
            if planned.fate == Fate::Reuse {
                self.verify(plan, &addr, planned.object, step, progress)?;
                step += 1;
                continue;
            }
            let request = self.request(plan, &addr, planned, node)?;
            let inputs = self.recorded_inputs(&request.inputs)?;
            let Some(intent) = self.intent(plan, (planned, node), step, &request, inputs) else { continue };
            starts.push((addr, request, intent.create, intent.find, node, step));
            intents.push(Body::IntentCreate(Box::new(intent)));
            step += 1;
        }
        if intents.is_empty() {
            return Ok(());
        }
        self.append(intents, true)?;
        for (addr, request, create, find, node, step) in starts {
            let action = making(Some(node));
            (self.events)(Event::StepStarted { action, address: addr.clone(), object: request.object });
            let Some(provider) = self.providers.get(&node.provider).cloned() else { continue };
            let timeout = Duration::from_millis(node.with.timeout_ms);
            let patience = Patience { retries: node.with.retries, timeout, ..self.patience(0) }.for_step(step);
            let ctx = self.ctx(timeout);
            progress.work.push(Box::pin(async move {
                let began = Instant::now();
                let made = make(provider, ctx, request, create, find, patience).await;
                Done::Created(addr, step, made, began)
            }));
        }
        Ok(())
    }

    pub(super) fn intent(
        &self,
        plan: &Plan,
        (planned, node): (&Planned, &Node),
        step: u32,
        request: &Request,
        (inputs, inline): (Digest, Vec<u8>),
    ) -> Option<CreateIntent> {
        let schema = self.schema(node)?;
        let movable = |name: &str| schema.field(name).is_some_and(|f| f.class == FieldClass::Movable);
        let recorded = |name: &str| match (node.class, schema.nature) {
            (Class::Durable, _) => movable(name),
            (_, Nature::Job) => Job::RECORDED.contains(&name),
            _other => false,
        };
        let cells = request.inputs.iter().filter(|(name, _)| recorded(name)).map(|(n, v)| (n.clone(), v.clone()));
        let object_at = |a: &Addr| plan.nodes.get(a).map(|n| n.object);
        Some(CreateIntent {
            step,
            object: planned.object,
            address: request.address.clone(),
            class: node.class,
            nature: schema.nature,
            kind: node.kind.clone(),
            spec: planned.spec,
            bindings: planned.bindings.clone(),
            after: planned.after.iter().filter_map(object_at).filter(|o| !planned.bindings.contains(o)).collect(),
            serial: planned.serial,
            provider: node.provider.clone(),
            schema_version: 1,
            inputs,
            cells: cells.collect(),
            claims: planned.claims.clone(),
            create: schema.create,
            find: schema.find,
            dormant: request.dormant,
            inline,
        })
    }

    /// How inputs are recorded: their name, and themselves where they are short.
    pub(super) fn recorded_inputs(&mut self, inputs: &Fields<Value>) -> Result<(Digest, Vec<u8>), EngineError> {
        let bytes = postcard::to_stdvec(inputs).map_err(LedgerError::from)?;
        let name = Digest::of(&bytes);
        if bytes.len() <= INLINE {
            return Ok((name, bytes));
        }
        self.ledger.keep_bytes(name, bytes);
        Ok((name, Vec::new()))
    }

    pub(super) fn verify(
        &self,
        plan: &Plan,
        addr: &Addr,
        object: ObjectId,
        step: u32,
        progress: &Progress,
    ) -> Step<()> {
        let Some(node) = plan.graph.nodes.get(addr) else { return Ok(()) };
        let Some(provider) = self.providers.get(&node.provider).cloned() else { return Ok(()) };
        (self.events)(Event::StepStarted { action: "verify", address: addr.clone(), object });
        let timeout = Duration::from_millis(node.with.timeout_ms).min(progress.bound.unwrap_or(Duration::MAX));
        let (ctx, handle, policy) = (self.ctx(timeout), self.handle(object), self.policy(plan, addr)?);
        let (addr, kind) = (addr.clone(), node.kind.clone());
        let rests = self.state().objects.get(&object).is_some_and(|o| o.state == ObjectState::Dormant);
        let (nature, find) =
            self.schema(node).map_or((Nature::Plain, FindMode::Exact), |schema| (schema.nature, schema.find));
        let patience = Patience { retries: node.with.retries, timeout, ..self.patience(0) }.for_step(step);
        progress.work.push(Box::pin(async move {
            let began = Instant::now();
            let level = match nature {
                Nature::Process if !rests => Ask { provider, ctx, kind, object, handle, policy }.level(patience).await,
                // It is there or it is not; where no look by the token tells, one by the handle does.
                Nature::Job | Nature::Content | Nature::Plain if find == FindMode::None => {
                    let look = || provider.observe(&ctx, &kind, object, &handle);
                    patience.call(look).await.map(|seen| match seen {
                        Observation::Intact => Level::Healthy,
                        Observation::Changed(_) => Level::Unhealthy("it was changed".to_owned()),
                        Observation::Missing => Level::Missing,
                    })
                }
                Nature::Process | Nature::Job | Nature::Content | Nature::Plain => patience
                    .call(|| provider.find(&ctx, &kind, object))
                    .await
                    .map(|found| if found.is_some() { Level::Healthy } else { Level::Missing }),
            };
            Done::Verified(addr, step, level, began)
        }));
        Ok(())
    }

    /// Writes results down and starts what follows from them. The first failure ends the building.
    fn take_results(&mut self, plan: &Plan, progress: &mut Progress, results: Vec<Done>) -> Step<()> {
        let mut bodies = Vec::new();
        // That a job has ended is not to be lost.
        let (mut verify, mut failure, mut sync) = (Vec::new(), None, false);
        for result in results {
            match result {
                Done::Created(addr, step, result, began) => {
                    let Some(planned) = plan.nodes.get(&addr) else { continue };
                    let (object, node) = (planned.object, plan.graph.nodes.get(&addr));
                    match result {
                        Ok(Created { handle, outputs, tainted }) => {
                            self.done(making(node), &addr, object, began);
                            if let Some(why) = &tainted {
                                failure.get_or_insert_with(|| format!("{addr} was made but is not usable: {why}"));
                            }
                            bodies.push(Body::Created { step, object, handle, outputs, tainted, found: false });
                            let nature = node.and_then(|n| self.schema(n)).map(|s| s.nature);
                            match (&planned.start, nature) {
                                (Start::Job(job), _) => _ = progress.jobs.insert((job.cost(), addr)),
                                (Start::Handover(handover), _) if !handover.stop_first && !progress.drill => {
                                    progress.made.insert(addr);
                                }
                                // It rests until the final stage; nothing that needs it waits for that.
                                (Start::Final | Start::Rolling | Start::Handover(_), _) if planned.start.dormant() => {
                                    progress.finish(addr);
                                }
                                (_, Some(Nature::Process)) => verify.push((addr, object, step)),
                                _plain => progress.finish(addr),
                            }
                        }
                        Err(error) => {
                            self.step_failed(making(node), &addr, object, &error.message);
                            if error.kind == ErrorKind::Fenced {
                                return Err(Self::failed(addr.as_str(), &error));
                            }
                            bodies.push(not_made(step, object, &error));
                            let help = error.help.map_or_else(String::new, |h| format!(" ({h})"));
                            failure.get_or_insert_with(|| format!("{addr}: {}{help}", error.message));
                        }
                    }
                }
                Done::Verified(addr, step, level, began) => {
                    let Some(planned) = plan.nodes.get(&addr) else { continue };
                    let object = planned.object;
                    let rests = self.state().objects.get(&object).is_some_and(|o| o.state == ObjectState::Dormant);
                    match level {
                        Ok(Level::Healthy) => {
                            self.done("verify", &addr, object, began);
                            let took_ms = millis(began.elapsed());
                            bodies.push(Body::Verified { step, object, took_ms });
                            if rests && matches!(planned.start, Start::Handover(_)) && !progress.drill {
                                progress.made.insert(addr);
                            } else {
                                progress.finish(addr);
                            }
                        }
                        other => {
                            let mut why = unhealthy(&addr, &other);
                            if progress.bound.is_some() {
                                why.push_str(", and nobody serves meanwhile: see `max_outage`");
                            }
                            self.step_failed("verify", &addr, object, &why);
                            failure.get_or_insert(why);
                        }
                    }
                }
                Done::Ran(addr, step, ran, began) => {
                    let Some(object) = plan.nodes.get(&addr).map(|n| n.object) else { continue };
                    let why = match ran {
                        Ok(ran) => {
                            bodies.push(ran.record(step, object));
                            sync = true;
                            ran.failure(&addr)
                        }
                        Err(error) if error.kind == ErrorKind::Fenced => {
                            return Err(Self::failed(addr.as_str(), &error));
                        }
                        Err(error) => Some(format!("{addr}: {}", error.message)),
                    };
                    match why {
                        None => {
                            self.done("run", &addr, object, began);
                            progress.finish(addr);
                        }
                        Some(why) => {
                            self.step_failed("run", &addr, object, &why);
                            failure.get_or_insert(why);
                        }
                    }
                }
            }
        }
        if sync {
            self.append(bodies, true)?;
        } else {
            self.note(bodies)?;
        }
        if let Some(why) = failure {
            return Err(Stop::Unwind(UnwindCause::Failed(None), why));
        }
        for (addr, object, step) in verify {
            self.verify(plan, &addr, object, step, progress)?;
        }
        Ok(())
    }

    /// A pointer that is itself new is set as soon as its targets are verified, so that what uses it can be verified too.
    async fn bind_early(&mut self, plan: &Plan, progress: &mut Progress) -> Step<()> {
        let now = std::mem::take(&mut progress.bindable);
        if now.is_empty() { Ok(()) } else { self.switch(plan, None, &now).await }
    }

    pub(super) fn done(&self, action: &'static str, address: &Addr, object: ObjectId, began: Instant) {
        let took_ms = millis(began.elapsed());
        (self.events)(Event::StepDone { action, address: address.clone(), object, took_ms });
    }

    pub(super) fn step_failed(&self, action: &'static str, address: &Addr, object: ObjectId, error: &str) {
        (self.events)(Event::StepFailed { action, address: address.clone(), object, error: error.to_owned() });
    }

    /// Whether every process among these objects and what they bind is healthy now. A level, not an event: what was verified
    /// may have died since.
    pub(super) async fn check_levels(&mut self, plan: &Plan) -> Step<()> {
        let mut wanted: BTreeSet<ObjectId> =
            plan.switches.iter().flat_map(|s| s.targets.iter().map(|(_, id)| *id)).collect();
        let fresh = plan.nodes.values().filter(|n| n.start == Start::Final && n.fate != Fate::Keep);
        wanted.extend(fresh.map(|n| n.object));
        wanted.extend(&plan.proves);
        let mut open: Vec<ObjectId> = wanted.iter().copied().collect();
        while let Some(id) = open.pop() {
            let bound = self.state().objects.get(&id).map(|o| o.bindings.clone()).unwrap_or_default();
            open.extend(bound.into_iter().filter(|b| wanted.insert(*b)));
        }
        let mut calls = FuturesUnordered::new();
        let by_object: BTreeMap<ObjectId, &Addr> = plan.nodes.iter().map(|(a, n)| (n.object, a)).collect();
        for id in wanted {
            let Some(object) = self.state().objects.get(&id) else { continue };
            let acts = object.nature == Nature::Process && object.state != ObjectState::Dormant;
            let Some(addr) = by_object.get(&id).copied().filter(|_| acts) else { continue };
            let Some(provider) = self.providers.get(&object.provider).cloned() else { continue };
            let timeout = plan
                .graph
                .nodes
                .get(addr)
                .map_or(self.limits.call_timeout, |n| Duration::from_millis(n.with.timeout_ms));
            let (ctx, kind, handle, policy) =
                (self.ctx(timeout), object.kind.clone(), self.handle(id), self.policy(plan, addr)?);
            let patience = Patience { timeout, ..self.patience(3) };
            let kept = plan.nodes.get(addr).is_some_and(|n| n.fate != Fate::Create) && !plan.proves.contains(&id);
            calls.push(async move {
                let level = Ask { provider, ctx, kind, object: id, handle, policy }.level(patience).await;
                (addr, kept, level)
            });
        }
        let mut failure: Option<(&Addr, String)> = None;
        while let Some((addr, kept, level)) = calls.next().await {
            if matches!(level, Ok(Level::Healthy)) {
                continue;
            }
            let mut why = unhealthy(addr, &level);
            if kept {
                why = format!("drifted: {why}; it was there before this apply");
            }
            // The same failure is named whichever answer came first.
            if failure.as_ref().is_none_or(|(first, _)| addr < *first) {
                failure = Some((addr, why));
            }
        }
        failure.map_or(Ok(()), |(_, why)| Err(Stop::Unwind(UnwindCause::Failed(None), why)))
    }

    /// Whether anything of an object's class is left of it after a failed create.
    pub(super) fn is_open(state: ObjectState) -> bool {
        matches!(state, ObjectState::Creating(_) | ObjectState::Unknown(_))
    }
}

impl Patience {
    pub(super) fn for_step(mut self, step: u32) -> Self {
        self.seed ^= u64::from(step).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self
    }
}

/// Makes an object. What may have been made is looked for before it is made again, unless repeating is safe.
pub(super) async fn make(
    provider: Arc<dyn Provider>,
    ctx: Ctx,
    request: Request,
    create: CreateMode,
    find: FindMode,
    patience: Patience,
) -> Called<Created> {
    if create == CreateMode::Idempotent {
        return patience.call(|| provider.create(&ctx, &request)).await;
    }
    let once = Patience { retries: 0, ..patience };
    let mut tries = 0;
    loop {
        let error = match once.call(|| provider.create(&ctx, &request)).await {
            Ok(created) => return Ok(created),
            Err(error) => error,
        };
        tries += 1;
        let again = error.kind == ErrorKind::Transient && tries <= patience.retries;
        if error.happened == Happened::No {
            if again { continue } else { return Err(error) }
        }
        match find {
            FindMode::None => return Err(error),
            FindMode::Eventual(settle_ms) => tokio::time::sleep(Duration::from_millis(settle_ms)).await,
            FindMode::Exact => {}
        }
        match patience.call(|| provider.find(&ctx, &request.kind, request.object)).await {
            Ok(Some(created)) => return Ok(created),
            Ok(None) if again => {}
            Ok(None) => return Err(Error { happened: Happened::No, ..error }),
            Err(_) => return Err(error),
        }
    }
}

pub(super) fn not_made(step: u32, object: ObjectId, error: &Error) -> Body {
    match error.happened {
        Happened::No => Body::NotHappened { step, object, proof: crate::entry::Proof::ProviderSaid },
        Happened::Maybe | Happened::Yes => Body::Unknown { step, object, error: error.message.clone() },
    }
}

/// What making a node is called.
fn making(node: Option<&Node>) -> &'static str {
    let external = node.is_some_and(|node| node.class == Class::External);
    if external { Action::Read.word() } else { Action::Create.word() }
}

fn unhealthy(addr: &Addr, level: &Called<Level>) -> String {
    match level {
        Ok(Level::Healthy) => format!("{addr} is healthy"),
        Ok(Level::Starting) => format!("{addr} did not become healthy in time"),
        Ok(Level::Unhealthy(why)) => format!("{addr} is not healthy: {why}"),
        Ok(Level::Dormant) => format!("{addr} does not act"),
        Ok(Level::Exited(status, last)) => format!("{addr} ended with status {status}: {last}"),
        Ok(Level::Missing) => format!("{addr} is not there"),
        Err(error) => format!("{addr}: {}", error.message),
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
