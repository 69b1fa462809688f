//! What is said of an item whose text is broken: nothing but that. What the checker finds in it may follow from what was
//! misread, and whoever repairs the text learns the rest afterwards. All other items are checked as ever, but what they
//! miss of a broken one is no second mistake.

use crate::check::ModuleInput;
use imm_ir::{Applicability, Diagnostic, Sources, Span, code};
use imm_syntax::ast::{Item, ItemKind};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Removes what was found in items that have a problem of syntax, or about names that such an item should declare.
pub(crate) fn what_follows(
    found: &mut Vec<Diagnostic>,
    syntax: &[Diagnostic],
    modules: &[ModuleInput],
    sources: &Sources,
) {
    let mut broken: Vec<Span> = Vec::new();
    for diagnostic in syntax.iter().filter(|d| spoils(d)) {
        let at = diagnostic.span();
        let files = modules.iter().flat_map(|module| &module.files);
        let items = files.filter(|(file, _)| *file == at.file).map(|(_, tree)| tree.items.as_slice());
        broken.extend(items.filter_map(|items| around(items, at.start)).max_by_key(|item| item.start));
    }
    if !broken.is_empty() {
        found.retain(|diagnostic| {
            let at = diagnostic.span();
            let inside = |item: &Span| item.file == at.file && item.start <= at.start && at.start <= item.end;
            let circle = diagnostic.code == code::DEPENDENCY_CYCLE;
            let touched = circle
                && diagnostic.labels.iter().any(|l| {
                    broken
                        .iter()
                        .any(|item| item.file == l.span.file && item.start <= l.span.start && l.span.start <= item.end)
                });
            !diagnostic.is_error() || !(touched || broken.iter().any(inside))
        });
    }
    let mut names = BTreeSet::new();
    for (_, tree) in modules.iter().flat_map(|module| &module.files) {
        unread(&tree.items, &mut names);
    }
    if !names.is_empty() {
        found.retain(|diagnostic| {
            let misses = [code::UNKNOWN_FIELD, code::UNKNOWN_NAME, code::UNKNOWN_KIND].contains(&diagnostic.code);
            let text = || sources.get(diagnostic.span().file)?.text.get(diagnostic.span().range());
            !misses || text().is_none_or(|text| !names.contains(text))
        });
    }
}

/// Takes what broken items declare out of the program: a type or a param that was half read would make mistakes of right
/// uses. Nodes stay, since their type does not depend on their fields, and so do components, but for what is broken inside.
pub(crate) fn withdraw(syntax: &[Diagnostic], modules: &mut [ModuleInput]) {
    for diagnostic in syntax.iter().filter(|d| spoils(d)) {
        let at = diagnostic.span();
        let files = modules.iter_mut().flat_map(|module| &mut module.files);
        for (_, tree) in files.filter(|(file, _)| *file == at.file) {
            withdrawn(&mut Arc::make_mut(tree).items, at.start);
        }
    }
}

fn withdrawn(items: &mut [Item], at: u32) {
    let Some(item) = items.iter_mut().rev().find(|item| item.span.start <= at) else { return };
    let name = match &mut item.kind {
        ItemKind::Component(component) if at <= item.span.end => return withdrawn(&mut component.items, at),
        ItemKind::Type(declared) => declared.name.clone(),
        ItemKind::Param(declared) => declared.name.clone(),
        ItemKind::Let(declared) => declared.name.clone(),
        ItemKind::Fn(declared) => declared.name.clone(),
        _stays => return,
    };
    item.kind = ItemKind::Error(Some(name));
}

/// The names of items that could not be read.
fn unread<'a>(items: &'a [Item], names: &mut BTreeSet<&'a str>) {
    for item in items {
        match &item.kind {
            ItemKind::Error(Some(name)) => _ = names.insert(name.as_str()),
            ItemKind::Component(component) => unread(&component.items, names),
            _read => {}
        }
    }
}

/// Whether the tree is another one than what was meant. Where a fix is safe it is the same.
fn spoils(diagnostic: &Diagnostic) -> bool {
    let of_text = [code::SYNTAX, code::UNCLOSED_BRACKET, code::DANGLING_OPERATOR, code::UNTERMINATED_STRING];
    of_text.contains(&diagnostic.code) && !diagnostic.fixes.iter().any(|fix| fix.applicability == Applicability::Safe)
}

/// The item that a place belongs to; of a component the item inside.
fn around(items: &[Item], at: u32) -> Option<Span> {
    let item = items.iter().rev().find(|item| item.span.start <= at)?;
    if let ItemKind::Component(component) = &item.kind
        && at <= item.span.end
        && let Some(inner) = around(&component.items, at)
    {
        return Some(inner);
    }
    // A bracket too many may stand behind the item that it damaged.
    Some(Span { end: item.span.end.max(at), ..item.span })
}
