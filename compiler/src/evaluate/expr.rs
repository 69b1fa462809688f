//! Expressions: one arm a form, each a few lines or a call of the file that knows more.

use super::trail::Bound;
use super::{Evaluator, Result, UNKNOWN, budget};
use crate::hir::{Expr, ExprKind, MapEntry, StringPart};
use imm_ir::builtin::Builtin;
use imm_ir::reduce::{Problem, apply};
use imm_ir::{Diagnostic, Fields, Key, Span, Term, Type, Value, code};
use imm_syntax::ast::{BinaryOp, UnaryOp};
use std::sync::Arc;

impl Evaluator<'_> {
    /// Evaluates an expression; what it was made from is added to the trail.
    pub(super) fn expr(&mut self, expr: &Expr) -> Result<Arc<Term>> {
        self.budget.enter(expr.span).map_err(|exceeded| self.fail(*exceeded))?;
        let result = self.form(expr);
        self.budget.leave();
        result
    }

    /// Evaluates a part of something larger. A mistake in it is reported, and the part is not known: its neighbours may
    /// have mistakes of their own. Only an exceeded budget ends the whole.
    pub(super) fn part(&mut self, expr: &Expr) -> Result<Arc<Term>> {
        match self.expr(expr) {
            Err(failed) if failed.code != code::BUDGET_EXCEEDED => {
                self.report(failed);
                Ok(Arc::new(UNKNOWN))
            }
            result => result,
        }
    }

    /// Evaluates apart from the current trail, to be bound.
    pub(super) fn bound(&mut self, expr: &Expr) -> Result<Bound> {
        let (term, trail) = self.apart(|e| e.expr(expr));
        Ok(Bound { term: term?, trail: trail.shared() })
    }

    fn form(&mut self, expr: &Expr) -> Result<Arc<Term>> {
        match &expr.kind {
            ExprKind::Value(_)
            | ExprKind::List(_)
            | ExprKind::Record(_)
            | ExprKind::Map(_)
            | ExprKind::Variant { .. }
            | ExprKind::Lambda { .. } => self.own_form(expr).map(Arc::new),
            ExprKind::String(parts) => self.string(parts, expr.span),
            ExprKind::Local(id) => {
                let bound = self.locals.get(id.index()).cloned().flatten();
                Ok(self.read(bound))
            }
            ExprKind::Param(id) => Ok(self.param(*id, expr.span)),
            ExprKind::Let(id) => {
                let bound = self.scopes.binding(*id).cloned();
                Ok(self.read(bound))
            }
            ExprKind::Node(id) => {
                let bound = self.scopes.node(*id).cloned();
                Ok(self.read(bound))
            }
            ExprKind::ListFor { head, value } => self.list_for(head, value, expr.span),
            ExprKind::MapFor { head, key, value } => self.map_for(head, key, value, expr.span),
            ExprKind::Field { base, name, access, optional } => self.field(base, name, *access, *optional, expr.span),
            ExprKind::Index { base, index } => {
                let args = vec![self.part(base)?, self.part(index)?];
                self.apply(&operator("[]"), args, expr.span)
            }
            ExprKind::Method { receiver, name, args, optional } => self.method(receiver, name, args, *optional, expr),
            ExprKind::Call { function, args } => self.function(*function, args, expr.span),
            ExprKind::CallFn { function, args } => self.call_fn(*function, args, expr.span),
            ExprKind::Unary { op, operand } => {
                let sign = match op {
                    UnaryOp::Neg => "neg",
                    UnaryOp::Not => "!",
                };
                let args = vec![self.expr(operand)?];
                self.apply(&operator(sign), args, expr.span)
            }
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right, expr.span),
            ExprKind::If { condition, then, otherwise } => self.choose(condition, then, otherwise),
            ExprKind::Match { scrutinee, arms } => self.match_arms(scrutinee, arms),
            ExprKind::Coerce(inner) => {
                let term = self.expr(inner)?;
                self.coerce(term, &expr.ty, inner.span)
            }
            ExprKind::Error => Err(self.fail(Diagnostic::error(code::SYNTAX, expr.span, "this is broken"))),
        }
    }

    /// As [`Evaluator::form`], as a term of its own. Most parts of what a node is are made here: nothing is shared that would
    /// have to be taken apart again.
    fn own_form(&mut self, expr: &Expr) -> Result<Term> {
        match &expr.kind {
            ExprKind::Value(value) => Ok(Term::Value(value.clone())),
            ExprKind::List(items) => self.list(items),
            ExprKind::Record(fields) => Ok(Term::record(self.fields(fields)?)),
            ExprKind::Map(entries) => self.map(entries),
            ExprKind::Variant { tag, payload } => Ok(Term::variant(Arc::clone(tag), self.fields(payload)?)),
            ExprKind::Lambda { params, body } => self.lambda(params, body),
            ExprKind::Coerce(inner) => {
                let term = self.own(inner)?;
                self.coerce_own(term, &expr.ty, inner.span)
            }
            _shared => {
                let term = self.form(expr)?;
                self.take(term, expr.span)
            }
        }
    }

    /// Looks for mistakes in an expression whose value nobody asks for: what cannot fail is not made. A mistake in a part is
    /// reported, and the others are looked at.
    pub(super) fn look(&mut self, expr: &Expr) -> Result<()> {
        self.budget.enter(expr.span).map_err(|exceeded| self.fail(*exceeded))?;
        let result = match &expr.kind {
            ExprKind::Value(_) | ExprKind::Local(_) | ExprKind::Param(_) | ExprKind::Let(_) | ExprKind::Node(_) => {
                Ok(())
            }
            ExprKind::Record(fields) | ExprKind::Variant { payload: fields, .. } => {
                fields.iter().try_for_each(|(_, value)| self.look_at_part(value))
            }
            ExprKind::List(items) if items.iter().all(|(spliced, _)| !spliced) => {
                items.iter().try_for_each(|(_, item)| self.look_at_part(item))
            }
            ExprKind::Map(entries) if has_plain_keys(entries) => entries.iter().try_for_each(|entry| match entry {
                MapEntry::Entry { value, .. } | MapEntry::Spread(value) => self.look_at_part(value),
            }),
            ExprKind::Coerce(inner) if !super::coerce::may_fail(&expr.ty) => self.look(inner),
            _has_a_value => self.own_form(expr).map(drop),
        };
        self.budget.leave();
        result
    }

    fn look_at_part(&mut self, expr: &Expr) -> Result<()> {
        let looked = self.look(expr);
        self.attempted(looked)
    }

    /// Evaluates an expression to a term of its own; what it was made from is added to the trail.
    pub(super) fn own(&mut self, expr: &Expr) -> Result<Term> {
        self.budget.enter(expr.span).map_err(|exceeded| self.fail(*exceeded))?;
        let result = self.own_form(expr);
        self.budget.leave();
        result
    }

    /// The value of something bound, and its trail. What is not bound is not known: it depends on a param without value.
    pub(super) fn read(&mut self, bound: Option<Bound>) -> Arc<Term> {
        match bound {
            Some(bound) => {
                self.trail.extend(&bound.trail);
                bound.term
            }
            None => Arc::new(UNKNOWN),
        }
    }

    /// Applies a builtin. Behind a condition that is not known, what fails stays unfolded.
    pub(super) fn apply(&mut self, builtin: &Builtin, args: Vec<Arc<Term>>, span: Span) -> Result<Arc<Term>> {
        let kept = (self.guarded > 0).then(|| args.clone());
        self.spend(budget::cost(builtin, &args, self.budget.left()), span)?;
        match (apply(builtin, args), kept) {
            (Ok(term), _) => {
                self.spend(budget::cost_of_result(builtin, &term, self.budget.left()), span)?;
                Ok(Arc::new(term))
            }
            (Err(error), Some(args)) if error.problem != Problem::Budget => {
                Ok(Arc::new(Term::Call(builtin.clone(), args)))
            }
            (Err(error), _) => Err(self.failed_to_reduce(error, span)),
        }
    }

    fn string(&mut self, parts: &[StringPart], span: Span) -> Result<Arc<Term>> {
        let mut args = Vec::with_capacity(parts.len());
        for part in parts {
            args.push(match part {
                StringPart::Text(text) => Arc::new(Term::Value(Value::String(Arc::clone(text)))),
                StringPart::Hole(hole) => self.part(hole)?,
            });
        }
        self.apply(&Builtin::Concat, args, span)
    }

    fn fields(&mut self, fields: &[(Arc<str>, Expr)]) -> Result<Fields<Term>> {
        let mut terms = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            let term = self.owned(value)?;
            if !matches!(term, Term::Value(Value::None)) {
                terms.push((Arc::clone(name), term));
            }
        }
        Ok(Fields::from(terms))
    }

    /// As [`Evaluator::part`], to be put into another.
    pub(super) fn owned(&mut self, expr: &Expr) -> Result<Term> {
        match self.own(expr) {
            Err(failed) if failed.code != code::BUDGET_EXCEEDED => {
                self.report(failed);
                Ok(UNKNOWN)
            }
            result => result,
        }
    }

    /// A term to be changed or put into another; what others share is copied.
    pub(super) fn take(&mut self, term: Arc<Term>, span: Span) -> Result<Term> {
        match Arc::try_unwrap(term) {
            Ok(term) => Ok(term),
            Err(shared) => {
                self.spend(budget::weight(&shared, self.budget.left()), span)?;
                Ok((*shared).clone())
            }
        }
    }

    /// So much work at this place.
    pub(super) fn spend(&mut self, work: u64, span: Span) -> Result<()> {
        self.budget.spend(work, span).map_err(|exceeded| self.fail(*exceeded))
    }

    fn list(&mut self, items: &[(bool, Expr)]) -> Result<Term> {
        let mut terms = Vec::with_capacity(items.len());
        let mut open = Vec::new();
        for (spliced, item) in items {
            let term = self.owned(item)?;
            match (spliced, term) {
                (false, term) => terms.push(term),
                (true, Term::List(inner)) => terms.extend(inner),
                (true, Term::Value(Value::List(inner))) => terms.extend(inner.into_iter().map(Term::Value)),
                (true, Term::Value(Value::Range(from, to))) => {
                    if to.saturating_sub(from) > 1_000_000 {
                        let what = "more than a million elements in one list";
                        return Err(self.fail(self.budget.exceeded(item.span, what)));
                    }
                    self.spend(u64::try_from(to.saturating_sub(from)).unwrap_or(0), item.span)?;
                    terms.extend((from..to).map(|n| Term::Value(Value::Int(n))));
                }
                // A list that is not known yet: the whole becomes lists one after the other.
                (true, hole) => {
                    open.push(Term::list(std::mem::take(&mut terms)));
                    open.push(hole);
                }
            }
        }
        let last = Term::list(terms);
        if open.is_empty() {
            return Ok(last);
        }
        open.push(last);
        let span = items.first().map_or_else(Span::default, |(_, item)| item.span);
        let list = self.apply(&Builtin::Method(Arc::from("flatten")), vec![Arc::new(Term::list(open))], span)?;
        self.take(list, span)
    }

    fn map(&mut self, entries: &[MapEntry]) -> Result<Term> {
        // With the place of the key where one is written: such keys do not repeat, but one may replace a spread's.
        let mut all: Vec<(Key, Term, Option<Span>)> = Vec::with_capacity(entries.len());
        for entry in entries {
            match entry {
                MapEntry::Entry { key, value } => {
                    let Some(text) = self.key(key)? else { return Ok(UNKNOWN) };
                    all.push((text, self.owned(value)?, Some(key.span)));
                }
                MapEntry::Spread(spread) => match self.owned(spread)? {
                    Term::Map(inner) => all.extend(inner.into_iter().map(|(key, term)| (key, term, None))),
                    Term::Value(Value::Map(inner)) => {
                        all.extend(inner.into_iter().map(|(key, value)| (key, Term::Value(value), None)));
                    }
                    _unknown => return Ok(UNKNOWN),
                },
            }
        }
        all.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        let mut last: Option<(&Key, Span)> = None;
        for (key, span) in all.iter().filter_map(|(key, _, span)| Some((key, (*span)?))) {
            if let Some((_, before)) = last.filter(|(other, _)| *other == key) {
                return Err(self.fail(duplicate_key(key, span).also(before, "it is already here")));
            }
            last = Some((key, span));
        }
        // Of equal keys the last one stays.
        if all.iter().all(|(_, term, _)| matches!(term, Term::Value(_))) {
            let known = all.into_iter().filter_map(|(key, term, _)| Some((key, term.into_value()?)));
            return Ok(Term::Value(Value::Map(known.collect())));
        }
        Ok(Term::Map(all.into_iter().map(|(key, term, _)| (key, term)).collect()))
    }

    /// A key; `None` when it depends on a param without value.
    pub(super) fn key(&mut self, key: &Expr) -> Result<Option<Key>> {
        let term = self.own(key)?;
        Ok(match term.known() {
            Some(Value::String(text)) => Some(Key(Arc::clone(text))),
            Some(other) => Some(Key::from(imm_ir::reduce::shown(other))),
            None => None,
        })
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr, span: Span) -> Result<Arc<Term>> {
        let builtin = operator(op.as_str());
        let left = self.part(left)?;
        if matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Coalesce) {
            if left.known().is_some_and(|value| decides(op, value)) {
                return Ok(left);
            }
            if left.known().is_none() {
                let right = self.guard(|e| e.expr(right))?;
                return self.apply(&builtin, vec![left, right], span);
            }
        }
        let right = self.part(right)?;
        self.apply(&builtin, vec![left, right], span)
    }

    fn choose(&mut self, condition: &Expr, then: &Expr, otherwise: &Expr) -> Result<Arc<Term>> {
        let condition = self.expr(condition)?;
        match condition.known() {
            Some(value) => {
                let taken = if value.as_bool() == Some(true) { then } else { otherwise };
                let secret = matches!(value, Value::Secret(_));
                let term = self.expr(taken)?;
                Ok(if secret { Arc::new(self.take(term, taken.span)?.into_secret()) } else { term })
            }
            None => {
                let then = self.guard(|e| e.expr(then))?;
                let otherwise = self.guard(|e| e.expr(otherwise))?;
                Ok(Arc::new(imm_ir::reduce::branch(condition, then, otherwise)))
            }
        }
    }
}

