//! The checker's state, and conversion of a value to the type its place demands.

use super::ModuleInput;
use super::facts::Facts;
use super::fields::FieldSpec;
use super::nodes::Target;
use crate::diagnose::mismatch::{self, Late, Place};
use crate::hir::{Access, Expr, ExprKind, LocalId, Output, Refinement, each_child};
use crate::resolve::cycles::{Dependencies, Vertex};
use crate::resolve::{Def, Program, declare};
use crate::types::fits;
use crate::{diagnose::names, hir};
use imm_ir::{Class, Diagnostic, FileId, KindSchema, SchemaSet, Sources, Span, Type};
use imm_syntax::ast;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// Something that is made when first needed.
pub(super) enum Slot<T> {
    /// Not needed yet.
    Empty,
    /// Being made: needing it now is a cycle.
    Busy,
    /// Made.
    Done(T),
}

/// What checking a program needs and makes.
pub(super) struct Checker<'a> {
    pub modules: &'a [ModuleInput],
    pub sources: &'a Sources,
    pub schemas: &'a SchemaSet,
    /// The kinds by name: each node asks several times.
    kinds: FxHashMap<&'a str, &'a KindSchema>,
    pub program: Program<'a>,
    pub found: Vec<Diagnostic>,
    pub needs: Dependencies,
    pub types: Vec<Slot<Type>>,
    pub params: Vec<Slot<Type>>,
    pub lets: Vec<Slot<Expr>>,
    pub fns: Vec<Slot<hir::Fn>>,
    pub outputs: Vec<Vec<Slot<Output>>>,
    /// Nodes that were looked at before the end, when not all are.
    pub nodes: FxHashMap<hir::NodeId, hir::Node>,
    pub refinements: Vec<Option<Refinement>>,
    pub locals: Vec<Arc<str>>,
    pub used: FxHashSet<(usize, u32)>,
    pub component_names: Vec<Arc<str>>,
    pub components_by_name: FxHashMap<Arc<str>, hir::ComponentId>,
    /// Lets used where nothing of an instance can be seen: they must be constants.
    pub constants_wanted: Vec<(hir::LetId, Span, &'static str)>,
    /// What each node is, and its class, once somebody asked.
    pub targets: Vec<OnceCell<(Target, Option<Class>)>>,
    /// The fields of the kinds that were met, by kind.
    pub specs: FxHashMap<&'a str, Rc<[FieldSpec<'a>]>>,
    /// Names of the outputs of nodes that are read somewhere.
    pub outputs_read: BTreeSet<Arc<str>>,
    /// How deep expressions are nested in the one being checked, over declarations too.
    pub depth: usize,
    /// The parts of files that are looked at; `None`: all.
    pub asked: Option<FxHashSet<FileId>>,
    /// What was seen where, if a tool asked for it.
    pub facts: Option<Box<Facts>>,
}

/// Expressions nested deeper than this, over all declarations that one needs, are refused instead of overflowing the
/// stack.
pub(super) const MOST_DEPTH: usize = 400;

/// Where an expression stands.
pub(super) struct Cx {
    /// The scope whose names it sees.
    pub scope: usize,
    /// The declaration that needs what it names.
    pub vertex: Vertex,
    /// Set where params and nodes cannot be seen; says where that is, with its article.
    pub closed: Option<&'static str>,
    /// Params may be used although nodes may not.
    pub params_too: bool,
    /// In a test: what is inside of components can be seen.
    pub tested: bool,
    /// In a test after an apply: what was late is known.
    pub settled: bool,
    /// A handle named here must have been set, not only reserved (`needs`).
    pub set: bool,
    /// Local bindings, innermost last.
    pub locals: Vec<Local>,
}

/// A local binding.
pub(super) struct Local {
    pub name: Arc<str>,
    pub id: LocalId,
    pub ty: Type,
    pub span: Span,
    pub used: bool,
    /// What to call it when it is unused; `None`: being unused is fine.
    pub warn: Option<&'static str>,
}

impl Cx {
    /// At the top of a scope.
    pub fn new(scope: usize, vertex: Vertex) -> Self {
        Self {
            scope,
            vertex,
            closed: None,
            params_too: false,
            tested: false,
            settled: false,
            set: false,
            locals: Vec::new(),
        }
    }

    /// Where neither params nor nodes can be seen.
    pub fn closed(scope: usize, vertex: Vertex, place: &'static str) -> Self {
        Self { closed: Some(place), ..Self::new(scope, vertex) }
    }
}

impl<'a> Checker<'a> {
    pub fn new(modules: &'a [ModuleInput], sources: &'a Sources, schemas: &'a SchemaSet) -> Self {
        Self::with_instead(modules, None, sources, schemas)
    }

    /// A checker for which `instead` stands for the item whose span it names.
    pub fn with_instead(
        modules: &'a [ModuleInput],
        instead: Option<(Span, &'a ast::Item)>,
        sources: &'a Sources,
        schemas: &'a SchemaSet,
    ) -> Self {
        let mut found = Vec::new();
        let program = declare(modules, instead, schemas, &mut found);
        fn empty<T>(n: usize) -> Vec<Slot<T>> {
            std::iter::repeat_with(|| Slot::Empty).take(n).collect()
        }
        let component_names = component_names(&program, modules);
        let mut components_by_name = FxHashMap::default();
        for (index, name) in component_names.iter().enumerate() {
            components_by_name.entry(Arc::clone(name)).or_insert(hir::ComponentId::of(index));
        }
        let outputs_of = |scope: &usize| empty(program.scopes.get(*scope).map_or(0, |s| s.outputs.len()));
        let outputs = program.component_scopes.iter().map(outputs_of).collect();
        Self {
            modules,
            sources,
            schemas,
            kinds: schemas.kinds.iter().map(|(name, schema)| (&**name, schema)).collect(),
            found,
            needs: Dependencies::default(),
            types: empty(program.types.len()),
            params: empty(program.params.len()),
            lets: empty(program.lets.len()),
            fns: empty(program.fns.len()),
            outputs,
            nodes: FxHashMap::default(),
            refinements: Vec::new(),
            locals: Vec::new(),
            used: FxHashSet::default(),
            component_names,
            components_by_name,
            constants_wanted: Vec::new(),
            targets: vec![OnceCell::new(); program.nodes.len()],
            specs: FxHashMap::default(),
            outputs_read: BTreeSet::new(),
            depth: 0,
            asked: None,
            facts: None,
            program,
        }
    }

    /// The kind with this name.
    pub fn schema(&self, kind: &str) -> Option<&'a KindSchema> {
        self.kinds.get(kind).copied()
    }

