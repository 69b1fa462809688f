//! How entries get into the ledger: through the state first, then to the disk in one transaction.

use super::{Ledger, LedgerError};
use crate::entry::{Body, Entry, FORMAT, Header, chain};
use crate::id::ApplyId;
use crate::store::{Batch, Record, StoreError, packed};
use imm_ir::Digest;

impl Ledger {
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

    /// Takes entries in whose loss costs a look at most: they go to the disk together with the next append, or with
    /// [`write_noted`](Self::write_noted). Not for what is planned, made or ended here of an object that this ledger only
    /// read: its details are in those entries.
    ///
    /// # Errors
    /// An entry cannot follow.
    pub(crate) fn note(&mut self, apply: ApplyId, bodies: Vec<Body>) -> Result<(), LedgerError> {
        self.take_in(Some(apply), bodies)
    }

    /// Puts what was only noted on the disk. Whoever waits for the world calls this first.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub(crate) fn write_noted(&mut self) -> Result<(), LedgerError> {
        let sealed = if self.noted.is_empty() { Vec::new() } else { self.vault.fresh()? };
        self.put(false, None, sealed)
    }

    /// Makes everything read so far durable, and shuts out every writer with a lower fence. An engine that died may have left
    /// entries that no power cut has tried yet; whoever tells others about the head has to call this first.
    ///
    /// # Errors
    /// Another writer took over, or the disk fails.
    pub fn settle(&mut self) -> Result<(), LedgerError> {
        self.write_noted()?;
        Ok(self.store.append(Batch { fence: self.fence, sync: true, ..Batch::default() })?)
    }

    fn write(
        &mut self,
        apply: Option<ApplyId>,
        bodies: Vec<Body>,
        sync: bool,
        abort_checked_to: Option<u64>,
    ) -> Result<(), LedgerError> {
        if bodies.is_empty() {
            return Ok(());
        }
        let sealed = self.vault.fresh()?;
        self.write_sealed(apply, bodies, sync, abort_checked_to, sealed)
    }

    pub(super) fn write_sealed(
        &mut self,
        apply: Option<ApplyId>,
        bodies: Vec<Body>,
        sync: bool,
        abort_checked_to: Option<u64>,
        sealed: Vec<(Digest, Vec<u8>)>,
    ) -> Result<(), LedgerError> {
        if abort_checked_to.is_some() {
            // An abort that wins the race to a commit takes nothing else with it.
            self.write_noted()?;
        }
        self.take_in(apply, bodies)?;
        self.put(sync, abort_checked_to, sealed)
    }

    /// The entries go through the state first: whatever is refused from here on ends this ledger's use, but for an abort that
    /// won the race to a commit.
    fn take_in(&mut self, apply: Option<ApplyId>, bodies: Vec<Body>) -> Result<(), LedgerError> {
        if self.failed {
            return Err(LedgerError::Failed);
        }
        self.sound()?;
        self.failed = true;
        let now = self.clock.now_ms();
        for body in bodies {
            let state = &mut self.state;
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
            let hash = chain(&self.head, seq, &bytes);
            self.noted.push(Record { seq, prev: self.head, hash, bytes });
            self.head = hash;
        }
        self.failed = false;
        Ok(())
    }

    /// One transaction with all that was taken in, and what it names.
    fn put(
        &mut self,
        sync: bool,
        abort_checked_to: Option<u64>,
        sealed: Vec<(Digest, Vec<u8>)>,
    ) -> Result<(), LedgerError> {
        if self.noted.is_empty() {
            return Ok(());
        }
        self.failed = true;
        let records = std::mem::take(&mut self.noted);
        let due = self.state.due(self.written.seq);
        let (rows, written) = if due { self.rows(self.head)? } else { (Vec::new(), self.written) };
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
        if due {
            self.state.written();
            self.written = written;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::entry::Actor;
    use crate::id::Lineage;
    use crate::store::memory::MemoryStore;
    use std::sync::Arc;
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
