//! Finds the program to execute and replaces the process by it.
//!
//! In a root of its own a program is executed by its path. On the host (levels C and D) it is found inside the copied
//! image, and one with shared libraries is run through the *image's* loader with the image's libraries; absolute paths in
//! its arguments still mean the host's.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::Mode;

use crate::spec::Spec;

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Where images keep shared libraries.
const LIBRARIES: [&str; 8] = [
    "lib/x86_64-linux-gnu",
    "usr/lib/x86_64-linux-gnu",
    "lib/aarch64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "lib64",
    "usr/lib64",
    "lib",
    "usr/lib",
];

/// Replace this process by the program of `spec`; returns only with the reason why not. `root` is the copied image when
/// the root directory is the host's.
pub(crate) fn execute(spec: &Spec, root: Option<&Path>) -> String {
    let (Ok(argv), Ok(env)) = (strings(spec.argv.iter().map(String::as_str)), environment(spec)) else {
        return "a NUL byte in the arguments or the environment".to_owned();
    };
    let name = spec.argv.first().map_or("", String::as_str);
    let mut last = Errno::ENOENT;
    for candidate in candidates(spec, name) {
        let attempt = match root {
            None => CString::new(candidate.as_bytes()).map_err(|_| Errno::EINVAL).map(|path| (path, argv.clone())),
            Some(root) => through_loader(root, &candidate, &spec.argv),
        };
        let error = match attempt {
            Ok((path, argv)) => nix::unistd::execve(&path, &argv, &env).err().unwrap_or(Errno::EIO),
            Err(error) => error,
        };
        if error == Errno::ENOENT && root.is_none() && Path::new(&candidate).exists() {
            return format!("cannot run {name:?}: it is in the image, the loader or interpreter that it names is not");
        }
        // As shells do: a file that may not be executed is worth more in a message than one that is not there.
        if error != Errno::ENOENT {
            last = error;
        }
    }
    let hint = if last == Errno::ENOEXEC {
        "; it is no program for this machine"
    } else if last != Errno::ENOENT {
        ""
    } else if name.contains('/') {
        "; the path is one inside the image"
    } else {
        "; it is in no directory of PATH inside the image"
    };
    format!("cannot run {name:?}: {}{hint}", last.desc())
}

/// The paths to try: the program's own, or its name in each directory of `PATH`.
fn candidates(spec: &Spec, name: &str) -> Vec<String> {
    if name.contains('/') {
        return vec![if name.starts_with('/') { name.to_owned() } else { format!("{}/{name}", spec.cwd) }];
    }
    let path = spec.env.iter().rev().find(|(k, _)| k == "PATH").map_or(DEFAULT_PATH, |(_, v)| v.as_str());
    path.split(':').filter(|d| d.starts_with('/')).map(|d| format!("{d}/{name}")).collect()
}

fn environment(spec: &Spec) -> Result<Vec<CString>, std::ffi::NulError> {
    spec.env.iter().map(|(k, v)| CString::new(format!("{k}={v}"))).collect()
}

fn strings<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<CString>, std::ffi::NulError> {
    texts.map(CString::new).collect()
}

/// What to execute on the host for a program of the image at `root`.
fn through_loader(root: &Path, program: &str, argv: &[String]) -> nix::Result<(CString, Vec<CString>)> {
    let nul = |_| Errno::EINVAL;
    let path = resolve(root, program)?;
    let interpreter = interpreter_of(&path).map_err(|e| e.raw_os_error().map_or(Errno::ENOEXEC, Errno::from_raw))?;
    let path_text = CString::new(path.as_os_str().as_bytes()).map_err(nul)?;
    let argv = strings(argv.iter().map(String::as_str)).map_err(nul)?;
    let Some(interpreter) = interpreter else { return Ok((path_text, argv)) };
    let loader = CString::new(resolve(root, &interpreter)?.as_os_str().as_bytes()).map_err(nul)?;
    let libraries: Vec<PathBuf> = LIBRARIES.iter().map(|d| root.join(d)).filter(|d| d.is_dir()).collect();
    let libraries = libraries.iter().map(|d| d.as_os_str()).collect::<Vec<&OsStr>>().join(OsStr::new(":"));
    let (first, rest) = argv.split_first().ok_or(Errno::EINVAL)?;
    let mut whole = vec![loader.clone(), CString::from(c"--argv0"), first.clone(), CString::from(c"--library-path")];
    whole.push(CString::new(libraries.as_bytes()).map_err(nul)?);
    whole.push(path_text);
    whole.extend(rest.iter().cloned());
    Ok((loader, whole))
}

/// The host's path of `path` inside `root`, links of the image followed inside it.
pub(crate) fn resolve(root: &Path, path: &str) -> nix::Result<PathBuf> {
    let root = open(root, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let found = openat2(&root, path, OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(resolve))?;
    let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&found));
    nix::fcntl::readlink(link.as_str()).map(PathBuf::from)
}

/// The loader that a 64-bit ELF file names (`PT_INTERP`); `None` for a static one and for what is no ELF file.
fn interpreter_of(path: &Path) -> io::Result<Option<String>> {
    let mut file = File::open(path)?;
    let mut header = [0; 64];
    if file.read_exact(&mut header).is_err() || !header.starts_with(b"\x7fELF\x02") {
        return Ok(None);
    }
    let (table, size, count) = (word(&header, 32), half(&header, 54), half(&header, 56));
    for index in 0..count {
        let mut entry = [0; 56];
        file.seek(SeekFrom::Start(table.saturating_add(u64::from(index) * u64::from(size))))?;
        file.read_exact(&mut entry)?;
        if !entry.starts_with(&libc::PT_INTERP.to_le_bytes()) {
            continue;
        }
        file.seek(SeekFrom::Start(word(&entry, 8)))?;
        let mut name = Vec::new();
        file.take(word(&entry, 32).min(4096)).read_to_end(&mut name)?;
        let name = name.split(|b| *b == 0).next().unwrap_or_default();
        return Ok(Some(String::from_utf8_lossy(name).into_owned()));
    }
    Ok(None)
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn half(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_of_a_program_is_read() {
        let own = interpreter_of(&std::env::current_exe().unwrap()).unwrap();
        assert!(own.is_some_and(|loader| loader.contains("ld-")), "this test is linked dynamically");
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        assert_eq!(interpreter_of(&script).unwrap(), None);
    }

    #[test]
    fn a_name_is_looked_up_in_the_path_of_the_container() {
        let mut spec = Spec::new("x", "/d", vec![], vec![]);
        spec.env.push(("PATH".to_owned(), "/a:relative:/b".to_owned()));
        assert_eq!(candidates(&spec, "tool"), ["/a/tool", "/b/tool"]);
        assert_eq!(candidates(&spec, "/bin/tool"), ["/bin/tool"]);
    }
}
