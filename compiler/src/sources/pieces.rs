//! Files in pieces, one for each item: of an edited file only the pieces that changed are read again.
//!
//! A piece has its own id, text and tree, so its spans stay what they are while others are typed in. Together the pieces
//! of a file have the tree and the diagnostics of the whole: where brackets or strings leave a piece, it is read with the
//! next one, which tells where it should have ended; where that is not all, the file is one piece.

use imm_ir::{Diagnostic, FileId, Part, SourceFile};
use imm_syntax::ast;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// A part of a file with what it says.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub id: FileId,
    pub source: Arc<SourceFile>,
    pub tree: Arc<ast::Module>,
    pub diagnostics: Arc<[Diagnostic]>,
    /// There are imports in it.
    pub imports: bool,
    closed: bool,
}

/// A file in pieces.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileInPieces {
    text: Arc<str>,
    pub pieces: Arc<[Arc<Piece>]>,
    /// Where each begins, and where the last one ends.
    starts: Arc<[u32]>,
}

/// The pieces of the files of a program, by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces {
    files: BTreeMap<Arc<str>, FileInPieces>,
    /// Made when somebody asks: what a keystroke waits for does not.
    by_id: OnceLock<Arc<FxHashMap<FileId, Arc<Piece>>>>,
    /// No piece has this number or a higher one.
    next: u32,
}

impl Pieces {
    /// What follows these: no file yet, and no number twice.
    pub fn following(&self) -> Self {
        Self { next: self.next, ..Self::default() }
    }

    /// All pieces.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Piece>> {
        self.files.values().flat_map(|file| file.pieces.iter())
    }

    /// The piece with this id.
    pub fn get(&self, id: FileId) -> Option<&Arc<Piece>> {
        self.by_id.get_or_init(|| Arc::new(self.iter().map(|piece| (piece.id, Arc::clone(piece))).collect())).get(&id)
    }

    /// Takes a file apart; what is as it was `before` is not read again.
    pub fn add(&mut self, before: &Self, name: &Arc<str>, text: &Arc<str>) -> FileInPieces {
        let none = FileInPieces::default();
        let old = before.files.get(name).unwrap_or(&none);
        let pieces = match self.closed(old, name, cut(old, text)) {
            Some(pieces) => pieces,
            None => self.read(old, name, &Cut { texts: vec![text], head: 0, tail: 0 }),
        };
        let lengths = pieces.iter().map(|piece| u32::try_from(piece.source.text.len()).unwrap_or(0));
        let starts = std::iter::once(0).chain(lengths.scan(0, |end, length| {
            *end += length;
            Some(*end)
        }));
        let file = FileInPieces { text: Arc::clone(text), starts: starts.collect(), pieces: pieces.into() };
        self.by_id.take();
        self.files.insert(Arc::clone(name), file.clone());
        file
    }

    /// Pieces that say together what the whole says; none if that cannot be told.
    fn closed(&mut self, old: &FileInPieces, name: &Arc<str>, mut cut: Cut<'_>) -> Option<Vec<Arc<Piece>>> {
        let pieces = self.read(old, name, &cut);
        let open: Vec<usize> = (0..pieces.len()).filter(|i| pieces.get(*i).is_some_and(|p| !p.closed)).collect();
        match open.as_slice() {
            [] => Some(pieces),
            [open] if *open + 1 == pieces.len() => Some(pieces),
            [open] => {
                let two: String = cut.texts.get(*open..*open + 2)?.concat();
                let mut texts = std::mem::take(&mut cut.texts);
                texts.splice(*open..*open + 2, [two.as_str()]);
                let (head, tail) = (cut.head.min(*open), cut.tail.min(texts.len() - *open - 1));
                Some(self.read(old, name, &Cut { texts, head, tail }))
            }
            _several => None,
        }
    }

    fn read(&mut self, old: &FileInPieces, name: &Arc<str>, cut: &Cut<'_>) -> Vec<Arc<Piece>> {
        let (old, Cut { texts, head, tail }) = (&old.pieces, cut);
        let changed = old.get(*head..old.len() - tail).unwrap_or_default();
        let new = texts.get(*head..texts.len() - tail).unwrap_or_default();
        let mut moved: BTreeMap<&str, &Arc<Piece>> = changed.iter().map(|piece| (&*piece.source.text, piece)).collect();
        let mut pieces = Vec::with_capacity(texts.len());
        pieces.extend_from_slice(old.get(..*head).unwrap_or_default());
        for text in new {
            crate::stop::point();
            pieces.push(match moved.remove(text) {
                Some(piece) => Arc::clone(piece),
                None => Arc::new(self.piece(name, text)),
            });
        }
        pieces.extend_from_slice(old.get(old.len() - tail..).unwrap_or_default());
        pieces
    }

    fn piece(&mut self, name: &Arc<str>, text: &str) -> Piece {
        let id = FileId::of_part(self.next);
        self.next += 1;
        let parsed = imm_syntax::parse(id, text);
        let import = |item: &ast::Item| matches!(item.kind, ast::ItemKind::Import(_));
        Piece {
            id,
            imports: parsed.module.items.iter().any(import),
            source: Arc::new(SourceFile::new(Arc::clone(name), text)),
            tree: Arc::new(parsed.module),
            diagnostics: parsed.diagnostics.into(),
            closed: parsed.closed,
        }
    }
}

