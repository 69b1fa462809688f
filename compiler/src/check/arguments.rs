//! Arguments of builtin functions and methods: which types they must have, and what the result is of.

use super::calls::known_call;
use super::checker::{Checker, Cx};
use super::facts::Symbol;
use crate::diagnose::mismatch::Place;
use crate::doc::shown_shape;
use crate::hir::{Expr, ExprKind};
use crate::types::{Taint, join, peel, scan, strip_all, unrefined};
use imm_ir::builtin::{Bound, Shape, Signature};
use imm_ir::{Diagnostic, FieldType, RecordType, Type, code};
use imm_syntax::ast;
use std::sync::Arc;

/// What type variables stand for while a call is checked, and the marks of what was looked into.
#[derive(Default)]
pub(super) struct Bindings {
    pub vars: Vec<Option<Type>>,
    pub taint: Taint,
}

impl Checker<'_> {
    pub(super) fn arguments(
        &mut self,
        cx: &mut Cx,
        signature: &'static Signature,
        args: &[ast::Expr],
        name: &ast::Name,
        mut bound: Bindings,
    ) -> Option<(Vec<Expr>, Type)> {
        let shown = signature.params.iter().map(|p| p.name).collect::<Vec<_>>().join(", ");
        self.saw_call(|| {
            let params = signature.params.iter().map(|p| format!("{}: {}", p.name, shown_shape(&p.shape))).collect();
            let symbol = if signature.receiver.is_some() { Symbol::Method } else { Symbol::Function };
            known_call(name, params, shown_shape(&signature.result), symbol(signature))
        });
        let shown = format!("{name}({shown})");
        if !self.count(name, &shown, signature.params.len(), signature.params.len(), args.len()) {
            self.broken_args(cx, args, name.span);
            return None;
        }
        let mut typed = Vec::new();
        let mut broken = false;
        for (param, arg) in signature.params.iter().zip(args) {
            let arg = match &param.shape {
                Shape::Function(params, result) => self.callback(cx, signature, params, result, arg, &mut bound),
                shape => {
                    let want = expected(shape, &bound);
                    let arg = self.expr(cx, arg, want.as_ref());
                    self.argument(shape, arg, signature, &mut bound)
                }
            };
            broken |= matches!(arg.kind, ExprKind::Error);
            typed.push(arg);
        }
        if broken {
            return None;
        }
        let ty = resolved(&signature.result, &bound);
        Some((typed, bound.taint.on(ty)))
    }

    /// An argument that is not a lambda.
    fn argument(&mut self, shape: &Shape, arg: Expr, signature: &Signature, bound: &mut Bindings) -> Expr {
        if arg.ty == Type::Error {
            return arg;
        }
        match shape {
            Shape::Var(n) => {
                let known = bound.vars.get(*n).cloned().flatten();
                let bound_of = signature.bounds.get(*n).copied().unwrap_or(Bound::Any);
                if let Some(known) = known {
                    let (_, marks) = peel(&arg.ty);
                    let plain = strip_if(bound_of != Bound::Any, &arg.ty);
                    match join(&known, &plain) {
                        Some(both) if bound_of == Bound::Any => set(bound, *n, both),
                        Some(_) => bound.taint = bound.taint.and(marks),
                        None => return self.coerce(arg, &known, Place::Value),
                    }
                    return arg;
                }
                if !bound_of.allows(&arg.ty) {
                    let text = format!("`{}` does not take `{}`", signature.name, arg.ty);
                    self.report(Diagnostic::error(code::TYPE_MISMATCH, arg.span, text).label("not of a type it takes"));
                    return Expr::error(arg.span);
                }
                self.learn(shape, &arg.ty, signature, bound);
                arg
            }
            shape => {
                let (plain, marks) = peel(&arg.ty);
                if let (Shape::List(_), Type::Range) = (shape, unrefined(&plain)) {
                    self.learn(shape, &Type::Range, signature, bound);
                    bound.taint = bound.taint.and(marks);
                    return arg;
                }
                let fresh = |shape: &Shape, bound: &Bindings| match (shape, unrefined(&plain)) {
                    (Shape::List(inner), Type::List(_)) if unset(inner, bound) => Some(plain.clone()),
                    (Shape::Map(inner), Type::Map(_)) if unset(inner, bound) => Some(plain.clone()),
                    _other => None,
                };
                let target = fresh(shape, bound).unwrap_or_else(|| resolved(shape, bound));
                // What a method looks into is looked into at any depth.
                let deep = scan(&arg.ty);
                let target = if deep == Taint::default() || scan(&target) == deep {
                    target
                } else {
                    marked(&arg.ty, &target, deep)
                };
                bound.taint = bound.taint.and(if matches!(shape, Shape::Is(_)) { deep } else { marks });
                let arg = self.coerce(arg, &target, Place::Value);
                self.learn(shape, &plain, signature, bound);
                arg
            }
        }
    }

    fn callback(
        &mut self,
        cx: &mut Cx,
        signature: &Signature,
        params: &[Shape],
        result: &Shape,
        arg: &ast::Expr,
        bound: &mut Bindings,
    ) -> Expr {
        let ast::ExprKind::Lambda { params: names, body } = &arg.unparenthesized().kind else {
            let typed = self.expr(cx, arg, Some(&Type::Error));
            if !matches!(typed.kind, ExprKind::Error) {
                let text = format!("`{}` takes a function here", signature.name);
                let diagnostic = Diagnostic::error(code::TYPE_MISMATCH, arg.span, text).label("not a function");
                self.report(diagnostic.help("write `x => …`"));
            }
            return Expr::error(arg.span);
        };
        // A map's `map` and `filter` take the value alone, too.
        let map = matches!(signature.receiver, Some(Shape::Map(_)));
        let shapes: &[Shape] = match params {
            [_, value] if map && names.len() == 1 => std::slice::from_ref(value),
            all => all,
        };
        if shapes.len() != names.len() {
            let values = if params.len() == 1 { "value" } else { "values" };
            let text = format!("this function gets {} {values}, not {}", params.len(), names.len());
            self.report(Diagnostic::error(code::TYPE_MISMATCH, arg.span, text).label("wrong number of parameters"));
            return Expr::error(arg.span);
        }
        let types: Vec<Type> = shapes.iter().map(|shape| resolved(shape, bound)).collect();
        let want = expected(result, bound);
        let (lambda, ty) =
            self.lambda(cx, names, &types, body, |checker, cx, body| checker.expr(cx, body, want.as_ref()), arg.span);
        if ty == Type::Error {
            return Expr::error(arg.span);
        }
        let ExprKind::Lambda { params, body } = lambda.kind else { return Expr::error(arg.span) };
        let body = self.argument(result, *body, signature, bound);
        if matches!(body.kind, ExprKind::Error) {
            return Expr::error(arg.span);
        }
        Expr { kind: ExprKind::Lambda { params, body: Box::new(body) }, ty: lambda.ty, span: arg.span }
    }

    /// What a type tells about the variables of a shape.
    pub(super) fn learn(&mut self, shape: &Shape, ty: &Type, signature: &Signature, bound: &mut Bindings) {
        match (shape, ty) {
            (Shape::Var(n), ty) => {
                let looks = signature.bounds.get(*n).copied().unwrap_or(Bound::Any) != Bound::Any;
                if looks {
                    bound.taint = bound.taint.and(scan(ty));
                }
                if bound.vars.get(*n).is_some_and(Option::is_none) {
                    let ty = strip_if(looks, ty);
                    set(bound, *n, if looks { unrefined(&ty).clone() } else { ty });
                }
            }
            (Shape::List(inner), Type::Range) => self.learn(inner, &Type::Int, signature, bound),
            (Shape::List(inner), Type::List(item)) | (Shape::Map(inner), Type::Map(item)) => {
                let item = if matches!(**inner, Shape::Var(_)) {
                    (**item).clone()
                } else {
                    let (plain, marks) = peel(item);
                    bound.taint = bound.taint.and(marks);
                    unrefined(&plain).clone()
                };
                self.learn(inner, &item, signature, bound);
            }
            (Shape::Option(inner), Type::Option(item)) => self.learn(inner, item, signature, bound),
            (
                Shape::List(_)
                | Shape::Map(_)
                | Shape::Option(_)
                | Shape::Record(_)
                | Shape::Function(..)
                | Shape::Is(_),
                ty,
            ) => {
                bound.taint = bound.taint.and(peel(ty).1);
            }
        }
    }
}

