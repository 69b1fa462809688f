//! What the agent keeps that may be secret is sealed with the home's own key, so that its value is in no file in clear.
//!
//! Guarantees: a sealed file that was changed, or sealed with another key, is refused. It does not protect from who can read the key,
//! `IMM_HOME/agent.key` (mode 0600): the agent must start without being asked for anything.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::disk;
use crate::home::named;

const FORMAT: &[u8] = b"imm sealed 1\n";
const KEY: usize = 32;
const NONCE: usize = 24;

/// The key of a home.
pub struct Seal(XChaCha20Poly1305);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// Reads the key, or makes it. One process at a time: the agent, which holds its home's lock.
    pub fn open(path: &Path) -> io::Result<Self> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                let bytes = random::<KEY>()?.to_vec();
                disk::replace(path, &bytes, 0o600)?;
                bytes
            }
            Err(cause) => return Err(named(path, &cause)),
        };
        let wrong = || named(path, &io::Error::new(io::ErrorKind::InvalidData, "this is no key of an agent"));
        let key: [u8; KEY] = bytes.try_into().map_err(|_| wrong())?;
        Ok(Self::with(key))
    }

    fn with(key: [u8; KEY]) -> Self {
        Self(XChaCha20Poly1305::new(&Key::from(key)))
    }

    /// A key that is good for one test.
    #[cfg(test)]
    pub fn of_test() -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self::with([7; KEY]))
    }

    /// Puts bytes at a path, sealed, durably.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        disk::replace(path, &self.close(bytes).map_err(|cause| named(path, &cause))?, 0o600)
    }

    /// Bytes, sealed.
    pub fn close(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let nonce = random::<NONCE>()?;
        let sealed = self.0.encrypt(&XNonce::from(nonce), bytes);
        let sealed = sealed.map_err(|_| io::Error::other("it cannot be sealed"))?;
        Ok([FORMAT, &nonce, &sealed].concat())
    }

    /// What [`write`](Self::write) put there; none when there is nothing.
    pub fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(named(path, &cause)),
        };
        self.open_at(path, &bytes).map(Some)
    }

    /// What [`close`](Self::close) made of bytes, found at a path.
    pub fn open_at(&self, path: &Path, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let refused = |why: &str| named(path, &io::Error::new(io::ErrorKind::InvalidData, why));
        let rest = bytes.strip_prefix(FORMAT).ok_or_else(|| refused("written by another version of imm"))?;
        let (nonce, sealed) =
            rest.split_first_chunk::<NONCE>().ok_or_else(|| refused("it is cut short; restore it from a backup"))?;
        let opened = self.0.decrypt(&XNonce::from(*nonce), sealed);
        opened.map_err(|_| refused("it was changed, or sealed with another agent.key; restore both from one backup"))
    }

    /// [`write`](Self::write) of a value as JSON.
    pub fn write_json<T: Serialize>(&self, path: &Path, value: &T) -> io::Result<()> {
        self.write(path, &serde_json::to_vec(value)?)
    }

    /// What [`write_json`](Self::write_json) put there. Errors do not quote it.
    pub fn read_json<T: DeserializeOwned>(&self, path: &Path) -> io::Result<Option<T>> {
        let Some(bytes) = self.read(path)? else { return Ok(None) };
        let refused = |_| named(path, &io::Error::new(io::ErrorKind::InvalidData, "written by another version of imm"));
        serde_json::from_slice(&bytes).map(Some).map_err(refused)
    }
}

/// Bytes that nobody can guess.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_sealed_is_read_again_and_is_not_there_in_clear() {
        let dir = tempfile::tempdir().unwrap();
        let (key, path) = (dir.path().join("agent.key"), dir.path().join("x"));
        assert_eq!(Seal::open(&key).unwrap().read(&path).unwrap(), None);
        Seal::open(&key).unwrap().write_json(&path, &"hunter2").unwrap();
        assert_eq!(Seal::open(&key).unwrap().read_json::<String>(&path).unwrap().as_deref(), Some("hunter2"));
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
    }

    #[test]
    fn what_was_changed_or_sealed_by_others_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let seal = Seal::with([1; KEY]);
        seal.write(&path, b"hunter2").unwrap();
        let whole = fs::read(&path).unwrap();
        for at in [0, FORMAT.len(), FORMAT.len() + NONCE, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            assert!(seal.read(&path).unwrap_err().to_string().contains("/x: "), "byte {at}");
        }
        fs::write(&path, &whole[..20]).unwrap();
        assert!(seal.read(&path).unwrap_err().to_string().contains("cut short"));
        fs::write(&path, &whole).unwrap();
        assert!(Seal::with([2; KEY]).read(&path).unwrap_err().to_string().contains("another agent.key"));
    }
}
