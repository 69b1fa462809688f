//! What the database says, in the store's words; and where it can be opened all the same.

use super::StoreError;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;

/// A reader of a WAL database must be able to make the shared-memory file; where the folder cannot be written, the file
/// alone is read: nobody writes to it there either.
pub(super) fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
        .and_then(|c| c.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)).map(|_| c))
        .or_else(|error| frozen(path, error))
}

/// A ledger in a folder that cannot be written, as its file is. What was not yet taken over from the file beside it would be
/// missing, so then it stays shut.
fn frozen(path: &Path, error: rusqlite::Error) -> rusqlite::Result<Connection> {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-wal");
    let pending = std::fs::metadata(beside).is_ok_and(|wal| wal.len() > 0);
    let Some(name) = path.to_str().filter(|_| !pending && error.sqlite_error_code() == Some(ErrorCode::CannotOpen))
    else {
        return Err(error);
    };
    let name = name.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)
}

pub(super) fn sql(path: &Path, error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::DiskFull(path.display().to_string()),
        // What it cannot map or lengthen, it calls a failure of the disk.
        Some(ErrorCode::SystemIoFailure) if full(path) => StoreError::DiskFull(path.display().to_string()),
        _ => io(path, error),
    }
}

/// Whether not even a page or two can be written where this is.
fn full(path: &Path) -> bool {
    let place = nix::sys::statvfs::statvfs(path.parent().unwrap_or(path));
    place.is_ok_and(|disk| disk.blocks_available().saturating_mul(disk.fragment_size()) < 64 * 1024)
}

pub(super) fn io(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Io { path: path.display().to_string(), message: error.to_string() }
}
