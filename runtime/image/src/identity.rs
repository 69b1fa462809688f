//! The content digest of a file, remembered by the file's identity, so that an unchanged file is not read again.
//!
//! A digest is trusted when device, inode, size, mtime and ctime are what they were, and the file was at least two seconds
//! old when it was hashed (a file system's clock may be that coarse). The memory is a cache: losing it costs time only.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::digest::hex32;

/// A digest of a younger file is not remembered, in nanoseconds.
const YOUNG: i128 = 2_000_000_000;
const FORMAT: u32 = 1;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileContent {
    /// The blake3 of its bytes.
    #[serde(with = "hex32")]
    pub digest: [u8; 32],
    /// Its size in bytes.
    pub size: u64,
}

/// Which file it is, and in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    mtime: i128,
    ctime: i128,
}

impl Identity {
    fn of(file: &File) -> io::Result<Self> {
        let stat = file.metadata()?;
        if !stat.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Ok(Self {
            device: stat.dev(),
            inode: stat.ino(),
            size: stat.size(),
            mtime: nanoseconds(stat.mtime(), stat.mtime_nsec()),
            ctime: nanoseconds(stat.ctime(), stat.ctime_nsec()),
        })
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Saved {
    format: u32,
    files: Vec<(Identity, FileContent)>,
}

/// Digests of files by identity; shared by threads, kept in a file when there is one.
#[derive(Debug, Default)]
pub struct Identities {
    path: Option<PathBuf>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    files: HashMap<Identity, FileContent>,
    changed: bool,
}

impl Identities {
    /// A memory that ends with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// A memory kept in this file; an absent or unreadable one is an empty one.
    #[must_use]
    pub fn open(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let saved = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Saved>(&bytes).ok());
        let files = saved.filter(|saved| saved.format == FORMAT).unwrap_or_default().files.into_iter().collect();
        Self { path: Some(path), known: Mutex::new(Known { files, changed: false }) }
    }

    /// The digest and size of a regular file; reads it only when it is not known.
    pub fn content(&self, path: &Path) -> io::Result<FileContent> {
        let mut file = File::open(path)?;
        let before = Identity::of(&file)?;
        if let Some(content) = self.lock().files.get(&before) {
            return Ok(*content);
        }
        let content = hash(&mut file)?;
        if Identity::of(&file)? != before || content.size != before.size {
            return Err(io::Error::other("it changed while it was read"));
        }
        if now() - before.mtime.max(before.ctime) >= YOUNG {
            let mut known = self.lock();
            known.files.insert(before, content);
            known.changed = true;
        }
        Ok(content)
    }

    /// Writes what is known to the file, if there is one and something is new. What other processes wrote meanwhile may be
    /// lost: they read those files once more.
    pub fn save(&self) -> io::Result<()> {
        let mut known = self.lock();
        let (Some(path), true) = (&self.path, known.changed) else {
            return Ok(());
        };
        let mut files: Vec<_> = known.files.iter().map(|(identity, content)| (*identity, *content)).collect();
        files.sort_by_key(|(identity, _)| *identity);
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
        temporary.write_all(&serde_json::to_vec(&Saved { format: FORMAT, files })?)?;
        temporary.persist(path).map_err(|error| error.error)?;
        known.changed = false;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(file: &mut File) -> io::Result<FileContent> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer)?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else {
            return Ok(FileContent { digest: *hasher.finalize().as_bytes(), size });
        };
        hasher.update(read);
        size += read.len() as u64;
    }
}

fn now() -> i128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos().try_into().unwrap_or(i128::MAX))
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;
    use std::time::Duration;

    use super::*;

    fn aged(path: &Path, content: &[u8], seconds: u64) {
        let mut file = File::create(path).unwrap();
        file.write_all(content).unwrap();
        file.set_times(FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(seconds))).unwrap();
    }

    #[test]
    fn a_young_file_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        aged(&path, b"one", 60);
        let identities = Identities::open(folder.path().join("cache"));
        let content = identities.content(&path).unwrap();
        assert_eq!(content, FileContent { digest: *blake3::hash(b"one").as_bytes(), size: 3 });
        // The mtime is old, the ctime is not: it must not be trusted.
        assert!(identities.lock().files.is_empty());
        identities.save().unwrap();
        assert!(!folder.path().join("cache").exists());
    }

    #[test]
    fn an_old_file_is_remembered_across_processes() {
        let folder = tempfile::tempdir().unwrap();
        let old = std::env::current_exe().unwrap();
        let identities = Identities::open(folder.path().join("cache"));
        let content = identities.content(&old).unwrap();
        identities.save().unwrap();
        let again = Identities::open(folder.path().join("cache"));
        let age = now() - Identity::of(&File::open(&old).unwrap()).unwrap().ctime;
        assert_eq!(again.lock().files.len(), usize::from(age >= YOUNG));
        assert_eq!(again.content(&old).unwrap(), content);
    }

    #[test]
    fn damaged_memory_is_empty_and_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cache"), b"{\"format\":").unwrap();
        let identities = Identities::open(folder.path().join("cache"));
        assert!(identities.content(folder.path()).is_err());
        assert!(identities.content(&folder.path().join("absent")).is_err());
    }
}
