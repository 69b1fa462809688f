//! Items: what stands at the top level of a file, in a component or in a test.

use super::{Block, Docs, Expr, ForHead, Name, StrLit, TypeExpr, TypeField};
use imm_ir::Span;

/// One item with its documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The `///` lines before it.
    pub docs: Option<Docs>,
    /// The word `pub`, if it is there.
    pub public: Option<Span>,
    /// What it is.
    pub kind: ItemKind,
    /// From `pub` or the keyword to the last token.
    pub span: Span,
}

impl Item {
    /// The name it declares, for items that declare one.
    pub fn name(&self) -> Option<&Name> {
        match &self.kind {
            ItemKind::Param(it) => Some(&it.name),
            ItemKind::Let(it) => Some(&it.name),
            ItemKind::Type(it) => Some(&it.name),
            ItemKind::Fn(it) => Some(&it.name),
            ItemKind::Component(it) => Some(&it.name),
            ItemKind::Node(it) => Some(&it.name),
            ItemKind::Provider(it) => Some(&it.name),
            ItemKind::Environment(it) => Some(&it.name),
            ItemKind::Output(it) => Some(&it.name),
            ItemKind::Error(name) => name.as_ref(),
            ItemKind::Import(_) | ItemKind::Assert(_) | ItemKind::Test(_) => None,
        }
    }
}

/// What an item is.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// `import std.net`, `import "./limits" as limits`.
    Import(Import),
    /// `param NAME: TYPE = DEFAULT where PREDICATE`.
    Param(Param),
    /// `let NAME = EXPR`.
    Let(Let),
    /// `type Name = …`.
    Type(TypeDecl),
    /// `fn name(a: T) -> U = EXPR`.
    Fn(FnDecl),
    /// `component name { … }`.
    Component(Component),
    /// `resource`, `durable`, `pointer`, `external` or `use`.
    Node(Box<Node>),
    /// `provider aws = terraform { … }`.
    Provider(Provider),
    /// `environment prod { … }`.
    Environment(Environment),
    /// `output name: TYPE = EXPR`.
    Output(Output),
    /// `assert COND else "message"`.
    Assert(Assert),
    /// `test "name" { … }`.
    Test(Test),
    /// Broken and reported. The name it would have declared, if that much could be read: references to it must not be
    /// reported as unknown.
    Error(Option<Name>),
}

/// `import PATH [as ALIAS]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// What is imported.
    pub path: ImportPath,
    /// The name after `as`.
    pub alias: Option<Name>,
}

/// What an import names.
#[derive(Clone, Debug, PartialEq)]
pub enum ImportPath {
    /// `std.net`; at least one segment.
    Module(Vec<Name>),
    /// `"./limits"`, relative to the file.
    Folder(StrLit),
}

impl ImportPath {
    /// From the first segment to the last, or the quoted path.
    pub fn span(&self) -> Span {
        match self {
            ImportPath::Folder(path) => path.span,
            ImportPath::Module(segments) => match (segments.first(), segments.last()) {
                (Some(first), Some(last)) => first.span.to(last.span),
                _ => Span::default(),
            },
        }
    }
}

/// `param NAME: TYPE [= DEFAULT] [where PREDICATE]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeExpr,
    /// The value when none is given.
    pub default: Option<Expr>,
    /// Speaks of `it`.
    pub predicate: Option<Expr>,
}

/// `let NAME [: TYPE] = VALUE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Let {
    /// Its name.
    pub name: Name,
    /// The declared type.
    pub ty: Option<TypeExpr>,
    /// The value.
    pub value: Expr,
}

/// `type NAME = …`.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeDecl {
    /// Its name, `UpperCamel`.
    pub name: Name,
    /// What it stands for.
    pub definition: TypeDefinition,
}

/// The right side of a `type`.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeDefinition {
    /// `a | b { … }`.
    Variants(Vec<Variant>),
    /// Another type, perhaps refined.
    Alias {
        /// The base.
        ty: TypeExpr,
        /// Speaks of `it`.
        predicate: Option<Expr>,
    },
}

