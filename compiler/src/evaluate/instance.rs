//! Bodies: the root module and each instance of a component.

use super::scope::Scope;
use super::trail::Bound;
use super::{Evaluator, Result, budget};
use crate::hir::{Body, ComponentId, Node, Step};
use imm_ir::{Addr, Assert, Diagnostic, Term, Value, code};
use rustc_hash::FxHashMap;
use std::sync::Arc;

impl Evaluator<'_> {
    /// Evaluates params, lets and nodes in order, then asserts.
    pub(super) fn body(&mut self, body: &Body) {
        let module = self.module;
        self.scopes.expect_nodes(body.nodes.len());
        for step in &body.order {
            crate::stop::point();
            match step {
                Step::Param(id) => self.param_default(*id),
                Step::Let(id) => self.constant(*id),
                Step::Node(id) => {
                    if let Some(node) = module.node(*id) {
                        self.node(*id, node);
                    }
                }
                Step::Set(id) => {
                    if let Some(node) = module.node(*id) {
                        self.set_node(node);
                    }
                }
            }
            // What follows may need what failed; that is then not known, and no second mistake.
            if self.is_stopped() {
                return;
            }
        }
        for output in &body.outputs {
            match self.bound(&output.value) {
                Ok(bound) => _ = self.scopes.here_mut().outputs.insert(Arc::clone(&output.name), bound),
                Err(failed) => self.report(failed),
            }
        }
        for assert in &body.asserts {
            if let Err(failed) = self.assert(assert) {
                self.report(failed);
            }
        }
    }

    fn assert(&mut self, assert: &crate::hir::Assert) -> Result<()> {
        let ((condition, message), _) = self.apart(|e| (e.expr(&assert.condition), e.expr(&assert.message)));
        let (condition, message) = (condition?, message?);
        let Some(text) = message.known().and_then(Value::as_text) else { return Ok(()) };
        match condition.known().map(|value| value.as_bool() == Some(true)) {
            Some(true) => Ok(()),
            Some(false) => Err(self.fail(
                Diagnostic::error(code::ASSERT_FAILED, assert.condition.span, text)
                    .label("this does not hold")
                    .note("an assert is checked as soon as its condition is known"),
            )),
            None if Self::is_inside_lambda(&condition) => Ok(()),
            None => {
                let loc = self.loc(assert.span);
                let message = Arc::from(text);
                self.graph.asserts.push(Assert { condition: (*condition).clone(), message, loc });
                Ok(())
            }
        }
    }

    /// Makes an instance of a component at an address, with the fields and the `with` of its `use`.
    pub(super) fn instantiate(&mut self, node: &Node, addr: &Addr, component: ComponentId) -> Result<()> {
        let module = self.module;
        let Some(component) = module.component(component) else { return Ok(()) };
        let mut params = FxHashMap::default();
        for field in &node.fields {
            let param = component
                .body
                .params
                .iter()
                .find(|id| module.param(**id).is_some_and(|param| param.name == field.name));
            let Some(param) = param else { continue };
            let (value, trail) = self.bound_with(|e| e.part(&field.value))?;
            let bound = Bound { term: value, trail: trail.shared() };
            params.insert(*param, self.named(&field.name, field.name_span, field.value.span, bound));
        }
        let with = self.carried(node)?;
        let around = u64::try_from(self.scopes.here().uses.len()).unwrap_or(u64::MAX);
        self.spend(budget::LEVEL.saturating_mul(around), node.span)?;
        let around = Arc::clone(&self.scopes.here().uses);
        let uses = around.iter().cloned().chain([self.loc(node.span)]).collect();
        let scope = Scope { addr: Some(addr.clone()), uses, with, params, ..Scope::default() };
        let before = self.scopes.enter(scope);
        self.frames.push((node.span, format!("in this use of `{}`", component.name)));
        self.body(&component.body);
        self.frames.pop();
        self.scopes.leave(before);
        Ok(())
    }

    /// The handle of a `use`.
    pub(super) fn handle(addr: &Addr) -> Term {
        Term::Value(Value::Node(addr.clone()))
    }
}
