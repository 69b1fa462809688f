//! A map that knows which of its entries changed since it was last written down.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

/// Read as a map; changed through its own methods.
#[derive(Clone, Debug)]
pub struct Tracked<K, V> {
    map: BTreeMap<K, V>,
    changed: BTreeSet<K>,
}

impl<K: Ord + Copy, V> Tracked<K, V> {
    /// An entry, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let value = self.map.get_mut(key)?;
        self.changed.insert(*key);
        Some(value)
    }

    /// An entry, to be changed; made when there is none.
    pub fn or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        self.changed.insert(key);
        self.map.entry(key).or_insert_with(value)
    }

    /// Adds an entry, or puts it in the place of the one there.
    pub fn insert(&mut self, key: K, value: V) {
        self.changed.insert(key);
        self.map.insert(key, value);
    }

    /// Removes an entry.
    pub fn remove(&mut self, key: &K) {
        if self.map.remove(key).is_some() {
            self.changed.insert(*key);
        }
    }

    /// As it was written down: nothing changed.
    pub(super) fn restore(&mut self, key: K, value: V) {
        self.map.insert(key, value);
    }

    /// What changed since the last time; what is no longer there was removed.
    pub(super) fn changed(&self) -> impl Iterator<Item = (K, Option<&V>)> {
        self.changed.iter().map(|key| (*key, self.map.get(key)))
    }

    pub(super) fn written(&mut self) {
        self.changed.clear();
    }
}

impl<K, V> Default for Tracked<K, V> {
    fn default() -> Self {
        Self { map: BTreeMap::new(), changed: BTreeSet::new() }
    }
}

impl<K, V> Deref for Tracked<K, V> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &Self::Target {
        &self.map
    }
}

impl<'a, K, V> IntoIterator for &'a Tracked<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = std::collections::btree_map::Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.map.iter()
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for Tracked<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.map == other.map
    }
}

/// A list that only grows, and of which only the last entry changes.
#[derive(Clone, Debug)]
pub struct Grown<T> {
    all: Vec<T>,
    /// So many are as they were written down.
    same: usize,
}

impl<T> Grown<T> {
    /// The last one, to be changed.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.same = self.same.min(self.all.len().saturating_sub(1));
        self.all.last_mut()
    }

    /// One more.
    pub fn push(&mut self, value: T) {
        self.all.push(value);
    }

    /// As it was written down: nothing changed.
    pub(super) fn restore(&mut self, value: T) {
        self.all.push(value);
        self.same = self.all.len();
    }

    /// What changed since the last time, by its place.
    pub(super) fn changed(&self) -> impl Iterator<Item = (usize, &T)> {
        self.all.iter().enumerate().skip(self.same)
    }

    pub(super) fn written(&mut self) {
        self.same = self.all.len();
    }
}

impl<T> Default for Grown<T> {
    fn default() -> Self {
        Self { all: Vec::new(), same: 0 }
    }
}

impl<T> Deref for Grown<T> {
    type Target = [T];

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl<T: PartialEq> PartialEq for Grown<T> {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}
