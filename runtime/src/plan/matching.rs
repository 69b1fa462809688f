//! Which object each node gets: per spec and bindings, as a multiset. The one at its own address first (keep), then what is
//! left over on both sides in address order (rename), then warm ones (reuse), else a new one. Durables and pointers match by
//! address alone: two equal volumes must never swap their data.
//!
//! What is kept costs one comparison; the sets of what is left over are made when the first node is not.

use super::view::View;
use super::{Fate, Nodes, Observed, PlanError, Planned, identity, start};
use crate::id::{Lineage, ObjectId};
use crate::provider::Observation;
use crate::state::{Object, ObjectState};
use imm_ir::{Addr, Class, Digest, EdgeKind, KindSchema, Nature, Node};
use std::collections::{BTreeMap, BTreeSet};

type Key = (Digest, Vec<ObjectId>);

/// A node whose spec and bindings are known.
struct Candidate<'a> {
    number: usize,
    addr: &'a Addr,
    node: &'a Node,
    key: Key,
}

/// Objects by key, each in address order.
type Side = BTreeMap<Key, BTreeSet<(Addr, ObjectId)>>;

/// An object for a node, with its serial.
type Match = (ObjectId, Fate, u64);

struct Matcher<'a, 'v> {
    view: &'v View<'a>,
    observed: &'a Observed,
    lineage: Lineage,
    /// What is left over; made when it is needed first.
    left: Option<Left>,
    /// Jobs that ran, by key; made when there is a job.
    facts: Option<BTreeMap<Key, Vec<(ObjectId, &'a Object)>>>,
    /// Retained durables, and pointers that stay for what is kept for rollback, by address; made when there is a new one.
    retained: Option<BTreeMap<&'a Addr, Vec<(ObjectId, &'a Object)>>>,
    serials: BTreeMap<Key, u64>,
    taken: BTreeSet<ObjectId>,
}

/// What has no node at its own address that could keep it.
struct Left {
    /// Of the base.
    current: Side,
    /// Of earlier generations.
    warm: Side,
    /// Content that was left to the collector: bytes are the same whenever they are made, so it is made again as it was.
    released: BTreeMap<Key, Vec<(u64, ObjectId)>>,
}

pub(super) fn assign<'a>(
    view: &View<'a>,
    observed: &'a Observed,
    lineage: Lineage,
    rerun: bool,
) -> Result<Nodes, PlanError> {
    let (left, facts, retained) = (None, None, None);
    let (serials, taken) = (BTreeMap::new(), BTreeSet::new());
    let mut matcher = Matcher { view, observed, lineage, left, facts, retained, serials, taken };
    let mut planned: Vec<Option<Planned>> = view.each().map(|_| None).collect();
    for level in view.levels() {
        let mut open = Vec::new();
        for (number, _) in level {
            let number = *number as usize;
            let Some((addr, node, schema)) = view.node(number) else { continue };
            let object = |at: usize| planned.get(at)?.as_ref().map(|p| p.object);
            let bindings = identity::slots(view, node, schema).into_iter().filter_map(object).collect();
            let key = (node.spec, bindings);
            let candidate = Candidate { number, addr, node, key };
            match matcher.of_its_own(&candidate, schema, rerun)? {
                Some(found) => put(view, &mut planned, candidate, found),
                None => open.push(candidate),
            }
        }
        for (candidate, found) in matcher.of_the_rest(open) {
            put(view, &mut planned, candidate, found);
        }
    }
    let mut addrs = Vec::with_capacity(planned.len());
    addrs.extend(
        view.each().filter(|i| planned.get(*i).is_some_and(Option::is_some)).filter_map(|i| view.addr(i).cloned()),
    );
    // In the memory that they have.
    planned.retain(Option::is_some);
    Ok(Nodes::new(addrs, planned.into_iter().map_while(|planned| planned).collect()))
}

fn put(view: &View<'_>, planned: &mut [Option<Planned>], candidate: Candidate<'_>, found: Match) {
    let Candidate { number, node, key: (spec, bindings), .. } = candidate;
    let (object, fate, serial) = found;
    // What is there already waits for nothing.
    let waits = node.edges.iter().filter(|e| e.kind != EdgeKind::Set && fate != Fate::Keep);
    let after = waits.map(|e| e.to.clone()).collect();
    let claims = start::claims(view.graph, node, &|at| planned.get(view.find(at)?)?.as_ref().map(|p| p.object));
    let start = start::Start::AtOnce;
    if let Some(here) = planned.get_mut(number) {
        *here = Some(Planned { object, spec, bindings, after, serial, fate, claims, start });
    }
}

/// Takes the first object at an address.
fn take_at(side: &mut BTreeSet<(Addr, ObjectId)>, addr: &Addr) -> Option<(Addr, ObjectId)> {
    let least = (addr.clone(), ObjectId(Digest([0; 32])));
    let found = side.range(least..).next().filter(|(at, _)| at == addr).cloned()?;
    side.take(&found)
}