    /// Reports.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// The text of a place.
    pub fn text(&self, span: Span) -> &'a str {
        self.sources.text(span)
    }

    /// Marks a declaration as used.
    pub fn mark(&mut self, def: Def) {
        self.used.insert(key(def));
    }

    /// Opens a local binding.
    pub fn bind(&mut self, cx: &mut Cx, name: &ast::Name, ty: Type, warn: Option<&'static str>) -> LocalId {
        let text: Arc<str> = Arc::from(name.as_str());
        let id = LocalId::of(self.locals.len());
        self.locals.push(Arc::clone(&text));
        self.saw_local(id, &text, name.span, &ty);
        let warn = warn.filter(|_| !text.starts_with('_') && ty != Type::Error);
        cx.locals.push(Local { name: text, id, ty, span: name.span, used: false, warn });
        id
    }

    /// Closes the local bindings above `depth`.
    pub fn unbind(&mut self, cx: &mut Cx, depth: usize) {
        for local in cx.locals.split_off(depth.min(cx.locals.len())) {
            if let (Some(what), false) = (local.warn, local.used) {
                self.report(names::unused(what, &local.name, local.span));
            }
        }
    }

    /// The expression with the type that its place demands.
    pub fn coerce(&mut self, mut expr: Expr, to: &Type, place: Place<'_>) -> Expr {
        if matches!(expr.ty, Type::Error) || matches!(to, Type::Error) {
            return expr;
        }
        match fits(&expr.ty, to) {
            Ok(false) => {
                expr.ty = to.clone();
                expr
            }
            Ok(true) => {
                let span = expr.span;
                Expr { kind: ExprKind::Coerce(Box::new(expr)), ty: to.clone(), span }
            }
            Err(_) if *to == Type::Target && self.is_pointer(&expr.ty) => {
                let found = crate::diagnose::nodes::nested_rollout(&expr.ty.to_string(), expr.span);
                self.report(found);
                Expr::error(expr.span)
            }
            Err(reason) => {
                let late = self.late_source(&expr);
                let text = self.text(expr.span);
                self.report(mismatch::mismatch(reason, &expr.ty, to, expr.span, text, place, late));
                Expr::error(expr.span)
            }
        }
    }

    fn is_pointer(&self, ty: &Type) -> bool {
        let Type::Handle(kind) = ty else { return false };
        self.schema(kind).is_some_and(|schema| schema.class == imm_ir::Class::Pointer)
    }

    /// Where in an expression a value becomes late.
    pub fn late_source(&self, expr: &Expr) -> Option<Late> {
        self.late_within(expr, 0)
    }

    fn late_within(&self, expr: &Expr, depth: usize) -> Option<Late> {
        if depth > 64 {
            return None;
        }
        match &expr.kind {
            ExprKind::Field { base, name, access: Access::Output | Access::Component, .. }
                if crate::types::scan(&expr.ty).late =>
            {
                let node = self.text(base.span);
                let text = format!("`{name}` of `{node}` is known only after create");
                return Some(Late { span: expr.span, text });
            }
            ExprKind::Param(id) if crate::types::scan(&expr.ty).late => {
                let decl = self.program.params.get(id.index())?;
                let text = format!("`{}` is declared as known only after create", decl.ast.name);
                return Some(Late { span: decl.ast.ty.span, text });
            }
            ExprKind::Let(id) => {
                if let Some(Slot::Done(value)) = self.lets.get(id.index()) {
                    return self.late_within(value, depth + 1);
                }
            }
            _others => {}
        }
        let mut source = None;
        each_child(expr, &mut |child| {
            if source.is_none() {
                source = self.late_within(child, depth + 1);
            }
        });
        source
    }
}

/// The names of components as [`Type::Component`] has them. Equal names of two modules are two components.
fn component_names(program: &Program<'_>, modules: &[ModuleInput]) -> Vec<Arc<str>> {
    let mut seen = FxHashSet::default();
    let mut names = Vec::with_capacity(program.components.len());
    for decl in &program.components {
        let name = decl.ast.name.as_str();
        names.push(match modules.get(decl.scope).filter(|_| !seen.insert(name)) {
            Some(module) => Arc::from(format!("{}.{name}", module.name)),
            None => Arc::from(name),
        });
    }
    names
}

/// A declaration as a key of [`Checker::used`].
pub(super) fn key(def: Def) -> (usize, u32) {
    match def {
        Def::Param(id) => (0, id.0),
        Def::Let(id) => (1, id.0),
        Def::Fn(id) => (2, id.0),
        Def::Node(id) => (3, id.0),
        Def::Import(index) => (4, u32::try_from(index).unwrap_or(u32::MAX)),
        Def::Broken => (5, 0),
    }
}
