//! The store from outside: the same bytes everywhere, only what changed is built, crashes and other builders do no harm.

#![expect(clippy::unwrap_used, reason = "a test that fails should stop where it does")]

mod collection;
mod concurrency;
mod determinism;
mod foreign;
mod reuse;
mod runs;
mod unpacked;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;

use imm_image::{Built, Entry, Progress, Recipe, Store};

/// A recipe with these files, by path and content.
fn recipe(files: &[(&str, &str)]) -> Recipe {
    let mut recipe = Recipe::default();
    for (path, content) in files {
        recipe.add_file(path, Entry::bytes(content.as_bytes())).unwrap();
    }
    recipe
}

/// Builds and tells which layers were built, not reused.
fn build(store: &Store, recipe: &Recipe) -> (Built, Vec<&'static str>) {
    let built_layers = Mutex::new(Vec::new());
    let progress = |event| {
        if let Progress::LayerBuilt { layer, .. } = event {
            built_layers.lock().unwrap().push(layer);
        }
    };
    let built = store.build(recipe, &progress).unwrap();
    (built, built_layers.into_inner().unwrap())
}

/// All files (with content) and folders below `root`, by relative path, with their modes.
fn snapshot(root: &Path) -> BTreeMap<String, (u32, Option<Vec<u8>>)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let stat = path.symlink_metadata().unwrap();
            let content = stat.is_file().then(|| std::fs::read(&path).unwrap());
            let name = format!("/{}", path.strip_prefix(root).unwrap().display());
            found.insert(name, (stat.permissions().mode() & 0o7777, content));
            if stat.is_dir() {
                waiting.push(path);
            }
        }
    }
    found
}

fn root_user() -> bool {
    nix::unistd::geteuid().is_root()
}
