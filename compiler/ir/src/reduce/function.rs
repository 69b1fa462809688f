//! Functions of the standard modules that imm cannot express in itself.

use super::text::bounded;
use super::{ReduceError, Result};
use crate::{Digest, Value};

/// A function by its full name.
pub(super) fn known(name: &str, args: &[&Value]) -> Result<Value> {
    match (name, args) {
        ("encode.json", [value]) => {
            let mut out = String::new();
            json(value, &mut out)?;
            Ok(Value::text(out))
        }
        ("encode.base64", [Value::String(text)]) => Ok(Value::text(data_encoding::BASE64.encode(text.as_bytes()))),
        ("encode.hex", [Value::String(text)]) => Ok(Value::text(data_encoding::HEXLOWER.encode(text.as_bytes()))),
        ("hash.blake3", [Value::String(text)]) => Ok(Value::text(Digest::of(text.as_bytes()).hex())),
        ("secret.fingerprint", [Value::String(text)]) => {
            let mut out = crate::Encoder::new("imm.fingerprint.1");
            out.text(text);
            Ok(Value::text(out.finish().short()))
        }
        _other => Err(ReduceError::mismatch(format!("there is no function `{name}` with these arguments"))),
    }
}

/// JSON in one line. Quantities are numbers of their base unit, variants without payload are texts, others are objects
/// with one key.
fn json(value: &Value, out: &mut String) -> Result<()> {
    bounded(out.len())?;
    match value {
        Value::None => out.push_str("null"),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => out.push_str(&format!("{value:?}")),
        Value::Duration(n) | Value::Bytes(n) | Value::Ratio(n) | Value::Cpu(n) => out.push_str(&n.to_string()),
        Value::String(text) => quote(text, out),
        Value::Variant(tag, fields) if fields.is_empty() => quote(tag, out),
        Value::Variant(tag, fields) => {
            out.push('{');
            quote(tag, out);
            out.push(':');
            object(fields.iter().map(|(k, v)| (&**k, v)), out)?;
            out.push('}');
        }
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                json(item, out)?;
            }
            out.push(']');
        }
        Value::Map(map) => object(map.iter().map(|(k, v)| (k.as_str(), v)), out)?,
        Value::Record(fields) => object(fields.iter().map(|(k, v)| (&**k, v)), out)?,
        Value::Secret(inner) => json(inner, out)?,
        Value::Range(..) | Value::Content(_) | Value::Node(_) => {
            return Err(ReduceError::mismatch("ranges, file contents and handles have no JSON form"));
        }
    }
    Ok(())
}

fn object<'a>(entries: impl Iterator<Item = (&'a str, &'a Value)>, out: &mut String) -> Result<()> {
    out.push('{');
    for (i, (key, value)) in entries.enumerate() {
        if i > 0 {
            out.push(',');
        }
        quote(key, out);
        out.push(':');
        json(value, out)?;
    }
    out.push('}');
    Ok(())
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}
