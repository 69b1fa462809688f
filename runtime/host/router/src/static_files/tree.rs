//! From a request path to an open file below a directory, and never to anything else.
//!
//! The kernel resolves the path below the directory (`openat2`, `RESOLVE_BENEATH`): a symlink that leads out is refused at the moment of opening, so nothing
//! can be exchanged between a check and its use. Where a kernel or a system call filter does not have it, the path is resolved first and opened when it
//! is below.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

#[derive(Debug)]
pub(super) struct Tree {
    root: File,
    path: PathBuf,
}

impl Tree {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let explain =
            |error: io::Error| io::Error::new(error.kind(), format!("cannot serve {}: {error}", dir.display()));
        let path = dir.canonicalize().map_err(explain)?;
        if !path.is_dir() {
            return Err(explain(io::Error::from(io::ErrorKind::NotADirectory)));
        }
        Ok(Self { root: File::open(&path).map_err(explain)?, path })
    }

    /// Opens what is there: a file, a directory, or anything else.
    pub(super) fn find(&self, relative: &Path) -> io::Result<File> {
        // An empty path is the directory itself.
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        // Without waiting: opening a pipe would.
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let how =
            OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        match openat2(&self.root, relative, how) {
            Ok(file) => Ok(File::from(file)),
            Err(Errno::ENOSYS | Errno::EPERM) => self.find_resolved(relative, flags),
            Err(error) => Err(error.into()),
        }
    }

    fn find_resolved(&self, relative: &Path, flags: OFlag) -> io::Result<File> {
        let path = self.path.join(relative).canonicalize()?;
        if !path.starts_with(&self.path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        std::fs::OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
    }
}

/// The path below the directory that a request path means; `None`: it means none. A trailing slash is not part of it.
pub(super) fn relative(path: &str) -> Option<PathBuf> {
    let mut relative = PathBuf::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let segment = decode(segment)?;
        let is_name = !matches!(segment.as_slice(), b"." | b"..") && !segment.contains(&b'/') && !segment.contains(&0);
        if !is_name {
            return None;
        }
        relative.push(OsStr::from_bytes(&segment));
    }
    Some(relative)
}

fn decode(segment: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(bytes.next()?)? << 4 | digit(bytes.next()?)?
            }
            plain => plain,
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_mean_names_below() {
        let check =
            |path: &str, expected: Option<&str>| assert_eq!(relative(path), expected.map(PathBuf::from), "{path}");
        check("/", Some(""));
        check("/a/b.txt", Some("a/b.txt"));
        check("//a//b/", Some("a/b"));
        check("/a%20b/%C3%A4", Some("a b/ä"));
        check("/a%2525", Some("a%25"));
        for outside in ["/..", "/a/../b", "/%2e%2e/x", "/.%2E/x", "/a%2Fb", "/%00", "/%", "/%2", "/%zz", "/./a"] {
            check(outside, None);
        }
    }

    #[test]
    fn symlinks_do_not_lead_out_in_either_way() {
        let around = tempfile::tempdir().unwrap();
        let dir = around.path().join("site");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(around.path().join("secret"), "s").unwrap();
        std::fs::write(dir.join("file"), "f").unwrap();
        std::os::unix::fs::symlink("../secret", dir.join("relative")).unwrap();
        std::os::unix::fs::symlink(around.path().join("secret"), dir.join("absolute")).unwrap();
        std::os::unix::fs::symlink("..", dir.join("up")).unwrap();
        std::os::unix::fs::symlink("file", dir.join("inside")).unwrap();
        let tree = Tree::open(&dir).unwrap();
        for (path, served) in [
            ("file", true),
            ("inside", true),
            ("relative", false),
            ("absolute", false),
            ("up/secret", false),
            ("up", false),
        ] {
            assert_eq!(tree.find(Path::new(path)).is_ok(), served, "{path}");
            assert_eq!(tree.find_resolved(Path::new(path), OFlag::O_RDONLY).is_ok(), served, "{path}, resolved");
        }
        assert!(Tree::open(&dir.join("file")).unwrap_err().to_string().contains("cannot serve"));
    }

    proptest! {
        #[test]
        fn no_path_escapes(path in "(/|\\.|%2e|%2f|%00|%5c|a|\\\\|%|é){0,12}") {
            if let Some(relative) = relative(&path) {
                prop_assert!(relative.components().all(|part| matches!(part, std::path::Component::Normal(_))), "{relative:?}");
            }
        }
    }
}
