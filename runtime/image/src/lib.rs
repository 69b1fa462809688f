//! Golden images: OCI images built from content, the same bytes everywhere.
//!
//! A [`Recipe`] names everything that goes into an image; its digest is known before anything is built. A [`Store`] turns
//! recipes into an OCI image layout on disk (other tools read it as it is) and unpacks layers for the container runtime.
//! [`elf::executable`] finds the interpreter and the libraries a program needs, so that any program of this machine
//! becomes an image; [`foreign`] reads images that others made, which may be the base of one.
//!
//! Guarantees: the same recipe gives the same bytes on any machine, by any user, under any umask; several processes may
//! build into one store at once; what a crash leaves behind is never taken for content.
//!
//! It does not talk to registries, runs no programs, and decides nothing about when an image is built or collected.

mod digest;
pub mod elf;
mod error;
pub mod foreign;
mod hashing;
mod identity;
mod layer;
mod oci;
mod recipe;
mod store;

pub use digest::{ContentDigest, InvalidDigest, RecipeDigest};
pub use error::{ImageError, Result};
pub use identity::{FileContent, Identities};
pub use oci::{ImageConfig, MANIFEST_MEDIA_TYPE};
pub use recipe::{Base, Entry, Mode, Recipe};
pub use store::{Built, Collected, Hold, Progress, Store};
