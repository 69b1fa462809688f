//! Whether a record is what was written: every entry by its hash and its place, every state that entries speak of by
//! folding again, what is written down of it by comparing, everything kept beside them by its name.
//!
//! Guarantees: a change of any byte of an entry is found and named, and so is an entry that was cut out, swapped, inserted or
//! written twice. What was cut off at the end only somebody knows who saw the head: the agent does, and every apply prints
//! it ([`Anchor`]). Reads only, and goes on after damage to find all of it.

use crate::entry::{Body, Entry, chain};
use crate::id::ObjectId;
use crate::ledger::Ledger;
use crate::state::State;
use crate::store::{Record, StoreError, packed};
use imm_ir::{Digest, Encoder};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// At which entry; `None` for what is kept beside them.
    pub entry: Option<u64>,
    /// What.
    pub why: String,
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many entries there are.
    pub entries: u64,
    /// Number of the last one.
    pub seq: u64,
    /// Its hash.
    pub head: String,
    /// How many blobs were compared with their names.
    pub blobs: u64,
    /// How many secrets were opened and compared with theirs; `None`: this machine cannot open them.
    pub secrets: Option<u64>,
    /// What does not fit, in the order of the entries.
    pub damage: Vec<Damage>,
}

/// A head that was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Number of the entry.
    pub seq: u64,
    /// Its hash; absent where only the number is known.
    pub hash: Digest,
}

/// The chain of some records: all that is wrong with it. Also answers the entries that can be read.
pub fn chain_of(records: &[Record]) -> (Vec<Damage>, Vec<(u64, Entry)>) {
    let (mut damage, mut entries) = (Vec::new(), Vec::new());
    let by_hash: BTreeMap<Digest, u64> = records.iter().map(|r| (r.hash, r.seq)).collect();
    let (mut expected, mut head) = (1, Digest([0; 32]));
    for record in records {
        let seq = record.seq;
        let mut say = |why: String| damage.push(Damage { entry: Some(seq), why });
        let whole = chain(&record.prev, seq, &record.bytes) == record.hash;
        if seq > expected {
            let missing = if seq - expected == 1 {
                format!("entry {expected} before it is missing")
            } else {
                format!("entries {expected} to {} before it are missing", seq - 1)
            };
            say(missing);
        } else if seq < expected {
            say("it is there twice, or was inserted".to_owned());
        } else if record.prev != head {
            match by_hash.get(&record.prev) {
                Some(other) if whole => say(format!("it was written after entry {other}: the order was changed")),
                _changed if whole => {
                    say(format!("it names another predecessor than entry {}: one of the two was changed", seq - 1));
                }
                _changed => say("its place in the chain was changed".to_owned()),
            }
        }
        if !whole {
            say("it was changed: its hash does not fit its bytes".to_owned());
        }
        match Entry::decode(seq, &record.bytes) {
            Ok(entry) => entries.push((seq, entry)),
            Err(error) if whole => say(error.to_string()),
            Err(_) => {}
        }
        (expected, head) = (seq.max(expected.saturating_sub(1)) + 1, record.hash);
    }
    (damage, entries)
}

