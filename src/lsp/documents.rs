//! Texts that are open in the editor, and the world in which they lie over the disk.

use super::wire::{Encoding, Lines};
use crate::world::DiskWorld;
use imm_compiler::world::{File, Listed, Program, World, WorldError};
use imm_ir::Executable;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// An open text.
#[derive(Clone, Debug)]
pub struct Document {
    /// The URI the client uses.
    pub uri: Arc<str>,
    /// The client's number of this version.
    pub version: i64,
    /// The text.
    pub text: Arc<str>,
    /// Its lines.
    pub lines: Arc<Lines>,
}

/// Open texts by path. Cheap to clone: a clone is a snapshot.
pub type Documents = Arc<BTreeMap<PathBuf, Document>>;

impl Document {
    /// A text as it was opened.
    pub fn new(uri: &str, version: i64, text: &str) -> Self {
        let text: Arc<str> = Arc::from(text);
        Self { uri: Arc::from(uri), version, lines: Arc::new(Lines::new(&text)), text }
    }

    /// The text after the changes of one notification. Answers the line that was typed in, if the change was in one
    /// line only.
    pub fn change(&mut self, version: i64, changes: &[Value], encoding: Encoding) -> Option<u32> {
        let mut typed = None;
        for (change, first) in changes.iter().zip([true].into_iter().chain(std::iter::repeat(false))) {
            let new = change.get("text").and_then(Value::as_str).unwrap_or_default();
            let offset = match change.get("range").filter(|range| range.is_object()) {
                Some(range) => self.replace(range, new, encoding),
                None => {
                    let offset = typed_line(&self.text, new);
                    (self.text, self.lines) = (Arc::from(new), Arc::new(Lines::new(new)));
                    offset
                }
            };
            typed = offset.filter(|_| first).map(|offset| self.lines.line(offset));
        }
        self.version = version;
        typed.filter(|_| changes.len() == 1)
    }

    /// Puts something else into a range; answers where that was if it was inside of one line.
    fn replace(&mut self, range: &Value, new: &str, encoding: Encoding) -> Option<u32> {
        let at = |name| self.lines.offset(&self.text, range.get(name).unwrap_or(&Value::Null), encoding);
        let (start, end) = (at("start").min(at("end")), at("start").max(at("end")));
        let part = |range: std::ops::Range<usize>| self.text.get(range).unwrap_or_default();
        let (start_at, end_at) = (start as usize, end as usize);
        let text = Arc::from([part(0..start_at), new, part(end_at..self.text.len())].concat());
        let inside = !part(start_at..end_at).contains('\n') && !new.contains('\n');
        (self.text, self.lines) = (text, Arc::new(self.lines.replaced(start, end, new)));
        inside.then_some(start)
    }
}

/// Where two texts differ, if that is inside of one line of both.
fn typed_line(before: &str, after: &str) -> Option<u32> {
    let same = |(a, b): &(u8, u8)| a == b;
    let start = before.bytes().zip(after.bytes()).take_while(same).count();
    let shorter = before.len().min(after.len()) - start;
    let end = before.bytes().rev().zip(after.bytes().rev()).take(shorter).take_while(same).count();
    let part = |text: &str| text.as_bytes().get(start..text.len() - end).is_some_and(|part| !part.contains(&b'\n'));
    (part(before) && part(after)).then(|| u32::try_from(start).ok()).flatten()
}

/// The disk with open texts over it. It notes what is read.
pub struct EditorWorld {
    open: Documents,
    disk: DiskWorld,
    read: Mutex<BTreeSet<PathBuf>>,
}

impl EditorWorld {
    /// A world of these texts.
    pub fn new(open: &Documents) -> Self {
        let home = crate::platform::home().map_or_else(|_| std::env::temp_dir(), |home| home.root().to_owned());
        Self { open: Arc::clone(open), disk: DiskWorld::new(home.join("identities")), read: Mutex::default() }
    }

    /// The files that were read or looked for, and the folders that were listed.
    pub fn into_read(self) -> BTreeSet<PathBuf> {
        self.read.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, path: &str) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(PathBuf::from(path));
    }
}

impl World for EditorWorld {
    fn read(&self, path: &str) -> Result<File, WorldError> {
        self.note(path);
        match self.open.get(Path::new(path)) {
            Some(document) => Ok(File { bytes: Arc::from(document.text.as_bytes()), executable: false }),
            None => self.disk.read(path),
        }
    }

    fn text(&self, path: &str) -> Result<Arc<str>, WorldError> {
        self.note(path);
        match self.open.get(Path::new(path)) {
            // Not copied: there is one for every keystroke.
            Some(document) => Ok(Arc::clone(&document.text)),
            None => self.disk.text(path),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, WorldError> {
        self.note(folder);
        let path = Path::new(folder);
        let opened = self.open.keys().filter(|open| open.parent() == Some(path));
        let names = opened.filter_map(|open| open.file_name().map(|name| name.to_string_lossy().into_owned()));
        let mut opened: Vec<Listed> = names.map(|name| Listed { name, folder: false }).collect();
        let mut all = match self.disk.list(folder) {
            Ok(all) => all,
            Err(error) if opened.is_empty() => return Err(error),
            Err(_not_on_disk) => Vec::new(),
        };
        all.append(&mut opened);
        all.sort();
        all.dedup();
        Ok(all)
    }

    fn executable(&self, program: Program<'_>) -> Result<Executable, WorldError> {
        self.disk.executable(program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_apply_in_order() {
        let mut document = Document::new("file:///a", 1, "let a = 1\nlet b = 2\n");
        let at = |line: u32, from: u32, to: u32| json!({ "start": { "line": line, "character": from }, "end": { "line": line, "character": to } });
        let changes = [json!({ "range": at(0, 4, 5), "text": "first" }), json!({ "range": at(1, 8, 9), "text": "3" })];
        assert_eq!(document.change(2, &changes, Encoding::Utf16), None);
        assert_eq!(&*document.text, "let first = 1\nlet b = 3\n");
        assert_eq!(document.change(3, &[json!({ "range": at(1, 9, 9), "text": "4" })], Encoding::Utf16), Some(1));
        assert_eq!(document.change(4, &[json!({ "text": "x\ny\n" })], Encoding::Utf16), None);
        assert_eq!((&*document.text, document.version), ("x\ny\n", 4));
    }

    #[test]
    fn typing_is_told_from_the_texts() {
        assert_eq!(typed_line("ab\n", "aab\n"), Some(1));
        assert_eq!(typed_line("a\n", "a\nb\n"), None);
        assert_eq!(typed_line("a\n", "a\n"), Some(2));
    }
}
