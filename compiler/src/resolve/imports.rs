//! What an import means. Modules that import each other or are nowhere were reported when they were loaded.

use super::Import;
use crate::check::ModuleInput;
use imm_ir::Span;
use imm_syntax::ast::{self, ImportPath};

/// The target of an import.
pub(super) fn import(ast: &ast::Import, module: &ModuleInput) -> Import {
    match module.imports.get(&ast.path.span()) {
        Some(Some(index)) => Import::Module(*index),
        Some(None) | None => Import::Missing,
    }
}

/// The name an import brings, and its place.
pub fn alias(ast: &ast::Import) -> Option<(&str, Span)> {
    if let Some(alias) = &ast.alias {
        return Some((alias.as_str(), alias.span));
    }
    match &ast.path {
        ImportPath::Module(segments) => segments.last().map(|name| (name.as_str(), name.span)),
        ImportPath::Folder(path) => {
            let text = path.plain()?;
            let last = text.trim_end_matches('/').rsplit('/').next()?;
            Some((last.strip_suffix(".imm").unwrap_or(last), path.span))
        }
    }
}
