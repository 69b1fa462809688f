//! Types of the language, structural but for variants, refinements and handles.

use crate::{Term, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A type. `T?` flattens: `T??` is `T?`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Type {
    /// `true`, `false`
    Bool,
    /// 64-bit signed.
    Int,
    /// Finite floating point.
    Float,
    /// Text.
    String,
    /// Milliseconds.
    Duration,
    /// Bytes.
    Bytes,
    /// Parts per million.
    Ratio,
    /// Thousandths of a processor.
    Cpu,
    /// `a..b`
    Range,
    /// `[T]`
    List(Arc<Type>),
    /// `Map[T]`
    Map(Arc<Type>),
    /// `T?`
    Option(Arc<Type>),
    /// `~T`: known only after create.
    Late(Arc<Type>),
    /// `Secret[T]`
    Secret(Arc<Type>),
    /// `{ a: T }`, closed.
    Record(Arc<RecordType>),
    /// One of several tags, each with its payload.
    Variant(Arc<VariantType>),
    /// A base type with a condition.
    Refined(Arc<RefinedType>),
    /// A handle of a kind, for example `image`.
    Handle(Arc<str>),
    /// An instance of a component, by the component's name.
    Component(Arc<str>),
    /// Any handle.
    Node,
    /// What a route can point at.
    Target,
    /// Content of a file; a String fits too.
    Content,
    /// `(A, B) -> C`
    Function(Arc<FunctionType>),
    /// The type of an empty list's elements and of `none`: fits everything.
    Never,
    /// The type of what is broken: silences what follows.
    Error,
}

/// Fields in the order they are written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordType {
    /// The fields.
    pub fields: Vec<FieldType>,
}

/// One field of a record or payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldType {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub ty: Type,
    /// What it is when left out; an optional field is `none` without one.
    pub default: Option<Value>,
}

/// A named set of variants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariantType {
    /// Its name, `UpperCamel`.
    pub name: Arc<str>,
    /// The variants in the order they are written.
    pub variants: Vec<VariantCase>,
}

/// One variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariantCase {
    /// The tag.
    pub tag: Arc<str>,
    /// The payload, empty when it has none.
    pub payload: RecordType,
}

/// `type Port = Int where it in 1..=65535`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefinedType {
    /// Its name; for a param with `where`, the param's name.
    pub name: Arc<str>,
    /// What it refines.
    pub base: Type,
    /// A lambda of one parameter to Bool.
    pub holds: Term,
    /// The condition as written, for messages.
    pub text: Arc<str>,
}

/// A function's parameters and result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionType {
    /// Parameter types.
    pub params: Vec<Type>,
    /// Result type.
    pub result: Type,
}

impl Type {
    /// `[T]`
    pub fn list(item: Type) -> Self {
        Self::List(Arc::new(item))
    }

    /// `Map[T]`
    pub fn map(item: Type) -> Self {
        Self::Map(Arc::new(item))
    }

    /// `T?`, flattened.
    pub fn option(inner: Type) -> Self {
        match inner {
            Self::Option(_) => inner,
            _ => Self::Option(Arc::new(inner)),
        }
    }

    /// `~T`, flattened.
    pub fn late(inner: Type) -> Self {
        match inner {
            Self::Late(_) | Self::Error => inner,
            _ => Self::Late(Arc::new(inner)),
        }
    }

    /// `Secret[T]`, flattened.
    pub fn secret(inner: Type) -> Self {
        match inner {
            Self::Secret(_) | Self::Error => inner,
            _ => Self::Secret(Arc::new(inner)),
        }
    }

    /// A handle of a kind.
    pub fn handle(kind: &str) -> Self {
        Self::Handle(Arc::from(kind))
    }

    /// A closed record without defaults.
    pub fn record<'a>(fields: impl IntoIterator<Item = (&'a str, Type)>) -> Self {
        let fields =
            fields.into_iter().map(|(name, ty)| FieldType { name: Arc::from(name), ty, default: None }).collect();
        Self::Record(Arc::new(RecordType { fields }))
    }
}

impl RecordType {
    /// The field with this name.
    pub fn field(&self, name: &str) -> Option<&FieldType> {
        self.fields.iter().find(|f| &*f.name == name)
    }
}

impl VariantType {
    /// The variant with this tag.
    pub fn case(&self, tag: &str) -> Option<&VariantCase> {
        self.variants.iter().find(|v| &*v.tag == tag)
    }
}

/// A type as the user would write it.
impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool => f.write_str("Bool"),
            Self::Int => f.write_str("Int"),
            Self::Float => f.write_str("Float"),
            Self::String => f.write_str("String"),
            Self::Duration => f.write_str("Duration"),
            Self::Bytes => f.write_str("Bytes"),
            Self::Ratio => f.write_str("Ratio"),
            Self::Cpu => f.write_str("Cpu"),
            Self::Range => f.write_str("range"),
            Self::List(t) => write!(f, "[{t}]"),
            Self::Map(t) => write!(f, "Map[{t}]"),
            Self::Option(t) if matches!(**t, Self::Late(_)) => write!(f, "({t})?"),
            Self::Option(t) => write!(f, "{t}?"),
            Self::Late(t) => write!(f, "~{t}"),
            Self::Secret(t) => write!(f, "Secret[{t}]"),
            Self::Record(r) => write!(f, "{r}"),
            Self::Variant(v) => f.write_str(&v.name),
            Self::Refined(r) => f.write_str(&r.name),
            Self::Handle(kind) => f.write_str(kind),
            Self::Component(name) => f.write_str(name),
            Self::Node => f.write_str("Node"),
            Self::Target => f.write_str("Target"),
            Self::Content => f.write_str("Content"),
            Self::Function(t) => {
                f.write_str("(")?;
                for (i, p) in t.params.iter().enumerate() {
                    write!(f, "{}{p}", if i > 0 { ", " } else { "" })?;
                }
                write!(f, ") -> {}", t.result)
            }
            Self::Never => f.write_str("none"),
            Self::Error => f.write_str("?"),
        }
    }
}

impl std::fmt::Display for RecordType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.fields.is_empty() {
            return f.write_str("{}");
        }
        f.write_str("{ ")?;
        for (i, field) in self.fields.iter().enumerate() {
            write!(f, "{}{}: {}", if i > 0 { ", " } else { "" }, field.name, field.ty)?;
        }
        f.write_str(" }")
    }
}
