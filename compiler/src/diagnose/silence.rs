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
    let unknown_fields = found.iter().filter(|d| d.code == code::UNKNOWN_FIELD).map(Diagnostic::span);
    let loop_fields: Vec<Span> =
        unknown_fields.filter(|at| matches!(sources.text(*at), "for_each" | "count")).collect();
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
            let joint =
                [code::DEPENDENCY_CYCLE, code::CANNOT_COEXIST, code::EXCLUSIVE_VOLUME, code::CANARY_NEEDS_OVERLAP];
            let touched = joint.contains(&diagnostic.code)
                && diagnostic.labels.iter().any(|l| {
                    broken
                        .iter()
                        .any(|item| item.file == l.span.file && item.start <= l.span.start && l.span.start <= item.end)
                });
            !diagnostic.is_error() || !(touched || broken.iter().any(inside))
        });
    }
    found.retain(|diagnostic| !follows_from_a_loop_field(diagnostic, &loop_fields, modules, sources));
    let mut names = BTreeSet::new();
    for (_, tree) in modules.iter().flat_map(|module| &module.files) {
        unread(&tree.items, &mut names);
    }
    for diagnostic in syntax {
        names.extend(brought(diagnostic, sources));
    }
    if !names.is_empty() {
        found.retain(|diagnostic| {
            let misses = [code::UNKNOWN_FIELD, code::UNKNOWN_NAME, code::UNKNOWN_KIND].contains(&diagnostic.code);
            let text = || sources.get(diagnostic.span().file)?.text.get(diagnostic.span().range());
            !misses || text().is_none_or(|text| !names_it(&names, text))
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

/// Whether one of these names is meant: also by what hangs on it, and where a missing bracket made it longer.
fn names_it(names: &BTreeSet<&str>, text: &str) -> bool {
    let word = text.split('.').next().unwrap_or(text);
    let mut from = names.range(word..);
    from.next().is_some_and(|name| *name == word || word.len() > 2 && name.starts_with(word))
}

/// Names that a part which was not understood would have brought: the prefix of what another language declares there, the
/// module that an import means.
fn brought<'a>(diagnostic: &'a Diagnostic, sources: &Sources) -> Option<&'a str> {
    if diagnostic.code == code::UNKNOWN_NAME {
        let module = diagnostic.fixes.first()?.edits.first()?;
        return module.text.rsplit('.').next();
    }
    match sources.text(diagnostic.span()) {
        "variable" => Some("var"),
        "locals" => Some("local"),
        "data" => Some("data"),
        "module" => Some("module"),
        _other => None,
    }
}

/// `each.key` in a node whose `for_each` is a mistake.
fn follows_from_a_loop_field(
    diagnostic: &Diagnostic,
    fields: &[Span],
    modules: &[ModuleInput],
    sources: &Sources,
) -> bool {
    if diagnostic.code != code::UNKNOWN_NAME || fields.is_empty() {
        return false;
    }
    let field = match sources.text(diagnostic.span()) {
        "each" => "for_each",
        "count" => "count",
        _other => return false,
    };
    let item = |at: Span| {
        let files = modules.iter().flat_map(|module| &module.files).filter(|(file, _)| *file == at.file);
        files.filter_map(|(_, tree)| around(&tree.items, at.start)).max_by_key(|item| item.start)
    };
    let here = item(diagnostic.span());
    fields.iter().any(|at| sources.text(*at) == field && item(*at) == here)
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
