//! Values and patterns: what the wanted type offers itself, bindings, functions that are always there.

use super::{Completion, CompletionKind, MANY, item};
use crate::check::facts::{CURSOR, symbol};
use crate::check::inspect::Inspection;
use crate::resolve::Def;
use crate::types::{core_of, fits, peel};
use imm_ir::{Type, VariantType};

/// Variants, `none`, `true`: what the wanted type itself offers.
pub(super) fn literals(want: &Type) -> Vec<Completion> {
    let mut all = Vec::new();
    let optional = matches!(peel(want).0, Type::Option(_));
    let word = |text: &str, rank| Completion { rank, ..item(text, CompletionKind::Keyword) };
    if optional {
        all.push(word("none", 2));
    }
    match core_of(want).0 {
        Type::Variant(variant) => all.extend(variants(variant)),
        Type::Bool => all.extend([word("true", 1), word("false", 1)]),
        Type::Function(function) => {
            let names: Vec<String> = match function.params.len() {
                1 => vec!["x".to_owned()],
                2 => vec!["new".to_owned(), "old".to_owned()],
                n => (1..=n).map(|i| format!("a{i}")).collect(),
            };
            let head = if names.len() == 1 { names.concat() } else { format!("({})", names.join(", ")) };
            let label = format!("{head} => …");
            all.push(Completion {
                insert: format!("{head} => $0"),
                detail: want.to_string(),
                rank: 0,
                ..item(&label, CompletionKind::Function)
            });
        }
        _other => {}
    }
    all
}

pub(super) fn variants(variant: &VariantType) -> Vec<Completion> {
    let one = |case: &imm_ir::VariantCase| {
        let required: Vec<&str> = case
            .payload
            .fields
            .iter()
            .filter(|f| f.default.is_none() && !is_optional(&f.ty))
            .map(|f| &*f.name)
            .collect();
        let insert = match (case.payload.fields.as_slice(), required.as_slice()) {
            ([], _) | (_, []) => case.tag.to_string(),
            (_, required) => {
                let fields = required.iter().enumerate().map(|(i, name)| format!("{name} = ${{{}}}", i + 1));
                format!("{} {{ {}$0 }}", case.tag, fields.collect::<Vec<_>>().join(", "))
            }
        };
        let fields: Vec<String> = case.payload.fields.iter().map(|f| format!("{}: {}", f.name, f.ty)).collect();
        let payload = if fields.is_empty() { String::new() } else { format!(" {{ {} }}", fields.join(", ")) };
        Completion {
            detail: format!("{}.{}{payload}", variant.name, case.tag),
            insert,
            rank: 0,
            ..item(&case.tag, CompletionKind::Variant)
        }
    };
    variant.variants.iter().map(one).collect()
}

fn is_optional(ty: &Type) -> bool {
    matches!(peel(ty).0, Type::Option(_))
}

pub(super) fn bindings(
    inspection: &mut Inspection<'_>,
    scope: usize,
    want: Option<&Type>,
    tested: bool,
) -> Vec<Completion> {
    let all = inspection.values(scope);
    let many = all.len() > MANY;
    let mut found = Vec::new();
    for (name, def) in all {
        if name == CURSOR {
            continue;
        }
        let kind = match def {
            Def::Fn(_) => CompletionKind::Function,
            Def::Import(_) => CompletionKind::Module,
            Def::Broken => continue,
            Def::Param(_) | Def::Let(_) | Def::Node(_) => CompletionKind::Value,
        };
        let cheap = !many || matches!(def, Def::Param(_) | Def::Node(_));
        let ty = if cheap { inspection.value_type(def) } else { None };
        let rank = match (&ty, want) {
            (Some(ty), Some(want)) if fits(ty, want).is_ok() => 1,
            (Some(_), Some(_)) => 4,
            _untold => 2,
        };
        let mut one =
            Completion { detail: ty.as_ref().map(ToString::to_string).unwrap_or_default(), rank, ..item(name, kind) };
        if !many && let Some(symbol) = symbol(def) {
            let declared = inspection.declared(&symbol);
            one.docs = declared.docs;
            if matches!(def, Def::Fn(_)) {
                one.detail = declared.signature;
                one.insert = format!("{name}($0)");
            }
        }
        if matches!(def, Def::Import(_)) {
            one.insert = format!("{name}.");
        }
        found.push(one);
    }
    if tested {
        found.push(Completion { rank: 1, ..item("plan", CompletionKind::Value) });
        found.push(Completion { rank: 1, ..item("result", CompletionKind::Value) });
    }
    found
}

/// Functions that are always there, and words that begin an expression.
pub(super) fn functions(want: Option<&Type>) -> Vec<Completion> {
    let wants = |ty: &Type| want.is_none_or(|want| fits(ty, want).is_ok());
    let content = |name: &str, detail: &str, insert: &str| Completion {
        detail: detail.to_owned(),
        insert: insert.to_owned(),
        rank: if wants(&Type::Content) && want.is_some() { 0 } else { 6 },
        ..item(name, CompletionKind::Function)
    };
    let mut all = vec![
        content("file", "file(path) -> Content", "file(\"$0\")"),
        content("tree", "tree(folder, ignore) -> Content", "tree(\"$0\")"),
        content("executable", "executable(self | path) -> Content", "executable($0)"),
        Completion {
            rank: if wants(&Type::String) && want.is_some() { 3 } else { 6 },
            ..content("template", "template(path, variables) -> String", "template(\"$1\", { $0 })")
        },
    ];
    for (word, insert) in [("if", "if $1 then $2 else $0"), ("match", "match $1 {\n  $0\n}")] {
        all.push(Completion { insert: insert.to_owned(), rank: 7, ..item(word, CompletionKind::Keyword) });
    }
    all
}

pub(super) fn patterns(of: &Type) -> Vec<Completion> {
    let arm = |label: String, insert: String| Completion { insert, rank: 0, ..item(&label, CompletionKind::Variant) };
    let mut all = match of {
        Type::Variant(variant) => variant
            .variants
            .iter()
            .map(|case| {
                let fields: Vec<&str> = case.payload.fields.iter().map(|f| &*f.name).collect();
                let payload = if fields.is_empty() { String::new() } else { format!(" {{ {} }}", fields.join(", ")) };
                arm(case.tag.to_string(), format!("{}{payload}", case.tag))
            })
            .collect(),
        Type::Option(_) => {
            vec![arm("none".to_owned(), "none".to_owned()), arm("some".to_owned(), "some($0)".to_owned())]
        }
        Type::Bool => vec![arm("true".to_owned(), "true".to_owned()), arm("false".to_owned(), "false".to_owned())],
        _endless => Vec::new(),
    };
    all.push(Completion { rank: 4, ..item("_", CompletionKind::Keyword) });
    all
}
