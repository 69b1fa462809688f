//! Files in pieces, one for each item: of an edited file only the pieces that changed are read again.
//!
//! A piece has its own id, text and tree, so its spans stay what they are while others are typed in. Together the pieces
//! of a file have the tree and the diagnostics of the whole: where brackets or strings leave a piece, it is read with the
//! next one, which tells where it should have ended; where that is not all, the file is one piece.

use imm_ir::{Diagnostic, FileId, Part, SourceFile};
use imm_syntax::ast;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A part of a file with what it says.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub id: FileId,
    pub source: Arc<SourceFile>,
    pub tree: Arc<ast::Module>,
    pub diagnostics: Arc<[Diagnostic]>,
    closed: bool,
}

/// The pieces of the files of a program, by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces {
    files: BTreeMap<Arc<str>, Arc<[Arc<Piece>]>>,
    by_id: FxHashMap<FileId, Arc<Piece>>,
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
        self.files.values().flat_map(|pieces| pieces.iter())
    }

    /// The piece with this id.
    pub fn get(&self, id: FileId) -> Option<&Arc<Piece>> {
        self.by_id.get(&id)
    }

    /// Takes a file apart; what is as it was `before` is not read again.
    pub fn add(&mut self, before: &Self, name: &Arc<str>, text: &str) -> Arc<[Arc<Piece>]> {
        let old = before.files.get(name).map(|pieces| &**pieces).unwrap_or_default();
        let pieces = match self.closed(old, name, &cut(old, text)) {
            Some(pieces) => pieces,
            None => self.read(old, name, &[text]),
        };
        let pieces: Arc<[Arc<Piece>]> = pieces.into();
        self.by_id.reserve(pieces.len());
        self.by_id.extend(pieces.iter().map(|piece| (piece.id, Arc::clone(piece))));
        self.files.insert(Arc::clone(name), Arc::clone(&pieces));
        pieces
    }

    /// Pieces that say together what the whole says; none if that cannot be told.
    fn closed(&mut self, old: &[Arc<Piece>], name: &Arc<str>, texts: &[&str]) -> Option<Vec<Arc<Piece>>> {
        let pieces = self.read(old, name, texts);
        let open: Vec<usize> = (0..pieces.len()).filter(|i| pieces.get(*i).is_some_and(|p| !p.closed)).collect();
        match open.as_slice() {
            [] => Some(pieces),
            [open] if *open + 1 == texts.len() => Some(pieces),
            [open] => {
                let two: String = texts.get(*open..*open + 2)?.concat();
                let mut texts = texts.to_vec();
                texts.splice(*open..*open + 2, [two.as_str()]);
                Some(self.read(old, name, &texts))
            }
            _several => None,
        }
    }

    fn read(&mut self, old: &[Arc<Piece>], name: &Arc<str>, texts: &[&str]) -> Vec<Arc<Piece>> {
        let same = |(piece, text): &(&Arc<Piece>, &&str)| *piece.source.text == ***text;
        let head = old.iter().zip(texts).take_while(same).count();
        let rest = old.len().min(texts.len()) - head;
        let tail = old.iter().rev().zip(texts.iter().rev()).take(rest).take_while(same).count();
        let changed = old.get(head..old.len() - tail).unwrap_or_default();
        let new = texts.get(head..texts.len() - tail).unwrap_or_default();
        let mut moved: BTreeMap<&str, &Arc<Piece>> = changed.iter().map(|piece| (&*piece.source.text, piece)).collect();
        let mut pieces = old.get(..head).unwrap_or_default().to_vec();
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
        Piece {
            id,
            source: Arc::new(SourceFile::new(Arc::clone(name), text)),
            tree: Arc::new(parsed.module),
            diagnostics: parsed.diagnostics.into(),
            closed: parsed.closed,
        }
    }
}

/// As parts of a file.
pub(crate) fn parts(of: FileId, pieces: &[Arc<Piece>]) -> impl Iterator<Item = Part> {
    let mut start = 0;
    pieces.iter().map(move |piece| {
        let part = Part { id: piece.id, text: Arc::clone(&piece.source), of, start };
        start += u32::try_from(piece.source.text.len()).unwrap_or(0);
        part
    })
}

/// The texts of the pieces of a file. Where the text is what it was no line is looked at: a cut depends on the item behind
/// it and on the comments before, so the piece beside a change is cut again, too.
fn cut<'t>(old: &[Arc<Piece>], text: &'t str) -> Vec<&'t str> {
    let closed = |piece: &&Arc<Piece>| piece.closed;
    let mut from = 0;
    let mut texts: Vec<&str> = Vec::with_capacity(old.len() + 1);
    for piece in old.iter().take_while(closed) {
        let Some(same) = text.get(from..from + piece.source.text.len()).filter(|same| **same == *piece.source.text)
        else {
            break;
        };
        from += same.len();
        texts.push(same);
    }
    from -= texts.pop().map_or(0, str::len);
    let mut to = text.len();
    let mut tail: Vec<(&Piece, &str)> = Vec::new();
    for piece in old.iter().skip(texts.len()).rev().take_while(closed) {
        let start = to.checked_sub(piece.source.text.len()).filter(|start| *start >= from);
        let same = start.and_then(|start| text.get(start..to)).filter(|same| **same == *piece.source.text);
        let Some(same) = same else { break };
        to -= same.len();
        tail.push((piece, same));
    }
    while let Some((piece, same)) = tail.pop() {
        to += same.len();
        // Comments alone belong to what stands before them, too.
        if !piece.tree.items.is_empty() {
            break;
        }
    }
    let changed = text.get(from..to).unwrap_or_default();
    let cuts = imm_syntax::cut(changed);
    let ends = cuts.iter().skip(1).copied().chain([changed.len()]);
    texts.extend(cuts.iter().zip(ends).filter_map(|(start, end)| changed.get(*start..end)));
    texts.extend(tail.into_iter().rev().map(|(_, same)| same));
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of the pieces after an edit, which are those of a text that is read anew.
    fn after(before: &str, text: &str) -> Vec<String> {
        let name: Arc<str> = Arc::from("main.imm");
        let texts = |pieces: &[Arc<Piece>]| pieces.iter().map(|p| p.source.text.to_string()).collect::<Vec<_>>();
        let mut first = Pieces::default();
        first.add(&Pieces::default(), &name, before);
        let next = texts(&first.following().add(&first, &name, text));
        assert_eq!(next, texts(&Pieces::default().add(&Pieces::default(), &name, text)));
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
