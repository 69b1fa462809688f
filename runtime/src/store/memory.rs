//! The simulator's store: it can die at any append and lose what was not synced.

use super::{Batch, Reader, Record, Signal, Store, StoreError, pending_abort};
use crate::state::projection::Row;
use imm_ir::Digest;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What is on the simulated disk. Clones share it, as processes share a disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    records: Vec<Record>,
    /// How many records survive a crash.
    synced: usize,
    /// What was appended since: how many records there were after each, the blobs that it brought, and the rows.
    unsynced: Vec<(usize, Vec<Digest>, Rows)>,
    rows: Rows,
    /// The rows that survive a crash.
    rows_synced: Rows,
    blobs: BTreeMap<Digest, Vec<u8>>,
    sealed: BTreeMap<Digest, Vec<u8>>,
    signals: Vec<Signal>,
    fence: u64,
    appends: u64,
    crash: Option<Crash>,
}

type Rows = Arc<BTreeMap<(u8, u64), Vec<u8>>>;

/// When the next crash happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// At this append, counted from 1 over the life of the store.
    pub at: u64,
    /// The append itself reached the disk.
    pub after: bool,
}

impl MemoryStore {
    /// Dies at an append from now on; `None` for never.
    pub fn crash_at(&self, crash: Option<Crash>) {
        self.locked().crash = crash;
    }

    /// How many appends there were.
    pub fn appends(&self) -> u64 {
        self.locked().appends
    }

    /// How many bytes there are, of entries and of what they name.
    pub fn bytes(&self) -> usize {
        let disk = self.locked();
        let entries: usize = disk.records.iter().map(|r| r.bytes.len()).sum();
        entries + disk.blobs.values().map(Vec::len).sum::<usize>()
    }

    /// How many entries a crash cannot take.
    pub fn synced(&self) -> u64 {
        self.locked().synced as u64
    }

    /// What a power cut leaves: everything up to the last sync.
    pub fn lose_unsynced(&self) {
        self.power_cut(0);
    }

    /// What a power cut leaves when the log's tail is torn: everything up to the last sync, and so many whole appends after
    /// it.
    pub fn power_cut(&self, whole: usize) {
        let mut disk = self.locked();
        let whole = whole.min(disk.unsynced.len());
        let lost = disk.unsynced.split_off(whole);
        let (kept, rows) = match disk.unsynced.last() {
            Some((records, _, rows)) => (*records, Arc::clone(rows)),
            None => (disk.synced, Arc::clone(&disk.rows_synced)),
        };
        disk.records.truncate(kept);
        for name in lost.iter().flat_map(|(_, blobs, _)| blobs) {
            disk.blobs.remove(name);
        }
        disk.unsynced.clear();
        disk.synced = kept;
        (disk.rows, disk.rows_synced) = (Arc::clone(&rows), rows);
    }

    /// The highest fence that was written with.
    pub fn fence(&self) -> u64 {
        self.locked().fence
    }

    /// Somebody puts an older copy in its place: so many entries are left, and nothing that is derived from them.
    pub fn restore(&self, kept: usize) {
        let mut disk = self.locked();
        disk.records.truncate(kept);
        (disk.synced, disk.fence) = (disk.records.len(), 0);
        (disk.rows, disk.rows_synced) = (Rows::default(), Rows::default());
        disk.unsynced.clear();
    }

    /// Another disk with the same on it.
    #[must_use]
    pub fn copied(&self) -> Self {
        let disk = self.locked();
        let copy = Disk {
            records: disk.records.clone(),
            synced: disk.synced,
            rows: Arc::clone(&disk.rows),
            rows_synced: Arc::clone(&disk.rows_synced),
            blobs: disk.blobs.clone(),
            sealed: disk.sealed.clone(),
            signals: disk.signals.clone(),
            fence: disk.fence,
            ..Disk::default()
        };
        Self { disk: Arc::new(Mutex::new(copy)) }
    }

    /// How many appends a power cut could take.
    pub fn unsynced(&self) -> usize {
        self.locked().unsynced.len()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    fn record(&self, seq: u64) -> Option<Record> {
        let at = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.records.get(at).filter(|r| r.seq == seq).cloned()
    }
}

impl Store for MemoryStore {
    fn head(&self) -> (u64, Digest) {
        self.locked().records.last().map_or((0, Digest([0; 32])), |r| (r.seq, r.hash))
    }

