//! Unpacking layers into folders, once each, checked against their digests.
//!
//! Reads only what this crate writes: files, folders, and links of images that were taken in; never writes through a link. Every path is checked before it is used, so a layer can
//! write nowhere but into its own folder. Needs no privileges: all files belong to who unpacks.

use std::fs::{File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use tar::{Archive, EntryType};

use super::Store;
use super::blobs::flush_folder;
use crate::hashing::Hashing;
use crate::{ContentDigest, ImageError, Result};

impl Store {
    pub(super) fn unpack_image(&self, manifest: ContentDigest) -> Result<Vec<PathBuf>> {
        let (document, config) = self.image(manifest)?;
        let layers = document.layers.iter().zip(&config.rootfs.diff_ids);
        layers.map(|(layer, diff_id)| self.unpack_layer(manifest, layer.digest, *diff_id)).collect()
    }

    fn unpack_layer(&self, manifest: ContentDigest, blob: ContentDigest, diff_id: ContentDigest) -> Result<PathBuf> {
        let folder = self.root.join("layers").join(diff_id.hex());
        if folder.is_dir() {
            return Ok(folder);
        }
        let path = self.blob(blob);
        let file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let reason = format!("its layer {blob} is missing");
                ImageError::Absent { manifest, store: self.root.clone(), reason }
            }
            _ => ImageError::io("read", &path)(error),
        })?;
        let beginning = self.root.join("temporary");
        let temporary = tempfile::tempdir_in(&beginning).map_err(ImageError::io("write into", &beginning))?;
        let damaged = |reason: String| ImageError::Damaged { path: path.clone(), reason };
        let mut packed = Hashing { inner: file, hash: Sha256::new() };
        let mut stream = Hashing { inner: GzDecoder::new(io::BufReader::new(&mut packed)), hash: Sha256::new() };
        extract(&mut stream, temporary.path()).map_err(|error| damaged(error.to_string()))?;
        let found = ContentDigest::from_bytes(stream.hash.finalize().into());
        drop(stream.inner);
        io::copy(&mut packed, &mut io::sink()).map_err(ImageError::io("read", &path))?;
        if found != diff_id || ContentDigest::from_bytes(packed.hash.finalize().into()) != blob {
            return Err(damaged("its bytes do not have the digest in its name".to_owned()));
        }
        let layers = self.root.join("layers");
        match std::fs::rename(temporary.path(), &folder) {
            Ok(()) => flush_folder(&layers)?,
            // Another process was faster; its folder is the same.
            Err(_) if folder.is_dir() => {}
            Err(error) => return Err(ImageError::io("write", &folder)(error)),
        }
        Ok(folder)
    }
}

fn extract(stream: &mut impl Read, root: &Path) -> io::Result<()> {
    let mut folders = vec![(root.to_path_buf(), 0o755, 0)];
    let mut archive = Archive::new(&mut *stream);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = root.join(inside(&entry.path()?)?);
        let (mode, time) = (entry.header().mode()?, entry.header().mtime()?);
        match entry.header().entry_type() {
            EntryType::Directory => {
                std::fs::create_dir(&path)?;
                folders.push((path, mode, time));
            }
            EntryType::Regular => {
                // A new file, never one behind a link.
                let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
                io::copy(&mut entry, &mut file)?;
                finish(&file, mode, time)?;
            }
            EntryType::Symlink => {
                let to = entry
                    .link_name()?
                    .ok_or_else(|| io::Error::other(format!("{} links to nothing", path.display())))?;
                std::os::unix::fs::symlink(to, &path)?;
            }
            EntryType::Link => {
                let to = entry
                    .link_name()?
                    .ok_or_else(|| io::Error::other(format!("{} links to nothing", path.display())))?;
                std::fs::hard_link(root.join(inside(&to)?), &path)?;
            }
            other => return Err(io::Error::other(format!("{} is of kind {other:?}", path.display()))),
        }
    }
    // The decoder must see the end of the stream: padding is part of the digest.
    io::copy(stream, &mut io::sink())?;
    // Folders last, from the inside out: writing into them changes their time.
    for (folder, mode, time) in folders.iter().rev() {
        finish(&File::open(folder)?, *mode, *time)?;
    }
    Ok(())
}

fn finish(file: &File, mode: u32, time: u64) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode & 0o7777))?;
    let time = UNIX_EPOCH + Duration::from_secs(time);
    file.set_times(FileTimes::new().set_modified(time).set_accessed(time))?;
    file.sync_all()
}

/// A path that stays inside the folder it is joined to.
fn inside(path: &Path) -> io::Result<PathBuf> {
    if path.components().all(|component| matches!(component, Component::Normal(_))) {
        return Ok(path.to_path_buf());
    }
    Err(io::Error::other(format!("its entry {} leads out of the layer", path.display())))
}
