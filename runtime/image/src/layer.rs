//! One layer as bytes: a tar stream in a gzip stream, a pure function of its files and the clock.
//!
//! Sorted entries, owner 0:0, modes 0644 and 0755, folders 0755, one time for all; the folders that every container needs
//! (`/proc /dev /sys /tmp`) and all parents are entries of their own, so a layer does not depend on the ones below it.
//! Files of the machine are hashed while they are read and must be what the recipe says.

mod gzip;

pub(crate) use gzip::Gzip as Compressor;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;

use tar::{Builder, EntryType, Header};

use crate::recipe::{Canonical, Entry};
use crate::{ContentDigest, ImageError, RecipeDigest, Result};

/// A written layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed {
    /// The digest of the gzip stream.
    pub digest: ContentDigest,
    /// The size of the gzip stream in bytes.
    pub size: u64,
    /// The digest of the tar stream.
    pub diff_id: ContentDigest,
}

/// The identity of a layer: known before it is built.
pub(crate) fn key(entries: &BTreeMap<String, Entry>, clock: u64) -> RecipeDigest {
    let mut hash = Canonical::new("imm layer");
    hash.number(clock);
    hash.entries(entries);
    hash.finish()
}

/// Writes a layer into `out`. `blob` is only for messages: the file behind `out`.
pub(crate) fn pack(entries: &BTreeMap<String, Entry>, clock: u64, out: impl Write, blob: &Path) -> Result<Packed> {
    let mut tar = Builder::new(gzip::Gzip::new(out));
    for (path, node) in tree(entries) {
        match node {
            Node::Folder(mode) => {
                let header = header(EntryType::Directory, mode, 0, clock);
                append(&mut tar, header, &format!("{path}/"), io::empty()).map_err(ImageError::io("write", blob))?;
            }
            Node::File(entry) => file(&mut tar, path, entry, clock, blob)?,
        }
    }
    let gzip = tar.into_inner().map_err(ImageError::io("write", blob))?;
    gzip.finish().map_err(ImageError::io("write", blob))
}

enum Node<'a> {
    Folder(u32),
    File(&'a Entry),
}

/// All entries by relative path. The order puts a folder before what is in it.
fn tree(entries: &BTreeMap<String, Entry>) -> BTreeMap<&str, Node<'_>> {
    let mut tree = BTreeMap::new();
    for (path, entry) in entries {
        let path = path.trim_start_matches('/');
        for (at, _) in path.match_indices('/') {
            tree.insert(path.split_at(at).0, Node::Folder(0o755));
        }
        tree.insert(path, Node::File(entry));
    }
    for folder in ["dev", "proc", "sys"] {
        tree.insert(folder, Node::Folder(0o755));
    }
    tree.insert("tmp", Node::Folder(0o1777));
    tree
}

fn header(kind: EntryType, mode: u32, size: u64, clock: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header.set_mtime(clock);
    header
}

fn append(tar: &mut Builder<impl Write>, mut header: Header, path: &str, content: impl Read) -> io::Result<()> {
    tar.append_data(&mut header, path, content)
}

fn file(tar: &mut Builder<impl Write>, path: &str, entry: &Entry, clock: u64, blob: &Path) -> Result<()> {
    let header = header(EntryType::Regular, entry.mode().bits(), entry.size(), clock);
    let (source, digest, size) = match entry {
        Entry::Bytes { bytes, .. } => {
            return append(tar, header, path, Cursor::new(bytes)).map_err(ImageError::io("write", blob));
        }
        Entry::Host { source, digest, size, .. } => (source, digest, *size),
    };
    let mut file = File::open(source).map_err(ImageError::io("read", source))?;
    // Exactly the promised size goes into the stream, so that a shorter or longer file is found out, not written.
    let mut read = Hashed { inner: Read::by_ref(&mut file).take(size), hash: blake3::Hasher::new(), count: 0 };
    append(tar, header, path, &mut read).map_err(ImageError::io("pack", source))?;
    let (hash, count) = (read.hash.finalize(), read.count);
    let more = file.read(&mut [0]).map_err(ImageError::io("read", source))?;
    if count == size && more == 0 && hash.as_bytes() == digest {
        return Ok(());
    }
    let was = format!("{size} bytes, {}", blake3::Hash::from_bytes(*digest));
    let is = match (count == size, more) {
        (false, _) => format!("{count} bytes"),
        (true, 0) => format!("{size} bytes, {hash}"),
        (true, _) => "longer".to_owned(),
    };
    Err(ImageError::InputChanged { path: source.clone(), was, is })
}

struct Hashed<R> {
    inner: R,
    hash: blake3::Hasher,
    count: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        self.count += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a fixed layer. They change when the tar or gzip writer changes, by hand or by an upgrade: then raise
    /// `recipe::FORMAT` together with this digest, so that old and new images have different identities.
    #[test]
    fn bytes_are_pinned() {
        let text: Vec<u8> = (0..3_000_000_u32).flat_map(|n| ((n / 7).wrapping_mul(n) % 251).to_le_bytes()).collect();
        let long = format!("/{}/{}", "d".repeat(150), "f".repeat(150));
        let entries = BTreeMap::from([
            ("/srv/index.html".to_owned(), Entry::bytes(*b"Hello")),
            ("/srv/big".to_owned(), Entry::bytes(text)),
            (long, Entry::bytes(*b"")),
        ]);
        let mut out = Vec::new();
        let packed = pack(&entries, 1_000_000_000, &mut out, Path::new("blob")).unwrap();
        assert_eq!(packed.size, out.len() as u64);
        assert_eq!(
            packed.diff_id.to_string(),
            "sha256:357ef993d21506c63e750f19b3eb15addf4577a22238b9c79474b25f25bfa5a0"
        );
        assert_eq!(
            packed.digest.to_string(),
            "sha256:0242fa69923d397a1b27d30b57ad8c59afcf370e4c44099f28acafcd1fc51787"
        );
    }

    #[test]
    fn a_changed_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("input");
        let digest = *blake3::hash(b"one").as_bytes();
        let entry = Entry::Host { source: source.clone(), digest, size: 3, mode: crate::Mode::Plain };
        let entries = BTreeMap::from([("/a".to_owned(), entry)]);
        let attempt = || pack(&entries, 0, io::sink(), Path::new("blob"));
        std::fs::write(&source, b"one").unwrap();
        attempt().unwrap();
        for content in ["two", "on", "ones", ""] {
            std::fs::write(&source, content).unwrap();
            let error = attempt().unwrap_err();
            assert!(matches!(&error, ImageError::InputChanged { path, .. } if *path == source), "{content}: {error}");
        }
        std::fs::remove_file(&source).unwrap();
        assert!(attempt().unwrap_err().to_string().contains("input"));
    }
}
