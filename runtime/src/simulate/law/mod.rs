//! The laws of the simulated world: what each call does to its objects and pointers, at once and completely.
//!
//! To read: this file has the calls, [`mod@pointer`] what is switched, [`level`] how objects are, [`hold`] what they hold alone
//! and write to.

mod hold;
mod level;
mod pointer;

use super::call::{Call, Place, Reply, UNSEEN_MS, error};
use super::effect::{Deed, Effect, Made};
use super::traffic::Traffic;
use super::world::Behaviour;
use crate::id::{Lineage, ObjectId};
use crate::lease;
use crate::provider::{Created, Ctx, ErrorKind, Handle, Happened, Level, Observation, Request, Result, There};
use imm_ir::{Addr, CreateMode, Digest, Fields, FindMode, Key, Nature, Value};
use pointer::Pointer;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Everything there is.
#[derive(Debug, Default)]
pub(super) struct Things {
    pub now_ms: u64,
    /// Durable entries of the ledger, now.
    pub durable: u64,
    /// Those of the ledgers that are told apart.
    pub durables: BTreeMap<Lineage, u64>,
    pub log: Vec<Effect>,
    pub by_spec: BTreeMap<Digest, Behaviour>,
    pub by_address: BTreeMap<Addr, Behaviour>,
    /// By a variable of their environment.
    pub by_variable: BTreeMap<String, Behaviour>,
    /// Objects that never become healthy.
    pub sick: BTreeSet<ObjectId>,
    /// What was given as a secret.
    pub secrets: BTreeSet<String>,
    /// Requests to pointers.
    pub traffic: Traffic,
    objects: BTreeMap<ObjectId, Object>,
    pointers: BTreeMap<ObjectId, Pointer>,
    tombstones: BTreeSet<ObjectId>,
    fences: BTreeMap<(Place, Lineage), (u64, (u64, Digest))>,
    /// Until when each provider answers nothing and does nothing by itself.
    away: BTreeMap<Place, u64>,
}

#[derive(Debug)]
struct Object {
    owner: (Place, Lineage),
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
    /// What it does because of its environment.
    told: Option<Behaviour>,
    /// The durables that it writes to.
    writes: Vec<ObjectId>,
    /// Names its data.
    data: Digest,
    /// When a look finds it.
    seen_from_ms: u64,
    /// Somebody removed it.
    lost: bool,
}

/// Whose call it is, and how it came.
#[derive(Clone, Copy, Debug)]
struct Caller {
    place: Place,
    lineage: Lineage,
    fence: u64,
    late: bool,
}

impl Things {
    /// Does one call. What is refused changes nothing.
    pub fn act(&mut self, place: Place, ctx: &Ctx, call: &Call, late: bool, taint: bool) -> Result<Reply> {
        let caller = Caller { place, lineage: ctx.lineage, fence: ctx.fence, late };
        let reply = self.obey(caller, call, taint);
        if let (Err(e), true) = (&reply, call.has_effect()) {
            self.note(caller, Deed::Refused(format!("{}: {}", call.name(), e.message)));
        }
        reply
    }

