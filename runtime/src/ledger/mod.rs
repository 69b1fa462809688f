//! The ledger: a hash-chained, append-only record and the state it folds to.
//!
//! Guarantees: an entry that cannot follow is refused before it is written; what [`Ledger::append`] returns for `sync` is on
//! disk; state and disk agree or the ledger refuses to go on. A start reads the state as it is written down beside the
//! entries ([`crate::state::projection`]) and folds what came after; the whole chain is checked when that is of no use, by
//! [`Ledger::verify`] and by [`crate::audit`]. Does not decide what to write.

mod append;
mod blobs;
mod error;
mod rows;
mod secrets;

pub use error::LedgerError;

use crate::clock::Clock;
use crate::entry::{Actor, Body, Entry, FORMAT, chain};
use crate::id::Lineage;
use crate::seal::keys::Clear;
use crate::seal::{Keys, SealError, Vault};
use crate::state::State;
use crate::state::objects::Recall;
use crate::state::projection::Reading;
use crate::store::{Record, Signal, Store};
use imm_ir::Digest;
use rows::WrittenDown;
use std::sync::Arc;

/// The record of one environment, open.
pub struct Ledger {
    store: Box<dyn Store>,
    state: State,
    head: Digest,
    clock: Arc<dyn Clock>,
    actor: Actor,
    fence: u64,
    /// Entries that the state has taken in and the disk has not.
    noted: Vec<Record>,
    /// What the next append brings with it.
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
            noted: Vec::new(),
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
