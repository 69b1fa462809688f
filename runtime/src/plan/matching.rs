//! Which object each node gets: per spec and bindings, as a multiset. The one at its own address first (keep), then what is
//! left over on both sides in address order (rename), then warm ones (reuse), else a new one. Durables and pointers match by
//! address alone: two equal volumes must never swap their data.

use super::order::Order;
use super::{Fate, Observed, Options, PlanError, Planned, Recorded, identity, start};
use crate::id::{Lineage, ObjectId};
use crate::provider::Observation;
use crate::state::{Object, ObjectState, State};
use imm_ir::{Addr, Class, Digest, EdgeKind, Graph, Nature, Node};
use std::collections::{BTreeMap, BTreeSet};

type Key = (Digest, Vec<ObjectId>);

/// A node whose spec and bindings are known.
struct Candidate<'a> {
    addr: &'a Addr,
    node: &'a Node,
    key: Key,
}

struct Matcher<'a> {
    state: &'a State,
    observed: &'a Observed,
    options: &'a Options,
    lineage: Lineage,
    /// Objects of the base by key, warm ones by key; each in address order.
    current: BTreeMap<Key, BTreeSet<(Addr, ObjectId)>>,
    warm: BTreeMap<Key, BTreeSet<(Addr, ObjectId)>>,
    /// Content that was left to the collector: bytes are the same whenever they are made, so it is made again as it was.
    released: BTreeMap<Key, Vec<(u64, ObjectId)>>,
    serials: BTreeMap<Key, u64>,
    taken: BTreeSet<ObjectId>,
}

pub(super) fn assign(
    graph: &Graph,
    recorded: Recorded<'_>,
    observed: &Observed,
    options: &Options,
    lineage: Lineage,
    order: &Order<'_>,
    rerun: bool,
) -> Result<BTreeMap<Addr, Planned>, PlanError> {
    let mut matcher = Matcher::new(recorded.state, observed, options, lineage);
    let mut nodes: BTreeMap<Addr, Planned> = BTreeMap::new();
    // Equal keys only occur within a level: equal bindings are the same objects, each of which belongs to one node.
    for level in order.sorted.chunk_by(|a, b| a.1 == b.1) {
        let mut groups: BTreeMap<Key, Vec<Candidate<'_>>> = BTreeMap::new();
        for (addr, _) in level {
            let Some(node) = graph.nodes.get(*addr) else { continue };
            let Some(schema) = options.schema(&node.provider, &node.kind) else { continue };
            let slots = identity::slots(graph, node, schema);
            let bindings: Vec<_> = slots.iter().filter_map(|a| nodes.get(a)).map(|n| n.object).collect();
            let candidate = Candidate { addr, node, key: (node.spec, bindings) };
            groups.entry(candidate.key.clone()).or_default().push(candidate);
        }
        for group in groups.into_values() {
            for (candidate, object, fate, serial) in matcher.match_group(group, rerun)? {
                let after = candidate.node.edges.iter().filter(|e| e.kind != EdgeKind::Set).map(|e| e.to.clone());
                let planned = Planned {
                    object,
                    spec: candidate.key.0,
                    bindings: candidate.key.1,
                    after: after.collect(),
                    serial,
                    fate,
                    claims: start::claims(graph, candidate.node, &nodes),
                    start: start::Start::AtOnce,
                };
                nodes.insert(candidate.addr.clone(), planned);
            }
        }
    }
    Ok(nodes)
}

/// Takes the first object at an address.
fn take_at(side: &mut BTreeSet<(Addr, ObjectId)>, addr: &Addr) -> Option<(Addr, ObjectId)> {
    let least = (addr.clone(), ObjectId(Digest([0; 32])));
    let found = side.range(least..).next().filter(|(at, _)| at == addr).cloned()?;
    side.take(&found)
}

impl<'a> Matcher<'a> {
    fn new(state: &'a State, observed: &'a Observed, options: &'a Options, lineage: Lineage) -> Self {
        let mut matcher = Self {
            state,
            observed,
            options,
            lineage,
            current: BTreeMap::new(),
            warm: BTreeMap::new(),
            released: BTreeMap::new(),
            serials: BTreeMap::new(),
            taken: BTreeSet::new(),
        };
        let in_use = state.in_use();
        let resources = state.objects.iter().filter(|(_, o)| o.class == Class::Resource && o.nature != Nature::Job);
        for (id, object) in resources {
            if object.state == ObjectState::Released && object.nature == Nature::Content {
                let key = (object.spec, object.bindings.clone());
                matcher.released.entry(key).or_default().push((object.serial, *id));
            }
            if !matcher.sound(*id, object) {
                continue;
            }
            let key = (object.spec, object.bindings.clone());
            let side = if in_use.contains(id) { &mut matcher.current } else { &mut matcher.warm };
            // Out of the base, only what was in service once and is known to work is taken back.
            if in_use.contains(id) || object.since.is_some() {
                side.entry(key).or_default().insert((object.address.clone(), *id));
            }
        }
        matcher
    }

    /// Whether a new generation can have this object.
    fn sound(&self, id: ObjectId, object: &Object) -> bool {
        let seen = self.observed.objects.get(&id);
        // What is switched is switched back, and what is not ours is what it is: neither is made anew.
        let broken = self.options.heal
            && match seen {
                Some(Observation::Missing) => object.class != Class::External,
                Some(Observation::Changed(_)) => object.class == Class::Resource,
                Some(Observation::Intact) | None => false,
            };
        object.state.usable()
            && !broken
            && !matches!(seen, Some(Observation::Missing) if !self.state.in_use().contains(&id))
    }

