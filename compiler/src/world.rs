//! The one door through which the compiler sees anything: files of modules and programs of the machine.
//!
//! The compiler does no IO of its own (`compiler/clippy.toml` bans it). The command line implements [`World`] over the
//! disk, the editor over unsaved buffers, tests and past generations over memory. Paths use `/` and are relative to
//! where the user stands; they may begin with `../`.

use imm_ir::{Digest, Executable, HostFile};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where everything that a program consists of comes from.
pub trait World {
    /// The bytes of a file.
    ///
    /// # Errors
    /// When there is no such file or it cannot be read.
    fn read(&self, path: &str) -> Result<File, WorldError>;

    /// The text of a file.
    ///
    /// # Errors
    /// When there is no such file, it cannot be read, or is not UTF-8.
    fn text(&self, path: &str) -> Result<Arc<str>, WorldError> {
        let file = self.read(path)?;
        let text = std::str::from_utf8(&file.bytes);
        text.map(Arc::from).map_err(|error| WorldError::Unusable(format!("it is not UTF-8 ({error})")))
    }

    /// The names in a folder, in byte order.
    ///
    /// # Errors
    /// When there is no such folder or it cannot be read.
    fn list(&self, folder: &str) -> Result<Vec<Listed>, WorldError>;

    /// An image that others made: a folder with an OCI layout, or an archive. Its digest is that of its configuration.
    ///
    /// # Errors
    /// When there is none, or it cannot be a base. A world without images says that there is none.
    fn image(&self, _path: &str, _archive: bool) -> Result<HostFile, WorldError> {
        Err(WorldError::NotFound)
    }

    /// A program of this machine with its library closure, hashed.
    ///
    /// # Errors
    /// When it does not exist, is no ELF file, or a library is missing.
    fn executable(&self, program: Program<'_>) -> Result<Executable, WorldError>;
}

/// A file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The bytes.
    pub bytes: Arc<[u8]>,
    /// Whether it may be executed.
    pub executable: bool,
}

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The name, without the folder.
    pub name: String,
    /// Whether it is a folder itself.
    pub folder: bool,
}

/// Which program `executable` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program<'a> {
    /// The running `imm`.
    Running,
    /// The program at this absolute path, or of this name in the search path of the machine.
    Path(&'a str),
}

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorldError {
    /// Nothing is there.
    NotFound,
    /// Something is there, but it cannot be used: why, as a sentence part, for example `permission denied`.
    Unusable(String),
}

impl std::fmt::Display for WorldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound => f.write_str("there is no such file"),
            Self::Unusable(why) => f.write_str(why),
        }
    }
}

/// A world in memory: tests, snippets of documents, sources of past generations.
#[derive(Clone, Debug, Default)]
pub struct MemoryWorld {
    files: BTreeMap<String, File>,
    programs: BTreeMap<String, Executable>,
}

/// The key of the running program among the programs of a [`MemoryWorld`].
const RUNNING: &str = "self";

impl MemoryWorld {
    /// A world of these files.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut world = Self::default();
        for (path, text) in files {
            world.insert(path, text.as_bytes());
        }
        world
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, path: &str, bytes: &[u8]) {
        self.files.insert(path.to_owned(), File { bytes: Arc::from(bytes), executable: false });
    }

    /// Adds a program of the machine: a static one, whose bytes are these. `None` is the running program.
    pub fn insert_program(&mut self, path: Option<&str>, bytes: &[u8]) {
        let path = path.unwrap_or(RUNNING);
        let program = HostFile { path: Arc::from(path), digest: Digest::of(bytes), size: bytes.len() as u64 };
        self.programs.insert(path.to_owned(), Executable { program, closure: BTreeMap::new() });
    }
}

impl World for MemoryWorld {
    fn read(&self, path: &str) -> Result<File, WorldError> {
        self.files.get(path).cloned().ok_or(WorldError::NotFound)
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, WorldError> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let below = self.files.keys().filter_map(|path| path.strip_prefix(&prefix));
        let mut names: Vec<Listed> = below
            .filter(|rest| !rest.starts_with("../"))
            .map(|rest| match rest.split_once('/') {
                Some((name, _)) => Listed { name: name.to_owned(), folder: true },
                None => Listed { name: rest.to_owned(), folder: false },
            })
            .collect();
        names.sort();
        names.dedup();
        if names.is_empty() { Err(WorldError::NotFound) } else { Ok(names) }
    }

    fn executable(&self, program: Program<'_>) -> Result<Executable, WorldError> {
        let path = match program {
            Program::Running => RUNNING,
            Program::Path(path) => path,
        };
        self.programs.get(path).cloned().ok_or(WorldError::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_what_paths_say() {
        let world = MemoryWorld::new([("a/main.imm", ""), ("a/b/c.txt", ""), ("x", "")]);
        let names: Vec<_> = world.list("a").unwrap().into_iter().map(|l| (l.name, l.folder)).collect();
        assert_eq!(names, [("b".to_owned(), true), ("main.imm".to_owned(), false)]);
        assert_eq!(world.list("nowhere"), Err(WorldError::NotFound));
        assert_eq!(world.list("").unwrap().len(), 2);
    }
}
