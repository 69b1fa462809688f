//! Values of params written as imm literals: `--param tier=prod`, `zones=["a"]`.

use super::expr::bare;
use imm_ir::{Fields, Key, Span, Type, Value};
use imm_syntax::ast::{
    Block, BlockBody, EntryKind, Expr, ExprKind, KeyKind, ListBody, Quantity, StrLit, UnaryOp, Unit,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a text is no value of a type.
#[derive(Debug)]
pub(super) struct Unfit {
    pub span: Span,
    pub message: String,
    pub help: Option<String>,
}

type Result<T> = std::result::Result<T, Unfit>;

/// The value that a literal expression writes. Refinements are not checked here.
pub(super) fn value(expr: &Expr, ty: &Type) -> Result<Value> {
    let expr = expr.unparenthesized();
    match (bare(ty), &expr.kind) {
        (Type::Option(_), ExprKind::None) => Ok(Value::None),
        (Type::Option(inner), _) => match &expr.kind {
            ExprKind::Call(it) if it.ty.is_none() && it.name.as_str() == "some" => match it.args.as_slice() {
                [inside] => value(inside, inner),
                _other => Err(unfit(expr, ty)),
            },
            _plain => value(expr, inner),
        },
        (Type::Bool, ExprKind::Bool(b)) => Ok(Value::Bool(*b)),
        (Type::Int, ExprKind::Int(n)) => Ok(Value::Int(*n)),
        (Type::Float, ExprKind::Float(x)) => Ok(Value::Float(*x)),
        (Type::Float, ExprKind::Int(n)) => Ok(Value::Int(*n)),
        (Type::Int | Type::Float, ExprKind::Unary { op: UnaryOp::Neg, operand, .. }) => match value(operand, ty)? {
            Value::Int(n) => n.checked_neg().map(Value::Int).ok_or_else(|| unfit(expr, ty)),
            Value::Float(x) => Ok(Value::Float(-x)),
            _other => Err(unfit(expr, ty)),
        },
        (Type::String | Type::Content, ExprKind::Str(text)) => plain(text).map(Value::text),
        (Type::Duration | Type::Bytes | Type::Ratio | Type::Cpu, ExprKind::Quantity(q)) => {
            let found = quantity(*q);
            let fits = matches!(
                (bare(ty), &found),
                (Type::Duration, Value::Duration(_))
                    | (Type::Bytes, Value::Bytes(_))
                    | (Type::Ratio, Value::Ratio(_))
                    | (Type::Cpu, Value::Cpu(_))
            );
            if fits { Ok(found) } else { Err(unfit(expr, ty)) }
        }
        (Type::List(item), ExprKind::List(ListBody::Elements(elements))) => {
            let items = elements.iter().map(|element| match element.spread {
                None => value(&element.value, item),
                Some(span) => Err(Unfit { span, message: "there is nothing to spread here".to_owned(), help: None }),
            });
            Ok(Value::List(items.collect::<Result<_>>()?))
        }
        (Type::Map(item), ExprKind::Block(block)) => {
            let entries = entries(block)?.into_iter().map(|(key, expr)| Ok((Key::from(key), value(expr, item)?)));
            Ok(Value::Map(entries.collect::<Result<BTreeMap<_, _>>>()?))
        }
        (Type::Record(record), ExprKind::Block(block)) => fields(expr.span, &record.fields, block).map(Value::Record),
        (Type::Variant(variant), ExprKind::Name(name)) => {
            variant_value(variant, name.as_str(), name.span, expr.span, None)
        }
        (Type::Variant(variant), ExprKind::Qualified(it)) => {
            variant_value(variant, it.name.as_str(), it.name.span, expr.span, None)
        }
        (Type::Variant(variant), ExprKind::Construct(it)) => {
            variant_value(variant, it.name.as_str(), it.name.span, expr.span, Some(&it.fields))
        }
        _other => Err(unfit(expr, ty)),
    }
}

fn unfit(expr: &Expr, ty: &Type) -> Unfit {
    let help = example(ty).map(|example| format!("write it like {example}"));
    Unfit { span: expr.span, message: format!("this is no {ty}"), help }
}

/// A literal of a type, for help.
pub(super) fn example(ty: &Type) -> Option<String> {
    Some(match bare(ty) {
        Type::Bool => "true".to_owned(),
        Type::Int => "3".to_owned(),
        Type::Float => "1.5".to_owned(),
        Type::String => "text".to_owned(),
        Type::Duration => "30s".to_owned(),
        Type::Bytes => "64MiB".to_owned(),
        Type::Ratio => "10%".to_owned(),
        Type::Cpu => "0.5cpu".to_owned(),
        Type::Option(inner) => return example(inner),
        Type::List(item) => match bare(item) {
            Type::String => "[\"a\"]".to_owned(),
            item => format!("[{}]", example(item)?),
        },
        Type::Map(item) => match bare(item) {
            Type::String => "{ \"key\" = \"text\" }".to_owned(),
            item => format!("{{ \"key\" = {} }}", example(item)?),
        },
        Type::Variant(variant) => variant.variants.first()?.tag.to_string(),
        _other => return None,
    })
}

fn plain(text: &StrLit) -> Result<&str> {
    text.plain().ok_or_else(|| Unfit {
        span: text.span,
        message: "the value of a param has no holes".to_owned(),
        help: Some("write `\\${` for the two characters".to_owned()),
    })
}

/// A quantity as a value.
fn quantity(q: Quantity) -> Value {
    match q.unit {
        Unit::Duration => Value::Duration(q.amount),
        Unit::Bytes => Value::Bytes(q.amount),
        Unit::Ratio => Value::Ratio(q.amount),
        Unit::Cpu => Value::Cpu(q.amount),
    }
}

fn entries(block: &Block) -> Result<Vec<(String, &Expr)>> {
    let unfit = |span, message: &str| Unfit { span, message: message.to_owned(), help: None };
    let BlockBody::Entries(entries) = &block.body else {
        return Err(unfit(block.span, "the value of a param has no loops"));
    };
    let mut found: Vec<(String, &Expr)> = Vec::with_capacity(entries.len());
    for entry in entries {
        let EntryKind::Field { key, value } = &entry.kind else {
            return Err(unfit(entry.span, "only `key = value` can stand here"));
        };
        let name = match &key.kind {
            KeyKind::Name(name) => name.to_string(),
            KeyKind::Str(text) => plain(text)?.to_owned(),
            KeyKind::Computed(_) => return Err(unfit(key.span, "the value of a param has no computed keys")),
        };
        if found.iter().any(|(other, _)| *other == name) {
            return Err(unfit(key.span, &format!("`{name}` is there twice")));
        }
        found.push((name, value));
    }
    Ok(found)
}

fn fields(span: Span, types: &[imm_ir::FieldType], block: &Block) -> Result<Fields<Value>> {
    let mut fields = Fields::new();
    for (name, expr) in entries(block)? {
        let Some(field) = types.iter().find(|field| *field.name == *name) else {
            let near = crate::sources::path::nearest(&name, types.iter().map(|field| &*field.name));
            let help = near.first().map(|near| format!("did you mean `{near}`?"));
            return Err(Unfit { span: expr.span, message: format!("there is no field `{name}` here"), help });
        };
        let value = value(expr, &field.ty)?;
        if value != Value::None {
            fields.insert(Arc::clone(&field.name), value);
        }
    }
    complete(&mut fields, types).map_err(|name| Unfit {
        span,
        message: format!("the field `{name}` is missing"),
        help: None,
    })?;
    Ok(fields)
}

/// Fills defaults in; the name of a field that is missing.
pub(super) fn complete(fields: &mut Fields<Value>, types: &[imm_ir::FieldType]) -> std::result::Result<(), Arc<str>> {
    for field in types.iter().filter(|field| !matches!(field.ty, Type::Option(_))) {
        if fields.contains_key(&field.name) {
            continue;
        }
        match &field.default {
            Some(default) => _ = fields.insert(Arc::clone(&field.name), default.clone()),
            None => return Err(Arc::clone(&field.name)),
        }
    }
    Ok(())
}

fn variant_value(
    variant: &imm_ir::VariantType,
    tag: &str,
    tag_span: Span,
    span: Span,
    payload: Option<&Block>,
) -> Result<Value> {
    let Some(case) = variant.case(tag) else {
        let tags: Vec<&str> = variant.variants.iter().map(|case| &*case.tag).collect();
        let help = Some(format!("it is one of {}", tags.join(", ")));
        return Err(Unfit { span: tag_span, message: format!("{} has no `{tag}`", variant.name), help });
    };
    let fields = match payload {
        Some(block) => fields(span, &case.payload.fields, block)?,
        None => {
            let mut fields = Fields::new();
            complete(&mut fields, &case.payload.fields).map_err(|name| Unfit {
                span,
                message: format!("`{tag}` needs `{name}`"),
                help: None,
            })?;
            fields
        }
    };
    Ok(Value::Variant(Arc::clone(&case.tag), fields))
}
