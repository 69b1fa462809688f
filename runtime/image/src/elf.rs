//! The closure of an executable: the program, its interpreter and its shared libraries.
//!
//! Libraries are resolved as the loader does it: RPATH along the chain of who needs whom, RUNPATH, the loader's cache, the
//! default folders; `$ORIGIN`, `$LIB` and `$PLATFORM` are expanded. `LD_LIBRARY_PATH` is ignored: the image does not have
//! it. Libraries that a program opens by itself while it runs (`dlopen`) are not found: add them as files.

mod cache;
mod header;
mod resolve;

use std::path::{Path, PathBuf};

use crate::recipe::{Entry, Mode};
use crate::{Identities, ImageError, Result};

pub use header::Machine;

/// A program with all that its loader needs to start it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure {
    /// The program. Its destination is its own path; in an image it goes where the user says.
    pub program: Member,
    /// The interpreter and the libraries, by destination; empty for a static program.
    pub members: Vec<Member>,
    /// The processor of all of them.
    pub machine: Machine,
}

/// One file of a closure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The absolute path at which the loader looks for it, when the program stays at its own path.
    pub destination: PathBuf,
    /// The file to read, with all symbolic links resolved.
    pub source: PathBuf,
    /// The blake3 of its content.
    pub digest: [u8; 32],
    /// Its size in bytes.
    pub size: u64,
    /// Where the loader looks relative to the program's folder, if it was found through the program's `$ORIGIN`.
    pub beside: Option<PathBuf>,
}

impl Member {
    /// The file as an entry of a recipe, mode 0755.
    #[must_use]
    pub fn entry(&self) -> Entry {
        Entry::Host { source: self.source.clone(), digest: self.digest, size: self.size, mode: Mode::Executable }
    }
}

impl Closure {
    /// The processor as OCI names it.
    #[must_use]
    pub fn architecture(&self) -> &'static str {
        self.machine.architecture()
    }

    /// The interpreter and libraries with their paths in an image where the program is at `path`: what was found through
    /// `$ORIGIN` moves along with it.
    #[must_use]
    pub fn dependencies_at(&self, path: &str) -> Vec<(String, Entry)> {
        let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
        let place = |member: &Member| match &member.beside {
            Some(beside) => resolve::normal(&folder.join(beside)),
            None => member.destination.clone(),
        };
        self.members.iter().map(|member| (place(member).to_string_lossy().into_owned(), member.entry())).collect()
    }
}

/// The closure of the executable at `path`.
pub fn executable(path: &Path) -> Result<Closure> {
    executable_known(path, &Identities::in_memory())
}

/// Like [`executable`]; files whose digest is known are not read in full.
pub fn executable_known(path: &Path, identities: &Identities) -> Result<Closure> {
    resolve::closure(path, identities)
}

/// The path of the running program; an error when its file was replaced or removed since it was started.
pub fn running_program() -> Result<PathBuf> {
    let path = std::env::current_exe().map_err(ImageError::io("find", "/proc/self/exe"))?;
    if path.is_file() {
        return Ok(path);
    }
    Err(ImageError::NotExecutable {
        path,
        reason: "the running program's file was replaced or removed; start it again from its new place".to_owned(),
    })
}
