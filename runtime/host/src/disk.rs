//! Writing so that a crash leaves the old bytes or the new ones, never half of either.
//!
//! Guarantees: after `replace` returns, the bytes survive a power cut. Does not lock: callers serialise writers of a path.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::home::named;

/// Puts `bytes` at `path` with `mode`, durably: written aside, synced, renamed, and the directory synced.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let aside = path.with_extension("new");
    let write = || {
        // One left by a crash may have another mode, which `open` would keep.
        match fs::remove_file(&aside) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        sync_parent(path)
    };
    write().map_err(|cause| named(path, &cause))
}

/// Puts `bytes` at `path` whole, mode 0600; a power cut may bring the old ones back.
pub fn replace_unsynced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    fs::rename(&aside, path)
}

/// Syncs the directory that holds `path`, which makes a creation, renaming or removal in it durable.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// `replace` of a value as JSON, mode 0600.
pub fn replace_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    replace(path, &serde_json::to_vec(value)?, 0o600)
}

/// Reads what `replace_json` wrote; none when there is nothing.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|cause| named(path, &cause.into())),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(named(path, &cause)),
    }
}

/// A file of lines that only grows. A line that a crash cut short is removed when the file is opened.
#[derive(Debug)]
pub struct Lines {
    file: File,
}

impl Lines {
    /// Opens or makes the file; returns its complete lines too.
    pub fn open(path: &Path) -> io::Result<(Self, Vec<String>)> {
        let open = || {
            let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
            sync_parent(path)?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
            if whole < bytes.len() {
                file.set_len(u64::try_from(whole).unwrap_or(u64::MAX))?;
                bytes.truncate(whole);
            }
            file.seek(SeekFrom::End(0))?;
            let lines = String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect();
            Ok((Self { file }, lines))
        };
        open().map_err(|cause| named(path, &cause))
    }

    /// Appends one line durably.
    pub fn append(&mut self, line: &str) -> io::Result<()> {
        debug_assert!(!line.contains('\n'), "one line at a time");
        self.file.write_all(format!("{line}\n").as_bytes())?;
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn replacing_leaves_the_new_bytes_with_the_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        replace(&path, b"one", 0o644).unwrap();
        fs::write(path.with_extension("new"), b"left by a crash").unwrap();
        replace(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_line_that_was_cut_short_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        fs::write(&path, "one\ntwo\nthr").unwrap();
        let (mut lines, found) = Lines::open(&path).unwrap();
        assert_eq!(found, ["one", "two"]);
        lines.append("three").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
    }

    #[test]
    fn what_is_not_json_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        fs::write(&path, "{").unwrap();
        let cause = read_json::<Vec<u8>>(&path).unwrap_err();
        assert!(cause.to_string().contains("x.json"), "{cause}");
    }
}
