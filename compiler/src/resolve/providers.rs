//! The kinds that a program's `provider` blocks bring, by the names it writes.

use crate::check::ModuleInput;
use imm_ir::{Class, SchemaSet};
use imm_syntax::ast::{self, BlockBody, Element, EntryKind, ExprKind, ItemKind, KeyKind, ListBody, Name};
use std::borrow::Cow;
use std::sync::Arc;

/// The registered schemas with the kinds of all providers that a program names, each as `NAME.kind`. Two blocks of one
/// provider are two providers: their kinds, and the objects of them, have nothing to do with each other.
pub fn with_named<'s>(modules: &[ModuleInput], schemas: &'s SchemaSet) -> Cow<'s, SchemaSet> {
    let mut all = Cow::Borrowed(schemas);
    if schemas.providers.is_empty() {
        return all;
    }
    let items = modules.iter().flat_map(|module| &module.files).flat_map(|(_, file)| &file.items);
    for item in items {
        let ItemKind::Provider(block) = &item.kind else { continue };
        let Some(provider) = schemas.providers.get(block.kind.as_str()) else { continue };
        let said = classes(block);
        let named = |kind: &str| -> Arc<str> { Arc::from(format!("{}.{kind}", block.name)) };
        for (name, kind) in &provider.kinds {
            let mut kind = kind.clone();
            if let Some((class, _)) = said.iter().find(|(_, said)| said.as_str() == &**name) {
                kind.class = *class;
            }
            kind.name = named(name);
            if let Some(expansion) = &mut kind.expands {
                expansion.kind = named(&expansion.kind);
            }
            all.to_mut().kinds.insert(Arc::clone(&kind.name), kind);
        }
    }
    all
}

/// The classes that `classes = { durable = ["vpc"] }` gives to kinds: what a schema that others wrote cannot say. Only what is written
/// out counts, since it decides what a program means.
pub fn classes(block: &ast::Provider) -> Vec<(Class, Name)> {
    let mut found = Vec::new();
    for (key, value) in fields(&block.fields).filter(|(key, _)| *key == "classes").flat_map(|(_, value)| listed(value))
    {
        let class = [Class::Resource, Class::Durable, Class::Pointer, Class::External];
        let Some(class) = class.into_iter().find(|class| class.keyword() == key) else { continue };
        let ExprKind::List(ListBody::Elements(elements)) = &value.unparenthesized().kind else { continue };
        for Element { value, .. } in elements {
            if let ExprKind::Str(text) = &value.kind
                && let Some(name) = text.plain()
            {
                found.push((class, Name { text: name.into(), span: value.span }));
            }
        }
    }
    found
}

fn listed(value: &ast::Expr) -> impl Iterator<Item = (&str, &ast::Expr)> {
    let block = if let ExprKind::Block(block) = &value.unparenthesized().kind { Some(block) } else { None };
    block.into_iter().flat_map(fields)
}

/// The fields of a block that are written out.
fn fields(block: &ast::Block) -> impl Iterator<Item = (&str, &ast::Expr)> {
    let entries = if let BlockBody::Entries(entries) = &block.body { entries.as_slice() } else { &[] };
    entries.iter().filter_map(|entry| match &entry.kind {
        EntryKind::Field { key, value } => match &key.kind {
            KeyKind::Name(name) => Some((name.as_str(), value)),
            KeyKind::Str(_) | KeyKind::Computed(_) => None,
        },
        EntryKind::Short(_) | EntryKind::Spread(_) | EntryKind::Error => None,
    })
}

/// The provider of a kind, as its name says: `aws` of `aws.instance`, and the built-in platform of `service`.
pub fn of(kind: &str) -> &str {
    kind.split_once('.').map_or("host", |(name, _)| name)
}
