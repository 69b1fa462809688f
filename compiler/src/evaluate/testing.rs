//! Steps of tests: the values they give, and whether what they expect holds.

use super::trail::Bound;
use super::{Evaluator, Given, GivenValue, Purpose, Result};
use crate::content::Files;
use crate::hir::{Environment, Expr, ExprKind, ParamId, Test, TypedModule};
use crate::world::World;
use imm_ir::{Addr, Diagnostic, Fields, ParamFrom, Sources, Term, Value, code};
use imm_syntax::ast::BinaryOp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a test has seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The record `plan`.
    pub plan: Option<Value>,
    /// The record `result`, once there is one.
    pub result: Option<Value>,
    /// Outputs of the nodes that exist.
    pub outputs: BTreeMap<Addr, Fields<Value>>,
}

/// A program and what its steps are evaluated with.
pub struct Trial<'a> {
    /// The program, without errors.
    pub module: &'a TypedModule,
    /// Its files.
    pub sources: &'a mut Sources,
    /// Where files are read.
    pub world: &'a dyn World,
    /// The root module's folder.
    pub folder: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// Values of params.
    pub given: &'a BTreeMap<Arc<str>, Given>,
}

impl Trial<'_> {
    /// Whether an environment's settings and values of params fit.
    pub fn environment(self, environment: &Environment) -> std::result::Result<(), Vec<Diagnostic>> {
        let (module, files) = (self.module, Files::new(self.world, self.folder));
        let mut evaluator = Evaluator::new(module, self.sources, files, Purpose::Check);
        module.constants.iter().for_each(|id| evaluator.constant(*id));
        evaluator.policy(environment);
        for (id, expr) in &environment.params {
            if let Some(param) = module.param(*id)
                && let Err(failed) = evaluator.default_value(param, expr)
            {
                evaluator.report(failed);
            }
        }
        if evaluator.diagnostics.is_empty() { Ok(()) } else { Err(evaluator.diagnostics) }
    }

    /// What one setting of an environment is.
    pub fn setting(self, name: &str, expr: &Expr) -> std::result::Result<Option<Value>, Vec<Diagnostic>> {
        let (module, files) = (self.module, Files::new(self.world, self.folder));
        let mut evaluator = Evaluator::new(module, self.sources, files, Purpose::Check);
        module.constants.iter().for_each(|id| evaluator.constant(*id));
        evaluator.setting(name, expr).map_err(|failed| vec![*failed])
    }

    /// The values that a `given` gives.
    pub fn given(self, values: &[(ParamId, Expr)]) -> std::result::Result<BTreeMap<Arc<str>, Given>, Vec<Diagnostic>> {
        let (module, files) = (self.module, Files::new(self.world, self.folder));
        let mut evaluator = Evaluator::new(module, self.sources, files, Purpose::Plan);
        module.constants.iter().for_each(|id| evaluator.constant(*id));
        let mut found = BTreeMap::new();
        for (id, expr) in values {
            let Some(param) = module.param(*id) else { continue };
            match evaluator.default_value(param, expr).map(|(term, _)| term.known().cloned()) {
                Ok(Some(value)) => {
                    let value = Given { value: GivenValue::Value(value), from: ParamFrom::Given };
                    found.insert(Arc::clone(&param.name), value);
                }
                Ok(None) => {}
                Err(failed) => evaluator.report(failed),
            }
        }
        if evaluator.diagnostics.is_empty() { Ok(found) } else { Err(evaluator.diagnostics) }
    }

    /// The known values of some fields.
    pub fn values(self, fields: &[(Arc<str>, Expr)]) -> std::result::Result<Fields<Value>, Vec<Diagnostic>> {
        let read = |e: &mut Evaluator<'_>| {
            let mut known = Fields::new();
            for (name, expr) in fields {
                known.extend(e.expr(expr)?.known().map(|value| (Arc::clone(name), value.clone())));
            }
            Ok(known)
        };
        self.within(&Seen::default(), None, read)
    }

    /// Whether a condition holds; the diagnostic says why it does not.
    pub fn expect(
        self,
        test: &Test,
        condition: &Expr,
        seen: &Seen,
    ) -> std::result::Result<Option<Diagnostic>, Vec<Diagnostic>> {
        self.within(seen, Some(test), |e| e.judged(condition))
    }

    fn within<T>(
        self,
        seen: &Seen,
        test: Option<&Test>,
        read: impl FnOnce(&mut Evaluator<'_>) -> Result<T>,
    ) -> std::result::Result<T, Vec<Diagnostic>> {
        let files = Files::new(self.world, self.folder);
        let mut evaluator = Evaluator::new(self.module, self.sources, files, Purpose::Plan);
        evaluator.seen = seen.outputs.clone();
        evaluator.program(self.given, self.environment, &BTreeMap::new());
        // What only might not work is no reason to stop a test.
        evaluator.diagnostics.retain(Diagnostic::is_error);
        if !evaluator.diagnostics.is_empty() {
            return Err(evaluator.diagnostics);
        }
        if let Some(test) = test {
            for (local, value) in [(test.plan, &seen.plan), (test.result, &seen.result)] {
                let value = value.clone().unwrap_or(Value::None);
                evaluator.bind(local, Bound::plain(Term::Value(value)));
            }
        }
        match read(&mut evaluator) {
            Ok(read) if evaluator.diagnostics.is_empty() => Ok(read),
            Ok(_part_of_it_failed) => Err(evaluator.diagnostics),
            Err(failed) => {
                evaluator.report(failed);
                Err(evaluator.diagnostics)
            }
        }
    }
}

impl Evaluator<'_> {
    /// What is wrong with a condition, down to the part of it that does not hold.
    fn judged(&mut self, condition: &Expr) -> Result<Option<Diagnostic>> {
        let holds = self.expr(condition)?;
        match holds.known().and_then(Value::as_bool) {
            Some(true) => Ok(None),
            Some(false) => {
                let mut part = condition;
                // The first part that fails is the reason.
                while let ExprKind::Binary { op: BinaryOp::And, left, right } = &part.kind {
                    let left_holds = self.expr(left)?.known().and_then(Value::as_bool) == Some(true);
                    part = if left_holds { right } else { left };
                }
                let diagnostic = Diagnostic::error(code::ASSERT_FAILED, part.span, "this does not hold");
                self.explained(part, diagnostic).map(Some)
            }
            None => Ok(Some(
                Diagnostic::error(code::ASSERT_FAILED, condition.span, "whether this holds is not known")
                    .label("names what does not exist now")
                    .help("what was never created has no outputs: `apply` first, or expect it in `plan`"),
            )),
        }
    }

    /// Shows the values that a condition compares.
    fn explained(&mut self, part: &Expr, diagnostic: Diagnostic) -> Result<Diagnostic> {
        let mut diagnostic = diagnostic.label("is false");
        let sides = match &part.kind {
            ExprKind::Binary { op: BinaryOp::Or | BinaryOp::Coalesce, .. } => Vec::new(),
            ExprKind::Binary { op: BinaryOp::Eq, left, right } => vec![("found", left), ("expected", right)],
            ExprKind::Binary { left, right, .. } => vec![("left", left), ("right", right)],
            ExprKind::Method { receiver, .. } => vec![("of", receiver)],
            _other => Vec::new(),
        };
        for (what, side) in sides {
            if let Some(value) = self.expr(side)?.known() {
                let shown = if value.has_secret() { "[secret]".to_owned() } else { format!("{value:?}") };
                diagnostic = diagnostic.note(format!("{what}: {shown}"));
            }
        }
        Ok(diagnostic)
    }
}
