//! Taking in an image that others made: its layers become one of ours, once.

use std::io::BufWriter;
use std::path::Path;

use super::blobs::encode;
use super::build::RecipePointer;
use super::{Built, Store};
use crate::foreign::merge::Tree;
use crate::foreign::{self, Form};
use crate::layer::Compressor;
use crate::oci::{
    CONFIG_MEDIA_TYPE, Configuration, Descriptor, Empty, Execution, LAYER_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, Manifest,
    RootFs,
};
use crate::recipe::Canonical;
use crate::{ContentDigest, ImageError, RecipeDigest, Result};

impl Store {
    /// The image at a path as an image of this store, whole and by its content. It must be the one whose configuration has this
    /// digest. One that was taken in before is found without reading it, also when it is no longer there.
    pub fn import(&self, path: &Path, form: Form, config: ContentDigest) -> Result<Built> {
        let _hold = self.hold()?;
        let key = key(config);
        if let Some(manifest) = self.find(key) {
            return self.reused(manifest);
        }
        let opened = foreign::open(path, form)?;
        if opened.foreign.config != config {
            let (was, is) = (config.to_string(), opened.foreign.config.to_string());
            return Err(ImageError::InputChanged { path: path.to_owned(), was, is });
        }
        let mut tree = Tree::default();
        let read = opened.layers(&mut |layer| tree.lay(layer));
        read.map_err(|error| ImageError::NotImage { path: opened.path(), reason: error.to_string() })?;
        let file = self.temporary()?;
        let mut compressor = Compressor::new(BufWriter::with_capacity(1 << 18, file.as_file()));
        tree.pack(&mut compressor).map_err(ImageError::io("write", file.path()))?;
        let packed = compressor.finish().map_err(ImageError::io("write", file.path()))?;
        self.keep(file, &self.blob(packed.digest), true)?;
        let execution = opened.config;
        let document = Configuration {
            created: super::build::created(0)?,
            architecture: execution.architecture,
            os: "linux".to_owned(),
            config: Execution {
                user: execution.user,
                exposed_ports: execution.ports.iter().map(|port| (format!("{port}/tcp"), Empty {})).collect(),
                env: execution.env.iter().map(|(key, value)| format!("{key}={value}")).collect(),
                cmd: execution.cmd,
                working_dir: execution.workdir,
                labels: execution.labels,
            },
            rootfs: RootFs { kind: "layers".to_owned(), diff_ids: vec![packed.diff_id] },
        };
        let config = self.put_document(CONFIG_MEDIA_TYPE, &document)?;
        let layers = vec![Descriptor::new(LAYER_MEDIA_TYPE, packed.digest, packed.size)];
        let document = Manifest { schema_version: 2, media_type: MANIFEST_MEDIA_TYPE.to_owned(), config, layers };
        let manifest = self.put_document(MANIFEST_MEDIA_TYPE, &document)?;
        self.flush_blobs()?;
        self.list(manifest.digest, manifest.size)?;
        let pointer = self.recipe_pointer(key);
        self.put(&pointer, &encode(&RecipePointer { manifest: manifest.digest }, &pointer)?, false)?;
        Ok(super::build::summary(&manifest, &document, false))
    }
}

/// Where it is noted what an image of others became.
fn key(config: ContentDigest) -> RecipeDigest {
    let mut hash = Canonical::new("imm foreign image");
    hash.text(&config.to_string());
    hash.finish()
}
