//! The typed tree: what the checker made of a program and what `evaluate` runs.
//!
//! Guarantees: every name is an id, every expression has a span and a type, blocks are already records, maps or payloads,
//! spreads of records are already fields, payload fields and record fields that were left out are already there with
//! their default, conversions that change a value are [`ExprKind::Coerce`]. What is broken is [`ExprKind::Error`] with
//! [`Type::Error`] and was reported; a program with errors is not to be evaluated. Ids are unique in the whole program,
//! imported modules included. It holds no values but literals.
//!
//! Read this file (the program), then `expr` (expressions), `node` (nodes and components),
//! `refinement` (`where`). `walk` visits sub-expressions.

mod expr;
mod ids;
mod node;
mod refinement;
mod walk;

pub use expr::{Access, Arm, Expr, ExprKind, ForHead, Function, MapEntry, Pattern, PatternKind, StringPart};
pub use ids::{ComponentId, FnId, LetId, LocalId, NodeId, ParamId, RefinementId};
pub use node::{Component, Field, Head, Node, NodeOf, With};
pub use refinement::{Predicate, Refinement, predicate_of};
pub use walk::{each_child, each_expr};

use imm_ir::{KindSchema, Span, Type, kinds};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A whole program: one root module and everything it imports. The tables are indexed by the ids.
#[derive(Clone, Debug, Default)]
pub struct TypedModule {
    /// Params of the root module and of components. See [`ParamId`].
    pub params: Vec<Param>,
    /// Lets of all modules and components.
    pub lets: Vec<Let>,
    /// Functions of all modules.
    pub fns: Vec<Fn>,
    /// Nodes and `use`s of the root module and of components.
    pub nodes: Vec<Node>,
    /// Components of all modules.
    pub components: Vec<Component>,
    /// Conditions of `type … where` and `param … where`.
    pub refinements: Vec<Refinement>,
    /// Names of local bindings, for messages.
    pub locals: Vec<Arc<str>>,
    /// What the root module itself declares.
    pub root: Body,
    /// Lets of imported modules and of the root that components and functions may use: they need no instance. In
    /// dependency order.
    pub constants: Vec<LetId>,
    /// `environment` items of the root module.
    pub environments: Vec<Environment>,
    /// `test` items of the root module, untyped for now.
    pub tests: Vec<Test>,
    /// The named types of the root module, for tools.
    pub types: Vec<(Arc<str>, Type)>,
    /// Names of the outputs of nodes that expressions read, of whatever kind: a check keeps nothing else of a node.
    pub outputs_read: BTreeSet<Arc<str>>,
    /// Kinds of the providers that it names, as `NAME.kind`.
    pub provided: BTreeMap<Arc<str>, KindSchema>,
}

impl TypedModule {
    /// The schema of a kind that this program can write.
    pub fn kind(&self, name: &str) -> Option<&KindSchema> {
        self.provided.get(name).or_else(|| kinds::builtin().get(name))
    }
}

/// The instantiable part of a module or component.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// Its params in source order.
    pub params: Vec<ParamId>,
    /// Its lets and nodes so that whatever a step needs of this body stands before it. Lets that are
    /// [`TypedModule::constants`] are not here.
    pub order: Vec<Step>,
    /// Its nodes and uses in source order.
    pub nodes: Vec<NodeId>,
    /// Its outputs in source order. They may be evaluated when `order` is done.
    pub outputs: Vec<Output>,
    /// Its asserts in source order.
    pub asserts: Vec<Assert>,
}

/// One step of evaluating a [`Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Evaluate the default of this param, if no value was given. A param stands before what reads it.
    Param(ParamId),
    /// Evaluate this let.
    Let(LetId),
    /// Evaluate the head, the identity fields (for a pointer or durable) or all fields (for any other class) of this
    /// node; for a `use`: instantiate it. Its handle is usable by others from here on.
    Node(NodeId),
    /// Evaluate the fields of this pointer or durable that are not identity, and a pointer's `with` block.
    Set(NodeId),
}

/// `param`.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name.
    pub name: Arc<str>,
    /// Its type as declared; a `where` is a [`Type::Refined`] around it.
    pub ty: Type,
    /// The value when none is given, already of type `ty`. A component's optional param without default is `none`.
    pub default: Option<Expr>,
    /// Documentation.
    pub docs: Option<Arc<str>>,
    /// The component it belongs to; `None` for the root module.
    pub owner: Option<ComponentId>,
    /// The whole item.
    pub span: Span,
    /// The name.
    pub name_span: Span,
}

