//! One batch, one transaction. Every statement is made once and kept.

use super::fail::sql;
use super::read::read_signals;
use super::{Batch, SqliteStore, StoreError, signed};
use crate::state::projection::Row;
use crate::store::pending_abort;
use rusqlite::{Connection, params};

/// Why a batch was not written.
enum Failed {
    Refused(StoreError),
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl SqliteStore {
    pub(super) fn set_durable(&mut self, durable: bool) -> rusqlite::Result<()> {
        if self.durable != durable {
            self.connection.pragma_update(None, "synchronous", if durable { "full" } else { "normal" })?;
            self.durable = durable;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let done =
            self.set_durable(batch.sync).map_err(Failed::Sql).and_then(|()| transaction(&self.connection, batch));
        done.map_err(|failed| match failed {
            Failed::Refused(refused) => refused,
            Failed::Sql(error) => sql(&self.path, &error),
        })
    }
}

fn transaction(connection: &Connection, batch: &Batch) -> Result<(), Failed> {
    let run = |what: &str| connection.prepare_cached(what)?.execute([]).map(drop);
    run("BEGIN IMMEDIATE")?;
    let done = check(connection, batch)
        .and_then(|theirs| insert(connection, batch, theirs).map_err(Failed::Sql))
        .and_then(|()| run("COMMIT").map_err(Failed::Sql));
    if done.is_err() && !connection.is_autocommit() {
        // What it says of its own failure is less than what is known already.
        drop(run("ROLLBACK"));
    }
    done
}

/// Whether the batch may follow; answers the fence that is written.
fn check(connection: &Connection, batch: &Batch) -> Result<u64, Failed> {
    let now = "SELECT value, (SELECT coalesce(max(seq), 0) FROM entry) FROM fence";
    let (theirs, head): (i64, i64) =
        connection.prepare_cached(now)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (ours, theirs, head) = (batch.fence, theirs.unsigned_abs(), head.unsigned_abs());
    if theirs > ours {
        return Err(Failed::Refused(StoreError::Fenced { ours, theirs }));
    }
    if let Some(first) = batch.records.first()
        && first.seq != head + 1
    {
        return Err(Failed::Refused(StoreError::Moved { expected: first.seq, head }));
    }
    if let Some(to) = batch.abort_checked_to
        && let Some(aborted) = pending_abort(&read_signals(connection, to)?, to)
    {
        return Err(Failed::Refused(aborted));
    }
    Ok(theirs)
}

fn insert(connection: &Connection, batch: &Batch, theirs: u64) -> rusqlite::Result<()> {
    // A batch of nothing that asks for a sync is written, too: what came before it becomes durable with it.
    if theirs < batch.fence || (batch.sync && batch.records.is_empty()) {
        connection.prepare_cached("UPDATE fence SET value = ?1")?.execute([signed(batch.fence)])?;
    }
    let mut entry = connection.prepare_cached("INSERT INTO entry (seq, hash, bytes) VALUES (?1, ?2, ?3)")?;
    for r in &batch.records {
        entry.execute(params![signed(r.seq), r.hash.0, r.bytes])?;
    }
    if batch.rows_anew {
        connection.prepare_cached("DELETE FROM row")?.execute([])?;
    }
    let mut row = connection.prepare_cached("INSERT OR REPLACE INTO row VALUES (?1, ?2, ?3)")?;
    let mut gone = connection.prepare_cached("DELETE FROM row WHERE part = ?1 AND number = ?2")?;
    for Row { part, number, bytes } in &batch.rows {
        match bytes {
            Some(bytes) => row.execute(params![part, signed(*number), bytes])?,
            None => gone.execute(params![part, signed(*number)])?,
        };
    }
    let mut blob = connection.prepare_cached("INSERT OR IGNORE INTO blob VALUES (?1, ?2)")?;
    for (name, bytes) in &batch.blobs {
        blob.execute(params![name.0, bytes])?;
    }
    for name in &batch.dropped {
        connection.prepare_cached("DELETE FROM blob WHERE digest = ?1")?.execute([name.0])?;
    }
    for name in &batch.unsealed {
        connection.prepare_cached("DELETE FROM sealed WHERE name = ?1")?.execute([name.0])?;
    }
    for (name, bytes) in &batch.sealed {
        let mut sealed = connection.prepare_cached("INSERT OR REPLACE INTO sealed VALUES (?1, ?2)")?;
        sealed.execute(params![name.0, bytes])?;
    }
    Ok(())
}
