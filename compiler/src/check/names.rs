//! Names in expressions: variants of the expected type first, then locals, then declarations.

use super::checker::{Checker, Cx};
use super::facts::{Cursor, Symbol, symbol};
use crate::diagnose::{blocks, names};
use crate::hir::{Expr, ExprKind};
use crate::resolve::Def;
use crate::resolve::cycles::Vertex;
use crate::types::{Taint, core_of, fits};
use imm_ir::{Class, Diagnostic, Span, Type, VariantType, code};
use imm_syntax::ast;
use std::sync::Arc;

/// So many messages are more than are shown, however many files there are.
const MANY: usize = 500;

impl Checker<'_> {
    /// A name without anything after it.
    pub fn name(&mut self, cx: &mut Cx, name: &ast::Name, want: Option<&Type>) -> Expr {
        let word = name.as_str();
        self.value_at_cursor(cx, word, want);
        if let Some((Type::Variant(variant), taint)) = want.map(core_of)
            && variant.case(word).is_some()
        {
            let variant = Arc::clone(variant);
            let binding = self.binding_type(cx, word);
            if let (Some((ty, place)), Some(want)) = (binding, want)
                && ty != Type::Error
                && fits(&ty, want).is_ok()
            {
                self.report(names::ambiguous(word, &variant.name, name.span, Some(place)));
                return Expr::error(name.span);
            }
            return self.variant(cx, &variant, name, None, taint, name.span);
        }
        if let Some(local) = cx.locals.iter_mut().rev().find(|local| &*local.name == word) {
            local.used = true;
            let (id, ty) = (local.id, local.ty.clone());
            self.saw(name.span, || Some(Symbol::Local(id)));
            return Expr { kind: ExprKind::Local(id), ty, span: name.span };
        }
        match self.program.value(cx.scope, word) {
            Some((def, place)) => self.declared(cx, def, place, name),
            None => self.unknown_value(cx, name, want),
        }
    }

    /// A reference to a declaration.
    pub fn declared(&mut self, cx: &mut Cx, def: Def, place: Span, name: &ast::Name) -> Expr {
        self.mark(def);
        self.saw(name.span, || symbol(def));
        let span = name.span;
        match def {
            Def::Param(id) => {
                let foreign = self.program.params.get(id.index()).is_some_and(|d| d.scope != cx.scope);
                if !self.reachable(cx, foreign, cx.params_too, "param", name, place) {
                    return Expr::error(span);
                }
                self.needs.add(cx.vertex, Vertex::Param(id), span);
                Expr { kind: ExprKind::Param(id), ty: self.param_type(id), span }
            }
            Def::Node(id) => {
                let foreign = self.program.nodes.get(id.index()).is_some_and(|d| d.scope != cx.scope);
                if !self.reachable(cx, foreign, false, "node", name, place) {
                    return Expr::error(span);
                }
                let moves = matches!(self.node_class(id), Some(Class::Pointer | Class::Durable));
                let target = if cx.set && moves { Vertex::Set(id) } else { Vertex::Node(id) };
                self.needs.add(cx.vertex, target, span);
                Expr { kind: ExprKind::Node(id), ty: self.node_type(id), span }
            }
            Def::Let(id) => {
                let outside = self.program.lets.get(id.index()).is_some_and(|d| d.scope != cx.scope);
                if let Some(place) = cx.closed.or(if outside { Some("a component") } else { None }) {
                    self.constants_wanted.push((id, span, place));
                }
                self.depend(cx, Vertex::Let(id), span, outside);
                Expr { kind: ExprKind::Let(id), ty: self.let_type(id), span }
            }
            Def::Fn(_) => {
                let text = format!("`{name}` is a function; only its result is a value");
                let help = format!("call it: `{name}(…)`, or inside of `map`: `x => {name}(x)`");
                self.report(Diagnostic::error(code::TYPE_MISMATCH, span, text).label("not called").help(help));
                Expr::error(span)
            }
            Def::Import(import) => {
                if matches!(self.program.imports.get(import), Some(crate::resolve::Import::Missing)) {
                    return Expr::error(span);
                }
                let text = format!("`{name}` is an import; only what is inside is a value");
                let help = format!("write `{name}.` and the name of what you need");
                self.report(Diagnostic::error(code::TYPE_MISMATCH, span, text).label("not a value").help(help));
                Expr::error(span)
            }
            Def::Broken => Expr::error(span),
        }
    }

    /// Records that the declaration at hand needs another; what a component needs from outside, the component needs.
    pub fn depend(&mut self, cx: &Cx, target: Vertex, span: Span, outside: bool) {
        self.needs.add(cx.vertex, target, span);
        if let (true, Some(component)) = (outside, self.program.component_of(cx.scope)) {
            self.needs.add(Vertex::Component(component), target, span);
        }
    }

    fn reachable(&mut self, cx: &Cx, foreign: bool, allowed: bool, what: &str, name: &ast::Name, place: Span) -> bool {
        let at = match cx.closed {
            Some(closed) if !allowed => closed,
            _open if foreign => "a component",
            _open => return true,
        };
        self.report(names::out_of_reach(name.as_str(), what, at, name.span, place));
        false
    }

    /// The type and place of the binding with this name; reports and marks nothing.
    fn binding_type(&mut self, cx: &Cx, word: &str) -> Option<(Type, Span)> {
        if let Some(local) = cx.locals.iter().rev().find(|local| &*local.name == word) {
            return Some((local.ty.clone(), local.span));
        }
        let (def, place) = self.program.value(cx.scope, word)?;
        let ty = match def {
            Def::Param(id) => self.param_type(id),
            Def::Let(id) => self.let_type(id),
            Def::Node(id) => self.node_type(id),
            Def::Fn(_) | Def::Import(_) | Def::Broken => return None,
        };
        Some((ty, place))
    }

    fn unknown_value(&mut self, cx: &mut Cx, name: &ast::Name, want: Option<&Type>) -> Expr {
        let word = name.as_str();
        if want == Some(&Type::Error) {
            return Expr::error(name.span);
        }
        if word == "self" {
            self.report(
                Diagnostic::error(code::UNKNOWN_NAME, name.span, "`self` is only known inside of `executable(self)`")
                    .label("means the running imm"),
            );
            return Expr::error(name.span);
        }
        // Nobody reads so many messages that each is worth a look at all names.
        let mut known = if self.found.len() < MANY { self.program.value_names(cx.scope) } else { Vec::new() };
        let locals: Vec<Arc<str>> = cx.locals.iter().map(|local| Arc::clone(&local.name)).collect();
        known.extend(locals.iter().map(|local| &**local));
        if let Some(Type::Variant(variant)) = want.map(|ty| core_of(ty).0) {
            let tags: Vec<&str> = variant.variants.iter().map(|case| &*case.tag).collect();
            let near_binding = crate::diagnose::similar(word, known.iter().copied()).is_some();
            if crate::diagnose::similar(word, tags.iter().copied()).is_some() || !near_binding {
                let all = tags.iter().copied().chain(known);
                let text = crate::diagnose::listed(tags.iter().copied());
                self.report(
                    names::unknown(code::UNKNOWN_NAME, "variant or binding", word, name.span, all)
                        .help(format!("`{}` has {text}", variant.name)),
                );
                return Expr::error(name.span);
            }
        }
        let types = if self.found.len() < MANY { self.types_with_variant(cx.scope, word) } else { Vec::new() };
        if types.is_empty() {
            let alike = crate::diagnose::similar(word, known.iter().copied()).is_some();
            let unknown = names::unknown(code::UNKNOWN_NAME, "binding", word, name.span, known);
            let hinted = if alike { unknown } else { crate::diagnose::habits::name(unknown, word, name.span, want) };
            self.report(if self.schema(word).is_some() && !alike {
                hinted.help("a node is used by its own name alone, without its kind")
            } else {
                hinted
            });
        } else {
            self.report(names::variant_without_type(word, name.span, &types));
        }
        Expr::error(name.span)
    }

    /// The names of the types that have this variant.
    fn types_with_variant(&mut self, scope: usize, word: &str) -> Vec<String> {
        let all = self.variant_types(scope);
        let has = |ty: &Type| match ty {
            Type::Variant(variant) => variant.case(word).map(|_| variant.name.to_string()),
            _other => None,
        };
        all.iter().filter_map(has).collect()
    }

    /// `Type.variant`, `Type.variant { … }`.
    pub fn qualified(
        &mut self,
        cx: &mut Cx,
        ty: &ast::Name,
        name: &ast::Name,
        fields: Option<&ast::Block>,
        span: Span,
    ) -> Expr {
        match self.type_by_name(cx.scope, ty.as_str()) {
            Some(found) => {
                self.saw_type_name(cx.scope, ty);
                self.variant_of_type(cx, &found, name, fields, span)
            }
            None => {
                let all = self.variant_types(cx.scope);
                let known: Vec<String> = all.iter().map(ToString::to_string).collect();
                let known = known.iter().map(String::as_str);
                self.report(names::unknown(code::UNKNOWN_NAME, "type with variants", ty.as_str(), ty.span, known));
                Expr::error(span)
            }
        }
    }

    /// A variant of a type that was named.
    pub fn variant_of_type(
        &mut self,
        cx: &mut Cx,
        ty: &Type,
        name: &ast::Name,
        fields: Option<&ast::Block>,
        span: Span,
    ) -> Expr {
        self.at_cursor(name.as_str(), || Cursor::Variants(ty.clone()));
        match ty {
            Type::Variant(variant) if variant.case(name.as_str()).is_some() => {
                let variant = Arc::clone(variant);
                self.variant(cx, &variant, name, fields, Taint::default(), span)
            }
            Type::Variant(variant) => {
                let tags = variant.variants.iter().map(|case| &*case.tag);
                self.report(names::unknown_variant(&variant.name, name.as_str(), name.span, tags));
                Expr::error(span)
            }
            Type::Error => Expr::error(span),
            other => {
                let text = format!("`{other}` has no variants");
                self.report(Diagnostic::error(code::UNKNOWN_NAME, name.span, text).label("not a variant"));
                Expr::error(span)
            }
        }
    }

    /// `name { … }`: a variant of the expected type.
    pub fn construct(
        &mut self,
        cx: &mut Cx,
        name: &ast::Name,
        fields: &ast::Block,
        want: Option<&Type>,
        span: Span,
    ) -> Expr {
        let word = name.as_str();
        self.value_at_cursor(cx, word, want);
        match want.map(core_of) {
            Some((Type::Variant(variant), taint)) => {
                let variant = Arc::clone(variant);
                if variant.case(word).is_some() {
                    return self.variant(cx, &variant, name, Some(fields), taint, span);
                }
                let tags = variant.variants.iter().map(|case| &*case.tag);
                self.report(names::unknown_variant(&variant.name, word, name.span, tags));
            }
            Some((Type::Error, _)) => {}
            _other => {
                let types = self.types_with_variant(cx.scope, word);
                let diagnostic = if types.is_empty() {
                    let all = self.variant_types(cx.scope);
                    let tags = all.iter().filter_map(|ty| if let Type::Variant(v) = ty { Some(v) } else { None });
                    let tags = tags.flat_map(|v| v.variants.iter().map(|case| &*case.tag));
                    names::unknown(code::UNKNOWN_NAME, "variant", word, name.span, tags)
                } else {
                    names::variant_without_type(word, name.span, &types)
                };
                let diagnostic = match want {
                    Some(want) => diagnostic.note(format!("a `{want}` is expected here")),
                    None => diagnostic,
                };
                self.report(diagnostic);
            }
        }
        Expr::error(span)
    }

    pub fn variant(
        &mut self,
        cx: &mut Cx,
        variant: &Arc<VariantType>,
        name: &ast::Name,
        fields: Option<&ast::Block>,
        taint: Taint,
        span: Span,
    ) -> Expr {
        let ty = Type::Variant(Arc::clone(variant));
        let Some(case) = variant.case(name.as_str()) else { return Expr::error(span) };
        self.saw(name.span, || Some(Symbol::Variant(Arc::clone(variant), Arc::clone(&case.tag))));
        let payload = match fields {
            Some(block) => {
                let owner = format_args!("variant `{}`", case.tag);
                self.payload(cx, block, &case.payload, &owner, taint, name.span)
            }
            None => {
                let missing: Vec<&str> = case
                    .payload
                    .fields
                    .iter()
                    .filter(|f| f.default.is_none() && !super::fields::omittable(&f.ty))
                    .map(|f| &*f.name)
                    .collect();
                if !missing.is_empty() {
                    self.report(blocks::missing_payload(&case.tag, &missing, span));
                    return Expr { kind: ExprKind::Error, ty, span };
                }
                super::fields::complete(Vec::new(), &case.payload, span)
            }
        };
        Expr { kind: ExprKind::Variant { tag: Arc::clone(&case.tag), payload }, ty, span }
    }
}
