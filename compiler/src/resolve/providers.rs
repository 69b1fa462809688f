//! The kinds that a program's `provider` blocks bring, by the names it writes.

use crate::check::ModuleInput;
use imm_ir::SchemaSet;
use imm_syntax::ast::ItemKind;
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
        let named = |kind: &str| -> Arc<str> { Arc::from(format!("{}.{kind}", block.name)) };
        for (name, kind) in &provider.kinds {
            let mut kind = kind.clone();
            kind.name = named(name);
            if let Some(expansion) = &mut kind.expands {
                expansion.kind = named(&expansion.kind);
            }
            all.to_mut().kinds.insert(Arc::clone(&kind.name), kind);
        }
    }
    all
}

/// The provider of a kind, as its name says: `aws` of `aws.instance`, and the built-in platform of `service`.
pub fn of(kind: &str) -> &str {
    kind.split_once('.').map_or("host", |(name, _)| name)
}