fn set(bound: &mut Bindings, n: usize, ty: Type) {
    if let Some(var) = bound.vars.get_mut(n) {
        *var = Some(ty);
    }
}

fn unset(shape: &Shape, bound: &Bindings) -> bool {
    matches!(shape, Shape::Var(n) if bound.vars.get(*n).is_none_or(Option::is_none))
}

fn strip_if(strip: bool, ty: &Type) -> Type {
    if strip { strip_all(ty) } else { ty.clone() }
}

/// `target` with the marks that `found` has, so that only the shape is compared.
fn marked(found: &Type, target: &Type, deep: Taint) -> Type {
    match (peel(found), target) {
        ((Type::List(_), own), Type::List(item)) => own.on(Type::list(deep.on((**item).clone()))),
        ((Type::Map(_), own), Type::Map(item)) => own.on(Type::map(deep.on((**item).clone()))),
        (_, target) => deep.on(target.clone()),
    }
}

/// The type that a shape stands for; unknown variables fit everything.
fn resolved(shape: &Shape, bound: &Bindings) -> Type {
    match shape {
        Shape::Is(ty) => ty.clone(),
        Shape::Var(n) => bound.vars.get(*n).cloned().flatten().unwrap_or(Type::Never),
        Shape::List(inner) => Type::list(resolved(inner, bound)),
        Shape::Map(inner) => Type::map(resolved(inner, bound)),
        Shape::Option(inner) => Type::option(resolved(inner, bound)),
        Shape::Record(fields) => {
            let field = |(name, shape): &(&str, Shape)| FieldType {
                name: Arc::from(*name),
                ty: resolved(shape, bound),
                default: None,
            };
            Type::Record(Arc::new(RecordType { fields: fields.iter().map(field).collect() }))
        }
        Shape::Function(params, result) => Type::Function(Arc::new(imm_ir::FunctionType {
            params: params.iter().map(|p| resolved(p, bound)).collect(),
            result: resolved(result, bound),
        })),
    }
}

/// What a shape says about a literal, if it says anything.
fn expected(shape: &Shape, bound: &Bindings) -> Option<Type> {
    match shape {
        Shape::Var(_) if unset(shape, bound) => None,
        Shape::List(inner) | Shape::Map(inner) | Shape::Option(inner) if unset(inner, bound) => None,
        shape => Some(resolved(shape, bound)),
    }
}
