//! Operators, `.field`, `is`, and what decides without evaluating everything.

use super::{Problem, ReduceError, Result};
use crate::builtin::Builtin;
use crate::{Key, Term, Value};
use std::cmp::Ordering;
use std::sync::Arc;

fn sign(builtin: &Builtin) -> &str {
    match builtin {
        Builtin::Operator(sign) => sign,
        Builtin::Field(_) | Builtin::Is(_) | Builtin::Concat | Builtin::Method(_) | Builtin::Function(_) => "",
    }
}

/// Operators whose left side may make the right side unnecessary.
pub(super) fn is_lazy(builtin: &Builtin) -> bool {
    matches!(sign(builtin), "&&" | "||" | "??")
}

/// The result, when the left side alone decides.
pub(super) fn decided(builtin: &Builtin, left: &Term) -> Option<Term> {
    match (sign(builtin), left) {
        ("&&", Term::Value(Value::Bool(false))) | ("||", Term::Value(Value::Bool(true))) => Some(left.clone()),
        ("??", Term::Value(value)) if *value != Value::None => Some(left.clone()),
        ("??", Term::List(_) | Term::Map(_) | Term::Record(_) | Term::Variant(..) | Term::Secret(_)) => {
            Some(left.clone())
        }
        _open => None,
    }
}

/// What `==` and `!=` tell without looking inside: whether something is there, next to `none`, and that two variants are
/// different ones. Neither depends on what is late or secret in there.
pub(super) fn outermost(builtin: &Builtin, args: &[Arc<Term>]) -> Option<Term> {
    let wanted = match sign(builtin) {
        "==" => true,
        "!=" => false,
        _other => return None,
    };
    let [left, right] = args else { return None };
    if let (Some(a), Some(b)) = (tag(left), tag(right)) {
        return (a != b).then_some(Term::Value(Value::Bool(!wanted)));
    }
    let other = match (left.as_ref(), right.as_ref()) {
        (other, Term::Value(Value::None)) | (Term::Value(Value::None), other) => other,
        _two_values => return None,
    };
    let absent = match other {
        Term::Value(value) => *value == Value::None,
        Term::List(_) | Term::Map(_) | Term::Record(_) | Term::Variant(..) | Term::Secret(_) | Term::Lambda { .. } => {
            false
        }
        Term::Output(..) | Term::Call(..) | Term::If(..) | Term::Var(_) => return None,
    };
    Some(Term::Value(Value::Bool(absent == wanted)))
}

fn tag(term: &Term) -> Option<&Arc<str>> {
    match term {
        Term::Value(Value::Variant(tag, _)) | Term::Variant(tag, _) => Some(tag),
        _other => None,
    }
}

/// Field access, tags, indices, `in` of keys and the lazy operators: none looks into elements.
pub(super) fn structural(builtin: &Builtin, args: &[Arc<Term>]) -> Result<Option<Term>> {
    Ok(match (builtin, args) {
        (Builtin::Field(name), [base]) => field(name, base)?,
        (Builtin::Is(tag), [base]) => match base.as_ref() {
            Term::Value(Value::Variant(found, _)) | Term::Variant(found, _) => {
                Some(Term::Value(Value::Bool(found == tag)))
            }
            _hole => None,
        },
        (Builtin::Operator(sign), [left, right]) => match (&**sign, left.as_ref(), right.as_ref()) {
            ("&&", Term::Value(Value::Bool(true)), other)
            | ("||", Term::Value(Value::Bool(false)), other)
            | ("??", Term::Value(Value::None), other) => Some(other.clone()),
            ("[]", base, Term::Value(index)) => element(base, index)?,
            ("in", Term::Value(Value::String(key)), Term::Value(Value::Map(map))) => {
                Some(Term::Value(Value::Bool(map.contains_key(&Key(Arc::clone(key))))))
            }
            ("in", Term::Value(Value::String(key)), Term::Map(map)) => {
                Some(Term::Value(Value::Bool(map.contains_key(&Key(Arc::clone(key))))))
            }
            _other => None,
        },
        _other => None,
    })
}

