//! Documentation as data: pages of modules, kinds, methods and functions, from `///` comments and from schemas.
//!
//! What a page says is made here (`module`, `builtin`), what it looks like elsewhere: [`markdown()`] for files, the command
//! line for a terminal. Signatures are shown as they were written. It prints nothing and reads only through a `World`.

mod builtin;
mod markdown;
mod module;
mod types;

pub use builtin::{builtin, names};
pub(crate) use builtin::{entry as signature_entry, input as shown_input, shown as shown_shape};
pub use markdown::markdown;
pub use module::{library, program, standard};

use serde::Serialize;

/// The documentation of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Its name.
    pub title: String,
    /// What is said of it as a whole, Markdown.
    pub docs: String,
    /// What is in it; a section without entries is left out.
    pub sections: Vec<Section>,
}

/// Entries of one sort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// What they are: `Params`, `Functions`, …
    pub title: &'static str,
    /// In source order.
    pub entries: Vec<Entry>,
}

/// One thing with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// How it is declared or used, in imm.
    pub signature: String,
    /// What is said of it, Markdown.
    pub docs: String,
    /// What is in it: params and outputs of a component.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Entry>,
}

impl Page {
    fn new(title: impl Into<String>, docs: impl Into<String>, sections: Vec<Section>) -> Self {
        let sections = sections.into_iter().filter(|section| !section.entries.is_empty()).collect();
        Self { title: title.into(), docs: docs.into(), sections }
    }
}

#[cfg(test)]
mod tests;
