//! What is wrong with a program while it is typed in.
//!
//! [`Analysis::problems`] is `imm check`, read from the pieces that an editor keeps. [`Analysis::problems_since`] looks at
//! less: at the items whose text changed, at those that say a name that they declare, at those with a problem, and at what
//! all of these need. What was found of the others is still there. It differs from the whole in what only all items
//! together tell (two routes at one place, two writers of a volume, cycles, a budget), and where many depend on what
//! changed: so it is for the moment after a keystroke, and a whole look follows.

use super::Analysis;
use crate::sources::pieces::Piece;
use crate::world::World;
use crate::{Front, Options, hide_unused, sort};
use imm_ir::{Diagnostic, FileId, SourceFile, Sources, Span, code};
use imm_syntax::ast::{Item, ItemKind};
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;
use std::sync::Arc;

/// At most so many items that depend on what changed are looked at at once.
const NEAR: usize = 64;

/// What was found in one version of a program.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    /// Spans are in parts.
    found: Vec<Diagnostic>,
    /// The files that they speak of: those of the program, and templates with mistakes.
    sources: Sources,
    pieces: Vec<Arc<Piece>>,
}

impl Problems {
    /// As `imm check` shows them: in the order of the text, not more than anyone reads, with the files they speak of.
    pub fn shown(&self) -> (Sources, Vec<Diagnostic>) {
        let mut shown = self.found.clone();
        hide_unused(&mut shown);
        for span in shown.iter_mut().flat_map(Diagnostic::places_mut) {
            *span = self.sources.whole(*span);
        }
        sort(&mut shown);
        (self.sources.clone(), shown)
    }
}

impl Analysis {
    /// Everything that is wrong with the program.
    pub fn problems(&self, world: &dyn World, options: &Options) -> Problems {
        self.look(world, options, None)
    }

    /// What is wrong with the program after a change, as far as it is soon known.
    pub fn problems_since(&self, before: &Problems, world: &dyn World, options: &Options) -> Problems {
        let changed = Changed::new(before, self);
        let asked = changed.and_near(before);
        let mut now = self.look(world, options, Some(&asked));
        // An error in what is needed is one, whoever needs it; a warning is judged with its own item.
        now.found.retain(|found| found.is_error() || asked.contains(&found.span().file));
        // Whether something is used at all is only seen by a whole look; until then what is declared again is what it was.
        let unused = |found: &Diagnostic| found.code == code::UNUSED_BINDING;
        for found in before.found.iter().filter(|found| unused(found) && changed.gone.contains(&found.span().file)) {
            let name = before.sources.text(found.span());
            let mut again = changed.declared_again(name).filter(|_| self.pieces_that_say(name).count() == 1);
            now.found.extend(again.next().map(|span| {
                let mut found = found.clone();
                found.places_mut().for_each(|place| *place = span);
                found
            }));
        }
        let kept = |found: &&Diagnostic| {
            let part = found.span().file;
            !changed.gone.contains(&part) && (unused(found) || !asked.contains(&part))
        };
        for found in before.found.iter().filter(kept) {
            let mut found = found.clone();
            let here = found.places_mut().all(|span| adopt(&mut now.sources, &before.sources, &changed.gone, span));
            if here && !now.found.contains(&found) {
                now.found.push(found);
            }
        }
        now
    }

    fn look(&self, world: &dyn World, options: &Options, asked: Option<&FxHashSet<FileId>>) -> Problems {
        let pieces = self.loaded.pieces.iter().map(Arc::clone).collect();
        let mut front = Front::of(self.loaded.clone(), asked, imm_ir::kinds::builtin());
        front.look_for_mistakes(world, options);
        Problems { found: front.diagnostics, sources: front.sources, pieces }
    }
}

/// Makes a place of earlier sources one of these; false if it is gone.
fn adopt(sources: &mut Sources, before: &Sources, gone: &FxHashSet<FileId>, span: &mut Span) -> bool {
    if span.file.is_part() {
        return !gone.contains(&span.file);
    }
    let Some(file) = before.get(span.file) else { return *span == Span::default() };
    let same = |other: &SourceFile| other.name == file.name && other.text == file.text;
    let known = sources.iter().find(|(_, other)| same(other)).map(|(id, _)| id);
    span.file = known.unwrap_or_else(|| sources.add(file.clone()));
    true
}

/// How the pieces of two versions differ.
struct Changed<'a> {
    now: &'a Analysis,
    gone: FxHashSet<FileId>,
    new: FxHashSet<FileId>,
    /// What items declare that are in one of the versions only.
    names: BTreeSet<String>,
}

