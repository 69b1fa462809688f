//! Expressions, blocks, lists and literals.

use super::{Name, Pattern};
use imm_ir::Span;
use smol_str::SmolStr;
use std::sync::Arc;

/// An expression. Large programs have millions: what is larger than a name is in a box.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

const _: () = assert!(size_of::<Expr>() <= 64 && size_of::<Entry>() <= 128, "trees are small");

impl Expr {
    /// An expression that was broken and reported.
    pub fn error(span: Span) -> Expr {
        Expr { kind: ExprKind::Error, span }
    }

    /// The expression without the parentheses around it.
    pub fn unparenthesized(&self) -> &Expr {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }
}

/// The forms of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `1_000`.
    Int(i64),
    /// `1.5`, finite.
    Float(f64),
    /// `5s`, `10%`.
    Quantity(Quantity),
    /// Any form of string.
    Str(StrLit),
    /// `true`, `false`.
    Bool(bool),
    /// `none`.
    None,
    /// A binding or a variant without payload.
    Name(Name),
    /// `Type.variant`.
    Qualified(Box<Qualified>),
    /// `f(a)`, `some(a)`, `Type.f(a)`.
    Call(Box<Call>),
    /// `http { … }`, `Health.http { … }`: a variant with its payload.
    Construct(Box<Construct>),
    /// `a.b`, `a?.b`.
    Field(Box<Member>),
    /// `a.f(x)`, `a?.f(x)`; also a function of an import alias.
    Method(Box<Method>),
    /// `a[i]`.
    Index {
        /// What is indexed.
        base: Box<Expr>,
        /// By what.
        index: Box<Expr>,
    },
    /// `-a`, `!a`.
    Unary {
        /// Which.
        op: UnaryOp,
        /// Where the operator stands.
        op_span: Span,
        /// Its operand.
        operand: Box<Expr>,
    },
    /// `a + b`.
    Binary {
        /// Which.
        op: BinaryOp,
        /// Where the operator stands.
        op_span: Span,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `if c then a else b`.
    If {
        /// Which of the two.
        condition: Box<Expr>,
        /// When it holds.
        then: Box<Expr>,
        /// When it does not.
        otherwise: Box<Expr>,
    },
    /// `match x { … }`.
    Match {
        /// What is matched.
        scrutinee: Box<Expr>,
        /// In order.
        arms: Vec<Arm>,
    },
    /// `x => e`, `(a, b) => e`.
    Lambda {
        /// Parameter names; `_` is a name here.
        params: Vec<Name>,
        /// The result.
        body: Box<Expr>,
    },
    /// `[…]`.
    List(ListBody),
    /// `{…}`: a record or a map.
    Block(Block),
    /// `(…)`.
    Paren(Box<Expr>),
    /// Broken and reported.
    Error,
}

/// `Type.variant`.
#[derive(Clone, Debug, PartialEq)]
pub struct Qualified {
    /// The type.
    pub ty: Name,
    /// The variant.
    pub name: Name,
}

/// `f(a)`, `Type.f(a)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The type before the dot.
    pub ty: Option<Name>,
    /// What is called.
    pub name: Name,
    /// The arguments.
    pub args: Vec<Expr>,
}

/// `http { … }`, `Health.http { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Construct {
    /// The type before the dot.
    pub ty: Option<Name>,
    /// The variant.
    pub name: Name,
    /// Its payload.
    pub fields: Block,
}

/// `a.b`, `a?.b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Left of the dot.
    pub base: Expr,
    /// Right of the dot.
    pub name: Name,
    /// `?.`.
    pub optional: bool,
}

/// `a.f(x)`, `a?.f(x)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Left of the dot.
    pub base: Expr,
    /// Right of the dot.
    pub name: Name,
    /// The arguments.
    pub args: Vec<Expr>,
    /// `?.`.
    pub optional: bool,
}

/// `pattern | pattern => body`.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// At least one alternative.
    pub patterns: Vec<Pattern>,
    /// The result.
    pub body: Expr,
    /// The whole.
    pub span: Span,
}

/// `for A[, B] in SOURCE [if FILTER]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ForHead {
    /// The element, or the key when there are two names.
    pub first: Name,
    /// The value.
    pub second: Option<Name>,
    /// What is walked.
    pub source: Expr,
    /// Which elements are taken.
    pub filter: Option<Expr>,
    /// The whole.
    pub span: Span,
}