/// Whether all entries of a map have keys as they are written: the checker has seen that none is there twice.
fn has_plain_keys(entries: &[MapEntry]) -> bool {
    let plain = |entry: &MapEntry| match entry {
        MapEntry::Entry { key, .. } => matches!(key.kind, ExprKind::Value(_)),
        MapEntry::Spread(_) => false,
    };
    entries.iter().all(plain)
}

/// Whether the left side of a lazy operator is the result.
fn decides(op: BinaryOp, left: &Value) -> bool {
    match op {
        BinaryOp::And => *left == Value::Bool(false),
        BinaryOp::Or => *left == Value::Bool(true),
        BinaryOp::Coalesce => *left != Value::None,
        _strict => false,
    }
}

pub(super) fn operator(sign: &str) -> Builtin {
    Builtin::Operator(Arc::from(sign))
}

pub(super) fn duplicate_key(key: &Key, span: Span) -> Diagnostic {
    Diagnostic::error(code::DUPLICATE_KEY, span, format!("the key \"{key}\" occurs twice"))
        .help("give each entry a key of its own")
}

/// The type without `~`, `Secret` and refinements.
pub(super) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Late(inner) | Type::Secret(inner) => bare(inner),
        Type::Refined(refined) => bare(&refined.base),
        _bare => ty,
    }
}
