//! The laws of the simulated world: what each call does to its objects and pointers, at once and completely.

use super::call::{Call, Reply, error};
use super::effect::{Deed, Effect, Made};
use super::traffic::Traffic;
use super::world::Behaviour;
use crate::id::{Lineage, ObjectId};
use crate::provider::{Created, Ctx, ErrorKind, Handle, Happened, Level, Move, Observation, Request, Result, Setting};
use imm_ir::{Addr, Digest, Fields, Nature, Type, Value, kinds};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Everything there is.
#[derive(Debug, Default)]
pub(super) struct Things {
    pub now_ms: u64,
    /// Durable entries of the ledger, now.
    pub durable: u64,
    pub log: Vec<Effect>,
    pub by_spec: BTreeMap<Digest, Behaviour>,
    pub by_address: BTreeMap<Addr, Behaviour>,
    /// Objects that never become healthy.
    pub sick: BTreeSet<ObjectId>,
    /// Requests to pointers.
    pub traffic: Traffic,
    objects: BTreeMap<ObjectId, Object>,
    pointers: BTreeMap<ObjectId, Pointer>,
    tombstones: BTreeSet<ObjectId>,
    fences: BTreeMap<Lineage, (u64, (u64, Digest))>,
}

#[derive(Debug)]
struct Object {
    lineage: Lineage,
    made: Made,
    created: Created,
    /// Since when it acts; of a job since when it runs, or ran.
    acts_since_ms: Option<u64>,
    /// Copies of its data.
    copies: BTreeSet<Digest>,
    /// It was a job and was killed.
    killed: bool,
    /// Several may write to it at once.
    shared: bool,
    /// Somebody removed it.
    lost: bool,
}

#[derive(Debug, Default)]
struct Pointer {
    lineage: Option<Lineage>,
    epoch: u64,
    setting: Setting,
    confirmed: Setting,
    until_ms: Option<u64>,
}

impl Things {
    /// Does one call. What is refused changes nothing.
    pub fn act(&mut self, ctx: &Ctx, call: &Call, late: bool, taint: bool) -> Result<Reply> {
        let reply = self.obey(ctx, call, late, taint);
        if let (Err(e), true) = (&reply, call.has_effect()) {
            self.note(ctx, late, Deed::Refused(format!("{}: {}", call.name(), e.message)));
        }
        reply
    }

    fn obey(&mut self, ctx: &Ctx, call: &Call, late: bool, taint: bool) -> Result<Reply> {
        let (fence, anchor) = self.fences.get(&ctx.lineage).copied().unwrap_or((0, (0, Digest([0; 32]))));
        if ctx.fence < fence {
            let message = format!("fence {} was superseded by {fence}", ctx.fence);
            return Err(error(ErrorKind::Fenced, Happened::No, message));
        }
        match call {
            Call::Announce { head } => {
                let before = self.fences.insert(ctx.lineage, (ctx.fence, *head)).map(|_| anchor);
                self.note(ctx, late, Deed::Announced);
                Ok(Reply::Announced(before))
            }
            Call::Create(request) => self.create(ctx, request, late, taint),
            Call::Find { object } => Ok(Reply::Found(self.found(*object))),
            Call::List => {
                let ours = self.objects.iter().filter(|(_, o)| o.lineage == ctx.lineage && !o.lost);
                Ok(Reply::Listed(ours.map(|(id, o)| (*id, Arc::clone(&o.made.kind))).collect()))
            }
            Call::Observe { object } => {
                let seen = if self.there(*object).is_some() { Observation::Intact } else { Observation::Missing };
                Ok(Reply::Observed(seen))
            }
            Call::Health { object } => {
                let (level, _) = self.level(*object);
                self.probed(ctx, *object, level)
            }
            Call::Activate { object } => {
                let now = self.now_ms;
                let there = self.existing_mut(*object)?;
                let (job, began) = (there.made.nature == Nature::Job, there.acts_since_ms.is_some());
                there.acts_since_ms.get_or_insert(now);
                match job {
                    // One run, whoever asks again.
                    true if began => {}
                    true => self.note(ctx, late, Deed::Ran(*object)),
                    false => self.note(ctx, late, Deed::Activated(*object)),
                }
                Ok(Reply::Done)
            }
            Call::Deactivate { object } => {
                let there = self.existing_mut(*object)?;
                if there.made.nature == Nature::Job {
                    there.killed = true;
                } else {
                    there.acts_since_ms = None;
                }
                self.note(ctx, late, Deed::Deactivated(*object));
                Ok(Reply::Done)
            }
            Call::Snapshot { object, token } => {
                if self.existing_mut(*object)?.copies.insert(*token) {
                    self.note(ctx, late, Deed::Copied { object: *object, token: *token });
                }
                Ok(Reply::Copied(Handle(token.0.to_vec())))
            }
            Call::Destroy { object, .. } => {
                let missing = self.objects.remove(object).is_none_or(|o| o.lost);
                self.pointers.remove(object);
                self.tombstones.insert(*object);
                self.note(ctx, late, Deed::Destroyed { object: *object, missing });
                Ok(Reply::Destroyed { missing })
            }
            Call::Switch { moves, ttl } => self.switch(ctx, moves, *ttl, late),
            Call::Renew { ttl } => {
                let until_ms = self.after(*ttl);
                for pointer in self.pointers.values_mut().filter(|p| p.lineage == Some(ctx.lineage)) {
                    pointer.until_ms = pointer.until_ms.map(|_| until_ms);
                }
                self.note(ctx, late, Deed::Renewed { until_ms });
                Ok(Reply::Done)
            }
            Call::Confirm => {
                for pointer in self.pointers.values_mut().filter(|p| p.lineage == Some(ctx.lineage)) {
                    pointer.confirmed = pointer.setting.clone();
                    pointer.until_ms = None;
                }
                self.note(ctx, late, Deed::Confirmed);
                Ok(Reply::Done)
            }
            Call::Setting { object } => {
                Ok(Reply::Setting(self.pointers.get(object).map(|p| (p.epoch, p.setting.clone()))))
            }
            Call::Sample { pointer } => Ok(Reply::Sampled(self.sampled(ctx.fence, *pointer))),
            Call::Drain { objects, .. } => {
                self.note(ctx, late, Deed::Drained(objects.clone()));
                Ok(Reply::Drained { cut: 0 })
            }
        }
    }

