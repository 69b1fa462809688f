//! Patterns of `match`.

use super::{Name, Quantity, StrLit};
use imm_ir::Span;

/// One alternative of an arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// What it matches.
    pub kind: PatternKind,
    /// Where.
    pub span: Span,
}

/// The forms of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum PatternKind {
    /// `_`.
    Wildcard,
    /// `none`.
    None,
    /// `some(NAME)`; the name may be `_`.
    Some(Name),
    /// `1`, `-1`.
    Int(i64),
    /// `1.5`.
    Float(f64),
    /// `5s`.
    Quantity(Quantity),
    /// `"text"`.
    Str(StrLit),
    /// `true`, `false`.
    Bool(bool),
    /// `a`, `Type.a`, `a { x, y, .. }`. A bare name is always a variant.
    Variant {
        /// The type before the dot.
        ty: Option<Name>,
        /// The variant.
        name: Name,
        /// The bindings in braces.
        fields: Option<PatternFields>,
    },
    /// Broken and reported.
    Error,
}

/// `{ x, y, .. }`.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternFields {
    /// Fields that are bound, each under its own name.
    pub names: Vec<Name>,
    /// Where `..` stands, if it does: fields that are not named are ignored.
    pub rest: Option<Span>,
}