/// One variant of a type.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its name.
    pub name: Name,
    /// The fields in braces; `None` when there are no braces.
    pub payload: Option<Vec<TypeField>>,
    /// The whole.
    pub span: Span,
}

/// `fn NAME(PARAMS) -> RESULT = BODY`.
#[derive(Clone, Debug, PartialEq)]
pub struct FnDecl {
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<FnParam>,
    /// The type of the result.
    pub result: TypeExpr,
    /// The one expression.
    pub body: Expr,
}

/// `NAME: TYPE`.
#[derive(Clone, Debug, PartialEq)]
pub struct FnParam {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeExpr,
}

/// `component NAME { ITEMS }`; the items are params, lets, nodes, outputs, asserts and errors only.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// Its name.
    pub name: Name,
    /// What is inside.
    pub items: Vec<Item>,
}

/// The word a node starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeKeyword {
    /// Disposable.
    Resource,
    /// Holds state.
    Durable,
    /// Moves.
    Pointer,
    /// Not owned.
    External,
    /// An instance of a component.
    Use,
}

impl NodeKeyword {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            NodeKeyword::Resource => "resource",
            NodeKeyword::Durable => "durable",
            NodeKeyword::Pointer => "pointer",
            NodeKeyword::External => "external",
            NodeKeyword::Use => "use",
        }
    }
}

/// `CLASS NAME [for … | if …] = KIND { FIELDS } [with { … }]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The class, or `use`.
    pub keyword: NodeKeyword,
    /// Where that word stands.
    pub keyword_span: Span,
    /// Its name.
    pub name: Name,
    /// One, many or perhaps.
    pub head: NodeHead,
    /// The kind or component: `service`, `aws.instance`; at least one segment.
    pub kind: Vec<Name>,
    /// The fields.
    pub fields: Block,
    /// The block after `with`.
    pub with: Option<Block>,
}

impl Node {
    /// From the first segment of the kind to the last.
    pub fn kind_span(&self) -> Span {
        match (self.kind.first(), self.kind.last()) {
            (Some(first), Some(last)) => first.span.to(last.span),
            _ => self.name.span,
        }
    }
}

/// How many nodes a declaration makes.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeHead {
    /// Exactly one.
    One,
    /// One for each value.
    For(Box<ForHead>),
    /// One or none.
    If(Box<Expr>),
}

/// `provider NAME = KIND { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    /// The prefix of its kinds.
    pub name: Name,
    /// What provides, for example `terraform`.
    pub kind: Name,
    /// Its settings.
    pub fields: Block,
}

/// `environment NAME { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    /// Its name.
    pub name: Name,
    /// Its settings.
    pub fields: Block,
}

/// `output NAME [: TYPE] = VALUE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name.
    pub name: Name,
    /// The declared type.
    pub ty: Option<TypeExpr>,
    /// The value.
    pub value: Expr,
}

/// `assert CONDITION else MESSAGE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Assert {
    /// Must hold.
    pub condition: Expr,
    /// Said when it does not.
    pub message: StrLit,
}

/// `test NAME { STEPS }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// What is tested.
    pub name: StrLit,
    /// In order.
    pub steps: Vec<Step>,
}

/// One step of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// The whole.
    pub span: Span,
}

/// What a step of a test does.
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// Sets params.
    Given(Block),
    /// Applies on the simulator.
    Apply,
    /// Goes back one generation.
    Rollback,
    /// Recovers after a crash.
    Recover,
    /// `fault KIND { … }`.
    Fault {
        /// Which fault.
        kind: Name,
        /// Where and how often.
        fields: Block,
    },
    /// `sample POINTER { … }`.
    Sample {
        /// The pointer that is sampled.
        pointer: Name,
        /// The samples.
        fields: Block,
    },
    /// Must hold.
    Expect(Expr),
    /// Broken and reported.
    Error,
}
