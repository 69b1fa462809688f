//! `if` and `match`: branches of one type, patterns that cover every case.

use super::checker::{Checker, Cx};
use super::common::Common;
use super::expr::quantity_value;
use super::facts::{Cursor, Symbol};
use crate::diagnose::mismatch::Place;
use crate::diagnose::{blocks, listed, names};
use crate::hir::{Arm, Expr, ExprKind, LocalId, Pattern, PatternKind};
use crate::types::{Taint, peel, unrefined};
use imm_ir::{Diagnostic, Span, Type, Value, code};
use imm_syntax::ast;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Which cases the arms so far cover.
#[derive(Default)]
struct Covered {
    all: bool,
    tags: BTreeSet<String>,
}

/// What the patterns of one arm bind: the alternatives bind the same names.
type Bound = Vec<(Arc<str>, LocalId, Type)>;

impl Checker<'_> {
    /// `if c then a else b`
    pub fn conditional(
        &mut self,
        cx: &mut Cx,
        condition: &ast::Expr,
        then: &ast::Expr,
        otherwise: &ast::Expr,
        want: Option<&Type>,
        span: Span,
    ) -> Expr {
        let (condition, taint) = self.check_untainted(cx, condition, &Type::Bool);
        let mut common = Common::new("the branches of this `if`", want);
        let then = self.branch(cx, then, want, &mut common);
        let otherwise = self.branch(cx, otherwise, want, &mut common);
        let broken = condition.ty == Type::Error;
        let ty = if broken { Type::Error } else { taint.on(common.ty()) };
        let (condition, then, otherwise) = (Box::new(condition), Box::new(then), Box::new(otherwise));
        Expr { kind: ExprKind::If { condition, then, otherwise }, ty, span }
    }

    fn branch(&mut self, cx: &mut Cx, expr: &ast::Expr, want: Option<&Type>, common: &mut Common<'_>) -> Expr {
        let typed = match want {
            Some(want) => self.check(cx, expr, want, Place::Value),
            None => self.expr(cx, expr, None),
        };
        common.add(self, &typed.ty, typed.span);
        typed
    }

    /// `match x { … }`
    pub fn matching(
        &mut self,
        cx: &mut Cx,
        scrutinee: &ast::Expr,
        arms: &[ast::Arm],
        want: Option<&Type>,
        span: Span,
    ) -> Expr {
        let scrutinee = self.expr(cx, scrutinee, None);
        let (core, taint) = peel(&scrutinee.ty);
        let core = unrefined(&core).clone();
        let mut covered = Covered::default();
        let mut common = Common::new("the arms of this `match`", want);
        let mut whole = core != Type::Error;
        let mut typed = Vec::new();
        for arm in arms {
            let depth = cx.locals.len();
            let mut bound: Option<Bound> = None;
            let mut patterns = Vec::new();
            for pattern in &arm.patterns {
                let mut binds = Bound::new();
                let kind = self.pattern(cx, pattern, &core, taint, &mut covered, bound.as_ref(), &mut binds);
                whole &= kind.is_some();
                if let Some(kind) = kind {
                    patterns.push(Pattern { kind, span: pattern.span });
                    self.same_bindings(&bound, &binds, pattern.span);
                }
                bound.get_or_insert(binds);
            }
            let body = self.branch(cx, &arm.body, want, &mut common);
            self.unbind(cx, depth);
            typed.push(Arm { patterns, body, span: arm.span });
        }
        if !whole {
            return Expr::error(span);
        }
        let missing = self.uncovered(&core, &covered);
        if !missing.is_empty() {
            let others = matches!(missing.as_slice(), [only] if only == "_");
            let names = if others { "every value".to_owned() } else { listed(missing.iter().map(String::as_str)) };
            let mut diagnostic =
                Diagnostic::error(code::NOT_EXHAUSTIVE, scrutinee.span, format!("this `match` does not cover {names}"))
                    .label(format!("this is `{}`", scrutinee.ty));
            diagnostic = if others {
                diagnostic.help("add an arm for all others: `_ => …`")
            } else {
                diagnostic.help(format!("add `{} => …`, or `_ => …` for all others", missing.join(" | ")))
            };
            self.report(diagnostic);
            return Expr::error(span);
        }
        let ty = taint.on(common.ty());
        Expr { kind: ExprKind::Match { scrutinee: Box::new(scrutinee), arms: typed }, ty, span }
    }

    fn uncovered(&self, core: &Type, covered: &Covered) -> Vec<String> {
        if covered.all {
            return Vec::new();
        }
        let cases: Vec<String> = match core {
            Type::Variant(variant) => variant.variants.iter().map(|case| case.tag.to_string()).collect(),
            Type::Option(_) => vec!["none".to_owned(), "some(v)".to_owned()],
            Type::Bool => vec!["true".to_owned(), "false".to_owned()],
            _endless => vec!["_".to_owned()],
        };
        cases.into_iter().filter(|case| !covered.tags.contains(case)).collect()
    }

    fn same_bindings(&mut self, first: &Option<Bound>, binds: &Bound, span: Span) {
        let Some(first) = first else { return };
        let names = |bound: &Bound| bound.iter().map(|(name, _, _)| Arc::clone(name)).collect::<BTreeSet<_>>();
        let types = first.iter().all(|(name, _, ty)| binds.iter().all(|(other, _, own)| name != other || ty == own));
        if names(first) != names(binds) || !types {
            self.report(
                Diagnostic::error(code::TYPE_MISMATCH, span, "the alternatives of an arm bind different things")
                    .label("not the same names and types as the first alternative")
                    .help("write two arms"),
            );
        }
    }

    /// A pattern; `None` when it is broken, which was reported.
    #[expect(clippy::too_many_arguments, reason = "an alternative shares its bindings with the first")]
    fn pattern(
        &mut self,
        cx: &mut Cx,
        pattern: &ast::Pattern,
        core: &Type,
        taint: Taint,
        covered: &mut Covered,
        first: Option<&Bound>,
        binds: &mut Bound,
    ) -> Option<PatternKind> {
        use ast::PatternKind as Form;
        let span = pattern.span;
        if *core == Type::Error {
            self.bind_broken(cx, &pattern.kind);
            return None;
        }
        match &pattern.kind {
            Form::Wildcard => {
                covered.all = true;
                Some(PatternKind::Wildcard)
            }
            Form::None if matches!(core, Type::Option(_)) => {
                covered.tags.insert("none".to_owned());
                Some(PatternKind::None)
            }
            Form::None if matches!(core, Type::Variant(variant) if variant.case("none").is_some()) => {
                let name = ast::Name { text: "none".into(), span };
                self.variant_pattern(cx, None, &name, None, core, taint, covered, first, binds)
            }
            Form::Some(name) if matches!(core, Type::Option(_)) => {
                covered.tags.insert("some(v)".to_owned());
                let Type::Option(inner) = core else { return None };
                if name.as_str() == "_" {
                    return Some(PatternKind::Some(None));
                }
                let ty = taint.on((**inner).clone());
                Some(PatternKind::Some(Some(self.bind_pattern(cx, name, ty, first, binds))))
            }
            Form::Int(n) if *core == Type::Int => Some(PatternKind::Value(Value::Int(*n))),
            #[expect(clippy::cast_precision_loss, reason = "a literal where Float is expected is meant as one")]
            Form::Int(n) if *core == Type::Float => Some(PatternKind::Value(Value::Float(*n as f64))),
            Form::Float(x) if *core == Type::Float => Some(PatternKind::Value(Value::Float(*x))),
            Form::Quantity(quantity) if quantity_value(*quantity).1 == *core => {
                Some(PatternKind::Value(quantity_value(*quantity).0))
            }
            Form::Str(text) if *core == Type::String => match text.plain() {
                Some(plain) => Some(PatternKind::Value(Value::text(plain))),
                None => {
                    let text = "a pattern is a plain text, without holes";
                    self.report(Diagnostic::error(code::TYPE_MISMATCH, span, text).label("has a hole"));
                    None
                }
            },
            Form::Bool(b) if *core == Type::Bool => {
                covered.tags.insert(b.to_string());
                Some(PatternKind::Value(Value::Bool(*b)))
            }
            Form::Variant { ty, name, fields } => {
                self.variant_pattern(cx, ty.as_ref(), name, fields.as_ref(), core, taint, covered, first, binds)
            }
            Form::Error => None,
            broken @ (Form::None
            | Form::Some(_)
            | Form::Int(_)
            | Form::Float(_)
            | Form::Quantity(_)
            | Form::Str(_)
            | Form::Bool(_)) => {
                let text = format!("this pattern does not match a `{core}`");
                let diagnostic = Diagnostic::error(code::TYPE_MISMATCH, span, text).label("can never match");
                self.report(match core {
                    Type::Option(_) => diagnostic.help("patterns of an optional are `none` and `some(v)`"),
                    _other => diagnostic,
                });
                self.bind_broken(cx, broken);
                None
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "an alternative shares its bindings with the first")]
    fn variant_pattern(
        &mut self,
        cx: &mut Cx,
        ty: Option<&ast::Name>,
        name: &ast::Name,
        fields: Option<&ast::PatternFields>,
        core: &Type,
        taint: Taint,
        covered: &mut Covered,
        first: Option<&Bound>,
        binds: &mut Bound,
    ) -> Option<PatternKind> {
        let broken = |checker: &mut Self, cx: &mut Cx| {
            for name in fields.iter().flat_map(|f| &f.names) {
                checker.bind(cx, name, Type::Error, None);
            }
        };
        self.at_cursor(name.as_str(), || Cursor::Pattern(core.clone()));
        let Type::Variant(variant) = core else {
            let text = format!("`{name}` would be a variant, and this is `{core}`");
            let diagnostic = Diagnostic::error(code::TYPE_MISMATCH, name.span, text)
                .label("a bare name in a pattern is always a variant");
            self.report(match core {
                Type::Option(_) => diagnostic.help(format!("write `some({name})` to give the value a name")),
                _other => diagnostic.help("write `_` to match everything"),
            });
            broken(self, cx);
            return None;
        };
        if let Some(written) = ty
            && self.type_by_name(cx.scope, written.as_str()).is_none_or(|ty| ty != *core && ty != Type::Error)
        {
            let text = format!("`{written}` is not the type that is matched");
            self.report(Diagnostic::error(code::TYPE_MISMATCH, written.span, text).label(format!("this is `{core}`")));
            broken(self, cx);
            return None;
        }
        let Some(case) = variant.case(name.as_str()) else {
            let tags = variant.variants.iter().map(|case| &*case.tag);
            self.report(names::unknown_variant(&variant.name, name.as_str(), name.span, tags));
            broken(self, cx);
            return None;
        };
        covered.tags.insert(case.tag.to_string());
        if let Some(written) = ty {
            self.saw_type_name(cx.scope, written);
        }
        self.saw(name.span, || Some(Symbol::Variant(Arc::clone(variant), Arc::clone(&case.tag))));
        let (mut bindings, mut known) = (Vec::new(), true);
        for field in fields.iter().flat_map(|f| &f.names) {
            let Some(payload) = case.payload.field(field.as_str()) else {
                let all: Vec<&str> = case.payload.fields.iter().map(|f| &*f.name).collect();
                self.report(blocks::unknown_field(&format!("variant `{name}`"), field.as_str(), field.span, &all));
                known = false;
                self.bind(cx, field, Type::Error, None);
                continue;
            };
            let ty = taint.on(payload.ty.clone());
            let local = self.bind_pattern(cx, field, ty, first, binds);
            bindings.push((Arc::clone(&payload.name), local));
        }
        // A field that is misspelt is not left out, too.
        if let Some(fields) = fields.filter(|f| known && f.rest.is_none()) {
            let absent = |f: &&imm_ir::FieldType| !fields.names.iter().any(|n| n.as_str() == &*f.name);
            let missing: Vec<&str> = case.payload.fields.iter().filter(absent).map(|f| &*f.name).collect();
            if !missing.is_empty() {
                let text = format!("the pattern leaves out {}", listed(missing));
                let diagnostic =
                    Diagnostic::error(code::MISSING_FIELD, name.span, text).label("not all fields are named");
                self.report(diagnostic.help("end it with `..` to leave the others out"));
            }
        }
        Some(PatternKind::Variant { tag: Arc::clone(&case.tag), bindings })
    }

    /// Binds a name of a pattern; an alternative takes the local that the first one has.
    fn bind_pattern(
        &mut self,
        cx: &mut Cx,
        name: &ast::Name,
        ty: Type,
        first: Option<&Bound>,
        binds: &mut Bound,
    ) -> LocalId {
        let known = first.and_then(|first| first.iter().find(|(other, _, _)| **other == *name.as_str()));
        let local = match known {
            Some((_, local, _)) => *local,
            None => self.bind(cx, name, ty.clone(), Some("pattern binding")),
        };
        binds.push((Arc::from(name.as_str()), local, ty));
        local
    }

    fn bind_broken(&mut self, cx: &mut Cx, pattern: &ast::PatternKind) {
        match pattern {
            ast::PatternKind::Some(name) => {
                self.bind(cx, name, Type::Error, None);
            }
            ast::PatternKind::Variant { fields: Some(fields), .. } => {
                for name in &fields.names {
                    self.bind(cx, name, Type::Error, None);
                }
            }
            _binds_nothing => {}
        }
    }
}
