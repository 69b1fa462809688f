//! Typed nodes and components.

use super::{Body, ComponentId, Expr, ForHead};
use imm_ir::{Class, Span};
use std::sync::Arc;

/// `CLASS NAME [for … | if …] = KIND { … } [with { … }]`, or a `use`.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: Arc<str>,
    /// Kind or component.
    pub of: NodeOf,
    /// One, many or perhaps.
    pub head: Head,
    /// What was written, each field once, in source order and of its schema's (or component param's) type. Fields that
    /// were left out are not here: their default is in the schema (or in the component's param).
    pub fields: Vec<Field>,
    /// The block after `with`, if there is one. In a box: most nodes have none.
    pub with: Option<Box<With>>,
    /// The component it is declared in; `None` for the root module.
    pub owner: Option<ComponentId>,
    /// Documentation.
    pub docs: Option<Arc<str>>,
    /// The whole item.
    pub span: Span,
    /// The name.
    pub name_span: Span,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeOf {
    /// An object of this kind. The schema has it, unless an error was reported.
    Kind {
        /// The kind's name.
        kind: Arc<str>,
        /// The keyword, which fits the schema's class.
        class: Class,
    },
    /// `use`: an instance of this component.
    Component(ComponentId),
    /// Unknown and reported.
    Error,
}

/// How many nodes a declaration makes.
#[derive(Clone, Debug)]
pub enum Head {
    /// Exactly one.
    One,
    /// One for each value, keyed by the map's key or by the text of the list's element. Source and filter are known.
    For(Box<ForHead>),
    /// One or none. The condition is known and not secret.
    If(Box<Expr>),
}

/// One field of a node or `use`.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: Arc<str>,
    /// Its value.
    pub value: Expr,
    /// The key, for messages.
    pub name_span: Span,
}

/// The block after `with`; what is absent has the default of [`imm_ir::With`].
#[derive(Clone, Debug, Default)]
pub struct With {
    /// `[Node]`.
    pub needs: Option<Expr>,
    /// Duration.
    pub timeout: Option<Expr>,
    /// Int.
    pub retries: Option<Expr>,
    /// `beside | handover { max_outage } | stop_first { because }`, defaults filled in.
    pub replace: Option<Expr>,
    /// Bool.
    pub protect: Option<Expr>,
    /// The block.
    pub span: Span,
}

/// `component NAME { … }`: a template that `use` instantiates.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its name as [`imm_ir::Type::Component`] has it: for one of an imported module with that module's name before it.
    pub name: Arc<str>,
    /// What is inside.
    pub body: Body,
    /// Documentation.
    pub docs: Option<Arc<str>>,
    /// The whole item.
    pub span: Span,
    /// The name.
    pub name_span: Span,
}

impl Node {
    /// The field of this kind's field, if it was written: it then has the very name of the schema.
    pub fn field_of(&self, name: &Arc<str>) -> Option<&Field> {
        self.fields.iter().find(|f| Arc::ptr_eq(&f.name, name))
    }

    /// The field with this name, if it was written.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| &*f.name == name)
    }
}
