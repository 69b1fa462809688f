//! A program that is asked about places: only the items that matter are checked, with everything noted.
//!
//! Declarations are checked when first needed, so asking about one item of a large program costs what that item costs,
//! and the declaring of all names. Works on broken programs: what is broken has fewer facts.

use super::ModuleInput;
use super::checker::{Checker, Slot};
use super::facts::{Facts, Symbol};
use crate::doc::shown_input;
use crate::hir::{ComponentId, FnId, LetId, NodeId, ParamId};
use crate::resolve::{Def, Import, TypeDef};
use imm_ir::{Class, SchemaSet, Sources, Span, Type, VariantType, kinds};
use imm_syntax::ast::{self, ItemKind};
use std::sync::Arc;

/// Symbols by the names that programs write.
type Named<'a> = Vec<(&'a str, Symbol)>;

/// A program under inspection.
pub(crate) struct Inspection<'a> {
    checker: Checker<'a>,
}

/// What is known of a symbol.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declared {
    /// Its name; for a declaration the name it is declared with.
    pub name: Arc<str>,
    /// Where that stands; `None` for what is built in.
    pub name_span: Option<Span>,
    /// How it is declared, as a line of imm.
    pub signature: String,
    /// What it says of itself.
    pub docs: String,
    /// The type of its value.
    pub ty: Option<Type>,
}

impl<'a> Inspection<'a> {
    /// `instead` stands for the item whose span it names.
    pub fn new(modules: &'a [ModuleInput], sources: &'a Sources, instead: Option<(Span, &'a ast::Item)>) -> Self {
        let mut checker = Checker::with_instead(modules, instead, sources, kinds::builtin());
        checker.facts = Some(Box::default());
        Self { checker }
    }

    /// What was seen so far.
    pub fn facts(&self) -> Facts {
        self.checker.facts.as_deref().cloned().unwrap_or_default()
    }

    /// The schemas of kinds.
    pub fn schemas(&self) -> &'a SchemaSet {
        self.checker.schemas
    }

    /// Checks an item, with all that is inside of it.
    pub fn item(&mut self, scope: usize, item: &ast::Item) {
        crate::stop::point();
        macro_rules! id {
            ($table:ident, $id:ident) => {
                self.checker.program.$table.iter().position(|d| std::ptr::eq(d.item, item)).map($id::of)
            };
        }
        match &item.kind {
            ItemKind::Param(ast) => {
                let Some(id) = id!(params, ParamId) else { return };
                self.declares(ast.name.span, Symbol::Param(id));
                self.checker.param_type(id);
                self.checker.param_default(id);
            }
            ItemKind::Let(ast) => {
                let Some(id) = id!(lets, LetId) else { return };
                self.declares(ast.name.span, Symbol::Let(id));
                self.checker.let_type(id);
            }
            ItemKind::Fn(ast) => {
                let Some(id) = id!(fns, FnId) else { return };
                self.declares(ast.name.span, Symbol::Fn(id));
                self.checker.fn_type(id);
            }
            ItemKind::Type(ast) => self.type_item(item, ast),
            ItemKind::Node(ast) => {
                let Some(id) = id!(nodes, NodeId) else { return };
                self.declares(ast.name.span, Symbol::Node(id));
                self.checker.node(id);
            }
            ItemKind::Component(ast) => {
                let Some(id) = id!(components, ComponentId) else { return };
                self.declares(ast.name.span, Symbol::Component(id));
                let inner = self.checker.program.component_scopes.get(id.index()).copied().unwrap_or(scope);
                // Those inside of the item that was declared, which may stand for another one.
                let Some(decl) = self.checker.program.components.get(id.index()).map(|d| d.ast) else { return };
                decl.items.iter().for_each(|item| self.item(inner, item));
            }
            ItemKind::Output(ast) => {
                let name: Arc<str> = Arc::from(ast.name.as_str());
                self.declares(ast.name.span, Symbol::Output(scope, name));
                self.checker.output(scope, ast, item);
            }
            ItemKind::Assert(ast) => drop(self.checker.assert(scope, ast, item.span)),
            ItemKind::Environment(ast) => drop(self.checker.environment(scope, ast, item.span)),
            ItemKind::Test(ast) => drop(self.checker.test(scope, ast, item.span)),
            ItemKind::Import(ast) => {
                let path = ast.path.span();
                let name = crate::resolve::alias(ast);
                if let Some((Def::Import(index), _)) =
                    name.and_then(|(name, _)| self.checker.program.value(scope, name))
                {
                    self.declares(path, Symbol::Import(index));
                    if let Some(alias) = &ast.alias {
                        self.declares(alias.span, Symbol::Import(index));
                    }
                }
            }
            ItemKind::Provider(_) | ItemKind::Error(_) => {}
        }
    }

