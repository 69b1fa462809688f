//! Declarations: their types when they are needed, and their insides.

use super::checker::{Checker, Cx, Slot};
use super::facts::{BlockOf, Symbol};
use super::fields::FieldSpec;
use crate::diagnose::mismatch::Place;
use crate::diagnose::names;
use crate::hir::{self, ComponentId, Expr, FnId, LetId, Output, ParamId};
use crate::resolve::cycles::Vertex;
use crate::types::{peel, scan};
use imm_ir::{FieldType, RecordType, Type, Value, VariantCase, VariantType, code};
use imm_syntax::ast;
use std::sync::{Arc, LazyLock};

/// Documentation of an item.
pub(super) fn docs(item: &ast::Item) -> Option<Arc<str>> {
    item.docs.as_ref().map(|docs| Arc::clone(&docs.text))
}

impl Checker<'_> {
    /// Makes all declarations that are asked for known to the order, then checks each of them once.
    pub fn declarations(&mut self) {
        for index in 0..self.program.types.len() {
            let asked = self.program.types.get(index).is_some_and(|decl| self.is_asked(decl.item.span));
            if asked && matches!(self.types.get(index), Some(Slot::Empty)) {
                self.declared_type(index);
            }
        }
        for index in 0..self.program.params.len() {
            let id = ParamId::of(index);
            if self.is_asked_param(id) {
                self.needs.declare(Vertex::Param(id));
                self.param_type(id);
            }
        }
        for index in self.shallow_first() {
            crate::stop::point();
            self.needs.declare(Vertex::Let(index));
            self.let_type(index);
        }
        for index in 0..self.program.fns.len() {
            if self.program.fns.get(index).is_some_and(|decl| self.is_asked(decl.item.span)) {
                self.needs.declare(Vertex::Fn(FnId::of(index)));
                self.fn_type(FnId::of(index));
            }
        }
        for index in 0..self.program.components.len() {
            if !self.program.components.get(index).is_some_and(|decl| self.is_asked(decl.item.span)) {
                continue;
            }
            let id = ComponentId::of(index);
            self.needs.declare(Vertex::Component(id));
            let count = self.outputs.get(index).map_or(0, Vec::len);
            (0..count).for_each(|output| {
                self.output_type(id, output);
            });
        }
        self.shadowed_variants();
    }

    /// Lets so that, as far as one can tell from names alone, those that others need come first: a long chain of them
    /// then needs no deep stack.
    fn shallow_first(&self) -> Vec<LetId> {
        let mut order = Vec::new();
        let mut seen = vec![false; self.program.lets.len()];
        for start in 0..self.program.lets.len() {
            if !self.program.lets.get(start).is_some_and(|decl| self.is_asked(decl.item.span)) {
                continue;
            }
            let mut stack = vec![(start, false)];
            while let Some((index, done)) = stack.pop() {
                if done {
                    order.push(LetId::of(index));
                    continue;
                }
                let Some(seen) = seen.get_mut(index).filter(|seen| !**seen) else { continue };
                *seen = true;
                stack.push((index, true));
                let Some(decl) = self.program.lets.get(index) else { continue };
                for word in words(self.text(decl.ast.value.span)) {
                    if let Some((crate::resolve::Def::Let(id), _)) = self.program.value(decl.scope, word) {
                        stack.push((id.index(), false));
                    }
                }
            }
        }
        order
    }

    /// The type of a param, with its `where`.
    pub fn param_type(&mut self, id: ParamId) -> Type {
        match self.params.get(id.index()) {
            Some(Slot::Done(ty)) => return ty.clone(),
            Some(Slot::Empty) => {}
            Some(Slot::Busy) | None => return Type::Error,
        }
        set(&mut self.params, id.index(), Slot::Busy);
        let Some((ast, item, scope)) = self.program.params.get(id.index()).map(|d| (d.ast, d.item, d.scope)) else {
            return Type::Error;
        };
        let mut ty = self.ty(scope, &ast.ty);
        if let Some(predicate) = &ast.predicate {
            ty = self.refined(scope, ast.name.as_str(), docs(item), ty, predicate);
        }
        set(&mut self.params, id.index(), Slot::Done(ty.clone()));
        ty
    }

    /// The default of a param.
    pub fn param_default(&mut self, id: ParamId) -> Option<Expr> {
        let (ast, scope) = self.program.params.get(id.index()).map(|d| (d.ast, d.scope))?;
        let ty = self.param_type(id);
        let mut cx = Cx { params_too: true, ..Cx::closed(scope, Vertex::Param(id), "a default") };
        match &ast.default {
            Some(default) => Some(self.check(&mut cx, default, &ty, Place::Value)),
            None if matches!(peel(&ty).0, Type::Option(_)) => Some(super::expr::value(Value::None, ty, ast.name.span)),
            None => None,
        }
    }

    /// The type of a let.
    pub fn let_type(&mut self, id: LetId) -> Type {
        let Some((ast, scope)) = self.program.lets.get(id.index()).map(|d| (d.ast, d.scope)) else {
            return Type::Error;
        };
        match self.lets.get(id.index()) {
            Some(Slot::Done(value)) => return value.ty.clone(),
            Some(Slot::Empty) => {}
            Some(Slot::Busy) | None => {
                // A cycle, which the order of declarations reports.
                return ast.ty.as_ref().map_or(Type::Error, |ty| self.ty(scope, ty));
            }
        }
        set(&mut self.lets, id.index(), Slot::Busy);
        let mut cx = Cx::new(scope, Vertex::Let(id));
        let value = self.declared_value(&mut cx, ast.ty.as_ref(), &ast.value);
        let ty = value.ty.clone();
        set(&mut self.lets, id.index(), Slot::Done(value));
        ty
    }

    fn declared_value(&mut self, cx: &mut Cx, ty: Option<&ast::TypeExpr>, value: &ast::Expr) -> Expr {
        match ty {
            Some(ty) => {
                let ty = self.ty(cx.scope, ty);
                let mut value = self.check(cx, value, &ty, Place::Value);
                if value.ty == Type::Error {
                    // What uses it is checked against what was meant.
                    value.ty = ty;
                }
                value
            }
            None => {
                let value = self.expr(cx, value, None);
                self.of_bounded_type(value)
            }
        }
    }

    /// The parameter types and the result of a function; the result is late if the body is.
    pub fn fn_type(&mut self, id: FnId) -> (Vec<Type>, Type) {
        let Some((ast, item, scope)) = self.program.fns.get(id.index()).map(|d| (d.ast, d.item, d.scope)) else {
            return (Vec::new(), Type::Error);
        };
        match self.fns.get(id.index()) {
            Some(Slot::Done(f)) => return (f.params.iter().map(|(_, ty)| ty.clone()).collect(), f.body.ty.clone()),
            Some(Slot::Empty) => {}
            Some(Slot::Busy) | None => {
                // A recursive function, which the order of declarations reports.
                let params = ast.params.iter().map(|p| self.ty(scope, &p.ty)).collect();
                return (params, self.ty(scope, &ast.result));
            }
        }
        set(&mut self.fns, id.index(), Slot::Busy);
        let mut cx = Cx::closed(scope, Vertex::Fn(id), "a function");
        let mut params: Vec<(hir::LocalId, Type)> = Vec::new();
        for (i, param) in ast.params.iter().enumerate() {
            if let Some(first) = ast.params.iter().take(i).find(|p| p.name.text == param.name.text) {
                self.report(names::duplicate(param.name.as_str(), param.name.span, Some(first.name.span)));
            }
            let ty = self.ty(scope, &param.ty);
            params.push((self.bind(&mut cx, &param.name, ty.clone(), Some("parameter")), ty));
        }
        let result = self.ty(scope, &ast.result);
        let body = self.expr(&mut cx, &ast.body, Some(&result));
        let target =
            if scan(&body.ty).late && !scan(&result).late { Type::late(result.clone()) } else { result.clone() };
        let mut body = self.coerce(body, &target, Place::Value);
        if body.ty == Type::Error {
            body.ty = result;
        }
        self.unbind(&mut cx, 0);
        let types = (params.iter().map(|(_, ty)| ty.clone()).collect(), body.ty.clone());
        let name = Arc::from(ast.name.as_str());
        let done = hir::Fn { name, params, body, docs: docs(item), span: item.span, name_span: ast.name.span };
        set(&mut self.fns, id.index(), Slot::Done(done));
        types
    }

    /// The name of a component as [`Type::Component`] has it.
    pub fn component_name(&self, id: ComponentId) -> Arc<str> {
        self.component_names.get(id.index()).map_or_else(|| Arc::from("?"), Arc::clone)
    }

    /// The component with this name.
    pub fn component_by_name(&self, name: &str) -> Option<ComponentId> {
        self.components_by_name.get(name).copied()
    }

    /// The type of a component's output.
    pub fn component_output(&mut self, component: &str, name: &ast::Name) -> Option<Type> {
        let id = self.component_by_name(component)?;
        let scope = *self.program.component_scopes.get(id.index())?;
        let outputs: Vec<&str> = self.program.scopes.get(scope)?.outputs.iter().map(|(o, _)| o.name.as_str()).collect();
        match outputs.iter().position(|output| *output == name.as_str()) {
            Some(index) => {
                self.saw(name.span, || Some(Symbol::Output(scope, Arc::from(name.as_str()))));
                Some(self.output_type(id, index))
            }
            None => {
                // An item that could not be read may have been this output.
                let damaged = |i: &imm_syntax::ast::Item| matches!(i.kind, imm_syntax::ast::ItemKind::Error(_));
                if self.program.components.get(id.index())?.ast.items.iter().any(damaged) {
                    return None;
                }
                let owner = format!("component `{component}`");
                let mut diagnostic =
                    crate::diagnose::blocks::unknown_member(&owner, "output", name.as_str(), name.span, &outputs);
                if self.program.scopes.get(scope)?.values.get(name.as_str()).is_some() {
                    diagnostic = diagnostic.help(format!(
                        "what is inside is not visible; write `output {name} = {name}` in the component"
                    ));
                }
                self.report(diagnostic);
                None
            }
        }
    }

    /// The type of the output with this index.
    pub fn output_type(&mut self, id: ComponentId, index: usize) -> Type {
        match self.outputs.get(id.index()).and_then(|outputs| outputs.get(index)) {
            Some(Slot::Done(output)) => return output.value.ty.clone(),
            Some(Slot::Empty) => {}
            Some(Slot::Busy) | None => return Type::Error,
        }
        let scope = self.program.component_scopes.get(id.index()).copied().unwrap_or_default();
        let Some((ast, item)) = self.program.scopes.get(scope).and_then(|s| s.outputs.get(index)).copied() else {
            return Type::Error;
        };
        if let Some(outputs) = self.outputs.get_mut(id.index()) {
            set(outputs, index, Slot::Busy);
        }
        let output = self.output(scope, ast, item);
        let ty = output.value.ty.clone();
        if let Some(outputs) = self.outputs.get_mut(id.index()) {
            set(outputs, index, Slot::Done(output));
        }
        ty
    }

    /// An output.
    pub fn output(&mut self, scope: usize, ast: &ast::Output, item: &ast::Item) -> Output {
        let mut cx = Cx::new(scope, Vertex::End);
        let value = self.declared_value(&mut cx, ast.ty.as_ref(), &ast.value);
        Output {
            name: Arc::from(ast.name.as_str()),
            value,
            docs: docs(item),
            span: item.span,
            name_span: ast.name.span,
        }
    }

    /// An assert. Its message is known and public.
    pub fn assert(&mut self, scope: usize, ast: &ast::Assert, span: imm_ir::Span) -> hir::Assert {
        let mut cx = Cx::new(scope, Vertex::End);
        let (condition, _) = self.check_untainted(&mut cx, &ast.condition, &Type::Bool);
        let message = self.string(&mut cx, &ast.message);
        let message = self.coerce(message, &Type::String, Place::Value);
        hir::Assert { condition, message, span }
    }

    /// An environment.
    pub fn environment(&mut self, scope: usize, ast: &ast::Environment, span: imm_ir::Span) -> hir::Environment {
        let mut cx = Cx::closed(scope, Vertex::End, "an environment");
        let owner = format!("environment `{}`", ast.name);
        let mut rest = ast.fields.clone();
        let mut given = Vec::new();
        if let ast::BlockBody::Entries(entries) = &mut rest.body {
            entries.retain(|entry| match &entry.kind {
                ast::EntryKind::Field { key: ast::Key { kind: ast::KeyKind::Name(name), .. }, value }
                    if name == "params" =>
                {
                    given.push(value.clone());
                    false
                }
                _other => true,
            });
        }
        let specs: Vec<FieldSpec<'_>> = setting_types()
            .iter()
            .map(|(name, ty)| FieldSpec { name, ty, required: false, place: Place::Value })
            .collect();
        self.saw_block(&ast.fields, &specs, BlockOf::Other);
        let settings = self.fields(&mut cx, &rest, &specs, &owner, ast.name.span);
        let settings = settings.into_iter().map(|field| (field.name, field.value)).collect();
        let params = given.iter().flat_map(|block| self.environment_params(&mut cx, block)).collect();
        hir::Environment { name: Arc::from(ast.name.as_str()), params, settings, span }
    }

    /// A provider's settings. They may use params: which account or region a program is for is often one.
    pub fn provider(&mut self, scope: usize, block: &ast::Provider) {
        let schemas = self.schemas;
        let Some(schema) = schemas.providers.get(block.kind.as_str()) else { return };
        let specs: Vec<FieldSpec<'_>> = schema
            .fields
            .iter()
            .map(|field| FieldSpec { name: &field.name, ty: &field.ty, required: field.required, place: Place::Value })
            .collect();
        let mut cx = Cx { params_too: true, ..Cx::closed(scope, Vertex::End, "a provider") };
        self.saw_block(&block.fields, &specs, BlockOf::Other);
        self.fields(&mut cx, &block.fields, &specs, &format_args!("provider `{}`", block.name), block.name.span);
        for (_, name) in crate::resolve::providers::classes(block) {
            if !schema.kinds.contains_key(name.as_str()) {
                let known = schema.kinds.keys().map(|kind| &**kind);
                self.report(names::unknown(code::UNKNOWN_KIND, "kind", name.as_str(), name.span, known));
            }
        }
    }

    /// The params that an environment or a test sets: some of those that are declared.
    pub fn environment_params(&mut self, cx: &mut Cx, given: &ast::Expr) -> Vec<(ParamId, Expr)> {
        let ast::ExprKind::Block(block) = &given.unparenthesized().kind else {
            let empty = Type::Record(Arc::default());
            self.check(cx, given, &empty, Place::Value);
            return Vec::new();
        };
        let ids = self.program.scopes.get(cx.scope).map(|s| s.params.clone()).unwrap_or_default();
        let mut declared = Vec::new();
        for id in ids {
            let ty = self.param_type(id);
            let Some(decl) = self.program.params.get(id.index()) else { continue };
            declared.push((id, Arc::<str>::from(decl.ast.name.as_str()), ty));
        }
        let spec = |(_, name, ty): &'_ (ParamId, Arc<str>, Type)| (Arc::clone(name), ty.clone());
        let named: Vec<(Arc<str>, Type)> = declared.iter().map(spec).collect();
        let specs: Vec<FieldSpec<'_>> =
            named.iter().map(|(name, ty)| FieldSpec { name, ty, required: false, place: Place::Value }).collect();
        self.saw_block(block, &specs, BlockOf::Params(cx.scope));
        let written = self.fields(cx, block, &specs, &"this program", given.span);
        let id_of = |name: &str| declared.iter().find(|(_, known, _)| **known == *name).map(|(id, _, _)| *id);
        written.into_iter().filter_map(|field| Some((id_of(&field.name)?, field.value))).collect()
    }

    /// Bindings that have the name of a variant of their own module.
    fn shadowed_variants(&mut self) {
        let mut found = Vec::new();
        for scope in &self.program.scopes {
            let module = scope.parent.and_then(|parent| self.program.scopes.get(parent)).unwrap_or(scope);
            for (ty, (def, _)) in &module.types {
                let crate::resolve::TypeDef::Type(index) = def else { continue };
                let Some(Slot::Done(Type::Variant(variant))) = self.types.get(*index) else { continue };
                for case in &variant.variants {
                    if let Some((_, span)) = scope.values.get(&case.tag) {
                        found.push(names::shadowed(&case.tag, ty, *span));
                    }
                }
            }
        }
        self.found.extend(found);
    }
}

