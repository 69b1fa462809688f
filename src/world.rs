//! The disk as the compiler sees it.

use imm_compiler::world::{File, Listed, Program, World, WorldError};
use imm_image::elf::{self, Closure, Member};
use imm_image::foreign::{self, Foreign, Form};
use imm_image::{Identities, ImageError};
use imm_ir::{Digest, Executable, HostFile};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files relative to where the user stands, and programs of this machine.
pub struct DiskWorld {
    /// Digests of machine files by identity, so that a program of megabytes is hashed once and not at every plan.
    identities: Identities,
}

impl DiskWorld {
    /// `cache` is a file that may be lost.
    pub fn new(cache: PathBuf) -> Self {
        Self { identities: Identities::open(cache) }
    }
}

impl World for DiskWorld {
    fn read(&self, path: &str) -> Result<File, WorldError> {
        let metadata = std::fs::metadata(path).map_err(|e| unusable(&e))?;
        if metadata.is_dir() {
            return Err(WorldError::Unusable("it is a folder".to_owned()));
        }
        let bytes = std::fs::read(path).map_err(|e| unusable(&e))?;
        Ok(File { bytes: Arc::from(bytes), executable: metadata.permissions().mode() & 0o111 != 0 })
    }

    fn text(&self, path: &str) -> Result<Arc<str>, WorldError> {
        let text = std::fs::read_to_string(path);
        text.map(Arc::from).map_err(|error| match error.kind() {
            ErrorKind::InvalidData => WorldError::Unusable(format!("it is not UTF-8 ({error})")),
            _other => unusable(&error),
        })
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, WorldError> {
        let folder = if folder.is_empty() { Path::new(".") } else { Path::new(folder) };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|e| unusable(&e))? {
            let entry = entry.map_err(|e| unusable(&e))?;
            let name = entry.file_name().into_string().map_err(|name| {
                WorldError::Unusable(format!("{} is not named in UTF-8", folder.join(name).display()))
            })?;
            // A link counts as what it points at; one that points nowhere as a file, so that reading it tells.
            let folder = std::fs::metadata(entry.path()).is_ok_and(|m| m.is_dir());
            names.push(Listed { name, folder });
        }
        names.sort();
        Ok(names)
    }

    fn image(&self, path: &str, archive: bool) -> Result<HostFile, WorldError> {
        let path = std::path::absolute(path).map_err(|e| unusable(&e))?;
        if !path.exists() {
            return Err(WorldError::NotFound);
        }
        let form = if archive { Form::Archive } else { Form::Layout };
        let Foreign { config, size } = foreign::look(&path, form).map_err(|e| not_usable(&e))?;
        Ok(HostFile { path: Arc::from(path.to_string_lossy()), digest: Digest(config.bytes()), size })
    }

    fn executable(&self, program: Program<'_>) -> Result<Executable, WorldError> {
        let path = match program {
            Program::Running => elf::running_program().map_err(|e| not_usable(&e))?,
            Program::Path(path) => find(path)?,
        };
        let closure = elf::executable_known(&path, &self.identities).map_err(|e| not_usable(&e))?;
        // Only a cache: without it the next plan hashes again.
        drop(self.identities.save());
        Ok(executable(&closure))
    }
}

fn executable(closure: &Closure) -> Executable {
    let place = |m: &Member| Arc::from(m.beside.as_ref().unwrap_or(&m.destination).to_string_lossy());
    Executable {
        program: host_file(&closure.program),
        closure: closure.members.iter().map(|m| (place(m), host_file(m))).collect(),
    }
}

fn host_file(member: &Member) -> HostFile {
    HostFile { path: Arc::from(member.source.to_string_lossy()), digest: Digest(member.digest), size: member.size }
}

/// An absolute path as it is; a name by the search path.
fn find(name: &str) -> Result<PathBuf, WorldError> {
    if name.contains('/') {
        return Ok(PathBuf::from(name));
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    let runs = |p: &PathBuf| p.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    std::env::split_paths(&search).map(|folder| folder.join(name)).find(runs).ok_or(WorldError::NotFound)
}

fn unusable(error: &std::io::Error) -> WorldError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => WorldError::NotFound,
        _ => WorldError::Unusable(crate::project::plain(error)),
    }
}

fn not_usable(error: &ImageError) -> WorldError {
    WorldError::Unusable(error.to_string())
}