    fn type_item(&mut self, item: &ast::Item, ast: &ast::TypeDecl) {
        let Some(index) = self.checker.program.types.iter().position(|d| std::ptr::eq(d.item, item)) else { return };
        self.declares(ast.name.span, Symbol::Type(index));
        let ty = self.checker.declared_type(index);
        if let (Type::Variant(variant), ast::TypeDefinition::Variants(cases)) = (&ty, &ast.definition) {
            for case in cases {
                let tag = Arc::from(case.name.as_str());
                self.declares(case.name.span, Symbol::Variant(Arc::clone(variant), tag));
            }
        }
    }

    fn declares(&mut self, span: Span, symbol: Symbol) {
        self.checker.saw(span, || Some(symbol));
    }

    /// Everything that can be known of a symbol.
    pub fn declared(&mut self, symbol: &Symbol) -> Declared {
        let Some(declared) = self.find(symbol) else { return Declared::default() };
        declared
    }

    fn find(&mut self, symbol: &Symbol) -> Option<Declared> {
        match symbol {
            Symbol::Param(id) => {
                let decl = self.checker.program.params.get(id.index())?;
                let (ast, item) = (decl.ast, decl.item);
                let ty = self.checker.param_type(*id);
                let default = ast.default.as_ref().map(|d| format!(" = {}", self.checker.text(d.span)));
                let condition = ast.predicate.as_ref().map(|p| format!(" where {}", self.checker.text(p.span)));
                let written = self.checker.text(ast.ty.span);
                let signature = format!(
                    "param {}: {written}{}{}",
                    ast.name,
                    default.unwrap_or_default(),
                    condition.unwrap_or_default()
                );
                Some(of_item(&ast.name, item, signature, Some(ty)))
            }
            Symbol::Let(id) => {
                let decl = self.checker.program.lets.get(id.index())?;
                let (ast, item) = (decl.ast, decl.item);
                let ty = self.checker.let_type(*id);
                Some(of_item(&ast.name, item, format!("let {}: {ty}", ast.name), Some(ty)))
            }
            Symbol::Fn(id) => {
                let decl = self.checker.program.fns.get(id.index())?;
                let (ast, item) = (decl.ast, decl.item);
                let (params, result) = self.checker.fn_type(*id);
                let params: Vec<String> =
                    ast.params.iter().zip(&params).map(|(p, ty)| format!("{}: {ty}", p.name)).collect();
                let signature = format!("fn {}({}) -> {result}", ast.name, params.join(", "));
                Some(of_item(&ast.name, item, signature, Some(result)))
            }
            Symbol::Node(id) => {
                let decl = self.checker.program.nodes.get(id.index())?;
                let (ast, item) = (decl.ast, decl.item);
                let ty = self.checker.node_type(*id);
                let kind = self.checker.text(ast.kind_span());
                let signature = format!("{} {} = {kind}", ast.keyword.as_str(), ast.name);
                let mut declared = of_item(&ast.name, item, signature, Some(ty));
                if declared.docs.is_empty() {
                    declared.docs = self.schemas().get(kind).map(|s| s.doc.to_string()).unwrap_or_default();
                }
                Some(declared)
            }
            Symbol::Component(id) => {
                let decl = self.checker.program.components.get(id.index())?;
                let (ast, item) = (decl.ast, decl.item);
                let params = ast.items.iter().filter_map(|inner| match &inner.kind {
                    ItemKind::Param(param) => Some((param, inner)),
                    _other => None,
                });
                let lines: Vec<String> =
                    params.map(|(_, inner)| format!("  {}\n", self.checker.text(inner.span))).collect();
                let signature = match lines.as_slice() {
                    [] => format!("component {} {{}}", ast.name),
                    lines => format!("component {} {{\n{}}}", ast.name, lines.concat()),
                };
                Some(of_item(&ast.name, item, signature, None))
            }
            Symbol::Type(index) => {
                let decl = self.checker.program.types.get(*index)?;
                let (ast, item) = (decl.ast, decl.item);
                let ty = self.checker.declared_type(*index);
                Some(of_item(&ast.name, item, self.checker.text(item.span).to_owned(), Some(ty)))
            }
            Symbol::Import(index) => self.import(*index),
            Symbol::Local(id) => {
                let facts = self.checker.facts.as_deref()?;
                let (_, name, span, ty) = facts.locals.iter().find(|(local, ..)| local == id)?;
                Some(Declared {
                    name: Arc::clone(name),
                    name_span: Some(*span),
                    signature: format!("{name}: {ty}"),
                    docs: String::new(),
                    ty: Some(ty.clone()),
                })
            }
            Symbol::Output(scope, name) => self.output(*scope, name),
            built_in => Some(self.built_in(built_in)),
        }
    }

