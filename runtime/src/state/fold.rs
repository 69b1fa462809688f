//! One entry applied to the state. What an entry may not say is refused here, before it is written: this is where "nothing
//! that may still be in force, and nothing that is bound, is destroyed" is held.

use super::object::{self, Illegal, ObjectState, name};
use super::{Apply, Consist, Generation, Object, Phase, Pointer, Staged, State, phase};
use crate::entry::{
    Adopted, ApplyStarted, Body, Commit, ConsentKind, CreateIntent, Ending, Entry, Header, Moved, Seen, SignalVerb,
    SwitchIntent, Verb, Verdict,
};
use crate::id::ObjectId;
use imm_ir::{Class, Digest, Encoder};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl State {
    /// Applies entry number `seq`. After an error the state is of no use.
    ///
    /// # Errors
    /// The entry cannot follow.
    pub fn apply_entry(&mut self, seq: u64, entry: &Entry) -> Result<(), Illegal> {
        let Entry { header, body, format } = entry;
        self.format = *format;
        self.check(header, body)?;
        self.advance_phase(header, body)?;
        self.advance_objects(seq, body, header)?;
        self.record(seq, header, body);
        (self.seq, self.at_ms, self.fence) = (seq, header.at_ms, header.fence);
        Ok(())
    }

    /// Everything that is no transition of one object or apply.
    fn check(&self, header: &Header, body: &Body) -> Result<(), Illegal> {
        let refuse = |why: &str| Err(Illegal::new(name(body), why));
        if header.fence < self.fence {
            return refuse("a higher fence was seen");
        }
        if (self.seq == 0) != matches!(body, Body::Opened { .. }) {
            return refuse(if self.seq == 0 { "the ledger is not open" } else { "the ledger is open" });
        }
        match body {
            Body::ApplyStarted(_) if self.open_apply().is_some() => refuse("an apply is open"),
            Body::IntentDestroy { object, .. } => {
                self.check_destroy(*object).map_err(|why| Illegal::new(name(body), why))
            }
            // In a handover the old one gives way while it is pointed at; nowhere else.
            Body::IntentDeactivate { object, .. }
                if match self.open_apply().map(|a| a.phase) {
                    // A batch that was taken over from rests, though a pointer that goes back would find it resting.
                    Some(Phase::Staging(_)) => self.points(*object),
                    Some(phase) if phase.before_commit() => false,
                    _after => self.may_point(*object),
                } =>
            {
                refuse("a pointer may still point at it")
            }
            Body::IntentSwitch(intent) => {
                for m in &intent.moves {
                    let dead = m.to.targets.iter().find(|t| {
                        !self.objects.get(&t.object).is_some_and(|o| {
                            matches!(
                                o.state,
                                ObjectState::Running
                                    | ObjectState::Idle
                                    | ObjectState::Leaving
                                    | ObjectState::Dormant
                                    | ObjectState::Present
                            ) || o.class != Class::Resource
                        })
                    });
                    if let Some(target) = dead {
                        return refuse(&format!("its target {} is not there", target.address));
                    }
                }
                Ok(())
            }
            _other => Ok(()),
        }
    }

    fn check_destroy(&self, id: ObjectId) -> Result<(), String> {
        if self.may_point(id) {
            return Err("a pointer may still point at it".to_owned());
        }
        if let Some(by) = self.bound_by(id) {
            return Err(format!("{} is bound to it", by.address));
        }
        let consented = self.consents.contains(&(ConsentKind::DurableDestroy, id));
        match self.objects.get(&id) {
            // A create that was never acknowledged holds no data.
            Some(o) if o.class == Class::Durable && o.state == ObjectState::Retained && !consented => {
                Err("it holds data and nobody consented".to_owned())
            }
            _other => Ok(()),
        }
    }

    fn advance_phase(&mut self, header: &Header, body: &Body) -> Result<(), Illegal> {
        let Some(id) = header.apply else { return Ok(()) };
        // These two open it.
        if matches!(body, Body::ApplyStarted(_) | Body::LeaseTaken { .. }) {
            return Ok(());
        }
        let Some(apply) = self.applies.last_mut().filter(|a| a.id == id) else {
            return Err(Illegal::new(name(body), "its apply was never started"));
        };
        apply.phase = phase::next(apply.phase, body, apply.started.watch_ms > 0)?;
        Ok(())
    }

    fn advance_objects(&mut self, seq: u64, body: &Body, header: &Header) -> Result<(), Illegal> {
        if let Body::IntentCreate(intent) = body {
            let before = self.objects.get(&intent.object).map_or(ObjectState::Planned, |o| o.state);
            let state = object::next(before, body)?;
            let Some(apply) = header.apply else { return Err(Illegal::new(name(body), "no apply")) };
            self.objects.insert(intent.object, Object::planned(intent, seq, state, apply));
            return Ok(());
        }
        if let Body::Adopted(adopted) = body {
            return self.adopt(seq, body, adopted, header);
        }
        // All or none: two passes.
        let ids = subjects(body);
        let mut next = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(object) = self.objects.get(&id) else {
                return Err(Illegal::new(name(body), format!("object {} is not known", id.short())));
            };
            let to = object::next(object.state, body)
                .map_err(|e| Illegal { state: format!("{} ({}) is {}", object.address, id.short(), e.state), ..e })?;
            next.push((id, to));
        }
        for (id, to) in next {
            if let Some(object) = self.objects.get_mut(&id) {
                object.state = to;
                if to == ObjectState::Gone {
                    object.gone_at_ms = Some(header.at_ms);
                }
            }
        }
        Ok(())
    }

    /// It is as if an earlier apply had made it and no generation had it.
    fn adopt(&mut self, seq: u64, body: &Body, adopted: &Adopted, header: &Header) -> Result<(), Illegal> {
        let (id, declared) = (adopted.declared.object, &adopted.declared);
        let state = object::next(self.objects.get(&id).map_or(ObjectState::Planned, |o| o.state), body)?;
        let Some(apply) = header.apply.or(self.applies.last().map(|a| a.id)) else {
            return Err(Illegal::new(name(body), "nothing was applied yet"));
        };
        // One that the newest generation has acts for it again; data is attached by the next apply.
        let serves = declared.class != Class::Durable && self.at(&declared.address).is_some_and(|(at, _)| at == id);
        let since = self.objects.get(&id).and_then(|o| o.since).filter(|_| serves);
        let object = Object {
            adopted: true,
            since,
            // What is switched is set right by a switch.
            drifted: !adopted.differs.is_empty() && declared.class == Class::Resource,
            made_dormant: false,
            details: super::objects::Recalled::adopted(adopted, seq),
            ..Object::planned(declared, seq, state, apply)
        };
        self.objects.insert(id, object);
        if let Some((epoch, setting)) = &adopted.setting {
            let (setting, confirmed) = (setting.clone(), setting.clone());
            self.pointers.or_insert_with(id, || Pointer { epoch: *epoch, setting, confirmed, ..Pointer::default() });
        }
        Ok(())
    }

    fn record(&mut self, seq: u64, header: &Header, body: &Body) {
        match body {
            Body::Opened { lineage, environment, digest_key, recipients, .. } => {
                self.lineage = Some(*lineage);
                self.environment.clone_from(environment);
                self.digest_key = *digest_key;
                self.recipients.clone_from(recipients);
            }
            Body::Rekeyed { recipients, digest_key, .. } => {
                self.digest_key = Some(*digest_key);
                self.recipients.clone_from(recipients);
            }
            Body::ApplyStarted(started) => self.start(header, started),
            Body::Consented { kind, subjects, .. } => {
                self.consents.extend(subjects.iter().map(|s| (*kind, *s)));
            }
            Body::IntentCreate(intent) => {
                self.derived.planned(intent.object, &intent.spec, &intent.bindings, intent.serial);
                self.step(intent.step);
            }
            Body::Adopted(adopted) => {
                let declared = &adopted.declared;
                self.derived.planned(declared.object, &declared.spec, &declared.bindings, declared.serial);
            }
            Body::Attached { durable, generation } => {
                if let Some(o) = self.objects.get_mut(durable) {
                    o.since.get_or_insert(*generation);
                }
            }
            Body::Created { object, .. } => {
                if let Some(o) = self.objects.get_mut(object) {
                    o.details.hear(seq, body);
                }
                self.with_apply(|a| a.created += 1);
            }
            Body::IntentSwitch(intent) => self.intend_switch(intent),
            Body::Switched { step: _, moved, .. } => self.switched(moved),
            Body::Reverted { moved, .. } => self.reverted(moved),
            Body::NotHappened { step, .. } => {
                let waiting =
                    self.pointers.iter().filter(|(_, p)| p.pending.iter().any(|(pending, _)| pending == step));
                for id in waiting.map(|(id, _)| *id).collect::<Vec<_>>() {
                    if let Some(pointer) = self.pointers.get_mut(&id) {
                        pointer.pending.retain(|(pending, _)| pending != step);
                    }
                }
            }
            Body::Confirmed { provider, .. } => self.confirmed(provider),
            Body::IntentActivate { step, object } | Body::IntentDeactivate { step, object } => {
                let acts = self.objects.get(object).is_some_and(|o| o.state.acts());
                self.step(*step);
                self.with_apply(|a| {
                    if a.phase.before_commit() {
                        a.acted.entry(*object).or_insert(acts);
                    }
                });
            }
            Body::JobFinished { object, .. } => self.job_finished(seq, *object, body),
            Body::IntentDestroy { step, .. }
            | Body::IntentDrain { step, .. }
            | Body::IntentSnapshot { step, .. }
            | Body::IntentRun { step, .. } => self.step(*step),
            Body::Expired { generation, .. } => {
                if let Some(g) = self.generations.get_mut(generation) {
                    g.expired = true;
                }
            }
            Body::Observed { object, seen, .. } => {
                if let Some(o) = self.objects.get_mut(object) {
                    // What is switched is not another thing because somebody moved it.
                    o.drifted = match seen {
                        Seen::Intact => false,
                        Seen::Changed => o.class == Class::Resource,
                        Seen::Missing => true,
                    };
                }
            }
            Body::Healed { object, cause, count, by: None, .. } => {
                if let Some(o) = self.objects.get_mut(object) {
                    let replaced = o.replaced.get_or_insert_default();
                    replaced.count += count;
                    replaced.cause.clone_from(cause);
                }
            }
            Body::AgentMerged { agent, to_seq, .. } => _ = self.merged.insert(agent.clone(), *to_seq),
            Body::Forgotten { object, .. } => {
                self.pointers.remove(object);
            }
            Body::Destroyed { object, .. } => {
                self.pointers.remove(object);
                self.with_apply(|a| a.destroyed += 1);
            }
            Body::Signalled { signal, verb, .. } => {
                self.signal = self.signal.max(*signal);
                self.with_apply(|a| match verb {
                    SignalVerb::Pause => a.paused = true,
                    SignalVerb::Promote => a.paused = false,
                    SignalVerb::Abort | SignalVerb::Stop(_) => {}
                });
            }
            Body::StageEntered { stage, weights, of, hold_ms, approve } => self.with_apply(|a| {
                a.stage = Some(Staged {
                    stage: *stage,
                    of: *of,
                    weights: weights.clone(),
                    at_ms: header.at_ms,
                    hold_ms: *hold_ms,
                    approve: *approve,
                });
            }),
            Body::GateJudged(judged) => {
                self.with_apply(|a| a.judged.push((judged.stage, judged.pointer, judged.verdict)));
            }
            Body::WatchEnded { verdict, why } => self.with_apply(|a| {
                a.watched = Some(*verdict);
                if *verdict == Verdict::Fail {
                    a.error.get_or_insert_with(|| why.clone());
                }
            }),
            // A drill that passed is taken down for no error.
            Body::UnwindStarted { error, .. } if !error.is_empty() => self.with_apply(|a| {
                a.error.get_or_insert_with(|| error.clone());
            }),
            Body::DrillFinished { generation, passed: true, .. } => {
                if let Some(generation) = self.generations.get_mut(generation) {
                    generation.proven_at_ms = Some(header.at_ms);
                }
            }
            Body::Committed(commit) => self.commit(seq, header, commit),
            Body::Renamed { object, to, .. } => {
                if let Some(o) = self.objects.get_mut(object) {
                    o.address = to.clone();
                }
            }
            Body::Finished { ending, leftovers, took_ms, outage_ms } => {
                // What was consented to for an apply that did not come about is no word for a later one.
                if *ending == Ending::RolledBack {
                    self.consents.retain(|(kind, _)| *kind != ConsentKind::DurableDestroy);
                }
                self.with_apply(|a| {
                    a.outage_ms = a.outage_ms.max(*outage_ms);
                    a.leftovers.clone_from(leftovers);
                    a.took_ms = Some(a.took_ms.unwrap_or(0) + took_ms);
                    if a.phase.ended() {
                        (a.before, a.exposed) = Default::default();
                        (a.staged, a.acted) = Default::default();
                    }
                });
            }
            _fact => {}
        }
    }

    fn start(&mut self, header: &Header, started: &ApplyStarted) {
        let Some(id) = header.apply else { return };
        self.applies.push(Apply {
            id,
            started: Arc::new(started.clone()),
            at_ms: header.at_ms,
            actor: header.actor.clone(),
            phase: Phase::Preparing,
            next_step: 0,
            next_batch: 0,
            generation: None,
            before: BTreeMap::new(),
            exposed: BTreeSet::new(),
            staged: BTreeSet::new(),
            acted: BTreeMap::new(),
            error: None,
            created: 0,
            destroyed: 0,
            leftovers: Vec::new(),
            took_ms: None,
            outage_ms: 0,
            stage: None,
            paused: false,
            judged: Vec::new(),
            watched: None,
        });
    }

    fn with_apply(&mut self, change: impl FnOnce(&mut Apply)) {
        if let Some(apply) = self.applies.last_mut() {
            change(apply);
        }
    }

    fn step(&mut self, step: u32) {
        self.with_apply(|a| a.next_step = a.next_step.max(step + 1));
    }

    fn intend_switch(&mut self, intent: &SwitchIntent) {
        self.step(intent.step);
        self.with_apply(|a| {
            a.next_batch = a.next_batch.max(intent.batch + 1);
            for m in &intent.moves {
                if a.phase.before_commit() {
                    a.before.entry(m.object).or_insert_with(|| m.from.clone());
                    if intent.stage.is_some() {
                        a.staged.insert(m.object);
                    }
                }
                a.exposed.extend(m.to.targets.iter().map(|t| t.object));
            }
        });
        self.derived.moving(&intent.moves);
        for m in &intent.moves {
            for target in &m.to.targets {
                self.asked_again(target.object);
            }
            let pointer = self.pointers.or_insert_with(m.object, || Pointer {
                epoch: m.from_epoch,
                setting: m.from.clone(),
                confirmed: m.from.clone(),
                ..Pointer::default()
            });
            pointer.pending.push((intent.step, m.to.clone()));
        }
    }

    /// An acknowledged switch outdates every earlier one that was not: those carry a lower epoch.
    fn switched(&mut self, moved: &[Moved]) {
        for m in moved {
            if let Some(pointer) = self.pointers.get_mut(&m.object) {
                pointer.epoch = m.epoch;
                if let Some((_, setting)) = pointer.pending.pop() {
                    pointer.setting = setting;
                }
                pointer.pending.clear();
                pointer.provisional = true;
            }
        }
    }

    fn reverted(&mut self, moved: &[Moved]) {
        for m in moved {
            let Some(pointer) = self.pointers.get_mut(&m.object) else { continue };
            pointer.epoch = m.epoch;
            pointer.setting = pointer.confirmed.clone();
            pointer.provisional = false;
            let targets: Vec<ObjectId> = pointer.setting.targets.iter().map(|t| t.object).collect();
            targets.into_iter().for_each(|target| self.asked_again(target));
        }
    }

    /// Drained by an earlier stage, and asked again from here on.
    fn asked_again(&mut self, target: ObjectId) {
        if let Some(object) = self.objects.get_mut(&target).filter(|o| o.state == ObjectState::Idle) {
            object.state = ObjectState::Running;
        }
    }

    fn confirmed(&mut self, provider: &str) {
        let open = self.pointers.iter().filter(|(_, p)| p.provisional || p.confirmed != p.setting);
        let ours = |id: &ObjectId| self.objects.get(id).is_some_and(|o| &*o.provider == provider);
        for id in open.map(|(id, _)| *id).filter(ours).collect::<Vec<_>>() {
            if let Some(pointer) = self.pointers.get_mut(&id) {
                pointer.confirmed = pointer.setting.clone();
                pointer.provisional = false;
            }
        }
    }

    fn job_finished(&mut self, seq: u64, id: ObjectId, body: &Body) {
        let Some(job) = self.objects.get_mut(&id) else { return };
        job.details.hear(seq, body);
        if let ObjectState::Ended(status) = job.state {
            job.ended = Some(status);
        }
        // A job that undoes another one binds it and nothing else.
        let (done, spec) = (job.ended == Some(0), job.spec);
        let undoes = job.bindings.first().copied().filter(|_| done);
        if let Some(undone) = undoes.and_then(|of| self.objects.get_mut(&of)).filter(|of| undo_spec(&of.spec) == spec) {
            undone.undone = true;
        }
    }

    fn commit(&mut self, seq: u64, header: &Header, commit: &Commit) {
        let Some(apply) = header.apply else { return };
        let parent = commit.parent.and_then(|p| self.generations.get(&p)).map(|g| Arc::clone(&g.objects));
        // Whether an object is in the newest generation is written down with it.
        if let Some(now) = self.generation().map(|g| Arc::clone(&g.objects)) {
            let same = self.current == commit.parent;
            let left = if same { None } else { Some(now.values()) };
            left.into_iter().flatten().for_each(|id| self.objects.touch(id));
            let at = commit.removed.iter().chain(commit.added.iter().map(|(addr, _)| addr));
            at.filter_map(|addr| now.get(addr)).for_each(|id| self.objects.touch(id));
        }
        let objects = Consist::committed(seq, commit, parent);
        for (_, id) in &commit.added {
            if let Some(object) = self.objects.get_mut(id) {
                object.since.get_or_insert(commit.generation);
            }
        }
        let rollback = self
            .applies
            .last()
            .is_some_and(|a| matches!(a.started.verb, Verb::Rollback { .. } | Verb::AutoRollback { .. }));
        if rollback && let Some(left) = self.current.and_then(|g| self.generations.get_mut(&g)) {
            left.rolled_back_from = true;
        }
        let generation = Generation {
            parent: commit.parent,
            apply,
            graph_root: commit.graph_root,
            format: self.format,
            record: commit.record,
            objects: Arc::new(objects),
            outputs: commit.outputs,
            rolled_back_from: false,
            proven_at_ms: None,
            expired: false,
        };
        self.generations.insert(commit.generation, generation);
        self.current = Some(commit.generation);
        self.with_apply(|a| a.generation = Some(commit.generation));
    }
}

