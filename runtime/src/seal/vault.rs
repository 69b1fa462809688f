//! The secrets of one ledger: sealed when they come in, opened when a provider needs them.
//!
//! What was sealed since the last append waits in `Vault::fresh` and goes to disk with the entries that name it. A name is
//! the secret's digest under the lineage's key, so what is opened is checked against its name, and sealing it again for
//! other recipients changes no name.

use super::SealError;
use super::keys::{Keys, NoKeys};
use imm_ir::{Digest, Encoder, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is known of one ledger's secrets. Shared by the ledger and the providers of one engine.
pub struct Vault {
    keys: Arc<dyn Keys>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Name of the recorded key.
    key_name: Option<Digest>,
    key: Option<[u8; 32]>,
    recipients: Vec<String>,
    /// As they are on disk, or will be.
    sealed: BTreeMap<Digest, Vec<u8>>,
    open: BTreeMap<Digest, Value>,
    fresh: BTreeSet<Digest>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

impl Default for Vault {
    fn default() -> Self {
        Self::new(Arc::new(NoKeys))
    }
}

impl Vault {
    /// Nothing is known yet.
    pub fn new(keys: Arc<dyn Keys>) -> Self {
        Self { keys, inner: Mutex::default() }
    }

    /// What seals and opens.
    pub fn keys(&self) -> &Arc<dyn Keys> {
        &self.keys
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what a ledger has.
    pub(crate) fn load(&self, key_name: Option<Digest>, recipients: Vec<String>, sealed: Vec<(Digest, Vec<u8>)>) {
        let mut inner = self.locked();
        inner.key_name = key_name;
        inner.recipients = recipients;
        inner.sealed.extend(sealed);
    }

    /// Makes the key of a new lineage; answers its name. It is stored with the next append.
    pub(crate) fn make_key(&self, recipients: Vec<String>) -> Result<Digest, SealError> {
        let key = self.keys.fresh()?;
        let name = name_of_key(&key);
        let mut inner = self.locked();
        inner.sealed.insert(name, self.keys.seal(&recipients, &key)?);
        inner.fresh.insert(name);
        (inner.key_name, inner.key, inner.recipients) = (Some(name), Some(key), recipients);
        Ok(name)
    }

    fn key(&self, inner: &mut Inner) -> Result<[u8; 32], SealError> {
        if let Some(key) = inner.key {
            return Ok(key);
        }
        let key = match inner.key_name {
            Some(name) => {
                let sealed = inner.sealed.get(&name).ok_or_else(|| SealError::Absent(name.short()))?;
                let key: [u8; 32] = self.keys.open(sealed)?.try_into().map_err(|_| SealError::Damaged)?;
                if name_of_key(&key) != name {
                    return Err(SealError::Damaged);
                }
                key
            }
            // A ledger without a key was only read: what is sealed under this one is never written.
            None => self.keys.fresh()?,
        };
        inner.key = Some(key);
        Ok(key)
    }

    /// Seals one secret as a whole.
    ///
    /// # Errors
    /// The key cannot be had.
    pub fn seal(&self, secret: &Value) -> Result<Value, SealError> {
        if let Value::Sealed(_) = secret {
            return Ok(secret.clone());
        }
        let plain = secret.reveal();
        let mut inner = self.locked();
        let key = self.key(&mut inner)?;
        let name = name(&key, plain);
        if !inner.sealed.contains_key(&name) {
            inner.fresh.insert(name);
        }
        inner.open.entry(name).or_insert_with(|| plain.clone());
        Ok(Value::Sealed(name))
    }

    /// The secret behind a name.
    ///
    /// # Errors
    /// It is not there, damaged, or sealed for others.
    pub fn open(&self, name: &Digest) -> Result<Value, SealError> {
        let mut inner = self.locked();
        if let Some(plain) = inner.open.get(name) {
            return Ok(plain.clone());
        }
        let key = self.key(&mut inner)?;
        let sealed = inner.sealed.get(name).ok_or_else(|| SealError::Absent(name.short()))?;
        let bytes = self.keys.open(sealed)?;
        let plain: Value = postcard::from_bytes(&bytes).map_err(|_| SealError::Damaged)?;
        if self::name(&key, &plain) != *name {
            return Err(SealError::Damaged);
        }
        inner.open.insert(*name, plain.clone());
        Ok(plain)
    }

    /// What is to be written with the next entries.
    pub(crate) fn fresh(&self) -> Result<Vec<(Digest, Vec<u8>)>, SealError> {
        let mut inner = self.locked();
        let names: Vec<Digest> = inner.fresh.iter().copied().collect();
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            found.push((name, self.sealed_bytes(&mut inner, &name)?));
        }
        Ok(found)
    }

    /// They are on disk now.
    pub(crate) fn written(&self) {
        self.locked().fresh.clear();
    }

    /// Sealed bytes of these secrets: what a plan file takes along.
    ///
    /// # Errors
    /// One of them is not there, or there are no recipients.
    pub fn export(&self, names: &BTreeSet<Digest>) -> Result<Vec<(Digest, Vec<u8>)>, SealError> {
        let mut inner = self.locked();
        names.iter().map(|name| Ok((*name, self.sealed_bytes(&mut inner, name)?))).collect()
    }

    /// Takes in what a plan file brought; it is stored with the next entries.
    pub fn import(&self, sealed: &[(Digest, Vec<u8>)]) {
        let mut inner = self.locked();
        for (name, bytes) in sealed {
            if !inner.sealed.contains_key(name) {
                inner.sealed.insert(*name, bytes.clone());
                inner.fresh.insert(*name);
            }
        }
    }

    fn sealed_bytes(&self, inner: &mut Inner, name: &Digest) -> Result<Vec<u8>, SealError> {
        if let Some(bytes) = inner.sealed.get(name) {
            return Ok(bytes.clone());
        }
        let plain = inner.open.get(name).ok_or_else(|| SealError::Absent(name.short()))?;
        let bytes = self.keys.seal(&inner.recipients, &postcard::to_stdvec(plain)?)?;
        inner.sealed.insert(*name, bytes.clone());
        Ok(bytes)
    }

    /// Seals everything again for other recipients, key included. Names stay.
    pub(crate) fn reseal(&self, recipients: Vec<String>) -> Result<Vec<(Digest, Vec<u8>)>, SealError> {
        let mut inner = self.locked();
        let mut again = BTreeMap::new();
        for (name, bytes) in &inner.sealed {
            again.insert(*name, self.keys.seal(&recipients, &self.keys.open(bytes)?)?);
        }
        inner.sealed.clone_from(&again);
        inner.recipients = recipients;
        Ok(again.into_iter().collect())
    }

    /// Opens everything that is sealed and compares it with its name. Answers how many there are, or which one is wrong.
    /// What is not for us although one of us is among the ledger's recipients was changed.
    ///
    /// # Errors
    /// The name of the first one that is damaged, and why.
    pub fn verify(&self) -> Result<usize, (Digest, SealError)> {
        let ours = self.keys.ours();
        let for_us = self.locked().recipients.iter().any(|recipient| ours.contains(recipient));
        self.open_all().map_err(|(name, error)| match error {
            SealError::NotForUs { .. } if for_us => (name, SealError::Damaged),
            other => (name, other),
        })
    }

    fn open_all(&self) -> Result<usize, (Digest, SealError)> {
        let (mut names, key) = {
            let inner = self.locked();
            (inner.sealed.keys().copied().collect::<Vec<_>>(), inner.key_name)
        };
        // Without the key none opens: what is wrong with it is not to be said of another.
        names.sort_by_key(|name| key != Some(*name));
        for name in &names {
            if key == Some(*name) {
                let mut inner = self.locked();
                inner.key = None;
                self.key(&mut inner).map_err(|e| (*name, e))?;
            } else {
                self.locked().open.remove(name);
                self.open(name).map_err(|e| (*name, e))?;
            }
        }
        Ok(names.len())
    }

    /// Names of all secrets that are sealed here; without the key's.
    pub(crate) fn names(&self) -> BTreeSet<Digest> {
        let inner = self.locked();
        inner.sealed.keys().filter(|name| inner.key_name != Some(**name)).copied().collect()
    }

    /// They are no longer on disk.
    pub(crate) fn forget(&self, names: &[Digest]) {
        let mut inner = self.locked();
        for name in names {
            inner.sealed.remove(name);
            inner.open.remove(name);
        }
    }

    /// Whether anything is sealed at all.
    pub fn is_empty(&self) -> bool {
        self.locked().sealed.is_empty()
    }
}

fn name(key: &[u8; 32], plain: &Value) -> Digest {
    let mut out = Encoder::keyed("imm.secret.1", key);
    plain.encode(&mut out);
    out.finish()
}

fn name_of_key(key: &[u8; 32]) -> Digest {
    Encoder::keyed("imm.digest-key.1", key).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::AgeKeys;

    fn vault(dir: &std::path::Path) -> Vault {
        let keys = Arc::new(AgeKeys::at(dir.join("identity")));
        let recipients = keys.recipients().unwrap();
        let vault = Vault::new(keys);
        vault.make_key(recipients).unwrap();
        vault
    }

    #[test]
    fn equal_secrets_have_one_name_and_other_ledgers_another() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, two) = (vault(a.path()), vault(b.path()));
        let secret = Value::text("hunter2").into_secret();
        let sealed = one.seal(&secret).unwrap();
        assert_eq!(one.seal(&secret).unwrap(), sealed);
        assert_ne!(one.seal(&Value::text("hunter3").into_secret()).unwrap(), sealed);
        assert_ne!(two.seal(&secret).unwrap(), sealed);
        let Value::Sealed(name) = sealed else { panic!("{sealed:?}") };
        assert_ne!(name, Digest::of(b"hunter2"));
    }

    #[test]
    fn what_went_to_disk_is_read_by_the_next_process_and_after_a_new_key() {
        let dir = tempfile::tempdir().unwrap();
        let first = vault(dir.path());
        let Value::Sealed(name) = first.seal(&Value::text("hunter2").into_secret()).unwrap() else { panic!() };
        let (written, key) = (first.fresh().unwrap(), first.locked().key_name);
        assert_eq!(written.len(), 2);
        let keys = Arc::new(AgeKeys::at(dir.path().join("identity")));
        let next = Vault::new(keys.clone());
        next.load(key, keys.recipients().unwrap(), written);
        assert_eq!(next.open(&name).unwrap(), Value::text("hunter2"));
        assert!(next.fresh().unwrap().is_empty());

        keys.renew().unwrap();
        let again = next.reseal(keys.recipients().unwrap()).unwrap();
        let third = Vault::new(keys);
        third.load(key, Vec::new(), again);
        assert_eq!(third.open(&name).unwrap(), Value::text("hunter2"));
        assert_eq!(third.verify().unwrap(), 2);
    }

    #[test]
    fn one_secret_in_place_of_another_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(dir.path());
        let mut names = Vec::new();
        for text in ["one", "two"] {
            let Value::Sealed(name) = vault.seal(&Value::text(text).into_secret()).unwrap() else { panic!() };
            names.push(name);
        }
        vault.fresh().unwrap();
        let swapped = vault.locked().sealed[&names[1]].clone();
        vault.locked().sealed.insert(names[0], swapped);
        assert!(matches!(vault.verify(), Err((name, SealError::Damaged)) if name == names[0]));
    }
}
