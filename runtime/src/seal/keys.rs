//! What seals and opens: age identities in a file of this machine.
//!
//! The file is an ordinary age identity file: `age -d -i FILE` opens what we seal. Every identity in it opens; the first one
//! is whom a new ledger is sealed for. It is made when a secret, or a new ledger, first needs it.

use super::SealError;
use age::secrecy::ExposeSecret as _;
use age::x25519::{Identity, Recipient};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Seals and opens.
pub trait Keys: Send + Sync {
    /// Whom a new ledger is sealed for.
    ///
    /// # Errors
    /// There is no identity and none can be made.
    fn recipients(&self) -> Result<Vec<String>, SealError>;

    /// The recipients that can be opened for, as far as there are any now. Makes nothing.
    fn ours(&self) -> Vec<String> {
        Vec::new()
    }

    /// Encrypts to all recipients.
    ///
    /// # Errors
    /// A recipient is none.
    fn seal(&self, recipients: &[String], plain: &[u8]) -> Result<Vec<u8>, SealError>;

    /// Decrypts with what identities there are.
    ///
    /// # Errors
    /// It is for others, or damaged.
    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, SealError>;

    /// Random bytes for a new ledger's digests.
    ///
    /// # Errors
    /// The system has none.
    fn fresh(&self) -> Result<[u8; 32], SealError>;
}

/// The identities in a file.
#[derive(Clone, Debug)]
pub struct AgeKeys {
    path: PathBuf,
}

impl AgeKeys {
    /// The identities in this file; nothing is read before it is needed.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// This machine's recipient; its identity is made when there is none.
    ///
    /// # Errors
    /// The file cannot be read or made.
    pub fn recipient(&self) -> Result<String, SealError> {
        let identities = match self.read()? {
            Some(identities) => identities,
            None => self.make()?,
        };
        let first = identities.first().ok_or_else(|| self.unusable("there is no identity in it"))?;
        Ok(first.to_public().to_string())
    }

    /// Makes another identity the first one; the old ones still open what they could.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn renew(&self) -> Result<String, SealError> {
        let fresh = Identity::generate();
        let before = self.read()?.unwrap_or_default();
        let mut text = line(&fresh);
        before.iter().for_each(|identity| text.push_str(&line(identity)));
        let aside = self.path.with_extension("new");
        let write = || {
            match std::fs::remove_file(&aside) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
                Ok(()) | Err(_) => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&aside, &self.path)?;
            sync_folder(&self.path)
        };
        write().map_err(|e| self.unusable(&e.to_string()))?;
        Ok(fresh.to_public().to_string())
    }

    fn unusable(&self, why: &str) -> SealError {
        SealError::Identity { path: self.path.display().to_string(), why: why.to_owned() }
    }

    /// `None`: there is no file.
    fn read(&self) -> Result<Option<Vec<Identity>>, SealError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.unusable(&e.to_string())),
        };
        let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        // The parser's words may repeat the line.
        lines
            .map(|l| l.parse().map_err(|_| self.unusable("a line in it is no age identity")))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Whole or not at all, and only one of two processes' files stays: the loser reads the winner's.
    fn make(&self) -> Result<Vec<Identity>, SealError> {
        let fresh = Identity::generate();
        let aside = self.path.with_extension(format!("new.{}", std::process::id()));
        let write = || {
            if let Some(folder) = self.path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
            file.write_all(line(&fresh).as_bytes())?;
            file.sync_all()?;
            let linked = std::fs::hard_link(&aside, &self.path);
            std::fs::remove_file(&aside)?;
            match linked {
                Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e),
                Ok(()) | Err(_) => sync_folder(&self.path),
            }
        };
        write().map_err(|e| self.unusable(&e.to_string()))?;
        self.read()?.ok_or_else(|| self.unusable("it vanished"))
    }
}

impl Keys for AgeKeys {
    fn recipients(&self) -> Result<Vec<String>, SealError> {
        Ok(vec![self.recipient()?])
    }

    fn ours(&self) -> Vec<String> {
        let identities = self.read().ok().flatten().unwrap_or_default();
        identities.iter().map(|identity| identity.to_public().to_string()).collect()
    }