impl Object {
    fn planned(intent: &CreateIntent, seq: u64, state: ObjectState, made_by: crate::id::ApplyId) -> Self {
        Self {
            address: intent.address.clone(),
            class: intent.class,
            nature: intent.nature,
            kind: Arc::clone(&intent.kind),
            provider: Arc::clone(&intent.provider),
            spec: intent.spec,
            bindings: intent.bindings.clone(),
            serial: intent.serial,
            state,
            made_dormant: intent.dormant,
            ended: None,
            undone: false,
            claims: intent.claims.clone(),
            made_by,
            since: None,
            drifted: false,
            adopted: false,
            replaced: None,
            gone_at_ms: None,
            details: super::objects::Recalled::planned(intent, seq),
        }
    }
}

/// What the job is that undoes a job with this spec.
pub fn undo_spec(job: &Digest) -> Digest {
    let mut out = Encoder::new("imm.undo.1");
    out.digest(job);
    out.finish()
}

/// The objects an entry is about.
fn subjects(body: &Body) -> Vec<ObjectId> {
    match body {
        Body::IntentDestroy { object, .. }
        | Body::IntentActivate { object, .. }
        | Body::IntentDeactivate { object, .. }
        | Body::IntentDrain { object, .. }
        | Body::IntentRun { object, .. }
        | Body::Created { object, .. }
        | Body::Unknown { object, .. }
        | Body::NotHappened { object, .. }
        | Body::Verified { object, .. }
        | Body::Activated { object, .. }
        | Body::Deactivated { object, .. }
        | Body::JobFinished { object, .. }
        | Body::Drained { object, .. }
        | Body::Destroyed { object, .. }
        | Body::Released { object }
        | Body::Renamed { object, .. }
        | Body::Forgotten { object, .. }
        | Body::Observed { object, .. }
        | Body::Healed { object, .. } => vec![*object],
        Body::IntentSnapshot { durable, .. }
        | Body::SnapshotTaken { durable, .. }
        | Body::Retained { durable, .. }
        | Body::Attached { durable, .. } => vec![*durable],
        Body::IntentSwitch(intent) => intent.moves.iter().map(|m| m.object).collect(),
        Body::Switched { moved, .. } | Body::Reverted { moved, .. } => moved.iter().map(|m| m.object).collect(),
        _none => Vec::new(),
    }
}
