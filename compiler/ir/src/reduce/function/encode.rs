//! Values as texts in formats that other programs read.
//!
//! All formats agree: quantities are numbers of their base unit, a variant without payload is its name, another is an
//! object with its name as the one key, maps and records keep their order. A secret is written as it is: that the text
//! is then a secret, too, is the checker's part.

use super::super::text::bounded;
use super::{ReduceError, Result};
use crate::Value;
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};

/// A function of `std.encode`.
pub(super) fn known(function: &str, value: &Value) -> Result<Option<Value>> {
    let text = match (function, value) {
        ("base64", Value::String(text)) => data_encoding::BASE64.encode(text.as_bytes()),
        ("hex", Value::String(text)) => data_encoding::HEXLOWER.encode(text.as_bytes()),
        ("json", value) => serde_json::to_string(&Plain(value)).map_err(refused)?,
        ("yaml", value) => serde_saphyr::to_string(&Plain(value)).map_err(refused)?,
        ("toml", value) => toml(value)?,
        _other => return Ok(None),
    };
    bounded(text.len())?;
    Ok(Some(Value::text(text)))
}

fn refused(error: impl std::fmt::Display) -> ReduceError {
    ReduceError::mismatch(error.to_string())
}

/// TOML wants tables after plain values, which a table of the library takes care of.
fn toml(value: &Value) -> Result<String> {
    let top = matches!(value, Value::Map(_) | Value::Record(_) | Value::Secret(_));
    let table = toml::Table::try_from(Plain(value)).map_err(|error| {
        let message = if top {
            format!("this has no TOML form: {error}")
        } else {
            "only a record or map has a TOML form".to_owned()
        };
        ReduceError::range(message).help("TOML has no `none` in lists, and its top level is a table")
    })?;
    toml::to_string(&table).map_err(refused)
}

/// A value as serde sees it.
struct Plain<'a>(&'a Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            Value::None => to.serialize_none(),
            Value::Bool(value) => to.serialize_bool(*value),
            Value::Float(value) => to.serialize_f64(*value),
            Value::Int(n) | Value::Duration(n) | Value::Bytes(n) | Value::Ratio(n) | Value::Cpu(n) => {
                to.serialize_i64(*n)
            }
            Value::String(text) => to.serialize_str(text),
            Value::Variant(tag, fields) if fields.is_empty() => to.serialize_str(tag),
            Value::Variant(tag, fields) => {
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry(&**tag, &Fields(fields.iter().map(|(k, v)| (&**k, v)).collect()))?;
                map.end()
            }
            Value::List(items) => to.collect_seq(items.iter().map(Plain)),
            Value::Map(map) => Fields(map.iter().map(|(k, v)| (k.as_str(), v)).collect()).serialize(to),
            Value::Record(fields) => Fields(fields.iter().map(|(k, v)| (&**k, v)).collect()).serialize(to),
            Value::Secret(inner) => Plain(inner).serialize(to),
            Value::Sealed(_) => Err(S::Error::custom("a sealed secret has no form that other programs read")),
            Value::Range(..) | Value::Content(_) | Value::Node(_) => {
                Err(S::Error::custom("ranges, file contents and handles have no form that other programs read"))
            }
        }
    }
}

struct Fields<'a>(Vec<(&'a str, &'a Value)>);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(key, value)| (key, Plain(value))))
    }
}
