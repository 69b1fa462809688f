//! The tests of a program, for whoever runs them: compiles what a step gives, and judges what a step expects.
//!
//! It runs nothing: applying a graph is the engine's part, and what the engine did comes back as [`Seen`].

use crate::evaluate::Trial;
use crate::hir::{Expr, NodeId, ParamId, Test};
use crate::world::World;
use crate::{Failed, Front, Given, Options, Purpose};
use imm_ir::{Addr, Diagnostic, Fields, Graph, Sources, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

pub use crate::evaluate::Seen;

/// Values of params by name.
pub type Params = BTreeMap<Arc<str>, Given>;

/// A program without errors, and its tests.
pub struct Suite<'w> {
    world: &'w dyn World,
    front: Front,
    options: Options,
}

/// Reads a program for its tests. Params may be missing: a `given` can give them.
///
/// # Errors
/// The program has mistakes.
pub fn suite<'w>(world: &'w dyn World, path: &str, options: &Options) -> Result<Suite<'w>, Box<Failed>> {
    let front = crate::front(world, path, options.schemas);
    if front.has_errors() { Err(front.failed()) } else { Ok(Suite { world, front, options: options.clone() }) }
}

impl Suite<'_> {
    /// The tests in source order.
    pub fn tests(&self) -> &[Test] {
        &self.front.module.tests
    }

    /// The program's files, for diagnostics.
    pub fn sources(&self) -> &Sources {
        &self.front.sources
    }

    /// The values that were given from outside.
    pub fn params(&self) -> &Params {
        &self.options.params
    }

    /// The values of a `given`.
    ///
    /// # Errors
    /// A value is refused.
    pub fn given(&mut self, values: &[(ParamId, Expr)]) -> Result<Params, Vec<Diagnostic>> {
        let none = Params::new();
        self.trial(&none).given(values)
    }

    /// What the program says with these params.
    ///
    /// # Errors
    /// It says nothing: a param is missing, an assert does not hold, …
    pub fn graph(&mut self, params: &Params) -> Result<Graph, Vec<Diagnostic>> {
        let Front { sources, folder, module, .. } = &mut self.front;
        let options = Options { params: params.clone(), ..self.options.clone() };
        let made = crate::evaluate::evaluate(module, sources, self.world, folder, &options, Purpose::Plan);
        if made.diagnostics.iter().any(Diagnostic::is_error) { Err(made.diagnostics) } else { Ok(made.graph) }
    }

    /// The values of a step's fields; handles are addresses.
    ///
    /// # Errors
    /// The program or a field cannot be evaluated.
    pub fn values(&mut self, params: &Params, fields: &[(Arc<str>, Expr)]) -> Result<Fields<Value>, Vec<Diagnostic>> {
        self.trial(params).values(fields)
    }

    /// Where a node of the program itself is.
    pub fn address(&self, node: NodeId) -> Option<Addr> {
        self.front.module.nodes.get(node.index()).map(|node| Addr::root(&node.name))
    }

    /// Whether what a step expects holds; the diagnostic says why it does not.
    ///
    /// # Errors
    /// The program or the condition cannot be evaluated.
    pub fn expect(
        &mut self,
        params: &Params,
        seen: &Seen,
        test: &Test,
        condition: &Expr,
    ) -> Result<Option<Diagnostic>, Vec<Diagnostic>> {
        self.trial(params).expect(test, condition, seen)
    }

    fn trial<'t>(&'t mut self, given: &'t Params) -> Trial<'t> {
        let Front { sources, folder, module, .. } = &mut self.front;
        Trial { module, sources, world: self.world, folder, environment: &self.options.environment, given }
    }
}
