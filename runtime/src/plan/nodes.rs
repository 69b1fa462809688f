//! The nodes of a plan with their objects, in address order: two columns instead of a tree, since all of them are made at
//! once, read in order, and never added to. A million of them cost what they hold.

use super::Planned;
use imm_ir::Addr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// Read as a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    addrs: Vec<Addr>,
    planned: Vec<Planned>,
}

impl Nodes {
    /// From both columns. The addresses are in order, each once.
    pub(super) fn new(addrs: Vec<Addr>, planned: Vec<Planned>) -> Self {
        debug_assert!(addrs.len() == planned.len() && addrs.is_sorted());
        Self { addrs, planned }
    }

    /// What is planned for the node at an address.
    pub fn get(&self, addr: &Addr) -> Option<&Planned> {
        self.planned.get(self.addrs.binary_search(addr).ok()?)
    }

    /// As [`get`](Self::get), to be changed.
    pub fn get_mut(&mut self, addr: &Addr) -> Option<&mut Planned> {
        self.planned.get_mut(self.addrs.binary_search(addr).ok()?)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.addrs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.addrs.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> Iter<'_> {
        self.addrs.iter().zip(&self.planned)
    }

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Addr, &mut Planned)> {
        self.addrs.iter().zip(&mut self.planned)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Planned> {
        self.planned.iter_mut()
    }

    /// Their addresses.
    pub fn keys(&self) -> impl Iterator<Item = &Addr> {
        self.addrs.iter()
    }

    /// What is planned for them.
    pub fn values(&self) -> impl Iterator<Item = &Planned> {
        self.planned.iter()
    }
}

/// All of them.
pub type Iter<'a> = std::iter::Zip<std::slice::Iter<'a, Addr>, std::slice::Iter<'a, Planned>>;

impl<'a> IntoIterator for &'a Nodes {
    type Item = (&'a Addr, &'a Planned);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for Nodes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de> Deserialize<'de> for Nodes {
    /// Whoever wrote them may have had another order.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (addrs, planned) = BTreeMap::<Addr, Planned>::deserialize(deserializer)?.into_iter().unzip();
        Ok(Self { addrs, planned })
    }
}
