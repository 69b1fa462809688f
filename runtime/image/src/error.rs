//! What can go wrong with an image: each message says what, where, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::ContentDigest;

/// The result of this crate's functions.
pub type Result<T, E = ImageError> = std::result::Result<T, E>;

/// What can go wrong while an image is described, built, unpacked or collected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The file system refused.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried, as a verb: "read", "write".
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file changed between the moment its digest was taken and the moment it was put into the image.
    #[error("input-changed: {path} changed while the image was built (it was {was}, it is {is}); run the command again", path = path.display())]
    InputChanged {
        /// The file.
        path: PathBuf,
        /// What the recipe says: size and digest.
        was: String,
        /// What was read.
        is: String,
    },
    /// A path that cannot be in an image.
    #[error("`{path}` cannot be a file of an image: {reason}")]
    Path {
        /// The path.
        path: String,
        /// Why not.
        reason: String,
    },
    /// Two different contents for one path.
    #[error("duplicate-key: `{path}` is given twice with different content ({first}, {second}); keep one of them")]
    Duplicate {
        /// The path in the image.
        path: String,
        /// Where the first content comes from.
        first: String,
        /// Where the second content comes from.
        second: String,
    },
    /// A field of the recipe that has no meaning in an image.
    #[error("the image's {field} is wrong: {reason}")]
    Field {
        /// The field.
        field: &'static str,
        /// Why.
        reason: String,
    },
    /// A file that was to become an executable of an image and is none.
    #[error("{path} cannot be an executable of an image: {reason}", path = path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// What was to be an image that others made and is none that can be read.
    #[error("{path} is no image that can be a base: {reason}", path = path.display())]
    NotImage {
        /// The folder or file.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// A shared library that is nowhere.
    #[error(
        "`{library}`, which {needed_by} needs, was not found (looked in {looked_in}); install it, or set the program's RUNPATH",
        needed_by = needed_by.display()
    )]
    MissingLibrary {
        /// The name in DT_NEEDED.
        library: String,
        /// The file that needs it.
        needed_by: PathBuf,
        /// The places, comma separated.
        looked_in: String,
    },
    /// A shared library was found only for another processor.
    #[error(
        "`{library}`, which {needed_by} needs, is for {found_machine} at {found} while the program is for {machine}; install the library for {machine}",
        needed_by = needed_by.display(), found = found.display()
    )]
    WrongMachine {
        /// The name in DT_NEEDED.
        library: String,
        /// The file that needs it.
        needed_by: PathBuf,
        /// The file that was found.
        found: PathBuf,
        /// Its processor.
        found_machine: String,
        /// The program's processor.
        machine: String,
    },
    /// The store holds no such image, or not all of it.
    #[error("image {manifest} is not in the store at {store}: {reason}; build it again", store = store.display())]
    Absent {
        /// The manifest.
        manifest: ContentDigest,
        /// The store's folder.
        store: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A blob whose bytes are not what its name says.
    #[error("{path} is damaged: {reason}; delete it and build again", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The store is in use by a build or an apply, so nothing can be collected now.
    #[error("the image store at {store} is in use by a build; try again when it has ended", store = store.display())]
    Busy {
        /// The store's folder.
        store: PathBuf,
    },
}

impl ImageError {
    /// Makes an [`ImageError::Io`] from the system's error.
    pub(crate) fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}
