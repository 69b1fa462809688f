//! Expressions: the entry points, literals, strings and lambdas.

use super::checker::{Checker, Cx, MOST_DEPTH};
use crate::diagnose::mismatch::{self, Place};
use crate::hir::{Expr, ExprKind, StringPart};
use crate::types::{Taint, core_of, fits, peel, strip_late, unrefined};
use imm_ir::{Diagnostic, Span, Type, Value, code};
use imm_syntax::ast::{self, ListBody, StrBody, StrPart, Unit};
use std::sync::Arc;

impl Checker<'_> {
    /// An expression that must be of a type.
    pub fn check(&mut self, cx: &mut Cx, expr: &ast::Expr, ty: &Type, place: Place<'_>) -> Expr {
        let typed = self.expr(cx, expr, Some(ty));
        self.coerce(typed, ty, place)
    }

    /// An expression that must be of a type but for `~` and `Secret`, which are returned.
    pub fn check_untainted(&mut self, cx: &mut Cx, expr: &ast::Expr, ty: &Type) -> (Expr, Taint) {
        let typed = self.expr(cx, expr, Some(ty));
        self.coerce_untainted(typed, ty)
    }

    /// An expression made to fit a type but for `~` and `Secret` around it, which are returned.
    pub fn coerce_untainted(&mut self, typed: Expr, ty: &Type) -> (Expr, Taint) {
        let (_, taint) = peel(&typed.ty);
        if taint == Taint::default() || fits(&typed.ty, ty).is_ok() {
            return (self.coerce(typed, ty, Place::Value), Taint::default());
        }
        (self.coerce(typed, &taint.on(ty.clone()), Place::Value), taint)
    }

    /// An expression; the expected type guides literals and names but need not be met.
    pub fn expr(&mut self, cx: &mut Cx, expr: &ast::Expr, want: Option<&Type>) -> Expr {
        if self.depth > MOST_DEPTH {
            self.report(
                Diagnostic::error(code::BUDGET_EXCEEDED, expr.span, "this is nested too deeply")
                    .label("too deep")
                    .help("give a part of it a name with `let` and a type: `let x: T = …`"),
            );
            return Expr::error(expr.span);
        }
        self.depth += 1;
        let mut typed = self.form(cx, expr, want);
        self.depth -= 1;
        if cx.settled {
            typed.ty = strip_late(&typed.ty);
        }
        self.saw_type(expr.span, &typed.ty, want);
        typed
    }

    /// An expression unless its type is too large to be looked at, which is reported.
    pub fn of_bounded_type(&mut self, expr: Expr) -> Expr {
        if !crate::types::is_too_large(&expr.ty) {
            return expr;
        }
        if crate::types::is_broken(&expr.ty) {
            return Expr::error(expr.span);
        }
        let text = format!("the type of this has more than {} parts", crate::types::MOST);
        self.report(
            Diagnostic::error(code::BUDGET_EXCEEDED, expr.span, text)
                .label("written out, it would be this large")
                .help("hold less in one value: keep the parts apart, or in a map of one type"),
        );
        Expr::error(expr.span)
    }

    /// `none`: nothing, or the variant of this name where one is expected.
    fn absent(&mut self, cx: &mut Cx, want: Option<&Type>, span: Span) -> Expr {
        if let Some((core, taint)) = want.map(peel)
            && let Type::Variant(variant) = unrefined(&core)
            && variant.case("none").is_some()
        {
            let name = ast::Name { text: "none".into(), span };
            return self.variant(cx, variant, &name, None, taint, span);
        }
        value(Value::None, Type::option(Type::Never), span)
    }

    fn form(&mut self, cx: &mut Cx, expr: &ast::Expr, want: Option<&Type>) -> Expr {
        use ast::ExprKind as Form;
        let span = expr.span;
        match &expr.kind {
            Form::Int(n) => self.int(*n, span, want),
            Form::Float(x) => value(Value::Float(*x), Type::Float, span),
            Form::Quantity(quantity) => {
                let (known, ty) = quantity_value(*quantity);
                value(known, ty, span)
            }
            Form::Str(text) => self.string(cx, text),
            Form::Bool(b) => value(Value::Bool(*b), Type::Bool, span),
            Form::None => self.absent(cx, want, span),
            Form::Name(name) => self.name(cx, name, want),
            Form::Qualified(it) => self.qualified(cx, &it.ty, &it.name, None, span),
            Form::Construct(it) => match &it.ty {
                Some(ty) => self.qualified(cx, ty, &it.name, Some(&it.fields), span),
                None => self.construct(cx, &it.name, &it.fields, want, span),
            },
            Form::Call(it) => self.call(cx, it.ty.as_ref(), &it.name, &it.args, want, span),
            Form::Field(it) => self.field(cx, &it.base, &it.name, it.optional, span),
            Form::Method(it) => self.method(cx, &it.base, &it.name, &it.args, it.optional, span),
            Form::Index { base, index } => self.index(cx, base, index, span),
            Form::Unary { op, op_span, operand } => self.unary(cx, *op, *op_span, operand, want, span),
            Form::Binary { op, op_span, left, right } => self.binary(cx, *op, *op_span, left, right, want, span),
            Form::If { condition, then, otherwise } => self.conditional(cx, condition, then, otherwise, want, span),
            Form::Match { scrutinee, arms } => self.matching(cx, scrutinee, arms, want, span),
            Form::Lambda { params, body } => self.lambda_value(cx, params, body, want, span),
            Form::List(ListBody::Elements(elements)) => self.list(cx, elements, want, span),
            Form::List(ListBody::For { head, value }) => self.list_for(cx, head, value, want, span),
            Form::Block(block) => self.block(cx, block, want),
            Form::Paren(inner) => self.expr(cx, inner, want),
            Form::Error => Expr::error(span),
        }
    }

    fn int(&mut self, n: i64, span: Span, want: Option<&Type>) -> Expr {
        match want.map(|ty| core_of(ty).0) {
            #[expect(clippy::cast_precision_loss, reason = "a literal where Float is expected is meant as one")]
            Some(Type::Float) => value(Value::Float(n as f64), Type::Float, span),
            _other => value(Value::Int(n), Type::Int, span),
        }
    }

    /// A string with its holes.
    pub fn string(&mut self, cx: &mut Cx, text: &ast::StrLit) -> Expr {
        let written = match &text.body {
            StrBody::Plain(plain) => return value(Value::String(Arc::clone(plain)), Type::String, text.span),
            StrBody::Parts(parts) => parts,
        };
        let mut taint = Taint::default();
        let mut parts = Vec::with_capacity(written.len());
        for part in written {
            match part {
                StrPart::Text(text) => parts.push(StringPart::Text(Arc::clone(text))),
                StrPart::Hole(hole) => {
                    let hole = self.expr(cx, hole, None);
                    let (ty, own) = peel(&hole.ty);
                    taint = taint.and(own);
                    if !fills_hole(&ty) {
                        let source = self.text(hole.span);
                        self.report(mismatch::hole(&ty, hole.span, source));
                        parts.push(StringPart::Hole(Expr::error(hole.span)));
                        continue;
                    }
                    parts.push(StringPart::Hole(hole));
                }
            }
        }
        Expr { kind: ExprKind::String(parts), ty: taint.on(Type::String), span: text.span }
    }

    fn lambda_value(
        &mut self,
        cx: &mut Cx,
        params: &[ast::Name],
        body: &ast::Expr,
        want: Option<&Type>,
        span: Span,
    ) -> Expr {
        let Some(Type::Function(function)) = want.map(|ty| core_of(ty).0) else {
            if want != Some(&Type::Error) {
                self.report(
                    Diagnostic::error(code::TYPE_MISMATCH, span, "a function is not a value here")
                        .label("only methods like `map` and fields like `gate` take one")
                        .help("to name a function, declare it: `fn f(x: T) -> U = …`"),
                );
            }
            return Expr::error(span);
        };
        let function = Arc::clone(function);
        if function.params.len() != params.len() {
            let text = format!("this function takes {} values, not {}", function.params.len(), params.len());
            self.report(
                Diagnostic::error(code::TYPE_MISMATCH, span, text)
                    .label(format!("expected `{}`", Type::Function(Arc::clone(&function)))),
            );
            return Expr::error(span);
        }
        let (lambda, _) = self.lambda(
            cx,
            params,
            &function.params,
            body,
            |checker, cx, body| checker.check(cx, body, &function.result, Place::Value),
            span,
        );
        Expr { ty: Type::Function(function), ..lambda }
    }

    /// A lambda whose parameters have these types; its result is made by `result`, whose type is returned too.
    pub fn lambda(
        &mut self,
        cx: &mut Cx,
        params: &[ast::Name],
        types: &[Type],
        body: &ast::Expr,
        result: impl FnOnce(&mut Self, &mut Cx, &ast::Expr) -> Expr,
        span: Span,
    ) -> (Expr, Type) {
        let depth = cx.locals.len();
        let locals = params.iter().zip(types).map(|(name, ty)| self.bind(cx, name, ty.clone(), None)).collect();
        let body = result(self, cx, body);
        self.unbind(cx, depth);
        let ty = body.ty.clone();
        let function = Type::Function(Arc::new(imm_ir::FunctionType { params: types.to_vec(), result: ty.clone() }));
        (Expr { kind: ExprKind::Lambda { params: locals, body: Box::new(body) }, ty: function, span }, ty)
    }
}

/// A known value.
pub(super) fn value(value: Value, ty: Type, span: Span) -> Expr {
    Expr { kind: ExprKind::Value(value), ty, span }
}

/// A quantity and its type.
pub(super) fn quantity_value(quantity: ast::Quantity) -> (Value, Type) {
    match quantity.unit {
        Unit::Duration => (Value::Duration(quantity.amount), Type::Duration),
        Unit::Bytes => (Value::Bytes(quantity.amount), Type::Bytes),
        Unit::Ratio => (Value::Ratio(quantity.amount), Type::Ratio),
        Unit::Cpu => (Value::Cpu(quantity.amount), Type::Cpu),
    }
}

fn fills_hole(ty: &Type) -> bool {
    match unrefined(ty) {
        Type::String | Type::Int | Type::Bool | Type::Error => true,
        Type::Variant(variant) => variant.variants.iter().all(|case| case.payload.fields.is_empty()),
        _other => false,
    }
}