/// Audits a whole ledger. `anchors` are heads that were seen elsewhere.
///
/// # Errors
/// The disk fails.
pub fn audit(ledger: &Ledger, anchors: &[Anchor]) -> Result<Report, StoreError> {
    let store = ledger.store();
    let records = store.read(1)?;
    let (mut damage, entries) = chain_of(&records);
    for anchor in anchors {
        match records.iter().find(|r| r.seq == anchor.seq) {
            Some(record) if record.hash == anchor.hash => {}
            Some(_) => damage.push(Damage {
                entry: Some(anchor.seq),
                why: "it is not the one that was seen before: the record was rewritten, or is another copy's"
                    .to_owned(),
            }),
            None => damage.push(Damage {
                entry: Some(records.last().map_or(0, |r| r.seq)),
                why: format!(
                    "entry {} was seen before: what follows was cut off, or this is an older copy",
                    anchor.seq
                ),
            }),
        }
    }
    if damage.is_empty() {
        damage.extend(fold(&entries));
    }
    if damage.is_empty()
        && let Ok(differ) = ledger.compare()
    {
        let otherwise = |name| format!("{name} is written down otherwise than the entries say");
        damage.extend(differ.into_iter().map(|name| Damage { entry: None, why: otherwise(name) }));
    }
    let blobs = store.blobs()?;
    let (known, count): (BTreeSet<Digest>, _) = (blobs.iter().map(|(name, _)| *name).collect(), blobs.len() as u64);
    for (name, bytes) in blobs {
        if packed::open(&name, bytes).is_none() {
            damage.push(Damage { entry: None, why: format!("blob {} was changed", name.short()) });
        }
    }
    damage.extend(missing(&entries, &known));
    let secrets = match ledger.vault().verify() {
        Ok(opened) => Some(opened as u64),
        Err((_, crate::seal::SealError::NotForUs { .. } | crate::seal::SealError::NoKeys)) => None,
        Err((name, error)) => {
            damage.push(Damage { entry: None, why: format!("sealed secret {}: {error}", name.short()) });
            None
        }
    };
    let (seq, head) = records.last().map_or((0, Digest([0; 32])), |r| (r.seq, r.hash));
    Ok(Report { entries: records.len() as u64, seq, head: head.hex(), blobs: count, secrets, damage })
}

/// Since this format the digest of a state is taken as it is now.
const SAME_BASE: u16 = 4;

/// Folds the entries again, and compares what they say of the state with the state.
pub fn fold(entries: &[(u64, Entry)]) -> Option<Damage> {
    let mut state = State::default();
    for (seq, entry) in entries {
        let damage = |why: String| Some(Damage { entry: Some(*seq), why });
        if let Body::ApplyStarted(started) = &entry.body {
            if started.base_generation != state.current {
                return damage(format!(
                    "it was planned on generation {}, and the entries before make {}",
                    started.base_generation.unwrap_or(0),
                    state.current.unwrap_or(0)
                ));
            }
            // Every apply is a checkpoint: whoever folds otherwise than who wrote it is found here.
            if entry.format >= SAME_BASE && started.base_digest != state.base() {
                return damage("it was planned on another state than the entries before make".to_owned());
            }
        }
        if let Err(illegal) = state.apply_entry(*seq, entry) {
            return damage(format!("it cannot follow: {illegal}"));
        }
        if let Body::Committed(commit) = &entry.body {
            let objects = state.generations.get(&commit.generation).map(|g| g.objects.iter());
            if root(objects.into_iter().flatten()) != commit.generation_root {
                return damage(format!("generation {} does not consist of what it says", commit.generation));
            }
        }
    }
    None
}

/// Names what a generation consists of.
pub fn root<'a>(objects: impl Iterator<Item = (&'a imm_ir::Addr, &'a ObjectId)>) -> Digest {
    let mut root = Encoder::new("imm.generation.1");
    for (addr, object) in objects {
        root.text(addr.as_str());
        root.digest(&object.0);
    }
    root.finish()
}

/// Blobs that entries name and that are not there, but for those that were pruned.
fn missing(entries: &[(u64, Entry)], known: &BTreeSet<Digest>) -> Vec<Damage> {
    let mut named: Vec<(u64, &'static str, Digest)> = Vec::new();
    let mut pruned = BTreeSet::new();
    for (seq, entry) in entries {
        match &entry.body {
            Body::ApplyStarted(started) => {
                named.push((*seq, "plan", started.plan));
                named.extend(started.sources.map(|d| (*seq, "sources", d)));
                named.extend(started.params.map(|d| (*seq, "params", d)));
            }
            Body::IntentCreate(intent) if intent.inline.is_empty() => named.push((*seq, "inputs", intent.inputs)),
            Body::Adopted(adopted) if adopted.declared.inline.is_empty() => {
                named.push((*seq, "inputs", adopted.declared.inputs));
            }
            Body::Committed(commit) => {
                named.push((*seq, "graph", commit.record));
                named.push((*seq, "outputs", commit.outputs));
            }
            Body::Pruned { blobs, .. } => pruned.extend(blobs.iter().copied()),
            _nothing => {}
        }
    }
    let gone = named.into_iter().filter(|(_, _, d)| !known.contains(d) && !pruned.contains(d));
    gone.map(|(seq, what, d)| Damage { entry: Some(seq), why: format!("its {what}, blob {}, is missing", d.short()) })
        .collect()
}

/// One entry as a line of JSON: what `imm audit export` prints.
#[derive(Debug, Serialize)]
pub struct Exported<'a> {
    /// Its number.
    pub seq: u64,
    /// Hash of the one before.
    pub prev: Digest,
    /// Its hash.
    pub hash: Digest,
    /// When it was recorded, RFC 3339 in UTC.
    pub at: String,
    /// The rest.
    #[serde(flatten)]
    pub entry: &'a Entry,
}

