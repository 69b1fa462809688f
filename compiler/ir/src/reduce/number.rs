//! Methods of numbers and quantities.

use super::operator::{Make, compare, quantity, zero};
use super::{ReduceError, Result, shown};
use crate::Value;
use std::cmp::Ordering;

/// Methods of numbers and quantities.
pub(super) fn method(name: &str, receiver: &Value, args: &[&Value]) -> Result<Value> {
    let unfit = || ReduceError::mismatch(format!("this has no method `{name}` with these arguments"));
    let rest = args.get(1..).unwrap_or_default();
    match (name, receiver, rest) {
        ("text", _, []) => Ok(Value::text(shown(receiver))),
        ("in_ms", Value::Duration(n), []) => Ok(Value::Int(*n)),
        ("in_s", Value::Duration(n), []) => Ok(Value::Int(n / 1000)),
        ("in_mib", Value::Bytes(n), []) => Ok(Value::Int(n >> 20)),
        ("mod", Value::Int(a), [Value::Int(b)]) => {
            if *b == 0 {
                return Err(zero());
            }
            a.checked_rem_euclid(*b).map(Value::Int).ok_or_else(|| ReduceError::overflow(format!("{a}.mod({b})")))
        }
        ("ceil_div", Value::Int(a), [Value::Int(b)]) => {
            if *b == 0 {
                return Err(zero());
            }
            let (a, b) = (i128::from(*a), i128::from(*b));
            let up = i128::from(a % b != 0 && ((a < 0) == (b < 0)));
            int(a / b + up).map(Value::Int).ok_or_else(|| ReduceError::overflow(format!("{a}.ceil_div({b})")))
        }
        ("clamp", value, [low, high]) => {
            if compare(low, high) == Some(Ordering::Greater) {
                return Err(ReduceError::range(format!("{} is above {}", shown(low), shown(high)))
                    .help("the first bound of `clamp` is the lower one"));
            }
            match (compare(value, low), compare(value, high)) {
                (Some(Ordering::Less), _) => Ok((*low).clone()),
                (_, Some(Ordering::Greater)) => Ok((*high).clone()),
                (Some(_), Some(_)) => Ok(value.clone()),
                _other => Err(unfit()),
            }
        }
        ("part", value, [Value::Ratio(ratio)]) => {
            let (amount, make) = match value {
                Value::Int(n) => (*n, Value::Int as Make),
                other => quantity(other).ok_or_else(unfit)?,
            };
            int((i128::from(amount) * i128::from(*ratio) + 999_999).div_euclid(1_000_000)).map(make).ok_or_else(|| {
                ReduceError::overflow(format!("{}.part({})", shown(value), shown(&Value::Ratio(*ratio))))
            })
        }
        _other => Err(unfit()),
    }
}

fn int(n: i128) -> Option<i64> {
    i64::try_from(n).ok()
}
