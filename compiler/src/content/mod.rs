//! What programs read besides their own text: `file`, `tree`, `template`, `executable`.
//!
//! Each read goes through the [`World`], once a path, and is remembered: what was read is part of a generation's sources.
//! Nothing here knows the language; a failure is a [`Diagnostic`] at the place that was given.

pub(crate) mod template;

use crate::sources::{missing, path};
use crate::world::{Program, World, WorldError};
use imm_ir::{Blob, Content, Diagnostic, Digest, Encoder, Executable, HostFile, Span, code};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Boxed, since it is rare and large.
type Failed = Box<Diagnostic>;

/// Most files of one `tree`.
const TREE_FILES: usize = 100_000;
/// Deepest folder of one `tree`.
const TREE_DEPTH: usize = 64;

/// A file of the machine that a program refers to.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineInput {
    /// As the program names it; `self` for the running `imm`.
    pub name: Arc<str>,
    /// Its absolute path.
    pub path: Arc<str>,
    /// What it was when it was read.
    pub executable: Executable,
}

/// The files of a program, read on demand.
pub(crate) struct Files<'w> {
    world: &'w dyn World,
    /// The root module's folder as the world knows it.
    folder: String,
    /// What was read, by the path relative to the root module.
    pub read: BTreeMap<Arc<str>, Blob>,
    /// Programs, by the name in the program.
    pub machine: BTreeMap<Arc<str>, Executable>,
    trees: BTreeMap<(String, Vec<String>), Content>,
}

impl<'w> Files<'w> {
    pub fn new(world: &'w dyn World, folder: &str) -> Self {
        let (read, machine, trees) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { world, folder: folder.to_owned(), read, machine, trees }
    }

    /// The path relative to the root module of what the file `source` calls `written`.
    fn relative(source: &str, written: &str, span: Span) -> Result<String, Failed> {
        path::join(path::folder(source), written).ok_or_else(|| {
            let diagnostic = Diagnostic::error(code::FILE_NOT_FOUND, span, format!("`{written}` is an absolute path"))
                .label("outside of the module")
                .help("copy the file beside the program and write its path relative to this file")
                .note("only `executable` reads from the machine");
            Box::new(diagnostic)
        })
    }

    fn place(&self, relative: &str) -> String {
        path::join(&self.folder, relative).unwrap_or_else(|| relative.to_owned())
    }

    /// `file(written)` in the source file `source`: its bytes and its path relative to the root module.
    pub fn file(&mut self, source: &str, written: &str, span: Span) -> Result<(Arc<str>, Blob), Failed> {
        let relative: Arc<str> = Arc::from(Self::relative(source, written, span)?);
        if let Some(blob) = self.read.get(&relative) {
            return Ok((relative, blob.clone()));
        }
        let place = self.place(&relative);
        let file = self.world.read(&place).map_err(|error| {
            let diagnostic = missing(self.world, &place, written, span, &error);
            if self.world.list(&place).is_ok() {
                let help = format!("`{written}` is a folder: tree(\"{written}\") reads all of it");
                return Box::new(diagnostic.help(help));
            }
            Box::new(diagnostic)
        })?;
        let blob = Blob { bytes: file.bytes, executable: file.executable };
        self.read.insert(Arc::clone(&relative), blob.clone());
        Ok((relative, blob))
    }

    /// `tree(written, ignore)`: all files below a folder. A name in `ignore` leaves out files and folders of this name,
    /// a pattern `*.x` all names that end so; `.git` is always left out.
    pub fn tree(
        &mut self,
        source: &str,
        written: &str,
        ignore: &[String],
        span: Span,
    ) -> Result<(Arc<str>, Content), Failed> {
        let relative = Self::relative(source, written, span)?;
        let known = (relative.clone(), ignore.to_vec());
        let content = match self.trees.get(&known) {
            Some(content) => content.clone(),
            None => {
                let mut files = BTreeMap::new();
                self.walk(&relative, "", ignore, &mut files, (written, span))?;
                self.trees.entry(known).or_insert(Content::Tree(files)).clone()
            }
        };
        Ok((Arc::from(relative), content))
    }

    fn walk(
        &mut self,
        root: &str,
        below: &str,
        ignore: &[String],
        files: &mut BTreeMap<Arc<str>, Blob>,
        (written, span): (&str, Span),
    ) -> Result<(), Failed> {
        let folder = path::join(root, below).unwrap_or_default();
        let place = self.place(&folder);
        let names =
            self.world.list(&place).map_err(|error| Box::new(missing(self.world, &place, written, span, &error)))?;
        if below.split('/').count() > TREE_DEPTH || files.len() > TREE_FILES {
            let message = format!("`{written}` has more than {TREE_FILES} files or {TREE_DEPTH} levels");
            let diagnostic = Diagnostic::error(code::BUDGET_EXCEEDED, span, message)
                .help("name what is not needed in `ignore`, the second argument of `tree`");
            return Err(Box::new(diagnostic));
        }
        for listed in names {
            if listed.name == ".git" || ignore.iter().any(|pattern| ignores(pattern, &listed.name)) {
                continue;
            }
            let inner = if below.is_empty() { listed.name.clone() } else { format!("{below}/{}", listed.name) };
            if listed.folder {
                self.walk(root, &inner, ignore, files, (written, span))?;
                continue;
            }
            let relative: Arc<str> = Arc::from(path::join(root, &inner).unwrap_or_default());
            let place = self.place(&relative);
            let file =
                self.world.read(&place).map_err(|error| Box::new(missing(self.world, &place, &inner, span, &error)))?;
            let blob = Blob { bytes: file.bytes, executable: file.executable };
            self.read.insert(relative, blob.clone());
            files.insert(Arc::from(inner), blob);
        }
        Ok(())
    }

