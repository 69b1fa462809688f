//! Typed expressions.

use super::{FnId, LetId, LocalId, NodeId, ParamId};
use imm_ir::{Span, Type, Value};
use imm_syntax::ast::{BinaryOp, UnaryOp};
use std::sync::Arc;

/// An expression with its type.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it does.
    pub kind: ExprKind,
    /// Its type; [`Type::Late`] anywhere inside says what is known only after create.
    pub ty: Type,
    /// Where it was written.
    pub span: Span,
}

const _: () = assert!(size_of::<Expr>() <= 96, "programs have millions");

/// The forms of an expression.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A literal without holes, `none`, a filled-in default, a variant without payload.
    Value(Value),
    /// A string with holes.
    String(Vec<StringPart>),
    /// A binding of a lambda, pattern, `for`, function or refinement.
    Local(LocalId),
    /// A param.
    Param(ParamId),
    /// A let.
    Let(LetId),
    /// The handle of a node or `use`. Of a `for` node: the map of handles; of an `if` node: a handle or `none`.
    Node(NodeId),
    /// A list; `true` marks a list that is spliced in.
    List(Vec<(bool, Expr)>),
    /// `[for …: value]`.
    ListFor {
        /// What is walked.
        head: Box<ForHead>,
        /// Each element.
        value: Box<Expr>,
    },
    /// A record, complete.
    Record(Vec<(Arc<str>, Expr)>),
    /// A map. Two equal keys are `duplicate-key`, but an entry after a spread replaces the spread's.
    Map(Vec<MapEntry>),
    /// `{ for …: [key] = value }`. Two equal keys are `duplicate-key`.
    MapFor {
        /// What is walked.
        head: Box<ForHead>,
        /// The key of each entry, String.
        key: Box<Expr>,
        /// Its value.
        value: Box<Expr>,
    },
    /// A variant with its payload, complete.
    Variant {
        /// The tag.
        tag: Arc<str>,
        /// Its fields.
        payload: Vec<(Arc<str>, Expr)>,
    },
    /// `base.name`; with `optional` (`?.`) an absent base gives `none`.
    Field {
        /// Left of the dot. Shared, since a spread reads it once a field.
        base: Arc<Expr>,
        /// Right of the dot.
        name: Arc<str>,
        /// What kind of thing is reached.
        access: Access,
        /// `?.`.
        optional: bool,
    },
    /// `base[index]`; absent is `out-of-range`. `base.ty` (without `~`, `Secret`) says list or map.
    Index {
        /// What is indexed.
        base: Box<Expr>,
        /// Int for a list, String for a map.
        index: Box<Expr>,
    },
    /// A method of a builtin type, `base.name(args)`; `receiver.ty` says of which. With `optional` (`?.`) an absent
    /// receiver gives `none`.
    Method {
        /// Left of the dot.
        receiver: Box<Expr>,
        /// Which method: [`imm_ir::builtin::Signature::builtin`], for example `optional.map`.
        name: Arc<str>,
        /// Arguments; a lambda is [`ExprKind::Lambda`]. A lambda of a map's `map` and `filter` takes the value, or key
        /// and value when it has two parameters.
        args: Box<[Expr]>,
        /// `?.`.
        optional: bool,
    },
    /// A builtin function.
    Call {
        /// Which.
        function: Function,
        /// Its arguments.
        args: Vec<Expr>,
    },
    /// A function of a module.
    CallFn {
        /// Which.
        function: FnId,
        /// One for each parameter.
        args: Vec<Expr>,
    },
    /// `-a`, `!a`.
    Unary {
        /// Which.
        op: UnaryOp,
        /// Its operand.
        operand: Box<Expr>,
    },
    /// `a + b`. `&&`, `||` and `??` read the right side only when they must.
    Binary {
        /// Which.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `if c then a else b`.
    If {
        /// To Bool.
        condition: Box<Expr>,
        /// When it holds.
        then: Box<Expr>,
        /// When it does not.
        otherwise: Box<Expr>,
    },
    /// `match x { … }`, exhaustive; the first arm that fits.
    Match {
        /// What is matched.
        scrutinee: Box<Expr>,
        /// In order.
        arms: Vec<Arm>,
    },
    /// `(a, b) => e`: only as an argument of a method, or as a field of a function type (a gate).
    Lambda {
        /// Its parameters.
        params: Vec<LocalId>,
        /// The result.
        body: Box<Expr>,
    },
    /// The value made to fit `Expr::ty`, at any depth: Int to Float, refinements checked (see
    /// [`predicate_of`](super::predicate_of)), plain to secret, String to Content, absent fields of records filled in.
    Coerce(Box<Expr>),
    /// Broken and reported.
    Error,
}

