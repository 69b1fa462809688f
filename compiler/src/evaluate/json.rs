//! Values of params from JSON files. Quantities are texts like `"30s"`, a variant is its name or an object with its name
//! as the one key, `null` is `none`.

use super::expr::bare;
use super::literal::complete;
use imm_ir::{Fields, FileId, Key, Type, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// The value of a type that JSON writes, or what is wrong with it and where.
pub(super) fn value(json: &Json, ty: &Type, place: &str) -> Result<Value, String> {
    let unfit = || format!("{} is no {ty}", if place.is_empty() { "this" } else { place });
    match (bare(ty), json) {
        (Type::Option(_), Json::Null) => Ok(Value::None),
        (Type::Option(inner), json) => value(json, inner, place),
        (Type::Bool, Json::Bool(b)) => Ok(Value::Bool(*b)),
        (Type::Int, Json::Number(n)) => n.as_i64().map(Value::Int).ok_or_else(unfit),
        (Type::Float, Json::Number(n)) => n.as_f64().filter(|x| x.is_finite()).map(Value::Float).ok_or_else(unfit),
        (Type::String | Type::Content, Json::String(text)) => Ok(Value::text(text.as_str())),
        (Type::Duration | Type::Bytes | Type::Ratio | Type::Cpu, Json::String(text)) => {
            let (literal, broken) = imm_syntax::parse_expr(FileId::default(), text);
            if !broken.is_empty() {
                return Err(unfit());
            }
            super::literal::value(&literal, ty).map_err(|_| unfit())
        }
        (Type::List(item), Json::Array(items)) => {
            let items = items.iter().enumerate().map(|(i, json)| value(json, item, &format!("{place}[{i}]")));
            Ok(Value::List(items.collect::<Result<_, _>>()?))
        }
        (Type::Map(item), Json::Object(entries)) => {
            let entries = entries
                .iter()
                .map(|(key, json)| Ok((Key::from(key.as_str()), value(json, item, &format!("{place}[\"{key}\"]"))?)));
            Ok(Value::Map(entries.collect::<Result<_, String>>()?))
        }
        (Type::Record(record), Json::Object(entries)) => fields(entries, &record.fields, place).map(Value::Record),
        (Type::Variant(variant), Json::String(tag)) => {
            let case = variant.case(tag).ok_or_else(unfit)?;
            let payload = fields(&serde_json::Map::new(), &case.payload.fields, place)?;
            Ok(Value::Variant(Arc::clone(&case.tag), payload))
        }
        (Type::Variant(variant), Json::Object(entries)) => {
            let mut entries = entries.iter();
            let (Some((tag, Json::Object(payload))), None) = (entries.next(), entries.next()) else {
                return Err(unfit());
            };
            let case = variant.case(tag).ok_or_else(unfit)?;
            let payload = fields(payload, &case.payload.fields, &format!("{place}.{tag}"))?;
            Ok(Value::Variant(Arc::clone(&case.tag), payload))
        }
        _other => Err(unfit()),
    }
}

fn fields(
    entries: &serde_json::Map<String, Json>,
    types: &[imm_ir::FieldType],
    place: &str,
) -> Result<Fields<Value>, String> {
    let mut fields = Fields::new();
    for (name, json) in entries {
        let Some(field) = types.iter().find(|field| *field.name == **name) else {
            return Err(format!("there is no field `{place}.{name}`"));
        };
        let value = value(json, &field.ty, &format!("{place}.{name}"))?;
        if value != Value::None {
            fields.insert(Arc::clone(&field.name), value);
        }
    }
    complete(&mut fields, types).map_err(|name| format!("the field `{place}.{name}` is missing"))?;
    Ok(fields)
}
