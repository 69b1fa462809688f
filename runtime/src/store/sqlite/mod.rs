//! The ledger on disk: one SQLite file in WAL mode. The only place that names SQL.
//!
//! To read: `schema` has the tables and their formats, `write` the one transaction of a batch, `read` what is there, `fail`
//! what the database says when it does not.
//!
//! A batch is one transaction. `synchronous = FULL` makes a committed transaction durable; for a batch that need not be
//! durable yet `NORMAL` is used, which keeps the order: a crash of the machine may cut the tail, never a middle.

mod fail;
mod read;
mod schema;
mod write;

use super::{Batch, Reader, Record, Signal, Store, StoreError};
use fail::{connect, io, sql};
use imm_ir::Digest;
use read::{read_record, read_records, read_signals};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A ledger file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    head: (u64, Digest),
    durable: bool,
}

impl SqliteStore {
    /// Opens a ledger for writing; makes it, and its folder, when it is not there. Folder and file are for the owner only.
    ///
    /// # Errors
    /// When the file cannot be made or read, or has another format.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| io(path, &e))?;
        }
        let connection = Connection::open(path).map_err(|e| sql(path, &e))?;
        let mut store = Self { connection, path: path.to_owned(), head: (0, Digest([0; 32])), durable: true };
        store.prepare(true).map_err(|e| sql(path, &e))?;
        let new = store.format()? == 0;
        store.check_format()?;
        store.make()?;
        if new {
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
                .map_err(|e| io(path, &e))?;
        }
        store.load_head()?;
        Ok(store)
    }

    /// Opens a ledger that is there, without ever writing an entry; readers take no lock.
    ///
    /// # Errors
    /// [`StoreError::Absent`] when there is none; else as [`open`](Self::open).
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        if !path.is_file() {
            return Err(StoreError::Absent(path.display().to_string()));
        }
        let connection = connect(path).map_err(|e| sql(path, &e))?;
        let mut store = Self { connection, path: path.to_owned(), head: (0, Digest([0; 32])), durable: true };
        store.prepare(false).map_err(|e| sql(path, &e))?;
        if store.format()? == 0 {
            return Err(StoreError::Absent(path.display().to_string()));
        }
        store.check_format()?;
        store.load_head()?;
        Ok(store)
    }

    fn prepare(&self, writer: bool) -> rusqlite::Result<()> {
        self.connection.busy_timeout(Duration::from_secs(5))?;
        // All there are: none is made twice.
        self.connection.set_prepared_statement_cache_capacity(32);
        if writer {
            self.connection.pragma_update(None, "journal_mode", "wal")?;
            self.connection.pragma_update(None, "synchronous", "full")?;
        }
        Ok(())
    }

    fn load_head(&mut self) -> Result<(), StoreError> {
        let last = self
            .connection
            .query_row("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1", [], |row| {
                Ok((row.get::<_, i64>(0)?, digest(row, 1)?))
            })
            .optional()
            .map_err(|e| sql(&self.path, &e))?;
        self.head = last.map_or((0, Digest([0; 32])), |(seq, hash)| (seq.unsigned_abs(), hash));
        Ok(())
    }
}

impl Store for SqliteStore {
    fn head(&self) -> (u64, Digest) {
        self.head
    }

    fn read(&self, from_seq: u64) -> Result<Vec<Record>, StoreError> {
        read_records(&self.connection, from_seq).map_err(|e| sql(&self.path, &e))
    }

    fn record(&self, seq: u64) -> Result<Option<Record>, StoreError> {
        read_record(&self.connection, seq).map_err(|e| sql(&self.path, &e))
    }

    fn reader(&self) -> Reader {
        let (path, own) = (self.path.clone(), Mutex::new(None));
        Box::new(move |seq| {
            let mut own = own.lock().unwrap_or_else(PoisonError::into_inner);
            if own.is_none() {
                *own = connect(&path).ok();
            }
            read_record(own.as_ref()?, seq).ok()?
        })
    }

