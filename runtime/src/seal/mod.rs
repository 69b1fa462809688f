//! Secrets: sealed before anything is planned or recorded, opened only on the way into a provider.
//!
//! Guarantees: plans, entries, blobs, events and plan files hold a [`Value::Sealed`](imm_ir::Value::Sealed), which is a
//! digest under a random key of the lineage: equal secrets are equal, and nobody can try out what a short one may be. The
//! bytes are in the ledger once, encrypted to the ledger's age recipients; the key itself, too. Does not hide that a secret
//! changed, or that two are equal, from who reads the ledger.
//!
//! To read: [`keys`] (the identity of this machine), [`vault`] (what is known of one ledger's secrets), [`walk`] (secrets of
//! a graph), [`provider`] (a provider that never lets one through in the clear to the engine).

pub mod keys;
pub mod provider;
pub mod vault;
pub mod walk;

pub use keys::{AgeKeys, Keys};
pub use vault::Vault;

/// Why a secret cannot be sealed or opened. Never says anything of the secret.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The identity cannot be read or made.
    #[error("the identity {path}: {why}")]
    Identity {
        /// Its file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// None of our identities is among the recipients.
    #[error(
        "secrets of this ledger are sealed for other identities than those in {path}: put the right one there, or have somebody who can open them run `imm key add RECIPIENT` with this machine's (`imm key` prints it)"
    )]
    NotForUs {
        /// Our identity's file.
        path: String,
    },
    /// No identity belongs to this use of the ledger.
    #[error("there is no identity to seal secrets with")]
    NoKeys,
    /// A recipient's text is not one.
    #[error("`{0}` is not an age recipient; one looks like age1… and is printed by `imm key`")]
    Recipient(String),
    /// What was sealed is damaged.
    #[error("a sealed secret is damaged")]
    Damaged,
    /// The ledger names a secret that it does not have.
    #[error("sealed secret {0} is not in the ledger")]
    Absent(String),
    /// Something cannot be encoded.
    #[error("cannot encode: {0}")]
    Encode(#[from] postcard::Error),
}
