//! What has to be looked at so that some parts of a program can be judged: they, and whatever they need.
//!
//! Everything is declared, so that names mean what they mean in the whole program; but only what is in reach is checked,
//! and only that is in the typed tree. Its bodies are complete: they can be evaluated.

use super::checker::Checker;
use crate::hir::{NodeId, ParamId};
use crate::resolve::cycles::Vertex;
use imm_ir::{FileId, Span};

impl Checker<'_> {
    /// Whether an item is looked at.
    pub fn is_asked(&self, item: Span) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.contains(&item.file))
    }

    /// Whether a param is looked at: those of modules always are, since environments and commands give them values.
    pub fn is_asked_param(&self, id: ParamId) -> bool {
        self.program
            .params
            .get(id.index())
            .is_some_and(|decl| self.is_asked(decl.item.span) || self.program.component_of(decl.scope).is_none())
    }

    /// Adds to what is asked for what it needs.
    pub fn reach(&mut self, root: usize) {
        if self.asked.is_none() {
            return;
        }
        // What nothing needs: it is looked at once more when all is known that it reads.
        self.ends(root);
        loop {
            self.declarations();
            for index in 0..self.program.nodes.len() {
                self.noted_node(NodeId::of(index));
            }
            let needed: Vec<FileId> = self.needs.vertices().filter_map(|vertex| self.part_of(vertex)).collect();
            let Some(asked) = &mut self.asked else { return };
            let before = asked.len();
            asked.extend(needed);
            if asked.len() == before {
                return;
            }
        }
    }

    fn ends(&mut self, root: usize) {
        self.tests(root);
        for scope in 0..self.program.scopes.len() {
            self.asked_outputs(scope);
            self.asserts(scope);
        }
        self.environments(root);
        self.providers();
    }

    /// Checks a node once, if it is asked for.
    pub fn noted_node(&mut self, id: NodeId) {
        let Some(span) = self.program.nodes.get(id.index()).map(|decl| decl.item.span) else { return };
        if self.is_asked(span) && !self.nodes.contains_key(&id) {
            let node = self.finished_node(id);
            self.nodes.insert(id, node);
        }
    }

    fn part_of(&self, vertex: Vertex) -> Option<FileId> {
        let program = &self.program;
        let item = match vertex {
            Vertex::Param(id) => program.params.get(id.index())?.item,
            Vertex::Let(id) => program.lets.get(id.index())?.item,
            Vertex::Fn(id) => program.fns.get(id.index())?.item,
            Vertex::Node(id) | Vertex::Set(id) => program.nodes.get(id.index())?.item,
            Vertex::Component(id) => program.components.get(id.index())?.item,
            Vertex::End => return None,
        };
        Some(item.span.file)
    }
}
