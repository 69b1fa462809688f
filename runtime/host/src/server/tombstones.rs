//! Ids of objects that were destroyed, or whose destruction was asked before they came: never made again.
//!
//! A create that was delayed on its way and arrives after the destroy would otherwise leave an orphan.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::disk::Lines;

/// One lineage's destroyed ids.
#[derive(Debug)]
pub struct Tombstones {
    inner: Mutex<(Lines, BTreeSet<String>)>,
}

impl Tombstones {
    /// Opens or makes the list.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (lines, found) = Lines::open(path)?;
        Ok(Self { inner: Mutex::new((lines, found.into_iter().collect())) })
    }

    /// Whether `id` was destroyed.
    pub fn holds(&self, id: &str) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).1.contains(id)
    }

    /// Remembers `id` durably. Again is the same.
    pub fn set(&self, id: &str) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.1.contains(id) {
            inner.0.append(id)?;
            inner.1.insert(id.to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_last() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tombstones");
        let tombstones = Tombstones::open(&path).unwrap();
        tombstones.set("a").unwrap();
        tombstones.set("a").unwrap();
        assert!(tombstones.holds("a") && !tombstones.holds("b"));
        assert!(Tombstones::open(&path).unwrap().holds("a"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n");
    }
}