    fn import(&mut self, index: usize) -> Option<Declared> {
        let module = match self.checker.program.imports.get(index)? {
            Import::Module(module) => *module,
            Import::Missing => return None,
        };
        let input = self.checker.modules.get(module)?;
        let (file, tree) = input.files.first()?;
        let docs = tree.docs.as_ref().map(|docs| docs.text.to_string()).unwrap_or_default();
        let name = match &input.standard {
            Some(name) => format!("std.{name}"),
            None => input.name.to_string(),
        };
        Some(Declared {
            signature: format!("import {name}"),
            name: Arc::from(name),
            name_span: Some(Span::new(*file, 0, 0)),
            docs,
            ty: None,
        })
    }

    fn output(&mut self, scope: usize, name: &str) -> Option<Declared> {
        let outputs = &self.checker.program.scopes.get(scope)?.outputs;
        let index = outputs.iter().position(|(output, _)| output.name.as_str() == name)?;
        let (ast, item) = *outputs.get(index)?;
        let ty = match self.checker.program.component_of(scope) {
            Some(component) => self.checker.output_type(component, index),
            None => self.checker.output(scope, ast, item).value.ty,
        };
        Some(of_item(&ast.name, item, format!("output {name}: {ty}"), Some(ty)))
    }

    fn built_in(&self, symbol: &Symbol) -> Declared {
        let schema = |kind: &str| self.checker.schemas.get(kind);
        match symbol {
            Symbol::Kind(kind) => Declared {
                name: Arc::clone(kind),
                signature: schema(kind).map_or_else(String::new, |s| format!("{} NAME = {kind} {{ … }}", s.class)),
                docs: schema(kind).map_or_else(String::new, |s| s.doc.to_string()),
                ..Declared::default()
            },
            Symbol::KindField(kind, name) => match schema(kind).and_then(|s| s.field(name)) {
                Some(field) => Declared {
                    name: Arc::clone(name),
                    signature: shown_input(field),
                    docs: field.doc.to_string(),
                    ty: Some(field.ty.clone()),
                    ..Declared::default()
                },
                None => Declared::default(),
            },
            Symbol::KindOutput(kind, name) => match schema(kind).and_then(|s| s.output(name)) {
                Some(output) => Declared {
                    name: Arc::clone(name),
                    signature: format!("{}: {}", output.name, output.ty),
                    docs: output.doc.to_string(),
                    ty: Some(output.ty.clone()),
                    ..Declared::default()
                },
                None => Declared::default(),
            },
            Symbol::Builtin(name) => {
                let ty = kinds::types().get(&**name);
                let signature = match ty {
                    Some(Type::Variant(variant)) => format!("type {name} = {}", cases(variant)),
                    Some(Type::Refined(refined)) => format!("type {name} = {} where {}", refined.base, refined.text),
                    Some(ty) => format!("type {name} = {ty}"),
                    None => format!("type {name}"),
                };
                Declared { name: Arc::clone(name), signature, ..Declared::default() }
            }
            Symbol::Variant(variant, tag) => {
                let payload = variant.case(tag).map(|case| payload(&case.payload)).unwrap_or_default();
                Declared {
                    name: Arc::clone(tag),
                    name_span: self.variant_span(variant, tag),
                    signature: format!("{}.{tag}{payload}", variant.name),
                    docs: String::new(),
                    ty: Some(Type::Variant(Arc::clone(variant))),
                }
            }
            Symbol::Field(name, ty) => Declared {
                name: Arc::clone(name),
                signature: format!("{name}: {ty}"),
                ty: Some(ty.clone()),
                ..Declared::default()
            },
            Symbol::Method(signature) | Symbol::Function(signature) => {
                let name = signature.name.rsplit('.').next().unwrap_or(signature.name);
                let entry = crate::doc::signature_entry(name, signature);
                Declared { name: Arc::from(name), signature: entry.signature, docs: entry.docs, ..Declared::default() }
            }
            Symbol::Content(shown) => {
                Declared { name: Arc::from(*shown), signature: (*shown).to_owned(), ..Declared::default() }
            }
            _declared => Declared::default(),
        }
    }