fn field(name: &Arc<str>, base: &Term) -> Result<Option<Term>> {
    let of_value = |found: Option<&Value>| Some(Term::Value(found.cloned().unwrap_or(Value::None)));
    let of_term = |found: Option<&Term>| Some(found.cloned().unwrap_or(Term::Value(Value::None)));
    Ok(match base {
        Term::Value(Value::Record(fields) | Value::Variant(_, fields)) => of_value(fields.get(name)),
        Term::Value(Value::None) => Some(Term::Value(Value::None)),
        Term::Record(fields) | Term::Variant(_, fields) => of_term(fields.get(name)),
        Term::Value(_) => return Err(ReduceError::mismatch(format!("there is no field `{name}` here"))),
        _hole => None,
    })
}

/// `base[index]`.
fn element(base: &Term, index: &Value) -> Result<Option<Term>> {
    match (base, index) {
        (Term::Value(Value::List(items)), Value::Int(n)) => Ok(Some(Term::Value(at(items, *n)?.clone()))),
        (Term::List(items), Value::Int(n)) => Ok(Some(at(items, *n)?.clone())),
        (Term::Value(Value::Map(map)), Value::String(key)) => match map.get(&Key(Arc::clone(key))) {
            Some(value) => Ok(Some(Term::Value(value.clone()))),
            None => Err(no_key(key, map.keys())),
        },
        (Term::Map(map), Value::String(key)) => match map.get(&Key(Arc::clone(key))) {
            Some(term) => Ok(Some(term.clone())),
            None => Err(no_key(key, map.keys())),
        },
        (Term::Value(_), _) => Err(ReduceError::mismatch("this cannot be indexed")),
        _hole => Ok(None),
    }
}

fn at<T>(items: &[T], index: i64) -> Result<&T> {
    usize::try_from(index).ok().and_then(|n| items.get(n)).ok_or_else(|| {
        ReduceError::range(format!("there is no element {index} in a list of {}", items.len()))
            .help("the first one is [0]; `.get(index)` gives an optional")
    })
}

fn no_key<'a>(key: &str, keys: impl Iterator<Item = &'a Key>) -> ReduceError {
    let known: Vec<String> = keys.take(8).map(|k| format!("\"{k}\"")).collect();
    let help = if known.is_empty() {
        "the map is empty; `.get(key)` gives an optional".to_owned()
    } else {
        format!("there are {}; `.get(key)` gives an optional", known.join(", "))
    };
    ReduceError::range(format!("there is no key \"{key}\" in this map")).help(help)
}

/// Operators over values.
pub(super) fn known(sign: &str, args: &[&Value]) -> Result<Value> {
    let unfit = || ReduceError::mismatch(format!("`{sign}` does not take these values"));
    match (sign, args) {
        ("!", [Value::Bool(b)]) => Ok(Value::Bool(!b)),
        ("neg", [Value::Int(n)]) => {
            n.checked_neg().map(Value::Int).ok_or_else(|| ReduceError::overflow(format!("-({n})")))
        }
        ("neg", [Value::Float(x)]) => Ok(Value::Float(-x)),
        ("==", [a, b]) => Ok(Value::Bool(equal(a, b))),
        ("!=", [a, b]) => Ok(Value::Bool(!equal(a, b))),
        ("<", [a, b]) => compare(a, b).map(|o| Value::Bool(o == Ordering::Less)).ok_or_else(unfit),
        ("<=", [a, b]) => compare(a, b).map(|o| Value::Bool(o != Ordering::Greater)).ok_or_else(unfit),
        (">", [a, b]) => compare(a, b).map(|o| Value::Bool(o == Ordering::Greater)).ok_or_else(unfit),
        (">=", [a, b]) => compare(a, b).map(|o| Value::Bool(o != Ordering::Less)).ok_or_else(unfit),
        ("in", [item, Value::List(items)]) => Ok(Value::Bool(items.iter().any(|other| equal(item, other)))),
        ("in", [Value::Int(n), Value::Range(from, to)]) => Ok(Value::Bool((*from..*to).contains(n))),
        ("..", [Value::Int(a), Value::Int(b)]) => Ok(Value::Range(*a, *b)),
        ("..=", [Value::Int(a), Value::Int(b)]) => {
            let end = b.checked_add(1).ok_or_else(|| ReduceError::overflow(format!("the end of ..={b}")))?;
            Ok(Value::Range(*a, end))
        }
        ("+", [Value::String(a), Value::String(b)]) => Ok(Value::text(format!("{a}{b}"))),
        ("+", [Value::List(a), Value::List(b)]) => Ok(Value::List(a.iter().chain(b).cloned().collect())),
        ("+" | "-" | "*" | "/", [a, b]) => arithmetic(sign, a, b),
        ("&&" | "||", [Value::Bool(a), Value::Bool(b)]) => {
            Ok(Value::Bool(if sign == "&&" { *a && *b } else { *a || *b }))
        }
        _other => Err(unfit()),
    }
}

