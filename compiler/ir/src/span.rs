//! Positions in source text, and the names of the files they point into.
//!
//! A [`Span`] is only meaningful beside the [`Sources`] it was made from. A [`Loc`] stands on its own: it still tells
//! file, line and column a year later, from the ledger.
//!
//! A file can be made of parts, each with spans of its own: what was found in one stays right while another is typed in.
//! [`Sources::whole`] says where something in a part is in its file, [`Sources::part`] the reverse.

use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};

/// A file of one [`Sources`] set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(pub u32);

/// Ids from here on are those of parts.
const PARTS: u32 = 1 << 31;

impl FileId {
    /// The part with this number, which no two parts of one program may share.
    pub fn of_part(number: u32) -> Self {
        Self(number | PARTS)
    }

    /// Whether this is a part of a file.
    pub fn is_part(self) -> bool {
        self.0 >= PARTS
    }
}

/// A half-open range of bytes in one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span over `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { file, start: clamp(start), end: clamp(end) }
    }

    /// The smallest span that covers both. The file is that of `self`.
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The empty span at the end of this one.
    pub fn after(self) -> Span {
        Span { start: self.end, ..self }
    }

    /// The range of bytes, for slicing.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One source file: its display name (as the user would type it, relative to the module) and its text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Name shown in diagnostics and recorded in origins.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
    /// Found when somebody asks: a program without mistakes may have no use for them.
    line_starts: Arc<OnceLock<Box<[u32]>>>,
}

impl SourceFile {
    /// Takes a file's name and text.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into(), line_starts: Arc::default() }
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let ends = memchr::memchr_iter(b'\n', self.text.as_bytes());
            std::iter::once(0).chain(ends.map(|i| u32::try_from(i + 1).unwrap_or(u32::MAX))).collect()
        })
    }

    /// Line and column of a byte offset, both from 1; the column counts Unicode scalar values.
    pub fn line_column(&self, offset: u32) -> (u32, u32) {
        let starts = self.line_starts();
        let line = starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let start = starts.get(line).copied().unwrap_or(0) as usize;
        let mut end = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let column = self.text.get(start..end).map_or(0, |s| s.chars().count());
        (u32::try_from(line + 1).unwrap_or(u32::MAX), u32::try_from(column + 1).unwrap_or(u32::MAX))
    }
}

/// A part of a file.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its id.
    pub id: FileId,
    /// The name of the file, and the text of the part alone.
    pub text: Arc<SourceFile>,
    /// The file.
    pub of: FileId,
    /// Where it begins there.
    pub start: u32,
}

/// Every file that took part in one compilation.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
    /// In the order of their ids.
    parts: Arc<[Part]>,
    /// Indices of parts in the order of the text.
    order: Arc<[u32]>,
}

impl Sources {
    /// Adds a file and gives it an id.
    pub fn add(&mut self, file: SourceFile) -> FileId {
        self.files.push(file);
        FileId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX))
    }

    /// Says which parts files are made of. Those of one file cover it without gaps.
    pub fn set_parts(&mut self, mut parts: Vec<Part>) {
        parts.sort_by_key(|part| part.id);
        let place = |index: &u32| parts.get(*index as usize).map(|part| (part.of, part.start));
        let mut order: Vec<u32> = (0..u32::try_from(parts.len()).unwrap_or(u32::MAX)).collect();
        order.sort_by_key(place);
        self.order = order.into();
        self.parts = parts.into();
    }

    /// The file or part with this id, if it belongs to this set.
    pub fn get(&self, id: FileId) -> Option<&SourceFile> {
        if id.is_part() { self.part_of(id).map(|part| &*part.text) } else { self.files.get(id.0 as usize) }
    }

    fn part_of(&self, id: FileId) -> Option<&Part> {
        let index = self.parts.binary_search_by_key(&id, |part| part.id).ok()?;
        self.parts.get(index)
    }

    /// Where a span is in its whole file.
    pub fn whole(&self, span: Span) -> Span {
        if !span.file.is_part() {
            return span;
        }
        self.part_of(span.file).map_or(span, |part| Span {
            file: part.of,
            start: span.start + part.start,
            end: span.end + part.start,
        })
    }

    /// The part of a file that an offset is in, and the offset there. The end of one part is the start of the next. A file
    /// without parts is itself the answer.
    pub fn part(&self, file: FileId, offset: u32) -> (FileId, u32) {
        let get = |index: u32| self.parts.get(index as usize);
        let after = self.order.partition_point(|index| get(*index).is_some_and(|p| (p.of, p.start) <= (file, offset)));
        let part = after.checked_sub(1).and_then(|at| self.order.get(at)).and_then(|index| get(*index));
        part.filter(|part| part.of == file).map_or((file, offset), |part| (part.id, offset - part.start))
    }

    /// All files in the order they were added; parts are none of their own.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        (0u32..).map(FileId).zip(&self.files)
    }

    /// The text a span covers; empty when it lies outside.
    pub fn text(&self, span: Span) -> &str {
        self.get(span.file).and_then(|f| f.text.get(span.range())).unwrap_or("")
    }

    /// Where a span starts, detached from this set.
    pub fn loc(&self, span: Span) -> Loc {
        let span = self.whole(span);
        self.get(span.file).map_or_else(Loc::default, |f| {
            let (line, column) = f.line_column(span.start);
            Loc { file: Arc::clone(&f.name), line, column }
        })
    }
}

/// A position that needs no sources to be read: file name, line and column from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Loc {
    /// Name of the file as diagnostics show it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in Unicode scalar values, from 1.
    pub column: u32,
}

impl Default for Loc {
    fn default() -> Self {
        Self { file: Arc::from(""), line: 0, column: 0 }
    }
}

impl std::fmt::Display for Loc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let file = SourceFile::new("a.imm", "let é = 1\nlet x = \"日本\" + y\n");
        assert_eq!(file.line_column(0), (1, 1));
        assert_eq!(file.line_column(7), (1, 7));
        let y = u32::try_from(file.text.find('y').unwrap()).unwrap();
        assert_eq!(file.line_column(y), (2, 16));
        assert_eq!(file.line_column(10_000).0, 3);
    }

    #[test]
    fn parts_have_places_of_their_own() {
        let mut sources = Sources::default();
        let (other, file) =
            (sources.add(SourceFile::new("a.imm", "x\n")), sources.add(SourceFile::new("b.imm", "ab\ncd\n")));
        let (first, second) = (FileId::of_part(7), FileId::of_part(3));
        let part = |id, text: &str, start| Part { id, text: Arc::new(SourceFile::new("b.imm", text)), of: file, start };
        sources.set_parts(vec![part(first, "ab\n", 0), part(second, "cd\n", 3)]);
        let d = Span { file: second, start: 1, end: 2 };
        assert_eq!((sources.text(d), sources.whole(d)), ("d", Span { file, start: 4, end: 5 }));
        assert_eq!(sources.loc(d).to_string(), "b.imm:2:2");
        assert_eq!([0, 2, 3, 6].map(|at| sources.part(file, at)), [(first, 0), (first, 2), (second, 0), (second, 3)]);
        assert_eq!(sources.part(other, 1), (other, 1));
        assert_eq!(sources.iter().count(), 2);
    }
}
