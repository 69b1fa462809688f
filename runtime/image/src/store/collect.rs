//! Removing what nothing needs any more. Pointers go before what they point at, so a crash leaves garbage, not holes.

use std::collections::BTreeSet;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use super::blobs::pointer;
use super::build::{LayerPointer, RecipePointer};
use super::{Collected, Store};
use crate::{ContentDigest, ImageError, Result};

impl Store {
    /// The caller holds the lock alone.
    pub(super) fn collect_unreachable(&self, reachable: &BTreeSet<ContentDigest>) -> Result<Collected> {
        let (mut blobs, mut layers) = (BTreeSet::new(), BTreeSet::new());
        for digest in reachable {
            // An image that is not there has nothing to keep; a damaged one is an error before anything is removed.
            if self.manifest(*digest)?.is_none() {
                continue;
            }
            let (document, config) = self.image(*digest)?;
            blobs.extend([digest.hex(), document.config.digest.hex()]);
            blobs.extend(document.layers.iter().map(|layer| layer.digest.hex()));
            layers.extend(config.rootfs.diff_ids.iter().map(ContentDigest::hex));
        }
        self.remove_pointers("recipes", |path| {
            pointer::<RecipePointer>(path).is_some_and(|recipe| reachable.contains(&recipe.manifest))
        })?;
        self.remove_pointers("layer-keys", |path| {
            pointer::<LayerPointer>(path).is_some_and(|layer| blobs.contains(&layer.digest.hex()))
        })?;
        let mut collected =
            Collected { images: self.unlist(|image| reachable.contains(&image))?, ..Default::default() };
        for entry in list(&self.root.join("layers"))? {
            if !layers.contains(&*entry.file_name().to_string_lossy()) {
                collected.layers += 1;
                collected.bytes += size(&entry.path())?;
                // Out of the way first: half a layer must never look like one.
                let grave = self.root.join("temporary").join(entry.file_name());
                std::fs::rename(entry.path(), &grave).map_err(ImageError::io("remove", entry.path()))?;
                std::fs::remove_dir_all(&grave).map_err(ImageError::io("remove", &grave))?;
            }
        }
        for entry in list(&self.root.join("blobs/sha256"))? {
            if !blobs.contains(&*entry.file_name().to_string_lossy()) {
                collected.blobs += 1;
                collected.bytes += size(&entry.path())?;
                std::fs::remove_file(entry.path()).map_err(ImageError::io("remove", entry.path()))?;
            }
        }
        self.clear_temporary()?;
        Ok(collected)
    }

    /// Removes what interrupted builds left. The caller holds the lock alone.
    pub(super) fn clear_temporary(&self) -> Result<()> {
        for entry in list(&self.root.join("temporary"))? {
            let path = entry.path();
            let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if folder { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) }
                .map_err(ImageError::io("remove", &path))?;
        }
        Ok(())
    }

    fn remove_pointers(&self, folder: &str, keep: impl Fn(&Path) -> bool) -> Result<()> {
        for entry in list(&self.root.join(folder))? {
            if !keep(&entry.path()) {
                std::fs::remove_file(entry.path()).map_err(ImageError::io("remove", entry.path()))?;
            }
        }
        Ok(())
    }
}

fn list(folder: &Path) -> Result<Vec<DirEntry>> {
    std::fs::read_dir(folder).and_then(Iterator::collect).map_err(ImageError::io("read", folder))
}

/// The bytes in a file or in all files of a folder.
fn size(path: &Path) -> Result<u64> {
    let mut waiting: Vec<PathBuf> = vec![path.to_path_buf()];
    let mut bytes = 0;
    while let Some(path) = waiting.pop() {
        let stat = path.symlink_metadata().map_err(ImageError::io("read", &path))?;
        if stat.is_dir() {
            waiting.extend(list(&path)?.iter().map(DirEntry::path));
        } else {
            bytes += stat.len();
        }
    }
    Ok(bytes)
}