    fn seal(&self, recipients: &[String], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let parse = |r: &String| r.parse::<Recipient>().map_err(|_| SealError::Recipient(r.clone()));
        let recipients = recipients.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let to = recipients.iter().map(|r| r as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(to).map_err(|_| SealError::NoKeys)?;
        let mut sealed = Vec::new();
        let written = encryptor.wrap_output(&mut sealed).and_then(|mut to| {
            to.write_all(plain)?;
            to.finish()
        });
        written.map_err(|_| SealError::Damaged)?;
        Ok(sealed)
    }

    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let identities = self.read()?.ok_or_else(|| SealError::NotForUs { path: self.path.display().to_string() })?;
        let decryptor = age::Decryptor::new_buffered(sealed).map_err(|_| SealError::Damaged)?;
        let ours = identities.iter().map(|i| i as &dyn age::Identity);
        let mut reader = decryptor.decrypt(ours).map_err(|e| match e {
            age::DecryptError::NoMatchingKeys => SealError::NotForUs { path: self.path.display().to_string() },
            _damage => SealError::Damaged,
        })?;
        let mut plain = Vec::new();
        reader.read_to_end(&mut plain).map_err(|_| SealError::Damaged)?;
        Ok(plain)
    }

    fn fresh(&self) -> Result<[u8; 32], SealError> {
        let mut bytes = [0; 32];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut bytes))
            .map_err(|e| self.unusable(&format!("no randomness: {e}")))?;
        Ok(bytes)
    }
}

/// Whether a text is a recipient.
pub fn is_recipient(text: &str) -> bool {
    text.parse::<Recipient>().is_ok()
}

fn line(identity: &Identity) -> String {
    format!("# public key: {}\n{}\n", identity.to_public(), identity.to_string().expose_secret())
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
}

/// For ledgers in memory: nothing reaches a disk, so nothing has to be sealed, and the same seed gives the same bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clear;

impl Keys for Clear {
    fn recipients(&self) -> Result<Vec<String>, SealError> {
        Ok(Vec::new())
    }

    fn seal(&self, _recipients: &[String], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(plain.to_vec())
    }

    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(sealed.to_vec())
    }

    fn fresh(&self) -> Result<[u8; 32], SealError> {
        Ok([7; 32])
    }
}

/// For whoever opens a ledger without an identity: whatever needs one says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoKeys;

impl Keys for NoKeys {
    fn recipients(&self) -> Result<Vec<String>, SealError> {
        Err(SealError::NoKeys)
    }

    fn seal(&self, _recipients: &[String], _plain: &[u8]) -> Result<Vec<u8>, SealError> {
        Err(SealError::NoKeys)
    }

    fn open(&self, _sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        Err(SealError::NoKeys)
    }

    fn fresh(&self) -> Result<[u8; 32], SealError> {
        Err(SealError::NoKeys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_identity_is_made_once_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let keys = AgeKeys::at(dir.path().join("home/identity"));
        let ours = keys.recipient().unwrap();
        assert_eq!(AgeKeys::at(keys.path()).recipient().unwrap(), ours);
        assert_eq!(std::fs::metadata(keys.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path().join("home")).unwrap().count(), 1);
    }

    #[test]
    fn what_is_sealed_opens_for_its_recipients_only() {
        let dir = tempfile::tempdir().unwrap();
        let (mine, theirs) = (AgeKeys::at(dir.path().join("a")), AgeKeys::at(dir.path().join("b")));
        let sealed = mine.seal(&mine.recipients().unwrap(), b"hunter2").unwrap();
        assert!(!sealed.windows(7).any(|w| w == b"hunter2"));
        assert_eq!(mine.open(&sealed).unwrap(), b"hunter2");
        theirs.recipient().unwrap();
        assert!(matches!(theirs.open(&sealed), Err(SealError::NotForUs { .. })));
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(mine.open(&damaged).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_renewed_identity_still_opens_what_the_old_one_could() {
        let dir = tempfile::tempdir().unwrap();
        let keys = AgeKeys::at(dir.path().join("identity"));
        let sealed = keys.seal(&keys.recipients().unwrap(), b"x").unwrap();
        let before = keys.recipient().unwrap();
        assert_ne!(keys.renew().unwrap(), before);
        assert_eq!(keys.open(&sealed).unwrap(), b"x");
    }

    #[test]
    fn a_file_that_is_no_identity_is_named_and_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity");
        std::fs::write(&path, "AGE-SECRET-KEY-1WRONG\n").unwrap();
        let said = AgeKeys::at(&path).recipient().unwrap_err().to_string();
        assert!(said.contains("identity") && !said.contains("WRONG"), "{said}");
    }
}
