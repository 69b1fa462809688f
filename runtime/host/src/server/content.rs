//! Bytes that objects have: files and volumes on disk, secrets sealed, secret files in memory only.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use data_encoding::BASE64;

use crate::api::{Alphabet, ApiError, ChangedField, Code, File, ObjectSpec, Revealed, Secret};
use crate::disk;
use crate::home::{named, private_dir};
use crate::seal::random;

use super::Site;

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

/// Writes what an object of this kind has beside its record. A volume that is there already is left as it is.
pub fn lay_out(site: &Site, lineage_dir: &Path, object_dir: &Path, id: &str, spec: &ObjectSpec) -> io::Result<()> {
    match spec {
        ObjectSpec::Container(_) | ObjectSpec::Route(_) => Ok(()),
        ObjectSpec::File(file) if file.secret => {
            let memory = lay_out_in_memory(site, id, file)?;
            symlink(memory, file_path(object_dir))
        }
        ObjectSpec::File(file) => {
            let path = file_path(object_dir);
            disk::replace(&path, &bytes(file)?, 0o600)?;
            // Set apart from opening: the umask must not have a say.
            fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))
        }
        ObjectSpec::Secret(secret) => site.seal.write(&secret_path(object_dir), made_up(*secret)?.as_bytes()),
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

/// Puts back what a restart of the machine takes away.
pub fn restore(site: &Site, id: &str, spec: &ObjectSpec) -> io::Result<()> {
    match spec {
        ObjectSpec::File(file) if file.secret => lay_out_in_memory(site, id, file).map(drop),
        ObjectSpec::Container(_)
        | ObjectSpec::Route(_)
        | ObjectSpec::File(_)
        | ObjectSpec::Secret(_)
        | ObjectSpec::Volume(_) => Ok(()),
    }
}

/// Whether the bytes of an object are not there any more.
pub fn lost(lineage_dir: &Path, object_dir: &Path, id: &str, spec: &ObjectSpec) -> bool {
    match spec {
        ObjectSpec::Volume(_) => !volume_dir(lineage_dir, id).is_dir(),
        ObjectSpec::File(_) => !file_path(object_dir).is_file(),
        ObjectSpec::Secret(_) => !secret_path(object_dir).is_file(),
        ObjectSpec::Container(_) | ObjectSpec::Route(_) => false,
    }
}

/// What somebody changed of a file since it was made. Says nothing of what is in it: it may be secret.
pub fn changed(object_dir: &Path, spec: &ObjectSpec) -> io::Result<Vec<ChangedField>> {
    let ObjectSpec::File(file) = spec else { return Ok(Vec::new()) };
    let path = file_path(object_dir);
    let (made, now) = (
        bytes(file)?,
        match fs::read(&path) {
            Ok(now) => now,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(named(&path, &cause)),
        },
    );
    let mut found = Vec::new();
    if made != now {
        let observed = if made.len() == now.len() {
            "other bytes of that length".to_owned()
        } else {
            format!("{} bytes", now.len())
        };
        found.push(ChangedField {
            name: "content".to_owned(),
            recorded: format!("what was written ({} bytes)", made.len()),
            observed,
        });
    }
    let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
    let wanted = if file.secret { file.mode & 0o600 } else { file.mode };
    if mode != wanted {
        found.push(ChangedField {
            name: "mode".to_owned(),
            recorded: format!("{wanted:04o}"),
            observed: format!("{mode:04o}"),
        });
    }
    Ok(found)
}

/// The value of a secret.
pub fn revealed(site: &Site, object_dir: &Path) -> io::Result<Revealed> {
    let path = secret_path(object_dir);
    let lost = || named(&path, &io::Error::from(io::ErrorKind::NotFound));
    let bytes = site.seal.read(&path)?.ok_or_else(lost)?;
    Ok(Revealed(String::from_utf8_lossy(&bytes).into_owned()))
}

fn secret_path(object_dir: &Path) -> PathBuf {
    object_dir.join("value")
}

fn bytes(file: &File) -> io::Result<Vec<u8>> {
    BASE64
        .decode(file.content.as_bytes())
        .map_err(|cause| io::Error::new(io::ErrorKind::InvalidInput, cause.to_string()))
}

fn lay_out_in_memory(site: &Site, id: &str, file: &File) -> io::Result<PathBuf> {
    let path = site.home.memory()?.join(id);
    disk::replace(&path, &bytes(file)?, 0o600)?;
    // No more than the program says, and never for others.
    fs::set_permissions(&path, fs::Permissions::from_mode(file.mode & 0o600))?;
    give_to(&path, CONTAINER_USER)?;
    Ok(path)
}

/// Characters at random, each as likely as any other.
fn made_up(secret: Secret) -> io::Result<String> {
    let characters: Vec<u8> = match secret.alphabet {
        Alphabet::Alnum => (b'0'..=b'9').chain(b'A'..=b'Z').chain(b'a'..=b'z').collect(),
        Alphabet::Hex => (b'0'..=b'9').chain(b'a'..=b'f').collect(),
        Alphabet::Ascii => (b'!'..=b'~').collect(),
    };
    // Bytes above the last whole round of the alphabet would make its first characters likelier.
    let rounds = usize::from(u8::MAX).div_euclid(characters.len()) * characters.len();
    let length = usize::try_from(secret.length).unwrap_or(usize::MAX);
    let mut text = String::new();
    while text.len() < length {
        for byte in random::<64>()?.into_iter().map(usize::from).filter(|byte| *byte < rounds) {
            if let Some(character) = characters.get(byte % characters.len()).filter(|_| text.len() < length) {
                text.push(char::from(*character));
            }
        }
    }
    Ok(text)
}

/// Removes what an object has outside of its own directory.
pub fn remove(site: &Site, lineage_dir: &Path, id: &str, spec: &ObjectSpec) -> io::Result<()> {
    match spec {
        ObjectSpec::File(file) if file.secret => match fs::remove_file(site.home.memory()?.join(id)) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
            Ok(()) | Err(_) => Ok(()),
        },
        ObjectSpec::Container(_) | ObjectSpec::Route(_) | ObjectSpec::File(_) | ObjectSpec::Secret(_) => Ok(()),
        // Whoever consented to the end of its data meant the copies, too.
        ObjectSpec::Volume(_) => {
            let all = [volume_dir(lineage_dir, id), super::snapshot::dir(lineage_dir, id)];
            all.iter().try_for_each(|dir| super::remove::sweep(dir).map_err(|cause| named(dir, &cause)))
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_its_length_and_its_characters_and_is_never_the_same() {
        let made = |length, alphabet| made_up(Secret { length, alphabet }).unwrap();
        for length in [1, 32, 63, 64, 65, 1000] {
            assert_eq!(made(length, Alphabet::Alnum).len(), usize::try_from(length).unwrap());
        }
        assert!(made(1000, Alphabet::Alnum).bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(made(1000, Alphabet::Hex).bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        assert!(made(1000, Alphabet::Ascii).bytes().all(|byte| byte.is_ascii_graphic()));
        assert_ne!(made(32, Alphabet::Hex), made(32, Alphabet::Hex));
        // Every character has its turn.
        let all: std::collections::BTreeSet<char> = made(10_000, Alphabet::Ascii).chars().collect();
        assert_eq!(all.len(), 94);
    }
}