/// `{ … }` in an expression, a node or a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// What is inside.
    pub body: BlockBody,
    /// With the braces.
    pub span: Span,
}

/// What a block holds.
#[derive(Clone, Debug, PartialEq)]
pub enum BlockBody {
    /// Fields and spreads.
    Entries(Vec<Entry>),
    /// `{ for k, v in xs: [key] = value }`.
    For(Box<BlockFor>),
}

/// `for k, v in xs: [key] = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockFor {
    /// What is walked.
    pub head: ForHead,
    /// The key of each entry.
    pub key: Expr,
    /// Its value.
    pub value: Expr,
}

/// One entry of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// The whole.
    pub span: Span,
}

/// The forms of an entry.
#[derive(Clone, Debug, PartialEq)]
pub enum EntryKind {
    /// `key = value`.
    Field {
        /// Left side.
        key: Key,
        /// Right side.
        value: Expr,
    },
    /// `name`, which is `name = name`.
    Short(Name),
    /// `..record`.
    Spread(Expr),
    /// Broken and reported: the block may have fields that are not listed here, so nothing in it is "missing".
    Error,
}

/// Left side of a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Its form.
    pub kind: KeyKind,
    /// Where.
    pub span: Span,
}

/// The forms of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyKind {
    /// A word, keywords included.
    Name(SmolStr),
    /// `"text"`; may have holes.
    Str(Box<StrLit>),
    /// `[expr]`.
    Computed(Box<Expr>),
}

/// What a list holds.
#[derive(Clone, Debug, PartialEq)]
pub enum ListBody {
    /// Elements and spreads.
    Elements(Vec<Element>),
    /// `[for x in xs: value]`.
    For {
        /// What is walked.
        head: Box<ForHead>,
        /// Each element.
        value: Box<Expr>,
    },
}

/// One element of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// Where `..` stands, if the value is a list to be spliced in.
    pub spread: Option<Span>,
    /// The value.
    pub value: Expr,
}

/// A string literal.
#[derive(Clone, Debug, PartialEq)]
pub struct StrLit {
    /// What it holds.
    pub body: StrBody,
    /// How it was written.
    pub form: StrForm,
    /// With the quotes.
    pub span: Span,
}

impl StrLit {
    /// Its text, if it has no holes.
    pub fn plain(&self) -> Option<&str> {
        match &self.body {
            StrBody::Plain(text) => Some(text),
            StrBody::Parts(_) => None,
        }
    }
}

/// What a string literal holds; escapes and indentation are resolved.
#[derive(Clone, Debug, PartialEq)]
pub enum StrBody {
    /// Text without holes.
    Plain(Arc<str>),
    /// Texts (never empty, never two in a row) and at least one hole.
    Parts(Box<[StrPart]>),
}

/// How a string was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrForm {
    /// `"…"`.
    Plain,
    /// `"""…"""`.
    Multiline,
    /// `r"…"`.
    Raw,
}

/// A part of a string literal.
#[derive(Clone, Debug, PartialEq)]
pub enum StrPart {
    /// Literal text as it is at run time.
    Text(Arc<str>),
    /// `${expr}`.
    Hole(Expr),
}

/// An exact quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quantity {
    /// What is measured.
    pub unit: Unit,
    /// How much, in the base of [`Unit`].
    pub amount: i64,
}

/// What a quantity measures and in what base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Milliseconds.
    Duration,
    /// Bytes.
    Bytes,
    /// Parts per million.
    Ratio,
    /// Thousandths of a processor.
    Cpu,
}

/// Operators before their operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `-`.
    Neg,
    /// `!`.
    Not,
}

/// Operators between their operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `*`.
    Mul,
    /// `/`.
    Div,
    /// `+`.
    Add,
    /// `-`.
    Sub,
    /// `..`, without the end.
    Range,
    /// `..=`, with the end.
    RangeInclusive,
    /// `??`.
    Coalesce,
    /// `==`.
    Eq,
    /// `!=`.
    Ne,
    /// `<`.
    Lt,
    /// `<=`.
    Le,
    /// `>`.
    Gt,
    /// `>=`.
    Ge,
    /// `in`.
    In,
    /// `&&`.
    And,
    /// `||`.
    Or,
}

impl BinaryOp {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Range => "..",
            BinaryOp::RangeInclusive => "..=",
            BinaryOp::Coalesce => "??",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::In => "in",
            BinaryOp::And => "&&",
            BinaryOp::Or => "||",
        }
    }
}
