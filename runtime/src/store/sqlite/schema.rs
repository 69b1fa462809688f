//! The tables, and what each format of them added to the one before.

use super::fail::sql;
use super::{SqliteStore, StoreError};

/// Format of the tables; entries carry their own.
pub(super) const FORMAT: u32 = 5;

const TABLES: &str = "
    CREATE TABLE entry  (seq INTEGER PRIMARY KEY, prev BLOB NOT NULL, hash BLOB NOT NULL, bytes BLOB NOT NULL);
    CREATE TABLE blob   (digest BLOB PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE signal (seq INTEGER PRIMARY KEY AUTOINCREMENT, verb TEXT NOT NULL, by TEXT NOT NULL);
    CREATE TABLE fence  (only INTEGER PRIMARY KEY CHECK (only = 0), value INTEGER NOT NULL);
    INSERT INTO fence VALUES (0, 0);
";

/// What each format added to the one before, from format 2 on. A new ledger goes through all of them, too.
const STEPS: [&str; 4] = [
    "CREATE TABLE sealed (name BLOB PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;",
    "CREATE TABLE row (part INTEGER, number INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (part, number)) WITHOUT ROWID;",
    // The hash of the entry before is that entry's.
    "ALTER TABLE entry DROP COLUMN prev;",
    // A page of a table without row ids keeps so little of each row that a blob of 2 KB takes another page for its rest.
    "CREATE TABLE kept (digest BLOB PRIMARY KEY, bytes BLOB NOT NULL);
     INSERT INTO kept SELECT digest, bytes FROM blob ORDER BY digest;
     DROP TABLE blob;
     ALTER TABLE kept RENAME TO blob;",
];

impl SqliteStore {
    /// Makes what is not there yet: all tables of a new ledger, or what later formats added to an older one.
    pub(super) fn make(&mut self) -> Result<(), StoreError> {
        if self.format()? == FORMAT {
            return Ok(());
        }
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| sql(&path, &e);
        let tx = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fail)?;
        // Another process may have made the tables between our look and our lock.
        let found: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail)?;
        if found == 0 {
            tx.execute_batch(TABLES).map_err(fail)?;
        }
        for step in STEPS.iter().skip((found.max(1) - 1) as usize) {
            tx.execute_batch(step).map_err(fail)?;
        }
        tx.pragma_update(None, "user_version", FORMAT).map_err(fail)?;
        tx.commit().map_err(fail)
    }

    pub(super) fn format(&self) -> Result<u32, StoreError> {
        self.connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|e| sql(&self.path, &e))
    }

    pub(super) fn check_format(&self) -> Result<(), StoreError> {
        let found = self.format()?;
        if found <= FORMAT { Ok(()) } else { Err(StoreError::Format { found, reads: FORMAT }) }
    }
}
