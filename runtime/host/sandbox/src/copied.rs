//! The root of a container without namespaces: the image's layers copied into one directory.
//!
//! The layers are only read. A later layer replaces what an earlier one has at the same path; links are copied, never
//! followed, so that no layer can make the copy write outside of its directory. Costs the size of the image for each
//! container (shared where the file system can), which is the price of having no mount of one's own.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::confine::{Files, plain_devices};
use crate::launch::parse_user;
use crate::spec::{Level, Mount, Spec};

/// Where the copy of a container is.
pub(crate) fn root_of(spec: &Spec) -> PathBuf {
    spec.dir.join("root")
}

/// Copy the layers and make the writable directories. Returns what the user should know.
pub(crate) fn prepare(spec: &Spec, level: Level) -> Result<Vec<String>, String> {
    let root = root_of(spec);
    let failed = |e: io::Error| format!("the image cannot be copied to {}: {e}", root.display());
    fs::create_dir(&root).map_err(failed)?;
    for layer in &spec.layers {
        merge(layer, &root).map_err(failed)?;
    }
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    let mut warnings = Vec::new();
    real_directory(&root.join("tmp")).map_err(failed)?;
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).map_err(failed)?;
    for mount in &spec.mounts {
        if let Mount::Scratch { target, .. } = mount {
            let at = scratch(&root, target).map_err(failed)?;
            if nix::unistd::geteuid().is_root() {
                let (uid, gid) = parse_user(&spec.user)?;
                chown(&at, Some(uid), Some(gid)).map_err(failed)?;
            }
            warnings.push(format!("the scratch directory {target} is on disk and its size is not limited"));
        }
    }
    if level != Level::Chroot && nix::unistd::geteuid().is_root() {
        // The directory of the container is ours alone; the program's user must get through to its files.
        fs::set_permissions(&spec.dir, fs::Permissions::from_mode(0o711)).map_err(failed)?;
    }
    if level == Level::Chroot
        && let Err(e) = devices(&root.join("dev"))
    {
        warnings.push(format!("the container has no /dev: {e}"));
    }
    Ok(warnings)
}

/// What the program may touch, as paths of the host, or of the new root when it is entered.
pub(crate) fn files(spec: &Spec, level: Level) -> Files {
    let root = if level == Level::Chroot { PathBuf::from("/") } else { root_of(spec) };
    let scratch = spec.mounts.iter().filter_map(|m| match m {
        Mount::Scratch { target, .. } => Some(root.join(target.trim_start_matches('/'))),
        Mount::Bind { .. } => None,
    });
    // In the new root the devices are there or are not; on the host they are the host's.
    let write = scratch.chain([root.join("tmp")]).chain(plain_devices()).collect();
    Files { read: vec![root], write }
}

fn merge(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        let source = entry.path();
        if kind.is_dir() {
            real_directory(&target)?;
            merge(&source, &target)?;
            fs::set_permissions(&target, entry.metadata()?.permissions())?;
            continue;
        }
        clear(&target)?;
        if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target)?;
        }
        // Devices, sockets and pipes are nothing that an image of ours holds, and nothing that a copy should make.
    }
    Ok(())
}

/// Make it a directory that is no link.
fn real_directory(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => fs::remove_file(path).and_then(|()| fs::create_dir(path)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => fs::create_dir(path),
        Err(e) => Err(e),
    }
}

fn clear(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// Make `target` below `root`, replacing links of the image by directories on the way.
fn scratch(root: &Path, target: &str) -> io::Result<PathBuf> {
    let mut at = root.to_owned();
    for part in target.split('/').filter(|p| !p.is_empty()) {
        at.push(part);
        real_directory(&at)?;
    }
    Ok(at)
}

fn devices(dev: &Path) -> io::Result<()> {
    real_directory(dev)?;
    for (name, minor) in [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)] {
        let at = dev.join(name);
        clear(&at)?;
        mknod(&at, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, minor))?;
        fs::set_permissions(&at, fs::Permissions::from_mode(0o666))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_in_a_layer_does_not_lead_the_copy_outside() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("outside")).unwrap();
        fs::create_dir_all(at("one")).unwrap();
        symlink(at("outside"), at("one/etc")).unwrap();
        fs::create_dir_all(at("two/etc")).unwrap();
        fs::write(at("two/etc/passwd"), "x").unwrap();
        let layers = vec![at("one"), at("two")];
        let mut spec = Spec::new("x", dir.path(), layers, vec!["/x".to_owned()]);
        spec.mounts.push(Mount::Scratch { target: "/etc/deep".to_owned(), size: 1 });
        spec.user = format!("{}:{}", nix::unistd::geteuid(), nix::unistd::getegid());
        prepare(&spec, Level::Landlock).unwrap();
        assert_eq!(fs::read_dir(at("outside")).unwrap().count(), 0);
        assert_eq!(fs::read_to_string(at("root/etc/passwd")).unwrap(), "x");
        assert!(at("root/etc/deep").is_dir());
    }
}
