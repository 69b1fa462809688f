//! `index.json`: the list of images that other tools read. Each is named by its manifest's hex digits.

use std::collections::BTreeMap;
use std::fs::File;

use super::Store;
use super::blobs::{encode, flush_folder, pointer};
use super::build::RecipePointer;
use crate::oci::{Descriptor, INDEX_MEDIA_TYPE, Index, MANIFEST_MEDIA_TYPE, REF_NAME};
use crate::{ContentDigest, ImageError, Result};

impl Store {
    /// Adds an image.
    pub(super) fn list(&self, manifest: ContentDigest, size: u64) -> Result<()> {
        self.change_index(|images| drop(images.insert(manifest, listed(manifest, size))))
    }

    /// Keeps only some images; says how many are gone.
    pub(super) fn unlist(&self, keep: impl Fn(ContentDigest) -> bool) -> Result<usize> {
        let mut gone = 0;
        self.change_index(|images| {
            let before = images.len();
            images.retain(|manifest, _| keep(*manifest));
            gone = before - images.len();
        })?;
        Ok(gone)
    }

    /// One change at a time across all processes.
    fn change_index(&self, change: impl FnOnce(&mut BTreeMap<ContentDigest, Descriptor>)) -> Result<()> {
        let lock_path = self.root.join("index.lock");
        let lock = File::create(&lock_path).map_err(ImageError::io("open", &lock_path))?;
        lock.lock().map_err(ImageError::io("lock", &lock_path))?;
        let path = self.root.join("index.json");
        let old = pointer::<Index>(&path).map(|index| index.manifests);
        let mut images = match old.clone() {
            Some(images) => images.into_iter().map(|image| (image.digest, image)).collect(),
            None => self.known_images()?,
        };
        change(&mut images);
        let manifests: Vec<_> = images.into_values().collect();
        if old.as_ref() == Some(&manifests) {
            return Ok(());
        }
        let index = Index { schema_version: 2, media_type: INDEX_MEDIA_TYPE.to_owned(), manifests };
        self.put(&path, &encode(&index, &path)?, true)?;
        flush_folder(&self.root)
    }

    /// All whole images, by what recipes point at: for a list that is lost.
    fn known_images(&self) -> Result<BTreeMap<ContentDigest, Descriptor>> {
        let folder = self.root.join("recipes");
        let read = ImageError::io("read", &folder);
        let mut images = BTreeMap::new();
        for entry in std::fs::read_dir(&folder).map_err(read)? {
            let path = entry.map_err(|error| ImageError::io("read", &folder)(error))?.path();
            let Some(RecipePointer { manifest }) = pointer(&path) else {
                continue;
            };
            if self.contains(manifest)
                && let Ok(stat) = self.blob(manifest).metadata()
            {
                images.insert(manifest, listed(manifest, stat.len()));
            }
        }
        Ok(images)
    }
}

fn listed(manifest: ContentDigest, size: u64) -> Descriptor {
    let mut image = Descriptor::new(MANIFEST_MEDIA_TYPE, manifest, size);
    image.annotations = BTreeMap::from([(REF_NAME.to_owned(), manifest.hex())]);
    image
}