/// `==`. An Int equals a Float of the same amount.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Range(a, b), Value::Range(c, d)) => (a, b) == (c, d) || (a >= b && c >= d),
        (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)) => compare(a, b) == Some(Ordering::Equal),
        _same => a == b,
    }
}

/// The order of two numbers, quantities of one unit, or texts.
pub(super) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b))
        | (Value::Duration(a), Value::Duration(b))
        | (Value::Bytes(a), Value::Bytes(b))
        | (Value::Ratio(a), Value::Ratio(b))
        | (Value::Cpu(a), Value::Cpu(b)) => Some(a.cmp(b)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Float(_) | Value::Int(_), Value::Float(_) | Value::Int(_)) => float(a)?.partial_cmp(&float(b)?),
        _other => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "an Int beside a Float is taken as the nearest Float")]
fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(n) => Some(*n as f64),
        Value::Float(x) => Some(*x),
        _other => None,
    }
}

/// Makes a quantity of one unit.
pub(super) type Make = fn(i64) -> Value;

/// The amount of a quantity and how to make one of the same unit.
pub(super) fn quantity(value: &Value) -> Option<(i64, Make)> {
    match value {
        Value::Duration(n) => Some((*n, Value::Duration)),
        Value::Bytes(n) => Some((*n, Value::Bytes)),
        Value::Ratio(n) => Some((*n, Value::Ratio)),
        Value::Cpu(n) => Some((*n, Value::Cpu)),
        _other => None,
    }
}

/// `+ - * /`: Int, Float, quantities of one unit, and a quantity times or through an Int.
pub(super) fn arithmetic(sign: &str, a: &Value, b: &Value) -> Result<Value> {
    let shown = || format!("{} {sign} {}", super::shown(a), super::shown(b));
    let fits = |n: Option<i64>| n.ok_or_else(|| ReduceError::overflow(shown()));
    let unfit = || ReduceError::mismatch(format!("`{sign}` does not take these values"));
    if let (Value::Int(x), Value::Int(y)) = (a, b) {
        return Ok(Value::Int(fits(whole(sign, *x, *y)?)?));
    }
    if let (Some(x), Some(y)) = (float(a), float(b)) {
        let result = match sign {
            "+" => x + y,
            "-" => x - y,
            "*" => x * y,
            _divide if y == 0.0 => return Err(zero()),
            _divide => x / y,
        };
        return if result.is_finite() { Ok(Value::Float(result)) } else { Err(ReduceError::overflow(shown())) };
    }
    let positive = |n: i64, make: Make| {
        if n < 0 {
            return Err(ReduceError::range(format!("{} is less than nothing", shown()))
                .help("quantities are not negative; compare before subtracting"));
        }
        Ok(make(n))
    };
    match (quantity(a), quantity(b), sign) {
        (Some((x, make)), Some((y, _)), "+" | "-") if same_unit(a, b) => positive(fits(whole(sign, x, y)?)?, make),
        (Some((_, _)), Some((y, _)), "/") if same_unit(a, b) => {
            if y == 0 {
                return Err(zero());
            }
            let (x, y) = (a.as_int().unwrap_or(0), b.as_int().unwrap_or(1));
            let ratio = float(&Value::Int(x)).unwrap_or(0.0) / float(&Value::Int(y)).unwrap_or(1.0);
            Ok(Value::Float(ratio))
        }
        (Some((x, make)), None, "*" | "/") => {
            let Value::Int(y) = b else { return Err(unfit()) };
            positive(fits(whole(sign, x, *y)?)?, make)
        }
        (None, Some((y, make)), "*") => {
            let Value::Int(x) = a else { return Err(unfit()) };
            positive(fits(whole(sign, *x, y)?)?, make)
        }
        _other => Err(unfit()),
    }
}

fn same_unit(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// Whole numbers; division rounds towards zero.
fn whole(sign: &str, x: i64, y: i64) -> Result<Option<i64>> {
    Ok(match sign {
        "+" => x.checked_add(y),
        "-" => x.checked_sub(y),
        "*" => x.checked_mul(y),
        _divide if y == 0 => return Err(zero()),
        _divide => x.checked_div(y),
    })
}

pub(super) fn zero() -> ReduceError {
    ReduceError::new(Problem::DivisionByZero, "division by zero")
}
