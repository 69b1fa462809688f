//! What editors and the REPL ask about a program: one analysis, as plain data with spans. No protocol types.
//!
//! Everything is answered by the compiler's own parser, resolver and checker, and works on broken code: an item that
//! does not parse is asked again with a word at the cursor. An [`Analysis`] is one version of a program's text; the
//! questions check only the items they are about. It never changes a file: what would change is returned as edits.
//!
//! One question a file, its tests beside it; `line` is for the REPL, `cursor` is how broken code is asked.

mod actions;
mod complete;
mod cursor;
mod define;
mod folds;
mod hover;
mod inlay;
pub mod line;
mod problems;
mod references;
mod rename;
mod selection;
mod semantic;
mod signature;
mod symbols;

#[cfg(test)]
mod testing;

pub use actions::{Action, actions};
pub use complete::{Completion, CompletionKind, Completions, complete};
pub use define::{define, type_definition};
pub use folds::{Fold, FoldKind, folds};
pub use hover::{Hover, hover};
pub use inlay::{Hint, inlay_hints};
pub use problems::Problems;
pub use references::{Reference, references};
pub use rename::{Renamed, prepare_rename, rename};
pub use selection::selection;
pub use semantic::{TokenClass, Word, semantic_tokens, semantic_tokens_within};
pub use signature::{Help, signature_help};
pub use symbols::{Symbol, SymbolKind, document_symbols, workspace_symbols};

use crate::check::inspect::Inspection;
use crate::sources::pieces::Pieces;
use crate::sources::{self, Loaded};
use crate::stop::on_deep_stack;
use crate::world::World;
use imm_ir::{Edit, FileId, Sources, Span, Type};
use imm_syntax::ast;

/// One version of a program, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Analysis {
    loaded: Loaded,
}

/// A place in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// In bytes.
    pub offset: u32,
}

impl Analysis {
    /// Reads and parses the program at a path.
    pub fn new(world: &dyn World, path: &str) -> Self {
        Self::default().next(world, path)
    }

    /// The next version of the program: only the items that changed are parsed.
    pub fn next(&self, world: &dyn World, path: &str) -> Self {
        Self { loaded: sources::load_in_pieces(world, path, &[], &self.loaded.pieces) }
    }

    /// The program with more files in its root module: names and texts.
    pub fn beside(world: &dyn World, path: &str, more: &[(&str, &str)]) -> Self {
        Self { loaded: sources::load_in_pieces(world, path, more, &Pieces::default()) }
    }

    /// The program's files.
    pub fn sources(&self) -> &Sources {
        &self.loaded.sources
    }

    /// How many bytes of text it has.
    pub fn size(&self) -> usize {
        self.sources().iter().map(|(_, file)| file.text.len()).sum()
    }

    /// The program's folder, as the world knows it; the names of files are relative to it.
    pub fn folder(&self) -> &str {
        &self.loaded.folder
    }

    /// The file with this name.
    pub fn file(&self, name: &str) -> Option<FileId> {
        self.loaded.sources.iter().find(|(_, file)| &*file.name == name).map(|(id, _)| id)
    }

    /// The text of a file.
    pub fn text(&self, file: FileId) -> &str {
        self.loaded.sources.get(file).map_or("", |file| &file.text)
    }

    /// The place in the part of its file that it is in.
    pub(crate) fn inner(&self, at: Place) -> Place {
        let (file, offset) = self.sources().part(at.file, at.offset);
        Place { file, offset }
    }

    /// Where something in a part of a file is in the file.
    pub(crate) fn whole(&self, span: Span) -> Span {
        self.sources().whole(span)
    }

    /// All trees, each with its module and the id of its part.
    fn trees(&self) -> impl Iterator<Item = (usize, FileId, &ast::Module)> {
        let modules = self.loaded.modules.iter().enumerate();
        modules.flat_map(|(index, module)| module.files.iter().map(move |(id, tree)| (index, *id, &**tree)))
    }

    /// The parts of a file in the order of the text: the module, the id and the tree of each.
    pub(crate) fn parts(&self, file: FileId) -> impl Iterator<Item = (usize, FileId, &ast::Module)> {
        self.trees().filter(move |(_, id, _)| self.whole(Span::new(*id, 0, 0)).file == file)
    }

