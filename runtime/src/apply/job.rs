//! Jobs: each runs at most once for ever. Forward: run and wait. Backward: find out how a run ended that nobody heard of,
//! and take back what can be taken back. Completion is a fact that stays, whatever becomes of the apply.

use super::build::Done;
use super::call::Patience;
use super::progress::Progress;
use super::{Engine, EngineError, Event, Step, Stop};
use crate::entry::{Body, ConsentKind, CreateIntent, JobOutcome, Leftover, Proof, UnwindCause};
use crate::id::ObjectId;
use crate::plan::start::{Effect, Job};
use crate::plan::{Plan, Start};
use crate::provider::{Bound, Ctx, ErrorKind, Handle, Level, Provider, Request, Result as Called};
use crate::state::fold::undo_spec;
use crate::state::{Object, ObjectState};
use imm_ir::{Addr, Fields, Nature, Term, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often a running job is asked for.
const LOOK: Duration = Duration::from_millis(200);

/// How long a job that was told to run may seem not to have begun.
const RISE: Duration = Duration::from_secs(1);

/// How long undoing waits for a job that still runs: killing it half-way would be worse.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// How a run ended.
pub(super) struct Ran {
    pub outcome: JobOutcome,
    pub outputs: Fields<Value>,
    /// Its last words.
    pub last: String,
}

/// A run as its provider sees it.
struct Run {
    provider: Arc<dyn Provider>,
    ctx: Ctx,
    kind: Arc<str>,
    object: ObjectId,
    handle: Handle,
    patience: Patience,
}

impl Engine {
    /// Starts the one run of a job. Before the first one that changes something, what holds data is copied where the program
    /// wants it.
    pub(super) async fn start_job(&mut self, plan: &Plan, addr: &Addr, progress: &mut Progress) -> Step<()> {
        let Some((node, planned)) = plan.graph.nodes.get(addr).zip(plan.nodes.get(addr)) else { return Ok(()) };
        if let Start::Job(job) = &planned.start
            && job.effect != Effect::None
        {
            let all: Vec<Addr> = plan.graph.nodes.keys().cloned().collect();
            if let Some(why) = self.snapshot(plan, &all, false).await? {
                return Err(Stop::Unwind(UnwindCause::Failed(None), why));
            }
        }
        let (object, step) = (planned.object, self.next_step());
        let timeout = Duration::from_millis(node.with.timeout_ms);
        let Some(run) = self.run_of(object, timeout) else { return Ok(()) };
        self.append(vec![Body::IntentRun { step, object, token: object.0 }], true)?;
        (self.events)(Event::StepStarted { action: "run", address: addr.clone(), object });
        let addr = addr.clone();
        progress.work.push(Box::pin(async move {
            let began = Instant::now();
            let ran = run.whole().await;
            Done::Ran(addr, step, ran, began)
        }));
        Ok(())
    }

    fn run_of(&self, object: ObjectId, timeout: Duration) -> Option<Run> {
        let job = self.state().objects.get(&object)?;
        let provider = self.providers.get(&job.provider).cloned()?;
        let (ctx, kind, handle) = (self.ctx(timeout), job.kind.clone(), self.handle(object));
        let patience = self.patience(self.limits.settle_retries);
        Some(Run { provider, ctx, kind, object, handle, patience: Patience { timeout, ..patience } })
    }

    /// Finds out how every run of this apply ended, and takes back what says how. Answers what stays, or why nobody knows.
    pub(super) async fn settle_jobs(&mut self) -> Result<Result<Vec<Leftover>, Vec<Leftover>>, EngineError> {
        let made_by = self.open()?.id;
        let mine: Vec<ObjectId> = self
            .state()
            .objects
            .iter()
            .filter(|(_, o)| o.made_by == made_by && o.nature == Nature::Job && !undoes(o))
            .map(|(id, _)| *id)
            .collect();
        let (mut stays, mut open) = (Vec::new(), Vec::new());
        for id in mine {
            if let Err(why) = self.settle_run(id).await? {
                open.push(Leftover { object: id, why });
                continue;
            }
            let Some(object) = self.state().objects.get(&id) else { continue };
            let job = Job::read(|name| object.cells.get(name));
            let ran = match object.state {
                ObjectState::Ended(status) => Some(status),
                _other => object.ended,
            };
            match ran {
                Some(_) if job.undo && !object.undone => {
                    if let Err(why) = self.take_back(id).await? {
                        open.push(Leftover { object: id, why });
                    }
                }
                Some(status) if job.effect != Effect::None && !object.undone => {
                    let how = if status == 0 { "it ran".to_owned() } else { format!("it ended with status {status}") };
                    stays.push(Leftover { object: id, why: format!("{how}, and what it did stays") });
                }
                Some(_) | None => {}
            }
        }
        let given_up = |l: &Leftover| self.state().consents.contains(&(ConsentKind::AcceptLost, l.object));
        let (lost, open): (Vec<_>, Vec<_>) = open.into_iter().partition(given_up);
        stays.extend(lost);
        Ok(if open.is_empty() { Ok(stays) } else { Err(open) })
    }

    /// How a run ended that was begun, as far as anybody knows. The inner error: nobody does.
    async fn settle_run(&mut self, id: ObjectId) -> Result<Result<(), String>, EngineError> {
        let Some(object) = self.state().objects.get(&id) else { return Ok(Ok(())) };
        let (job, address, state) = (Job::read(|name| object.cells.get(name)), object.address.clone(), object.state);
        if state == ObjectState::Started {
            let Some(run) = self.run_of(id, LONGEST) else { return Ok(Err("its provider is not there".to_owned())) };
            let step = self.next_step();
            // What does nothing need not be waited for.
            let limit = if job.effect == Effect::None { Duration::ZERO } else { LONGEST };
            let body = match run.end(limit).await {
                Ok(Some(ran)) => ran.record(step, id),
                Ok(None) => Body::NotHappened { step, object: id, proof: Proof::FoundAbsent },
                Err(error) if error.kind == ErrorKind::Fenced => return Err(EngineError::Provider(error)),
                Err(error) => return Ok(Err(format!("nobody can be asked how it ended: {}", error.message))),
            };
            self.append(vec![body], true)?;
        }
        let lost = self.state().objects.get(&id).is_some_and(|o| o.state == ObjectState::Lost);
        if lost && job.effect != Effect::None && !job.idempotent {
            return Ok(Err(format!(
                "it was started and nobody knows how it ended; look at what it did, then `imm recover --accept-lost {address} --because TEXT`"
            )));
        }
        Ok(Ok(()))
    }

    /// Runs the command that takes a job's effect back, as a job of its own.
    async fn take_back(&mut self, of: ObjectId) -> Result<Result<(), String>, EngineError> {
        let id = match self.make_undo(of).await? {
            Ok(id) => id,
            Err(why) => return Ok(Err(why)),
        };
        let Some(run) = self.run_of(id, LONGEST) else { return Ok(Err("its provider is not there".to_owned())) };
        let (step, began) = (self.next_step(), Instant::now());
        let ran = if self.state().objects.get(&id).is_some_and(|o| o.state == ObjectState::Started) {
            // An engine died while it ran.
            match run.end(LONGEST).await {
                Ok(None) => run.whole().await,
                ended => ended.map(|ran| ran.unwrap_or_else(|| Ran::without(JobOutcome::Lost, ""))),
            }
        } else {
            self.append(vec![Body::IntentRun { step, object: id, token: id.0 }], true)?;
            run.whole().await
        };
        let ran = match ran {
            Ok(ran) => ran,
            Err(error) if error.kind == ErrorKind::Fenced => return Err(EngineError::Provider(error)),
            Err(error) => return Ok(Err(format!("its undo could not be run: {}", error.message))),
        };
        self.append(vec![ran.record(step, id)], true)?;
        if ran.outcome != JobOutcome::Exit(0) {
            return Ok(Err(format!("its undo {}: {}", ended(ran.outcome), ran.last)));
        }
        if let Some(address) = self.address(of) {
            self.done("undo", &address, of, began);
        }
        Ok(Ok(()))
    }

    /// The job that undoes another one: the one that is there and has not ended, or a new one.
    async fn make_undo(&mut self, of: ObjectId) -> Result<Result<ObjectId, String>, EngineError> {
        let Some(job) = self.state().objects.get(&of).cloned() else { return Ok(Err("it is not known".to_owned())) };
        let (spec, bindings) = (undo_spec(&job.spec), vec![of]);
        let serial = self.state().next_serial(&spec, &bindings);
        let lineage = self.state().lineage.unwrap_or(crate::id::Lineage([0; 16]));
        if let Some(last) = serial.checked_sub(1).map(|n| ObjectId::new(lineage, &spec, &bindings, n))
            && self
                .state()
                .objects
                .get(&last)
                .is_some_and(|o| matches!(o.state, ObjectState::Dormant | ObjectState::Started))
        {
            return Ok(Ok(last));
        }
        let object = ObjectId::new(lineage, &spec, &bindings, serial);
        let mut inputs = self.ledger.inputs(&job)?;
        if let Some(command) = job.cells.get("undo") {
            inputs.insert(Arc::from("cmd"), command.clone());
        }
        let mut bound = BTreeMap::new();
        for value in inputs.values() {
            Term::Value(value.clone()).handles(&mut |addr| {
                let known = job.bindings.iter().chain(&job.after);
                let at = known.filter(|id| self.address(**id).is_some_and(|a| a.is_within(addr)));
                bound.extend(at.map(|id| (addr.clone(), Bound { object: *id, handle: self.handle(*id) })));
            });
        }
        let step = self.next_step();
        let request = Request {
            object,
            address: job.address.clone(),
            kind: job.kind.clone(),
            spec,
            inputs,
            bound,
            dormant: true,
        };
        let (inputs, inline) = self.recorded_inputs(&request.inputs)?;
        let intent = CreateIntent {
            step,
            object,
            address: job.address.clone(),
            class: job.class,
            nature: job.nature,
            kind: job.kind.clone(),
            spec,
            bindings,
            after: Vec::new(),
            serial,
            provider: job.provider.clone(),
            schema_version: 1,
            inputs,
            cells: Fields::new(),
            claims: Vec::new(),
            create: job.create,
            find: job.find,
            dormant: true,
            inline,
        };
        self.append(vec![Body::IntentCreate(Box::new(intent))], true)?;
        let Some(provider) = self.providers.get(&job.provider).cloned() else {
            return Ok(Err("its provider is not there".to_owned()));
        };
        let (ctx, patience) = (self.ctx(self.limits.call_timeout), self.patience(self.limits.settle_retries));
        match super::build::make(provider, ctx, request, job.create, job.find, patience).await {
            Ok(created) if created.tainted.is_none() => {
                let (handle, outputs, tainted, found) = (created.handle, created.outputs, None, false);
                self.append(vec![Body::Created { step, object, handle, outputs, tainted, found }], true)?;
                Ok(Ok(object))
            }
            Ok(created) => Ok(Err(format!("its undo cannot be made: {}", created.tainted.unwrap_or_default()))),
            Err(error) if error.kind == ErrorKind::Fenced => Err(EngineError::Provider(error)),
            Err(error) => {
                let body = super::build::not_made(step, object, &error);
                self.append(vec![body], false)?;
                Ok(Err(format!("its undo cannot be made: {}", error.message)))
            }
        }
    }
}

/// Whether this job takes back what another one did: only those have nothing recorded of their own undoing.
fn undoes(object: &Object) -> bool {
    object.cells.is_empty()
}

/// For people.
pub(super) fn ended(outcome: JobOutcome) -> String {
    match outcome {
        JobOutcome::Exit(status) => format!("ended with status {status}"),
        JobOutcome::Signal(signal) => format!("was ended by signal {signal}"),
        JobOutcome::Lost => "was started, and nobody knows how it ended".to_owned(),
        JobOutcome::Timeout => "did not end in time and was killed".to_owned(),
    }
}

impl Run {
    /// Begins it and waits for its end.
    async fn whole(&self) -> Called<Ran> {
        self.patience.call(|| self.provider.activate(&self.ctx, &self.kind, self.object, &self.handle)).await?;
        let ended = self.wait(self.ctx.timeout, self.ctx.timeout).await?;
        Ok(ended.unwrap_or_else(|| Ran::without(JobOutcome::Lost, "it was told to run and never began")))
    }

    /// Waits for its end, at most so long; then it is killed. `None`: it was never begun.
    async fn end(&self, limit: Duration) -> Called<Option<Ran>> {
        self.wait(limit, RISE).await
    }

    /// As [`end`](Self::end); it may take `rise` from being told to run to running.
    async fn wait(&self, limit: Duration, rise: Duration) -> Called<Option<Ran>> {
        let began = Instant::now();
        let none = Fields::new();
        loop {
            let left = limit.max(rise).saturating_sub(began.elapsed());
            let ctx = Ctx { timeout: left, ..self.ctx.clone() };
            let ask = || self.provider.health(&ctx, &self.kind, self.object, &self.handle, &none);
            let patience = Patience { timeout: left, ..self.patience };
            match patience.call(ask).await? {
                Level::Exited(status, last) => {
                    let find = || self.provider.find(&self.ctx, &self.kind, self.object);
                    let outputs = self.patience.call(find).await?.map(|c| c.outputs).unwrap_or_default();
                    return Ok(Some(Ran { outcome: JobOutcome::Exit(status), outputs, last }));
                }
                Level::Dormant if began.elapsed() >= rise => return Ok(None),
                Level::Missing => return Ok(Some(Ran::without(JobOutcome::Lost, "it is not there"))),
                Level::Unhealthy(why) => return Ok(Some(Ran::without(JobOutcome::Lost, &why))),
                Level::Dormant | Level::Starting | Level::Healthy => {}
            }
            if began.elapsed() >= limit.max(rise) {
                let kill = || self.provider.deactivate(&self.ctx, &self.kind, self.object, &self.handle);
                self.patience.call(kill).await?;
                return Ok(Some(Ran::without(JobOutcome::Timeout, "it took too long")));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Ran {
    fn without(outcome: JobOutcome, last: &str) -> Self {
        Self { outcome, outputs: Fields::new(), last: last.to_owned() }
    }

    /// What went wrong, if anything did.
    pub(super) fn failure(&self, addr: &Addr) -> Option<String> {
        let words = if self.last.is_empty() { String::new() } else { format!(": {}", self.last) };
        (self.outcome != JobOutcome::Exit(0)).then(|| format!("{addr} {}{words}", ended(self.outcome)))
    }

    pub(super) fn record(&self, step: u32, object: ObjectId) -> Body {
        Body::JobFinished { step, object, outcome: self.outcome, outputs: self.outputs.clone() }
    }
}
