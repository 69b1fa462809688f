//! Names behind a dot, keys of blocks, types and kinds.

use super::{Completion, CompletionKind, item};
use crate::check::facts::{BlockOf, KnownBlock, Symbol};
use crate::check::inspect::Inspection;
use crate::resolve::Def;
use crate::types::{peel, unrefined};
use imm_ir::{Type, builtin};
use imm_syntax::ast::NodeKeyword;

pub(super) fn members(inspection: &mut Inspection<'_>, of: &Type, tested: bool) -> Vec<Completion> {
    let mut all = Vec::new();
    let core = unrefined(&peel(of).0).clone();
    match &core {
        Type::Record(record) => all.extend(record.fields.iter().map(|field| Completion {
            detail: field.ty.to_string(),
            rank: 0,
            ..item(&field.name, CompletionKind::Field)
        })),
        Type::Handle(kind) => {
            let outputs = inspection.schemas().get(kind).into_iter().flat_map(|schema| &schema.outputs);
            all.extend(outputs.map(|output| Completion {
                detail: output.ty.to_string(),
                docs: output.doc.to_string(),
                rank: 0,
                ..item(&output.name, CompletionKind::Field)
            }));
        }
        Type::Component(name) => {
            for (name, symbol) in inspection.component_members(name, tested) {
                let declared = inspection.declared(&symbol);
                all.push(Completion {
                    detail: declared.ty.map(|ty| ty.to_string()).unwrap_or_default(),
                    docs: declared.docs,
                    rank: 0,
                    ..item(&name, CompletionKind::Field)
                });
            }
        }
        _plain => {}
    }
    let methods = builtin::methods()
        .iter()
        .filter(|m| core != Type::Error && builtin::method(&core, m.name).is_some_and(|found| std::ptr::eq(found, *m)));
    all.extend(methods.map(|method| {
        let entry = crate::doc::signature_entry(method.name, method);
        Completion {
            detail: entry.signature,
            docs: entry.docs,
            insert: if method.params.is_empty() {
                format!("{}()", method.name)
            } else {
                format!("{}($0)", method.name)
            },
            rank: 2,
            ..item(method.name, CompletionKind::Method)
        }
    }));
    all
}

pub(super) fn module_members(inspection: &mut Inspection<'_>, module: usize, kinds_only: bool) -> Vec<Completion> {
    let (values, types) = inspection.members(module);
    let values = values.into_iter().filter(|_| !kinds_only);
    let all: Vec<(&str, Symbol)> = values.chain(types).collect();
    let one = |(name, symbol): (&str, Symbol)| {
        let declared = inspection.declared(&symbol);
        let (kind, insert) = match symbol {
            Symbol::Fn(_) | Symbol::Function(_) => (CompletionKind::Function, format!("{name}($0)")),
            Symbol::Type(_) => (CompletionKind::Type, name.to_owned()),
            Symbol::Component(_) => (CompletionKind::Component, format!("{name} {{\n  $0\n}}")),
            _value => (CompletionKind::Value, name.to_owned()),
        };
        Completion { detail: declared.signature, docs: declared.docs, insert, rank: 1, ..item(name, kind) }
    };
    all.into_iter().map(one).collect()
}

pub(super) fn keys(inspection: &mut Inspection<'_>, block: &KnownBlock) -> Vec<Completion> {
    let open = block.fields.iter().filter(|field| !block.written.contains(&field.name));
    let mut all = Vec::new();
    for field in open {
        let symbol = match &block.of {
            BlockOf::Kind(kind) => Some(Symbol::KindField(kind.clone(), field.name.clone())),
            BlockOf::Component(_) | BlockOf::Params(_) | BlockOf::Other => None,
        };
        let docs = symbol.map(|symbol| inspection.declared(&symbol).docs).unwrap_or_default();
        all.push(Completion {
            detail: field.ty.to_string(),
            docs,
            insert: format!("{} = $0", field.name),
            rank: u8::from(!field.required),
            ..item(&field.name, CompletionKind::Field)
        });
    }
    all
}

pub(super) fn types(inspection: &mut Inspection<'_>, scope: usize) -> Vec<Completion> {
    let mut all: Vec<Completion> = Vec::new();
    for (name, symbol) in inspection.types(scope) {
        let declared = inspection.declared(&symbol);
        all.push(Completion {
            detail: declared.signature.lines().next().unwrap_or_default().to_owned(),
            docs: declared.docs,
            rank: 0,
            ..item(name, CompletionKind::Type)
        });
    }
    all.extend(Inspection::builtin_types().map(|name| {
        let insert = if matches!(name, "Map" | "Secret") { format!("{name}[$0]") } else { name.to_owned() };
        Completion { insert, rank: 1, ..item(name, CompletionKind::Type) }
    }));
    all.extend(inspection.schemas().kinds.values().map(|kind| Completion {
        detail: format!("a {}", kind.class),
        rank: 2,
        ..item(&kind.name, CompletionKind::Kind)
    }));
    all.extend(imports(inspection, scope));
    all
}

pub(super) fn kinds(inspection: &mut Inspection<'_>, scope: usize, keyword: NodeKeyword) -> Vec<Completion> {
    let mut all = Vec::new();
    for schema in inspection.schemas().kinds.values() {
        if schema.class.keyword() != keyword.as_str() {
            continue;
        }
        let required: Vec<_> = schema.fields.iter().filter(|f| f.required).collect();
        let lines = required.iter().enumerate().map(|(i, f)| format!("  {} = ${{{}}}\n", f.name, i + 1));
        all.push(Completion {
            detail: format!("a {}", schema.class),
            docs: schema.doc.to_string(),
            insert: format!("{} {{\n{}  $0\n}}", schema.name, lines.collect::<String>()),
            rank: 0,
            ..item(&schema.name, CompletionKind::Kind)
        });
    }
    if keyword == NodeKeyword::Use {
        for (name, symbol) in inspection.types(scope) {
            if matches!(symbol, Symbol::Component(_)) {
                let declared = inspection.declared(&symbol);
                all.push(Completion {
                    docs: declared.docs,
                    detail: declared.signature,
                    insert: format!("{name} {{\n  $0\n}}"),
                    rank: 0,
                    ..item(name, CompletionKind::Component)
                });
            }
        }
        all.extend(imports(inspection, scope));
    }
    all
}

fn imports(inspection: &Inspection<'_>, scope: usize) -> Vec<Completion> {
    let all = inspection.values(scope).into_iter().filter(|(_, def)| matches!(def, Def::Import(_)));
    all.map(|(name, _)| Completion { insert: format!("{name}."), ..item(name, CompletionKind::Module) }).collect()
}
