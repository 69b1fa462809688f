//! The secrets of a ledger: what they are sealed with, and for whom.

use super::{Ledger, LedgerError};
use crate::entry::Body;
use crate::seal::{Keys, Vault};
use std::sync::Arc;

impl Ledger {
    /// Gives it what its secrets are sealed and opened with; without, whatever needs one fails.
    ///
    /// # Errors
    /// The sealed secrets cannot be read.
    pub fn with_keys(mut self, keys: Arc<dyn Keys>) -> Result<Self, LedgerError> {
        let vault = Vault::new(keys);
        vault.load(self.state.digest_key, self.state.recipients.clone(), self.store.sealed()?);
        self.vault = Arc::new(vault);
        Ok(self)
    }

    /// Its secrets.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// Seals all secrets again for these recipients. Names and digests stay.
    ///
    /// # Errors
    /// We cannot open one of them, a recipient is none, or the store refuses.
    pub fn rekey(&mut self, recipients: Vec<String>) -> Result<(), LedgerError> {
        let digest_key = match self.state.digest_key {
            Some(name) => name,
            None => self.vault.make_key(recipients.clone())?,
        };
        let sealed = self.vault.reseal(recipients.clone())?;
        let body = Body::Rekeyed { recipients, digest_key, assumed_equal: Vec::new() };
        self.write_sealed(None, vec![body], true, None, sealed)
    }
}
