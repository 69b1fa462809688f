//! What a generation consists of: known for the one in force, taken from the commits of the record for the others when
//! somebody asks.

use super::objects::Recall;
use crate::entry::{Body, Commit};
use crate::id::ObjectId;
use imm_ir::Addr;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// Objects by their addresses in one generation.
#[derive(Clone, Debug, Default)]
pub struct Consist {
    known: OnceLock<BTreeMap<Addr, ObjectId>>,
    /// The entry that committed it, as a difference to its parent.
    commit: u64,
    parent: Option<Arc<Consist>>,
    from: Option<Arc<Recall>>,
}

static NOTHING: BTreeMap<Addr, ObjectId> = BTreeMap::new();

impl Consist {
    /// After entry `seq`.
    pub(super) fn committed(seq: u64, commit: &Commit, parent: Option<Arc<Consist>>) -> Self {
        let mut objects = parent.as_ref().map(|p| p.get().clone()).unwrap_or_default();
        change(&mut objects, commit);
        Self { known: OnceLock::from(objects), commit: seq, parent, from: None }
    }

    /// As it was written down; `known` if it is.
    pub(super) fn restored(
        seq: u64,
        parent: Option<Arc<Consist>>,
        known: Option<BTreeMap<Addr, ObjectId>>,
        from: &Arc<Recall>,
    ) -> Self {
        let known = known.map_or_else(OnceLock::new, OnceLock::from);
        Self { known, commit: seq, parent, from: Some(Arc::clone(from)) }
    }

    /// The entry that committed it.
    pub(super) fn commit(&self) -> u64 {
        self.commit
    }

    fn get(&self) -> &BTreeMap<Addr, ObjectId> {
        if let Some(known) = self.known.get() {
            return known;
        }
        self.read().map_or(&NOTHING, |objects| self.known.get_or_init(|| objects))
    }

    fn read(&self) -> Option<BTreeMap<Addr, ObjectId>> {
        // Back to one that is known, or to the first.
        let (mut open, mut next) = (vec![self], self.parent.as_deref());
        while let Some(parent) = next.filter(|p| p.known.get().is_none()) {
            open.push(parent);
            next = parent.parent.as_deref();
        }
        let mut objects = next.and_then(|p| p.known.get()).cloned().unwrap_or_default();
        for generation in open.iter().rev() {
            let Body::Committed(commit) = generation.from.as_ref()?.body(generation.commit)? else { return None };
            change(&mut objects, &commit);
        }
        Some(objects)
    }
}

fn change(objects: &mut BTreeMap<Addr, ObjectId>, commit: &Commit) {
    for gone in &commit.removed {
        objects.remove(gone);
    }
    objects.extend(commit.added.iter().cloned());
}

impl Deref for Consist {
    type Target = BTreeMap<Addr, ObjectId>;

    fn deref(&self) -> &Self::Target {
        self.get()
    }
}

impl PartialEq for Consist {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}
