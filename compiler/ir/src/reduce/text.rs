//! Texts: how values are shown in holes, and the methods of String.

use super::{ReduceError, Result, TEXT};
use crate::Value;
use std::sync::Arc;

/// A value as text: in a hole of a string or template, and by `.text()`. A secret is `[secret]`; a quantity is written in
/// the largest unit that is exact.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(s) => s.to_string(),
        Value::Variant(tag, _) => tag.to_string(),
        Value::Duration(n) => unit(*n, &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]),
        Value::Bytes(n) => {
            unit(*n, &[("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)])
        }
        Value::Ratio(n) => format!("{}%", decimal(*n, 4)),
        Value::Cpu(n) => format!("{}cpu", decimal(*n, 3)),
        other => format!("{other:?}"),
    }
}

fn unit(amount: i64, units: &[(&str, i64)]) -> String {
    let fitting = units.iter().find(|(_, size)| amount != 0 && amount % size == 0).or(units.last());
    fitting.map_or_else(String::new, |(name, size)| format!("{}{name}", amount / size))
}

/// `amount` with the last `places` digits after the point, without needless zeros.
fn decimal(amount: i64, places: u32) -> String {
    let base = 10_i64.pow(places);
    let (whole, rest) = (amount / base, amount % base);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = format!("{:0width$}", rest.abs(), width = places as usize);
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// The texts one after the other.
pub(super) fn concat(args: &[&Value]) -> Result<Value> {
    let mut out = String::new();
    for arg in args {
        out.push_str(&shown(arg));
        bounded(out.len())?;
    }
    Ok(Value::text(out))
}

pub(super) fn bounded(bytes: usize) -> Result<()> {
    if bytes > TEXT { Err(ReduceError::budget()) } else { Ok(()) }
}

/// The methods of String.
pub(super) fn method(name: &str, receiver: &Arc<str>, args: &[&Value]) -> Result<Value> {
    let text = |s: &str| Value::text(s);
    let list = |parts: Vec<&str>| Value::List(parts.into_iter().map(Value::text).collect());
    Ok(match (name, args) {
        ("len", [_]) => Value::Int(i64::try_from(receiver.chars().count()).unwrap_or(i64::MAX)),
        ("split", [_, Value::String(separator)]) if separator.is_empty() => {
            return Err(ReduceError::range("there is nothing to split at").help("the separator needs a character"));
        }
        ("split", [_, Value::String(separator)]) => list(receiver.split(&**separator).collect()),
        ("lines", [_]) => list(receiver.lines().collect()),
        ("trim", [_]) => text(receiver.trim()),
        ("lower", [_]) => text(&receiver.to_lowercase()),
        ("upper", [_]) => text(&receiver.to_uppercase()),
        ("slug", [_]) => text(&slug(receiver)),
        ("replace", [_, Value::String(from), Value::String(to)]) => {
            let matches = if from.is_empty() { receiver.len() + 1 } else { receiver.matches(&**from).count() };
            bounded(matches.saturating_mul(to.len()).saturating_add(receiver.len()))?;
            text(&receiver.replace(&**from, to))
        }
        ("starts_with", [_, Value::String(prefix)]) => Value::Bool(receiver.starts_with(&**prefix)),
        ("ends_with", [_, Value::String(suffix)]) => Value::Bool(receiver.ends_with(&**suffix)),
        ("contains", [_, Value::String(part)]) => Value::Bool(receiver.contains(&**part)),
        ("matches", [_, Value::String(pattern)]) => {
            let regex = regex_lite::RegexBuilder::new(pattern).size_limit(1 << 16).build().map_err(|error| {
                ReduceError::range(format!("`{pattern}` is not a regular expression: {error}"))
                    .help("write it as a raw string, for example r\"^[a-z]+$\"")
            })?;
            Value::Bool(regex.is_match(receiver))
        }
        ("pad", [_, Value::Int(width), Value::String(fill)]) => pad(receiver, *width, fill)?,
        _other => return Err(ReduceError::mismatch(format!("a text has no method `{name}` with these arguments"))),
    })
}

fn pad(receiver: &str, width: i64, fill: &str) -> Result<Value> {
    let have = receiver.chars().count();
    let missing = usize::try_from(width).unwrap_or(0).saturating_sub(have);
    bounded(missing.saturating_mul(4))?;
    if fill.is_empty() && missing > 0 {
        return Err(ReduceError::range("there is nothing to fill with").help("the filling needs a character"));
    }
    let mut out: String = fill.chars().cycle().take(missing).collect();
    out.push_str(receiver);
    Ok(Value::text(out))
}

fn slug(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.trim_end_matches('-').to_owned()
}
