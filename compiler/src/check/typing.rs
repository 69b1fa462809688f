//! Types as they are written to [`Type`]s.

use super::checker::{Checker, Cx, Slot};
use super::facts::{Cursor, Symbol};
use crate::diagnose::{blocks, mismatch::Place, names};
use crate::hir::{LocalId, Refinement, RefinementId};
use crate::resolve::cycles::Vertex;
use crate::resolve::{Def, Import, TypeDef};
use imm_ir::{Diagnostic, FieldType, RecordType, RefinedType, Span, Term, Type, VariantCase, VariantType, code, kinds};
use imm_syntax::ast::{self, KeyKind, TypeDefinition, TypeExpr, TypeKind};
use std::sync::Arc;

const BASIC: [(&str, Type); 12] = [
    ("Bool", Type::Bool),
    ("Int", Type::Int),
    ("Float", Type::Float),
    ("String", Type::String),
    ("Duration", Type::Duration),
    ("Bytes", Type::Bytes),
    ("Ratio", Type::Ratio),
    ("Cpu", Type::Cpu),
    ("Range", Type::Range),
    ("Node", Type::Node),
    ("Target", Type::Target),
    ("Content", Type::Content),
];

impl Checker<'_> {
    /// The type that is written.
    pub fn ty(&mut self, scope: usize, ty: &TypeExpr) -> Type {
        match &ty.kind {
            TypeKind::Late(inner) => Type::late(self.ty(scope, inner)),
            TypeKind::Optional(inner) => match self.ty(scope, inner) {
                Type::Error => Type::Error,
                inner => Type::option(inner),
            },
            TypeKind::List(inner) => Type::list(self.ty(scope, inner)),
            TypeKind::Paren(inner) => self.ty(scope, inner),
            TypeKind::Error => Type::Error,
            TypeKind::Record(fields) => Type::Record(Arc::new(self.record_type(scope, fields))),
            TypeKind::Path { segments, argument } => self.path(scope, segments, argument.as_deref(), ty.span),
        }
    }

    fn path(&mut self, scope: usize, segments: &[ast::Name], argument: Option<&TypeExpr>, span: Span) -> Type {
        match (segments, argument) {
            ([name], Some(argument)) if matches!(name.as_str(), "Map" | "Secret") => {
                let inner = self.ty(scope, argument);
                self.saw(name.span, || Some(Symbol::Builtin(Arc::from(name.as_str()))));
                match (name.as_str(), inner) {
                    ("Map", inner) => Type::map(inner),
                    // `Secret[~T]` says the same as `~Secret[T]`.
                    (_, Type::Late(inner)) => Type::late(Type::secret((*inner).clone())),
                    (_, inner) => Type::secret(inner),
                }
            }
            ([name], None) if matches!(name.as_str(), "Map" | "Secret") => {
                let text = format!("`{name}` needs the type of what is inside");
                let help = format!("write `{name}[String]`");
                self.report(Diagnostic::error(code::TYPE_MISMATCH, span, text).label("of what?").help(help));
                Type::Error
            }
            ([name], None) => self.named(scope, scope, name),
            ([alias, name], None) => match self.program.value(scope, alias.as_str()) {
                Some((def @ Def::Import(import), _)) => {
                    self.mark(def);
                    self.saw(alias.span, || Some(Symbol::Import(import)));
                    match self.program.imports.get(import) {
                        Some(Import::Module(module)) => {
                            let module = *module;
                            self.at_cursor(name.as_str(), || Cursor::Module { module, kinds: true });
                            self.named(scope, module, name)
                        }
                        Some(Import::Missing) | None => Type::Error,
                    }
                }
                Some((Def::Broken, _)) => Type::Error,
                _provider if self.schema(&format!("{alias}.{name}")).is_some() => {
                    Type::handle(&format!("{alias}.{name}"))
                }
                _other => {
                    let known = self.program.value_names(scope);
                    self.report(names::unknown(code::UNKNOWN_NAME, "import", alias.as_str(), alias.span, known));
                    Type::Error
                }
            },
            (_, Some(argument)) => {
                let before = self.found.len();
                self.ty(scope, argument);
                self.found.truncate(before);
                let text = "only `Map` and `Secret` take a type in brackets";
                let inner = self.text(argument.span);
                let inner = imm_syntax::own_type(inner).unwrap_or(inner);
                let name = segments.last().map_or("", ast::Name::as_str);
                let diagnostic = Diagnostic::error(code::TYPE_MISMATCH, span, text).label("takes none");
                let help = imm_syntax::type_of_types(name, inner);
                self.report(match help {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic,
                });
                Type::Error
            }
            _longer => {
                self.report(Diagnostic::error(code::UNKNOWN_NAME, span, "no type has a name of so many parts"));
                Type::Error
            }
        }
    }

    /// A type by its name as `target` declares it, for use in `from`.
    fn named(&mut self, from: usize, target: usize, name: &ast::Name) -> Type {
        let word = name.as_str();
        if from == target {
            self.at_cursor(word, || Cursor::Type(from));
        }
        self.saw_type_name(target, name);
        match self.program.ty(target, word) {
            Some((TypeDef::Type(index), declared)) => {
                self.public_only(from, target, index_is_public(self, TypeDef::Type(index)), word, name.span, declared);
                self.declared_type(index)
            }
            Some((TypeDef::Component(id), declared)) => {
                self.public_only(
                    from,
                    target,
                    index_is_public(self, TypeDef::Component(id)),
                    word,
                    name.span,
                    declared,
                );
                Type::Component(self.component_name(id))
            }
            Some((TypeDef::Broken, _)) => Type::Error,
            None => {
                if let Some((_, ty)) = BASIC.iter().find(|(basic, _)| *basic == word) {
                    return ty.clone();
                }
                if let Some(ty) = kinds::types().get(word) {
                    return ty.clone();
                }
                if self.schema(word).is_some() {
                    return Type::handle(word);
                }
                let mut known = self.program.type_names(target);
                known.extend(BASIC.iter().map(|(basic, _)| *basic));
                known.extend(["Map", "Secret"]);
                known.extend(kinds::types().keys());
                known.extend(self.schemas.kinds.keys().map(|kind| &**kind));
                let diagnostic = names::unknown(code::UNKNOWN_NAME, "type", word, name.span, known);
                self.report(match imm_syntax::own_type(word) {
                    Some(own) => names::written(diagnostic, name.span, own),
                    None => diagnostic,
                });
                Type::Error
            }
        }
    }

    /// Notes what a type's name means in a scope.
    pub fn saw_type_name(&mut self, scope: usize, name: &ast::Name) {
        if self.facts.is_none() {
            return;
        }
        let word = name.as_str();
        let symbol = match self.program.ty(scope, word) {
            Some((TypeDef::Type(index), _)) => Some(Symbol::Type(index)),
            Some((TypeDef::Component(id), _)) => Some(Symbol::Component(id)),
            Some((TypeDef::Broken, _)) => None,
            None if BASIC.iter().any(|(basic, _)| *basic == word) || kinds::types().get(word).is_some() => {
                Some(Symbol::Builtin(Arc::from(word)))
            }
            None => self.schema(word).map(|schema| Symbol::Kind(Arc::clone(&schema.name))),
        };
        self.saw(name.span, || symbol);
    }

    /// The names of the types that are built in, kinds left out.
    pub fn builtin_types() -> impl Iterator<Item = &'static str> {
        BASIC.iter().map(|(name, _)| *name).chain(["Map", "Secret"]).chain(kinds::types().keys().copied())
    }

    /// The variant type (or any other) with this name in a scope, if there is one; reports nothing.
    pub fn type_by_name(&mut self, scope: usize, word: &str) -> Option<Type> {
        match self.program.ty(scope, word) {
            Some((TypeDef::Type(index), _)) => Some(self.declared_type(index)),
            Some((TypeDef::Broken, _)) => Some(Type::Error),
            Some((TypeDef::Component(_), _)) => None,
            None => kinds::types().get(word).cloned(),
        }
    }

    /// Every variant type a scope sees, by name.
    pub fn variant_types(&mut self, scope: usize) -> Vec<Type> {
        let names = self.program.type_names(scope);
        let mut all: Vec<Type> = names.iter().filter_map(|name| self.type_by_name(scope, name)).collect();
        all.extend(kinds::types().values().cloned());
        all.retain(|ty| matches!(ty, Type::Variant(_)));
        all
    }

    /// Reports the use of something that another module keeps to itself.
    pub fn public_only(&mut self, from: usize, target: usize, public: bool, word: &str, span: Span, declared: Span) {
        if public || self.program.module_of(from) == self.program.module_of(target) {
            return;
        }
        let text = format!("`{word}` is not `pub` in its module");
        self.report(
            Diagnostic::error(code::UNKNOWN_NAME, span, text)
                .label("cannot be used from here")
                .also(declared, "declared here")
                .help(format!("write `pub` before the declaration of `{word}`")),
        );
    }

    /// The type of a declaration, made when first needed.
    pub fn declared_type(&mut self, index: usize) -> Type {
        match self.types.get(index) {
            Some(Slot::Done(ty)) => return ty.clone(),
            Some(Slot::Empty) => {}
            Some(Slot::Busy) | None => {
                if let Some(decl) = self.program.types.get(index) {
                    let name = &decl.ast.name;
                    let text = format!("type `{name}` contains itself");
                    let diagnostic = Diagnostic::error(code::DEPENDENCY_CYCLE, name.span, text)
                        .label("values of this type would never end")
                        .help("use a list or map of a type that does not contain it");
                    self.report(diagnostic);
                }
                return Type::Error;
            }
        }
        if let Some(slot) = self.types.get_mut(index) {
            *slot = Slot::Busy;
        }
        let Some((ast, item, scope)) = self.program.types.get(index).map(|decl| (decl.ast, decl.item, decl.scope))
        else {
            return Type::Error;
        };
        let ty = match &ast.definition {
            TypeDefinition::Variants(variants) => self.variants(scope, ast, variants),
            TypeDefinition::Alias { ty, predicate } => {
                let before = self.found.len();
                let base = self.ty(scope, ty);
                if let (Type::Error, TypeKind::Path { segments, argument: None }) = (&base, &ty.kind)
                    && let [name] = segments.as_slice()
                    && name.as_str().starts_with(|c: char| c.is_ascii_lowercase())
                    && let Some(unknown) = self.found.get_mut(before)
                {
                    names::maybe_a_variant(unknown, name.as_str(), name.span);
                }
                match predicate {
                    Some(predicate) => {
                        self.refined(scope, ast.name.as_str(), super::items::docs(item), base, predicate)
                    }
                    None => base,
                }
            }
        };
        let ty = if crate::types::is_too_large(&ty) {
            let text = format!("type `{}` has more than {} parts", ast.name, crate::types::MOST);
            let diagnostic = Diagnostic::error(code::BUDGET_EXCEEDED, ast.name.span, text);
            self.report(diagnostic.help("hold less in one value: use maps, or name parts by their keys"));
            Type::Error
        } else {
            ty
        };
        if let Some(slot) = self.types.get_mut(index) {
            *slot = Slot::Done(ty.clone());
        }
        ty
    }

    fn variants(&mut self, scope: usize, ast: &ast::TypeDecl, variants: &[ast::Variant]) -> Type {
        let mut cases: Vec<VariantCase> = Vec::new();
        for variant in variants {
            let tag: Arc<str> = Arc::from(variant.name.as_str());
            if cases.iter().any(|case| case.tag == tag) {
                let first = variants.iter().find(|v| v.name.text == variant.name.text).map(|v| v.name.span);
                self.report(names::duplicate(&tag, variant.name.span, first));
                continue;
            }
            let payload = self.record_type(scope, variant.payload.as_deref().unwrap_or_default());
            cases.push(VariantCase { tag, payload });
        }
        Type::Variant(Arc::new(VariantType { name: Arc::from(ast.name.as_str()), variants: cases }))
    }

    fn record_type(&mut self, scope: usize, fields: &[ast::TypeField]) -> RecordType {
        let mut done: Vec<(FieldType, Span)> = Vec::new();
        for field in fields {
            let ty = self.ty(scope, &field.ty);
            let name: Arc<str> = match &field.key.kind {
                KeyKind::Name(word) => Arc::from(word.as_str()),
                KeyKind::Str(text) if text.plain().is_some() => Arc::from(text.plain().unwrap_or_default()),
                KeyKind::Str(_) | KeyKind::Computed(_) => {
                    self.report(blocks::bad_key("a record type", field.key.span));
                    continue;
                }
            };
            if let Some((_, first)) = done.iter().find(|(f, _)| f.name == name) {
                let first = *first;
                self.report(blocks::duplicate_key(&name, field.key.span, first));
                continue;
            }
            done.push((FieldType { name, ty, default: None }, field.key.span));
        }
        RecordType { fields: done.into_iter().map(|(field, _)| field).collect() }
    }

    /// `base where predicate`. The marks and optionality of the base stay outside: a condition speaks of the value.
    pub fn refined(
        &mut self,
        scope: usize,
        name: &str,
        docs: Option<Arc<str>>,
        base: Type,
        predicate: &ast::Expr,
    ) -> Type {
        match &base {
            Type::Error => return Type::Error,
            Type::Late(inner) => return Type::late(self.refined(scope, name, docs, (**inner).clone(), predicate)),
            Type::Secret(inner) => return Type::secret(self.refined(scope, name, docs, (**inner).clone(), predicate)),
            Type::Option(inner) => return Type::option(self.refined(scope, name, docs, (**inner).clone(), predicate)),
            _plain => {}
        }
        let id = RefinementId::of(self.refinements.len());
        self.refinements.push(None);
        let name: Arc<str> = Arc::from(name);
        let mut cx = Cx::closed(scope, Vertex::End, "a condition");
        let it = ast::Name { text: "it".into(), span: predicate.span };
        let local: LocalId = self.bind(&mut cx, &it, base.clone(), None);
        let condition = self.check(&mut cx, predicate, &Type::Bool, Place::Value);
        let lines = self.text(predicate.span).lines().map(str::trim).collect::<Vec<_>>();
        let text: Arc<str> = Arc::from(lines.join(" "));
        let (name_too, text_too, span) = (Arc::clone(&name), Arc::clone(&text), predicate.span);
        let refinement = Refinement { name: name_too, docs, it: local, condition, text: text_too, span };
        if let Some(slot) = self.refinements.get_mut(id.index()) {
            *slot = Some(refinement);
        }
        Type::Refined(Arc::new(RefinedType { name, base, holds: Term::Var(id.0), text }))
    }
}

fn index_is_public(checker: &Checker<'_>, def: TypeDef) -> bool {
    match def {
        TypeDef::Type(index) => checker.program.types.get(index).is_some_and(|d| d.item.public.is_some()),
        TypeDef::Component(id) => checker.program.components.get(id.index()).is_some_and(|d| d.item.public.is_some()),
        TypeDef::Broken => true,
    }
}
