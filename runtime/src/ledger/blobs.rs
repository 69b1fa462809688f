//! What entries name and do not hold: graphs, inputs, sources, by their content.

use super::{Ledger, LedgerError};
use crate::state::Object;
use crate::store::packed;
use imm_ir::{Digest, Fields, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

impl Ledger {
    /// Keeps something for the next [`append`](Self::append), by its content; answers its name.
    ///
    /// # Errors
    /// It cannot be encoded.
    pub fn keep<T: Serialize>(&mut self, value: &T) -> Result<Digest, LedgerError> {
        let bytes = postcard::to_stdvec(value)?;
        let digest = Digest::of(&bytes);
        self.blobs.push((digest, bytes));
        Ok(digest)
    }

    /// Keeps bytes with this digest for the next [`append`](Self::append).
    pub(crate) fn keep_bytes(&mut self, digest: Digest, bytes: Vec<u8>) {
        self.blobs.push((digest, bytes));
    }

    /// Reads something kept.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn load<T: DeserializeOwned>(&self, digest: &Digest) -> Result<T, LedgerError> {
        let kept = self.blobs.iter().find(|(d, _)| d == digest).map(|(_, bytes)| bytes.clone());
        let bytes = match kept {
            Some(bytes) => bytes,
            None => {
                let stored = self.store.blob(digest)?.ok_or(LedgerError::Blob(*digest))?;
                packed::open(digest, stored).ok_or(LedgerError::Blob(*digest))?
            }
        };
        postcard::from_bytes(&bytes).map_err(|_| LedgerError::Blob(*digest))
    }

    /// What an object was made with.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn inputs(&self, object: &Object) -> Result<Fields<Value>, LedgerError> {
        if object.inline.is_empty() {
            return self.load(&object.inputs);
        }
        postcard::from_bytes(&object.inline).map_err(|_| LedgerError::Blob(object.inputs))
    }

    /// All blobs with their names.
    pub(crate) fn blobs(&self) -> Result<Vec<(Digest, Vec<u8>)>, LedgerError> {
        Ok(self.store.blobs()?)
    }
}
