//! What the checker saw where: which word means what, the type of every expression, the fields a block may have, and
//! what stands at the cursor. Kept only for tools that point at places of a program (`crate::ide`); a plain check
//! records nothing. Broken code leaves its facts too: they are noted before it is known whether all is well.

use super::checker::{Checker, Cx};
use super::fields::FieldSpec;
use crate::hir::{ComponentId, FnId, LetId, LocalId, NodeId, ParamId};
use crate::resolve::Def;
use imm_ir::builtin::Signature;
use imm_ir::{Span, Type, VariantType};
use imm_syntax::ast::{self, BlockBody, EntryKind, KeyKind};
use std::sync::Arc;

/// The word that stands for what is about to be typed. No program says it.
pub(crate) const CURSOR: &str = "cursor_is_here_";

/// What a word of a program means.
#[derive(Clone, Debug)]
pub(crate) enum Symbol {
    Param(ParamId),
    Let(LetId),
    Fn(FnId),
    Node(NodeId),
    Component(ComponentId),
    /// An index into the program's types.
    Type(usize),
    /// An index into the program's imports.
    Import(usize),
    Local(LocalId),
    /// The output with this name in a scope.
    Output(usize, Arc<str>),
    Kind(Arc<str>),
    KindField(Arc<str>, Arc<str>),
    KindOutput(Arc<str>, Arc<str>),
    /// A type that is built in, by name.
    Builtin(Arc<str>),
    Variant(Arc<VariantType>, Arc<str>),
    /// A field of a record, or of something built in that has fields.
    Field(Arc<str>, Type),
    Method(&'static Signature),
    /// A function of a standard module, or one of the content functions by its shown form.
    Function(&'static Signature),
    Content(&'static str),
}

/// What a block's fields are fields of.
#[derive(Clone, Debug)]
pub(crate) enum BlockOf {
    Kind(Arc<str>),
    Component(ComponentId),
    Params(usize),
    Other,
}

/// A field that a block may have.
#[derive(Clone, Debug)]
pub(crate) struct KnownField {
    pub name: Arc<str>,
    pub ty: Type,
    pub required: bool,
}

/// A block whose fields are known.
#[derive(Clone, Debug)]
pub(crate) struct KnownBlock {
    pub span: Span,
    pub of: BlockOf,
    pub fields: Vec<KnownField>,
    pub written: Vec<Arc<str>>,
    /// Something is spread into it, so that nothing is certain to be missing.
    pub spread: bool,
}

/// A call, for signature help.
#[derive(Clone, Debug)]
pub(crate) struct KnownCall {
    pub name: Span,
    pub params: Vec<String>,
    pub result: String,
    pub symbol: Symbol,
}

/// What stands at the cursor.
#[derive(Clone, Debug)]
pub(crate) enum Cursor {
    /// The value of an expression, with the locals that can be seen and the type that is wanted.
    Value { scope: usize, locals: Vec<(Arc<str>, Type)>, want: Option<Type>, tested: bool },
    /// After a dot.
    Member { of: Type, tested: bool },
    /// After the dot of an import alias; `types`: only types and components are meant.
    Module { module: usize, kinds: bool },
    /// After `Type.`
    Variants(Type),
    /// A key of a block.
    Key(KnownBlock),
    /// A type, as a scope sees it.
    Type(usize),
    /// The kind of a node.
    Kind(usize, ast::NodeKeyword),
    /// A pattern for a value of this type.
    Pattern(Type),
    /// One of these words.
    Words(&'static str, Vec<&'static str>),
    /// A pointer of a scope.
    Pointer(usize),
}

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub uses: Vec<(Span, Symbol)>,
    pub types: Vec<(Span, Type)>,
    /// What the place of an expression demands.
    pub wants: Vec<(Span, Type)>,
    pub locals: Vec<(LocalId, Arc<str>, Span, Type)>,
    pub blocks: Vec<KnownBlock>,
    pub calls: Vec<KnownCall>,
    /// Words that are a field's name and its value in one, as the field. (As the value they are in `uses`.)
    pub shorts: Vec<(Span, Symbol)>,
    pub cursor: Option<Cursor>,
}

/// What a definition of the namespace of values is as a symbol.
pub(crate) fn symbol(def: Def) -> Option<Symbol> {
    match def {
        Def::Param(id) => Some(Symbol::Param(id)),
        Def::Let(id) => Some(Symbol::Let(id)),
        Def::Fn(id) => Some(Symbol::Fn(id)),
        Def::Node(id) => Some(Symbol::Node(id)),
        Def::Import(index) => Some(Symbol::Import(index)),
        Def::Broken => None,
    }
}

impl Checker<'_> {
    /// Notes what a word means.
    pub fn saw(&mut self, span: Span, symbol: impl FnOnce() -> Option<Symbol>) {
        if let Some(facts) = &mut self.facts
            && let Some(symbol) = symbol()
        {
            facts.uses.push((span, symbol));
        }
    }

    /// Notes the type of an expression and what its place demands.
    pub fn saw_type(&mut self, span: Span, ty: &Type, want: Option<&Type>) {
        if let Some(facts) = &mut self.facts {
            facts.types.push((span, ty.clone()));
            if let Some(want) = want.filter(|want| **want != Type::Error) {
                facts.wants.push((span, want.clone()));
            }
        }
    }

    /// Notes a local binding.
    pub fn saw_local(&mut self, id: LocalId, name: &Arc<str>, span: Span, ty: &Type) {
        if let Some(facts) = &mut self.facts {
            facts.locals.push((id, Arc::clone(name), span, ty.clone()));
        }
    }

    /// Notes a word that is the key of a record or map and its value in one.
    pub fn saw_short(&mut self, name: &ast::Name) {
        if let Some(facts) = &mut self.facts {
            facts.shorts.push((name.span, Symbol::Field(Arc::from(name.as_str()), Type::Error)));
        }
    }

    /// Notes a call.
    pub fn saw_call(&mut self, call: impl FnOnce() -> KnownCall) {
        if let Some(facts) = &mut self.facts {
            let call = call();
            facts.uses.push((call.name, call.symbol.clone()));
            facts.calls.push(call);
        }
    }

    /// Notes what stands at the cursor, if this word is the cursor.
    pub fn at_cursor(&mut self, word: &str, what: impl FnOnce() -> Cursor) {
        if word == CURSOR
            && let Some(facts) = &mut self.facts
        {
            facts.cursor = Some(what());
        }
    }

    /// Notes what can be a value at the cursor.
    pub fn value_at_cursor(&mut self, cx: &Cx, word: &str, want: Option<&Type>) {
        self.at_cursor(word, || Cursor::Value {
            scope: cx.scope,
            locals: cx.locals.iter().map(|local| (Arc::clone(&local.name), local.ty.clone())).collect(),
            want: want.filter(|want| **want != Type::Error).cloned(),
            tested: cx.tested,
        });
    }

    /// Notes the fields that a block may have, and which word of it is which.
    pub fn saw_block(&mut self, block: &ast::Block, specs: &[FieldSpec<'_>], of: BlockOf) {
        let Some(facts) = &mut self.facts else { return };
        let BlockBody::Entries(entries) = &block.body else { return };
        let known = |spec: &FieldSpec<'_>| KnownField {
            name: Arc::clone(spec.name),
            ty: spec.ty.clone(),
            required: spec.required,
        };
        let fields: Vec<KnownField> = specs.iter().map(known).collect();
        let mut found = KnownBlock { span: block.span, of, fields, written: Vec::new(), spread: false };
        let mut at_cursor = false;
        for entry in entries {
            let (word, span) = match &entry.kind {
                EntryKind::Field { key: ast::Key { kind: KeyKind::Name(name), span }, .. } => (name.as_str(), *span),
                EntryKind::Short(name) => (name.as_str(), name.span),
                EntryKind::Spread(_) => {
                    found.spread = true;
                    continue;
                }
                EntryKind::Field { .. } | EntryKind::Error => continue,
            };
            at_cursor |= word == CURSOR;
            let Some(field) = found.fields.iter().find(|field| &*field.name == word) else { continue };
            found.written.push(Arc::clone(&field.name));
            let symbol = match &found.of {
                BlockOf::Kind(kind) => Symbol::KindField(Arc::clone(kind), Arc::clone(&field.name)),
                BlockOf::Component(id) => match self.program.param_of(Some(*id), None, word) {
                    Some(param) => Symbol::Param(param),
                    None => continue,
                },
                BlockOf::Params(scope) => match self.program.param_of(None, Some(*scope), word) {
                    Some(param) => Symbol::Param(param),
                    None => continue,
                },
                BlockOf::Other => Symbol::Field(Arc::clone(&field.name), field.ty.clone()),
            };
            match &entry.kind {
                EntryKind::Short(_) => facts.shorts.push((span, symbol)),
                _other => facts.uses.push((span, symbol)),
            }
        }
        if at_cursor {
            facts.cursor = Some(Cursor::Key(found.clone()));
        }
        facts.blocks.push(found);
    }
}
