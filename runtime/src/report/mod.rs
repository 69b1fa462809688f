//! What commands tell about a ledger: plain data with the shapes of `docs/cli.md`, derived from the state and nothing else.
//!
//! Guarantees: no secret's value is in here. Does not look at anything that runs: who asks adds what it saw (health).

pub mod difference;
pub mod drift;
pub mod durables;
pub mod durations;
pub mod generation;
pub mod graph;
pub mod history;
pub mod leaves;
pub mod metrics;
pub mod rollout;
pub mod status;

use imm_ir::{Value, reduce};
use serde_json::json;

/// A value as JSON: quantities as their text, secrets as `[secret]`.
pub fn value(value: &Value) -> serde_json::Value {
    match value {
        Value::None => serde_json::Value::Null,
        Value::Bool(b) => json!(b),
        Value::Int(n) => json!(n),
        Value::Float(x) => json!(x),
        Value::List(items) => items.iter().map(self::value).collect(),
        Value::Map(map) => map.iter().map(|(k, v)| (k.to_string(), self::value(v))).collect(),
        Value::Record(fields) => fields.iter().map(|(k, v)| (k.to_string(), self::value(v))).collect(),
        Value::Variant(tag, fields) if fields.is_empty() => json!(tag),
        Value::Variant(tag, fields) => {
            let payload: serde_json::Map<_, _> = fields.iter().map(|(k, v)| (k.to_string(), self::value(v))).collect();
            json!({ &**tag: payload })
        }
        Value::Secret(_) | Value::Sealed(_) => json!("[secret]"),
        Value::Content(content) => json!(format!("{content:?}")),
        Value::String(text) => json!(text),
        Value::Node(addr) => json!(addr.as_str()),
        Value::Range(start, end) => json!(format!("{start}..{end}")),
        quantity @ (Value::Duration(_) | Value::Bytes(_) | Value::Ratio(_) | Value::Cpu(_)) => {
            json!(reduce::shown(quantity))
        }
    }
}

/// Recorded time as RFC 3339 in UTC, whole seconds.
pub fn instant(at_ms: i64) -> String {
    // Civil date from days since 1970 (H. Hinnant, "chrono-compatible low-level date algorithms").
    let (days, rest) = (at_ms.div_euclid(86_400_000), at_ms.rem_euclid(86_400_000) / 1000);
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_dates() {
        assert_eq!(instant(0), "1970-01-01T00:00:00Z");
        assert_eq!(instant(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(instant(1_795_392_000_999), "2026-11-23T00:00:00Z");
    }

    #[test]
    fn secrets_do_not_print() {
        let inner = Value::Map([("k".into(), Value::text("hush").into_secret())].into());
        assert_eq!(value(&inner).to_string(), r#"{"k":"[secret]"}"#);
    }
}