/// `let`.
#[derive(Clone, Debug)]
pub struct Let {
    /// Its name.
    pub name: Arc<str>,
    /// Its value; the type is `value.ty`.
    pub value: Expr,
    /// Documentation.
    pub docs: Option<Arc<str>>,
    /// The component it belongs to; `None` for a module.
    pub owner: Option<ComponentId>,
    /// The whole item.
    pub span: Span,
    /// The name.
    pub name_span: Span,
}

/// `fn`. Pure, never recursive.
#[derive(Clone, Debug)]
pub struct Fn {
    /// Its name.
    pub name: Arc<str>,
    /// Its parameters.
    pub params: Vec<(LocalId, Type)>,
    /// The one expression; its type is the declared result, late if the body is.
    pub body: Expr,
    /// Documentation.
    pub docs: Option<Arc<str>>,
    /// The whole item.
    pub span: Span,
    /// The name.
    pub name_span: Span,
}

/// `output`.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its name.
    pub name: Arc<str>,
    /// Its value; the type is `value.ty`.
    pub value: Expr,
    /// Documentation.
    pub docs: Option<Arc<str>>,
    /// The whole item.
    pub span: Span,
    /// The name.
    pub name_span: Span,
}

/// `assert`.
#[derive(Clone, Debug)]
pub struct Assert {
    /// To `Bool`, `~Bool` or a secret one.
    pub condition: Expr,
    /// A String, known and never secret.
    pub message: Expr,
    /// The whole item.
    pub span: Span,
}

/// `environment NAME { … }`.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its name.
    pub name: Arc<str>,
    /// The values of params it sets. They use no params and no nodes.
    pub params: Vec<(ParamId, Expr)>,
    /// The other settings by name (`state platform keep retain watch replace_limit confirm`), checked.
    pub settings: Vec<(Arc<str>, Expr)>,
    /// The whole item.
    pub span: Span,
}

/// `test NAME { … }`.
#[derive(Clone, Debug)]
pub struct Test {
    /// Its name.
    pub name: Arc<str>,
    /// The steps in order.
    pub steps: Vec<TestStep>,
    /// Stands for what the next apply would do.
    pub plan: LocalId,
    /// Stands for how the last command ended.
    pub result: LocalId,
    /// The whole item.
    pub span: Span,
}

/// One step of a test.
#[derive(Clone, Debug)]
pub struct TestStep {
    /// What it does.
    pub kind: TestStepKind,
    /// The whole.
    pub span: Span,
}

/// What a step of a test does.
#[derive(Clone, Debug)]
pub enum TestStepKind {
    /// Gives params values. They use no params and no nodes.
    Given(Vec<(ParamId, Expr)>),
    /// Applies the program.
    Apply,
    /// Goes back one generation.
    Rollback,
    /// Settles what a crash left.
    Recover,
    /// Something goes wrong in the next command.
    Fault {
        /// `create_fails`, `verify_fails`, `switch_fails`, `slow`, `crash`.
        kind: Arc<str>,
        /// `at` and what else the kind takes.
        fields: Vec<(Arc<str>, Expr)>,
    },
    /// What a gate sees at a pointer.
    Sample {
        /// The pointer.
        pointer: NodeId,
        /// `new` and `old`.
        fields: Vec<(Arc<str>, Expr)>,
    },
    /// Must hold, to Bool.
    Expect(Expr),
    /// Broken and reported.
    Error,
}

impl TypedModule {
    /// The param with this id.
    pub fn param(&self, id: ParamId) -> Option<&Param> {
        self.params.get(id.index())
    }

    /// The let with this id.
    pub fn binding(&self, id: LetId) -> Option<&Let> {
        self.lets.get(id.index())
    }

    /// The function with this id.
    pub fn function(&self, id: FnId) -> Option<&Fn> {
        self.fns.get(id.index())
    }

    /// The node with this id.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.index())
    }

    /// The component with this id.
    pub fn component(&self, id: ComponentId) -> Option<&Component> {
        self.components.get(id.index())
    }
}
