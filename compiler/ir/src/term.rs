//! Terms: values with holes. What is known only after create stays a term; the compiler folds terms while it evaluates,
//! the runtime fills their holes, both with the one reducer in [`reduce`](crate::reduce).

use crate::builtin::Builtin;
use crate::value::braced;
use crate::{Addr, Fields, Key, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A serialisable first-order expression over node outputs. Lambdas occur only as arguments of builtins, as gates and as
/// refinements.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Term {
    /// Known.
    Value(Value),
    /// An output of a node, known after the node was created (or, for a pointer, reserved).
    Output(Addr, Arc<str>),
    /// A list with a hole in it.
    List(Vec<Term>),
    /// A map with a hole in it; which keys exist is always known.
    Map(BTreeMap<Key, Term>),
    /// A record with a hole in it.
    Record(Fields<Term>),
    /// A variant whose payload has a hole in it; the tag is known.
    Variant(Arc<str>, Fields<Term>),
    /// Something that must not be shown once it is known.
    Secret(Arc<Term>),
    /// A builtin applied to arguments of which one at least has a hole.
    Call(Builtin, Vec<Arc<Term>>),
    /// `if` on a condition that is not known.
    If(Arc<Term>, Arc<Term>, Arc<Term>),
    /// A function of parameters, numbered from `first` by depth of nesting.
    Lambda {
        /// Number of the first parameter.
        first: u32,
        /// How many parameters.
        arity: u32,
        /// The body, over [`Term::Var`].
        body: Arc<Term>,
    },
    /// A parameter of an enclosing lambda.
    Var(u32),
}

impl Term {
    /// The value, when there is no hole.
    pub fn known(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            _hole => None,
        }
    }

    /// Every output this term waits for, in order of occurrence, with repetitions.
    pub fn holes<'a>(&'a self, found: &mut dyn FnMut(&'a Addr, &'a str)) {
        match self {
            Self::Value(_) | Self::Var(_) => {}
            Self::Output(addr, field) => found(addr, field),
            Self::List(items) => items.iter().for_each(|t| t.holes(found)),
            Self::Map(map) => map.values().for_each(|t| t.holes(found)),
            Self::Record(fields) | Self::Variant(_, fields) => fields.values().for_each(|t| t.holes(found)),
            Self::Secret(inner) => inner.holes(found),
            Self::Call(_, args) => args.iter().for_each(|t| t.holes(found)),
            Self::If(cond, yes, no) => [cond, yes, no].into_iter().for_each(|t| t.holes(found)),
            Self::Lambda { body, .. } => body.holes(found),
        }
    }

    /// Every address that this term speaks of, in order of occurrence, with repetitions.
    pub fn references<'a>(&'a self, found: &mut dyn FnMut(&'a Addr)) {
        match self {
            Self::Value(value) => value_handles(value, found),
            Self::Output(addr, _) => found(addr),
            Self::Var(_) => {}
            Self::List(items) => items.iter().for_each(|t| t.references(found)),
            Self::Map(map) => map.values().for_each(|t| t.references(found)),
            Self::Record(fields) | Self::Variant(_, fields) => fields.values().for_each(|t| t.references(found)),
            Self::Secret(inner) => inner.references(found),
            Self::Call(_, args) => args.iter().for_each(|t| t.references(found)),
            Self::If(cond, yes, no) => [cond, yes, no].into_iter().for_each(|t| t.references(found)),
            Self::Lambda { body, .. } => body.references(found),
        }
    }

    /// Every handle in the known parts of this term.
    pub fn handles<'a>(&'a self, found: &mut dyn FnMut(&'a Addr)) {
        match self {
            Self::Value(value) => value_handles(value, found),
            Self::Output(..) | Self::Var(_) => {}
            Self::List(items) => items.iter().for_each(|t| t.handles(found)),
            Self::Map(map) => map.values().for_each(|t| t.handles(found)),
            Self::Record(fields) | Self::Variant(_, fields) => fields.values().for_each(|t| t.handles(found)),
            Self::Secret(inner) => inner.handles(found),
            Self::Call(_, args) => args.iter().for_each(|t| t.handles(found)),
            Self::If(cond, yes, no) => [cond, yes, no].into_iter().for_each(|t| t.handles(found)),
            Self::Lambda { body, .. } => body.handles(found),
        }
    }
}

fn value_handles<'a>(value: &'a Value, found: &mut dyn FnMut(&'a Addr)) {
    match value {
        Value::Node(addr) => found(addr),
        Value::List(items) => items.iter().for_each(|v| value_handles(v, found)),
        Value::Map(map) => map.values().for_each(|v| value_handles(v, found)),
        Value::Record(fields) | Value::Variant(_, fields) => fields.values().for_each(|v| value_handles(v, found)),
        Value::Secret(inner) => value_handles(inner, found),
        _leaf => {}
    }
}

impl From<Value> for Term {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

/// As an expression; secrets are `[secret]` although they have holes.
impl std::fmt::Debug for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value:?}"),
            Self::Output(addr, field) => write!(f, "{addr}.{field}"),
            Self::List(items) => f.debug_list().entries(items).finish(),
            Self::Map(map) => braced(f, map.iter().map(|(k, v)| (format!("{:?}", k.as_str()), v))),
            Self::Record(fields) => braced(f, fields),
            Self::Variant(tag, fields) => {
                write!(f, "{tag} ")?;
                braced(f, fields)
            }
            Self::Secret(_) => f.write_str("[secret]"),
            Self::Call(builtin, args) => {
                write!(f, "({builtin}")?;
                args.iter().try_for_each(|arg| write!(f, " {arg:?}"))?;
                f.write_str(")")
            }
            Self::If(condition, then, otherwise) => write!(f, "if {condition:?} then {then:?} else {otherwise:?}"),
            Self::Lambda { first, arity, body } => write!(f, "({first}+{arity}) => {body:?}"),
            Self::Var(n) => write!(f, "${n}"),
        }
    }
}