/// Every entry that can be read, with its hashes.
///
/// # Errors
/// The disk fails, or what the caller does with it.
pub fn export<E: From<StoreError>>(
    ledger: &Ledger,
    mut each: impl FnMut(&Exported<'_>) -> Result<(), E>,
) -> Result<(), E> {
    for record in ledger.store().read(1)? {
        let Ok(entry) = Entry::decode(record.seq, &record.bytes) else { continue };
        let at = crate::report::instant(entry.header.at_ms);
        each(&Exported { seq: record.seq, prev: record.prev, hash: record.hash, at, entry: &entry })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Actor;
    use crate::store::memory::MemoryStore;
    use crate::store::sqlite::SqliteStore;
    use crate::store::{Batch, Store};
    use std::sync::Arc;

    /// The entries of a ledger that an earlier version wrote.
    fn sample() -> Vec<Record> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/ledger-1.db");
        SqliteStore::open_read_only(&path).unwrap().read(1).unwrap()
    }

    fn first(records: &[Record]) -> Option<u64> {
        let (damage, entries) = chain_of(records);
        damage.first().and_then(|d| d.entry).or_else(|| fold(&entries).and_then(|d| d.entry))
    }

    #[test]
    fn a_change_of_any_byte_of_any_entry_is_found_where_it_is() {
        let records = sample();
        assert_eq!((records.len(), first(&records)), (86, None));
        // The chain looks one entry around: each is judged with its neighbours, after the whole was found to be sound.
        for (at, record) in records.iter().enumerate() {
            let parts = [record.bytes.len(), 32, 32];
            for (part, length) in parts.into_iter().enumerate() {
                for byte in 0..length {
                    let mut damaged = records[at.saturating_sub(1)..(at + 2).min(records.len())].to_vec();
                    let one = &mut damaged[usize::from(at > 0)];
                    let bytes = match part {
                        0 => &mut one.bytes,
                        1 => &mut { one.prev }.0.to_vec(),
                        _hash => &mut { one.hash }.0.to_vec(),
                    };
                    bytes[byte] ^= 1 << (byte % 8);
                    let changed = bytes.clone();
                    match part {
                        0 => {}
                        1 => one.prev = Digest(changed.try_into().unwrap()),
                        _hash => one.hash = Digest(changed.try_into().unwrap()),
                    }
                    let (found, _) = chain_of(&damaged);
                    let own = found.iter().any(|d| d.entry == Some(record.seq) && d.why.contains("changed"));
                    assert!(own, "entry {} part {part} byte {byte}: {found:?}", record.seq);
                }
            }
        }
    }

    #[test]
    fn entries_cut_out_swapped_inserted_or_doubled_are_named() {
        let records = sample();
        for at in 0..records.len() - 1 {
            let seq = records[at].seq;
            let mut cut = records.clone();
            cut.remove(at);
            assert_eq!(first(&cut), Some(seq + 1), "cut {seq}");
            let mut renumbered = cut.clone();
            renumbered.iter_mut().skip(at).for_each(|r| r.seq -= 1);
            assert_eq!(first(&renumbered), Some(seq), "cut {seq} and numbered again");
            let mut swapped = records.clone();
            let (a, b) = (swapped[at].clone(), swapped[at + 1].clone());
            swapped[at] = Record { seq: a.seq, ..b.clone() };
            swapped[at + 1] = Record { seq: b.seq, ..a };
            assert_eq!(first(&swapped), Some(seq), "swap {seq}");
            let mut doubled = records.clone();
            doubled.insert(at + 1, records[at].clone());
            assert_eq!(first(&doubled), Some(seq), "double {seq}");
            let mut inserted = records.clone();
            inserted.insert(at, Record { seq, ..records[records.len() - 1].clone() });
            assert_eq!(first(&inserted), Some(seq), "insert at {seq}");
        }
    }

    #[test]
    fn who_hashes_again_is_found_by_the_next_entry_or_the_anchor() {
        let mut records = sample();
        let at = records.len() / 2;
        let last = records[at].bytes.len() - 1;
        records[at].bytes[last] ^= 1;
        records[at].hash = chain(&records[at].prev, records[at].seq, &records[at].bytes);
        let (damage, _) = chain_of(&records);
        assert_eq!(damage[0].entry, Some(records[at + 1].seq));
        assert!(damage[0].why.contains("one of the two was changed"), "{damage:?}");
    }

    /// A ledger with blobs and a secret, on a disk of its own.
    fn with_secrets(dir: &std::path::Path) -> std::path::PathBuf {
        use crate::seal::{AgeKeys, Keys};
        let (path, keys) = (dir.join("ledger.db"), Arc::new(AgeKeys::at(dir.join("identity"))));
        keys.recipients().unwrap();
        let store = Box::new(SqliteStore::open(&path).unwrap());
        let mut ledger = Ledger::open(store, Arc::new(crate::clock::SystemClock), Actor::default(), 1).unwrap();
        ledger = ledger.with_keys(keys).unwrap();
        ledger.initialize(crate::id::Lineage([1; 16]), "local").unwrap();
        ledger.vault().seal(&imm_ir::Value::text("hunter2").into_secret()).unwrap();
        ledger.keep(&"the first").unwrap();
        ledger.keep(&"the second").unwrap();
        let body = Body::Checkpoint { state: Digest([0; 32]), up_to: 1 };
        ledger.append(None, vec![body], true).unwrap();
        path
    }

    /// Of what is kept beside the entries: blobs, and secrets as they are sealed.
    #[test]
    fn a_change_of_any_byte_of_any_blob_or_sealed_secret_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = with_secrets(dir.path());
        let found = |store: MemoryStore| {
            let keys = Arc::new(crate::seal::AgeKeys::at(dir.path().join("identity")));
            let clock = Arc::new(crate::clock::SystemClock);
            let ledger = Ledger::unchecked(Box::new(store), clock, Actor::default(), keys).unwrap();
            audit(&ledger, &[]).unwrap()
        };
        let disk = SqliteStore::open_read_only(&path).unwrap();
        let (records, blobs, sealed) = (disk.read(1).unwrap(), disk.blobs().unwrap(), disk.sealed().unwrap());
        let put = |blobs: &[(Digest, Vec<u8>)], sealed: &[(Digest, Vec<u8>)]| {
            let mut store = MemoryStore::default();
            let (records, blobs, sealed) = (records.clone(), blobs.to_vec(), sealed.to_vec());
            store.append(Batch { records, blobs, sealed, fence: 1, sync: true, ..Batch::default() }).unwrap();
            store
        };
        let whole = found(put(&blobs, &sealed));
        assert_eq!((whole.blobs, whole.secrets, whole.damage.as_slice()), (2, Some(2), &[][..]));
        let mut changes = 0;
        for number in 0..blobs.len() + sealed.len() {
            let length = blobs.iter().chain(&sealed).nth(number).unwrap().1.len();
            for byte in 0..length {
                let (mut blobs, mut sealed) = (blobs.clone(), sealed.clone());
                let (name, bytes) = blobs.iter_mut().chain(&mut sealed).nth(number).unwrap();
                bytes[byte] ^= 1 << (byte % 8);
                let name = name.short();
                let report = found(put(&blobs, &sealed));
                assert!(report.damage.iter().any(|d| d.why.contains(&name)), "{name} byte {byte}: {report:?}");
                changes += 1;
            }
        }
        assert!(changes > 400, "{changes}");
        // Whose ledger it is not cannot tell, and says so.
        let other = Arc::new(crate::seal::AgeKeys::at(dir.path().join("another")));
        crate::seal::Keys::recipients(&*other).unwrap();
        let clock = Arc::new(crate::clock::SystemClock);
        let ledger = Ledger::unchecked(Box::new(put(&blobs, &sealed)), clock, Actor::default(), other).unwrap();
        let report = audit(&ledger, &[]).unwrap();
        assert_eq!((report.secrets, report.damage.as_slice()), (None, &[][..]));
    }
}