    /// The parts of a file that lie in a range, or reach into it.
    pub(crate) fn parts_within(&self, span: Span) -> impl Iterator<Item = (usize, FileId, &ast::Module)> {
        self.parts(span.file).filter(move |(_, id, _)| {
            let part = self.whole(Span::new(*id, 0, self.text(*id).len()));
            span.start <= part.end && part.start <= span.end
        })
    }

    /// The item that a place in a part is in or right behind.
    pub(crate) fn item_at(&self, at: Place) -> Option<(usize, &ast::Item)> {
        let (module, _, tree) = self.trees().find(|(_, id, _)| *id == at.file)?;
        let after = tree.items.partition_point(|item| item.span.start <= at.offset);
        let item = tree.items.get(after.checked_sub(1)?)?;
        Some((module, item))
    }

    /// The next item of the same part.
    pub(crate) fn item_behind(&self, item: Span) -> Option<&ast::Item> {
        let (_, _, tree) = self.trees().find(|(_, id, _)| *id == item.file)?;
        tree.items.iter().find(|other| other.span.start > item.start)
    }

    /// The items that lie in a range of a file, or reach into it.
    pub(crate) fn items_within(&self, span: Span) -> Vec<(usize, &ast::Item)> {
        let parts = self.parts_within(span);
        let all = parts.flat_map(|(module, _, tree)| tree.items.iter().map(move |item| (module, item)));
        all.filter(|(_, item)| {
            let item = self.whole(item.span);
            span.start <= item.end && item.start <= span.end
        })
        .collect()
    }

    /// Every item of the program, with its module.
    pub(crate) fn items(&self) -> impl Iterator<Item = (usize, &ast::Item)> {
        self.trees().flat_map(|(module, _, tree)| tree.items.iter().map(move |item| (module, item)))
    }

    /// Asks about the program as it is.
    pub(crate) fn inspect<T: Send>(&self, ask: impl Fn(&mut Inspection<'_>) -> T + Sync) -> T {
        on_deep_stack(&|| ask(&mut Inspection::new(&self.loaded.modules, &self.loaded.sources, None)))
    }

    /// Asks about the item at a place in a part, which is checked.
    pub(crate) fn inspect_item<T: Send>(
        &self,
        at: Place,
        ask: impl Fn(&mut Inspection<'_>) -> Option<T> + Sync,
    ) -> Option<T> {
        let (module, item) = self.item_at(at)?;
        self.inspect(|inspection| {
            inspection.item(module, item);
            ask(inspection)
        })
    }

    /// The program after edits, in memory: no other files can be read from it.
    pub(crate) fn edited(&self, edits: &[Edit]) -> Self {
        let mut world = crate::MemoryWorld::default();
        let own = self.loaded.sources.iter().filter(|(_, file)| !crate::stdlib::is_file(&file.name));
        for (id, file) in own {
            let mut own: Vec<&Edit> = edits.iter().filter(|edit| edit.span.file == id).collect();
            own.sort_by_key(|edit| std::cmp::Reverse(edit.span));
            let mut text = file.text.to_string();
            own.into_iter().for_each(|edit| text.replace_range(edit.span.range(), &edit.text));
            world.insert(&file.name, text.as_bytes());
        }
        let path = self.loaded.root.as_str();
        Self::new(&world, path)
    }
}

/// A type for people. The condition of a param is named after the param, which says nothing elsewhere: its base is shown.
pub fn shown(ty: &Type) -> String {
    fn plain(ty: &Type) -> Type {
        match ty {
            Type::Refined(refined) if refined.name.starts_with(|c: char| c.is_lowercase()) => plain(&refined.base),
            Type::Late(inner) => Type::late(plain(inner)),
            Type::Secret(inner) => Type::secret(plain(inner)),
            Type::Option(inner) => Type::option(plain(inner)),
            Type::List(inner) => Type::list(plain(inner)),
            Type::Map(inner) => Type::map(plain(inner)),
            other => other.clone(),
        }
    }
    plain(ty).to_string()
}

/// Whether a span holds an offset, its end included.
pub(crate) fn touches(span: Span, at: Place) -> bool {
    span.file == at.file && span.start <= at.offset && at.offset <= span.end
}
