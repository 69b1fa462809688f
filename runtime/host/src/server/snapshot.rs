//! Copies of volumes, taken before an apply changes what writes to them.
//!
//! ```text
//! snapshots/VOLUME/TOKEN/   a copy, whole
//! ```
//! Guarantees: a copy appears whole or not at all; one token gives one copy, however often it is asked for; the newest few of a volume
//! are kept. A file system that can share blocks does so. Whether anybody writes meanwhile is the caller's business.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::disk;
use crate::home::{named, private_dir};

/// Copies of one volume that are kept.
const KEPT: usize = 3;

/// Where the copies of a volume are.
pub fn dir(lineage_dir: &Path, volume: &str) -> PathBuf {
    lineage_dir.join("snapshots").join(volume)
}

/// Takes a copy of a volume, or finds it taken. Blocks.
pub fn take(lineage_dir: &Path, volume: &str, token: &str) -> io::Result<PathBuf> {
    let source = super::content::volume_dir(lineage_dir, volume);
    let dir = dir(lineage_dir, volume);
    let (aside, path) = (dir.join(format!("{token}.new")), dir.join(token));
    if path.is_dir() {
        return Ok(path);
    }
    private_dir(&dir)?;
    super::remove::sweep(&aside)?;
    if let Err(cause) = copy(&source, &aside) {
        // Half a copy is worth nothing and may be what fills the disk.
        let _ = super::remove::sweep(&aside);
        return Err(cause);
    }
    fs::rename(&aside, &path).map_err(|cause| named(&path, &cause))?;
    disk::sync_parent(&path)?;
    forget_old(&dir, &path)?;
    Ok(path)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let failed = |cause: io::Error| named(from, &cause);
    let meta = fs::symlink_metadata(from).map_err(failed)?;
    if meta.is_dir() {
        fs::create_dir(to).map_err(|cause| named(to, &cause))?;
        for entry in fs::read_dir(from).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else if meta.is_symlink() {
        symlink(fs::read_link(from).map_err(failed)?, to).map_err(|cause| named(to, &cause))?;
    } else if meta.is_file() {
        fs::copy(from, to).map_err(failed)?;
        fs::File::open(to).and_then(|file| file.sync_all()).map_err(|cause| named(to, &cause))?;
    } else {
        // Sockets and pipes are of programs that run, and hold nothing.
        return Ok(());
    }
    if nix::unistd::geteuid().is_root() {
        lchown(to, Some(meta.uid()), Some(meta.gid())).map_err(|cause| named(to, &cause))?;
    }
    if meta.is_symlink() {
        return Ok(());
    }
    let keep = || {
        let file = fs::File::open(to)?;
        file.set_times(fs::FileTimes::new().set_modified(meta.modified()?))?;
        fs::set_permissions(to, fs::Permissions::from_mode(meta.permissions().mode()))
    };
    keep().map_err(|cause| named(to, &cause))
}

/// Removes all copies but the newest few and the one just taken.
fn forget_old(dir: &Path, taken: &Path) -> io::Result<()> {
    let mut copies: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        // When it was taken: a rename changes it, writing below does not.
        let meta = fs::metadata(&path)?;
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(meta.ctime()).unwrap_or(0));
        if path != taken {
            copies.push((at, path));
        }
    }
    copies.sort();
    let old = copies.len().saturating_sub(KEPT - 1);
    copies.iter().take(old).try_for_each(|(_, path)| super::remove::sweep(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_whole_and_taken_once_and_old_ones_go() {
        let root = tempfile::tempdir().unwrap();
        let volume = super::super::content::volume_dir(root.path(), "v");
        fs::create_dir_all(volume.join("sub")).unwrap();
        fs::write(volume.join("sub/data"), "one").unwrap();
        fs::set_permissions(volume.join("sub/data"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("sub/data", volume.join("link")).unwrap();
        let taken = take(root.path(), "v", "a").unwrap();
        assert_eq!(fs::read_to_string(taken.join("link")).unwrap(), "one");
        assert_eq!(fs::metadata(taken.join("sub/data")).unwrap().permissions().mode() & 0o777, 0o640);
        // Half a copy of before is not taken for one; a whole one is not taken again.
        fs::create_dir_all(dir(root.path(), "v").join("b.new/sub")).unwrap();
        fs::write(volume.join("sub/data"), "two").unwrap();
        assert_eq!(take(root.path(), "v", "a").unwrap(), taken);
        assert_eq!(fs::read_to_string(taken.join("sub/data")).unwrap(), "one");
        assert_eq!(fs::read_to_string(take(root.path(), "v", "b").unwrap().join("sub/data")).unwrap(), "two");
        for token in ["c", "d", "e"] {
            take(root.path(), "v", token).unwrap();
        }
        assert_eq!(fs::read_dir(dir(root.path(), "v")).unwrap().count(), KEPT);
        assert!(dir(root.path(), "v").join("e").is_dir());
        assert!(take(root.path(), "none", "a").unwrap_err().to_string().contains("none"));
        assert!(!dir(root.path(), "none").join("a.new").exists());
    }
}