    fn obey(&mut self, caller: Caller, call: &Call, taint: bool) -> Result<Reply> {
        let owner = (caller.place, caller.lineage);
        let known = self.fences.get(&owner).copied();
        let (fence, anchor) = known.unwrap_or((0, (0, Digest([0; 32]))));
        // What is made elsewhere was taken when it was asked for, and shows later.
        let taken = caller.late && caller.place == Place::Afar && matches!(call, Call::Create(_));
        if caller.fence < fence && call.has_effect() && !taken {
            let message = format!("fence {} was superseded by {fence}", caller.fence);
            return Err(error(ErrorKind::Fenced, Happened::No, message));
        }
        // A holder's next fence is announced by the first call that carries it.
        if caller.fence > fence && call.has_effect() && lease::is_same(caller.fence, fence) && known.is_some() {
            self.fences.insert(owner, (caller.fence, anchor));
        }
        match call {
            Call::Announce { head } => {
                let before = self.fences.insert(owner, (caller.fence, *head)).map(|_| anchor);
                self.note(caller, Deed::Announced);
                Ok(Reply::Announced(before))
            }
            Call::Create(request) => self.create(caller, request, taint),
            Call::Find { object } => self.look(caller.place, *object),
            Call::Inspect { object, spec } => Ok(Reply::Inspected(self.inspect(*object, *spec).map(Box::new))),
            Call::List => {
                let ours = self.objects.iter().filter(|(_, o)| o.owner == owner && !o.lost);
                Ok(Reply::Listed(ours.map(|(id, o)| (*id, Arc::clone(&o.made.kind))).collect()))
            }
            Call::Observe { object } => {
                let seen = if self.there(*object).is_some() { Observation::Intact } else { Observation::Missing };
                Ok(Reply::Observed(seen))
            }
            Call::Health { object } => {
                let (level, _) = self.level(*object);
                self.probe(caller, *object, level)
            }
            Call::Activate { object } => {
                let now = self.now_ms;
                let there = self.existing_mut(*object)?;
                let (job, began) = (there.made.nature == Nature::Job, there.acts_since_ms.is_some());
                there.acts_since_ms.get_or_insert(now);
                match job {
                    // One run, whoever asks again.
                    true if began => return Ok(Reply::Done),
                    true => self.note(caller, Deed::Ran(*object)),
                    false => self.note(caller, Deed::Activated(*object)),
                }
                if !began {
                    self.write(caller, *object);
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
                self.note(caller, Deed::Deactivated(*object));
                Ok(Reply::Done)
            }
            Call::Snapshot { object, token } => {
                if self.existing_mut(*object)?.copies.insert(*token) {
                    self.note(caller, Deed::Copied { object: *object, token: *token });
                }
                Ok(Reply::Copied(Handle(token.0.to_vec())))
            }
            Call::Destroy { object, known, .. } => {
                // Elsewhere what is destroyed without its handle is looked for first, and nothing is remembered.
                let unseen = caller.place == Place::Afar && !known && !self.shows(*object);
                let missing = unseen || self.objects.remove(object).is_none_or(|o| o.lost);
                self.pointers.remove(object);
                if caller.place == Place::Here {
                    self.tombstones.insert(*object);
                }
                self.note(caller, Deed::Destroyed { object: *object, missing });
                Ok(Reply::Destroyed { missing })
            }
            Call::Switch { moves, ttl } => self.switch(caller, moves, *ttl),
            Call::Renew { ttl } => {
                let until_ms = self.after(*ttl);
                for pointer in self.pointers.values_mut().filter(|p| p.owner == Some(owner)) {
                    pointer.until_ms = pointer.until_ms.map(|_| until_ms);
                }
                self.note(caller, Deed::Renewed { until_ms });
                Ok(Reply::Done)
            }
            Call::Confirm => {
                for pointer in self.pointers.values_mut().filter(|p| p.owner == Some(owner)) {
                    pointer.confirmed = pointer.setting.clone();
                    pointer.until_ms = None;
                }
                self.note(caller, Deed::Confirmed);
                Ok(Reply::Done)
            }
            Call::Setting { object } => {
                Ok(Reply::Setting(self.pointers.get(object).map(|p| (p.epoch, p.setting.clone()))))
            }
            Call::Sample { pointer } => Ok(Reply::Sampled(self.sampled(caller.fence, *pointer))),
            Call::Drain { objects, .. } => {
                self.note(caller, Deed::Drained(objects.clone()));
                Ok(Reply::Drained { cut: 0 })
            }
        }
    }

    /// Whether a provider heard a higher fence of this lineage.
    pub fn is_superseded(&self, place: Place, ctx: &Ctx) -> bool {
        self.fences.get(&(place, ctx.lineage)).is_some_and(|(fence, _)| ctx.fence < *fence)
    }

    fn create(&mut self, caller: Caller, request: &Request, taint: bool) -> Result<Reply> {
        if self.tombstones.contains(&request.object) {
            let message = format!("{} was destroyed before it was created", request.object.short());
            return Err(error(ErrorKind::Tombstone, Happened::No, message));
        }
        let Some(schema) = caller.place.schemas().get(&request.kind) else {
            let message = format!("kind `{}` is not simulated", request.kind);
            return Err(error(ErrorKind::Permanent, Happened::No, message));
        };
        let again = schema.create == CreateMode::Idempotent;
        if let Some(there) = self.there(request.object).filter(|_| again) {
            return Ok(Reply::Created(there.created.clone()));
        }
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
            late_outputs.map(|o| (Arc::clone(&o.name), hold::invented(&o.ty, request.object))).collect();
        let secret = outputs.values().filter(|v| v.has_secret()).filter_map(|v| v.reveal().as_text());
        self.secrets.extend(secret.map(str::to_owned));
        let created = Created {
            handle: Handle(request.object.0.0.to_vec()),
            outputs,
            tainted: taint.then(|| "the simulated world made it badly".to_owned()),
        };
        let lag_ms = u64::from(request.object.0.0.first().copied().unwrap_or(0)) * UNSEEN_MS / 256;
        let object = Object {
            owner: (caller.place, caller.lineage),
            made: made.clone(),
            created: created.clone(),
            acts_since_ms: acts.then_some(self.now_ms),
            copies: BTreeSet::new(),
            killed: false,
            shared: request.inputs.get("access") == Some(&Value::tag("shared")),
            told: self.by_variable.iter().find(|(name, _)| variable(request, name)).map(|(_, behaviour)| *behaviour),
            writes: self.written(request),
            data: Digest::of(&request.object.0.0),
            seen_from_ms: if schema.find == FindMode::Exact { 0 } else { self.now_ms + lag_ms },
            lost: false,
        };
        self.objects.insert(request.object, object);
        let alone = acts && !made.exclusive.is_empty();
        self.note(caller, Deed::Created(Box::new(made)));
        if alone {
            self.write(caller, request.object);
        }
        Ok(Reply::Created(created))
    }

    /// An engine was told how an object is.
    pub fn probed(&mut self, place: Place, ctx: &Ctx, object: ObjectId, level: Level) -> Result<Reply> {
        self.probe(Caller { place, lineage: ctx.lineage, fence: ctx.fence, late: false }, object, level)
    }

    fn probe(&mut self, caller: Caller, object: ObjectId, level: Level) -> Result<Reply> {
        self.note(caller, Deed::Probed(object, level.clone()));
        Ok(Reply::Level(level))
    }

    /// What a look by the token tells.
    fn look(&self, place: Place, object: ObjectId) -> Result<Reply> {
        let kind = self.objects.get(&object).map(|o| &*o.made.kind);
        let blind = kind.and_then(|kind| place.schemas().get(kind)).is_some_and(|schema| schema.find == FindMode::None);
        if blind {
            let message = format!("{} cannot be looked for", object.short());
            return Err(error(ErrorKind::Permanent, Happened::No, message));
        }
        Ok(Reply::Found(self.found(object).filter(|_| self.shows(object))))
    }

    /// What somebody sees who knows where to look.
    fn inspect(&self, object: ObjectId, spec: Option<Digest>) -> Option<There> {
        let there = self.there(object)?;
        let other = spec.filter(|spec| *spec != there.made.spec);
        Some(There {
            created: self.found(object)?,
            acts: there.acts_since_ms.is_some(),
            setting: self.pointers.get(&object).map(|p| (p.epoch, p.setting.clone())),
            differs: other.map(|spec| ("spec".to_owned(), spec.hex(), there.made.spec.hex())).into_iter().collect(),
        })
    }

    /// Whether a look finds it by now.
    fn shows(&self, object: ObjectId) -> bool {
        self.there(object).is_some_and(|o| o.seen_from_ms <= self.now_ms)
    }

    /// Whether a provider does not run.
    pub fn is_away(&self, place: Place, now_ms: u64) -> bool {
        self.away.get(&place).is_some_and(|until| now_ms < *until)
    }

    /// A provider does not run for a while: what runs out meanwhile goes back when it starts again. What it made goes on.
    pub fn goes_away(&mut self, place: Place, ms: u64) {
        let until_ms = self.now_ms + ms;
        let until_ms = *self.away.entry(place).and_modify(|until| *until = (*until).max(until_ms)).or_insert(until_ms);
        let owners: BTreeSet<_> = self.fences.keys().filter(|(at, _)| *at == place).copied().collect();
        for owner in owners {
            self.note_by_itself(owner, Deed::Away { until_ms });
        }
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

    pub fn existing(&self, of: Option<Lineage>) -> Vec<ObjectId> {
        let there = self.objects.iter().filter(|(_, o)| !o.lost && of.is_none_or(|of| of == o.owner.1));
        there.map(|(id, _)| *id).collect()
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

    fn note(&mut self, caller: Caller, deed: Deed) {
        let Caller { place, lineage, fence, late } = caller;
        let durable = self.durables.get(&lineage).copied().unwrap_or(self.durable);
        self.log.push(Effect { at_ms: self.now_ms, durable, lineage, place, fence, late, deed });
    }

    /// It happened without anybody's call.
    fn note_by_itself(&mut self, owner: (Place, Lineage), deed: Deed) {
        let (place, lineage) = owner;
        self.note(Caller { place, lineage, fence: 0, late: false }, deed);
    }
}

fn variable(request: &Request, name: &str) -> bool {
    matches!(request.inputs.get("env"), Some(Value::Map(variables)) if variables.contains_key(&Key::from(name)))
}
