//! A site as content: an image without a program, whose labels say how its files are served.
//!
//! So a site is built, found again, kept and collected as images are, and its digest covers all of it. Its files lie below `/site` in
//! the one layer, apart from the folders that every image has.

use std::collections::BTreeMap;

use imm_image::{ContentDigest, Store};
use imm_router::static_files::SiteSpec;
use serde::{Deserialize, Serialize};

const LABEL: &str = "imm.site";
const FOLDER: &str = "site";

/// How files are served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The file that stands for a folder.
    pub index: String,
    /// The file for what does not exist.
    pub not_found: Option<String>,
    /// Fields of every answer.
    pub headers: BTreeMap<String, String>,
}

/// Where a file of a site lies in its image.
pub fn place(path: &str) -> String {
    format!("/{FOLDER}/{}", path.trim_start_matches('/'))
}

/// The labels that make an image a site.
pub fn labels(rules: &Rules) -> Result<BTreeMap<String, String>, serde_json::Error> {
    Ok(BTreeMap::from([(LABEL.to_owned(), serde_json::to_string(rules)?)]))
}

/// What a route below this path leads to. Blocks; an error says what is wrong.
pub fn open(store: &Store, manifest: &str, below: &str) -> Result<SiteSpec, String> {
    let digest: ContentDigest = manifest.parse().map_err(|cause: imm_image::InvalidDigest| cause.to_string())?;
    let config = store.inspect(digest).map_err(|cause| cause.to_string())?;
    let label = config.labels.get(LABEL).ok_or_else(|| format!("{manifest} is an image and no site"))?;
    let rules: Rules = serde_json::from_str(label)
        .map_err(|_| format!("site {manifest} was made by another version of imm and cannot be served by this one"))?;
    let layers = store.unpack(digest).map_err(|cause| cause.to_string())?;
    let layer = layers.last().ok_or_else(|| format!("site {manifest} has no files"))?;
    let Rules { index, not_found, headers } = rules;
    let spec = SiteSpec { dir: layer.join(FOLDER), index, not_found, headers, below: below.to_owned() };
    spec.check().map_err(|cause| cause.to_string())?;
    Ok(spec)
}