impl<'a> Changed<'a> {
    fn new(before: &Problems, now: &'a Analysis) -> Self {
        let ids: FxHashSet<FileId> = now.loaded.pieces.iter().map(|piece| piece.id).collect();
        let known: FxHashSet<FileId> = before.pieces.iter().map(|piece| piece.id).collect();
        let gone: Vec<&Piece> = before.pieces.iter().map(|p| &**p).filter(|piece| !ids.contains(&piece.id)).collect();
        let new: Vec<&Piece> =
            now.loaded.pieces.iter().map(|p| &**p).filter(|piece| !known.contains(&piece.id)).collect();
        let mut names = BTreeSet::new();
        gone.iter().chain(&new).flat_map(|piece| &piece.tree.items).for_each(|item| declared(item, &mut names));
        let ids = |pieces: &[&Piece]| pieces.iter().map(|piece| piece.id).collect();
        Self { now, gone: ids(&gone), new: ids(&new), names }
    }

    /// Where a name is declared in what is new.
    fn declared_again(&self, name: &str) -> impl Iterator<Item = Span> {
        let new = self.new.iter().filter_map(|id| self.now.loaded.pieces.get(*id));
        let names = new.flat_map(|piece| piece.tree.items.iter().filter_map(Item::name));
        names.filter(move |declared| declared.as_str() == name).map(|declared| declared.span)
    }

    /// The parts to look at.
    fn and_near(&self, before: &Problems) -> FxHashSet<FileId> {
        let mut asked = self.new.clone();
        asked.extend(before.found.iter().filter(|d| d.is_error()).map(|d| d.span().file));
        asked.retain(|part| !self.gone.contains(part));
        let most = asked.len() + NEAR;
        let mut names: Vec<String> = self.names.iter().rev().cloned().collect();
        let mut seen: BTreeSet<String> = self.names.clone();
        while let Some(name) = names.pop() {
            for piece in self.now.pieces_that_say(&name) {
                if asked.len() >= most || seen.len() >= NEAR {
                    return asked;
                }
                if asked.insert(piece.id) {
                    let mut more = BTreeSet::new();
                    piece.tree.items.iter().for_each(|item| declared(item, &mut more));
                    names.extend(more.into_iter().filter(|name| seen.insert(name.clone())));
                }
            }
        }
        asked
    }
}

impl Analysis {
    /// The pieces with a word in them.
    fn pieces_that_say(&self, word: &str) -> impl Iterator<Item = &Arc<Piece>> {
        let finder = memchr::memmem::Finder::new(word).into_owned();
        let files = self.sources().iter();
        let parts = files.flat_map(move |(file, source)| {
            let text = source.text.as_bytes();
            let places: Vec<usize> =
                finder.find_iter(text).filter(|at| is_word(&source.text, *at, finder.needle().len())).collect();
            places.into_iter().map(move |at| self.sources().part(file, u32::try_from(at).unwrap_or(u32::MAX)).0)
        });
        parts.filter_map(|part| self.loaded.pieces.get(part))
    }
}

/// The names by which others speak of an item.
fn declared(item: &Item, names: &mut BTreeSet<String>) {
    names.extend(item.name().map(|name| name.as_str().to_owned()));
    if let ItemKind::Import(import) = &item.kind {
        names.extend(crate::resolve::alias(import).map(|(name, _)| name.to_owned()));
    }
}

/// Whether a part of a text is a word of its own.
fn is_word(text: &str, start: usize, length: usize) -> bool {
    let of_word = |c: char| c.is_alphanumeric() || c == '_';
    let (before, after) = (text.get(..start).unwrap_or_default(), text.get(start + length..).unwrap_or_default());
    !before.ends_with(of_word) && !after.starts_with(of_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryWorld;

    /// What is said right after an edit, as code and text there.
    fn soon(before: &str, after: &str) -> Vec<(&'static str, String)> {
        let world = |text| MemoryWorld::new([("main.imm", text)]);
        let first = Analysis::new(&world(before), "");
        let problems = first.problems(&world(before), &Options::default());
        let next = first.next(&world(after), "");
        let (sources, found) = next.problems_since(&problems, &world(after), &Options::default()).shown();
        found.iter().map(|d| (d.code.0, sources.text(d.span()).to_owned())).collect()
    }

    #[test]
    fn what_depends_on_the_change_is_looked_at() {
        let text = "let a = 1\nlet b = a + 1\noutput c = b\nlet other = 2\noutput d = other\n";
        assert_eq!(soon(text, &text.replace("a = 1", "a = \"x\"")), [("type-mismatch", "+".to_owned())]);
        assert_eq!(soon(text, &text.replace("let a", "let e")), [("unknown-name", "a".to_owned())]);
        assert_eq!(soon(&text.replace("let a", "let e"), text), []);
        assert_eq!(soon(text, &text.replace("= b\n", "= b / 0\n")), [("division-by-zero", "b / 0".to_owned())]);
    }

    #[test]
    fn a_warning_stays_while_its_item_is_typed_in() {
        let unused = [("unused-binding", "a".to_owned())];
        assert_eq!(soon("let a = 1\noutput b = 2\n", "let a = 12\noutput b = 2\n"), unused);
        assert_eq!(soon("let a = 1\noutput b = 2\n", "// c\nlet a = 1\noutput b = 3\n"), unused);
        assert_eq!(soon("let a = 1\noutput b = 2\n", "let a = 12\noutput b = a\n"), []);
    }
}
