//! From a path to parsed modules: which files a program consists of.
//!
//! A module is a folder with its `.imm` files, or one file. Imports of folders and files are followed; each is loaded
//! once. Never fails: what cannot be read is a diagnostic, and everything else is still there. Names of files are
//! relative to the root module's folder, so that a program has the same names wherever it is checked out.

pub(crate) mod path;
pub(crate) mod pieces;

use crate::check::ModuleInput;
use crate::diagnose::names;
use crate::stdlib;
use crate::world::{World, WorldError};
use imm_ir::{Diagnostic, Part, SourceFile, Sources, Span, code};
use imm_syntax::ast;
use pieces::Pieces;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The parsed files of a program.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// All files.
    pub sources: Sources,
    /// The modules; the root is the first, unless nothing could be read.
    pub modules: Vec<ModuleInput>,
    /// The root module's folder as the world knows it.
    pub folder: String,
    /// The root module relative to it: empty, or the one file it is.
    pub root: String,
    /// What could not be read or parsed.
    pub diagnostics: Vec<Diagnostic>,
    /// The pieces that the files are in; none if they are whole.
    pub(crate) pieces: Pieces,
}

/// Loads the module at a path, and what it imports.
pub fn load(world: &dyn World, path: &str) -> Loaded {
    load_with(world, path, &[])
}

/// The same, with more files in the root module: names and texts.
pub(crate) fn load_with(world: &dyn World, path: &str, more: &[(&str, &str)]) -> Loaded {
    load_files(world, path, more, None)
}

/// The same, every file in pieces; those that are as they were `before` are not read again.
pub(crate) fn load_in_pieces(world: &dyn World, path: &str, more: &[(&str, &str)], before: &Pieces) -> Loaded {
    load_files(world, path, more, Some(before))
}

fn load_files(world: &dyn World, path: &str, more: &[(&str, &str)], before: Option<&Pieces>) -> Loaded {
    let path = path::join("", path).unwrap_or_else(|| path.trim_end_matches('/').to_owned());
    let is_folder = world.list(&path).is_ok();
    let folder = if is_folder { path.clone() } else { path::folder(&path).to_owned() };
    let relative = if is_folder { String::new() } else { path::name(&path).to_owned() };
    let pieces = before.map(Pieces::following).unwrap_or_default();
    let loaded = Loaded { folder, root: relative.clone(), pieces, ..Loaded::default() };
    let mut loader = Loader { world, loaded, before, parts: Vec::new(), known: BTreeMap::new(), open: Vec::new() };
    if let Err(error) = loader.module(&relative) {
        let shown = if path.is_empty() { "." } else { &path };
        loader.loaded.diagnostics.push(
            Diagnostic::error(code::FILE_NOT_FOUND, Span::default(), format!("no program at `{shown}`: {error}"))
                .help("give a folder with .imm files or one .imm file; `imm new NAME` makes one"),
        );
    }
    for (name, text) in more.iter().filter(|(_, text)| !text.is_empty()) {
        loader.file(0, name, &Arc::from(*text));
    }
    loader.loaded.sources.set_parts(loader.parts);
    loader.loaded
}

struct Loader<'w> {
    world: &'w dyn World,
    loaded: Loaded,
    /// The pieces as they were, if files are taken apart.
    before: Option<&'w Pieces>,
    parts: Vec<Part>,
    /// Index of each module that was begun.
    known: BTreeMap<String, usize>,
    /// The modules that are being loaded, and where the next one is imported.
    open: Vec<(usize, Span)>,
}

