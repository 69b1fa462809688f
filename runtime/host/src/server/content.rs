//! Bytes that objects have on disk: files and volumes.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use data_encoding::BASE64;

use crate::api::{ApiError, Code, File, ObjectSpec};
use crate::disk;
use crate::home::{named, private_dir};

/// The user that containers run as when nothing else is said: owner of secret files.
const CONTAINER_USER: u32 = 65_532;

/// Where a volume's bytes are.
pub fn volume_dir(lineage_dir: &Path, id: &str) -> PathBuf {
    lineage_dir.join("volumes").join(id)
}

/// Where a file object's bytes are.
pub fn file_path(object_dir: &Path) -> PathBuf {
    object_dir.join("content")
}

/// Says whether a file's inputs can be written at all.
pub fn check_file(file: &File) -> Result<(), ApiError> {
    if file.mode > 0o777 {
        return Err(ApiError::no(Code::Invalid, format!("a file's mode is at most 0777, not {:o}", file.mode)));
    }
    match BASE64.decode(file.content.as_bytes()) {
        Ok(_) => Ok(()),
        Err(_) => Err(ApiError::no(Code::Invalid, "a file's content is not base64")),
    }
}

/// Writes what an object of this kind has on disk. A volume that is there already is left as it is.
pub fn lay_out(lineage_dir: &Path, object_dir: &Path, id: &str, spec: &ObjectSpec) -> io::Result<()> {
    match spec {
        ObjectSpec::Container(_) | ObjectSpec::Route(_) => Ok(()),
        ObjectSpec::File(file) => {
            let bytes = BASE64
                .decode(file.content.as_bytes())
                .map_err(|cause| io::Error::new(io::ErrorKind::InvalidInput, cause.to_string()))?;
            let path = file_path(object_dir);
            disk::replace(&path, &bytes, 0o600)?;
            // Set apart from opening: the umask must not have a say.
            fs::set_permissions(&path, fs::Permissions::from_mode(if file.secret { 0o600 } else { file.mode }))?;
            if file.secret { give_to(&path, CONTAINER_USER) } else { Ok(()) }
        }
        ObjectSpec::Volume(volume) => {
            let path = volume_dir(lineage_dir, id);
            if path.is_dir() {
                return Ok(());
            }
            private_dir(&lineage_dir.join("volumes"))?;
            let aside = lineage_dir.join("volumes").join(format!("{id}.new"));
            private_dir(&aside)?;
            give_to(&aside, volume.owner)?;
            fs::rename(&aside, &path)?;
            disk::sync_parent(&path)
        }
    }
}

/// Removes what an object has outside of its own directory.
pub fn remove(lineage_dir: &Path, id: &str, spec: &ObjectSpec) -> io::Result<()> {
    match spec {
        ObjectSpec::Container(_) | ObjectSpec::Route(_) | ObjectSpec::File(_) => Ok(()),
        ObjectSpec::Volume(_) => match fs::remove_dir_all(volume_dir(lineage_dir, id)) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(named(&volume_dir(lineage_dir, id), &cause)),
            Ok(()) | Err(_) => Ok(()),
        },
    }
}

/// Without root there is one user on both sides of a container's wall, so there is nothing to give.
fn give_to(path: &Path, owner: u32) -> io::Result<()> {
    if nix::unistd::geteuid().is_root() {
        chown(path, Some(owner), Some(owner)).map_err(|cause| named(path, &cause))
    } else {
        Ok(())
    }
}
