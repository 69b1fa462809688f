//! Constructors that keep terms in normal form: what has no hole is a [`Term::Value`], secrets are not nested, and a
//! record has no field that is `none`.

use crate::{Fields, Key, Term, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Term {
    /// A list; a value when every element is one.
    pub fn list(items: Vec<Term>) -> Self {
        if !items.iter().all(|t| matches!(t, Term::Value(_))) {
            return Term::List(items);
        }
        Term::Value(Value::List(items.into_iter().filter_map(Term::into_value).collect()))
    }

    /// A map; a value when every entry is one.
    pub fn map(map: BTreeMap<Key, Term>) -> Self {
        if !map.values().all(|t| matches!(t, Term::Value(_))) {
            return Term::Map(map);
        }
        Term::Value(Value::Map(map.into_iter().filter_map(|(k, t)| Some((k, t.into_value()?))).collect()))
    }

    /// A record; a value when every field is one. Fields that are `none` are left out.
    pub fn record(fields: Fields<Term>) -> Self {
        match closed(fields) {
            Ok(fields) => Term::Value(Value::Record(fields)),
            Err(fields) => Term::Record(fields),
        }
    }

    /// A variant; a value when every field of its payload is one. Fields that are `none` are left out.
    pub fn variant(tag: Arc<str>, fields: Fields<Term>) -> Self {
        match closed(fields) {
            Ok(fields) => Term::Value(Value::Variant(tag, fields)),
            Err(fields) => Term::Variant(tag, fields),
        }
    }

    /// Marks as secret; marking twice is the same as once.
    #[must_use]
    pub fn into_secret(self) -> Self {
        match self {
            Term::Value(value) => Term::Value(value.into_secret()),
            secret @ Term::Secret(_) => secret,
            other => Term::Secret(Arc::new(other)),
        }
    }

    /// Takes an outermost mark off.
    #[must_use]
    pub(crate) fn revealed(self) -> Self {
        match self {
            Term::Value(Value::Secret(inner)) => Term::Value(*inner),
            Term::Secret(inner) => Arc::unwrap_or_clone(inner),
            plain => plain,
        }
    }

    /// Whether this is marked as secret as a whole.
    pub fn is_secret(&self) -> bool {
        matches!(self, Term::Secret(_) | Term::Value(Value::Secret(_) | Value::Sealed(_)))
    }

    /// Whether a secret is in here at any depth.
    pub fn has_secret(&self) -> bool {
        match self {
            Term::Value(value) => value.has_secret(),
            Term::Secret(_) => true,
            Term::Output(..) | Term::Var(_) => false,
            Term::List(items) => items.iter().any(Term::has_secret),
            Term::Map(map) => map.values().any(Term::has_secret),
            Term::Record(fields) | Term::Variant(_, fields) => fields.values().any(Term::has_secret),
            Term::Call(_, args) => args.iter().any(|t| t.has_secret()),
            Term::If(a, b, c) => a.has_secret() || b.has_secret() || c.has_secret(),
            Term::Lambda { body, .. } => body.has_secret(),
        }
    }

    /// The value, when there is no hole.
    pub fn into_value(self) -> Option<Value> {
        match self {
            Term::Value(value) => Some(value),
            _hole => None,
        }
    }

    /// Whether it is nested deeper than `limit`.
    pub fn is_deeper_than(&self, limit: usize) -> bool {
        let Some(limit) = limit.checked_sub(1) else { return true };
        match self {
            Term::Value(_) | Term::Output(..) | Term::Var(_) => false,
            Term::List(items) => items.iter().any(|t| t.is_deeper_than(limit)),
            Term::Map(map) => map.values().any(|t| t.is_deeper_than(limit)),
            Term::Record(fields) | Term::Variant(_, fields) => fields.values().any(|t| t.is_deeper_than(limit)),
            Term::Secret(inner) | Term::Lambda { body: inner, .. } => inner.is_deeper_than(limit),
            Term::Call(_, args) => args.iter().any(|t| t.is_deeper_than(limit)),
            Term::If(a, b, c) => [a, b, c].into_iter().any(|t| t.is_deeper_than(limit)),
        }
    }
}

fn closed(mut fields: Fields<Term>) -> Result<Fields<Value>, Fields<Term>> {
    fields.retain(|_, t| !matches!(t, Term::Value(Value::None)));
    if fields.values().all(|t| matches!(t, Term::Value(_))) {
        return Ok(fields.into_iter().filter_map(|(name, t)| Some((name, t.into_value()?))).collect());
    }
    Err(fields)
}

impl Value {
    /// A copy without any mark of secrecy. The result of what is computed from it must be marked again.
    pub(super) fn declassified(&self) -> Value {
        match self {
            Value::Secret(inner) => inner.declassified(),
            Value::List(items) => Value::List(items.iter().map(Value::declassified).collect()),
            Value::Map(map) => Value::Map(map.iter().map(|(k, v)| (k.clone(), v.declassified())).collect()),
            Value::Record(fields) => Value::Record(plain(fields)),
            Value::Variant(tag, fields) => Value::Variant(Arc::clone(tag), plain(fields)),
            leaf => leaf.clone(),
        }
    }
}

fn plain(fields: &Fields<Value>) -> Fields<Value> {
    fields.iter().map(|(k, v)| (Arc::clone(k), v.declassified())).collect()
}
