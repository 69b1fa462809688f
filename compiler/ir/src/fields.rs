//! Fields of records, payloads and nodes: a small map from names, in name order.
//!
//! A sorted vector. Most have fewer than ten entries, and a graph has millions of them: this takes one exact allocation,
//! or none, where a tree takes more than half a kilobyte. Serialised as any map.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::marker::PhantomData;
use std::sync::Arc;

/// A map from names to `T`, in name order.
#[derive(Clone, PartialEq, Eq)]
pub struct Fields<T>(Vec<(Arc<str>, T)>);

/// One entry as an iterator shows it.
type Shown<'a, T> = (&'a Arc<str>, &'a T);

/// Iterator over the entries in name order.
pub type Iter<'a, T> = std::iter::Map<std::slice::Iter<'a, (Arc<str>, T)>, fn(&'a (Arc<str>, T)) -> Shown<'a, T>>;

impl<T> Fields<T> {
    /// No field.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(key, _)| (**key).cmp(name))
    }

    /// The field with this name.
    pub fn get<N: AsRef<str> + ?Sized>(&self, name: &N) -> Option<&T> {
        self.find(name.as_ref()).ok().and_then(|at| self.0.get(at)).map(|(_, value)| value)
    }

    /// The field with this name, to be changed.
    pub fn get_mut<N: AsRef<str> + ?Sized>(&mut self, name: &N) -> Option<&mut T> {
        self.find(name.as_ref()).ok().and_then(|at| self.0.get_mut(at)).map(|(_, value)| value)
    }

    /// Whether there is a field with this name.
    pub fn contains_key<N: AsRef<str> + ?Sized>(&self, name: &N) -> bool {
        self.find(name.as_ref()).is_ok()
    }

    /// Adds a field or replaces its value, which is answered.
    pub fn insert(&mut self, name: Arc<str>, value: T) -> Option<T> {
        match self.find(&name) {
            Ok(at) => self.0.get_mut(at).map(|(_, old)| std::mem::replace(old, value)),
            Err(at) => {
                self.0.insert(at, (name, value));
                None
            }
        }
    }

    /// Adds a field unless it is there.
    pub fn add(&mut self, name: &Arc<str>, value: impl FnOnce() -> T) {
        if let Err(at) = self.find(name) {
            self.0.insert(at, (Arc::clone(name), value()));
        }
    }

    /// Takes a field out.
    pub fn remove<N: AsRef<str> + ?Sized>(&mut self, name: &N) -> Option<T> {
        self.find(name.as_ref()).ok().map(|at| self.0.remove(at).1)
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Keeps the fields for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&Arc<str>, &mut T) -> bool) {
        self.0.retain_mut(|(name, value)| keep(name, value));
    }

    /// The entries in name order.
    pub fn iter(&self) -> Iter<'_, T> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// The names in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Arc<str>> + ExactSizeIterator {
        self.0.iter().map(|(name, _)| name)
    }

    /// The values in the order of their names.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.0.iter().map(|(_, value)| value)
    }

    /// The values in the order of their names, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> + ExactSizeIterator {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// The values in the order of their names.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = T> + ExactSizeIterator {
        self.0.into_iter().map(|(_, value)| value)
    }

    /// Of equal names the last one counts.
    fn sorted(mut entries: Vec<(Arc<str>, T)>) -> Self {
        if !entries.is_sorted_by(|(a, _), (b, _)| a < b) {
            entries.reverse();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            entries.dedup_by(|(later, _), (kept, _)| later == kept);
        }
        Self(entries)
    }
}

impl<T> Default for Fields<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> From<[(Arc<str>, T); N]> for Fields<T> {
    fn from(entries: [(Arc<str>, T); N]) -> Self {
        Self::sorted(entries.into())
    }
}

impl<T> From<Vec<(Arc<str>, T)>> for Fields<T> {
    fn from(entries: Vec<(Arc<str>, T)>) -> Self {
        Self::sorted(entries)
    }
}

impl<T> FromIterator<(Arc<str>, T)> for Fields<T> {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, T)>>(entries: I) -> Self {
        Self::sorted(entries.into_iter().collect())
    }
}

impl<T> Extend<(Arc<str>, T)> for Fields<T> {
    fn extend<I: IntoIterator<Item = (Arc<str>, T)>>(&mut self, entries: I) {
        let mut all = std::mem::take(&mut self.0);
        all.extend(entries);
        *self = Self::sorted(all);
    }
}

impl<T> IntoIterator for Fields<T> {
    type Item = (Arc<str>, T);
    type IntoIter = std::vec::IntoIter<(Arc<str>, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Fields<T> {
    type Item = Shown<'a, T>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// As of other maps.
///
/// # Panics
/// There is no such field.
impl<T> std::ops::Index<&str> for Fields<T> {
    type Output = T;

    fn index(&self, name: &str) -> &T {
        self.get(name).expect("no such field")
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Fields<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<T: Serialize> Serialize for Fields<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fields<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Fields<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("fields by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<T>, A::Error> {
                // A damaged length must not reserve memory that nobody will fill.
                let mut entries = Vec::with_capacity(map.size_hint().unwrap_or(0).min(64));
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Fields::sorted(entries))
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn fields(entries: &[(&str, u8)]) -> Fields<u8> {
        entries.iter().map(|(name, value)| (Arc::from(*name), *value)).collect()
    }

    #[test]
    fn they_are_a_map_in_name_order() {
        let mut all = fields(&[("b", 1), ("a", 2), ("b", 3)]);
        assert_eq!(all.iter().map(|(k, v)| (&**k, *v)).collect::<Vec<_>>(), [("a", 2), ("b", 3)]);
        assert_eq!(all.insert("ab".into(), 4), None);
        assert_eq!(all.insert("a".into(), 5), Some(2));
        all.extend([(Arc::from("aa"), 6), (Arc::from("b"), 7)]);
        assert_eq!(format!("{all:?}"), r#"{"a": 5, "aa": 6, "ab": 4, "b": 7}"#);
        assert_eq!((all.remove("aa"), all.remove("x"), all.get("b")), (Some(6), None, Some(&7)));
    }

    #[test]
    fn they_are_written_as_any_map_is() {
        let ours = fields(&[("b", 1), ("a", 2)]);
        let tree: BTreeMap<Arc<str>, u8> = ours.iter().map(|(k, v)| (Arc::clone(k), *v)).collect();
        let json = serde_json::to_string(&ours).unwrap();
        assert_eq!(json, serde_json::to_string(&tree).unwrap());
        assert_eq!(serde_json::from_str::<Fields<u8>>(&json).unwrap(), ours);
        assert_eq!(serde_json::from_str::<Fields<u8>>(r#"{"b":1,"a":2}"#).unwrap(), ours);
    }
}
