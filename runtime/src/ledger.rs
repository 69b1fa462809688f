//! The ledger: a hash-chained, append-only record and the state it folds to.
//!
//! Guarantees: an entry that cannot follow is refused before it is written; what [`Ledger::append`] returns for `sync` is on
//! disk; state and disk agree or the ledger refuses to go on. A start reads the state as it is written down beside the
//! entries ([`crate::state::projection`]) and folds what came after; the whole chain is checked when that is of no use, by
//! [`Ledger::verify`] and by [`crate::audit`]. Does not decide what to write.

use crate::clock::Clock;
use crate::entry::{Actor, Body, Entry, FORMAT, Header, Unreadable, chain};
use crate::id::{ApplyId, Lineage};
use crate::seal::keys::Clear;
use crate::seal::{Keys, SealError, Vault};
use crate::state::Object;
use crate::state::objects::Recall;
use crate::state::projection::{self, Reading, Row};
use crate::state::{Illegal, State};
use crate::store::{Batch, Record, Signal, Store, StoreError, packed};
use imm_ir::{Digest, Fields, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Why the ledger cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The disk, the fence or an abort.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The chain is broken.
    #[error("entry {seq} was changed, moved or removed: {why}")]
    Broken {
        /// Where.
        seq: u64,
        /// What does not fit.
        why: String,
    },
    /// An entry cannot follow. In an existing ledger: damage. While writing: a fault in this program.
    #[error("entry {seq} cannot follow: {illegal}")]
    Illegal {
        /// Where.
        seq: u64,
        /// Why.
        illegal: Illegal,
    },
    /// A blob that an entry names is not there, or not what its name says.
    #[error("blob {0} is missing or damaged")]
    Blob(Digest),
    /// A write failed before; only opening it again tells what is on the disk.
    #[error("the ledger could not be written before; run `imm recover`")]
    Failed,
    /// Something cannot be encoded.
    #[error("cannot encode: {0}")]
    Encode(#[from] postcard::Error),
    /// A secret cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The record of one environment, open.
pub struct Ledger {
    store: Box<dyn Store>,
    state: State,
    head: Digest,
    clock: Arc<dyn Clock>,
    actor: Actor,
    fence: u64,
    blobs: Vec<(Digest, Vec<u8>)>,
    vault: Arc<Vault>,
    /// Blobs that the next append drops.
    dropped: Vec<Digest>,
    /// Secrets that the next append drops.
    unsealed: Vec<Digest>,
    /// A write failed half-way: state and disk may differ.
    failed: bool,
    /// What reads the rest of what is recorded.
    recall: Arc<Recall>,
    written: WrittenDown,
}

/// What is written down of the state beside the entries.
#[derive(Clone, Copy, Debug, Default)]
struct WrittenDown {
    /// The entry it speaks of; 0: nothing of use is there.
    seq: u64,
    /// The sum over all rows.
    sum: u64,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger(seq {}, fence {})", self.state.seq, self.fence)
    }
}

impl Ledger {
    /// Reads a store: checks the chain and folds it. `fence` is that of the lease, 0 for a reader.
    ///
    /// # Errors
    /// The store fails, or the chain is damaged.
    pub fn open(store: Box<dyn Store>, clock: Arc<dyn Clock>, actor: Actor, fence: u64) -> Result<Self, LedgerError> {
        let mut ledger = Self::over(store, clock, actor, fence);
        ledger.take_up()?;
        if ledger.store.volatile() {
            return ledger.with_keys(Arc::new(Clear));
        }
        Ok(ledger)
    }

    fn over(store: Box<dyn Store>, clock: Arc<dyn Clock>, actor: Actor, fence: u64) -> Self {
        let read = store.reader();
        // An entry is read as it was written, or not at all.
        let whole = |r: &Record| chain(&r.prev, r.seq, &r.bytes) == r.hash;
        let entry = move |seq| read(seq).filter(whole).and_then(|r| Entry::decode(seq, &r.bytes).ok());
        Self {
            store,
            state: State::default(),
            head: Digest([0; 32]),
            clock,
            actor,
            fence,
            blobs: Vec::new(),
            vault: Arc::default(),
            dropped: Vec::new(),
            unsealed: Vec::new(),
            failed: false,
            recall: Arc::new(Recall::new(entry)),
            written: WrittenDown::default(),
        }
    }

    /// Takes up what is on the disk.
    fn take_up(&mut self) -> Result<(), LedgerError> {
        let reading = std::cell::RefCell::new(Reading::new(Arc::clone(&self.recall)));
        let records = self
            .store
            .instant(&mut |part, number, bytes| reading.borrow_mut().row(part, number, bytes), &mut || {
                reading.borrow().end().map_or(1, |(seq, _)| seq)
            })?;
        let reading = reading.into_inner();
        if let (Some((seq, hash)), Some((first, rest))) = (reading.end(), records.split_first())
            && (first.seq, first.hash) == (seq, hash)
        {
            let (state, sum) = reading.finish();
            (self.state, self.head) = replay(rest, state, hash)?;
            self.written = WrittenDown { seq, sum };
            return Ok(());
        }
        // Nothing is written down, or not of this chain.
        let records = if records.first().is_some_and(|r| r.seq == 1) { records } else { self.store.read(1)? };
        (self.state, self.head) = replay(&records, State::default(), Digest([0; 32]))?;
        self.written = WrittenDown::default();
        Ok(())
    }

    /// The entry up to which the state is written down beside the entries; 0 when nothing of use is.
    pub fn written_down(&self) -> u64 {
        self.written.seq
    }

    /// What is written down and is not what the entries say: the names of such rows.
    ///
    /// # Errors
    /// The disk fails, or the chain is damaged.
    pub fn compare(&self) -> Result<Vec<String>, LedgerError> {
        let (reading, rows) =
            (std::cell::RefCell::new(Reading::new(Arc::clone(&self.recall))), std::cell::RefCell::default());
        let records = self.store.instant(
            &mut |part, number, bytes| {
                reading.borrow_mut().row(part, number, bytes);
                let rows: &mut std::collections::BTreeMap<_, _> = &mut rows.borrow_mut();
                rows.insert((part, number), bytes.to_vec());
            },
            &mut || 1,
        )?;
        let (reading, mut rows) = (reading.into_inner(), rows.into_inner());
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let Some((seq, _)) = reading.end() else {
            return Ok(vec!["what is written down is damaged, or of another version".to_owned()]);
        };
        let upto: Vec<Record> = records.into_iter().take_while(|r| r.seq <= seq).collect();
        let (state, head) = replay(&upto, State::default(), Digest([0; 32]))?;
        let mut wanted = state.changed_rows()?;
        wanted.push(state.head_row(head, sum(&wanted))?);
        let mut differ = Vec::new();
        for Row { part, number, bytes } in wanted {
            if rows.remove(&(part, number)) != bytes {
                differ.push(Row::name(part, number));
            }
        }
        differ.extend(rows.into_keys().map(|(part, number)| Row::name(part, number)));
        Ok(differ)
    }

    /// Folds all entries again and writes the state down anew.
    ///
    /// # Errors
    /// The chain is damaged, or the store refuses.
    pub fn rebuild(&mut self) -> Result<(), LedgerError> {
        (self.state, self.head) = replay(&self.store.read(1)?, State::default(), Digest([0; 32]))?;
        self.written = WrittenDown::default();
        let (rows, written) = self.rows(self.head)?;
        self.store.append(Batch { rows, rows_anew: true, fence: self.fence, sync: true, ..Batch::default() })?;
        self.state.written();
        self.written = written;
        Ok(())
    }

    /// The rows to change after an entry with this hash, the head's last; and what is written down then.
    fn rows(&self, hash: Digest) -> Result<(Vec<Row>, WrittenDown), LedgerError> {
        let mut rows = self.state.changed_rows()?;
        let mut total = sum(&rows).wrapping_add(self.written.sum);
        if self.written.seq > 0 {
            for row in &rows {
                if let Some(before) = self.store.row(row.part, row.number)? {
                    total = total.wrapping_sub(projection::weight(row.part, row.number, &before));
                }
            }
        }
        rows.push(self.state.head_row(hash, total)?);
        Ok((rows, WrittenDown { seq: self.state.seq, sum: total }))
    }

    /// Gives it what its secrets are sealed and opened with; without, whatever needs one fails.
    ///
    /// # Errors
    /// The sealed secrets cannot be read.
    pub fn with_keys(mut self, keys: Arc<dyn Keys>) -> Result<Self, LedgerError> {
        let vault = Vault::new(keys);
        vault.load(self.state.digest_key, self.state.recipients.clone(), self.store.sealed()?);
        self.vault = Arc::new(vault);
        Ok(self)
    }

    /// Its secrets.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// Writes the first entry of an empty ledger; nothing when there is one.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn initialize(&mut self, lineage: Lineage, environment: &str) -> Result<(), LedgerError> {
        if self.state.seq > 0 {
            return Ok(());
        }
        let (digest_key, recipients) = match self.vault.keys().recipients() {
            Ok(recipients) => (Some(self.vault.make_key(recipients.clone())?), recipients),
            Err(SealError::NoKeys) => (None, Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let environment = environment.to_owned();
        self.append(
            None,
            vec![Body::Opened { lineage, environment, encoding_version: 1, digest_key, recipients }],
            true,
        )
    }

    /// Seals all secrets again for these recipients. Names and digests stay.
    ///
    /// # Errors
    /// We cannot open one of them, a recipient is none, or the store refuses.
    pub fn rekey(&mut self, recipients: Vec<String>) -> Result<(), LedgerError> {
        let digest_key = match self.state.digest_key {
            Some(name) => name,
            None => self.vault.make_key(recipients.clone())?,
        };
        let sealed = self.vault.reseal(recipients.clone())?;
        let body = Body::Rekeyed { recipients, digest_key, assumed_equal: Vec::new() };
        self.write_sealed(None, vec![body], true, None, sealed)
    }

    /// Where it is kept.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// A ledger for an audit: nothing is checked or folded yet, so that damage does not keep it from being looked at.
    ///
    /// # Errors
    /// The disk fails.
    pub fn unchecked(
        store: Box<dyn Store>,
        clock: Arc<dyn Clock>,
        actor: Actor,
        keys: Arc<dyn Keys>,
    ) -> Result<Self, LedgerError> {
        let (mut state, head) = (State::default(), store.head().1);
        // Only what tells how secrets are sealed.
        for record in store.read(1)? {
            match Entry::decode(record.seq, &record.bytes) {
                Ok(Entry { body: Body::Opened { lineage, digest_key, recipients, .. }, .. }) => {
                    (state.lineage, state.digest_key, state.recipients) = (Some(lineage), digest_key, recipients);
                }
                Ok(Entry { body: Body::Rekeyed { digest_key, recipients, .. }, .. }) => {
                    (state.digest_key, state.recipients) = (Some(digest_key), recipients);
                }
                Ok(_) | Err(_) => {}
            }
        }
        Self { state, head, failed: true, ..Self::over(store, clock, actor, 0) }.with_keys(keys)
    }

    /// Takes an older ledger up: from here on entries of this version follow. Nothing that was written is changed.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn migrate(&mut self) -> Result<(), LedgerError> {
        if self.state.seq == 0 || self.state.format >= FORMAT {
            return Ok(());
        }
        let mut bodies = vec![Body::Migrated { from: self.state.format, to: FORMAT, old_head: self.head }];
        if self.state.digest_key.is_none() {
            match self.vault.keys().recipients() {
                Ok(recipients) => {
                    let digest_key = self.vault.make_key(recipients.clone())?;
                    bodies.push(Body::Rekeyed { recipients, digest_key, assumed_equal: Vec::new() });
                }
                Err(SealError::NoKeys) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.append(None, bodies, true)
    }

    /// The hash of an entry.
    ///
    /// # Errors
    /// The disk fails.
    pub fn hash_at(&self, seq: u64) -> Result<Option<Digest>, LedgerError> {
        Ok(self.store.record(seq)?.map(|r| r.hash))
    }

    /// The fold of everything written.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The fence that entries are written with.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Writes with a higher fence from here on.
    pub(crate) fn raise(&mut self, fence: u64) {
        self.fence = self.fence.max(fence);
    }

    /// Number and hash of the last entry.
    pub fn head(&self) -> (u64, Digest) {
        (self.state.seq, self.head)
    }

    /// Keeps something for the next [`append`](Self::append), by its content; answers its name.
    ///
    /// # Errors
    /// It cannot be encoded.
    pub fn keep<T: Serialize>(&mut self, value: &T) -> Result<Digest, LedgerError> {
        let bytes = postcard::to_stdvec(value)?;
        let digest = Digest::of(&bytes);
        self.blobs.push((digest, bytes));
        Ok(digest)
    }

    /// Keeps bytes with this digest for the next [`append`](Self::append).
    pub(crate) fn keep_bytes(&mut self, digest: Digest, bytes: Vec<u8>) {
        self.blobs.push((digest, bytes));
    }

    /// Whether all that was read of the state while it was used could be read.
    ///
    /// # Errors
    /// Something could not.
    pub fn sound(&self) -> Result<(), LedgerError> {
        if self.recall.failed() {
            let why = "an entry that the state is read from is damaged or missing; `imm audit verify` tells which";
            return Err(LedgerError::Broken { seq: self.state.seq, why: why.to_owned() });
        }
        Ok(())
    }

    /// Reads something kept.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn load<T: DeserializeOwned>(&self, digest: &Digest) -> Result<T, LedgerError> {
        let kept = self.blobs.iter().find(|(d, _)| d == digest).map(|(_, bytes)| bytes.clone());
        let bytes = match kept {
            Some(bytes) => bytes,
            None => {
                let stored = self.store.blob(digest)?.ok_or(LedgerError::Blob(*digest))?;
                packed::open(digest, stored).ok_or(LedgerError::Blob(*digest))?
            }
        };
        postcard::from_bytes(&bytes).map_err(|_| LedgerError::Blob(*digest))
    }

    /// What an object was made with.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn inputs(&self, object: &Object) -> Result<Fields<Value>, LedgerError> {
        if object.inline.is_empty() {
            return self.load(&object.inputs);
        }
        postcard::from_bytes(&object.inline).map_err(|_| LedgerError::Blob(object.inputs))
    }

    /// Appends entries in one transaction. With `sync` they are durable on return.
    ///
    /// # Errors
    /// An entry cannot follow (nothing was written), or the store refused.
    pub fn append(&mut self, apply: Option<ApplyId>, bodies: Vec<Body>, sync: bool) -> Result<(), LedgerError> {
        self.write(apply, bodies, sync, None)
    }

    /// Appends a commit: refused when an abort newer than `signal` is pending.
    ///
    /// # Errors
    /// As [`append`](Self::append), and [`StoreError::Aborted`].
    pub fn append_commit(&mut self, apply: ApplyId, bodies: Vec<Body>, signal: u64) -> Result<(), LedgerError> {
        self.write(Some(apply), bodies, true, Some(signal))
    }

    /// All blobs with their names.
    pub(crate) fn blobs(&self) -> Result<Vec<(Digest, Vec<u8>)>, LedgerError> {
        Ok(self.store.blobs()?)
    }

    /// Appends entries and drops blobs and secrets, in one transaction.
    pub(crate) fn append_dropping(
        &mut self,
        bodies: Vec<Body>,
        blobs: Vec<Digest>,
        secrets: &[Digest],
    ) -> Result<(), LedgerError> {
        (self.dropped, self.unsealed) = (blobs, secrets.to_vec());
        self.write(None, bodies, true, None)?;
        self.vault.forget(secrets);
        Ok(())
    }

    /// Makes everything read so far durable, and shuts out every writer with a lower fence. An engine that died may have left
    /// entries that no power cut has tried yet; whoever tells others about the head has to call this first.
    ///
    /// # Errors
    /// Another writer took over, or the disk fails.
    pub fn settle(&mut self) -> Result<(), LedgerError> {
        Ok(self.store.append(Batch { fence: self.fence, sync: true, ..Batch::default() })?)
    }

    /// What other processes asked since.
    ///
    /// # Errors
    /// The disk fails.
    pub fn signals(&self) -> Result<Vec<Signal>, LedgerError> {
        Ok(self.store.signals(self.state.signal)?)
    }

    /// Asks something of the process that applies.
    ///
    /// # Errors
    /// The disk fails.
    pub fn signal(&mut self, verb: &str, by: &str) -> Result<(), LedgerError> {
        Ok(self.store.signal(verb, by)?)
    }

    /// Reads and checks everything again and compares it with the state in memory. Answers how many entries there are.
    ///
    /// # Errors
    /// Where and how the chain is damaged.
    pub fn verify(&self) -> Result<u64, LedgerError> {
        let (state, head) = replay(&self.store.read(1)?, State::default(), Digest([0; 32]))?;
        if head != self.head || state != self.state {
            return Err(LedgerError::Broken { seq: state.seq, why: "it does not fold to the state in use".to_owned() });
        }
        Ok(state.seq)
    }

    /// All entries from a number on.
    ///
    /// # Errors
    /// The disk fails or an entry cannot be read.
    pub fn entries(&self, from_seq: u64) -> Result<Vec<(u64, Entry)>, LedgerError> {
        let read = |r: &Record| Ok((r.seq, Entry::decode(r.seq, &r.bytes)?));
        self.store.read(from_seq)?.iter().map(read).collect()
    }

    fn write(
        &mut self,
        apply: Option<ApplyId>,
        bodies: Vec<Body>,
        sync: bool,
        abort_checked_to: Option<u64>,
    ) -> Result<(), LedgerError> {
        let sealed = if bodies.is_empty() { Vec::new() } else { self.vault.fresh()? };
        self.write_sealed(apply, bodies, sync, abort_checked_to, sealed)
    }

    fn write_sealed(
        &mut self,
        apply: Option<ApplyId>,
        bodies: Vec<Body>,
        sync: bool,
        abort_checked_to: Option<u64>,
        sealed: Vec<(Digest, Vec<u8>)>,
    ) -> Result<(), LedgerError> {
        if self.failed {
            return Err(LedgerError::Failed);
        }
        self.sound()?;
        // The entries go through the state first: whatever is refused from here on ends this ledger's use, but for an abort
        // that won the race to a commit.
        self.failed = true;
        let mut head = self.head;
        let mut records = Vec::with_capacity(bodies.len());
        let (state, now) = (&mut self.state, self.clock.now_ms());
        for body in bodies {
            let seq = state.seq + 1;
            let header = Header {
                fence: self.fence,
                apply,
                at_ms: now.max(state.at_ms),
                skewed: now < state.at_ms,
                actor: self.actor.clone(),
            };
            let entry = Entry { format: FORMAT, header, body };
            let bytes = entry.encode()?;
            state.apply_entry(seq, &entry).map_err(|illegal| LedgerError::Illegal { seq, illegal })?;
            let hash = chain(&head, seq, &bytes);
            records.push(Record { seq, prev: head, hash, bytes });
            head = hash;
        }
        if records.is_empty() {
            self.failed = false;
            return Ok(());
        }
        let due = self.state.due(self.written.seq);
        let (rows, written) = if due { self.rows(head)? } else { (Vec::new(), self.written) };
        let (mut blobs, dropped) = (std::mem::take(&mut self.blobs), std::mem::take(&mut self.dropped));
        blobs.iter_mut().for_each(|(_, bytes)| packed::close(bytes));
        // Neighbours on the disk are written together.
        blobs.sort_by_key(|(name, _)| *name);
        let unsealed = std::mem::take(&mut self.unsealed);
        let rows_anew = due && self.written.seq == 0;
        let fence = self.fence;
        let batch = Batch { records, blobs, sealed, dropped, unsealed, rows, rows_anew, fence, sync, abort_checked_to };
        match self.store.append(batch) {
            Ok(()) => {}
            Err(error @ StoreError::Aborted { .. }) => {
                self.take_up()?;
                self.failed = false;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        }
        self.vault.written();
        self.failed = false;
        self.head = head;
        if due {
            self.state.written();
            self.written = written;
        }
        Ok(())
    }
}

fn sum(rows: &[Row]) -> u64 {
    let weights = rows.iter().map(|r| r.bytes.as_ref().map_or(0, |bytes| projection::weight(r.part, r.number, bytes)));
    weights.fold(0, u64::wrapping_add)
}

/// Folds records onto a state whose last entry has the hash `head`.
fn replay(records: &[Record], mut state: State, mut head: Digest) -> Result<(State, Digest), LedgerError> {
    for record in records {
        let seq = state.seq + 1;
        let broken = |why: &str| LedgerError::Broken { seq, why: why.to_owned() };
        if record.seq != seq {
            return Err(broken(&format!("entry {} follows", record.seq)));
        }
        if record.prev != head {
            return Err(broken("it names another predecessor"));
        }
        if chain(&head, seq, &record.bytes) != record.hash {
            return Err(broken("its hash does not fit its bytes"));
        }
        let entry = Entry::decode(seq, &record.bytes)?;
        state.apply_entry(seq, &entry).map_err(|illegal| LedgerError::Illegal { seq, illegal })?;
        head = record.hash;
    }
    Ok((state, head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;
    use std::sync::atomic::{AtomicI64, Ordering};

    struct Jumping(AtomicI64);

    impl Clock for Jumping {
        fn now_ms(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn recorded_time_does_not_go_back_with_the_clock_and_says_that_it_would_have() {
        let hour = 3_600_000;
        let clock = Arc::new(Jumping(AtomicI64::new(10 * hour)));
        let mut ledger =
            Ledger::open(Box::new(MemoryStore::default()), Arc::clone(&clock) as _, Actor::default(), 1).unwrap();
        ledger.initialize(Lineage([1; 16]), "local").unwrap();
        let anchored = |seq| vec![Body::Checkpoint { state: Digest([0; 32]), up_to: seq }];
        for now in [11 * hour, 10 * hour, 12 * hour] {
            clock.0.store(now, Ordering::Relaxed);
            ledger.append(None, anchored(1), true).unwrap();
        }
        let entries = ledger.entries(2).unwrap();
        let told: Vec<_> = entries.iter().map(|(_, e)| (e.header.at_ms / hour, e.header.skewed)).collect();
        assert_eq!(told, [(11, false), (11, true), (12, false)]);
        assert_eq!(crate::audit::audit(&ledger, &[]).unwrap().damage, []);
    }
}
