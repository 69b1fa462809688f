//! What is in the tables.

use super::{Record, Signal, digest, signed};
use imm_ir::Digest;
use rusqlite::{Connection, OptionalExtension, Row};

/// Each with the hash of the one before it, whatever its number is.
pub(super) fn read_records(connection: &Connection, from_seq: u64) -> rusqlite::Result<Vec<Record>> {
    let mut before = connection.prepare_cached("SELECT hash FROM entry WHERE seq < ?1 ORDER BY seq DESC LIMIT 1")?;
    let mut prev = before.query_row([signed(from_seq)], |row| digest(row, 0)).optional()?.unwrap_or(Digest([0; 32]));
    let mut query = connection.prepare_cached("SELECT seq, hash, bytes FROM entry WHERE seq >= ?1 ORDER BY seq")?;
    let record = |row: &Row<'_>| {
        let (seq, hash) = (row.get::<_, i64>(0)?.unsigned_abs(), digest(row, 1)?);
        Ok(Record { seq, prev: std::mem::replace(&mut prev, hash), hash, bytes: row.get(2)? })
    };
    query.query_map([signed(from_seq)], record)?.collect()
}

pub(super) fn read_record(connection: &Connection, seq: u64) -> rusqlite::Result<Option<Record>> {
    let mut query = connection.prepare_cached(
        "SELECT hash, bytes, (SELECT hash FROM entry WHERE seq < ?1 ORDER BY seq DESC LIMIT 1) FROM entry WHERE seq = ?1",
    )?;
    let record = |row: &Row<'_>| {
        let prev = row.get::<_, Option<[u8; 32]>>(2)?.map_or(Digest([0; 32]), Digest);
        Ok(Record { seq, prev, hash: digest(row, 0)?, bytes: row.get(1)? })
    };
    query.query_row([signed(seq)], record).optional()
}

pub(super) fn read_signals(connection: &Connection, after: u64) -> rusqlite::Result<Vec<Signal>> {
    let mut query = connection.prepare_cached("SELECT seq, verb, by FROM signal WHERE seq > ?1 ORDER BY seq")?;
    query
        .query_map([signed(after)], |row| {
            Ok(Signal { seq: row.get::<_, i64>(0)?.unsigned_abs(), verb: row.get(1)?, by: row.get(2)? })
        })?
        .collect()
}
