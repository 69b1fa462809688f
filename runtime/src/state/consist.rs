//! What a generation consists of: known for the one in force, taken from the commits of the record for the others when
//! somebody asks.

use super::objects::Recall;
use crate::entry::{Body, Commit};
use crate::id::ObjectId;
use imm_ir::Addr;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// Objects by their addresses: a sorted list, since it is made at once, read in order, and large.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Vec<(Addr, ObjectId)>);

impl Places {
    /// From a list in any order, each address once.
    pub(super) fn new(mut all: Vec<(Addr, ObjectId)>) -> Self {
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self(all)
    }

    /// The object at an address.
    pub fn get(&self, addr: &Addr) -> Option<&ObjectId> {
        let at = self.0.binary_search_by(|(a, _)| a.cmp(addr)).ok()?;
        self.0.get(at).map(|(_, id)| id)
    }

    /// All of them in address order.
    pub fn iter(&self) -> impl Iterator<Item = (&Addr, &ObjectId)> {
        self.0.iter().map(|(addr, id)| (addr, id))
    }

    /// The objects in the order of their addresses.
    pub fn values(&self) -> impl Iterator<Item = &ObjectId> {
        self.0.iter().map(|(_, id)| id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn change(&mut self, commit: &Commit) {
        if !commit.removed.is_empty() {
            let gone: BTreeSet<&Addr> = commit.removed.iter().collect();
            self.0.retain(|(addr, _)| !gone.contains(addr));
        }
        // Two sorted runs: the sort finds that and merges them, and what was added stays behind what it replaces.
        self.0.extend(commit.added.iter().cloned());
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.0.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 = later.1;
            }
            same
        });
    }
}

/// Objects by their addresses in one generation.
#[derive(Clone, Debug, Default)]
pub struct Consist {
    known: OnceLock<Places>,
    /// The entry that committed it, as a difference to its parent.
    commit: u64,
    parent: Option<Arc<Consist>>,
    from: Option<Arc<Recall>>,
}

static NOTHING: Places = Places(Vec::new());

impl Consist {
    /// After entry `seq`.
    pub(super) fn committed(seq: u64, commit: &Commit, parent: Option<Arc<Consist>>) -> Self {
        let mut objects = parent.as_ref().map(|p| p.places().clone()).unwrap_or_default();
        objects.change(commit);
        Self { known: OnceLock::from(objects), commit: seq, parent, from: None }
    }

    /// As it was written down; `known` if it is.
    pub(super) fn restored(seq: u64, parent: Option<Arc<Consist>>, known: Option<Places>, from: &Arc<Recall>) -> Self {
        let known = known.map_or_else(OnceLock::new, OnceLock::from);
        Self { known, commit: seq, parent, from: Some(Arc::clone(from)) }
    }

    /// The entry that committed it.
    pub(super) fn commit(&self) -> u64 {
        self.commit
    }

    fn places(&self) -> &Places {
        if let Some(known) = self.known.get() {
            return known;
        }
        self.read().map_or(&NOTHING, |objects| self.known.get_or_init(|| objects))
    }

    fn read(&self) -> Option<Places> {
        // Back to one that is known, or to the first.
        let (mut open, mut next) = (vec![self], self.parent.as_deref());
        while let Some(parent) = next.filter(|p| p.known.get().is_none()) {
            open.push(parent);
            next = parent.parent.as_deref();
        }
        let mut objects = next.and_then(|p| p.known.get()).cloned().unwrap_or_default();
        for generation in open.iter().rev() {
            let Body::Committed(commit) = generation.from.as_ref()?.body(generation.commit)? else { return None };
            objects.change(&commit);
        }
        Some(objects)
    }
}

impl Deref for Consist {
    type Target = Places;

    fn deref(&self) -> &Places {
        self.places()
    }
}

impl PartialEq for Consist {
    fn eq(&self, other: &Self) -> bool {
        self.places() == other.places()
    }
}
