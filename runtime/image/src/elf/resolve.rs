//! Follows the names that a program needs to files, in the loader's order (breadth first, one file for one name).
//!
//! Guarantees that what it returns, put at the given destinations and nothing else, lets the loader find everything: when a
//! library is only reachable through the loader's cache, the cache becomes a member too.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Component, Path, PathBuf};

use super::cache::Cache;
use super::header::{Header, Machine};
use super::{Closure, Member};
use crate::{Identities, ImageError, Result};

const CACHE: &str = "/etc/ld.so.cache";

/// A file that the loader has mapped.
struct Loaded {
    header: Header,
    /// The path at which it was found, not the target of links.
    path: PathBuf,
    /// Its folder relative to the program's, if found through the program's `$ORIGIN`.
    beside: Option<PathBuf>,
    /// Who needed it first.
    parent: Option<usize>,
}

struct Found {
    path: PathBuf,
    beside: Option<PathBuf>,
}

pub(super) fn closure(path: &Path, identities: &Identities) -> Result<Closure> {
    let path = std::path::absolute(path).map_err(ImageError::io("find", path))?;
    let source = real(&path)?;
    let header = Header::read(&source)?;
    if !header.program {
        return Err(ImageError::NotExecutable {
            path,
            reason: "it is a shared library or an object file, which cannot be started".to_owned(),
        });
    }
    let machine = header.machine;
    let program = member(&path, None, identities)?;
    let mut members = Vec::new();
    let mut known = BTreeMap::new();
    let mut musl = false;
    if let Some(interpreter) = &header.interpreter {
        if !interpreter.is_absolute() {
            let reason = format!("its interpreter `{}` is not an absolute path", interpreter.display());
            return Err(ImageError::NotExecutable { path, reason });
        }
        let name = file_name(interpreter);
        musl = name.starts_with("ld-musl-");
        let loader = Header::read(interpreter).map_err(|error| ImageError::NotExecutable {
            path: path.clone(),
            reason: format!("its interpreter cannot be used: {error}"),
        })?;
        known.extend([Some(name), loader.soname].into_iter().flatten().map(|name| (name, ())));
        members.push(member(interpreter, None, identities)?);
    }
    // `$ORIGIN` of a program is the folder of its real file.
    let program_header = Loaded { header, path: source, beside: Some(PathBuf::new()), parent: None };
    let mut search = Search { machine, musl, cache: Cache::read(Path::new(CACHE)), loaded: vec![program_header] };
    let mut by_cache = false;
    let mut queue = VecDeque::from([0]);
    while let Some(index) = queue.pop_front() {
        let names = search.loaded.get(index).map(|loaded| loaded.header.needed.clone()).unwrap_or_default();
        for name in names {
            if known.contains_key(&name) || (musl && is_part_of_musl(&name)) {
                continue;
            }
            let (found, cached) = search.find(&name, index)?;
            by_cache |= cached;
            let header = Header::read(&found.path)?;
            known.insert(name, ());
            known.extend(header.soname.clone().map(|soname| (soname, ())));
            members.push(member(&found.path, found.beside.clone(), identities)?);
            let beside = found.beside.and_then(|file| file.parent().map(Path::to_path_buf));
            queue.push_back(search.loaded.len());
            search.loaded.push(Loaded { header, path: found.path, beside, parent: Some(index) });
        }
    }
    if by_cache {
        members.push(member(Path::new(CACHE), None, identities)?);
    }
    members.sort_by(|a, b| a.destination.cmp(&b.destination));
    members.dedup_by(|a, b| a.destination == b.destination);
    Ok(Closure { program, members, machine })
}

struct Search {
    machine: Machine,
    musl: bool,
    cache: Cache,
    loaded: Vec<Loaded>,
}

impl Search {
    /// The file for a name that `loaded[by]` needs, and whether only the loader's cache leads to it.
    fn find(&self, name: &str, by: usize) -> Result<(Found, bool)> {
        let Some(needer) = self.loaded.get(by) else {
            return Err(self.missing(name, Path::new(""), &[], None));
        };
        let mut looked = Vec::new();
        let mut wrong = None;
        if name.contains('/') {
            let found = expand(name, needer, self.machine).into_iter().find(|found| self.fits(&found.path, &mut wrong));
            return found.map(|found| (found, false)).ok_or_else(|| self.missing(name, &needer.path, &[], wrong));
        }
        for (folder, owner) in self.folders(by) {
            for place in expand(&folder, owner, self.machine) {
                let path = normal(&place.path.join(name));
                if self.fits(&path, &mut wrong) {
                    return Ok((Found { path, beside: place.beside.map(|beside| beside.join(name)) }, false));
                }
                looked.push(place.path);
            }
        }
        if !needer.header.no_default {
            let default = self.default_folders();
            let cached: &[PathBuf] = if self.musl { &[] } else { self.cache.get(name) };
            for path in cached {
                if self.fits(path, &mut wrong) {
                    let by_itself = path.parent().is_some_and(|folder| default.iter().any(|one| one == folder));
                    return Ok((Found { path: path.clone(), beside: None }, !by_itself));
                }
            }
            for folder in default {
                let path = folder.join(name);
                if self.fits(&path, &mut wrong) {
                    return Ok((Found { path, beside: None }, false));
                }
                looked.push(folder);
            }
        }
        Err(self.missing(name, &needer.path, &looked, wrong))
    }

