//! From syntax trees to scopes.

use super::imports::import;
use super::{Decl, Def, Program, Scope, TypeDef};
use crate::check::ModuleInput;
use crate::diagnose::{names, providers};
use crate::hir::{ComponentId, FnId, LetId, NodeId, ParamId};
use imm_ir::{Diagnostic, SchemaSet, Span};
use imm_syntax::ast::{Item, ItemKind, Name};

/// Declares everything of all modules. Never fails: what is wrong is reported.
/// `instead` stands for the item whose span it names.
pub fn declare<'a>(
    modules: &'a [ModuleInput],
    instead: Option<(Span, &'a Item)>,
    schemas: &SchemaSet,
    diagnostics: &mut Vec<Diagnostic>,
) -> Program<'a> {
    let mut declare = Declare { program: Program::default(), schemas, diagnostics };
    declare.program.scopes.resize_with(modules.len(), Scope::default);
    for (scope, module) in modules.iter().enumerate() {
        for (_, file) in &module.files {
            for item in &file.items {
                let item = instead.filter(|(span, _)| *span == item.span).map_or(item, |(_, other)| other);
                declare.item(scope, item, module);
            }
        }
    }
    declare.program
}

struct Declare<'a, 'd> {
    program: Program<'a>,
    schemas: &'d SchemaSet,
    diagnostics: &'d mut Vec<Diagnostic>,
}

impl<'a> Declare<'a, '_> {
    fn item(&mut self, scope: usize, item: &'a Item, module: &ModuleInput) {
        let program = &mut self.program;
        match &item.kind {
            ItemKind::Import(ast) => {
                let target = import(ast, module);
                program.imports.push(target);
                let def = Def::Import(program.imports.len() - 1);
                if let Some((name, span)) = super::imports::alias(ast) {
                    self.value_text(scope, name, span, def);
                }
            }
            ItemKind::Param(ast) => {
                let id = ParamId::of(program.params.len());
                program.params.push(Decl { ast, item, scope });
                self.within(scope, |s| s.params.push(id));
                self.value(scope, &ast.name, Def::Param(id));
            }
            ItemKind::Let(ast) => {
                let id = LetId::of(program.lets.len());
                program.lets.push(Decl { ast, item, scope });
                self.value(scope, &ast.name, Def::Let(id));
            }
            ItemKind::Fn(ast) => {
                let id = FnId::of(program.fns.len());
                program.fns.push(Decl { ast, item, scope });
                self.value(scope, &ast.name, Def::Fn(id));
            }
            ItemKind::Node(ast) => {
                let id = NodeId::of(program.nodes.len());
                program.nodes.push(Decl { ast: &**ast, item, scope });
                self.within(scope, |s| s.nodes.push(id));
                self.value(scope, &ast.name, Def::Node(id));
            }
            ItemKind::Type(ast) => {
                let id = program.types.len();
                program.types.push(Decl { ast, item, scope });
                self.ty(scope, &ast.name, TypeDef::Type(id));
            }
            ItemKind::Component(ast) => {
                let id = ComponentId::of(program.components.len());
                program.components.push(Decl { ast, item, scope });
                let inner = program.scopes.len();
                program.component_scopes.push(inner);
                program.scopes.push(Scope { parent: Some(scope), component: Some(id), ..Scope::default() });
                self.ty(scope, &ast.name, TypeDef::Component(id));
                ast.items.iter().for_each(|item| self.item(inner, item, module));
            }
            ItemKind::Output(ast) => {
                let earlier = self
                    .program
                    .scopes
                    .get(scope)
                    .and_then(|s| s.outputs.iter().find(|(o, _)| o.name.text == ast.name.text));
                if let Some((first, _)) = earlier {
                    self.diagnostics.push(names::duplicate(&ast.name.text, ast.name.span, Some(first.name.span)));
                } else {
                    self.within(scope, |s| s.outputs.push((ast, item)));
                }
            }
            ItemKind::Assert(ast) => self.within(scope, |s| s.asserts.push((ast, item.span))),
            ItemKind::Environment(ast) => self.within(scope, |s| s.environments.push((ast, item.span))),
            ItemKind::Test(ast) => self.within(scope, |s| s.tests.push((ast, item.span))),
            ItemKind::Provider(ast) => {
                if !self.schemas.providers.contains_key(ast.kind.as_str()) {
                    let known = self.schemas.providers.keys().map(|name| &**name);
                    self.diagnostics.push(providers::unknown(ast.kind.as_str(), ast.kind.span, known));
                    self.value(scope, &ast.name, Def::Broken);
                    return;
                }
                let name = ast.name.as_str();
                let taken = self.program.scopes.get(scope).and_then(|here| {
                    let provider = here.providers.iter().find(|p| p.name.as_str() == name).map(|p| p.name.span);
                    provider.or_else(|| here.values.get(name).map(|(_, span)| *span))
                });
                match taken {
                    Some(first) => self.diagnostics.push(names::duplicate(name, ast.name.span, Some(first))),
                    None => self.within(scope, |s| s.providers.push(ast)),
                }
            }
            ItemKind::Error(Some(name)) => {
                self.within(scope, |s| {
                    s.values.add(name.as_str(), (Def::Broken, name.span));
                    s.types.entry(name.as_str()).or_insert((TypeDef::Broken, name.span));
                });
            }
            ItemKind::Error(None) => {}
        }
    }

    fn within(&mut self, scope: usize, change: impl FnOnce(&mut Scope<'a>)) {
        if let Some(scope) = self.program.scopes.get_mut(scope) {
            change(scope);
        }
    }

    fn value(&mut self, scope: usize, name: &'a Name, def: Def) {
        self.value_text(scope, name.as_str(), name.span, def);
    }

    fn value_text(&mut self, scope: usize, name: &'a str, span: Span, def: Def) {
        let Some(here) = self.program.scopes.get_mut(scope) else { return };
        match here.values.get(name).copied() {
            Some((Def::Broken, _)) | None => {
                here.values.insert(name, (def, span));
            }
            Some((_, first)) => self.diagnostics.push(names::duplicate(name, span, Some(first))),
        }
    }

    fn ty(&mut self, scope: usize, name: &'a Name, def: TypeDef) {
        let text = name.as_str();
        if self.schemas.get(text).is_some() {
            self.diagnostics.push(names::duplicate(text, name.span, None));
            // What uses it is no mistake of its own.
            self.within(scope, |s| _ = s.types.entry(text).or_insert((TypeDef::Broken, name.span)));
            return;
        }
        let Some(here) = self.program.scopes.get_mut(scope) else { return };
        match here.types.get(text).copied() {
            Some((TypeDef::Broken, _)) | None => {
                here.types.insert(text, (def, name.span));
            }
            Some((_, first)) => self.diagnostics.push(names::duplicate(text, name.span, Some(first))),
        }
    }
}
