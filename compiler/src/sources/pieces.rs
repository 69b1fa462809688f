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
    pub source: SourceFile,
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
        let pieces = match self.closed(old, name, &cuts(text)) {
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
            source: SourceFile::new(Arc::clone(name), text),
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
        let part = Part { id: piece.id, text: piece.source.clone(), of, start };
        start += u32::try_from(piece.source.text.len()).unwrap_or(0);
        part
    })
}

fn cuts(text: &str) -> Vec<&str> {
    let cuts = imm_syntax::cut(text);
    let ends = cuts.iter().skip(1).copied().chain([text.len()]);
    cuts.iter().zip(ends).filter_map(|(start, end)| text.get(*start..end)).collect()
}
