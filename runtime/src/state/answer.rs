//! What can be derived from the state: what may still be pointed at, what stays warm, what a plan is based on.

use super::{Apply, Generation, Object, ObjectState, State};
use crate::id::ObjectId;
use crate::provider::Setting;
use imm_ir::{Addr, Class, CreateMode, Digest, Encoder, FindMode};
use std::collections::BTreeSet;

impl Object {
    /// Whether it was taken over and no generation had it yet.
    pub fn awaits(&self) -> bool {
        self.adopted && self.since.is_none()
    }

    /// Whether nobody can tell if it is there: its create was never answered, may not be repeated, and nothing finds it.
    pub fn untold(&self) -> bool {
        let open = matches!(self.state, ObjectState::Creating(_) | ObjectState::Unknown(_));
        open && self.create == CreateMode::Once && self.find == FindMode::None
    }
}

impl State {
    /// The apply that has not come to its end.
    pub fn open_apply(&self) -> Option<&Apply> {
        self.applies.last().filter(|a| !a.phase.ended())
    }

    /// The newest committed generation.
    pub fn generation(&self) -> Option<&Generation> {
        self.current.and_then(|g| self.generations.get(&g))
    }

    /// The object at an address of the newest generation.
    pub fn at(&self, address: &Addr) -> Option<(ObjectId, &Object)> {
        let id = *self.generation()?.objects.get(address)?;
        Some((id, self.objects.get(&id)?))
    }

    /// Whether any pointer may be set to this object: by its last acknowledged setting, by one it may go back to, or by one
    /// that was sent and not proven not to have happened.
    pub fn may_point(&self, object: ObjectId) -> bool {
        let has = |s: &Setting| s.targets.iter().any(|t| t.object == object);
        let aimed = self.ever_aimed(&object);
        aimed.filter_map(|id| Some((id, self.pointers.get(&id)?))).any(|(id, p)| {
            let there = self.objects.get(&id).is_some_and(|o| o.state.exists());
            there && (has(&p.setting) || has(&p.confirmed) || p.pending.iter().any(|(_, s)| has(s)))
        })
    }

    /// Whether a pointer is set to this object now, or may be by a setting that was sent.
    pub fn points(&self, object: ObjectId) -> bool {
        let has = |s: &Setting| s.targets.iter().any(|t| t.object == object);
        let aimed = self.ever_aimed(&object);
        aimed.filter_map(|id| self.pointers.get(&id)).any(|p| has(&p.setting) || p.pending.iter().any(|(_, s)| has(s)))
    }

    /// What a pointer, or the cells of a durable, were last set to.
    pub fn setting(&self, id: ObjectId) -> Setting {
        let cells = || self.objects.get(&id).map(|o| Setting { targets: Vec::new(), inputs: o.cells.clone() });
        self.pointers.get(&id).map(|p| p.setting.clone()).or_else(cells).unwrap_or_default()
    }

    /// An object that exists and binds this one.
    pub fn bound_by(&self, object: ObjectId) -> Option<&Object> {
        let bound = self.ever_bound(&object);
        bound.filter_map(|id| self.objects.get(&id)).find(|o| o.state.exists() && o.bindings.contains(&object))
    }

    /// The objects of the newest generation.
    pub fn in_use(&self) -> BTreeSet<ObjectId> {
        self.generation().map(|g| g.objects.values().copied().collect()).unwrap_or_default()
    }

    /// The objects of the `keep` generations before the newest, without those in use. Durables are never warm: they are
    /// retained. A pointer holds a claim: it stays only for what stays and was made with it.
    pub fn warm(&self, keep: u32) -> BTreeSet<ObjectId> {
        let Some(current) = self.current else { return BTreeSet::new() };
        let before: Vec<_> = self.generations.range(..current).rev().take(keep as usize).collect();
        if before.is_empty() {
            return BTreeSet::new();
        }
        let (in_use, unsound) = (self.in_use(), self.unsound());
        let mut warm: BTreeSet<ObjectId> = before
            .into_iter()
            .flat_map(|(_, g)| g.objects.values().copied())
            .filter(|id| {
                let resource = self.objects.get(id).is_some_and(|o| o.class == Class::Resource);
                resource && !in_use.contains(id) && !unsound.contains(id)
            })
            .collect();
        let with = self.made_with(warm.iter().copied());
        warm.extend(with.into_iter().filter(|id| !in_use.contains(id)));
        warm
    }

    /// The pointers that these objects were made with and that are there.
    pub fn made_with(&self, objects: impl Iterator<Item = ObjectId>) -> BTreeSet<ObjectId> {
        let there = objects.filter_map(|id| self.objects.get(&id)).filter(|o| o.state.exists());
        let pointer =
            |id: &&ObjectId| self.objects.get(id).is_some_and(|o| o.class == Class::Pointer && o.state.exists());
        there.flat_map(|o| o.bindings.iter().filter(pointer)).copied().collect()
    }

    /// What was seen missing or changed, and all that is made of that: it never serves again. What an object is made of was
    /// planned before it.
    pub fn unsound(&self) -> BTreeSet<ObjectId> {
        let mut found = BTreeSet::new();
        let first = self.objects.values().position(|o| o.drifted).unwrap_or(usize::MAX);
        for (id, object) in self.objects.iter().skip(first) {
            if object.drifted || object.bindings.iter().any(|bound| found.contains(bound)) {
                found.insert(*id);
            }
        }
        found
    }

    /// What a plan is based on: generation, live and retained objects, epochs of the pointers. A saved plan is refused when
    /// this has moved.
    pub fn base(&self) -> Digest {
        let mut out = Encoder::new("imm.base.1");
        out.number(self.current.unwrap_or(0));
        let live: Vec<_> = self.objects.iter().filter(|(_, o)| o.state.exists()).collect();
        out.number(live.len() as u64);
        for (id, object) in live {
            out.digest(&id.0);
            out.text(object.state.word());
        }
        out.number(self.pointers.len() as u64);
        for (id, pointer) in self.pointers.iter() {
            out.digest(&id.0);
            out.number(pointer.epoch);
        }
        out.finish()
    }

    /// The generation that a bare rollback goes to: the newest with another graph that was never rolled back from.
    pub fn rollback_target(&self) -> Option<u64> {
        let now = self.generation()?;
        let current = self.current?;
        self.generations
            .range(..current)
            .rev()
            .find(|(_, g)| g.graph_root != now.graph_root && !g.rolled_back_from && !g.expired)
            .map(|(number, _)| *number)
    }
}