fn set<T>(slots: &mut [Slot<T>], index: usize, value: Slot<T>) {
    if let Some(slot) = slots.get_mut(index) {
        *slot = value;
    }
}

/// The words of a piece of source.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// What an environment may say. What it says of `params` is checked apart.
pub fn setting_types() -> &'static [(Arc<str>, Type)] {
    static TYPES: LazyLock<Vec<(Arc<str>, Type)>> =
        LazyLock::new(|| settings().into_iter().map(|(name, ty)| (Arc::from(name), ty)).collect());
    &TYPES
}

fn settings() -> Vec<(&'static str, Type)> {
    let case = |tag: &str, fields: Vec<(&str, Type)>| VariantCase {
        tag: Arc::from(tag),
        payload: RecordType {
            fields: fields
                .into_iter()
                .map(|(name, ty)| FieldType { name: Arc::from(name), ty, default: None })
                .collect(),
        },
    };
    let one = |name: &str, variants: Vec<VariantCase>| {
        Type::Variant(Arc::new(VariantType { name: Arc::from(name), variants }))
    };
    let isolation = one("Isolation", vec![case("best", vec![]), case("require", vec![])]);
    vec![
        ("state", one("State", vec![case("local", vec![("path", Type::option(Type::String))])])),
        ("platform", one("Platform", vec![case("host", vec![("isolation", Type::option(isolation))])])),
        ("keep", Type::Int),
        ("retain", Type::Int),
        ("watch", Type::Duration),
        ("replace_limit", Type::Ratio),
        ("confirm", Type::Bool),
        ("params", Type::Error),
    ]
}
