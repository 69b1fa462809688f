//! Why a ledger cannot be read or written.

use crate::entry::Unreadable;
use crate::seal::SealError;
use crate::state::Illegal;
use crate::store::StoreError;
use imm_ir::Digest;

/// Why the ledger cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The disk, the fence or an abort.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The chain is broken.
    #[error("entry {seq} was changed, moved or removed: {why}")]
    Broken {
        /// Where.
        seq: u64,
        /// What does not fit.
        why: String,
    },
    /// An entry cannot follow. In an existing ledger: damage. While writing: a fault in this program.
    #[error("entry {seq} cannot follow: {illegal}")]
    Illegal {
        /// Where.
        seq: u64,
        /// Why.
        illegal: Illegal,
    },
    /// A blob that an entry names is not there, or not what its name says.
    #[error("blob {0} is missing or damaged")]
    Blob(Digest),
    /// A write failed before; only opening it again tells what is on the disk.
    #[error("the ledger could not be written before; run `imm recover`")]
    Failed,
    /// Something cannot be encoded.
    #[error("cannot encode: {0}")]
    Encode(#[from] postcard::Error),
    /// A secret cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
}
