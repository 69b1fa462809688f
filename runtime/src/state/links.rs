//! What can be derived from the state and is worth to be kept: who refers to an object, how many there were like it. Made at
//! first use, kept up by the fold from then on; no part of the state itself.

use super::objects::Prefix;
use super::{Objects, Pointer, State};
use crate::entry::RecordedMove;
use crate::id::ObjectId;
use imm_ir::{Digest, Encoder};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::OnceLock;

/// See the module. Equal to any other: it says nothing of its own.
#[derive(Clone, Debug, Default)]
pub struct Derived {
    links: OnceLock<Links>,
    serials: OnceLock<Serials>,
}

/// Who ever referred to an object. Whether it still does is for [`State`] to say.
#[derive(Clone, Debug, Default)]
struct Links {
    /// Objects that were made to bind it.
    bound: BTreeMap<ObjectId, Vec<ObjectId>>,
    /// Pointers with a setting that had it as a target.
    aimed: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
}

/// How many objects were planned with a spec and bindings.
type Serials = HashMap<ObjectId, u64, BuildHasherDefault<Prefix>>;

impl PartialEq for Derived {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

/// Names a spec with bindings.
fn key(spec: &Digest, bindings: &[ObjectId]) -> ObjectId {
    if bindings.is_empty() {
        return ObjectId(*spec);
    }
    let mut out = Encoder::new("imm.alike.1");
    out.digest(spec);
    bindings.iter().for_each(|b| out.digest(&b.0));
    ObjectId(out.finish())
}

impl Links {
    fn of(state: &State) -> Self {
        let mut links = Self::default();
        for (id, object) in state.objects.iter() {
            links.bind(*id, &object.bindings);
        }
        for (id, Pointer { setting, confirmed, pending, .. }) in state.pointers.iter() {
            let settings = [setting, confirmed].into_iter().chain(pending.iter().map(|(_, s)| s));
            for target in settings.flat_map(|s| &s.targets) {
                links.aim(*id, target.object);
            }
        }
        links
    }

    fn bind(&mut self, object: ObjectId, bindings: &[ObjectId]) {
        for bound in bindings {
            self.bound.entry(*bound).or_default().push(object);
        }
    }

    fn aim(&mut self, pointer: ObjectId, target: ObjectId) {
        self.aimed.entry(target).or_default().insert(pointer);
    }
}

fn count(serials: &mut Serials, spec: &Digest, bindings: &[ObjectId], serial: u64) {
    let count = serials.entry(key(spec, bindings)).or_default();
    *count = (*count).max(serial + 1);
}

fn serials(objects: &Objects) -> Serials {
    let mut serials = Serials::with_capacity_and_hasher(objects.len(), BuildHasherDefault::default());
    for object in objects.values() {
        count(&mut serials, &object.spec, &object.bindings, object.serial);
    }
    serials
}

impl Derived {
    /// An object is planned.
    pub(super) fn planned(&mut self, object: ObjectId, spec: &Digest, bindings: &[ObjectId], serial: u64) {
        if let Some(links) = self.links.get_mut() {
            links.bind(object, bindings);
        }
        if let Some(serials) = self.serials.get_mut() {
            count(serials, spec, bindings, serial);
        }
    }

    /// Pointers are to move.
    pub(super) fn moving(&mut self, moves: &[RecordedMove]) {
        let Some(links) = self.links.get_mut() else { return };
        for m in moves {
            for target in m.from.targets.iter().chain(&m.to.targets) {
                links.aim(m.object, target.object);
            }
        }
    }
}

impl State {
    /// The serial of the next object with this spec and these bindings.
    pub fn next_serial(&self, spec: &Digest, bindings: &[ObjectId]) -> u64 {
        let serials = self.derived.serials.get_or_init(|| serials(&self.objects));
        serials.get(&key(spec, bindings)).copied().unwrap_or(0)
    }

    /// Objects that were made to bind this one.
    pub(crate) fn ever_bound(&self, object: &ObjectId) -> impl Iterator<Item = ObjectId> {
        let links = self.derived.links.get_or_init(|| Links::of(self));
        links.bound.get(object).into_iter().flatten().copied()
    }

    /// Pointers that had this one as a target.
    pub(super) fn ever_aimed(&self, object: &ObjectId) -> impl Iterator<Item = ObjectId> {
        let links = self.derived.links.get_or_init(|| Links::of(self));
        links.aimed.get(object).into_iter().flatten().copied()
    }
}
