//! `a.b`, `a?.b`, `a[i]`, and members of imported modules.

use super::checker::{Checker, Cx};
use super::facts::{Cursor, Symbol};
use crate::diagnose::{article, blocks as say, names};
use crate::hir::{Access, Expr, ExprKind};
use crate::resolve::{Def, Import, TypeDef};
use crate::types::{Taint, peel, unrefined};
use imm_ir::{Applicability, Diagnostic, OutputFrom, Span, Type, code};
use imm_syntax::ast;
use std::sync::Arc;

/// What a name before a dot stands for when it is an import alias.
#[derive(Clone, Copy)]
pub(super) enum Alias {
    /// A module of the program: the index of its scope.
    Module(usize),
    /// Missing and reported.
    Missing,
}

impl Checker<'_> {
    /// The import that an expression names, if it is nothing but an alias.
    pub fn alias(&mut self, cx: &Cx, base: &ast::Expr) -> Option<Alias> {
        let ast::ExprKind::Name(name) = &base.kind else { return None };
        if cx.locals.iter().any(|local| &*local.name == name.as_str()) {
            return None;
        }
        let (def @ Def::Import(index), _) = self.program.value(cx.scope, name.as_str())? else { return None };
        self.mark(def);
        self.saw(name.span, || Some(Symbol::Import(index)));
        Some(match self.program.imports.get(index) {
            Some(Import::Module(module)) => Alias::Module(*module),
            Some(Import::Missing) | None => Alias::Missing,
        })
    }

    /// `base.name`
    pub fn field(&mut self, cx: &mut Cx, base: &ast::Expr, name: &ast::Name, optional: bool, span: Span) -> Expr {
        if let Some(alias) = self.alias(cx, base) {
            return self.member(cx, alias, name, span);
        }
        if let Some(ty) = self.imported_type(cx, base) {
            return self.variant_of_type(cx, &ty, name, None, span);
        }
        if self.by_scope(cx, base, name) {
            return self.name(cx, name, None);
        }
        let base = self.expr(cx, base, None);
        let (outer, taint) = peel(&base.ty);
        let (inner, absent) = match (unrefined(&outer), optional) {
            (Type::Option(inner), true) => ((**inner).clone(), true),
            (Type::Option(inner), false) if **inner != Type::Never => {
                let source = self.text(base.span);
                let text = format!("`{source}` may be `none`");
                self.report(
                    Diagnostic::error(code::TYPE_MISMATCH, span, text)
                        .label(format!("`{source}` is `{}`", base.ty))
                        .help(format!("write `{source}?.{name}`, which is `none` when `{source}` is")),
                );
                return Expr::error(span);
            }
            (_, true) if outer != Type::Error => {
                self.always_there(&base, name);
                (outer.clone(), false)
            }
            _other => (outer.clone(), false),
        };
        let (inner, own) = peel(&inner);
        self.at_cursor(name.as_str(), || Cursor::Member { of: inner.clone(), tested: cx.tested });
        let inside = if cx.tested { self.inner_node(&inner, name) } else { None };
        let Some((ty, access)) = inside.or_else(|| self.member_type(&inner, name, &base)) else {
            return Expr::error(span);
        };
        let ty = if absent { taint.on(Type::option(own.on(ty))) } else { taint.and(own).on(ty) };
        let name = Arc::from(name.as_str());
        Expr { kind: ExprKind::Field { base: Arc::new(base), name, access, optional: absent }, ty, span }
    }

    /// `var.region`, `local.size`: what other tools put before the name of a param or `let`. Reported here.
    fn by_scope(&mut self, cx: &Cx, base: &ast::Expr, name: &ast::Name) -> bool {
        let ast::ExprKind::Name(scope) = &base.kind else { return false };
        let word = scope.as_str();
        let foreign = matches!(word, "var" | "local" | "param" | "params" | "input" | "inputs");
        let bound = |word: &str| self.program.value(cx.scope, word).is_some();
        if !foreign || bound(word) || cx.locals.iter().any(|local| &*local.name == word) || !bound(name.as_str()) {
            return false;
        }
        let span = base.span.to(name.span);
        let title = format!("write `{name}`");
        self.report(
            Diagnostic::error(code::UNKNOWN_NAME, span, format!("`{word}.{name}` is written `{name}`"))
                .label("params and lets are used by their names alone")
                .fix(title, Applicability::Safe, span, name.as_str()),
        );
        true
    }

    /// `?.` on something that is never absent.
    pub fn always_there(&mut self, base: &Expr, name: &ast::Name) {
        let source = self.text(base.span);
        self.report(
            Diagnostic::error(code::TYPE_MISMATCH, base.span, format!("`{source}` is never `none`"))
                .label(format!("this is `{}`", base.ty))
                .help(format!("write `{source}.{name}`")),
        );
    }

    fn member_type(&mut self, base: &Type, name: &ast::Name, expr: &Expr) -> Option<(Type, Access)> {
        let word = name.as_str();
        match unrefined(base) {
            Type::Record(record) => match record.field(word) {
                Some(field) => {
                    self.saw(name.span, || Some(Symbol::Field(Arc::clone(&field.name), field.ty.clone())));
                    Some((field.ty.clone(), Access::Record))
                }
                None => {
                    let known: Vec<&str> = record.fields.iter().map(|f| &*f.name).collect();
                    self.report(say::unknown_member(&format!("`{base}`"), "field", word, name.span, &known));
                    None
                }
            },
            Type::Handle(kind) => {
                let schema = self.schema(kind)?;
                let Some(output) = schema.output(word) else {
                    let known: Vec<&str> = schema.outputs.iter().map(|o| &*o.name).collect();
                    let mut diagnostic =
                        say::unknown_member(&format!("{} {kind}", article(kind)), "output", word, name.span, &known);
                    let member = schema.expands.as_ref().filter(|expansion| {
                        self.schema(&expansion.kind).is_some_and(|member| member.output(word).is_some())
                    });
                    if let Some(expansion) = member {
                        let source = self.text(expr.span);
                        let help =
                            format!("each of its members has one: `{source}.{}[\"0\"].{word}`", expansion.member);
                        diagnostic.helps = vec![help];
                    } else if word == "url" {
                        diagnostic = diagnostic.help("a `url` is what the route in front of it has");
                    }
                    if schema.field(word).is_some() {
                        diagnostic =
                            diagnostic.note(format!("`{word}` is an input of {kind}; inputs cannot be read back"));
                    }
                    self.report(diagnostic);
                    return None;
                };
                if !self.outputs_read.contains(&output.name) {
                    self.outputs_read.insert(Arc::clone(&output.name));
                }
                let members = output.from == OutputFrom::Members;
                let ty = output.ty.clone();
                self.saw(name.span, || Some(Symbol::KindOutput(Arc::clone(kind), Arc::from(word))));
                Some((ty, if members { Access::Members } else { Access::Output }))
            }
            Type::Component(component) => {
                let ty = self.component_output(component, name)?;
                Some((ty, Access::Component))
            }
            Type::Error | Type::Never => None,
            Type::Map(item) => {
                let source = self.text(expr.span).to_owned();
                let text = format!("`{source}` is a map, and its entries are not fields");
                let diagnostic =
                    Diagnostic::error(code::UNKNOWN_FIELD, name.span, text).label(format!("this is `{base}`"));
                let node = matches!(**item, Type::Handle(_) | Type::Component(_));
                let help = if node {
                    format!("there are many: write `{source}[\"key\"].{word}`")
                } else {
                    format!("write `{source}[\"{word}\"]`, or `{source}.get(\"{word}\")` when it may be absent")
                };
                self.report(diagnostic.help(help));
                None
            }
            other => {
                let other = other.clone();
                let methods: Vec<&str> = super::methods::method_names(&other);
                let mut diagnostic = say::unknown_member(&format!("`{other}`"), "field", word, name.span, &[]);
                if methods.contains(&word) {
                    diagnostic = diagnostic.help(format!("`{word}` is a method: write `.{word}(…)`"));
                }
                self.report(diagnostic);
                None
            }
        }
    }

    /// A type of an imported module: `limits.Tier`.
    fn imported_type(&mut self, cx: &Cx, base: &ast::Expr) -> Option<Type> {
        let ast::ExprKind::Field(field) = &base.kind else { return None };
        let ast::Member { base, name, optional: false } = &**field else { return None };
        if !name.as_str().starts_with(|c: char| c.is_ascii_uppercase()) {
            return None;
        }
        match self.alias(cx, base)? {
            Alias::Module(module) => match self.program.ty(module, name.as_str()) {
                Some((TypeDef::Type(index), declared)) => {
                    self.saw(name.span, || Some(Symbol::Type(index)));
                    let public = self.program.types.get(index).is_some_and(|d| d.item.public.is_some());
                    self.public_only(cx.scope, module, public, name.as_str(), name.span, declared);
                    Some(self.declared_type(index))
                }
                Some((TypeDef::Component(_) | TypeDef::Broken, _)) => Some(Type::Error),
                None => {
                    let known = self.program.type_names(module);
                    self.report(names::unknown(code::UNKNOWN_NAME, "type", name.as_str(), name.span, known));
                    Some(Type::Error)
                }
            },
            Alias::Missing => Some(Type::Error),
        }
    }

    /// `alias.name`
    fn member(&mut self, cx: &mut Cx, alias: Alias, name: &ast::Name, span: Span) -> Expr {
        let module = match alias {
            Alias::Module(module) => module,
            Alias::Missing => return Expr::error(span),
        };
        self.at_cursor(name.as_str(), || Cursor::Module { module, kinds: false });
        if self.native(module, name.as_str()).is_some() {
            let text = format!("`{name}` is a function; only its result is a value");
            let help = format!("call it: `{name}(…)`");
            self.report(Diagnostic::error(code::TYPE_MISMATCH, name.span, text).label("not called").help(help));
            return Expr::error(span);
        }
        match self.program.scopes.get(module).and_then(|s| s.values.get(name.as_str())).copied() {
            Some((Def::Let(id), declared)) => {
                let public = self.program.lets.get(id.index()).is_some_and(|d| d.item.public.is_some());
                self.public_only(cx.scope, module, public, name.as_str(), name.span, declared);
                self.mark(Def::Let(id));
                self.saw(name.span, || Some(Symbol::Let(id)));
                self.constants_wanted.push((id, span, "an importing module"));
                self.depend(cx, crate::resolve::cycles::Vertex::Let(id), span, true);
                Expr { kind: ExprKind::Let(id), ty: self.let_type(id), span }
            }
            Some((Def::Broken, _)) => Expr::error(span),
            Some((Def::Fn(_), _)) => {
                let text = format!("`{name}` is a function; only its result is a value");
                self.report(Diagnostic::error(code::TYPE_MISMATCH, span, text).label("not called"));
                Expr::error(span)
            }
            Some((_, declared)) => {
                let text = format!("`{name}` cannot be imported");
                self.report(
                    Diagnostic::error(code::UNKNOWN_NAME, name.span, text)
                        .label("only `pub` types, functions, lets and components can")
                        .also(declared, "declared here"),
                );
                Expr::error(span)
            }
            None => {
                let known: Vec<&str> =
                    self.program.scopes.get(module).map(|s| s.values.keys().collect()).unwrap_or_default();
                self.report(names::unknown(
                    code::UNKNOWN_NAME,
                    "name in the imported module called",
                    name.as_str(),
                    name.span,
                    known,
                ));
                Expr::error(span)
            }
        }
    }

    /// `base[index]`
    pub fn index(&mut self, cx: &mut Cx, base: &ast::Expr, index: &ast::Expr, span: Span) -> Expr {
        let base = self.expr(cx, base, None);
        let (core, taint) = peel(&base.ty);
        let (item, key) = match unrefined(&core) {
            Type::List(item) => ((**item).clone(), Type::Int),
            Type::Map(item) => ((**item).clone(), Type::String),
            other => {
                if *other != Type::Error {
                    let text = format!("only lists and maps have `[…]`, and this is `{}`", base.ty);
                    let diagnostic = Diagnostic::error(code::TYPE_MISMATCH, base.span, text).label("cannot be indexed");
                    self.report(match other {
                        Type::Option(_) => diagnostic.help("it may be `none`: tell the cases apart with `match`"),
                        Type::Handle(kind) if &**kind == "service" => diagnostic.help("write `.instance[\"0\"]`"),
                        _other => diagnostic,
                    });
                }
                self.expr(cx, index, Some(&Type::Error));
                return Expr::error(span);
            }
        };
        let handles = matches!(item, Type::Handle(_) | Type::Component(_));
        let (index, own) = if handles {
            let place = crate::diagnose::mismatch::Place::Count("the key of a node");
            (self.check(cx, index, &key, place), Taint::default())
        } else {
            self.check_untainted(cx, index, &key)
        };
        if index.ty == Type::Error {
            return Expr::error(span);
        }
        let ty = taint.and(own).on(item);
        Expr { kind: ExprKind::Index { base: Box::new(base), index: Box::new(index) }, ty, span }
    }
}
