//! From the checker's tables to the typed tree: bodies in order, constants, what is unused.

use super::checker::{Checker, Slot, key};
use crate::diagnose::names;
use crate::hir::{
    Assert, Body, Component, ComponentId, Expr, ExprKind, Fn, FnId, Head, Let, LetId, Node, NodeId, NodeOf, Output,
    Param, ParamId, Refinement, Step, Test, TypedModule,
};
use crate::resolve::Def;
use crate::resolve::cycles::Vertex;
use imm_ir::{Class, Diagnostic, Span, Type};
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Unused names that are looked for in texts.
const LOOKED_FOR: usize = 20;

impl Checker<'_> {
    /// The typed tree of the program whose root is this module, and everything that was found.
    pub fn finish(mut self, root: usize) -> (TypedModule, Vec<Diagnostic>) {
        // Before anything is taken out that a test can name.
        let tests = self.tests(root);
        let params = self.finished_params();
        let nodes = self.finished_nodes();
        self.node_rules(&nodes);
        let mut bodies: Vec<Body> = (0..self.program.scopes.len()).map(|scope| self.body(scope)).collect();
        let environments = self.environments(root);
        self.providers();
        let lets = self.finished_lets();
        let fns = self.finished_fns();
        let order = self.order();
        let constants = self.constants(&order);
        self.fill_orders(&mut bodies, &order, &constants, &nodes);
        self.unused();
        let types = self.root_types(root);
        let mut components = Vec::new();
        for index in 0..self.program.components.len() {
            let id = ComponentId::of(index);
            let body = self.program.component_scopes.get(index).and_then(|scope| bodies.get_mut(*scope));
            let body = body.map(std::mem::take).unwrap_or_default();
            let Some(decl) = self.program.components.get(index) else { continue };
            components.push(Component {
                name: self.component_name(id),
                body,
                docs: super::items::docs(decl.item),
                span: decl.item.span,
                name_span: decl.ast.name.span,
            });
        }
        let refinements =
            std::mem::take(&mut self.refinements).into_iter().map(|r| r.unwrap_or_else(broken_refinement));
        let module = TypedModule {
            params,
            lets,
            fns,
            nodes,
            components,
            refinements: refinements.collect(),
            root: bodies.get_mut(root).map(std::mem::take).unwrap_or_default(),
            constants: order
                .iter()
                .filter_map(|v| if let Vertex::Let(id) = v { Some(*id) } else { None })
                .filter(|id| constants.contains(id))
                .collect(),
            environments,
            tests,
            types,
            outputs_read: std::mem::take(&mut self.outputs_read),
            locals: std::mem::take(&mut self.locals),
            ..TypedModule::default()
        };
        (module, self.found)
    }

    fn finished_params(&mut self) -> Vec<Param> {
        let mut done = Vec::new();
        for index in 0..self.program.params.len() {
            let id = ParamId::of(index);
            let asked = self.is_asked_param(id);
            let (ty, default) = if asked { (self.param_type(id), self.param_default(id)) } else { (Type::Error, None) };
            let Some(decl) = self.program.params.get(index) else { continue };
            done.push(Param {
                name: Arc::from(decl.ast.name.as_str()),
                ty,
                default,
                docs: super::items::docs(decl.item),
                owner: self.program.component_of(decl.scope),
                span: decl.item.span,
                name_span: decl.ast.name.span,
            });
        }
        done
    }

    fn finished_nodes(&mut self) -> Vec<Node> {
        let all = (0..self.program.nodes.len()).map(NodeId::of);
        if self.asked.is_none() {
            return all.map(|id| self.finished_node(id)).collect();
        }
        let nowhere = no_node();
        all.map(|id| self.nodes.remove(&id).unwrap_or_else(|| nowhere.clone())).collect()
    }

    pub(super) fn finished_node(&mut self, id: NodeId) -> Node {
        crate::stop::point();
        let class = self.node_class(id);
        self.needs.declare(Vertex::Node(id));
        if matches!(class, Some(Class::Pointer | Class::Durable)) {
            let span = self.program.nodes.get(id.index()).map_or_else(Span::default, |d| d.ast.name.span);
            self.needs.add(Vertex::Set(id), Vertex::Node(id), span);
        }
        self.node(id).unwrap_or_else(no_node)
    }

    fn body(&mut self, scope: usize) -> Body {
        let Some(here) = self.program.scopes.get(scope) else { return Body::default() };
        let component = here.component;
        let (params, nodes) = (here.params.clone(), here.nodes.clone());
        let outputs = match component.and_then(|id| self.outputs.get_mut(id.index())) {
            Some(slots) => slots.drain(..).filter_map(done).collect(),
            None => self.asked_outputs(scope),
        };
        let asserts = self.asserts(scope);
        Body { params, order: Vec::new(), nodes, outputs, asserts }
    }

    /// The outputs of a module; those of components are in their slots.
    pub(super) fn asked_outputs(&mut self, scope: usize) -> Vec<Output> {
        let Some(here) = self.program.scopes.get(scope).filter(|here| here.component.is_none()) else {
            return Vec::new();
        };
        let asked: Vec<_> = here.outputs.iter().filter(|(_, item)| self.is_asked(item.span)).copied().collect();
        asked.into_iter().map(|(ast, item)| self.output(scope, ast, item)).collect()
    }

    pub(super) fn asserts(&mut self, scope: usize) -> Vec<Assert> {
        let here = self.program.scopes.get(scope).map(|here| here.asserts.as_slice()).unwrap_or_default();
        let asked: Vec<_> = here.iter().filter(|(_, span)| self.is_asked(*span)).copied().collect();
        asked.into_iter().map(|(ast, span)| self.assert(scope, ast, span)).collect()
    }

    pub(super) fn environments(&mut self, root: usize) -> Vec<crate::hir::Environment> {
        let mut done = Vec::new();
        for scope in 0..self.program.scopes.len() {
            let all = self.program.scopes.get(scope).map(|s| s.environments.clone()).unwrap_or_default();
            for (index, (ast, span)) in all.iter().enumerate() {
                if let Some((first, _)) = all.iter().take(index).find(|(e, _)| e.name.text == ast.name.text) {
                    self.report(names::duplicate(ast.name.as_str(), ast.name.span, Some(first.name.span)));
                }
                let environment = self.environment(scope, ast, *span);
                if scope == root {
                    done.push(environment);
                }
            }
        }
        done
    }

    /// The settings of providers, against what each of them says of itself.
    pub(super) fn providers(&mut self) {
        for scope in 0..self.program.scopes.len() {
            let all = self.program.scopes.get(scope).map(|s| s.providers.clone()).unwrap_or_default();
            for block in all {
                self.provider(scope, block);
            }
        }
    }

    /// What tests name counts as used.
    pub(super) fn tests(&mut self, root: usize) -> Vec<Test> {
        let mut done = Vec::new();
        for scope in 0..self.program.scopes.len() {
            let all = self.program.scopes.get(scope).map(|s| s.tests.clone()).unwrap_or_default();
            for (ast, span) in all {
                if !self.is_asked(span) {
                    continue;
                }
                for word in super::items::words(self.text(span)) {
                    if let Some((def, _)) = self.program.value(scope, word) {
                        self.mark(def);
                    }
                }
                let test = self.test(scope, ast, span);
                if scope == root {
                    done.push(test);
                }
            }
        }
        done
    }

    fn finished_lets(&mut self) -> Vec<Let> {
        let slots = std::mem::take(&mut self.lets);
        let both = slots.into_iter().zip(&self.program.lets);
        both.map(|(slot, decl)| Let {
            name: Arc::from(decl.ast.name.as_str()),
            value: done(slot).unwrap_or_else(|| Expr::error(decl.ast.value.span)),
            docs: super::items::docs(decl.item),
            owner: self.program.component_of(decl.scope),
            span: decl.item.span,
            name_span: decl.ast.name.span,
        })
        .collect()
    }

    fn finished_fns(&mut self) -> Vec<Fn> {
        let slots = std::mem::take(&mut self.fns);
        let both = slots.into_iter().zip(&self.program.fns);
        both.map(|(slot, decl)| {
            done(slot).unwrap_or_else(|| Fn {
                name: Arc::from(decl.ast.name.as_str()),
                params: Vec::new(),
                body: Expr::error(decl.ast.body.span),
                docs: None,
                span: decl.item.span,
                name_span: decl.ast.name.span,
            })
        })
        .collect()
    }

    fn order(&mut self) -> Vec<Vertex> {
        let program = &self.program;
        let title = |vertex: Vertex| match vertex {
            Vertex::Param(id) => program.params.get(id.index()).map(|d| d.ast.name.as_str()),
            Vertex::Let(id) => program.lets.get(id.index()).map(|d| d.ast.name.as_str()),
            Vertex::Fn(id) => program.fns.get(id.index()).map(|d| d.ast.name.as_str()),
            Vertex::Node(id) | Vertex::Set(id) => program.nodes.get(id.index()).map(|d| d.ast.name.as_str()),
            Vertex::Component(id) => program.components.get(id.index()).map(|d| d.ast.name.as_str()),
            Vertex::End => None,
        };
        let name = |vertex: Vertex| format!("`{}`", title(vertex).unwrap_or("an output"));
        self.needs.order(&name, &mut self.found)
    }

    /// Lets of modules that need no params and no nodes. Reports what should have been one.
    fn constants(&mut self, order: &[Vertex]) -> BTreeSet<LetId> {
        let mut instance: FxHashSet<Vertex> = FxHashSet::default();
        let mut constants = BTreeSet::new();
        for vertex in order {
            let own = matches!(vertex, Vertex::Param(_) | Vertex::Node(_) | Vertex::Set(_));
            let lets_only = matches!(vertex, Vertex::Let(_));
            if own || (lets_only && self.needs.needs(*vertex).any(|need| instance.contains(&need))) {
                instance.insert(*vertex);
            } else if let Vertex::Let(id) = vertex
                && self.program.lets.get(id.index()).is_some_and(|d| self.program.component_of(d.scope).is_none())
            {
                constants.insert(*id);
            }
        }
        let mut reported = BTreeSet::new();
        for (id, span, place) in std::mem::take(&mut self.constants_wanted) {
            let Some(decl) = self.program.lets.get(id.index()) else { continue };
            if instance.contains(&Vertex::Let(id)) && reported.insert(span) {
                let (name, declared) = (decl.ast.name.as_str(), decl.ast.name.span);
                let found = names::out_of_reach(name, "`let`", place, span, declared)
                    .note(format!("`{name}` depends on a param or a node"));
                self.report(found);
            }
        }
        constants
    }

    fn fill_orders(&self, bodies: &mut [Body], order: &[Vertex], constants: &BTreeSet<LetId>, nodes: &[Node]) {
        for vertex in order {
            let (scope, step) = match vertex {
                Vertex::Param(id) => (self.program.params.get(id.index()).map(|d| d.scope), Step::Param(*id)),
                Vertex::Let(id) if constants.contains(id) => continue,
                Vertex::Let(id) => (self.program.lets.get(id.index()).map(|d| d.scope), Step::Let(*id)),
                Vertex::Node(id) => (self.program.nodes.get(id.index()).map(|d| d.scope), Step::Node(*id)),
                Vertex::Set(id) => {
                    let moves = nodes
                        .get(id.index())
                        .is_some_and(|n| matches!(n.of, NodeOf::Kind { class: Class::Pointer | Class::Durable, .. }));
                    if !moves {
                        continue;
                    }
                    (self.program.nodes.get(id.index()).map(|d| d.scope), Step::Set(*id))
                }
                Vertex::Fn(_) | Vertex::Component(_) | Vertex::End => continue,
            };
            if let Some(body) = scope.and_then(|scope| bodies.get_mut(scope)) {
                body.order.push(step);
            }
        }
    }

    /// Bindings that nothing reads. Only in programs without errors: what is broken hides its uses.
    fn unused(&mut self) {
        if self.asked.is_some() || self.found.iter().any(Diagnostic::is_error) || self.has_broken_items() {
            return;
        }
        let mut found = Vec::new();
        for (index, decl) in self.program.lets.iter().enumerate() {
            if decl.item.public.is_none() {
                found.push((Def::Let(LetId::of(index)), "`let`", &decl.ast.name.text, decl.ast.name.span));
            }
        }
        for (index, decl) in self.program.fns.iter().enumerate() {
            if decl.item.public.is_none() {
                found.push((Def::Fn(FnId::of(index)), "function", &decl.ast.name.text, decl.ast.name.span));
            }
        }
        for (index, decl) in self.program.params.iter().enumerate() {
            found.push((Def::Param(ParamId::of(index)), "param", &decl.ast.name.text, decl.ast.name.span));
        }
        let mut warnings: Vec<Diagnostic> = found
            .into_iter()
            .filter(|(def, _, name, _)| !self.used.contains(&key(*def)) && !name.starts_with('_'))
            .enumerate()
            .map(|(index, (_, what, name, span))| {
                // A look through all texts for each of those that are shown.
                let meant = if index < LOOKED_FOR { self.meant_as_hole(name) } else { None };
                names::unused_but_written(what, name, span, meant)
            })
            .collect();
        let all = self.program.scopes.iter().flat_map(|scope| scope.values.meanings());
        let imports = all.filter(|(_, (def, _))| matches!(def, Def::Import(_)) && !self.used.contains(&key(*def)));
        warnings.extend(imports.map(|(name, (_, span))| names::unused("import", name, *span)));
        self.found.extend(warnings);
    }

    /// Where a text has the name as other languages write a hole: `$name`, `{name}`.
    fn meant_as_hole(&self, name: &str) -> Option<Span> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        self.sources.iter().filter(|(_, file)| file.name.ends_with(".imm")).find_map(|(id, file)| {
            file.text.match_indices(name).find_map(|(at, _)| {
                let (before, after) = (file.text.get(..at)?, file.text.get(at + name.len()..)?);
                let (dollar, brace) = (before.ends_with('$'), before.ends_with('{') && after.starts_with('}'));
                let whole = !after.starts_with(is_word);
                let escaped = before.ends_with("\\$") || before.ends_with("${") || before.ends_with("{{");
                let meant = whole && (dollar || brace) && !escaped;
                meant.then(|| Span::new(id, at - 1, at + name.len() + usize::from(brace)))
            })
        })
    }

    fn has_broken_items(&self) -> bool {
        let items = self.modules.iter().flat_map(|m| &m.files).flat_map(|(_, file)| &file.items);
        items.into_iter().any(|item| match &item.kind {
            imm_syntax::ast::ItemKind::Error(_) => true,
            imm_syntax::ast::ItemKind::Component(component) => {
                component.items.iter().any(|i| matches!(i.kind, imm_syntax::ast::ItemKind::Error(_)))
            }
            _other => false,
        })
    }

    fn root_types(&mut self, root: usize) -> Vec<(Arc<str>, Type)> {
        if self.asked.is_some() {
            return Vec::new();
        }
        let names: Vec<&str> =
            self.program.scopes.get(root).map(|s| s.types.keys().copied().collect()).unwrap_or_default();
        names.into_iter().filter_map(|name| Some((Arc::from(name), self.type_by_name(root, name)?))).collect()
    }
}

fn done<T>(slot: Slot<T>) -> Option<T> {
    match slot {
        Slot::Done(value) => Some(value),
        Slot::Empty | Slot::Busy => None,
    }
}

/// In the place of a node that is broken, or was not looked at.
fn no_node() -> Node {
    Node {
        name: Arc::from("?"),
        of: NodeOf::Error,
        head: Head::One,
        fields: Vec::new(),
        with: None,
        owner: None,
        docs: None,
        span: Span::default(),
        name_span: Span::default(),
    }
}

fn broken_refinement() -> Refinement {
    let condition = Expr { kind: ExprKind::Error, ty: Type::Error, span: Span::default() };
    Refinement {
        name: Arc::from("?"),
        docs: None,
        it: crate::hir::LocalId::of(0),
        condition,
        text: Arc::from(""),
        span: Span::default(),
    }
}
