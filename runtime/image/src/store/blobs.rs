//! Files of the store: appear whole or not at all.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::Store;
use crate::oci::{Configuration, Descriptor, Manifest};
use crate::{ContentDigest, ImageError, Result};

impl Store {
    pub(super) fn blob(&self, digest: ContentDigest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// Whether a blob is there with its whole size.
    pub(super) fn has(&self, blob: &Descriptor) -> bool {
        self.blob(blob.digest).metadata().is_ok_and(|stat| stat.is_file() && stat.len() == blob.size)
    }

    /// A file being written; garbage until it is kept.
    pub(super) fn temporary(&self) -> Result<NamedTempFile> {
        let folder = self.root.join("temporary");
        NamedTempFile::new_in(&folder).map_err(ImageError::io("write into", &folder))
    }

    /// Moves a written file to its place, flushed when it must survive a crash.
    pub(super) fn keep(&self, file: NamedTempFile, path: &Path, flushed: bool) -> Result<()> {
        let open = file.as_file();
        let prepare = || {
            open.set_permissions(Permissions::from_mode(0o644))?;
            if flushed { open.sync_all() } else { Ok(()) }
        };
        prepare().map_err(ImageError::io("write", path))?;
        file.persist(path).map_err(|error| ImageError::io("write", path)(error.error))?;
        Ok(())
    }

    /// Writes a JSON document as a blob.
    pub(super) fn put_document(&self, media_type: &str, document: &impl Serialize) -> Result<Descriptor> {
        let bytes = encode(document, &self.root)?;
        let digest = ContentDigest::from_bytes(Sha256::digest(&bytes).into());
        let blob = Descriptor::new(media_type, digest, bytes.len() as u64);
        if !self.has(&blob) {
            self.put(&self.blob(digest), &bytes, true)?;
        }
        Ok(blob)
    }

    pub(super) fn put(&self, path: &Path, bytes: &[u8], flushed: bool) -> Result<()> {
        let mut file = self.temporary()?;
        file.write_all(bytes).map_err(ImageError::io("write", path))?;
        self.keep(file, path, flushed)
    }

    /// A JSON document of the store by digest; `None` when it is absent.
    fn document<T: DeserializeOwned>(&self, digest: ContentDigest) -> Result<Option<T>> {
        let path = self.blob(digest);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ImageError::io("read", path)(error)),
        };
        let damaged = |reason: String| ImageError::Damaged { path: path.clone(), reason };
        if ContentDigest::from_bytes(Sha256::digest(&bytes).into()) != digest {
            return Err(damaged("its bytes do not have the digest in its name".to_owned()));
        }
        serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(error.to_string()))
    }

    pub(super) fn manifest(&self, manifest: ContentDigest) -> Result<Option<Manifest>> {
        self.document(manifest)
    }

    /// Manifest and configuration of an image that must be there.
    pub(super) fn image(&self, manifest: ContentDigest) -> Result<(Manifest, Configuration)> {
        let absent =
            |reason: &str| ImageError::Absent { manifest, store: self.root.clone(), reason: reason.to_owned() };
        let document = self.manifest(manifest)?.ok_or_else(|| absent("its manifest is missing"))?;
        let config: Configuration =
            self.document(document.config.digest)?.ok_or_else(|| absent("its configuration is missing"))?;
        if config.rootfs.diff_ids.len() != document.layers.len() {
            return Err(absent("its configuration and its manifest name different layers"));
        }
        Ok((document, config))
    }

    /// Makes renames in the blobs' folder survive a crash.
    pub(super) fn flush_blobs(&self) -> Result<()> {
        flush_folder(&self.root.join("blobs/sha256"))
    }
}

pub(super) fn flush_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|open| open.sync_all()).map_err(ImageError::io("flush", folder))
}

pub(super) fn encode(document: &impl Serialize, path: &Path) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|error| ImageError::io("encode a document of", path)(error.into()))
}

/// A small pointer file; anything but a whole one counts as absent, since it can always be made again.
pub(super) fn pointer<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
