//! The nouns that the compiler and the runtime share. No IO, no async, no parser.

pub mod code;
mod diagnostic;
mod span;

pub use diagnostic::Code;
pub use diagnostic::{Applicability, Diagnostic, Edit, Fix, Label, Severity};
pub use span::{FileId, Loc, SourceFile, Sources, Span};
