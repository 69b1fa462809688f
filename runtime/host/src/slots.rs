//! A sealed value that is replaced often and waited for: in two files by turns, each written in place, so that a replacement
//! costs one sync of its bytes.
//!
//! Guarantees: after `write` returns, the value survives a power cut; a crash in the middle of one leaves the value before. A file
//! that cannot be read is what such a crash leaves, so it is passed over while the other one can be. Callers serialise writers.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::disk;
use crate::home::named;
use crate::seal::Seal;

/// Bytes of the length that stands before what is sealed: a file is never cut, since that would cost a sync of its own.
const LENGTH: usize = 4;

/// Where the value is kept.
#[derive(Debug)]
pub struct Slots {
    seal: Arc<Seal>,
    paths: [PathBuf; 2],
    /// How often it was replaced: the parity tells the file.
    number: u64,
}

impl Slots {
    /// Opens `PATH.0` and `PATH.1`; the value that was written last, if there was one.
    pub fn open<T: DeserializeOwned>(path: &Path, seal: Arc<Seal>) -> io::Result<(Self, Option<T>)> {
        let paths = ["0", "1"].map(|turn| path.with_extension(turn));
        let mut newest: Option<(u64, T)> = None;
        let mut unreadable = None;
        for path in &paths {
            match read::<T>(path, &seal) {
                Ok(None) => {}
                Ok(Some(found)) if newest.as_ref().is_some_and(|(number, _)| *number > found.0) => {}
                Ok(found) => newest = found,
                Err(cause) => unreadable = Some(cause),
            }
        }
        match (newest, unreadable) {
            (Some((number, value)), _) => Ok((Self { seal, paths, number }, Some(value))),
            (None, Some(cause)) => Err(cause),
            (None, None) => Ok((Self { seal, paths, number: 0 }, None)),
        }
    }

    /// Replaces the value, durably.
    pub fn write<T: Serialize>(&mut self, value: &T) -> io::Result<()> {
        let number = self.number + 1;
        let [even, odd] = &self.paths;
        let path = if number.is_multiple_of(2) { even } else { odd };
        let sealed = self.seal.close(&serde_json::to_vec(&(number, value))?)?;
        let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        let framed = [&length.to_le_bytes(), sealed.as_slice()].concat();
        let in_place = || -> io::Result<()> {
            let file = OpenOptions::new().write(true).open(path)?;
            file.write_all_at(&framed, 0)?;
            file.sync_data()
        };
        match in_place() {
            // The first time it is there as a whole, or not at all.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => disk::replace(path, &framed, 0o600)?,
            written => written.map_err(|cause| named(path, &cause))?,
        }
        self.number = number;
        Ok(())
    }
}

fn read<T: DeserializeOwned>(path: &Path, seal: &Seal) -> io::Result<Option<(u64, T)>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(named(path, &cause)),
    };
    let refused = |why: &str| named(path, &io::Error::new(io::ErrorKind::InvalidData, why));
    let short = || refused("it is cut short; restore it from a backup");
    let (length, rest) = bytes.split_first_chunk::<LENGTH>().ok_or_else(short)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| short())?;
    let opened = seal.open_at(path, rest.get(..length).ok_or_else(short)?)?;
    serde_json::from_slice(&opened).map(Some).map_err(|_| refused("written by another version of imm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(dir: &tempfile::TempDir) -> io::Result<(Slots, Option<String>)> {
        Slots::open(&dir.path().join("x"), Seal::of_test())
    }

    #[test]
    fn the_last_value_is_found_again_also_a_shorter_one() {
        let dir = tempfile::tempdir().unwrap();
        let (mut slots, none) = opened(&dir).unwrap();
        assert_eq!(none, None);
        for value in ["one", "a longer one", "two", "", "three"] {
            slots.write(&value).unwrap();
            let (again, found) = opened(&dir).unwrap();
            assert_eq!((again.number, found.as_deref()), (slots.number, Some(value)));
        }
    }

    #[test]
    fn a_write_that_was_cut_short_leaves_the_value_before() {
        let dir = tempfile::tempdir().unwrap();
        let (mut slots, _) = opened(&dir).unwrap();
        for value in ["one", "two", "three"] {
            slots.write(&value).unwrap();
        }
        let last = dir.path().join("x.1");
        let whole = fs::read(&last).unwrap();
        for cut in 0..whole.len() {
            // The first bytes of a newer value over the rest of an older one, and a file that ends early.
            let torn: Vec<u8> =
                whole.iter().enumerate().map(|(at, byte)| if at < cut { *byte } else { !byte }).collect();
            for bytes in [torn.as_slice(), &whole[..cut]] {
                fs::write(&last, bytes).unwrap();
                let (mut slots, found) = opened(&dir).unwrap();
                assert_eq!(found.as_deref(), Some("two"), "{cut}");
                slots.write(&"four").unwrap();
                assert_eq!(opened(&dir).unwrap().1.as_deref(), Some("four"), "{cut}");
            }
        }
    }

    #[test]
    fn where_nothing_can_be_read_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        opened(&dir).unwrap().0.write(&"one").unwrap();
        fs::write(dir.path().join("x.1"), b"?").unwrap();
        assert!(opened(&dir).unwrap_err().to_string().contains("/x.1: it is cut short"));
    }
}
