//! Pages of the types that are in scope in every module.

use super::{Entry, Page, Section};
use imm_ir::{FieldType, RecordType, Type, kinds};

/// The page of a type of the kinds, for example `Health`.
pub(super) fn page(name: &str) -> Option<Page> {
    let ty = kinds::types().get(name)?;
    let signature = format!("type {name} = {}", definition(ty));
    let users = kinds::builtin().kinds.values().flat_map(|kind| {
        kind.fields
            .iter()
            .filter(|field| mentions(&field.ty, name))
            .map(|field| format!("`{}` of `{}`", field.name, kind.name))
    });
    let users: Vec<String> = users.collect();
    let used = if users.is_empty() { String::new() } else { format!(" Used by {}.", users.join(", ")) };
    let docs = format!("In scope in every module.{used}");
    let entry = Entry { name: name.to_owned(), signature, docs, parts: Vec::new() };
    Some(Page::new(name, "", vec![Section { title: "Type", entries: vec![entry] }]))
}

/// What stands behind the `=` of its declaration.
fn definition(ty: &Type) -> String {
    match ty {
        Type::Variant(variant) => {
            let case = |case: &imm_ir::VariantCase| match case.payload.fields.as_slice() {
                [] => case.tag.to_string(),
                _some => format!("{} {}", case.tag, record(&case.payload)),
            };
            variant.variants.iter().map(case).collect::<Vec<_>>().join(" | ")
        }
        Type::Record(fields) => record(fields),
        Type::Refined(refined) => format!("{} where {}", refined.base, refined.text),
        other => other.to_string(),
    }
}

fn record(record: &RecordType) -> String {
    let field = |field: &FieldType| match &field.default {
        Some(default) => format!("{}: {} = {default:?}", field.name, field.ty),
        None => format!("{}: {}", field.name, field.ty),
    };
    format!("{{ {} }}", record.fields.iter().map(field).collect::<Vec<_>>().join(", "))
}

/// Whether a type's text has this name as a word.
fn mentions(ty: &Type, name: &str) -> bool {
    ty.to_string().split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name)
}