    fn create(&mut self, ctx: &Ctx, request: &Request, late: bool, taint: bool) -> Result<Reply> {
        if self.tombstones.contains(&request.object) {
            let message = format!("{} was destroyed before it was created", request.object.short());
            return Err(error(ErrorKind::Tombstone, Happened::No, message));
        }
        if let Some(there) = self.there(request.object) {
            return Ok(Reply::Created(there.created.clone()));
        }
        let Some(schema) = kinds::builtin().get(&request.kind) else {
            let message = format!("kind `{}` is not simulated", request.kind);
            return Err(error(ErrorKind::Permanent, Happened::No, message));
        };
        let exclusive = self.exclusive(request);
        let port = exclusive.iter().find(|claim| {
            let others = self.objects.values().filter(|o| !o.lost);
            claim.0 == "port" && others.flat_map(|o| &o.made.exclusive).any(|c| c == *claim)
        });
        if let Some((_, key)) = port {
            return Err(error(ErrorKind::Claim, Happened::No, format!("port {key} is taken")));
        }
        // What has no process has nothing to wait with; a job waits for its run.
        let acts = match schema.nature {
            Nature::Process => !request.dormant,
            Nature::Job => false,
            Nature::Content | Nature::Plain => true,
        };
        let made = Made {
            object: request.object,
            address: request.address.clone(),
            kind: Arc::clone(&request.kind),
            class: schema.class,
            nature: schema.nature,
            spec: request.spec,
            dormant: !acts,
            tainted: taint,
            bound: request.bound.values().map(|b| b.object).collect(),
            exclusive,
        };
        let late_outputs = schema.outputs.iter().filter(|o| o.from == imm_ir::OutputFrom::Provider);
        // A job gives nothing before it has ended.
        let late_outputs = late_outputs.filter(|_| schema.nature != Nature::Job);
        let outputs: Fields<Value> =
            late_outputs.map(|o| (Arc::clone(&o.name), invented(&o.ty, request.object))).collect();
        let created = Created {
            handle: Handle(request.object.0.0.to_vec()),
            outputs,
            tainted: taint.then(|| "the simulated world made it badly".to_owned()),
        };
        let object = Object {
            lineage: ctx.lineage,
            made: made.clone(),
            created: created.clone(),
            acts_since_ms: acts.then_some(self.now_ms),
            copies: BTreeSet::new(),
            killed: false,
            shared: request.inputs.get("access") == Some(&Value::tag("shared")),
            lost: false,
        };
        self.objects.insert(request.object, object);
        self.note(ctx, late, Deed::Created(Box::new(made)));
        Ok(Reply::Created(created))
    }

