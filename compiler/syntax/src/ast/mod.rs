//! The untyped syntax tree: what the text says, nothing about what it means.
//!
//! Guarantees: every node has a [`Span`]; broken code is an `Error` node of its kind, already reported, so that later
//! stages stay silent about it. Comments are not kept (only docs are): a formatter reads them from [`crate::lex`].
//!
//! Read `item` first, then `expr`, `types`, `pattern`.

mod expr;
mod item;
mod pattern;
mod types;

pub use expr::{
    Arm, BinaryOp, Block, BlockBody, BlockFor, Call, Construct, Element, Entry, EntryKind, Expr, ExprKind, ForHead,
    Key, KeyKind, ListBody, Member, Method, Qualified, Quantity, StrBody, StrForm, StrLit, StrPart, UnaryOp, Unit,
};
pub use item::{
    Assert, Component, Environment, FnDecl, FnParam, Import, ImportPath, Item, ItemKind, Let, Node, NodeHead,
    NodeKeyword, Output, Param, Provider, Step, StepKind, Test, TypeDecl, TypeDefinition, Variant,
};
pub use pattern::{Pattern, PatternFields, PatternKind};
pub use types::{TypeExpr, TypeField, TypeKind};

use imm_ir::Span;
use smol_str::SmolStr;
use std::sync::Arc;

/// One source file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Module {
    /// The `//!` lines, if any.
    pub docs: Option<Docs>,
    /// The items in the order of the text.
    pub items: Vec<Item>,
}

/// A word of the program and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The word.
    pub text: SmolStr,
    /// Where.
    pub span: Span,
}

impl Name {
    /// The word as a plain string slice.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Documentation: the lines without their marks and one leading space, joined by line feeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Docs {
    /// The text, Markdown.
    pub text: Arc<str>,
    /// From the first mark to the end of the last line.
    pub span: Span,
}