    fn instant(
        &self,
        row: &mut dyn FnMut(u8, u64, &[u8]),
        from: &mut dyn FnMut() -> u64,
    ) -> Result<Vec<Record>, StoreError> {
        let rows = self.format()? >= 3;
        let mut read = || -> rusqlite::Result<Vec<Record>> {
            // One transaction: another process may append meanwhile.
            let tx = self.connection.unchecked_transaction()?;
            if rows {
                let mut query = tx.prepare("SELECT part, number, bytes FROM row ORDER BY part, number")?;
                let mut found = query.query([])?;
                while let Some(r) = found.next()? {
                    row(r.get(0)?, r.get::<_, i64>(1)?.unsigned_abs(), r.get_ref(2)?.as_blob()?);
                }
            }
            read_records(&tx, from())
        };
        read().map_err(|e| sql(&self.path, &e))
    }

    fn row(&self, part: u8, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let read = || -> rusqlite::Result<Option<Vec<u8>>> {
            let mut query = self.connection.prepare_cached("SELECT bytes FROM row WHERE part = ?1 AND number = ?2")?;
            query.query_row(params![part, signed(number)], |row| row.get(0)).optional()
        };
        read().map_err(|e| sql(&self.path, &e))
    }

    fn append(&mut self, batch: Batch) -> Result<(), StoreError> {
        self.write(&batch)?;
        if let Some(last) = batch.records.last() {
            self.head = (last.seq, last.hash);
        }
        Ok(())
    }

    fn blob(&self, name: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let read = || -> rusqlite::Result<Option<Vec<u8>>> {
            let mut query = self.connection.prepare_cached("SELECT bytes FROM blob WHERE digest = ?1")?;
            query.query_row([name.0], |row| row.get(0)).optional()
        };
        read().map_err(|e| sql(&self.path, &e))
    }

    fn blobs(&self) -> Result<Vec<(Digest, Vec<u8>)>, StoreError> {
        let rows = || -> rusqlite::Result<Vec<_>> {
            let mut query = self.connection.prepare_cached("SELECT digest, bytes FROM blob ORDER BY digest")?;
            query.query_map([], |row| Ok((digest(row, 0)?, row.get(1)?)))?.collect()
        };
        rows().map_err(|e| sql(&self.path, &e))
    }

    fn sealed(&self) -> Result<Vec<(Digest, Vec<u8>)>, StoreError> {
        // A reader leaves an older ledger as it is.
        if self.format()? < 2 {
            return Ok(Vec::new());
        }
        let rows = || -> rusqlite::Result<Vec<_>> {
            let mut query = self.connection.prepare_cached("SELECT name, bytes FROM sealed ORDER BY name")?;
            query.query_map([], |row| Ok((digest(row, 0)?, row.get(1)?)))?.collect()
        };
        rows().map_err(|e| sql(&self.path, &e))
    }

    fn signals(&self, after: u64) -> Result<Vec<Signal>, StoreError> {
        read_signals(&self.connection, after).map_err(|e| sql(&self.path, &e))
    }

    fn signal(&mut self, verb: &str, by: &str) -> Result<(), StoreError> {
        // Not waited for: the machine that loses it loses the engine that it was meant for, too; and a commit is written after it.
        self.set_durable(false)
            .and_then(|()| self.connection.execute("INSERT INTO signal (verb, by) VALUES (?1, ?2)", [verb, by]))
            .map(drop)
            .map_err(|e| sql(&self.path, &e))
    }
}

fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    row.get::<_, [u8; 32]>(column).map(Digest)
}

