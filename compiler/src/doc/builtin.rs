//! Pages of kinds, methods and functions that are not written in imm.

use super::{Entry, Page, Section};
use imm_ir::builtin::{self, Shape, Signature};
use imm_ir::{FieldClass, FieldSchema, KindSchema, Type, kinds};

/// The page of a kind (`route`), a type of kinds (`Health`), a method (`String.split`), all methods of a type (`String`) or a function of a standard
/// module (`net.subnet`).
pub fn builtin(name: &str) -> Option<Page> {
    if let Some(kind) = kinds::builtin().get(name) {
        return Some(kind_page(kind));
    }
    if let Some(page) = super::types::page(name) {
        return Some(page);
    }
    let single = |title: &'static str, name: &str, entry: Entry| {
        Page::new(name, "", vec![Section { title, entries: vec![entry] }])
    };
    if let Some(signature) = builtin::function(name) {
        return Some(single("Function", name, entry(name, signature)));
    }
    if let Some((module, word)) = name.split_once('.')
        && let Some(page) = super::standard(module)
    {
        let entries = page.sections.into_iter().flat_map(|section| section.entries);
        return entries.into_iter().find(|entry| entry.name == word).map(|entry| single("In the module", name, entry));
    }
    let (receiver, method) = name.split_once('.').unwrap_or((name, ""));
    let of: Vec<Entry> = builtin::methods()
        .iter()
        .filter(|m| m.receiver.as_ref().is_some_and(|shape| receiver_name(shape) == receiver))
        .filter(|m| method.is_empty() || m.name == method)
        .map(|m| entry(m.name, m))
        .collect();
    if of.is_empty() && method.is_empty() {
        return every_method(name);
    }
    (!of.is_empty()).then(|| Page::new(name, "", vec![Section { title: "Methods", entries: of }]))
}

/// A method by its name alone: those of all types.
fn every_method(name: &str) -> Option<Page> {
    let of = builtin::methods().iter().filter(|m| m.name == name);
    let full = |m: &Signature| format!("{}.{name}", m.receiver.as_ref().map(receiver_name).unwrap_or_default());
    let entries: Vec<Entry> = of.map(|m| Entry { name: full(m), ..entry(m.name, m) }).collect();
    (!entries.is_empty()).then(|| Page::new(name, "", vec![Section { title: "Methods", entries }]))
}

/// All names that [`builtin()`] has a page for.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = kinds::builtin().kinds.keys().map(ToString::to_string).collect();
    names.extend(kinds::types().keys().map(ToString::to_string));
    names.extend(builtin::functions().iter().map(|f| f.name.to_owned()));
    for method in builtin::methods() {
        let receiver = method.receiver.as_ref().map(receiver_name).unwrap_or_default();
        names.push(format!("{receiver}.{}", method.name));
        names.push(receiver);
        names.push(method.name.to_owned());
    }
    for module in &crate::stdlib::MODULES {
        let sections = super::standard(module.name).into_iter().flat_map(|page| page.sections);
        let entries = sections.flat_map(|section| section.entries);
        names.extend(entries.map(|entry| format!("{}.{}", module.name, entry.name)));
    }
    names.sort();
    names.dedup();
    names
}

fn kind_page(kind: &KindSchema) -> Page {
    let inputs = kind.fields.iter().map(|field| Entry {
        name: field.name.to_string(),
        signature: input(field),
        docs: format!("{}. {}", field.doc.trim_end_matches('.'), what_a_change_does(field.class)),
        parts: Vec::new(),
    });
    let outputs = kind.outputs.iter().map(|output| Entry {
        name: output.name.to_string(),
        signature: format!("{}: {}", output.name, output.ty),
        docs: output.doc.to_string(),
        parts: Vec::new(),
    });
    let docs = format!("{}\n\nDeclared as `{} NAME = {} {{ … }}`.", kind.doc, kind.class.keyword(), kind.name);
    Page::new(
        kind.name.to_string(),
        docs,
        vec![
            Section { title: "Inputs", entries: inputs.collect() },
            Section { title: "Outputs", entries: outputs.collect() },
        ],
    )
}

/// An input as pages show it.
pub(crate) fn input(field: &FieldSchema) -> String {
    let written = format!("{}: {}", field.name, field.ty);
    match (&field.default, field.required) {
        (_, true) => format!("{written}  (required)"),
        (Some(default), false) => format!("{written} = {default:?}"),
        (None, false) => written,
    }
}

fn what_a_change_does(class: FieldClass) -> &'static str {
    match class {
        FieldClass::Identity => "A change makes a new object.",
        FieldClass::Movable => "A change is switched in place.",
        FieldClass::Policy => "A change replaces nothing.",
        FieldClass::Shape => "Decides how many objects there are.",
    }
}

/// A method or function.
pub(crate) fn entry(name: &str, signature: &Signature) -> Entry {
    let params = signature.params.iter().map(|p| format!("{}: {}", p.name, shown(&p.shape)));
    let params = params.collect::<Vec<_>>().join(", ");
    let before = signature.receiver.as_ref().map(|shape| format!("{}.", shown(shape))).unwrap_or_default();
    let declared = match signature.receiver {
        Some(_) => name,
        None => signature.name,
    };
    let written = format!("{before}{declared}({params}) -> {}", shown(&signature.result));
    Entry { name: name.to_owned(), signature: written, docs: signature.doc.to_owned(), parts: Vec::new() }
}

/// What people call the type that has a method.
fn receiver_name(shape: &Shape) -> String {
    match shape {
        Shape::Is(ty) => ty.to_string(),
        Shape::List(_) => "List".to_owned(),
        Shape::Map(_) => "Map".to_owned(),
        Shape::Option(_) => "Option".to_owned(),
        Shape::Var(_) | Shape::Record(_) | Shape::Function(..) => "Number".to_owned(),
    }
}

/// A shape as people write types.
pub(crate) fn shown(shape: &Shape) -> String {
    match shape {
        Shape::Is(Type::Never) => "nothing".to_owned(),
        Shape::Is(ty) => ty.to_string(),
        Shape::Var(n) => ["T", "U", "V"].get(*n).copied().unwrap_or("W").to_owned(),
        Shape::List(inner) => format!("[{}]", shown(inner)),
        Shape::Map(inner) => format!("Map[{}]", shown(inner)),
        Shape::Option(inner) => format!("{}?", shown(inner)),
        Shape::Record(fields) => {
            let fields = fields.iter().map(|(name, shape)| format!("{name}: {}", shown(shape))).collect::<Vec<_>>();
            format!("{{ {} }}", fields.join(", "))
        }
        Shape::Function(params, result) => {
            let params = params.iter().map(shown).collect::<Vec<_>>().join(", ");
            format!("({params}) => {}", shown(result))
        }
    }
}
