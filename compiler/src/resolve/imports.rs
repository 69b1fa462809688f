//! What an import means. Modules that import each other were reported when they were loaded.

use super::Import;
use crate::check::ModuleInput;
use crate::diagnose::names;
use imm_ir::{Diagnostic, Span, builtin};
use imm_syntax::ast::{self, ImportPath};

/// The standard modules of this version, with `std.`.
fn standard() -> Vec<String> {
    let mut modules: Vec<String> = builtin::functions()
        .iter()
        .filter_map(|f| f.name.split_once('.'))
        .map(|(module, _)| format!("std.{module}"))
        .collect();
    modules.sort();
    modules.dedup();
    modules
}

/// The target of an import.
pub(super) fn import<'a>(ast: &'a ast::Import, module: &ModuleInput, found: &mut Vec<Diagnostic>) -> Import<'a> {
    match &ast.path {
        ImportPath::Folder(path) => match module.imports.get(&path.span) {
            Some(Some(index)) => Import::Module(*index),
            Some(None) | None => Import::Missing,
        },
        ImportPath::Module(segments) => {
            let words: Vec<&'a str> = segments.iter().map(ast::Name::as_str).collect();
            let full = words.join(".");
            let known = standard();
            let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return Import::Missing };
            match words.as_slice() {
                ["std", name] if known.contains(&full) => Import::Std(name),
                _other => {
                    let known: Vec<&str> = known.iter().map(String::as_str).collect();
                    found.push(names::no_such_module(&full, first.span.to(last.span), &known));
                    Import::Missing
                }
            }
        }
    }
}

/// The name an import brings, and its place.
pub(super) fn alias(ast: &ast::Import) -> Option<(&str, Span)> {
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
