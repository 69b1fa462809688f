//! Images that others made, as a folder (OCI layout) or one file (an OCI archive or what `docker save` writes), read in place.
//!
//! An image is named by the digest of its configuration, which covers its layers' contents whatever their compression. Nothing is
//! trusted: configuration and layers are hashed while they are read. `merge` is their layers as one tree.

pub(crate) mod merge;
mod source;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::hashing::Hashing;
use crate::oci::ImageConfig;
use crate::recipe::host_architecture;
use crate::{ContentDigest, ImageError, Result};
use source::Source;

/// Documents are small; more than this is none.
const MOST_DOCUMENT: u64 = 4 << 20;
/// Indexes may name indexes, so deep.
const MOST_DEPTH: usize = 4;

/// How an image is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A folder with `oci-layout`, `index.json` and `blobs`.
    Layout,
    /// A tar file of such a folder, or of `docker save`; may be compressed with gzip.
    Archive,
}

/// Which image it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// The digest of its configuration.
    pub config: ContentDigest,
    /// The size of its layers as they are kept, in bytes.
    pub size: u64,
}

/// An image to be read.
pub(crate) struct Opened {
    source: Source,
    pub(crate) foreign: Foreign,
    pub(crate) config: ImageConfig,
    /// The layers' names in the source and the digests of their tar streams, lowest first.
    layers: Vec<(String, ContentDigest)>,
}

/// Finds out which image is at a path, without reading its layers.
pub fn look(path: &Path, form: Form) -> Result<Foreign> {
    open(path, form).map(|opened| opened.foreign)
}

pub(crate) fn open(path: &Path, form: Form) -> Result<Opened> {
    let wrong = |reason: String| ImageError::NotImage { path: path.to_owned(), reason };
    let source = match form {
        Form::Layout => Source::layout(path)?,
        Form::Archive => Source::archive(path)?,
    };
    let (config_name, layers) = if source.has("index.json") {
        let index: Index = document(&source, "index.json").map_err(wrong)?;
        let manifest = chosen(&source, index, 0).map_err(wrong)?;
        let layers: Vec<(String, u64)> =
            manifest.layers.iter().map(|layer| (blob(&layer.digest), layer.size)).collect();
        (blob(&manifest.config.digest), layers)
    } else if source.has("manifest.json") {
        let mut saved: Vec<Saved> = document(&source, "manifest.json").map_err(wrong)?;
        if saved.len() != 1 {
            return Err(wrong(format!("it holds {} images, and a base is one", saved.len())));
        }
        let saved = saved.remove(0);
        (saved.config, saved.layers.into_iter().map(|name| (name, 0)).collect())
    } else {
        let expected = match form {
            Form::Layout => "it has no `index.json`; expected is an OCI layout, as `skopeo copy … oci:PATH` writes it",
            Form::Archive => {
                "it has neither `index.json` nor `manifest.json`; expected is what `docker save` or `skopeo copy … oci-archive:PATH` writes"
            }
        };
        return Err(wrong(expected.to_owned()));
    };
    let bytes = source.read(&config_name, MOST_DOCUMENT).map_err(|error| wrong(error.to_string()))?;
    let digest = ContentDigest::from_bytes(Sha256::digest(&bytes).into());
    if !config_name.contains(&digest.hex()) {
        return Err(wrong(format!("its configuration `{config_name}` has the digest {digest}: it is damaged")));
    }
    let config: Config =
        serde_json::from_slice(&bytes).map_err(|error| wrong(format!("its configuration: {error}")))?;
    if !config.os.is_empty() && config.os != "linux" {
        return Err(wrong(format!("it is for {}, not for linux", config.os)));
    }
    if config.rootfs.diff_ids.len() != layers.len() {
        return Err(wrong("its configuration and its manifest name different layers".to_owned()));
    }
    let size = layers.iter().map(|(name, size)| if *size > 0 { *size } else { source.size(name) }).sum();
    let layers = layers.into_iter().map(|(name, _)| name).zip(config.rootfs.diff_ids.iter().copied()).collect();
    Ok(Opened { source, foreign: Foreign { config: digest, size }, config: config.summary(), layers })
}

