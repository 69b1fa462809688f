//! The few OCI documents that we write, in one canonical form: ordered maps, fixed order of fields, no spaces.
//!
//! Own structs and not a crate's: the bytes decide digests, so the order of fields must never change under us.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ContentDigest;

/// The media type of an image manifest.
pub const MANIFEST_MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX_MEDIA_TYPE: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const CONFIG_MEDIA_TYPE: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER_MEDIA_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// What a container of an image runs, by default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImageConfig {
    /// `amd64`, `arm64`, ….
    pub architecture: String,
    /// The user, by number or by a name of the image.
    pub user: String,
    /// The folder in which the command starts.
    pub workdir: String,
    /// The command and its arguments.
    pub cmd: Vec<String>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// TCP ports.
    pub ports: Vec<u16>,
}

/// A pointer to a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub media_type: String,
    pub digest: ContentDigest,
    pub size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    pub(crate) fn new(media_type: &str, digest: ContentDigest, size: u64) -> Self {
        Self { media_type: media_type.to_owned(), digest, size, annotations: BTreeMap::new() }
    }
}

/// An image manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub schema_version: u32,
    pub media_type: String,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

/// `index.json` of the layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    pub schema_version: u32,
    #[serde(default = "index_media_type")]
    pub media_type: String,
    pub manifests: Vec<Descriptor>,
}

fn index_media_type() -> String {
    INDEX_MEDIA_TYPE.to_owned()
}

/// An image configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Configuration {
    pub created: String,
    pub architecture: String,
    pub os: String,
    pub config: Execution,
    pub rootfs: RootFs,
}

/// The `config` part of an image configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Execution {
    pub user: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Empty>,
    pub env: Vec<String>,
    pub cmd: Vec<String>,
    pub working_dir: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// `{}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Empty {}

/// The digests of the unpacked layers, lowest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RootFs {
    #[serde(rename = "type")]
    pub kind: String,
    pub diff_ids: Vec<ContentDigest>,
}

impl Configuration {
    /// What a container needs to know of it.
    pub(crate) fn summary(&self) -> ImageConfig {
        let execution = &self.config;
        let env = execution.env.iter().filter_map(|pair| pair.split_once('='));
        let ports = execution.exposed_ports.keys();
        ImageConfig {
            architecture: self.architecture.clone(),
            user: execution.user.clone(),
            workdir: execution.working_dir.clone(),
            cmd: execution.cmd.clone(),
            env: env.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            labels: execution.labels.clone(),
            ports: ports.filter_map(|port| port.split('/').next()?.parse().ok()).collect(),
        }
    }
}