impl FileInPieces {
    /// As parts of a file.
    pub fn parts(&self, of: FileId) -> impl Iterator<Item = Part> {
        self.pieces.iter().zip(self.starts.iter()).map(move |(piece, start)| Part {
            id: piece.id,
            text: Arc::clone(&piece.source),
            of,
            start: *start,
        })
    }

    fn start(&self, index: usize) -> usize {
        self.starts.get(index).map_or(0, |start| *start as usize)
    }
}

/// The texts of the pieces of a file; the first `head` and the last `tail` of them are those of pieces that there were.
struct Cut<'t> {
    texts: Vec<&'t str>,
    head: usize,
    tail: usize,
}

/// Cuts a file. Where the text is what it was no line is looked at: a cut depends on the item behind it and on the
/// comments before, so the piece beside a change is cut again, too.
fn cut<'t>(old: &FileInPieces, text: &'t str) -> Cut<'t> {
    let count = old.pieces.len();
    let open = |piece: &Arc<Piece>| !piece.closed;
    let first_open = old.pieces.iter().position(open).unwrap_or(count);
    let after_open = old.pieces.iter().rposition(open).map_or(0, |last| last + 1);
    // The texts as wholes: pieces lie all over the memory.
    let same = same_at_start(old.text.as_bytes(), text.as_bytes());
    let ends = old.starts.get(1..).unwrap_or_default();
    let head = ends.partition_point(|end| *end as usize <= same).min(first_open).saturating_sub(1);
    let from = old.start(head);
    let same = same_at_end(old.text.as_bytes(), text.as_bytes()).min(text.len() - from);
    let length = old.text.len();
    let begins_in_same = |index: usize| length - old.start(index) <= same;
    let mut first_same = count;
    while first_same > head.max(after_open) && begins_in_same(first_same - 1) {
        first_same -= 1;
    }
    while let Some(piece) = old.pieces.get(first_same) {
        first_same += 1;
        // Comments alone belong to what stands before them, too.
        if !piece.tree.items.is_empty() {
            break;
        }
    }
    // How much longer the text became; offsets behind the change are that much larger.
    let behind = |index: usize| text.len() - (length - old.start(index));
    let to = if first_same < count { behind(first_same) } else { text.len() };
    let changed = text.get(from..to).unwrap_or_default();
    let cuts = imm_syntax::cut(changed);
    let mut texts: Vec<&str> = Vec::with_capacity(count + 1);
    texts.extend((0..head).filter_map(|index| text.get(old.start(index)..old.start(index + 1))));
    let ends = cuts.iter().skip(1).copied().chain([changed.len()]);
    texts.extend(cuts.iter().zip(ends).filter_map(|(start, end)| changed.get(*start..end)));
    texts.extend((first_same..count).filter_map(|index| text.get(behind(index)..behind(index + 1))));
    Cut { texts, head, tail: count - first_same }
}

/// Bytes that are compared at once.
const BLOCK: usize = 4096;

fn same_at_start(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK)).take_while(|(a, b)| a == b).count() * BLOCK;
    let (a, b) = (a.iter().skip(blocks), b.iter().skip(blocks));
    blocks + a.zip(b).take_while(|(a, b)| a == b).count()
}

fn same_at_end(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.rchunks_exact(BLOCK).zip(b.rchunks_exact(BLOCK)).take_while(|(a, b)| a == b).count() * BLOCK;
    let (a, b) = (a.iter().rev().skip(blocks), b.iter().rev().skip(blocks));
    blocks + a.zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of the pieces after an edit, which are those of a text that is read anew.
    fn after(before: &str, text: &str) -> Vec<String> {
        let name: Arc<str> = Arc::from("main.imm");
        let texts = |file: FileInPieces| file.pieces.iter().map(|p| p.source.text.to_string()).collect::<Vec<_>>();
        let (before, text) = (Arc::from(before), Arc::from(text));
        let mut first = Pieces::default();
        first.add(&Pieces::default(), &name, &before);
        let next = texts(first.following().add(&first, &name, &text));
        assert_eq!(next, texts(Pieces::default().add(&Pieces::default(), &name, &text)));
        next
    }

    #[test]
    fn cuts_beside_a_change_are_made_again() {
        let text = "// note\n\n/// A.\nlet a = 1\nlet b = 2\n";
        assert_eq!(after(text, text), ["// note\n\n", "/// A.\nlet a = 1\n", "let b = 2\n"]);
        assert_eq!(after(text, &format!("/// x\n{text}")).len(), 2);
        assert_eq!(after(text, &text.replace("let b", "/// B.\nlet b"))[2], "/// B.\nlet b = 2\n");
        assert_eq!(after(text, &text.replace("let b", "b")).len(), 2);
        assert_eq!(after(text, &text.replace("let a = 1\n", "")).len(), 2);
        assert_eq!(after(text, ""), [""]);
        assert_eq!(after("", text).len(), 3);
        // An open one is read with the next, and without it when it is closed.
        let open = text.replace("= 1", "= {");
        assert_eq!(after(text, &open), ["// note\n\n", "/// A.\nlet a = {\nlet b = 2\n"]);
        assert_eq!(after(&open, text).len(), 3);
        assert_eq!(after(&open, &format!("{open}let c = 3\n")).len(), 3);
    }
}