fn key(object: &Object) -> Key {
    (object.spec, object.bindings.clone())
}

/// Whether an object matches by its key.
fn by_key(object: &Object) -> bool {
    object.class == Class::Resource && object.nature != Nature::Job
}

impl<'a> Matcher<'a, '_> {
    /// Whether a new generation can have this object.
    fn sound(&self, id: ObjectId, object: &Object) -> bool {
        if !object.state.usable() {
            return false;
        }
        match self.observed.objects.get(&id) {
            None | Some(Observation::Intact) => true,
            // What is switched is switched back, and what is not ours is what it is: neither is made anew.
            Some(Observation::Changed(_)) => !(self.view.options.heal && object.class == Class::Resource),
            Some(Observation::Missing) => {
                let in_use = || self.view.state.objects.get_index_of(&id).is_some_and(|at| self.view.in_use(at));
                !(self.view.options.heal && object.class != Class::External) && in_use()
            }
        }
    }

    /// A job by what ran, a durable or pointer by its address, anything else if it is there already.
    fn of_its_own(
        &mut self,
        candidate: &Candidate<'a>,
        schema: &KindSchema,
        rerun: bool,
    ) -> Result<Option<Match>, PlanError> {
        if schema.nature == Nature::Job {
            return Ok(Some(self.by_fact(candidate, rerun)));
        }
        if candidate.node.class != Class::Resource {
            return self.by_address(candidate).map(Some);
        }
        let here = self.view.base(candidate.number).filter(|(_, o)| by_key(o));
        let equal = |o: &Object| o.spec == candidate.key.0 && o.bindings == candidate.key.1;
        Ok(here.filter(|(id, o)| equal(o) && self.sound(*id, o)).map(|(id, o)| (id, Fate::Keep, o.serial)))
    }

    /// Nodes of one level that keep nothing.
    fn of_the_rest(&mut self, open: Vec<Candidate<'a>>) -> Vec<(Candidate<'a>, Match)> {
        let mut done = Vec::with_capacity(open.len());
        if open.is_empty() {
            return done;
        }
        let mut left = self.left.take().unwrap_or_else(|| self.left_over());
        // An object with the spec of the node at its address was reserved for that until now.
        let reserved = open.iter().filter_map(|c| self.view.base(c.number).filter(|(_, o)| o.spec == c.key.0));
        for (id, object) in reserved.filter(|(id, o)| by_key(o) && self.sound(*id, o)) {
            left.current.entry(key(object)).or_default().insert((object.address.clone(), id));
        }
        let mut rest = open;
        for round in 0..3 {
            let mut next = Vec::new();
            for candidate in rest {
                let side = if round == 0 { &mut left.current } else { &mut left.warm };
                let found = side.get_mut(&candidate.key).and_then(|side| match round {
                    1 => take_at(side, candidate.addr),
                    _any => side.pop_first(),
                });
                let Some((from, object)) = found else {
                    next.push(candidate);
                    continue;
                };
                let fate = if round == 0 { Fate::Rename(from) } else { Fate::Reuse };
                let serial = self.view.state.objects.get(&object).map_or(0, |o| o.serial);
                done.push((candidate, (object, fate, serial)));
            }
            rest = next;
        }
        for candidate in rest {
            let released = left.released.get_mut(&candidate.key).and_then(Vec::pop);
            let (object, serial) =
                released.map_or_else(|| self.fresh(&candidate.key), |(serial, object)| (object, serial));
            done.push((candidate, (object, Fate::Create, serial)));
        }
        self.left = Some(left);
        done
    }

    fn left_over(&self) -> Left {
        let mut left = Left { current: Side::new(), warm: Side::new(), released: BTreeMap::new() };
        let add = |side: &mut Side, id, object: &Object| {
            side.entry(key(object)).or_default().insert((object.address.clone(), id));
        };
        let other =
            |i: usize| self.view.base(i).filter(|(_, o)| self.view.node(i).is_some_and(|(_, n, _)| n.spec != o.spec));
        let base = self.view.each().filter_map(other).chain(self.view.strays());
        for (id, object) in base.filter(|(id, o)| by_key(o) && self.sound(*id, o)) {
            add(&mut left.current, id, object);
        }
        for (_, id, object) in self.view.objects().filter(|(place, _, o)| by_key(o) && !self.view.in_use(*place)) {
            if object.state == ObjectState::Released && object.nature == Nature::Content {
                left.released.entry(key(object)).or_default().push((object.serial, id));
            }
            // Only what was in service once and is known to work is taken back; and what was taken over as it is declared.
            let proper = object.since.is_some() || object.adopted && !object.drifted;
            if proper && self.sound(id, object) {
                add(&mut left.warm, id, object);
            }
        }
        left
    }

    /// A job that has run is never run again, whichever generation it ran for and whether its object is still there.
    fn by_fact(&mut self, candidate: &Candidate<'_>, rerun: bool) -> Match {
        let Candidate { addr, node, key, .. } = candidate;
        let again = rerun && start::every_apply(node);
        let facts = self.facts.get_or_insert_with(|| {
            let mut facts: BTreeMap<Key, Vec<_>> = BTreeMap::new();
            let ran = |o: &Object| o.nature == Nature::Job && o.ended == Some(0) && !o.undone;
            for (_, id, object) in self.view.objects().filter(|(.., o)| ran(o)) {
                facts.entry(self::key(object)).or_default().push((id, object));
            }
            facts
        });
        let open = facts.get(key).into_iter().flatten().filter(|(id, _)| !again && !self.taken.contains(id));
        // At this address rather than at another, the newest.
        let best = open.min_by_key(|(id, o)| (o.address != **addr, std::cmp::Reverse(o.serial), *id));
        let (object, fate, serial) = match best {
            Some((id, o)) if o.address == **addr => (*id, Fate::Keep, o.serial),
            Some((id, o)) => (*id, Fate::Rename(o.address.clone()), o.serial),
            None => {
                let (object, serial) = self.fresh(key);
                (object, Fate::Create, serial)
            }
        };
        self.taken.insert(object);
        (object, fate, serial)
    }

    /// The next object with this spec and bindings.
    fn fresh(&mut self, key: &Key) -> (ObjectId, u64) {
        let state = self.view.state;
        let next = self.serials.entry(key.clone()).or_insert_with(|| state.next_serial(&key.0, &key.1));
        loop {
            let serial = *next;
            *next += 1;
            let object = ObjectId::new(self.lineage, &key.0, &key.1, serial);
            // What was taken over keeps its name, also as something else than it was made as.
            if !state.objects.contains_key(&object) {
                return (object, serial);
            }
        }
    }

    fn by_address(&mut self, candidate: &Candidate<'_>) -> Result<Match, PlanError> {
        let Candidate { number, addr, node, key } = candidate;
        let options = self.view.options;
        let renamed_from = options.renames.iter().find(|(_, to)| to == addr).map(|(from, _)| from);
        let equal = |o: &Object| o.spec == key.0 && o.bindings == key.1 && o.kind == node.kind;
        let usable = |id: &ObjectId, o: &Object| self.sound(*id, o) && !self.taken.contains(id);
        let declared = renamed_from.map_or_else(|| self.view.base(*number), |from| self.view.state.at(from));
        if let Some((id, object)) = declared
            && object.class == node.class
            && object.state != ObjectState::Retained
            && usable(&id, object)
        {
            if equal(object) {
                let fate = renamed_from.map_or(Fate::Keep, |from| Fate::Rename(from.clone()));
                let serial = object.serial;
                self.taken.insert(id);
                return Ok((id, fate, serial));
            }
            if node.class == Class::Durable && !options.replace.contains(addr) {
                return Err(PlanError {
                    code: "durable-change",
                    message: format!("{addr} holds data, and this change would make a new one without it"),
                    help: Some(format!("undo the change, or consent with `--replace {addr} --because TEXT`")),
                    loc: Some(node.origin.loc.clone()),
                });
            }
        }
        if matches!(node.class, Class::Durable | Class::Pointer) {
            let retained = self.retained.get_or_insert_with(|| {
                let mut retained: BTreeMap<&Addr, Vec<_>> = BTreeMap::new();
                let of = |at: usize, o: &Object| match o.class {
                    Class::Durable => o.state == ObjectState::Retained,
                    Class::Pointer => {
                        let there = matches!(o.state, ObjectState::Bound | ObjectState::Reserved);
                        there && o.since.is_some() && !self.view.in_use(at)
                    }
                    Class::Resource | Class::External => false,
                };
                for (_, id, object) in self.view.objects().filter(|(at, _, o)| of(*at, o)) {
                    retained.entry(&object.address).or_default().push((id, object));
                }
                // The one that was made last has the data that was used last.
                retained.values_mut().for_each(|same| same.sort_by_key(|(id, o)| (std::cmp::Reverse(o.serial), *id)));
                retained
            });
            let here = retained.get(renamed_from.unwrap_or(addr)).into_iter().flatten().copied();
            let named = renamed_from.and(options.rename_object.as_deref());
            let meant = |id: &ObjectId| named.is_none_or(|wanted| id.to_string().starts_with(wanted));
            let found = here.filter(|(id, o)| equal(o) && meant(id) && !self.taken.contains(id)).collect::<Vec<_>>();
            if let Some((id, object)) = found.into_iter().find(|(id, o)| self.sound(*id, o)) {
                self.taken.insert(id);
                let elsewhere = renamed_from.filter(|from| *from != *addr);
                let again = if node.class == Class::Durable { Fate::Attach } else { Fate::Reuse };
                let fate = elsewhere.map_or(again, |from| Fate::Rename(from.clone()));
                return Ok((id, fate, object.serial));
            }
        }
        let (object, serial) = self.fresh(key);
        self.taken.insert(object);
        Ok((object, Fate::Create, serial))
    }
}
