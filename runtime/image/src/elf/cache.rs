//! The loader's cache, `/etc/ld.so.cache`: names of libraries and where they are. An unknown or damaged cache is an empty
//! one, as for the loader itself. Does not check that the files are there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const OLD: &[u8] = b"ld.so-1.7.0";
const NEW: &[u8] = b"glibc-ld.so.cache1.1";
const NEW_HEADER: usize = 48;
const NEW_ENTRY: usize = 24;

/// Paths by library name, in the cache's order.
#[derive(Debug, Default)]
pub(super) struct Cache(BTreeMap<String, Vec<PathBuf>>);

impl Cache {
    pub(super) fn read(path: &Path) -> Self {
        std::fs::read(path).ok().and_then(|bytes| parse(&bytes)).unwrap_or_default()
    }

    pub(super) fn get(&self, name: &str) -> &[PathBuf] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

fn parse(bytes: &[u8]) -> Option<Cache> {
    // An old cache may stand before the new one, padded to eight bytes.
    let start = if bytes.starts_with(OLD) {
        let count = usize::try_from(number(bytes, 12)?).ok()?;
        (16 + count.checked_mul(12)?).next_multiple_of(8)
    } else {
        0
    };
    let table = bytes.get(start..)?;
    if !table.starts_with(NEW) {
        return None;
    }
    let count = usize::try_from(number(table, 20)?).ok()?;
    let mut cache = Cache::default();
    for index in 0..count {
        let at = NEW_HEADER.checked_add(index.checked_mul(NEW_ENTRY)?)?;
        let entry = table.get(at..at + NEW_ENTRY)?;
        let capabilities = entry.get(16..24)?;
        // Variants for newer processors are left out: an image must run on any machine of its architecture.
        if capabilities.iter().any(|byte| *byte != 0) {
            continue;
        }
        let name = string(table, number(entry, 4)?)?;
        let path = string(table, number(entry, 8)?)?;
        if path.starts_with('/') {
            cache.0.entry(name).or_default().push(PathBuf::from(path));
        }
    }
    Some(cache)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_ne_bytes)
}

fn string(bytes: &[u8], at: u32) -> Option<String> {
    let rest = bytes.get(usize::try_from(at).ok()?..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    String::from_utf8(rest.get(..end)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(before: &[u8]) -> Vec<u8> {
        let names =
            [("liba.so", "/opt/a/liba.so", 0_u64), ("liba.so", "/opt/v3/liba.so", 1 << 62), ("libb.so", "/b", 0)];
        let mut strings = Vec::new();
        let base = NEW_HEADER + names.len() * NEW_ENTRY;
        let mut entries = Vec::new();
        for (name, path, capabilities) in names {
            let mut place = |text: &str| {
                let at = u32::try_from(base + strings.len()).unwrap();
                strings.extend(text.bytes().chain([0]));
                at
            };
            let (name, path) = (place(name), place(path));
            for field in [0x303, name, path, 0] {
                entries.extend(u32::to_ne_bytes(field));
            }
            entries.extend(capabilities.to_ne_bytes());
        }
        let mut bytes = before.to_vec();
        bytes.extend(NEW);
        bytes.extend(u32::to_ne_bytes(3));
        bytes.extend(u32::to_ne_bytes(u32::try_from(strings.len()).unwrap()));
        bytes.extend([0; 20]);
        bytes.extend(entries);
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn finds_names_without_processor_variants() {
        let mut old = OLD.to_vec();
        old.extend([0, 1, 0, 0, 0]);
        old.extend([0; 12]);
        old.extend([0; 4]);
        for before in [&[][..], &old] {
            let cache = parse(&sample(before)).unwrap();
            assert_eq!(cache.get("liba.so"), [PathBuf::from("/opt/a/liba.so")]);
            assert_eq!(cache.get("libb.so"), [PathBuf::from("/b")]);
            assert!(cache.get("libc.so").is_empty());
        }
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_survived() {
        let whole = sample(&[]);
        for at in 0..whole.len() {
            drop(parse(&whole[..at]));
            let mut flipped = whole.clone();
            flipped[at] ^= 0xff;
            drop(parse(&flipped));
        }
    }
}