    /// RPATH along the chain of who needs whom, up to the program; or RUNPATH of the one that needs it, alone.
    fn folders(&self, by: usize) -> Vec<(String, &Loaded)> {
        let mut folders = Vec::new();
        let mut at = self.loaded.get(by);
        if let Some(needer) = at
            && let Some(runpath) = &needer.header.runpath
        {
            return runpath.iter().map(|folder| (folder.clone(), needer)).collect();
        }
        while let Some(owner) = at {
            if owner.header.runpath.is_none() {
                folders.extend(owner.header.rpath.iter().map(|folder| (folder.clone(), owner)));
            }
            at = owner.parent.and_then(|parent| self.loaded.get(parent));
        }
        folders
    }

    fn default_folders(&self) -> Vec<PathBuf> {
        if self.musl {
            return ["/lib", "/usr/local/lib", "/usr/lib"].map(PathBuf::from).to_vec();
        }
        let folders = self.machine.lib_folders();
        folders.iter().flat_map(|folder| [Path::new("/").join(folder), Path::new("/usr").join(folder)]).collect()
    }

    /// Whether the loader would take this file; a file for another processor is passed over and remembered.
    fn fits(&self, path: &Path, wrong: &mut Option<(PathBuf, Machine)>) -> bool {
        match Header::machine(path) {
            Some(machine) if machine == self.machine => true,
            Some(machine) => {
                wrong.get_or_insert((path.to_path_buf(), machine));
                false
            }
            None => false,
        }
    }

    fn missing(&self, name: &str, by: &Path, looked: &[PathBuf], wrong: Option<(PathBuf, Machine)>) -> ImageError {
        let (library, needed_by) = (name.to_owned(), by.to_path_buf());
        if let Some((found, machine)) = wrong {
            let (found_machine, machine) = (machine.to_string(), self.machine.to_string());
            return ImageError::WrongMachine { library, needed_by, found, found_machine, machine };
        }
        let looked_in = looked.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
        let looked_in = if looked_in.is_empty() { "no folder".to_owned() } else { looked_in };
        ImageError::MissingLibrary { library, needed_by, looked_in }
    }
}

/// The folders (or files) that a text with `$ORIGIN`, `$LIB` and `$PLATFORM` stands for. An empty or relative one would mean
/// the working folder at the start, which an image has no say in: none.
fn expand(text: &str, owner: &Loaded, machine: Machine) -> Vec<Found> {
    let text = text.replace("${ORIGIN}", "$ORIGIN").replace("${LIB}", "$LIB").replace("${PLATFORM}", "$PLATFORM");
    let text = text.replace("$PLATFORM", machine.platform());
    let choices = match text.contains("$LIB") {
        true => machine.lib_folders().iter().map(|folder| text.replace("$LIB", folder)).collect(),
        false => vec![text],
    };
    let origin = owner.path.parent().unwrap_or(Path::new("/"));
    let places = choices.into_iter().filter_map(|text| match text.strip_prefix("$ORIGIN") {
        Some(rest) => {
            let rest = rest.trim_start_matches('/');
            let beside = owner.beside.as_ref().map(|beside| beside.join(rest));
            Some(Found { path: normal(&origin.join(rest)), beside })
        }
        None if text.starts_with('/') => Some(Found { path: normal(Path::new(&text)), beside: None }),
        None => None,
    });
    places.collect()
}

/// The path without `.` and `..`, by text alone.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(result.pop()),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => result.push(component),
        }
    }
    result
}

/// musl's loader is the C library itself, under all the names that other systems give to its parts.
fn is_part_of_musl(name: &str) -> bool {
    let parts = ["libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."];
    parts.iter().any(|part| name.starts_with(part))
}

fn member(path: &Path, beside: Option<PathBuf>, identities: &Identities) -> Result<Member> {
    let source = real(path)?;
    let content = identities.content(&source).map_err(ImageError::io("read", &source))?;
    Ok(Member { destination: path.to_path_buf(), source, digest: content.digest, size: content.size, beside })
}

fn real(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).map_err(ImageError::io("find", path))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