    fn read(&self, from_seq: u64) -> Result<Vec<Record>, StoreError> {
        Ok(self.locked().records.iter().filter(|r| r.seq >= from_seq).cloned().collect())
    }

    fn record(&self, seq: u64) -> Result<Option<Record>, StoreError> {
        Ok(self.locked().record(seq))
    }

    fn reader(&self) -> Reader {
        let disk = Arc::clone(&self.disk);
        Box::new(move |seq| disk.lock().unwrap_or_else(PoisonError::into_inner).record(seq))
    }

    fn instant(
        &self,
        row: &mut dyn FnMut(u8, u64, &[u8]),
        from: &mut dyn FnMut() -> u64,
    ) -> Result<Vec<Record>, StoreError> {
        let disk = self.locked();
        for ((part, number), bytes) in disk.rows.iter() {
            row(*part, *number, bytes);
        }
        let from = from();
        Ok(disk.records.iter().filter(|r| r.seq >= from).cloned().collect())
    }

    fn row(&self, part: u8, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.locked().rows.get(&(part, number)).cloned())
    }

    fn append(&mut self, batch: Batch) -> Result<(), StoreError> {
        let mut disk = self.locked();
        disk.appends += 1;
        let crash = disk.crash.filter(|c| c.at == disk.appends);
        if crash.is_some_and(|c| !c.after) {
            return Err(StoreError::Crash);
        }
        if batch.fence < disk.fence {
            return Err(StoreError::Fenced { ours: batch.fence, theirs: disk.fence });
        }
        let head = disk.records.last().map_or(0, |r| r.seq);
        if let Some(first) = batch.records.first()
            && first.seq != head + 1
        {
            return Err(StoreError::Moved { expected: first.seq, head });
        }
        if let Some(aborted) = batch.abort_checked_to.and_then(|to| pending_abort(&disk.signals, to)) {
            return Err(aborted);
        }
        disk.fence = batch.fence;
        disk.records.extend(batch.records);
        if batch.rows_anew {
            disk.rows = Rows::default();
        }
        if !batch.rows.is_empty() {
            let rows = Arc::make_mut(&mut disk.rows);
            for Row { part, number, bytes } in batch.rows {
                match bytes {
                    Some(bytes) => _ = rows.insert((part, number), bytes),
                    None => _ = rows.remove(&(part, number)),
                }
            }
        }
        let new = batch.blobs.iter().map(|(name, _)| *name).filter(|name| !disk.blobs.contains_key(name)).collect();
        let (records, rows) = (disk.records.len(), Arc::clone(&disk.rows));
        disk.unsynced.push((records, new, rows));
        disk.blobs.extend(batch.blobs);
        disk.sealed.extend(batch.sealed);
        disk.blobs.retain(|name, _| !batch.dropped.contains(name));
        disk.sealed.retain(|name, _| !batch.unsealed.contains(name));
        if batch.sync {
            disk.synced = disk.records.len();
            disk.rows_synced = Arc::clone(&disk.rows);
            disk.unsynced.clear();
        }
        if crash.is_some() { Err(StoreError::Crash) } else { Ok(()) }
    }

    fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.locked().blobs.get(digest).cloned())
    }

    fn blobs(&self) -> Result<Vec<(Digest, Vec<u8>)>, StoreError> {
        Ok(self.locked().blobs.iter().map(|(name, bytes)| (*name, bytes.clone())).collect())
    }

    fn sealed(&self) -> Result<Vec<(Digest, Vec<u8>)>, StoreError> {
        Ok(self.locked().sealed.iter().map(|(name, bytes)| (*name, bytes.clone())).collect())
    }

    fn volatile(&self) -> bool {
        true
    }

    fn signals(&self, after: u64) -> Result<Vec<Signal>, StoreError> {
        Ok(self.locked().signals.iter().filter(|s| s.seq > after).cloned().collect())
    }

    fn signal(&mut self, verb: &str, by: &str) -> Result<(), StoreError> {
        let mut disk = self.locked();
        let seq = disk.signals.len() as u64 + 1;
        disk.signals.push(Signal { seq, verb: verb.to_owned(), by: by.to_owned() });
        Ok(())
    }
}