    /// Where the type with these variants is declared.
    fn variant_decl(&self, variant: &Arc<VariantType>) -> Option<usize> {
        let is = |slot: &Slot<Type>| matches!(slot, Slot::Done(Type::Variant(known)) if Arc::ptr_eq(known, variant));
        self.checker.types.iter().position(is)
    }

    fn variant_span(&self, variant: &Arc<VariantType>, tag: &str) -> Option<Span> {
        let decl = self.checker.program.types.get(self.variant_decl(variant)?)?;
        let ast::TypeDefinition::Variants(cases) = &decl.ast.definition else { return None };
        cases.iter().find(|case| case.name.as_str() == tag).map(|case| case.name.span)
    }

    /// The declaration of a type, if the program has one.
    pub fn type_place(&mut self, ty: &Type) -> Option<Span> {
        match ty {
            Type::Late(inner) | Type::Secret(inner) | Type::Option(inner) | Type::List(inner) | Type::Map(inner) => {
                self.type_place(inner)
            }
            Type::Variant(variant) => {
                let decl = self.checker.program.types.get(self.variant_decl(variant)?)?;
                Some(decl.ast.name.span)
            }
            Type::Refined(refined) => {
                let is =
                    |slot: &Slot<Type>| matches!(slot, Slot::Done(Type::Refined(known)) if Arc::ptr_eq(known, refined));
                let index = self.checker.types.iter().position(is);
                match index {
                    Some(index) => self.checker.program.types.get(index).map(|decl| decl.ast.name.span),
                    None => self.type_place(&refined.base),
                }
            }
            Type::Record(record) => {
                let is = |slot: &Slot<Type>| matches!(slot, Slot::Done(Type::Record(known)) if known == record);
                let index = self.checker.types.iter().position(is)?;
                self.checker.program.types.get(index).map(|decl| decl.ast.name.span)
            }
            Type::Component(name) => {
                let id = self.checker.component_by_name(name)?;
                self.checker.program.components.get(id.index()).map(|decl| decl.ast.name.span)
            }
            _built_in => None,
        }
    }

    /// The bindings that a scope sees, nearest first.
    pub fn values(&self, scope: usize) -> Vec<(&'a str, Def)> {
        let program = &self.checker.program;
        let mut seen = std::collections::BTreeSet::new();
        let names = program.value_names(scope).into_iter().filter(|name| seen.insert(*name));
        names.filter_map(|name| Some((name, program.value(scope, name)?.0))).collect()
    }

    /// What another module can see of a module: values, then types and components.
    pub fn members(&self, module: usize) -> (Named<'a>, Named<'a>) {
        let program = &self.checker.program;
        let Some(scope) = program.scopes.get(module) else { return (Vec::new(), Vec::new()) };
        let public = |def: Def| match def {
            Def::Let(id) => program.lets.get(id.index()).is_some_and(|d| d.item.public.is_some()),
            Def::Fn(id) => program.fns.get(id.index()).is_some_and(|d| d.item.public.is_some()),
            _not_visible => false,
        };
        let values = scope.values.iter().filter(|(_, (def, _))| public(*def));
        let values = values.filter_map(|(name, (def, _))| Some((name, super::facts::symbol(*def)?)));
        let mut values: Vec<(&str, Symbol)> = values.collect();
        if let Some(standard) = self.checker.modules.get(module).and_then(|m| m.standard.as_deref()) {
            values.extend(imm_ir::builtin::functions_of(standard).map(|(name, f)| (name, Symbol::Function(f))));
        }
        let types = scope.types.iter().filter_map(|(name, (def, _))| match def {
            TypeDef::Type(index) => {
                let decl = program.types.get(*index).filter(|d| d.item.public.is_some());
                decl.map(|_| (*name, Symbol::Type(*index)))
            }
            TypeDef::Component(id) => {
                let decl = program.components.get(id.index()).filter(|d| d.item.public.is_some());
                decl.map(|_| (*name, Symbol::Component(*id)))
            }
            TypeDef::Broken => None,
        });
        (values, types.collect())
    }

