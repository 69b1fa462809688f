//! Which paths can be in an image: absolute, plain, apart from the folders that the container runtime mounts.

use std::collections::BTreeMap;

use super::Entry;
use crate::{ImageError, Result};

/// Says why `path` cannot be a file of an image.
pub fn check_path(path: &str) -> Result<()> {
    let wrong = |reason: String| Err(ImageError::Path { path: path.to_owned(), reason });
    let Some(relative) = path.strip_prefix('/') else {
        return wrong(format!("it must be absolute; write `/{path}`"));
    };
    if relative.is_empty() {
        return wrong("it is the root folder; name a file in it".to_owned());
    }
    if path.contains('\0') {
        return wrong("it holds a zero byte".to_owned());
    }
    for part in relative.split('/') {
        match part {
            "" => return wrong("it has an empty part (`//`, or a `/` at the end)".to_owned()),
            "." | ".." => return wrong(format!("`{part}` is not allowed; write the path without it")),
            _ if part.starts_with(".wh.") => {
                return wrong("names that begin with `.wh.` mean deletion in an OCI layer".to_owned());
            }
            _ if part.len() > 255 => return wrong("a part is longer than 255 bytes".to_owned()),
            _ => {}
        }
    }
    if path.len() > 4000 {
        return wrong("it is longer than 4000 bytes".to_owned());
    }
    let first = relative.split('/').next().unwrap_or_default();
    if matches!(first, "proc" | "dev" | "sys") || path == "/tmp" {
        return wrong(format!("`/{first}` is a folder of every container"));
    }
    Ok(())
}

/// Checks all paths, and that no file is also the folder of another, across all layers.
pub fn check_tree(tiers: &[&BTreeMap<String, Entry>]) -> Result<()> {
    for path in tiers.iter().flat_map(|tier| tier.keys()) {
        check_path(path)?;
        for (at, _) in path.match_indices('/').skip(1) {
            let parent = path.split_at(at).0;
            if tiers.iter().any(|tier| tier.contains_key(parent)) {
                return Err(ImageError::Path {
                    path: parent.to_owned(),
                    reason: format!("it is a file, and the folder of `{path}` at the same time"),
                });
            }
        }
    }
    Ok(())
}
