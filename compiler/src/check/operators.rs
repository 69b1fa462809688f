//! Operators: which operands they take and what they give. `~` and `Secret` of an operand go to the result.

use super::checker::{Checker, Cx};
use crate::diagnose::mismatch;
use crate::hir::{Expr, ExprKind};
use crate::types::{fits, join, peel, scan, strip_all, unrefined};
use imm_ir::{Diagnostic, Span, Type, Value, code};
use imm_syntax::ast::{self, BinaryOp, UnaryOp};

fn is_quantity(ty: &Type) -> bool {
    matches!(ty, Type::Duration | Type::Bytes | Type::Ratio | Type::Cpu)
}

fn is_number(ty: &Type) -> bool {
    matches!(ty, Type::Int | Type::Float) || is_quantity(ty)
}

impl Checker<'_> {
    /// `-a`, `!a`
    pub fn unary(
        &mut self,
        cx: &mut Cx,
        op: UnaryOp,
        op_span: Span,
        operand: &ast::Expr,
        want: Option<&Type>,
        span: Span,
    ) -> Expr {
        let want = if op == UnaryOp::Neg { want } else { None };
        let operand = self.expr(cx, operand, want);
        let (core, taint) = peel(&operand.ty);
        let ty = match (op, unrefined(&core)) {
            (_, Type::Error) => return Expr::error(span),
            (UnaryOp::Not, Type::Bool) => Type::Bool,
            (UnaryOp::Neg, Type::Int) => Type::Int,
            (UnaryOp::Neg, Type::Float) => Type::Float,
            (_, other) => {
                let sign = if op == UnaryOp::Neg { "-" } else { "!" };
                let text = format!("`{sign}` does not take `{}`", operand.ty);
                let diagnostic = Diagnostic::error(code::TYPE_MISMATCH, op_span, text)
                    .also(operand.span, format!("this is `{other}`"));
                self.report(if is_quantity(other) {
                    diagnostic.note("quantities are never below 0")
                } else {
                    diagnostic
                });
                return Expr::error(span);
            }
        };
        Expr { kind: ExprKind::Unary { op, operand: Box::new(operand) }, ty: taint.on(ty), span }
    }

    /// `a + b`
    #[expect(clippy::too_many_arguments, reason = "the parts of one form of the tree")]
    pub fn binary(
        &mut self,
        cx: &mut Cx,
        op: BinaryOp,
        op_span: Span,
        left: &ast::Expr,
        right: &ast::Expr,
        want: Option<&Type>,
        span: Span,
    ) -> Expr {
        match op {
            BinaryOp::And | BinaryOp::Or => {
                if op == BinaryOp::Or && self.meant_default(cx, left, right) {
                    return Expr::error(span);
                }
                let (left, a) = self.check_untainted(cx, left, &Type::Bool);
                let (right, b) = self.check_untainted(cx, right, &Type::Bool);
                return finish(op, left, right, a.and(b).on(Type::Bool), span);
            }
            BinaryOp::Range | BinaryOp::RangeInclusive => {
                let (left, a) = self.check_untainted(cx, left, &Type::Int);
                let (right, b) = self.check_untainted(cx, right, &Type::Int);
                return finish(op, left, right, a.and(b).on(Type::Range), span);
            }
            BinaryOp::Coalesce => return self.coalesce(cx, left, right, want, span),
            BinaryOp::In => return self.contained(cx, left, right, op_span, span),
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Add | BinaryOp::Sub => {}
            BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {}
        }
        let compares = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        let adds = matches!(op, BinaryOp::Add | BinaryOp::Sub);
        let mut left = self.expr(cx, left, if adds { want } else { None });
        let (a, taint_a) = peel(&left.ty);
        let a = unrefined(&a).clone();
        let scaled = is_quantity(&a) && matches!(op, BinaryOp::Mul | BinaryOp::Div);
        let hint = if scaled { None } else { Some(&a) };
        let right = self.expr(cx, right, hint);
        let (b, taint_b) = peel(&right.ty);
        let b = unrefined(&b).clone();
        if a == Type::Error || b == Type::Error {
            return Expr::error(span);
        }
        // `1 + x` where x is a Float: the literal is meant as one.
        let mut a = a;
        if let (ExprKind::Value(Value::Int(n)), Type::Float) = (&left.kind, &b) {
            #[expect(clippy::cast_precision_loss, reason = "a literal beside a Float is meant as one")]
            let float = *n as f64;
            left = super::expr::value(Value::Float(float), Type::Float, left.span);
            a = Type::Float;
        }
        let taint = taint_a.and(taint_b);
        if compares {
            return self.equality(op, op_span, left, right, span);
        }
        let ordered = |ty: &Type| is_number(ty) || *ty == Type::String;
        let ty = match op {
            BinaryOp::Add if a == Type::String && b == Type::String => Some(Type::String),
            BinaryOp::Add if matches!((&a, &b), (Type::List(_), Type::List(_))) => join(&a, &b),
            BinaryOp::Add | BinaryOp::Sub if a == b && is_number(&a) => Some(a),
            BinaryOp::Mul if a == b && matches!(a, Type::Int | Type::Float) => Some(a),
            BinaryOp::Div if a == b && matches!(a, Type::Int | Type::Float) => Some(a),
            BinaryOp::Div if a == b && is_quantity(&a) => Some(Type::Float),
            BinaryOp::Mul | BinaryOp::Div if is_quantity(&a) && b == Type::Int => Some(a),
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge if a == b && ordered(&a) => Some(Type::Bool),
            _other => None,
        };
        match ty {
            Some(ty) => finish(op, left, right, taint.on(ty), span),
            None => {
                let diagnostic = mismatch::operator(op.as_str(), &left.ty, &right.ty, op_span)
                    .also(left.span, format!("`{}`", left.ty))
                    .also(right.span, format!("`{}`", right.ty));
                self.report(diagnostic);
                Expr::error(span)
            }
        }
    }

    /// `a || "default"`, where `a` may be absent: reported with what is written here for it.
    fn meant_default(&mut self, cx: &mut Cx, left: &ast::Expr, right: &ast::Expr) -> bool {
        // Only a name or a field is looked at twice.
        if !matches!(left.kind, ast::ExprKind::Name(_) | ast::ExprKind::Field { .. }) {
            return false;
        }
        let before = self.found.len();
        let ty = self.expr(cx, left, None).ty;
        let broken = self.found.len() > before;
        self.found.truncate(before);
        let Type::Option(inner) = peel(&ty).0 else { return false };
        if broken || *unrefined(&inner) == Type::Bool {
            return false;
        }
        let (left_text, right_text) = (self.text(left.span).to_owned(), self.text(right.span).to_owned());
        self.report(mismatch::meant_default(&left_text, &right_text, left.span, &ty));
        self.expr(cx, right, Some(&Type::Error));
        true
    }

    fn equality(&mut self, op: BinaryOp, op_span: Span, left: Expr, right: Expr, span: Span) -> Expr {
        let (a, b) = (strip_all(&left.ty), strip_all(&right.ty));
        let alike = fits(&a, &b).is_ok() || fits(&b, &a).is_ok() || join(&a, &b).is_some();
        let comparable = alike && !matches!(a, Type::Function(_)) && !matches!(b, Type::Function(_));
        if !comparable {
            let diagnostic = mismatch::operator(op.as_str(), &left.ty, &right.ty, op_span)
                .also(left.span, format!("`{}`", left.ty))
                .also(right.span, format!("`{}`", right.ty));
            self.report(diagnostic);
            return Expr::error(span);
        }
        // `x == none` asks for presence and `x == memory` for the variant: known and public when only what is inside is not.
        let outermost = |one: &Expr, other: &Expr| is_bare(one).then(|| peel(&other.ty).1);
        let taint = outermost(&left, &right)
            .or_else(|| outermost(&right, &left))
            .unwrap_or_else(|| scan(&left.ty).and(scan(&right.ty)));
        finish(op, left, right, taint.on(Type::Bool), span)
    }

    fn coalesce(&mut self, cx: &mut Cx, left: &ast::Expr, right: &ast::Expr, want: Option<&Type>, span: Span) -> Expr {
        let optional = want.map(|ty| Type::option(ty.clone()));
        let left = self.expr(cx, left, optional.as_ref());
        let (core, taint) = peel(&left.ty);
        let inner = match unrefined(&core) {
            Type::Option(inner) => (**inner).clone(),
            Type::Error => {
                self.expr(cx, right, want);
                return Expr::error(span);
            }
            _present => {
                let source = self.text(left.span);
                let text = format!("`{source}` is never `none`, so `??` has nothing to replace");
                self.report(
                    Diagnostic::error(code::TYPE_MISMATCH, left.span, text).label(format!("this is `{}`", left.ty)),
                );
                self.expr(cx, right, Some(&Type::Error));
                return Expr::error(span);
            }
        };
        let hint = if inner == Type::Never { want.cloned() } else { Some(inner.clone()) };
        let right = self.expr(cx, right, hint.as_ref());
        if right.ty == Type::Error {
            return Expr::error(span);
        }
        let Some(ty) = join(&inner, &right.ty) else {
            let diagnostic = mismatch::differ("the sides of `??`", &inner, left.span, &right.ty, right.span);
            self.report(diagnostic);
            return Expr::error(span);
        };
        finish(BinaryOp::Coalesce, left, right, taint.on(ty), span)
    }

    fn contained(&mut self, cx: &mut Cx, left: &ast::Expr, right: &ast::Expr, op_span: Span, span: Span) -> Expr {
        let left = self.expr(cx, left, None);
        let (a, _) = peel(&left.ty);
        let a = unrefined(&a).clone();
        let hint = if a == Type::Error { Type::Error } else { Type::list(a.clone()) };
        let right = self.expr(cx, right, Some(&hint));
        let (b, outer) = peel(&right.ty);
        let taint = match unrefined(&b) {
            Type::Error => return Expr::error(span),
            _broken if a == Type::Error => return Expr::error(span),
            Type::Range if a == Type::Int => Some(outer),
            Type::Map(_) if a == Type::String => Some(outer),
            Type::List(item) => join(&strip_all(&a), &strip_all(item)).map(|_| outer.and(scan(item))),
            _other => None,
        };
        let Some(taint) = taint else {
            let diagnostic = mismatch::operator("in", &left.ty, &right.ty, op_span)
                .note("`in` takes a value and a list of such, an Int and a range, or a String and a map");
            self.report(diagnostic);
            return Expr::error(span);
        };
        let taint = taint.and(scan(&left.ty));
        finish(BinaryOp::In, left, right, taint.on(Type::Bool), span)
    }
}

/// `none`, or a variant that has no payload.
fn is_bare(expr: &Expr) -> bool {
    match &expr.uncoerced().kind {
        ExprKind::Value(Value::None) => true,
        ExprKind::Variant { payload, .. } => payload.is_empty(),
        _other => false,
    }
}

fn finish(op: BinaryOp, left: Expr, right: Expr, ty: Type, span: Span) -> Expr {
    let ty = if left.ty == Type::Error || right.ty == Type::Error { Type::Error } else { ty };
    Expr { kind: ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }, ty, span }
}