    /// What an object holds alone: a listening port, a volume of one writer that is mounted writable.
    fn exclusive(&self, request: &Request) -> Vec<(String, String)> {
        let mut found = Vec::new();
        // Routes over HTTP share a listener and are told apart by host and path.
        let shares = request.inputs.get("protocol").is_none_or(|protocol| *protocol == Value::tag("http"));
        if let Some(port) = request.inputs.get("listen").and_then(Value::as_int).filter(|_| !shares) {
            found.push(("port".to_owned(), port.to_string()));
        }
        let mounts = match request.inputs.get("mounts") {
            Some(Value::Map(mounts)) => mounts.values().collect(),
            _none => Vec::new(),
        };
        for mount in mounts {
            let Value::Variant(tag, fields) = mount else { continue };
            let read_only = mount.get("read_only").and_then(Value::as_bool).unwrap_or(false);
            if let (Some(Value::Node(of)), "volume", false) = (fields.get("of"), &**tag, read_only)
                && let Some(bound) = request.bound.get(of).filter(|b| !self.shared(b.object))
            {
                found.push(("volume".to_owned(), bound.object.to_string()));
            }
        }
        found
    }

    fn shared(&self, volume: ObjectId) -> bool {
        self.there(volume).is_some_and(|v| v.shared)
    }

    fn switch(&mut self, ctx: &Ctx, moves: &[Move], ttl: Duration, late: bool) -> Result<Reply> {
        for m in moves {
            if self.there(m.object).is_none() {
                let message = format!("{} is not there to be switched", m.address);
                return Err(error(ErrorKind::Permanent, Happened::No, message));
            }
            let now = self.pointers.get(&m.object).map_or(0, |p| p.epoch);
            if now != m.from_epoch {
                let message = format!("{} is at epoch {now}, not {}", m.address, m.from_epoch);
                return Err(error(ErrorKind::Epoch, Happened::No, message));
            }
        }
        let until_ms = self.after(ttl);
        let mut epochs = Vec::with_capacity(moves.len());
        for m in moves {
            let pointer = self.pointers.entry(m.object).or_default();
            pointer.lineage = Some(ctx.lineage);
            pointer.epoch += 1;
            pointer.setting = m.to.clone();
            pointer.until_ms = Some(until_ms);
            epochs.push(pointer.epoch);
            let (from_epoch, epoch, to) = (m.from_epoch, pointer.epoch, m.to.clone());
            self.note(ctx, late, Deed::Switched { object: m.object, from_epoch, epoch, to, until_ms });
        }
        Ok(Reply::Switched(epochs))
    }

    /// When the next provisional setting runs out.
    pub fn next_revert(&self) -> Option<u64> {
        self.pointers.values().filter_map(|p| p.until_ms).min()
    }

    /// Takes back what runs out now.
    pub fn revert_due(&mut self) {
        let now = self.now_ms;
        let (mut reverted, mut resting) = (Vec::new(), Vec::new());
        for (id, pointer) in &mut self.pointers {
            if pointer.until_ms.is_some_and(|until| until <= now) {
                pointer.until_ms = None;
                pointer.epoch += 1;
                pointer.setting = pointer.confirmed.clone();
                resting.extend(pointer.setting.targets.iter().map(|t| (pointer.lineage, t.object)));
                reverted.push((pointer.lineage, *id, pointer.epoch, pointer.setting.clone()));
            }
        }
        // What it goes back to acts again, unless somebody else may hold what it needs alone.
        for (lineage, object) in resting {
            let there = self.objects.get_mut(&object).filter(|o| !o.lost && o.made.exclusive.is_empty());
            if let Some(there) = there.filter(|o| o.acts_since_ms.is_none() && o.made.nature == Nature::Process) {
                there.acts_since_ms = Some(now);
                let (deed, lineage) = (Deed::Activated(object), lineage.unwrap_or(Lineage([0; 16])));
                self.log.push(Effect { at_ms: now, durable: self.durable, lineage, fence: 0, late: false, deed });
            }
        }
        for (lineage, object, epoch, to) in reverted {
            let deed = Deed::Reverted { object, epoch, to };
            let lineage = lineage.unwrap_or(Lineage([0; 16]));
            self.log.push(Effect { at_ms: now, durable: self.durable, lineage, fence: 0, late: false, deed });
        }
    }

    /// How an object is, and when that may change.
    pub fn level(&self, object: ObjectId) -> (Level, u64) {
        let Some(there) = self.there(object) else { return (Level::Missing, u64::MAX) };
        if there.made.tainted {
            return (Level::Unhealthy("it was made badly".to_owned()), u64::MAX);
        }
        let Some(since) = there.acts_since_ms else { return (Level::Dormant, u64::MAX) };
        if there.made.nature == Nature::Job {
            return self.job_level(there, since);
        }
        if self.sick.contains(&object) {
            return (Level::Unhealthy("it never answers".to_owned()), u64::MAX);
        }
        let starting =
            |ready: u64, then: Level| if self.now_ms < ready { (Level::Starting, ready) } else { (then, u64::MAX) };
        match self.behaviour(there) {
            Behaviour::HealthyAfter(ms) => starting(since + ms, Level::Healthy),
            Behaviour::NeverHealthy(ms) => starting(since + ms, Level::Unhealthy("it never answers".to_owned())),
            Behaviour::DiesAfter(ms) if self.now_ms < since + ms => (Level::Healthy, since + ms),
            Behaviour::DiesAfter(_) => (Level::Unhealthy("it died".to_owned()), u64::MAX),
        }
    }

