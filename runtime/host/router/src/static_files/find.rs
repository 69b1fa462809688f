//! Files by path, with their content and its hash.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::tree::Tree;

/// Files up to this size are read at once, in bytes.
const WHOLE: u64 = 256 * 1024;
/// Hashes of large files to remember.
const MOST_HASHES: usize = 4096;

/// A tree of files, with what is known of them.
#[derive(Debug)]
pub(super) struct Files {
    tree: Tree,
    hashes: Mutex<HashMap<Version, blake3::Hash>>,
}

/// What tells one content of a file from another without reading it. Times are those of the file system, in nanoseconds.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What is at a path.
pub(super) enum Found {
    File(Served),
    /// Its index is at the path with a slash.
    Directory,
}

/// A file to send.
pub(super) struct Served {
    pub(super) path: PathBuf,
    pub(super) content: Content,
    pub(super) hash: blake3::Hash,
}

pub(super) enum Content {
    Whole(Bytes),
    Large(File, u64),
}

impl Files {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        Ok(Self { tree: Tree::open(dir)?, hashes: Mutex::default() })
    }

    /// The file at a path, or in a folder the one that stands for it. Blocks.
    pub(super) fn find(&self, relative: &Path, index: Option<&str>) -> io::Result<Found> {
        let path = index.map_or_else(|| relative.to_owned(), |index| relative.join(index));
        let mut file = self.tree.find(&path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() && index.is_none() {
            return Ok(Found::Directory);
        }
        if !metadata.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        if metadata.len() <= WHOLE {
            let mut content = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
            file.read_to_end(&mut content)?;
            let hash = blake3::hash(&content);
            return Ok(Found::File(Served { path, content: Content::Whole(content.into()), hash }));
        }
        let hash = self.hash_of(&mut file, &metadata)?;
        Ok(Found::File(Served { path, content: Content::Large(file, metadata.len()), hash }))
    }

    fn hash_of(&self, file: &mut File, metadata: &Metadata) -> io::Result<blake3::Hash> {
        let version = Version {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        if let Some(hash) = self.hashes.lock().unwrap_or_else(PoisonError::into_inner).get(&version) {
            return Ok(*hash);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&mut *file)?;
        file.rewind()?;
        let hash = hasher.finalize();
        let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        if hashes.len() >= MOST_HASHES {
            hashes.clear();
        }
        hashes.insert(version, hash);
        Ok(hash)
    }
}

/// There is nothing of this name that may be served.
pub(super) fn means_absent(error: &io::Error) -> bool {
    use nix::libc::{ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO, EXDEV};
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error().is_some_and(|code| [ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO, EXDEV].contains(&code))
}