impl Loader<'_> {
    fn place(&self, relative: &str) -> String {
        path::join(&self.loaded.folder, relative).unwrap_or_else(|| relative.to_owned())
    }

    /// Loads the module at a path relative to the root; an error when there is none.
    fn module(&mut self, relative: &str) -> Result<usize, WorldError> {
        if let Some(index) = self.known.get(relative) {
            return Ok(*index);
        }
        let files: Vec<String> = match self.world.list(&self.place(relative)) {
            Ok(names) => {
                let names = names.into_iter().filter(|l| !l.folder && l.name.ends_with(".imm"));
                let visible = names.filter(|l| !l.name.starts_with('.'));
                visible.filter_map(|l| path::join(relative, &l.name)).collect()
            }
            Err(_no_folder) => vec![relative.to_owned()],
        };
        if files.is_empty() {
            return Err(WorldError::Unusable("the folder has no .imm file".to_owned()));
        }
        let mut texts = Vec::with_capacity(files.len());
        for name in files {
            let text = self.world.text(&self.place(&name)).map_err(|error| match error {
                WorldError::Unusable(why) => WorldError::Unusable(format!("`{name}`: {why}")),
                WorldError::NotFound => error,
            })?;
            texts.push((name, text));
        }
        let name = path::name(relative);
        let index = self.begin(relative, name.strip_suffix(".imm").unwrap_or(name), None);
        for (name, text) in texts {
            self.file(index, &name, &text);
        }
        Ok(index)
    }

    fn imports(&mut self, importer: usize, folder: &str, tree: &ast::Module) -> BTreeMap<Span, Option<usize>> {
        let mut found = BTreeMap::new();
        for item in &tree.items {
            let ast::ItemKind::Import(import) = &item.kind else { continue };
            let target = match &import.path {
                ast::ImportPath::Folder(text) => self.import(importer, folder, text),
                ast::ImportPath::Module(segments) => self.standard(segments, import.path.span()),
            };
            found.insert(import.path.span(), target);
        }
        found
    }

    /// A module of the standard library. Those import nothing but each other, in one direction.
    fn standard(&mut self, segments: &[ast::Name], span: Span) -> Option<usize> {
        let words: Vec<&str> = segments.iter().map(ast::Name::as_str).collect();
        let Some(module) = (match words.as_slice() {
            ["std", name] => stdlib::module(name),
            _other => None,
        }) else {
            let known: Vec<String> = stdlib::MODULES.iter().map(|module| format!("std.{}", module.name)).collect();
            self.loaded.diagnostics.push(names::no_such_module(&words.join("."), span, &known));
            return None;
        };
        let file = module.file();
        if let Some(index) = self.known.get(&file) {
            return Some(*index);
        }
        let index = self.begin(&file, module.name, Some(Arc::from(module.name)));
        self.file(index, &file, &Arc::from(module.source));
        Some(index)
    }

    /// A new module without files.
    fn begin(&mut self, key: &str, name: &str, standard: Option<Arc<str>>) -> usize {
        let index = self.loaded.modules.len();
        self.known.insert(key.to_owned(), index);
        let module = ModuleInput { name: Arc::from(name), standard, ..ModuleInput::default() };
        self.loaded.modules.push(module);
        index
    }

    /// Parses a file of a module, and loads what it imports.
    fn file(&mut self, module: usize, name: &str, text: &Arc<str>) {
        let name: Arc<str> = Arc::from(name);
        let id = self.loaded.sources.add(SourceFile::new(Arc::clone(&name), Arc::clone(text)));
        let Some(before) = self.before else {
            let parsed = imm_syntax::parse(id, text);
            self.loaded.diagnostics.extend(parsed.diagnostics);
            self.imported(module, &name, &parsed.module);
            if let Some(module) = self.loaded.modules.get_mut(module) {
                module.files.push((id, Arc::new(parsed.module)));
            }
            return;
        };
        let file = self.loaded.pieces.add(before, &name, text);
        self.parts.extend(file.parts(id));
        for piece in file.pieces.iter() {
            self.loaded.diagnostics.extend(piece.diagnostics.iter().cloned());
            if piece.imports {
                self.imported(module, &name, &piece.tree);
            }
        }
        if let Some(module) = self.loaded.modules.get_mut(module) {
            module.files.extend(file.pieces.iter().map(|piece| (piece.id, Arc::clone(&piece.tree))));
        }
    }

    fn imported(&mut self, module: usize, name: &str, tree: &ast::Module) {
        let imports = self.imports(module, path::folder(name), tree);
        if let Some(module) = self.loaded.modules.get_mut(module) {
            module.imports.extend(imports);
        }
    }

    fn import(&mut self, importer: usize, folder: &str, text: &ast::StrLit) -> Option<usize> {
        let Some(written) = text.plain() else {
            let diagnostic = Diagnostic::error(code::SYNTAX, text.span, "the path of an import has no holes");
            self.loaded.diagnostics.push(diagnostic);
            return None;
        };
        let Some(relative) = path::join(folder, written) else {
            let message = format!("`{written}` is an absolute path");
            self.loaded.diagnostics.push(
                Diagnostic::error(code::FILE_NOT_FOUND, text.span, message)
                    .help("write it relative to this file, for example \"./limits\""),
            );
            return None;
        };
        let cycle = self.known.get(&relative).and_then(|target| {
            let from = self.open.iter().position(|(module, _)| module == target);
            if *target == importer { Some(self.open.len()) } else { from }
        });
        if let Some(from) = cycle {
            let mut diagnostic = Diagnostic::error(code::IMPORT_CYCLE, text.span, "these modules import each other")
                .label("and this import leads back");
            for (_, span) in self.open.iter().skip(from) {
                diagnostic = diagnostic.also(*span, "this import leads on");
            }
            let help = "move what both need into a third module";
            self.loaded.diagnostics.push(diagnostic.help(help));
            return None;
        }
        self.open.push((importer, text.span));
        let result = self.module(&relative);
        self.open.pop();
        match result {
            Ok(index) => Some(index),
            Err(error) => {
                let diagnostic = missing(self.world, &self.place(&relative), written, text.span, &error);
                self.loaded.diagnostics.push(diagnostic);
                None
            }
        }
    }
}

/// `file-not-found`, with the names that are near to it.
pub(crate) fn missing(world: &dyn World, place: &str, written: &str, span: Span, error: &WorldError) -> Diagnostic {
    let message = match error {
        WorldError::NotFound => format!("there is no `{written}`"),
        WorldError::Unusable(why) => format!("`{written}` cannot be used: {why}"),
    };
    let mut diagnostic = Diagnostic::error(code::FILE_NOT_FOUND, span, message);
    let names = world.list(path::folder(place)).unwrap_or_default();
    let near = path::nearest(path::name(place), names.iter().map(|l| l.name.as_str()));
    let written_folder = path::folder(written);
    for name in near.into_iter().filter(|_| matches!(error, WorldError::NotFound)) {
        let path = if written_folder.is_empty() { name.to_owned() } else { format!("{written_folder}/{name}") };
        diagnostic = diagnostic.help(format!("there is `{path}`"));
    }
    diagnostic.note("paths are relative to the file that writes them")
}

#[cfg(test)]
mod tests;
