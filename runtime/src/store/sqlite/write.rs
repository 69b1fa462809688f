//! One batch, one transaction.

use super::fail::sql;
use super::read::read_signals;
use super::{Batch, SqliteStore, StoreError, signed};
use crate::state::projection::Row;
use crate::store::pending_abort;
use rusqlite::params;

impl SqliteStore {
    fn set_durable(&mut self, durable: bool) -> rusqlite::Result<()> {
        if self.durable != durable {
            self.connection.pragma_update(None, "synchronous", if durable { "full" } else { "normal" })?;
            self.durable = durable;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| sql(&path, &e);
        self.set_durable(batch.sync).map_err(fail)?;
        let tx = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fail)?;
        let theirs: i64 = tx.query_row("SELECT value FROM fence", [], |row| row.get(0)).map_err(fail)?;
        if theirs.unsigned_abs() > batch.fence {
            return Err(StoreError::Fenced { ours: batch.fence, theirs: theirs.unsigned_abs() });
        }
        let head: i64 = tx.query_row("SELECT coalesce(max(seq), 0) FROM entry", [], |row| row.get(0)).map_err(fail)?;
        if let Some(first) = batch.records.first()
            && first.seq != head.unsigned_abs() + 1
        {
            return Err(StoreError::Moved { expected: first.seq, head: head.unsigned_abs() });
        }
        if let Some(to) = batch.abort_checked_to {
            let found = read_signals(&tx, to).map_err(fail)?;
            if let Some(aborted) = pending_abort(&found, to) {
                return Err(aborted);
            }
        }
        // A batch of nothing that asks for a sync is written, too: what came before it becomes durable with it.
        if theirs.unsigned_abs() < batch.fence || (batch.sync && batch.records.is_empty()) {
            tx.execute("UPDATE fence SET value = ?1", [signed(batch.fence)]).map_err(fail)?;
        }
        {
            let mut entry =
                tx.prepare_cached("INSERT INTO entry (seq, hash, bytes) VALUES (?1, ?2, ?3)").map_err(fail)?;
            for r in &batch.records {
                entry.execute(params![signed(r.seq), r.hash.0, r.bytes]).map_err(fail)?;
            }
            if batch.rows_anew {
                tx.execute("DELETE FROM row", []).map_err(fail)?;
            }
            let mut row = tx.prepare_cached("INSERT OR REPLACE INTO row VALUES (?1, ?2, ?3)").map_err(fail)?;
            let mut gone = tx.prepare_cached("DELETE FROM row WHERE part = ?1 AND number = ?2").map_err(fail)?;
            for Row { part, number, bytes } in &batch.rows {
                match bytes {
                    Some(bytes) => row.execute(params![part, signed(*number), bytes]),
                    None => gone.execute(params![part, signed(*number)]),
                }
                .map_err(fail)?;
            }
            let mut blob = tx.prepare_cached("INSERT OR IGNORE INTO blob VALUES (?1, ?2)").map_err(fail)?;
            for (name, bytes) in &batch.blobs {
                blob.execute(params![name.0, bytes]).map_err(fail)?;
            }
            for name in &batch.dropped {
                let mut gone = tx.prepare_cached("DELETE FROM blob WHERE digest = ?1").map_err(fail)?;
                gone.execute([name.0]).map_err(fail)?;
            }
            for name in &batch.unsealed {
                let mut gone = tx.prepare_cached("DELETE FROM sealed WHERE name = ?1").map_err(fail)?;
                gone.execute([name.0]).map_err(fail)?;
            }
            for (name, bytes) in &batch.sealed {
                let mut sealed = tx.prepare_cached("INSERT OR REPLACE INTO sealed VALUES (?1, ?2)").map_err(fail)?;
                sealed.execute(params![name.0, bytes]).map_err(fail)?;
            }
        }
        tx.commit().map_err(fail)
    }
}
