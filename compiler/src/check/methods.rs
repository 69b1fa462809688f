//! Methods of builtin types, and functions behind an import alias.

use super::access::Alias;
use super::arguments::Bindings;
use super::checker::{Checker, Cx};
use super::facts::Cursor;
use crate::diagnose::{blocks, names};
use crate::hir::{Expr, ExprKind};
use crate::resolve::Def;
use crate::types::{Taint, peel, unrefined};
use imm_ir::{Span, Type, builtin, code};
use imm_syntax::ast;
use std::sync::Arc;

/// The methods that a type has.
pub(super) fn method_names(ty: &Type) -> Vec<&'static str> {
    let mut names: Vec<&str> =
        builtin::methods().iter().map(|m| m.name).filter(|name| builtin::method(ty, name).is_some()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Checker<'_> {
    /// `base.name(args)`
    pub fn method(
        &mut self,
        cx: &mut Cx,
        base: &ast::Expr,
        name: &ast::Name,
        args: &[ast::Expr],
        optional: bool,
        span: Span,
    ) -> Expr {
        match self.alias(cx, base) {
            Some(Alias::Missing) => return self.broken_args(cx, args, span),
            Some(Alias::Module(module)) => {
                self.at_cursor(name.as_str(), || Cursor::Module { module, kinds: false });
                let def = self.program.scopes.get(module).and_then(|s| s.values.get(name.as_str())).copied();
                if let Some((Def::Fn(id), declared)) = def {
                    let public = self.program.fns.get(id.index()).is_some_and(|d| d.item.public.is_some());
                    self.public_only(cx.scope, module, public, name.as_str(), name.span, declared);
                    return self.call_fn(cx, id, args, name, span);
                }
                if let Some(signature) = self.native(module, name.as_str()) {
                    return self.native_call(cx, signature, name, args, span);
                }
                let known = self.functions_of(module);
                self.report(names::unknown(
                    code::UNKNOWN_NAME,
                    "function in the imported module called",
                    name.as_str(),
                    name.span,
                    known,
                ));
                return self.broken_args(cx, args, span);
            }
            None => {}
        }
        let receiver = self.expr(cx, base, None);
        let (outer, taint) = peel(&receiver.ty);
        let core = unrefined(&outer).clone();
        if core == Type::Error {
            return self.broken_args(cx, args, span);
        }
        let (core, own, absent) = match (&core, optional) {
            (Type::Option(inner), true) => {
                let (inner, own) = peel(inner);
                (unrefined(&inner).clone(), own, true)
            }
            (_, true) => {
                self.always_there(&receiver, name);
                (core, Taint::default(), false)
            }
            (_, false) => (core, Taint::default(), false),
        };
        self.at_cursor(name.as_str(), || Cursor::Member { of: core.clone(), tested: cx.tested });
        let Some(signature) = builtin::method(&core, name.as_str()) else {
            self.no_method(&core, &receiver, name);
            return self.broken_args(cx, args, span);
        };
        let mut bound = Bindings { vars: vec![None; signature.bounds.len()], taint: own };
        if let Some(shape) = &signature.receiver {
            self.learn(shape, &core, signature, &mut bound);
        }
        let Some((args, ty)) = self.arguments(cx, signature, args, name, bound) else { return Expr::error(span) };
        let ty = if absent { Type::option(ty) } else { ty };
        let name = Arc::from(signature.builtin);
        let kind = ExprKind::Method { receiver: Box::new(receiver), name, args: args.into(), optional: absent };
        Expr { kind, ty: taint.on(ty), span }
    }

    fn no_method(&mut self, core: &Type, receiver: &Expr, name: &ast::Name) {
        let word = name.as_str();
        let source = self.text(receiver.span);
        let known = method_names(core);
        let mut diagnostic = blocks::unknown_member(&format!("`{core}`"), "method", word, name.span, &known);
        if let Type::Option(inner) = core
            && builtin::method(&peel(inner).0, word).is_some()
        {
            diagnostic.helps = vec![format!("it may be `none`: write `{source}?.{word}(…)`")];
        } else if let Some(help) = crate::diagnose::habits::method(word, source) {
            diagnostic = diagnostic.label("unknown");
            diagnostic.fixes.clear();
            diagnostic.helps = vec![help];
        }
        let is_field = match core {
            Type::Record(record) => record.field(word).is_some(),
            Type::Handle(kind) => self.schema(kind).is_some_and(|s| s.output(word).is_some()),
            _other => false,
        };
        // What people try first.
        diagnostic = match (core, word) {
            (Type::List(_) | Type::Range, "contains" | "includes" | "has") => {
                diagnostic.help(format!("write `value in {source}`"))
            }
            (Type::Map(_), "contains" | "has" | "contains_key") => {
                diagnostic.help(format!("write `\"key\" in {source}`"))
            }
            (Type::Record(_), _) if builtin::method(&Type::map(Type::Int), word).is_some() => diagnostic
                .help("this is a record: its fields are fixed, and keys without quotes make one")
                .help("for a map write its type, for example `let m: Map[Int] = { … }`"),
            _rare => diagnostic,
        };
        if is_field {
            diagnostic = diagnostic.help(format!("`{word}` is not called: write `{source}.{word}`"));
        }
        self.report(diagnostic);
    }
}
