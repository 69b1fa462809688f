//! What the checker is given: parsed modules whose imports were already located.

use imm_ir::{FileId, Span};
use imm_syntax::ast;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One module: the files of a folder, or one file.
#[derive(Clone, Debug, Default)]
pub struct ModuleInput {
    /// Its name for people, for example `limits`.
    pub name: Arc<str>,
    /// Its files, or the parts of them, in a fixed order.
    pub files: Vec<(FileId, Arc<ast::Module>)>,
    /// Its name without `std.`, if it is of the standard library.
    pub standard: Option<Arc<str>>,
    /// For each import the module it means: an index into the list given to [`check`](super::check), by the
    /// span of what is imported. `None` (or absent): it could not be read, which was reported.
    pub imports: BTreeMap<Span, Option<usize>>,
}