    fn behaviour(&self, there: &Object) -> Behaviour {
        let by_address = self.by_address.get(&there.made.address);
        by_address.or_else(|| self.by_spec.get(&there.made.spec)).copied().unwrap_or(Behaviour::HealthyAfter(0))
    }

    /// How far a job is that was begun.
    fn job_level(&self, there: &Object, since: u64) -> (Level, u64) {
        if there.killed {
            return (Level::Exited(137, "it was killed".to_owned()), u64::MAX);
        }
        let sick = self.sick.contains(&there.made.object);
        let (after, end) = match self.behaviour(there) {
            Behaviour::NeverHealthy(ms) => (ms, Level::Exited(1, "it failed".to_owned())),
            Behaviour::DiesAfter(ms) => (ms, Level::Missing),
            Behaviour::HealthyAfter(ms) if sick => (ms, Level::Exited(1, "it failed".to_owned())),
            Behaviour::HealthyAfter(ms) => (ms, Level::Exited(0, String::new())),
        };
        if self.now_ms < since + after { (Level::Starting, since + after) } else { (end, u64::MAX) }
    }

    /// What a look by the token finds: of a job that has ended also what it gave.
    fn found(&self, object: ObjectId) -> Option<Created> {
        let there = self.there(object)?;
        let mut created = there.created.clone();
        if there.made.nature == Nature::Job {
            match self.level(object).0 {
                Level::Exited(status, _) => {
                    created.outputs.insert(Arc::from("exit_code"), Value::Int(i64::from(status)));
                    created.outputs.insert(Arc::from("stdout"), Value::text(object.short()));
                }
                _runs => created.outputs.clear(),
            }
        }
        Some(created)
    }

    /// An engine was told how an object is.
    pub fn probed(&mut self, ctx: &Ctx, object: ObjectId, level: Level) -> Result<Reply> {
        self.note(ctx, false, Deed::Probed(object, level.clone()));
        Ok(Reply::Level(level))
    }

    pub fn pointer(&self, object: ObjectId) -> Option<(u64, Setting, bool)> {
        self.pointers.get(&object).map(|p| (p.epoch, p.setting.clone(), p.until_ms.is_some()))
    }

    /// Where an object was declared.
    pub fn address(&self, object: ObjectId) -> Option<Addr> {
        self.objects.get(&object).map(|o| o.made.address.clone())
    }

    /// What it is, and what it binds.
    pub fn specs(&self, object: ObjectId) -> Vec<Digest> {
        let Some(made) = self.objects.get(&object).map(|o| &o.made) else { return Vec::new() };
        let bound = made.bound.iter().filter_map(|id| self.objects.get(id)).map(|o| o.made.spec);
        std::iter::once(made.spec).chain(bound).collect()
    }

    pub fn existing(&self) -> Vec<ObjectId> {
        self.objects.iter().filter(|(_, o)| !o.lost).map(|(id, _)| *id).collect()
    }

    pub fn lose(&mut self, object: ObjectId) {
        if let Some(there) = self.objects.get_mut(&object) {
            there.lost = true;
        }
    }

    fn there(&self, object: ObjectId) -> Option<&Object> {
        self.objects.get(&object).filter(|o| !o.lost)
    }

    fn existing_mut(&mut self, object: ObjectId) -> Result<&mut Object> {
        let missing = || error(ErrorKind::Permanent, Happened::No, format!("{} is not there", object.short()));
        self.objects.get_mut(&object).filter(|o| !o.lost).ok_or_else(missing)
    }

    fn after(&self, ttl: Duration) -> u64 {
        self.now_ms.saturating_add(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX))
    }

    fn note(&mut self, ctx: &Ctx, late: bool, deed: Deed) {
        let (at_ms, durable) = (self.now_ms, self.durable);
        self.log.push(Effect { at_ms, durable, lineage: ctx.lineage, fence: ctx.fence, late, deed });
    }
}

/// A value of an output's type: a function of the object, so that a repeated create answers the same.
fn invented(ty: &Type, object: ObjectId) -> Value {
    let number = object.0.0.first().map_or(1, |b| i64::from(*b) + 1);
    match ty {
        Type::Late(inner) => invented(inner, object),
        Type::Int | Type::Refined(_) => Value::Int(number),
        Type::Bytes => Value::Bytes(number),
        _text => Value::text(object.short()),
    }
}
