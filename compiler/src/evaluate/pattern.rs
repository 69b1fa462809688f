//! `match`: decided when what it looks at is known, lowered to `if` and `is` when not.

use super::expr::operator;
use super::trail::Bound;
use super::{Evaluator, Result, UNKNOWN};
use crate::hir::{Arm, Expr, Pattern, PatternKind};
use imm_ir::builtin::Builtin;
use imm_ir::reduce::branch;
use imm_ir::{Term, Value};
use std::sync::Arc;

impl Evaluator<'_> {
    pub(super) fn match_arms(&mut self, scrutinee: &Expr, arms: &[Arm]) -> Result<Arc<Term>> {
        let value = self.expr(scrutinee)?;
        // Conditions that are not known, with what they guard; the last arm that fits for certain ends the list.
        let mut open: Vec<(Arc<Term>, Arc<Term>)> = Vec::new();
        let mut last = None;
        for arm in arms {
            let condition = self.fits(&arm.patterns, &value)?;
            let body = |e: &mut Self| {
                e.bind_pattern(arm.patterns.first(), &value)?;
                e.expr(&arm.body)
            };
            match condition.known().map(|value| (value.as_bool(), matches!(value, Value::Secret(_)))) {
                Some((Some(false), false)) => {}
                Some((Some(true), false)) => {
                    last = Some(if open.is_empty() { body(self)? } else { self.guard(body)? });
                    break;
                }
                _not_known => {
                    let body = self.guard(body)?;
                    open.push((condition, body));
                }
            }
        }
        // The arms are exhaustive: without one that fits for certain, the last open one does.
        let Some(mut result) = last.or_else(|| open.pop().map(|(_, body)| body)) else {
            return Ok(Arc::new(UNKNOWN));
        };
        for (condition, body) in open.into_iter().rev() {
            result = Arc::new(branch(condition, body, result));
        }
        Ok(if value.is_secret() { Arc::new(Arc::unwrap_or_clone(result).into_secret()) } else { result })
    }

    /// Whether one of the patterns fits, as a term to Bool.
    fn fits(&mut self, patterns: &[Pattern], value: &Arc<Term>) -> Result<Arc<Term>> {
        let mut any: Option<Arc<Term>> = None;
        for pattern in patterns {
            let one = match &pattern.kind {
                PatternKind::Wildcard => return Ok(Arc::new(Term::Value(Value::Bool(true)))),
                PatternKind::None => self.compare("==", value, Value::None, pattern)?,
                PatternKind::Some(_) => self.compare("!=", value, Value::None, pattern)?,
                PatternKind::Value(literal) => self.compare("==", value, literal.clone(), pattern)?,
                PatternKind::Variant { tag, .. } => {
                    self.apply(&Builtin::Is(Arc::clone(tag)), vec![Arc::clone(value)], pattern.span)?
                }
            };
            any = Some(match any {
                None => one,
                Some(before) => self.apply(&operator("||"), vec![before, one], pattern.span)?,
            });
        }
        Ok(any.unwrap_or_else(|| Arc::new(Term::Value(Value::Bool(false)))))
    }

    fn compare(&mut self, sign: &str, value: &Arc<Term>, with: Value, pattern: &Pattern) -> Result<Arc<Term>> {
        self.apply(&operator(sign), vec![Arc::clone(value), Arc::new(Term::Value(with))], pattern.span)
    }

    /// Binds what a pattern names. The trail of what is matched is already recorded.
    fn bind_pattern(&mut self, pattern: Option<&Pattern>, value: &Arc<Term>) -> Result<()> {
        let Some(pattern) = pattern else { return Ok(()) };
        match &pattern.kind {
            PatternKind::Some(Some(local)) => {
                self.bind(*local, Bound { term: Arc::clone(value), trail: Arc::default() });
            }
            PatternKind::Variant { bindings, .. } => {
                for (field, local) in bindings {
                    let term = self.apply(&Builtin::Field(Arc::clone(field)), vec![Arc::clone(value)], pattern.span)?;
                    self.bind(*local, Bound { term, trail: Arc::default() });
                }
            }
            PatternKind::Wildcard | PatternKind::None | PatternKind::Some(None) | PatternKind::Value(_) => {}
        }
        Ok(())
    }
}
