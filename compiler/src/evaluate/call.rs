//! Functions of modules, and methods of builtin types.

use super::expr::bare;
use super::trail::{Bound, Trail};
use super::{Evaluator, Result, budget};
use crate::hir::{Expr, ExprKind, Fn, FnId};
use imm_ir::builtin::Builtin;
use imm_ir::reduce::{Problem, ReduceError, apply_with};
use imm_ir::{Cause, CauseKind, Span, Term, Type, Value};
use std::sync::Arc;

impl Evaluator<'_> {
    pub(super) fn call_fn(&mut self, function: FnId, args: &[Expr], span: Span) -> Result<Arc<Term>> {
        let module = self.module;
        let Some(function) = module.function(function) else { return Ok(Arc::new(super::UNKNOWN)) };
        let mut bounds = Vec::with_capacity(args.len());
        for arg in args {
            let (term, trail) = self.apart(|e| e.part(arg));
            let bound = Bound { term: term?, trail: trail.shared() };
            self.trail.extend(&bound.trail);
            bounds.push(bound);
        }
        for ((local, _), bound) in function.params.iter().zip(bounds) {
            self.bind(*local, Bound { trail: Arc::default(), ..bound });
        }
        self.called(function);
        self.budget.round(function.span);
        self.frames.push((span, format!("in this call of `{}`", function.name)));
        let result = self.expr(&function.body);
        self.frames.pop();
        result
    }

    /// A function of the program is a cause of what it gives: an edit of it has no other. Those of the library are not edited.
    fn called(&mut self, function: &Fn) {
        if self.sources.get(function.span.file).is_some_and(|file| crate::stdlib::is_file(&file.name)) {
            return;
        }
        self.cause(|e| {
            let digest = imm_ir::Digest::of(&e.written(function.span).to_le_bytes());
            Cause { what: CauseKind::Function(Arc::clone(&function.name)), loc: e.loc(function.span), digest }
        });
    }

    /// `receiver.name(args)`; `name` is the builtin's.
    pub(super) fn method(
        &mut self,
        receiver: &Expr,
        name: &Arc<str>,
        args: &[Expr],
        optional: bool,
        whole: &Expr,
    ) -> Result<Arc<Term>> {
        let receiver = self.expr(receiver)?;
        if optional && receiver.known() == Some(&Value::None) {
            return Ok(receiver);
        }
        let mut terms = vec![Arc::clone(&receiver)];
        let mut lambdas = Vec::new();
        for arg in args {
            if let ExprKind::Lambda { params, body } = &arg.uncoerced().kind {
                terms.push(Arc::new(placeholder(lambdas.len(), params.len())));
                lambdas.push((terms.len() - 1, params.as_slice(), body.as_ref()));
            } else {
                terms.push(self.part(arg)?);
            }
        }
        if &**name == "sum" {
            terms.push(Arc::new(Term::Value(zero(&whole.ty))));
        }
        let builtin = Builtin::Method(Arc::clone(name));
        let is_hole = matches!(receiver.as_ref(), Term::Output(..) | Term::Call(..) | Term::If(..) | Term::Var(_));
        if optional && is_hole {
            return self.method_of_hole(&builtin, terms, &lambdas);
        }
        if lambdas.is_empty() {
            return self.apply(&builtin, terms, whole.span);
        }
        let mut failed = None;
        self.spend(budget::cost(&builtin, &terms, self.budget.left()), whole.span)?;
        let result = apply_with(&builtin, terms.clone(), &mut |lambda, values| {
            let Some((_, params, body)) = index_of(lambda).and_then(|index| lambdas.get(index)) else {
                return imm_ir::reduce::call(lambda, values);
            };
            let copied = values.iter().map(|value| budget::weight(value, self.budget.left())).sum();
            if let Err(error) = self.spend(copied, body.span) {
                failed = Some(error);
                return Err(ReduceError::budget());
            }
            for (local, value) in params.iter().zip(values) {
                self.bind(*local, Bound::plain(value.clone()));
            }
            self.budget.round(body.span);
            self.owned(body).map_err(|error| {
                failed = Some(error);
                ReduceError::budget()
            })
        });
        if let Some(failed) = failed {
            return Err(failed);
        }
        match result {
            Ok(term) if !is_call(&term) => {
                self.spend(budget::cost_of_result(&builtin, &term, self.budget.left()), whole.span)?;
                Ok(Arc::new(term))
            }
            Err(error) if self.guarded == 0 || error.problem == Problem::Budget => {
                Err(self.failed_to_reduce(error, whole.span))
            }
            _open => {
                self.make_lambdas(&mut terms, &lambdas)?;
                self.apply(&builtin, terms, whole.span)
            }
        }
    }

    /// `hole?.name(args)`: the method of the value, if there is one.
    fn method_of_hole(
        &mut self,
        builtin: &Builtin,
        mut terms: Vec<Arc<Term>>,
        lambdas: &[(usize, &[crate::hir::LocalId], &Expr)],
    ) -> Result<Arc<Term>> {
        let first = self.lambdas;
        self.lambdas += 1;
        let made = self.make_lambdas(&mut terms, lambdas);
        self.lambdas -= 1;
        made?;
        let receiver =
            std::mem::replace(terms.first_mut().ok_or_else(|| self.impossible())?, Arc::new(Term::Var(first)));
        let body = Arc::new(Term::Call(builtin.clone(), terms));
        let lambda = Arc::new(Term::Lambda { first, arity: 1, body });
        Ok(Arc::new(Term::Call(Builtin::Method(Arc::from("optional.map")), vec![receiver, lambda])))
    }

    fn impossible(&self) -> super::Failed {
        self.failed_to_reduce(ReduceError::budget(), Span::default())
    }

    fn make_lambdas(
        &mut self,
        terms: &mut [Arc<Term>],
        lambdas: &[(usize, &[crate::hir::LocalId], &Expr)],
    ) -> Result<()> {
        for (place, params, body) in lambdas {
            let lambda = self.lambda(params, body)?;
            if let Some(term) = terms.get_mut(*place) {
                *term = Arc::new(lambda);
            }
        }
        Ok(())
    }

    /// The trail of what is evaluated inside of `evaluate`, without adding it to the current one.
    pub(super) fn bound_with(
        &mut self,
        evaluate: impl FnOnce(&mut Self) -> Result<Arc<Term>>,
    ) -> Result<(Arc<Term>, Trail)> {
        let (term, trail) = self.apart(evaluate);
        Ok((term?, trail))
    }
}

/// Stands for the lambda of this index while a builtin runs.
fn placeholder(index: usize, arity: usize) -> Term {
    let small = |n: usize| u32::try_from(n).unwrap_or(0);
    Term::Lambda { first: u32::MAX - 1 - small(index), arity: small(arity), body: Arc::new(Term::Value(Value::None)) }
}

fn index_of(lambda: &Term) -> Option<usize> {
    match lambda {
        Term::Lambda { first, .. } => usize::try_from(u32::MAX - 1 - first).ok(),
        _other => None,
    }
}

fn is_call(term: &Term) -> bool {
    match term {
        Term::Call(..) => true,
        Term::Secret(inner) => is_call(inner),
        _folded => false,
    }
}

/// The zero of a number's type: an empty list does not tell the unit of its sum.
fn zero(ty: &Type) -> Value {
    match bare(ty) {
        Type::Float => Value::Float(0.0),
        Type::Duration => Value::Duration(0),
        Type::Bytes => Value::Bytes(0),
        Type::Ratio => Value::Ratio(0),
        Type::Cpu => Value::Cpu(0),
        _int => Value::Int(0),
    }
}