/// SQLite's integers are signed; sequence numbers never come near the limit.
fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::projection::Row as Written;
    use crate::store::memory::MemoryStore;

    fn one(seq: u64) -> Record {
        Record { seq, prev: Digest([0; 32]), hash: Digest::of(&seq.to_le_bytes()), bytes: vec![7; 3] }
    }

    fn batch(seqs: std::ops::Range<u64>, fence: u64) -> Batch {
        Batch { records: seqs.map(one).collect(), fence, sync: true, ..Batch::default() }
    }

    /// Both stores keep the same contract.
    fn contract(mut store: impl Store) {
        assert_eq!(store.head().0, 0);
        store.append(batch(1..4, 1)).unwrap();
        assert_eq!(store.head(), (3, one(3).hash));
        assert!(matches!(store.append(batch(3..5, 1)), Err(StoreError::Moved { expected: 3, head: 3 })));
        store.append(batch(4..5, 2)).unwrap();
        assert!(matches!(store.append(batch(5..6, 1)), Err(StoreError::Fenced { ours: 1, theirs: 2 })));
        store.signal("pause", "ada").unwrap();
        store.signal("abort", "ada").unwrap();
        let commit = Batch { abort_checked_to: Some(0), ..batch(5..6, 2) };
        assert!(matches!(store.append(commit.clone()), Err(StoreError::Aborted { seq: 2, .. })));
        store.append(Batch { abort_checked_to: Some(2), blobs: vec![(Digest([1; 32]), vec![1])], ..commit }).unwrap();
        assert_eq!(store.blob(&Digest([1; 32])).unwrap(), Some(vec![1]));
        assert_eq!(store.read(4).unwrap().iter().map(|r| r.seq).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(store.signals(1).unwrap().len(), 1);
        assert_eq!((store.record(4).unwrap().map(|r| r.seq), store.record(9).unwrap()), (Some(4), None));
        let reader = store.reader();
        let rows = |store: &dyn Store, from: u64| {
            let mut found = Vec::new();
            let records = store.instant(&mut |part, n, bytes| found.push((part, n, bytes.to_vec())), &mut || from);
            (found, records.unwrap().len())
        };
        let row = |number, bytes: Option<&[u8]>| Written { part: 2, number, bytes: bytes.map(<[u8]>::to_vec) };
        let with = |seq, rows: Vec<Written>, rows_anew| Batch { rows, rows_anew, ..batch(seq..seq + 1, 2) };
        store.append(with(6, vec![row(1, Some(b"a")), row(0, Some(b"b"))], false)).unwrap();
        assert_eq!(rows(&store, 6), (vec![(2, 0, b"b".to_vec()), (2, 1, b"a".to_vec())], 1));
        store.append(with(7, vec![row(1, None), row(0, Some(b"c"))], false)).unwrap();
        assert_eq!(
            (rows(&store, 1), store.row(2, 0).unwrap()),
            ((vec![(2, 0, b"c".to_vec())], 7), Some(b"c".to_vec()))
        );
        store.append(with(8, vec![row(5, Some(b"d"))], true)).unwrap();
        assert_eq!(rows(&store, 8), (vec![(2, 5, b"d".to_vec())], 1));
        assert_eq!((reader(8).map(|r| r.seq), reader(9)), (Some(8), None));
    }

    #[test]
    fn both_stores_keep_the_contract() {
        let dir = tempfile::tempdir().unwrap();
        contract(SqliteStore::open(&dir.path().join("a/ledger.db")).unwrap());
        contract(MemoryStore::default());
    }

    #[test]
    fn what_was_appended_is_there_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        assert!(matches!(SqliteStore::open_read_only(&path), Err(StoreError::Absent(_))));
        SqliteStore::open(&path).unwrap().append(batch(1..3, 5)).unwrap();
        let mut again = SqliteStore::open(&path).unwrap();
        assert_eq!(again.head().0, 2);
        let reader = SqliteStore::open_read_only(&path).unwrap();
        again.append(batch(3..4, 5)).unwrap();
        assert_eq!(reader.read(1).unwrap().len(), 3);
        assert!(matches!(again.append(batch(4..5, 4)), Err(StoreError::Fenced { .. })));
    }

    #[test]
    fn tables_of_a_newer_version_are_refused_in_words_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        drop(SqliteStore::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", schema::FORMAT + 1).unwrap();
        for opened in [SqliteStore::open_read_only(&path), SqliteStore::open(&path)] {
            let said = opened.unwrap_err().to_string();
            assert!(said.contains("it has format 6, and this imm reads up to 5"), "{said}");
        }
    }

    #[test]
    fn a_file_that_is_no_ledger_is_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        std::fs::write(&path, "not a database, but long enough to be looked at as one").unwrap();
        let said = SqliteStore::open_read_only(&path).unwrap_err().to_string();
        assert!(said.contains("ledger.db") && said.contains("not a database"), "{said}");
    }
}
