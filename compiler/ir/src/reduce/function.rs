//! Functions of the standard modules that imm cannot express in itself. What they take and give is in
//! [`builtin::functions`](crate::builtin::functions).

mod encode;
mod net;
mod version;

use super::{ReduceError, Result};
use crate::{Digest, Value};

/// A function by its full name.
pub(super) fn known(name: &str, args: &[&Value]) -> Result<Value> {
    let unknown = || ReduceError::mismatch(format!("there is no function `{name}` with these arguments"));
    let (module, function) = name.split_once('.').ok_or_else(unknown)?;
    match (module, function, args) {
        ("encode", _, [value]) => encode::known(function, value)?,
        ("hash", "blake3", [Value::String(text)]) => Some(Value::text(Digest::of(text.as_bytes()).hex())),
        ("hash", "sha256", [Value::String(text)]) => {
            use sha2::Digest as _;
            Some(Value::text(data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(text.as_bytes()))))
        }
        ("secret", "fingerprint", [Value::String(text)]) => {
            let mut out = crate::Encoder::new("imm.fingerprint.1");
            out.text(text);
            Some(Value::text(out.finish().short()))
        }
        ("net", _, [Value::String(text), rest @ ..]) => net::known(function, text, rest)?,
        ("semver", "sort", [Value::List(versions)]) => Some(version::sort(versions)?),
        ("semver", _, [Value::String(text), rest @ ..]) => version::known(function, text, rest)?,
        _other => None,
    }
    .ok_or_else(unknown)
}

#[cfg(test)]
mod tests;
