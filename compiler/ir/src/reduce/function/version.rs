//! `std.semver`: versions and requirements, as Cargo reads them.

use super::{ReduceError, Result};
use crate::Value;
use semver::{Version, VersionReq};
use std::cmp::Ordering;

/// A function of `std.semver` whose first argument is a text.
pub(super) fn known(function: &str, text: &str, rest: &[&Value]) -> Result<Option<Value>> {
    Ok(Some(match (function, rest) {
        ("is_version", []) => Value::Bool(Version::parse(text).is_ok()),
        ("is_requirement", []) => Value::Bool(VersionReq::parse(text).is_ok()),
        ("parse", []) => parsed(&version(text)?)?,
        ("compare", [Value::String(other)]) => Value::Int(match version(text)?.cmp_precedence(&version(other)?) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }),
        ("satisfies", [Value::String(wanted)]) => Value::Bool(requirement(wanted)?.matches(&version(text)?)),
        _other => return Ok(None),
    }))
}

/// From the oldest to the newest; versions that differ in build metadata only keep their order.
pub(super) fn sort(versions: &[Value]) -> Result<Value> {
    let read = |value: &Value| match value {
        Value::String(text) => Ok((version(text)?, value.clone())),
        _other => Err(ReduceError::mismatch("a version is a text")),
    };
    let mut sorted: Vec<(Version, Value)> = versions.iter().map(read).collect::<Result<_>>()?;
    sorted.sort_by(|(a, _), (b, _)| a.cmp_precedence(b));
    Ok(Value::List(sorted.into_iter().map(|(_, value)| value).collect()))
}

fn version(text: &str) -> Result<Version> {
    Version::parse(text).map_err(|error| {
        ReduceError::range(format!("`{text}` is not a version: {error}")).help("for example `1.4.2` or `2.0.0-rc.1`")
    })
}

fn requirement(text: &str) -> Result<VersionReq> {
    VersionReq::parse(text).map_err(|error| {
        ReduceError::range(format!("`{text}` is not a requirement: {error}")).help("for example `^1.4` or `>=1.2, <3`")
    })
}

fn parsed(version: &Version) -> Result<Value> {
    let number = |n: u64| i64::try_from(n).map(Value::Int).map_err(|_large| ReduceError::overflow(n));
    let fields = [
        ("major", number(version.major)?),
        ("minor", number(version.minor)?),
        ("patch", number(version.patch)?),
        ("pre", Value::text(version.pre.as_str())),
        ("build", Value::text(version.build.as_str())),
    ];
    Ok(Value::Record(fields.into_iter().map(|(name, value)| (name.into(), value)).collect()))
}