/// A part of a string.
#[derive(Clone, Debug)]
pub enum StringPart {
    /// Literal text.
    Text(Arc<str>),
    /// String, Int, Bool or a variant without payload; perhaps late or secret.
    Hole(Expr),
}

/// An entry of a map.
#[derive(Clone, Debug)]
pub enum MapEntry {
    /// `key = value`; the key is a known String.
    Entry {
        /// The key.
        key: Expr,
        /// The value.
        value: Expr,
    },
    /// `..map`.
    Spread(Expr),
}

/// What a field access reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// A field of a record.
    Record,
    /// An output of a node, from its schema: late, or known from an input or the spec digest.
    Output,
    /// The members of an expanded node (`web.instance`): a map of handles.
    Members,
    /// An output of a `use`.
    Component,
    /// A node inside of a `use`, which only tests can see.
    Inner(NodeId),
}

/// `for a[, b] in source [if filter]`.
#[derive(Clone, Debug)]
pub struct ForHead {
    /// The value; over a list the element, over a map the value.
    pub value: Option<LocalId>,
    /// The key of a map (or of a `for` node), or the position in a list. With one name over a map this is that name.
    pub key: Option<LocalId>,
    /// A list, a range or a map (by type).
    pub source: Expr,
    /// To Bool.
    pub filter: Option<Expr>,
    /// The whole.
    pub span: Span,
}

/// A builtin function of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// `template(path, record)`: String.
    Template,
    /// `file(path)`: Content.
    File,
    /// `tree(dir)`, `tree(dir, [ignored])`: Content.
    Tree,
    /// `executable(path)`: Content.
    Executable,
    /// `executable(self)`, no arguments: Content.
    ExecutableSelf,
    /// `some(x)`: the value itself.
    Some,
    /// A function of a standard module by its full name, for example `encode.json`.
    Module(&'static str),
}

/// An arm of a `match`.
#[derive(Clone, Debug)]
pub struct Arm {
    /// At least one alternative; all of them bind the same locals.
    pub patterns: Vec<Pattern>,
    /// The result.
    pub body: Expr,
    /// The whole.
    pub span: Span,
}

/// One alternative of an arm.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// What it matches.
    pub kind: PatternKind,
    /// Where.
    pub span: Span,
}

/// The forms of a pattern.
#[derive(Clone, Debug)]
pub enum PatternKind {
    /// `_`
    Wildcard,
    /// `none`
    None,
    /// `some(v)`, bound to the value itself.
    Some(Option<LocalId>),
    /// A literal.
    Value(Value),
    /// A variant with the payload fields it binds.
    Variant {
        /// The tag.
        tag: Arc<str>,
        /// Field and the local it is bound to.
        bindings: Vec<(Arc<str>, LocalId)>,
    },
}

impl Expr {
    /// What is broken and was reported.
    pub fn error(span: Span) -> Self {
        Self { kind: ExprKind::Error, ty: Type::Error, span }
    }

    /// The expression inside of conversions.
    pub fn uncoerced(&self) -> &Expr {
        let mut expr = self;
        while let ExprKind::Coerce(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }
}
