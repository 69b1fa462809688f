//! Names resolved and types checked: [`ModuleInput`]s to a [`TypedModule`].
//!
//! [`check`] never fails and never panics: it returns what it could make of the program, and diagnostics. A program with
//! errors must not be evaluated. Declarations are checked when first needed, so that a `let` has its type wherever it
//! stands; what is broken has [`Type::Error`](imm_ir::Type::Error), which fits everywhere and so silences what follows.
//!
//! Read `checker` (state), `items`, `nodes`, then `expr` and its parts: `names`, `blocks` with `fields` and `elements`, `access`, `calls`
//! with `arguments`, `methods` and `contents`, `operators`, `branches`. `reach` is for checking a part of a program. Which type
//! fits where is in `crate::types`, the wording in `crate::diagnose`.

mod access;
mod arguments;
mod blocks;
mod branches;
mod calls;
mod checker;
mod common;
mod contents;
mod elements;
mod expr;
pub(crate) mod facts;
mod fields;
mod finish;
mod heads;
mod input;
pub(crate) mod inspect;
mod items;
mod methods;
mod names;
mod nodes;
mod operators;
mod reach;
mod rules;
mod testing;
mod typing;

#[cfg(test)]
mod tests;

pub use input::ModuleInput;
pub(crate) use items::setting_types;

use crate::hir::TypedModule;
use crate::resolve::providers;
use crate::stop;
use checker::Checker;
use imm_ir::{Diagnostic, FileId, SchemaSet, Sources};
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// At most so many errors of one file are reported.
const MOST_ERRORS_A_FILE: usize = 20;

/// Checks the program whose root is `modules[root]`. `sources` holds the texts of all files, for messages.
pub fn check(
    modules: &[ModuleInput],
    root: usize,
    sources: &Sources,
    schemas: &SchemaSet,
) -> (TypedModule, Vec<Diagnostic>) {
    check_some(modules, root, sources, schemas, None)
}

/// The same of some parts of its files and whatever those need; `None`: of all. What is not looked at is in no body.
pub(crate) fn check_some(
    modules: &[ModuleInput],
    root: usize,
    sources: &Sources,
    schemas: &SchemaSet,
    asked: Option<&FxHashSet<FileId>>,
) -> (TypedModule, Vec<Diagnostic>) {
    let all = providers::with_named(modules, schemas);
    let (mut module, mut found) = stop::on_deep_stack(&|| {
        let mut checker = Checker::new(modules, sources, &all);
        checker.asked = asked.cloned();
        checker.reach(root);
        checker.declarations();
        checker.finish(root)
    });
    let prefixed = |kind: &&Arc<str>| !schemas.kinds.contains_key(*kind);
    let provided =
        all.kinds.keys().filter(prefixed).filter_map(|kind| Some((Arc::clone(kind), all.get(kind)?.clone())));
    module.provided = provided.collect();
    let place = |diagnostic: &Diagnostic| sources.whole(diagnostic.span());
    found.sort_by(|a, b| (place(a), a.code, &a.message).cmp(&(place(b), b.code, &b.message)));
    found.dedup();
    let mut counts = std::collections::BTreeMap::new();
    found.retain(|diagnostic| {
        let count = counts.entry(place(diagnostic).file).or_insert(0usize);
        *count += usize::from(diagnostic.is_error());
        !diagnostic.is_error() || *count <= MOST_ERRORS_A_FILE
    });
    (module, found)
}
