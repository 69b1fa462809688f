//! Which program a text belongs to, and the analyses of programs as the editor has them now.

use super::documents::{Document, Documents, EditorWorld};
use super::wire::{Encoding, Lines, uri_of};
use imm_compiler::ide::{Analysis, Place};
use imm_ir::{FileId, Span};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The module that a file is of: its folder.
pub fn root_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

/// One program at one moment. What is asked is asked about this.
#[derive(Clone)]
pub struct Snapshot {
    /// The module's folder.
    pub root: PathBuf,
    /// The program.
    pub analysis: Arc<Analysis>,
    /// What of the disk it was made of: files that were read or looked for, folders that were listed.
    pub read: Arc<BTreeSet<PathBuf>>,
    /// The open texts it was made of.
    pub documents: Documents,
    /// What the client's columns count.
    pub encoding: Encoding,
    /// Folders that are open in the editor.
    pub folders: Arc<[PathBuf]>,
}

impl Snapshot {
    /// The program that a folder is.
    pub fn new(root: PathBuf, documents: &Documents, encoding: Encoding, folders: &Arc<[PathBuf]>) -> Self {
        let world = EditorWorld::new(documents);
        let analysis = Arc::new(Analysis::new(&world, &root.to_string_lossy()));
        let read = Arc::new(world.into_read());
        Self { root, analysis, read, documents: Arc::clone(documents), encoding, folders: Arc::clone(folders) }
    }

    /// The program after changes of texts: what did not change is not read again.
    pub fn next(&self, documents: &Documents, folders: &Arc<[PathBuf]>) -> Self {
        let world = EditorWorld::new(documents);
        let analysis = Arc::new(self.analysis.next(&world, &self.root.to_string_lossy()));
        let (root, encoding, read) = (self.root.clone(), self.encoding, Arc::new(world.into_read()));
        Self { root, analysis, read, documents: Arc::clone(documents), encoding, folders: Arc::clone(folders) }
    }

    /// The same moment of another program.
    pub fn other(&self, root: PathBuf) -> Self {
        Self::new(root, &self.documents, self.encoding, &self.folders)
    }

    /// The file of a path.
    pub fn file(&self, path: &Path) -> Option<FileId> {
        let name = path.strip_prefix(&self.root).ok().map(|rest| rest.to_string_lossy().into_owned());
        let named = name.and_then(|name| self.analysis.file(&name));
        named.or_else(|| {
            let all = self.analysis.sources().iter();
            all.map(|(id, _)| id).find(|id| self.path(*id).as_deref() == Some(path))
        })
    }

    /// The path of a file; the standard library's have none.
    pub fn path(&self, file: FileId) -> Option<PathBuf> {
        path_in(&self.root, &self.analysis.sources().get(file)?.name)
    }

    /// The lines of a file.
    pub fn lines(&self, file: FileId) -> Arc<Lines> {
        let open = self.path(file).and_then(|path| self.documents.get(&path).map(|d| Arc::clone(&d.lines)));
        open.unwrap_or_else(|| Arc::new(Lines::new(self.analysis.text(file))))
    }

    /// A range of the protocol.
    pub fn range(&self, span: Span) -> Value {
        range(self.analysis.text(span.file), &self.lines(span.file), span.start, span.end, self.encoding)
    }

    /// A location of the protocol; what is in the standard library has none.
    pub fn location(&self, span: Span) -> Option<Value> {
        Some(json!({ "uri": self.uri(span.file)?, "range": self.range(span) }))
    }

    /// The URI of a file, as the client wrote it if it is open.
    pub fn uri(&self, file: FileId) -> Option<String> {
        let path = self.path(file)?;
        Some(self.documents.get(&path).map_or_else(|| uri_of(&path), |document| document.uri.to_string()))
    }

    /// The place that a request is about.
    pub fn place(&self, path: &Path, position: &Value) -> Option<Place> {
        let file = self.file(path)?;
        let offset = self.lines(file).offset(self.analysis.text(file), position, self.encoding);
        Some(Place { file, offset })
    }

    /// The span of a range of a request.
    pub fn span(&self, path: &Path, range: &Value) -> Option<Span> {
        let at = |name: &str| self.place(path, range.get(name).unwrap_or(&Value::Null));
        let (start, end) = (at("start")?, at("end")?);
        Some(Span { file: start.file, start: start.offset, end: end.offset.max(start.offset) })
    }

    /// The open document of a file.
    pub fn document(&self, path: &Path) -> Option<&Document> {
        self.documents.get(path)
    }

    /// Every module that is open or below an open folder, this one first.
    pub fn roots(&self) -> Vec<PathBuf> {
        let mut roots = vec![self.root.clone()];
        roots.extend(self.documents.keys().map(|path| root_of(path)));
        for folder in self.folders.iter() {
            modules_below(folder, 6, &mut roots);
        }
        let mut seen = std::collections::BTreeSet::new();
        roots.retain(|root| seen.insert(root.clone()));
        roots
    }
}

/// The path of a file of a program by its name there.
pub fn path_in(root: &Path, name: &str) -> Option<PathBuf> {
    if name.is_empty() || name.starts_with("std:") {
        return None;
    }
    let mut path = root.to_owned();
    for part in Path::new(name).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(part) => path.push(part),
            Component::RootDir | Component::Prefix(_) | Component::CurDir => {}
        }
    }
    Some(path)
}

/// A range of the protocol.
pub fn range(text: &str, lines: &Lines, start: u32, end: u32, encoding: Encoding) -> Value {
    json!({ "start": lines.position(text, start, encoding), "end": lines.position(text, end, encoding) })
}

/// At most so many modules of a workspace are looked at.
const MOST: usize = 200;

fn modules_below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut folders = Vec::new();
    let mut module = false;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || name == "node_modules" || name == "target" {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => folders.push(entry.path()),
            Ok(_) => module |= name.ends_with(".imm"),
            Err(_) => {}
        }
    }
    if module && found.len() < MOST {
        found.push(folder.to_owned());
    }
    folders.sort();
    if depth > 0 && found.len() < MOST {
        folders.iter().for_each(|folder| modules_below(folder, depth - 1, found));
    }
}
