//! A map of what is made in the order of its keys, or nearly so: what comes behind all others is put behind them, with one
//! comparison where a tree makes dozens. What comes in between makes a tree of all before it, as it would have been.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug)]
pub(super) struct Ascending<K, V> {
    tree: BTreeMap<K, V>,
    /// In order, and behind all of the tree.
    tail: Vec<(K, V)>,
}

impl<K, V> Default for Ascending<K, V> {
    fn default() -> Self {
        Self { tree: BTreeMap::new(), tail: Vec::new() }
    }
}

impl<K: Ord, V> Ascending<K, V> {
    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize) {
        self.tail.reserve(more);
    }

    /// Adds an entry; the value that had this key before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let last = self.tail.last().map(|(last, _)| last).or_else(|| self.tree.last_key_value().map(|(last, _)| last));
        if last.is_none_or(|last| *last < key) {
            self.tail.push((key, value));
            return None;
        }
        self.tree.extend(self.tail.drain(..));
        self.tree.insert(key, value)
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match self.place(key) {
            Some(at) => self.tail.get(at).map(|(_, value)| value),
            None => self.tree.get(key),
        }
    }

    /// The value of a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match self.place(key) {
            Some(at) => self.tail.get_mut(at).map(|(_, value)| value),
            None => self.tree.get_mut(key),
        }
    }

    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        self.tail.binary_search_by(|(known, _)| known.borrow().cmp(key)).ok()
    }

    /// The keys from this one on, in order.
    pub fn keys_from<'a>(&'a self, key: &'a K) -> impl Iterator<Item = &'a K> {
        let from = self.tail.partition_point(|(known, _)| known < key);
        self.tree.range(key..).map(|(key, _)| key).chain(self.tail.iter().skip(from).map(|(key, _)| key))
    }

    /// All of it, as densely as a tree can be.
    pub fn into_tree(self) -> BTreeMap<K, V> {
        if self.tree.is_empty() {
            return self.tail.into_iter().collect();
        }
        self.tree.into_iter().chain(self.tail).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_tree_that_would_have_been_made() {
        let orders = [vec![1, 2, 3, 4, 5, 6], vec![6, 5, 4, 3, 2, 1], vec![1, 3, 5, 2, 4, 6], vec![2, 4, 4, 6, 1, 7]];
        for order in orders {
            let (mut ascending, mut tree) = (Ascending::default(), BTreeMap::new());
            for (at, key) in order.iter().enumerate() {
                assert_eq!(ascending.insert(*key, at), tree.insert(*key, at), "{order:?}");
                for key in 0..8 {
                    assert_eq!(ascending.get(&key), tree.get(&key), "{order:?}");
                    assert_eq!(ascending.get_mut(&key), tree.get_mut(&key), "{order:?}");
                    let from: Vec<_> = tree.range(key..).map(|(key, _)| key).collect();
                    assert_eq!(ascending.keys_from(&key).collect::<Vec<_>>(), from, "{order:?}");
                }
            }
            assert_eq!(ascending.into_tree(), tree);
        }
    }
}