    /// The types and components that a scope sees.
    pub fn types(&self, scope: usize) -> Vec<(&'a str, Symbol)> {
        let program = &self.checker.program;
        let names = program.type_names(scope).into_iter();
        names
            .filter_map(|name| match program.ty(scope, name)?.0 {
                TypeDef::Type(index) => Some((name, Symbol::Type(index))),
                TypeDef::Component(id) => Some((name, Symbol::Component(id))),
                TypeDef::Broken => None,
            })
            .collect()
    }

    /// The names of the types that are built in, kinds left out.
    pub fn builtin_types() -> impl Iterator<Item = &'static str> {
        Checker::builtin_types()
    }

    /// The outputs of the component with this name, and for a test its nodes.
    pub fn component_members(&mut self, name: &str, tested: bool) -> Vec<(Arc<str>, Symbol)> {
        let Some(id) = self.checker.component_by_name(name) else { return Vec::new() };
        let program = &self.checker.program;
        let Some(scope) = program.component_scopes.get(id.index()).copied() else { return Vec::new() };
        let Some(here) = program.scopes.get(scope) else { return Vec::new() };
        let output = |name: &str| (Arc::from(name), Symbol::Output(scope, Arc::from(name)));
        let mut all: Vec<(Arc<str>, Symbol)> = here.outputs.iter().map(|(o, _)| output(o.name.as_str())).collect();
        if tested {
            let nodes = here.values.iter().filter_map(|(name, (def, _))| match def {
                Def::Node(id) => Some((Arc::from(name), Symbol::Node(*id))),
                _other => None,
            });
            all.extend(nodes);
        }
        all
    }

    /// The class of a node's kind.
    pub fn node_class(&self, id: NodeId) -> Option<Class> {
        self.checker.node_class(id)
    }

    /// The type of a binding without anything after it.
    pub fn value_type(&mut self, def: Def) -> Option<Type> {
        match def {
            Def::Param(id) => Some(self.checker.param_type(id)),
            Def::Let(id) => Some(self.checker.let_type(id)),
            Def::Node(id) => Some(self.checker.node_type(id)),
            Def::Fn(_) | Def::Import(_) | Def::Broken => None,
        }
    }
}

fn of_item(name: &ast::Name, item: &ast::Item, signature: String, ty: Option<Type>) -> Declared {
    let docs = item.docs.as_ref().map(|docs| docs.text.to_string()).unwrap_or_default();
    Declared { name: Arc::from(name.as_str()), name_span: Some(name.span), signature, docs, ty }
}

fn payload(record: &imm_ir::RecordType) -> String {
    if record.fields.is_empty() {
        return String::new();
    }
    let fields: Vec<String> = record.fields.iter().map(|f| format!("{}: {}", f.name, f.ty)).collect();
    format!(" {{ {} }}", fields.join(", "))
}

fn cases(variant: &VariantType) -> String {
    let case = |case: &imm_ir::VariantCase| format!("{}{}", case.tag, payload(&case.payload));
    variant.variants.iter().map(case).collect::<Vec<_>>().join(" | ")
}

/// Whether two symbols are the same thing.
pub(crate) fn same(a: &Symbol, b: &Symbol) -> bool {
    match (a, b) {
        (Symbol::Param(a), Symbol::Param(b)) => a == b,
        (Symbol::Let(a), Symbol::Let(b)) => a == b,
        (Symbol::Fn(a), Symbol::Fn(b)) => a == b,
        (Symbol::Node(a), Symbol::Node(b)) => a == b,
        (Symbol::Component(a), Symbol::Component(b)) => a == b,
        (Symbol::Type(a), Symbol::Type(b)) | (Symbol::Import(a), Symbol::Import(b)) => a == b,
        (Symbol::Local(a), Symbol::Local(b)) => a == b,
        (Symbol::Output(a, x), Symbol::Output(b, y)) => a == b && x == y,
        (Symbol::Kind(a), Symbol::Kind(b)) | (Symbol::Builtin(a), Symbol::Builtin(b)) => a == b,
        (Symbol::KindField(a, x), Symbol::KindField(b, y)) | (Symbol::KindOutput(a, x), Symbol::KindOutput(b, y)) => {
            a == b && x == y
        }
        (Symbol::Variant(a, x), Symbol::Variant(b, y)) => x == y && (Arc::ptr_eq(a, b) || a == b),
        (Symbol::Method(a), Symbol::Method(b)) | (Symbol::Function(a), Symbol::Function(b)) => std::ptr::eq(*a, *b),
        (Symbol::Content(a), Symbol::Content(b)) => a == b,
        _different => false,
    }
}
