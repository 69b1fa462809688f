//! Lambdas as terms: gates, and arguments of builtins that must wait for a value.

use super::trail::Bound;
use super::{Evaluator, Result};
use crate::hir::{Expr, LocalId};
use imm_ir::Term;
use std::sync::Arc;

impl Evaluator<'_> {
    /// Evaluates the body over numbered parameters. Nothing in it is known to be reached, so failures wait.
    pub(super) fn lambda(&mut self, params: &[LocalId], body: &Expr) -> Result<Term> {
        let first = self.lambdas;
        let arity = u32::try_from(params.len()).unwrap_or(u32::MAX);
        for (number, local) in (first..).zip(params) {
            self.bind(*local, Bound::plain(Term::Var(number)));
        }
        self.lambdas += arity;
        let body = self.guard(|e| e.expr(body));
        self.lambdas -= arity;
        Ok(Term::Lambda { first, arity, body: body? })
    }

    /// Whether a term depends on a parameter of a lambda around it, or on a param without value.
    pub(super) fn is_inside_lambda(term: &Term) -> bool {
        match term {
            Term::Var(_) => true,
            Term::Value(_) | Term::Output(..) => false,
            Term::List(items) => items.iter().any(Self::is_inside_lambda),
            Term::Map(map) => map.values().any(Self::is_inside_lambda),
            Term::Record(fields) | Term::Variant(_, fields) => fields.values().any(Self::is_inside_lambda),
            Term::Secret(inner) => Self::is_inside_lambda(inner),
            Term::Call(_, args) => args.iter().any(|arg| Self::is_inside_lambda(arg)),
            Term::If(a, b, c) => [a, b, c].into_iter().any(|term: &Arc<Term>| Self::is_inside_lambda(term)),
            Term::Lambda { .. } => false,
        }
    }
}