    /// The base `layout { path }` or `archive { path }`: a path relative to the source file, or an absolute one. `None`: it is not
    /// there (yet): a program is checked and tested before what it stands on is built.
    pub fn image(
        &mut self,
        source: &str,
        written: &str,
        archive: bool,
        span: Span,
    ) -> Result<Option<(Arc<str>, HostFile)>, Failed> {
        let (name, place) = if written.starts_with('/') {
            (written.to_owned(), written.to_owned())
        } else {
            let relative = Self::relative(source, written, span)?;
            let place = self.place(&relative);
            (relative, place)
        };
        match self.world.image(&place, archive) {
            // The graph is the same wherever the module lies: who builds on the image finds it from there.
            Ok(image) => {
                let name: Arc<str> = Arc::from(name);
                Ok(Some((Arc::clone(&name), HostFile { path: name, ..image })))
            }
            Err(WorldError::NotFound) => Ok(None),
            Err(WorldError::Unusable(why)) => {
                let message = format!("`{written}` cannot be a base: {why}");
                Err(Box::new(Diagnostic::error(code::FILE_NOT_FOUND, span, message)))
            }
        }
    }

    /// `executable(self)` or `executable(path)`: an absolute path, a name of the search path, or a path relative to the source file.
    pub fn executable(
        &mut self,
        source: &str,
        program: Program<'_>,
        span: Span,
    ) -> Result<(Arc<str>, Executable), Failed> {
        let (name, place): (Arc<str>, Option<String>) = match program {
            Program::Running => (Arc::from("self"), None),
            Program::Path(path) if path.contains('/') && !path.starts_with('/') => {
                let relative = Self::relative(source, path, span)?;
                let place = self.place(&relative);
                (
                    Arc::from(format!("./{relative}")),
                    Some(if place.contains('/') { place } else { format!("./{place}") }),
                )
            }
            Program::Path(path) => (Arc::from(path), None),
        };
        let program = place.as_deref().map_or(program, Program::Path);
        if let Some(known) = self.machine.get(&name) {
            return Ok((name, known.clone()));
        }
        let executable = self.world.executable(program).map_err(|error| {
            Box::new(match error {
                WorldError::NotFound => {
                    let message = format!("there is no program `{name}` on this machine");
                    Diagnostic::error(code::FILE_NOT_FOUND, span, message).help(format!(
                        "one beside this file is written executable(\"./{name}\"), one elsewhere by its absolute path"
                    ))
                }
                WorldError::Unusable(why) => {
                    Diagnostic::error(code::FILE_NOT_FOUND, span, format!("`{name}` cannot be used: {why}"))
                }
            })
        })?;
        self.machine.insert(Arc::clone(&name), executable.clone());
        Ok((name, executable))
    }
}

fn ignores(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => name.ends_with(suffix),
        None => pattern.trim_end_matches('/') == name,
    }
}

/// The digest of some content.
pub(crate) fn digest(content: &Content) -> Digest {
    let mut out = Encoder::new("imm.content.1");
    content.encode(&mut out);
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::MemoryWorld;

    fn world() -> MemoryWorld {
        let files = [("m/web/a.html", "a"), ("m/web/x/b.html", "b"), ("m/web/x/c.tmp", "c"), ("m/web/.git/h", "h")];
        MemoryWorld::new(files)
    }

    #[test]
    fn a_tree_leaves_out_what_is_ignored() {
        let world = world();
        let mut files = Files::new(&world, "m");
        let ignore = ["*.tmp".to_owned()];
        let (_, content) = files.tree("sub/main.imm", "../web", &ignore, Span::default()).unwrap();
        let Content::Tree(found) = content else { panic!("a tree") };
        assert_eq!(found.keys().map(|k| &**k).collect::<Vec<_>>(), ["a.html", "x/b.html"]);
        assert!(files.read.contains_key("web/x/b.html"));
        assert!(!files.read.contains_key("web/x/c.tmp"));
    }

    #[test]
    fn a_missing_file_names_its_neighbours() {
        let world = world();
        let mut files = Files::new(&world, "m");
        let error = files.file("main.imm", "web/b.html", Span::default()).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (code::FILE_NOT_FOUND, "there is no `web/b.html`"));
        assert_eq!(error.helps, ["there is `web/a.html`"]);
        let folder = files.file("main.imm", "web", Span::default()).unwrap_err();
        assert!(folder.helps.iter().any(|help| help.contains("tree(")));
        assert!(files.file("main.imm", "/etc/passwd", Span::default()).is_err());
        assert!(files.executable("main.imm", Program::Path("/bin/nothing"), Span::default()).is_err());
    }

    #[test]
    fn a_program_beside_its_source_is_found_wherever_one_stands() {
        let mut world = world();
        world.insert_program(Some("m/sub/tool"), b"\x7fELF");
        let mut files = Files::new(&world, "m");
        for (source, written) in [("sub/a.imm", "./tool"), ("main.imm", "./sub/tool"), ("main.imm", "sub/tool")] {
            let (name, _) = files.executable(source, Program::Path(written), Span::default()).unwrap();
            assert_eq!(&*name, "./sub/tool");
        }
        let missing = files.executable("main.imm", Program::Path("tool"), Span::default()).unwrap_err();
        assert!(missing.helps[0].contains("./tool"), "{:?}", missing.helps);
    }
}
