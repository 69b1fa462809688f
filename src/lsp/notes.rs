//! What the client tells: texts that open, change and close, files and folders that come and go.

use super::answers::{self, Refused};
use super::documents::Document;
use super::looks::Look;
use super::report::Typing;
use super::server::Server;
use super::transport::{Id, Notification};
use super::wire::path_of;
use super::workspace::root_of;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Server<'_> {
    pub fn notification(&mut self, note: &Notification, more: bool) {
        let path = answers::path(&note.params);
        match (note.method.as_str(), path) {
            ("textDocument/didOpen", Some(path)) => {
                let text = |at: &str| note.params.pointer(at).and_then(Value::as_str).unwrap_or_default();
                let version = version(&note.params);
                let document = Document::new(text("/textDocument/uri"), version, text("/textDocument/text"));
                Arc::make_mut(&mut self.documents).insert(path.clone(), document);
                self.typing = None;
                self.changed(&path, more);
            }
            ("textDocument/didChange", Some(path)) => {
                let changes = note.params.get("contentChanges").and_then(Value::as_array);
                let Some(document) = Arc::make_mut(&mut self.documents).get_mut(&path) else { return };
                let line =
                    document.change(version(&note.params), changes.map_or(&[], Vec::as_slice), self.client.encoding);
                self.typing = line.map(|line| Typing { path: path.clone(), line });
                self.changed(&path, more);
            }
            ("textDocument/didClose", Some(path)) => {
                Arc::make_mut(&mut self.documents).remove(&path);
                self.changed(&path, more);
            }
            ("textDocument/didSave", Some(path)) => {
                self.typing = None;
                self.changed(&path, more);
            }
            ("workspace/didChangeWatchedFiles", _) => {
                let changes = note.params.get("changes").and_then(Value::as_array).cloned().unwrap_or_default();
                let paths = changes.iter().filter_map(|change| path_of(change.get("uri")?.as_str()?));
                self.watched(&paths.collect());
            }
            ("initialized", _) if self.client.watches => {
                // Of any name: templates and contents are files of any name.
                let watchers = json!({ "watchers": [{ "globPattern": "**/*" }] });
                let method = "workspace/didChangeWatchedFiles";
                let one = json!({ "id": method, "method": method, "registerOptions": watchers });
                self.ask("client/registerCapability", &json!({ "registrations": [one] }));
            }
            ("$/cancelRequest", _) => {
                if let Some(id) = note.params.get("id").and_then(|id| Id::deserialize(id).ok()) {
                    self.take_back(&id);
                }
            }
            ("workspace/didChangeWorkspaceFolders", _) => {
                let uris = |name: &str| -> Vec<PathBuf> {
                    let all = note.params.pointer(&format!("/event/{name}")).and_then(Value::as_array).cloned();
                    all.unwrap_or_default().iter().filter_map(|f| path_of(f.get("uri")?.as_str()?)).collect()
                };
                let removed = uris("removed");
                let mut folders: Vec<PathBuf> =
                    self.folders.iter().filter(|folder| !removed.contains(folder)).cloned().collect();
                folders.extend(uris("added"));
                self.folders = Arc::from(folders);
                self.revision += 1;
            }
            _ignored => {}
        }
    }

    /// A text changed: what depends on it is looked at again. With `more` changes waiting that is left to the last.
    fn changed(&mut self, path: &Path, more: bool) {
        self.revision += 1;
        self.calm_at = None;
        let root = root_of(path);
        if more {
            self.asked.remove(&root);
            return;
        }
        // Programs of which nothing is open are read anew if they are asked about.
        let open = self.open_roots();
        self.snapshots.retain(|known, _| *known == root || open.contains(known));
        self.look(&root);
        let reads = |other: &PathBuf| self.checked.get(other).is_some_and(|checked| checked.reads(path));
        let others: Vec<PathBuf> = open.into_iter().filter(|other| *other != root && reads(other)).collect();
        others.iter().for_each(|other| self.look(other));
    }

    /// Files changed on the disk: programs that read them, or would have, are looked at again.
    fn watched(&mut self, paths: &BTreeSet<PathBuf>) {
        let reads = |root: &PathBuf| {
            let checked = self.checked.get(root);
            paths.iter().any(|path| root_of(path) == *root || checked.is_some_and(|checked| checked.reads(path)))
        };
        let roots: Vec<PathBuf> = self.open_roots().into_iter().filter(reads).collect();
        // What is asked next is asked about the files as they are.
        self.revision += 1;
        if !roots.is_empty() {
            self.typing = None;
            self.calm_at = None;
            roots.iter().for_each(|root| self.look(root));
        }
    }

    /// Programs of which a text is open.
    fn open_roots(&self) -> BTreeSet<PathBuf> {
        self.documents.keys().map(|path| root_of(path)).collect()
    }

    pub fn look(&mut self, root: &Path) {
        let snapshot = self.snapshot(root);
        self.asked.insert(root.to_owned(), self.revision);
        self.due.insert(root.to_owned(), Look { snapshot, revision: self.revision });
    }

    /// A request is not wanted any more. The worker sees that itself when it can, and is not waited for.
    fn take_back(&mut self, id: &Id) {
        let waiting = self.pulls.len();
        self.pulls.retain(|(pull, ..)| pull != id);
        let waited = self.pulls.len() < waiting && self.wanted.take(id);
        if waited || self.wanted.end(id) {
            self.answer(id, Err(Refused::Cancelled));
        }
    }
}

fn version(params: &Value) -> i64 {
    params.pointer("/textDocument/version").and_then(Value::as_i64).unwrap_or(0)
}