    fn match_group<'n>(
        &mut self,
        group: Vec<Candidate<'n>>,
        rerun: bool,
    ) -> Result<Vec<(Candidate<'n>, ObjectId, Fate, u64)>, PlanError> {
        let mut done = Vec::with_capacity(group.len());
        let mut open = Vec::new();
        for candidate in group {
            let job = self.options.schema(&candidate.node.provider, &candidate.node.kind);
            if job.is_some_and(|schema| schema.nature == Nature::Job) {
                let (object, fate, serial) = self.by_fact(&candidate, rerun);
                done.push((candidate, object, fate, serial));
                continue;
            }
            if candidate.node.class == Class::Resource {
                open.push(candidate);
                continue;
            }
            let (object, fate, serial) = self.by_address(&candidate)?;
            done.push((candidate, object, fate, serial));
        }
        let Some(key) = open.first().map(|c| c.key.clone()) else { return Ok(done) };
        // Two passes a side: the same address, then whatever is left.
        let mut rounds = [(self.current.remove(&key), true), (self.warm.remove(&key), false)];
        for (side, current) in &mut rounds {
            let side = side.get_or_insert_default();
            for same_address in [true, false] {
                let mut rest = Vec::new();
                for candidate in open {
                    let found = if same_address { take_at(side, candidate.addr) } else { side.pop_first() };
                    let Some((from, object)) = found else {
                        rest.push(candidate);
                        continue;
                    };
                    let fate = match (*current, same_address) {
                        (true, true) => Fate::Keep,
                        (true, false) => Fate::Rename(from),
                        (false, _) => Fate::Reuse,
                    };
                    let serial = self.state.objects.get(&object).map_or(0, |o| o.serial);
                    done.push((candidate, object, fate, serial));
                }
                open = rest;
            }
        }
        for candidate in open {
            let released = self.released.get_mut(&candidate.key).and_then(Vec::pop);
            let (object, serial) =
                released.map_or_else(|| self.fresh(&candidate.key), |(serial, object)| (object, serial));
            done.push((candidate, object, Fate::Create, serial));
        }
        Ok(done)
    }

    /// A job that has run is never run again, whichever generation it ran for and whether its object is still there.
    fn by_fact(&mut self, candidate: &Candidate<'_>, rerun: bool) -> (ObjectId, Fate, u64) {
        let Candidate { addr, node, key } = candidate;
        let again = rerun && start::every_apply(node);
        let ran = |id: &ObjectId, o: &Object| {
            o.nature == Nature::Job && o.ended == Some(0) && !o.undone && !self.taken.contains(id)
        };
        let mut facts: Vec<_> = self
            .state
            .objects
            .iter()
            .filter(|(id, o)| !again && o.spec == key.0 && o.bindings == key.1 && ran(id, o))
            .map(|(id, o)| (o.address != **addr, std::cmp::Reverse(o.serial), *id, o.address.clone(), o.serial))
            .collect();
        facts.sort();
        let (object, fate, serial) = match facts.into_iter().next() {
            Some((false, _, object, _, serial)) => (object, Fate::Keep, serial),
            Some((true, _, object, from, serial)) => (object, Fate::Rename(from), serial),
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
        let next = self.serials.entry(key.clone()).or_insert_with(|| self.state.next_serial(&key.0, &key.1));
        let serial = *next;
        *next += 1;
        (ObjectId::new(self.lineage, &key.0, &key.1, serial), serial)
    }

    fn by_address(&mut self, candidate: &Candidate<'_>) -> Result<(ObjectId, Fate, u64), PlanError> {
        let Candidate { addr, node, key } = candidate;
        let renamed_from = self.options.renames.iter().find(|(_, to)| to == addr).map(|(from, _)| from);
        let equal = |o: &Object| o.spec == key.0 && o.bindings == key.1 && o.kind == node.kind;
        let usable = |id: &ObjectId, o: &Object| self.sound(*id, o) && !self.taken.contains(id);
        let declared = renamed_from.map_or(*addr, |from| from);
        if let Some((id, object)) = self.state.at(declared)
            && object.class == node.class
            && usable(&id, object)
        {
            if equal(object) {
                let fate = renamed_from.map_or(Fate::Keep, |from| Fate::Rename(from.clone()));
                let serial = object.serial;
                self.taken.insert(id);
                return Ok((id, fate, serial));
            }
            if node.class == Class::Durable && !self.options.replace.contains(addr) {
                return Err(PlanError {
                    code: "durable-change",
                    message: format!("{addr} holds data, and this change would make a new one without it"),
                    help: Some(format!("undo the change, or consent with `--replace {addr} --because TEXT`")),
                    loc: Some(node.origin.loc.clone()),
                });
            }
        }
        if node.class == Class::Durable {
            let retained = self.state.objects.iter().find(|(id, o)| {
                o.class == Class::Durable
                    && o.state == ObjectState::Retained
                    && o.address == *declared
                    && equal(o)
                    && usable(id, o)
            });
            if let Some((id, object)) = retained.map(|(id, o)| (*id, o)) {
                self.taken.insert(id);
                let fate = renamed_from.map_or(Fate::Attach, |from| Fate::Rename(from.clone()));
                return Ok((id, fate, object.serial));
            }
        }
        let (object, serial) = self.fresh(key);
        self.taken.insert(object);
        Ok((object, Fate::Create, serial))
    }
}
