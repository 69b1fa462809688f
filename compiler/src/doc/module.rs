//! Pages of modules, from their syntax trees.

use super::{Entry, Page, Section};
use crate::sources;
use crate::stdlib;
use crate::world::{MemoryWorld, World};
use crate::{Failed, check::ModuleInput};
use imm_ir::{Diagnostic, Sources, Span, builtin};
use imm_syntax::ast::{self, Item, ItemKind};

/// The page of a program: everything in it that has a name, `pub` or not.
///
/// # Errors
/// It cannot be read or parsed. Other mistakes do not matter.
pub fn program(world: &dyn World, path: &str) -> Result<Page, Box<Failed>> {
    let loaded = sources::load(world, path);
    let module = loaded.modules.first().filter(|_| !loaded.diagnostics.iter().any(Diagnostic::is_error));
    match module {
        Some(module) => Ok(page(module, &loaded.sources, &shown(module, path), false)),
        None => Err(Box::new(Failed {
            sources: loaded.sources,
            diagnostics: loaded.diagnostics,
            wanted_secrets: Vec::new(),
        })),
    }
}

fn shown(module: &ModuleInput, path: &str) -> String {
    let last = sources::path::name(path.trim_end_matches('/'));
    let name = if module.name.is_empty() { last.trim_end_matches(".imm") } else { &module.name };
    if name.is_empty() || name == "." { "program".to_owned() } else { name.to_owned() }
}

/// The page of a module of the standard library, by its name without `std.`.
pub fn standard(name: &str) -> Option<Page> {
    let module = stdlib::module(name)?;
    let world = MemoryWorld::new([("main.imm", format!("import std.{name}\n").as_str())]);
    let loaded = sources::load(&world, "");
    let input = loaded.modules.iter().find(|input| input.standard.as_deref() == Some(module.name))?;
    let mut page = page(input, &loaded.sources, &format!("std.{name}"), true);
    let native: Vec<Entry> =
        builtin::functions_of(module.name).map(|(name, f)| super::builtin::entry(name, f)).collect();
    match page.sections.iter_mut().find(|section| section.title == "Functions") {
        Some(section) => section.entries.splice(0..0, native).for_each(drop),
        None if native.is_empty() => {}
        None => page.sections.push(Section { title: "Functions", entries: native }),
    }
    Some(page)
}

/// The standard library: a page of all methods, and one for each module.
pub fn library() -> Vec<Page> {
    let receivers = ["String", "List", "Map", "Option", "Number", "Int", "Float", "Duration", "Bytes", "Ratio", "Cpu"];
    let methods = receivers.into_iter().filter_map(|receiver| {
        let page = super::builtin(receiver)?;
        Some(Section { title: receiver, entries: page.sections.into_iter().flat_map(|s| s.entries).collect() })
    });
    let docs = "Methods are there without an import. What is late or secret makes the result so, as far as the method looks into it.";
    let first = Page::new("Methods", docs, methods.collect());
    std::iter::once(first).chain(stdlib::MODULES.iter().filter_map(|module| standard(module.name))).collect()
}

fn page(module: &ModuleInput, sources: &Sources, title: &str, public: bool) -> Page {
    let trees = module.files.iter().map(|(_, tree)| tree);
    let docs: Vec<&str> = trees.clone().filter_map(|tree| Some(&*tree.docs.as_ref()?.text)).collect();
    let items: Vec<&Item> =
        trees.flat_map(|tree| &tree.items).filter(|item| item.public.is_some() || !public).collect();
    Page::new(title, docs.join("\n\n"), sections(&items, sources))
}

fn sections(items: &[&Item], sources: &Sources) -> Vec<Section> {
    let of = |title: &'static str, pick: fn(&ItemKind) -> bool| Section {
        title,
        entries: items.iter().filter(|item| pick(&item.kind)).filter_map(|item| entry(item, sources)).collect(),
    };
    vec![
        of("Params", |kind| matches!(kind, ItemKind::Param(_))),
        of("Types", |kind| matches!(kind, ItemKind::Type(_))),
        of("Values", |kind| matches!(kind, ItemKind::Let(_))),
        of("Functions", |kind| matches!(kind, ItemKind::Fn(_))),
        of("Components", |kind| matches!(kind, ItemKind::Component(_))),
        of("Nodes", |kind| matches!(kind, ItemKind::Node(_))),
        of("Outputs", |kind| matches!(kind, ItemKind::Output(_))),
        of("Environments", |kind| matches!(kind, ItemKind::Environment(_))),
    ]
}

fn entry(item: &Item, sources: &Sources) -> Option<Entry> {
    let name = item.name()?.as_str().to_owned();
    let docs = item.docs.as_ref().map(|docs| docs.text.to_string()).unwrap_or_default();
    let parts = match &item.kind {
        ItemKind::Component(component) => {
            let shown = |item: &&Item| matches!(item.kind, ItemKind::Param(_) | ItemKind::Output(_));
            component.items.iter().filter(shown).filter_map(|item| entry(item, sources)).collect()
        }
        _other => Vec::new(),
    };
    Some(Entry { name, signature: signature(item, sources), docs, parts })
}

/// The declaration without what it is made of.
fn signature(item: &Item, sources: &Sources) -> String {
    let whole = item.span;
    let until = |end: Span| Span { end: end.start, ..whole };
    let text = |span: Span| sources.text(span).trim_end().trim_end_matches('=').trim_end().to_owned();
    match &item.kind {
        ItemKind::Fn(it) => text(until(it.body.span)),
        ItemKind::Component(it) => match it.items.iter().find(|i| matches!(i.kind, ItemKind::Param(_))) {
            Some(_) => format!("use NAME = {} {{ … }}", it.name),
            None => format!("use NAME = {} {{}}", it.name),
        },
        ItemKind::Node(it) => text(until(it.fields.span)),
        ItemKind::Output(it) => text(until(it.value.span)),
        ItemKind::Environment(it) => text(until(it.fields.span)),
        ItemKind::Let(it) if !is_short(&it.value) => text(until(it.value.span)),
        ItemKind::Param(_)
        | ItemKind::Let(_)
        | ItemKind::Type(_)
        | ItemKind::Import(_)
        | ItemKind::Provider(_)
        | ItemKind::Assert(_)
        | ItemKind::Test(_)
        | ItemKind::Error(_) => sources.text(whole).to_owned(),
    }
}

/// Whether a value says more than its name does.
fn is_short(value: &ast::Expr) -> bool {
    value.span.end - value.span.start <= 80
}
