//! Calls: functions of modules, builtin functions, methods by the signatures of [`imm_ir::builtin`].

use super::access::Alias;
use super::checker::{Checker, Cx};
use super::facts::{Cursor, KnownCall, Symbol};
use crate::diagnose::mismatch::{self, Place};
use crate::diagnose::{blocks, names};
use crate::doc::shown_shape;
use crate::hir::{Expr, ExprKind, FnId, Function};
use crate::resolve::Def;
use crate::resolve::cycles::Vertex;
use crate::types::{Taint, join, peel, scan, strip_all, unrefined};
use imm_ir::builtin::{self, Bound, Shape, Signature};
use imm_ir::{Diagnostic, FieldType, RecordType, Span, Type, code};
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

/// What type variables stand for while a call is checked, and the marks of what was looked into.
#[derive(Default)]
struct Bindings {
    vars: Vec<Option<Type>>,
    taint: Taint,
}

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

    fn broken_args(&mut self, cx: &mut Cx, args: &[ast::Expr], span: Span) -> Expr {
        for arg in args {
            self.expr(cx, arg, Some(&Type::Error));
        }
        Expr::error(span)
    }

    fn count(&mut self, name: &ast::Name, shown: &str, low: usize, high: usize, given: usize) -> bool {
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

    fn content(&mut self, cx: &mut Cx, name: &ast::Name, function: Function, args: &[ast::Expr], span: Span) -> Expr {
        let (shown, most) = match function {
            Function::Tree => ("tree(folder) or tree(folder, [what to leave out])", 2),
            Function::Executable | Function::ExecutableSelf => ("executable(self) or executable(path)", 1),
            Function::File | Function::Template | Function::Some | Function::Module(_) => ("file(path)", 1),
        };
        self.saw_call(|| {
            let params: &[&str] = match function {
                Function::Tree => &["folder: String", "ignore: [String]"],
                Function::Executable | Function::ExecutableSelf => &["program: self | String"],
                Function::File | Function::Template | Function::Some | Function::Module(_) => &["path: String"],
            };
            let params = params.iter().map(|param| (*param).to_owned()).collect();
            known_call(name, params, "Content".to_owned(), Symbol::Content(shown))
        });
        if !self.count(name, shown, 1, most, args.len()) {
            return self.broken_args(cx, args, span);
        }
        if let (Function::Executable, [only]) = (function, args)
            && matches!(&only.kind, ast::ExprKind::Name(word) if word.as_str() == "self")
            && !cx.locals.iter().any(|local| &*local.name == "self")
        {
            let kind = ExprKind::Call { function: Function::ExecutableSelf, args: Vec::new() };
            return Expr { kind, ty: Type::Content, span };
        }
        let types = [Type::String, Type::list(Type::String)];
        let check = |(arg, ty)| self.check(cx, arg, ty, Place::Value);
        let args = args.iter().zip(&types).map(check).collect();
        Expr { kind: ExprKind::Call { function, args }, ty: Type::Content, span }
    }

    fn template(&mut self, cx: &mut Cx, name: &ast::Name, args: &[ast::Expr], span: Span) -> Expr {
        self.saw_call(|| {
            let params = vec!["path: String".to_owned(), "variables: { … }".to_owned()];
            known_call(name, params, "String".to_owned(), Symbol::Content("template(path, { variables })"))
        });
        if !self.count(name, "template(path, { variables })", 2, 2, args.len()) {
            return self.broken_args(cx, args, span);
        }
        let [path, record] = args else { return self.broken_args(cx, args, span) };
        let path = self.check(cx, path, &Type::String, Place::Value);
        let empty = Type::Record(Arc::default());
        let is_empty = matches!(&record.unparenthesized().kind, ast::ExprKind::Block(block)
            if matches!(&block.body, ast::BlockBody::Entries(entries) if entries.is_empty()));
        let record = self.expr(cx, record, is_empty.then_some(&empty));
        let taint = scan(&record.ty);
        match strip_all(&record.ty) {
            Type::Error => {}
            Type::Record(fields) => self.template_fields(&fields, &record),
            other => {
                let text = format!("the variables of a template are a record, and this is `{other}`");
                let diagnostic = Diagnostic::error(code::TYPE_MISMATCH, record.span, text).label("not a record");
                self.report(diagnostic.help("write `{ name, other = value }`"));
            }
        }
        let kind = ExprKind::Call { function: Function::Template, args: vec![path, record] };
        Expr { kind, ty: taint.on(Type::String), span }
    }

    fn template_fields(&mut self, record: &RecordType, expr: &Expr) {
        for field in &record.fields {
            let span = match &expr.kind {
                ExprKind::Record(fields) => fields.iter().find(|(n, _)| *n == field.name).map(|(_, v)| v.span),
                _other => None,
            };
            let span = span.unwrap_or(expr.span);
            match unrefined(&field.ty) {
                Type::String | Type::Int | Type::Bool | Type::Error => {}
                Type::Variant(v) if v.variants.iter().all(|case| case.payload.fields.is_empty()) => {}
                Type::Record(inner) => self.template_fields(inner, expr),
                other => {
                    let source = self.text(span);
                    self.report(mismatch::hole(other, span, source));
                }
            }
        }
    }

    fn call_fn(&mut self, cx: &mut Cx, id: FnId, args: &[ast::Expr], name: &ast::Name, span: Span) -> Expr {
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
            Type::Handle(kind) => self.schemas.get(kind).is_some_and(|s| s.output(word).is_some()),
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

    /// The function of a standard module that is not written in imm.
    pub fn native(&self, module: usize, name: &str) -> Option<&'static Signature> {
        let standard = self.modules.get(module)?.standard.as_ref()?;
        builtin::function(&format!("{standard}.{name}"))
    }

    /// The functions that a module has for others.
    fn functions_of(&self, module: usize) -> Vec<&str> {
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

    fn native_call(
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

    fn arguments(
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
    fn learn(&mut self, shape: &Shape, ty: &Type, signature: &Signature, bound: &mut Bindings) {
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

fn known_call(name: &ast::Name, params: Vec<String>, result: String, symbol: Symbol) -> KnownCall {
    KnownCall { name: name.span, params, result, symbol }
}
