//! The content-addressed store of images: an OCI image layout on disk, and beside it what makes builds cheap.
//!
//! ```text
//! oci-layout index.json blobs/sha256/HEX   the layout, as other tools read it
//! recipes/HEX                              recipe digest → manifest
//! layer-keys/HEX                           digest of a layer's inputs → its blob
//! layers/HEX/                              unpacked layers, by the digest of their tar stream
//! temporary/                               what is being written; garbage whenever nobody holds the lock
//! lock index.lock identities.json
//! ```
//!
//! Every file appears by rename after it was flushed, so a crash leaves whole files and garbage, nothing between. Builders
//! share the lock; only the collector holds it alone.

mod blobs;
mod build;
mod collect;
mod import;
mod index;
mod unpack;

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::{ContentDigest, Identities, ImageConfig, ImageError, Recipe, RecipeDigest, Result};

/// The content-addressed store of images.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    identities: Identities,
}

/// What a build did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The image's manifest.
    pub manifest: ContentDigest,
    /// The size of manifest, configuration and all layers as stored, in bytes.
    pub size: u64,
    /// The layers' blobs, lowest first.
    pub layers: Vec<ContentDigest>,
    /// Whether the image was there already.
    pub reused: bool,
}

/// What a build is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The image is in the store already: nothing is read.
    Reused,
    /// A layer is in the store already.
    LayerReused {
        /// Which: `dependencies`, `programs` or `files`.
        layer: &'static str,
    },
    /// A layer is read, hashed and compressed.
    LayerStarted {
        /// Which: `dependencies`, `programs` or `files`.
        layer: &'static str,
        /// The size of its files in bytes.
        size: u64,
    },
    /// A layer is in the store now.
    LayerBuilt {
        /// Which: `dependencies`, `programs` or `files`.
        layer: &'static str,
        /// Its size as stored in bytes.
        size: u64,
    },
}

/// Keeps the collector away while it lives: hold it from before a build until the image is recorded as needed.
#[derive(Debug)]
#[must_use = "the collector is kept away only while this lives"]
pub struct Hold {
    _lock: File,
}

/// What a collection removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// Blobs: manifests, configurations, layers.
    pub blobs: usize,
    /// Unpacked layers.
    pub layers: usize,
    /// Images.
    pub images: usize,
    /// Bytes of the removed blobs and unpacked files.
    pub bytes: u64,
}

impl Store {
    /// Opens the store at `root` and makes it if it is not there; removes what an interrupted build left.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        for folder in ["blobs/sha256", "recipes", "layer-keys", "layers", "temporary"] {
            let folder = root.join(folder);
            std::fs::create_dir_all(&folder).map_err(ImageError::io("make the folder", &folder))?;
        }
        let store = Self { identities: Identities::open(root.join("identities.json")), root };
        let lock = store.lock_file()?;
        if lock.try_lock().is_ok() {
            store.clear_temporary()?;
        }
        drop(lock);
        // Held, so that nobody clears the temporary file of the write below.
        let hold = store.hold()?;
        let layout = store.root.join("oci-layout");
        if std::fs::read(&layout).ok().as_deref() != Some(LAYOUT) {
            store.put(&layout, LAYOUT, true)?;
        }
        drop(hold);
        Ok(store)
    }

    /// The store's folder: an OCI image layout.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The digests of files of this machine, remembered in the store.
    #[must_use]
    pub const fn identities(&self) -> &Identities {
        &self.identities
    }

    /// Keeps the collector away while the result lives; waits for a running collection.
    pub fn hold(&self) -> Result<Hold> {
        let lock = self.lock_file()?;
        lock.lock_shared().map_err(ImageError::io("lock", self.root.join("lock")))?;
        Ok(Hold { _lock: lock })
    }

    /// The image of a recipe with this digest, if all of it is in the store: what a plan calls "reused".
    #[must_use]
    pub fn find(&self, recipe: RecipeDigest) -> Option<ContentDigest> {
        let pointer: build::RecipePointer = blobs::pointer(&self.recipe_pointer(recipe))?;
        Some(pointer.manifest).filter(|manifest| self.contains(*manifest))
    }

    /// Whether the image with this manifest is in the store with all its blobs.
    #[must_use]
    pub fn contains(&self, manifest: ContentDigest) -> bool {
        let Ok((document, _)) = self.image(manifest) else {
            return false;
        };
        document.layers.iter().all(|layer| self.has(layer))
    }

    /// Builds an image, or finds it. Blocks; safe in any number of processes at once.
    pub fn build(&self, recipe: &Recipe, progress: &(dyn Fn(Progress) + Sync)) -> Result<Built> {
        let _hold = self.hold()?;
        self.build_recipe(recipe, progress)
    }

    /// What a container of the image runs by default.
    pub fn inspect(&self, manifest: ContentDigest) -> Result<ImageConfig> {
        Ok(self.image(manifest)?.1.summary())
    }

    /// The image's layers as folders to lay over each other, lowest first; unpacks those that are not there yet. The
    /// folders are shared: never write into them.
    pub fn unpack(&self, manifest: ContentDigest) -> Result<Vec<PathBuf>> {
        let _hold = self.hold()?;
        self.unpack_image(manifest)
    }

    /// Removes all images but the `reachable` ones, with the blobs and unpacked layers that only they used. Refused with
    /// [`ImageError::Busy`] while somebody builds, unpacks or holds.
    pub fn collect(&self, reachable: &BTreeSet<ContentDigest>) -> Result<Collected> {
        let lock = self.lock_file()?;
        match lock.try_lock() {
            Ok(()) => self.collect_unreachable(reachable),
            Err(TryLockError::WouldBlock) => Err(ImageError::Busy { store: self.root.clone() }),
            Err(TryLockError::Error(error)) => Err(ImageError::io("lock", self.root.join("lock"))(error)),
        }
    }

    fn lock_file(&self) -> Result<File> {
        let path = self.root.join("lock");
        File::options().create(true).append(true).open(&path).map_err(ImageError::io("open", &path))
    }
}

/// What `oci-layout` holds.
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
