//! Calls: functions of modules, builtin functions, methods by the signatures of [`imm_ir::builtin`].

use super::arguments::Bindings;
use super::checker::{Checker, Cx};
use super::facts::{KnownCall, Symbol};
use crate::diagnose::mismatch::{self, Place};
use crate::diagnose::names;
use crate::hir::{Expr, ExprKind, FnId, Function};
use crate::resolve::Def;
use crate::resolve::cycles::Vertex;
use crate::types::{Taint, peel, scan};
use imm_ir::builtin::{self, Signature};
use imm_ir::{Diagnostic, Span, Type, code};
use imm_syntax::ast;

impl Checker<'_> {
    /// `f(a)`, `some(a)`.
    pub fn call(
        &mut self,
        cx: &mut Cx,
        ty: Option<&ast::Name>,
        name: &ast::Name,
        args: &[ast::Expr],
        want: Option<&Type>,
        span: Span,
    ) -> Expr {
        if let Some(ty) = ty {
            let text = format!("`{ty}.{name}` is not a function");
            let help = format!("a variant's payload is written in braces: `{ty}.{name} {{ … }}`");
            self.report(Diagnostic::error(code::UNKNOWN_NAME, span, text).label("cannot be called").help(help));
            return self.broken_args(cx, args, span);
        }
        let word = name.as_str();
        self.value_at_cursor(cx, word, want);
        let local = cx.locals.iter().any(|local| &*local.name == word);
        match self.program.value(cx.scope, word).filter(|_| !local) {
            Some((Def::Fn(id), _)) => return self.call_fn(cx, id, args, name, span),
            Some((Def::Broken, _)) => return self.broken_args(cx, args, span),
            Some(_) | None => {}
        }
        let module = self.program.module_of(cx.scope);
        if let Some(signature) = self.native(module, word).filter(|_| !local) {
            return self.native_call(cx, signature, name, args, span);
        }
        match word {
            "some" => self.some(cx, name, args, want, span),
            "template" => self.template(cx, name, args, span),
            "file" => self.content(cx, name, Function::File, args, span),
            "tree" => self.content(cx, name, Function::Tree, args, span),
            "executable" => self.content(cx, name, Function::Executable, args, span),
            // What stands in a place that is itself a mistake.
            _other if want == Some(&Type::Error) => self.broken_args(cx, args, span),
            _other => {
                if local || self.program.value(cx.scope, word).is_some() {
                    let text = format!("`{word}` is not a function");
                    self.report(Diagnostic::error(code::TYPE_MISMATCH, name.span, text).label("cannot be called"));
                } else {
                    let mut known: Vec<&str> = self.program.value_names(cx.scope);
                    let program = &self.program;
                    known.retain(|n| matches!(program.value(cx.scope, n), Some((Def::Fn(_), _))));
                    known.extend(builtin::CONTENT_FUNCTIONS);
                    known.push("some");
                    let mut diagnostic = names::unknown(code::UNKNOWN_NAME, "function", word, name.span, known);
                    let texts: Vec<&str> = args.iter().map(|arg| self.text(arg.span)).collect();
                    if let Some(help) = crate::diagnose::habits::function(word, &texts) {
                        diagnostic = diagnostic.help(help);
                    } else if let Some(Type::Variant(variant)) = want.map(mismatch::bare)
                        && variant.case(word).is_some()
                    {
                        let ty = &variant.name;
                        diagnostic =
                            diagnostic.help(format!("`{word}` is a variant of `{ty}`: write `{word} {{ … }}`"));
                    } else if builtin::methods().iter().any(|m| m.name == word) {
                        let receiver = args.first().map_or("x", |arg| self.text(arg.span));
                        diagnostic = diagnostic.help(format!("`{word}` is a method: write `{receiver}.{word}(…)`"));
                    }
                    self.report(diagnostic);
                }
                self.broken_args(cx, args, span)
            }
        }
    }

    pub(super) fn broken_args(&mut self, cx: &mut Cx, args: &[ast::Expr], span: Span) -> Expr {
        for arg in args {
            self.expr(cx, arg, Some(&Type::Error));
        }
        Expr::error(span)
    }

    pub(super) fn count(&mut self, name: &ast::Name, shown: &str, low: usize, high: usize, given: usize) -> bool {
        if (low..=high).contains(&given) {
            return true;
        }
        let wanted = if low == high { format!("{low}") } else { format!("{low} to {high}") };
        let plural = if high == 1 { "" } else { "s" };
        let text = format!("`{name}` takes {wanted} argument{plural}, not {given}");
        self.report(Diagnostic::error(code::TYPE_MISMATCH, name.span, text).label(shown.to_owned()));
        false
    }

    fn some(&mut self, cx: &mut Cx, name: &ast::Name, args: &[ast::Expr], want: Option<&Type>, span: Span) -> Expr {
        if !self.count(name, "some(value)", 1, 1, args.len()) {
            return self.broken_args(cx, args, span);
        }
        let inner = want.map(|ty| match peel(ty).0 {
            Type::Option(inner) => (*inner).clone(),
            other => other,
        });
        let args: Vec<Expr> = args.iter().map(|arg| self.expr(cx, arg, inner.as_ref())).collect();
        let Some(ty) = args.first().map(|arg| arg.ty.clone()) else { return Expr::error(span) };
        if ty == Type::Error {
            return Expr::error(span);
        }
        Expr { kind: ExprKind::Call { function: Function::Some, args }, ty: Type::option(ty), span }
    }

    pub(super) fn call_fn(&mut self, cx: &mut Cx, id: FnId, args: &[ast::Expr], name: &ast::Name, span: Span) -> Expr {
        self.mark(Def::Fn(id));
        let outside = self.program.fns.get(id.index()).is_some_and(|d| d.scope != cx.scope);
        self.depend(cx, Vertex::Fn(id), span, outside);
        let (params, result) = self.fn_type(id);
        let program = &self.program;
        let names = program.fns.get(id.index()).map_or(&[][..], |decl| &decl.ast.params);
        let named = names.iter().zip(&params).map(|(param, ty)| format!("{}: {ty}", param.name)).collect();
        self.saw_call(|| known_call(name, named, result.to_string(), Symbol::Fn(id)));
        let both = names.iter().zip(&params).map(|(param, ty)| format!("{}: {ty}", param.name));
        let shown = format!("{name}({})", both.collect::<Vec<_>>().join(", "));
        if !self.count(name, &shown, params.len(), params.len(), args.len()) {
            return self.broken_args(cx, args, span);
        }
        let mut late = false;
        let args = args.iter().zip(&params);
        let typed = args
            .map(|(arg, ty)| {
                // Bodies are checked once: what is late goes in as if it were known, and the result is late.
                let typed = self.expr(cx, arg, Some(ty));
                if scan(&typed.ty).late && crate::types::fits(&typed.ty, ty).is_err() {
                    late = true;
                    return self.coerce(typed, &Type::late(ty.clone()), Place::Value);
                }
                self.coerce(typed, ty, Place::Value)
            })
            .collect();
        let ty = if late { Type::late(result) } else { result };
        Expr { kind: ExprKind::CallFn { function: id, args: typed }, ty, span }
    }

    /// The function of a standard module that is not written in imm.
    pub fn native(&self, module: usize, name: &str) -> Option<&'static Signature> {
        let standard = self.modules.get(module)?.standard.as_ref()?;
        builtin::function(&format!("{standard}.{name}"))
    }

    /// The functions that a module has for others.
    pub(super) fn functions_of(&self, module: usize) -> Vec<&str> {
        let program = &self.program;
        let values = program.scopes.get(module).into_iter().flat_map(|scope| scope.values.iter());
        let public = |id: FnId| program.fns.get(id.index()).is_some_and(|decl| decl.item.public.is_some());
        let mut known: Vec<&str> =
            values.filter(|(_, (def, _))| matches!(def, Def::Fn(id) if public(*id))).map(|(name, _)| name).collect();
        if let Some(standard) = self.modules.get(module).and_then(|m| m.standard.as_deref()) {
            known.extend(builtin::functions_of(standard).map(|(name, _)| name));
        }
        known
    }

    pub(super) fn native_call(
        &mut self,
        cx: &mut Cx,
        signature: &'static Signature,
        name: &ast::Name,
        args: &[ast::Expr],
        span: Span,
    ) -> Expr {
        let bound = Bindings { vars: vec![None; signature.bounds.len()], taint: Taint::default() };
        let Some((args, mut ty)) = self.arguments(cx, signature, args, name, bound) else { return Expr::error(span) };
        if signature.name == "secret.fingerprint" {
            // The one function that takes a secret and gives something public.
            let (plain, marks) = peel(&ty);
            ty = Taint { secret: false, ..marks }.on(plain);
        }
        Expr { kind: ExprKind::Call { function: Function::Module(signature.builtin), args }, ty, span }
    }
}

pub(super) fn known_call(name: &ast::Name, params: Vec<String>, result: String, symbol: Symbol) -> KnownCall {
    KnownCall { name: name.span, params, result, symbol }
}
