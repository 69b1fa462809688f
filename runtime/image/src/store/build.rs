//! Building: only what is not there yet, layer by layer.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufWriter;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::blobs::{encode, pointer};
use super::{Built, Progress, Store};
use crate::layer::{self, Packed};
use crate::oci::{
    CONFIG_MEDIA_TYPE, Configuration, Descriptor, Execution, LAYER_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, Manifest, RootFs,
};
use crate::recipe::{Base, Entry, Recipe};
use crate::{ContentDigest, ImageError, RecipeDigest, Result};

/// `recipes/HEX`.
#[derive(Serialize, Deserialize)]
pub(super) struct RecipePointer {
    pub manifest: ContentDigest,
}

/// `layer-keys/HEX`.
#[derive(Serialize, Deserialize)]
pub(super) struct LayerPointer {
    pub digest: ContentDigest,
    pub size: u64,
    pub diff_id: ContentDigest,
}

/// The name of a layer and its files.
type Part<'a> = (&'static str, &'a BTreeMap<String, Entry>);

impl Store {
    pub(super) fn build_recipe(&self, recipe: &Recipe, progress: &(dyn Fn(Progress) + Sync)) -> Result<Built> {
        recipe.check()?;
        let key = recipe.digest();
        if let Some(built) = self.find(key).map(|manifest| self.reused(manifest)).transpose()? {
            progress(Progress::Reused);
            return Ok(built);
        }
        let (mut layers, mut config) = self.base(recipe)?;
        for (name, entries) in parts(recipe, layers.is_empty()) {
            let packed = self.layer(name, entries, recipe.clock, progress)?;
            layers.push(Descriptor::new(LAYER_MEDIA_TYPE, packed.digest, packed.size));
            config.rootfs.diff_ids.push(packed.diff_id);
        }
        let config = self.put_document(CONFIG_MEDIA_TYPE, &config)?;
        let document = Manifest { schema_version: 2, media_type: MANIFEST_MEDIA_TYPE.to_owned(), config, layers };
        let manifest = self.put_document(MANIFEST_MEDIA_TYPE, &document)?;
        self.flush_blobs()?;
        self.list(manifest.digest, manifest.size)?;
        let pointer = self.recipe_pointer(key);
        self.put(&pointer, &encode(&RecipePointer { manifest: manifest.digest }, &pointer)?, false)?;
        Ok(summary(&manifest, &document, false))
    }

    pub(super) fn recipe_pointer(&self, recipe: RecipeDigest) -> std::path::PathBuf {
        self.root.join("recipes").join(recipe.to_string())
    }

    pub(super) fn reused(&self, digest: ContentDigest) -> Result<Built> {
        let (document, _) = self.image(digest)?;
        let size = encode(&document, &self.root)?.len() as u64;
        self.list(digest, size)?;
        Ok(summary(&Descriptor::new(MANIFEST_MEDIA_TYPE, digest, size), &document, true))
    }

    /// The layers to begin with and the configuration without own layers.
    fn base(&self, recipe: &Recipe) -> Result<(Vec<Descriptor>, Configuration)> {
        let (layers, diff_ids, below) = match recipe.base {
            Base::Scratch => (Vec::new(), Vec::new(), None),
            Base::Node { manifest } => {
                if !self.contains(manifest) {
                    let reason = "it is the base of another image, and not all of it is there".to_owned();
                    return Err(ImageError::Absent { manifest, store: self.root.clone(), reason });
                }
                let (document, config) = self.image(manifest)?;
                (document.layers, config.rootfs.diff_ids.clone(), Some(config.summary()))
            }
        };
        if let Some(below) = below.as_ref().filter(|below| below.architecture != recipe.architecture) {
            let reason = format!("its base is for {}, the image for {}", below.architecture, recipe.architecture);
            return Err(ImageError::Field { field: "base", reason });
        }
        let below = below.unwrap_or_default();
        let mut env = below.env;
        env.extend(recipe.env.clone());
        let mut labels = below.labels;
        labels.extend(recipe.labels.clone());
        let ports: BTreeSet<u16> = below.ports.iter().chain(&recipe.ports).copied().collect();
        let config = Execution {
            user: recipe.user.clone(),
            exposed_ports: ports.iter().map(|port| (format!("{port}/tcp"), crate::oci::Empty {})).collect(),
            env: env.iter().map(|(key, value)| format!("{key}={value}")).collect(),
            cmd: if recipe.cmd.is_empty() { below.cmd } else { recipe.cmd.clone() },
            working_dir: if recipe.workdir == "/" && !below.workdir.is_empty() {
                below.workdir
            } else {
                recipe.workdir.clone()
            },
            labels,
        };
        let configuration = Configuration {
            created: created(recipe.clock)?,
            architecture: recipe.architecture.clone(),
            os: "linux".to_owned(),
            config,
            rootfs: RootFs { kind: "layers".to_owned(), diff_ids },
        };
        Ok((layers, configuration))
    }

    /// The layer with these files: found by the digest of its inputs, or built.
    fn layer(
        &self,
        layer: &'static str,
        entries: &BTreeMap<String, Entry>,
        clock: u64,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Packed> {
        let path = self.root.join("layer-keys").join(layer::key(entries, clock).to_string());
        if let Some(LayerPointer { digest, size, diff_id }) = pointer(&path)
            && self.has(&Descriptor::new(LAYER_MEDIA_TYPE, digest, size))
        {
            progress(Progress::LayerReused { layer });
            return Ok(Packed { digest, size, diff_id });
        }
        progress(Progress::LayerStarted { layer, size: entries.values().map(Entry::size).sum() });
        let file = self.temporary()?;
        let packed = layer::pack(entries, clock, BufWriter::with_capacity(1 << 18, file.as_file()), file.path())?;
        self.keep(file, &self.blob(packed.digest), true)?;
        let Packed { digest, size, diff_id } = packed;
        self.put(&path, &encode(&LayerPointer { digest, size, diff_id }, &path)?, false)?;
        progress(Progress::LayerBuilt { layer, size });
        Ok(packed)
    }
}

/// The layers to build, lowest first. An image has at least one layer: it holds the folders every container needs.
fn parts(recipe: &Recipe, alone: bool) -> Vec<Part<'_>> {
    let all = [("dependencies", &recipe.dependencies), ("programs", &recipe.programs), ("files", &recipe.files)];
    let needed = alone && all.iter().all(|(_, entries)| entries.is_empty());
    all.into_iter().filter(|(name, entries)| !entries.is_empty() || (needed && *name == "files")).collect()
}

pub(super) fn summary(manifest: &Descriptor, document: &Manifest, reused: bool) -> Built {
    let layers = document.layers.iter();
    Built {
        manifest: manifest.digest,
        size: manifest.size + document.config.size + layers.clone().map(|layer| layer.size).sum::<u64>(),
        layers: layers.map(|layer| layer.digest).collect(),
        reused,
    }
}

pub(super) fn created(clock: u64) -> Result<String> {
    let wrong = |reason: String| ImageError::Field { field: "clock", reason };
    let seconds = i64::try_from(clock).map_err(|error| wrong(error.to_string()))?;
    let time = OffsetDateTime::from_unix_timestamp(seconds).map_err(|error| wrong(error.to_string()))?;
    time.format(&Rfc3339).map_err(|error| wrong(error.to_string()))
}
