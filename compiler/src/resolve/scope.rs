//! Scopes and declarations, as plain tables.

use crate::hir::{ComponentId, FnId, LetId, NodeId, ParamId};
use imm_ir::Span;
use imm_syntax::ast;
use rustc_hash::FxHashMap;
use std::cell::OnceCell;
use std::collections::BTreeMap;

/// Everything a program declares. The tables are indexed by the ids of [`crate::hir`].
#[derive(Default)]
pub struct Program<'a> {
    /// First one for each module, then one for each component.
    pub scopes: Vec<Scope<'a>>,
    /// Params.
    pub params: Vec<Decl<'a, ast::Param>>,
    /// Lets.
    pub lets: Vec<Decl<'a, ast::Let>>,
    /// Functions.
    pub fns: Vec<Decl<'a, ast::FnDecl>>,
    /// Nodes and uses.
    pub nodes: Vec<Decl<'a, ast::Node>>,
    /// Components; the scope of a component's inside is `component_scopes`.
    pub components: Vec<Decl<'a, ast::Component>>,
    /// The scope inside of each component.
    pub component_scopes: Vec<usize>,
    /// Named types.
    pub types: Vec<Decl<'a, ast::TypeDecl>>,
    /// Imports.
    pub imports: Vec<Import>,
}

/// A declaration: its tree, its item and the scope it stands in.
pub struct Decl<'a, T> {
    /// The declaration.
    pub ast: &'a T,
    /// The item around it.
    pub item: &'a ast::Item,
    /// The scope it stands in.
    pub scope: usize,
}

/// A module or component.
#[derive(Default)]
pub struct Scope<'a> {
    /// The module around a component.
    pub parent: Option<usize>,
    /// Which component this is.
    pub component: Option<ComponentId>,
    /// Bindings and import aliases.
    pub values: Names<'a, (Def, Span)>,
    /// Types and components.
    pub types: BTreeMap<&'a str, (TypeDef, Span)>,
    /// Params in source order.
    pub params: Vec<ParamId>,
    /// Nodes and uses in source order.
    pub nodes: Vec<NodeId>,
    /// Outputs in source order.
    pub outputs: Vec<OutputDecl<'a>>,
    /// Asserts in source order.
    pub asserts: Vec<(&'a ast::Assert, Span)>,
    /// Providers in source order.
    pub providers: Vec<&'a ast::Provider>,
    /// Environments in source order.
    pub environments: Vec<(&'a ast::Environment, Span)>,
    /// Tests in source order.
    pub tests: Vec<(&'a ast::Test, Span)>,
}

/// What names stand for. Large modules have ten thousand: they are found by hash, and put in order once somebody lists them.
#[derive(Debug)]
pub struct Names<'a, T> {
    by_name: FxHashMap<&'a str, T>,
    ordered: OnceCell<Vec<&'a str>>,
}

impl<T> Default for Names<'_, T> {
    fn default() -> Self {
        Self { by_name: FxHashMap::default(), ordered: OnceCell::new() }
    }
}

impl<'a, T> Names<'a, T> {
    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.by_name.get(name)
    }

    /// Gives a name another meaning.
    pub fn insert(&mut self, name: &'a str, means: T) {
        self.ordered.take();
        self.by_name.insert(name, means);
    }

    /// Gives a name a meaning unless it has one.
    pub fn add(&mut self, name: &'a str, means: T) {
        self.ordered.take();
        self.by_name.entry(name).or_insert(means);
    }

    /// All names with what they stand for, in the order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &T)> {
        self.keys().filter_map(|name| Some((name, self.by_name.get(name)?)))
    }

    /// What all names stand for, in any order.
    pub fn meanings(&self) -> impl Iterator<Item = (&'a str, &T)> {
        self.by_name.iter().map(|(name, means)| (*name, means))
    }

    /// All names, in the order of their bytes.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> {
        let ordered = self.ordered.get_or_init(|| {
            let mut all: Vec<&str> = self.by_name.keys().copied().collect();
            all.sort_unstable();
            all
        });
        ordered.iter().copied()
    }
}

/// An output.
pub type OutputDecl<'a> = (&'a ast::Output, &'a ast::Item);

/// What a name in the namespace of values is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Def {
    /// A param.
    Param(ParamId),
    /// A let.
    Let(LetId),
    /// A function.
    Fn(FnId),
    /// A node or use.
    Node(NodeId),
    /// An import alias: an index into [`Program::imports`].
    Import(usize),
    /// Broken and reported.
    Broken,
}

/// What a name in the namespace of types is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeDef {
    /// A named type: an index into [`Program::types`].
    Type(usize),
    /// A component.
    Component(ComponentId),
    /// Broken and reported.
    Broken,
}

/// What an import alias stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Import {
    /// A module, by its index.
    Module(usize),
    /// Could not be found; reported.
    Missing,
}

impl<'a> Program<'a> {
    /// The binding a name means in a scope, looking outwards.
    pub fn value(&self, scope: usize, name: &str) -> Option<(Def, Span)> {
        let here = self.scopes.get(scope)?;
        here.values.get(name).copied().or_else(|| self.value(here.parent?, name))
    }

    /// The type or component a name means in a scope, looking outwards.
    pub fn ty(&self, scope: usize, name: &str) -> Option<(TypeDef, Span)> {
        let here = self.scopes.get(scope)?;
        here.types.get(name).copied().or_else(|| self.ty(here.parent?, name))
    }

    /// The param with this name: of a component, or of a scope.
    pub fn param_of(&self, component: Option<ComponentId>, scope: Option<usize>, name: &str) -> Option<ParamId> {
        let inside = component.and_then(|id| self.component_scopes.get(id.index()).copied());
        match self.scopes.get(inside.or(scope)?)?.values.get(name)? {
            (Def::Param(id), _) => Some(*id),
            _other => None,
        }
    }

    /// The names of all bindings that a scope sees.
    pub fn value_names(&self, scope: usize) -> Vec<&'a str> {
        let Some(here) = self.scopes.get(scope) else { return Vec::new() };
        let mut names: Vec<&str> = here.values.keys().collect();
        names.extend(here.parent.map(|parent| self.value_names(parent)).unwrap_or_default());
        names
    }

    /// The names of all types and components that a scope sees.
    pub fn type_names(&self, scope: usize) -> Vec<&'a str> {
        let Some(here) = self.scopes.get(scope) else { return Vec::new() };
        let mut names: Vec<&str> = here.types.keys().copied().collect();
        names.extend(here.parent.map(|parent| self.type_names(parent)).unwrap_or_default());
        names
    }

    /// The module that a scope is of, or is in.
    pub fn module_of(&self, scope: usize) -> usize {
        self.scopes.get(scope).and_then(|s| s.parent).unwrap_or(scope)
    }

    /// The component a scope is inside of.
    pub fn component_of(&self, scope: usize) -> Option<ComponentId> {
        self.scopes.get(scope).and_then(|s| s.component)
    }
}
