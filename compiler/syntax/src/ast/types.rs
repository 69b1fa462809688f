//! Types as they are written.

use super::{Key, Name};
use imm_ir::Span;

/// A type as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    /// What it is.
    pub kind: TypeKind,
    /// Where.
    pub span: Span,
}

/// The forms of a type.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// `~T`.
    Late(Box<TypeExpr>),
    /// `T?`.
    Optional(Box<TypeExpr>),
    /// `Int`, `service`, `limits.Tier`, `Map[T]`.
    Path {
        /// At least one segment.
        segments: Vec<Name>,
        /// The type in brackets.
        argument: Option<Box<TypeExpr>>,
    },
    /// `[T]`.
    List(Box<TypeExpr>),
    /// `{ a: T, b: U }`.
    Record(Vec<TypeField>),
    /// `(T)`.
    Paren(Box<TypeExpr>),
    /// Broken and reported.
    Error,
}

/// `key: T` of a record type or a variant's payload.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeField {
    /// The field's name; the grammar takes any key, the resolver refuses computed ones.
    pub key: Key,
    /// Its type.
    pub ty: TypeExpr,
}