fn blob(digest: &ContentDigest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn document<T: DeserializeOwned>(source: &Source, name: &str) -> std::result::Result<T, String> {
    let bytes = source.read(name, MOST_DOCUMENT).map_err(|error| format!("`{name}`: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("`{name}`: {error}"))
}

/// The manifest of the one image for this machine.
fn chosen(source: &Source, index: Index, depth: usize) -> std::result::Result<Manifest, String> {
    if depth > MOST_DEPTH {
        return Err("its indexes are nested too deep".to_owned());
    }
    // Signatures and attestations lie beside images and are none.
    let images: Vec<Entry> = index.manifests.into_iter().filter(|entry| entry.is_image()).collect();
    let fits: Vec<&Entry> = images.iter().filter(|entry| entry.fits()).collect();
    let entry = match (fits.as_slice(), images.as_slice()) {
        ([one], _) => *one,
        ([], [one]) => one,
        ([], []) => return Err("it holds no image".to_owned()),
        ([], _) => return Err(format!("none of its {} images is for linux/{}", images.len(), host_architecture())),
        (several, _) => {
            let names: Vec<&str> = several.iter().filter_map(|entry| entry.name()).collect();
            return Err(format!("it holds {} images ({}), and a base is one", several.len(), names.join(", ")));
        }
    };
    if entry.media_type.ends_with(".index.v1+json") || entry.media_type.ends_with("manifest.list.v2+json") {
        return chosen(source, document(source, &blob(&entry.digest))?, depth + 1);
    }
    document(source, &blob(&entry.digest))
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    media_type: String,
    digest: ContentDigest,
    platform: Option<Platform>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Entry {
    fn is_image(&self) -> bool {
        self.platform.as_ref().is_none_or(|platform| platform.os != "unknown")
    }

    fn fits(&self) -> bool {
        let of_machine = |platform: &Platform| platform.os == "linux" && platform.architecture == host_architecture();
        self.platform.as_ref().is_none_or(of_machine)
    }

    fn name(&self) -> Option<&str> {
        self.annotations.get(crate::oci::REF_NAME).map(String::as_str)
    }
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

#[derive(Deserialize)]
struct Manifest {
    config: Blob,
    layers: Vec<Blob>,
}

#[derive(Deserialize)]
struct Blob {
    digest: ContentDigest,
    size: u64,
}

/// An entry of `manifest.json` in what `docker save` writes.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
}

/// A configuration as others write it: anything may be absent or null.
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    config: Option<Execution>,
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<ContentDigest>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Execution {
    user: Option<String>,
    exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    working_dir: Option<String>,
    labels: Option<BTreeMap<String, String>>,
}

impl Config {
    fn summary(&self) -> ImageConfig {
        let none = Execution::default();
        let execution = self.config.as_ref().unwrap_or(&none);
        let words = |words: &Option<Vec<String>>| words.clone().unwrap_or_default();
        let pair = |pair: &String| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        let ports = execution.exposed_ports.iter().flat_map(|ports| ports.keys());
        ImageConfig {
            architecture: self.architecture.clone(),
            user: execution.user.clone().unwrap_or_default(),
            workdir: execution.working_dir.clone().unwrap_or_default(),
            cmd: [words(&execution.entrypoint), words(&execution.cmd)].concat(),
            env: words(&execution.env).iter().filter_map(pair).collect(),
            labels: execution.labels.clone().unwrap_or_default(),
            ports: ports.filter_map(|port| port.split('/').next()?.parse().ok()).collect(),
        }
    }
}

impl Opened {
    /// Calls `each` with every layer's tar stream, lowest first; a stream that is not the layer it is named as is an error.
    pub(crate) fn layers(&self, each: &mut dyn FnMut(&mut dyn Read) -> io::Result<()>) -> io::Result<()> {
        for (name, diff_id) in &self.layers {
            let mut stream = Hashing { inner: source::decompressed(self.source.open(name)?)?, hash: Sha256::new() };
            each(&mut stream).map_err(|error| io::Error::new(error.kind(), format!("layer `{name}`: {error}")))?;
            // Padding at the end is part of the digest.
            io::copy(&mut stream, &mut io::sink())?;
            if ContentDigest::from_bytes(stream.hash.finalize().into()) != *diff_id {
                return Err(io::Error::other(format!(
                    "layer `{name}` is not what the configuration says: it is damaged"
                )));
            }
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.source.path().to_owned()
    }
}
