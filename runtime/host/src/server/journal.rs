//! What the agent did on its own, per lineage, each entry chained to the one before by hash.
//!
//! Guarantees: an entry is on disk before `record` returns; an edit, swap, insertion or removal inside the file is found by
//! `verify` and named. A cut at the end is found by whoever remembers the head. Holds no secrets: words of this crate only.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::api::JournalEntry;
use crate::disk::Lines;
use crate::home::named;

use super::clock::unix_ms;

/// One lineage's journal, open for writing.
#[derive(Debug)]
pub struct Journal {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    lines: Lines,
    entries: Vec<JournalEntry>,
}

/// What happened, as the entry's `event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A run of an object was started.
    RunStarted,
    /// A run ended by itself.
    RunEnded,
    /// A run was stopped because it was told to.
    RunStopped,
    /// A run that was started by an earlier agent was found alive.
    RunAdopted,
    /// A provisional setting ran out of time.
    Reverted,
}

impl Event {
    const fn name(self) -> &'static str {
        match self {
            Self::RunStarted => "run_started",
            Self::RunEnded => "run_ended",
            Self::RunStopped => "run_stopped",
            Self::RunAdopted => "run_adopted",
            Self::Reverted => "reverted",
        }
    }
}

impl Journal {
    /// Opens or makes the journal at `path` and checks its chain.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (lines, found) = Lines::open(path)?;
        let entries = parse(&found).map_err(|said| named(path, &io::Error::new(io::ErrorKind::InvalidData, said)))?;
        Ok(Self { inner: Mutex::new(Inner { lines, entries }) })
    }

    /// Appends an entry durably.
    pub fn record(&self, event: Event, object: Option<&str>, number: u64, detail: &str) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entry = JournalEntry {
            seq: inner.entries.last().map_or(1, |last| last.seq + 1),
            prev: inner.entries.last().map_or_else(|| "0".repeat(64), |last| last.hash.clone()),
            at_ms: unix_ms(),
            event: event.name().to_owned(),
            object: object.map(str::to_owned),
            number,
            detail: detail.to_owned(),
            hash: String::new(),
        };
        entry.hash = hash_of(&entry);
        inner.lines.append(&serde_json::to_string(&entry)?)?;
        inner.entries.push(entry);
        Ok(())
    }

    /// The entries after position `after`.
    pub fn after(&self, after: u64) -> Vec<JournalEntry> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.entries.iter().filter(|entry| entry.seq > after).cloned().collect()
    }
}

/// Checks the chain of entries from the first on; says what is wrong with the first bad one.
pub fn verify(entries: &[JournalEntry]) -> Result<(), String> {
    let mut prev = "0".repeat(64);
    for (entry, seq) in entries.iter().zip(1u64..) {
        if entry.seq != seq {
            return Err(format!("entry {seq} of the journal is missing (found {} in its place)", entry.seq));
        }
        if entry.prev != prev {
            return Err(format!("entry {seq} of the journal does not follow the one before it"));
        }
        if entry.hash != hash_of(entry) {
            return Err(format!("entry {seq} of the journal was changed"));
        }
        prev.clone_from(&entry.hash);
    }
    Ok(())
}

fn parse(lines: &[String]) -> Result<Vec<JournalEntry>, String> {
    let read = |(line, number): (&String, u64)| {
        serde_json::from_str(line).map_err(|cause| format!("entry {number} of the journal cannot be read: {cause}"))
    };
    let entries = lines.iter().zip(1u64..).map(read).collect::<Result<Vec<JournalEntry>, String>>()?;
    verify(&entries)?;
    Ok(entries)
}

/// The hash covers every field but itself. The form is this struct's JSON, whose field order is fixed here.
fn hash_of(entry: &JournalEntry) -> String {
    #[derive(Serialize)]
    struct Hashed<'a> {
        seq: u64,
        prev: &'a str,
        at_ms: u64,
        event: &'a str,
        object: Option<&'a str>,
        number: u64,
        detail: &'a str,
    }
    let hashed = Hashed {
        seq: entry.seq,
        prev: &entry.prev,
        at_ms: entry.at_ms,
        event: &entry.event,
        object: entry.object.as_deref(),
        number: entry.number,
        detail: &entry.detail,
    };
    // Strings and numbers always serialise; an empty hash would be found by `verify`.
    serde_json::to_vec(&hashed).map(|bytes| blake3::hash(&bytes).to_hex().to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let journal = Journal::open(&path).unwrap();
        journal.record(Event::RunStarted, Some("a"), 1, "").unwrap();
        journal.record(Event::RunEnded, Some("a"), 1, "exit code 3").unwrap();
        drop(journal);
        let again = Journal::open(&path).unwrap();
        again.record(Event::Reverted, None, 7, "time to live ran out").unwrap();
        (dir, path)
    }

    #[test]
    fn the_chain_goes_on_after_opening_again() {
        let (_dir, path) = written();
        let entries = Journal::open(&path).unwrap().after(0);
        verify(&entries).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(Journal::open(&path).unwrap().after(2).len(), 1);
    }

    #[test]
    fn an_edit_a_removal_and_a_swap_are_each_found() {
        let (_dir, path) = written();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let damaged = [
            (text.replace("exit code 3", "exit code 0"), "entry 2 of the journal was changed"),
            (format!("{}\n{}\n", lines[0], lines[2]), "entry 2 of the journal is missing"),
            (format!("{}\n{}\n{}\n", lines[1], lines[0], lines[2]), "entry 1 of the journal is missing"),
        ];
        for (bytes, said) in damaged {
            std::fs::write(&path, bytes).unwrap();
            let cause = Journal::open(&path).unwrap_err().to_string();
            assert!(cause.contains(said), "{cause}");
        }
    }
}
