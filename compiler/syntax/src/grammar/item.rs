//! Items of a file, of a component and of a test.

use super::list::Separator;
use super::wanted::Label;
use super::{Grammar, Made, Stuck, is_name};
use crate::ast::{
    Assert, Component, Docs, Environment, Expr, FnDecl, FnParam, Import, ImportPath, Item, ItemKind, Let, Name, Node,
    NodeHead, NodeKeyword, Output, Param, Provider, Step, StepKind, Test, TypeDecl, TypeDefinition, TypeExpr, Variant,
};
use crate::layout::doc_text;
use crate::token::Tok;

/// What starts an item that may stand anywhere, in a component too.
const INNER: [Tok; 10] = [
    Tok::Resource,
    Tok::Durable,
    Tok::Pointer,
    Tok::External,
    Tok::Use,
    Tok::Param,
    Tok::Let,
    Tok::Output,
    Tok::Assert,
    Tok::Error,
];
/// What `pub` may stand before.
const PUBLIC: [Tok; 4] = [Tok::Type, Tok::Fn, Tok::Let, Tok::Component];

impl<const EXPLAINS: bool> Grammar<'_, EXPLAINS> {
    /// One item of a file with its docs.
    pub(super) fn item(&mut self) -> Made<Item> {
        let docs = self.docs();
        let start = self.at;
        self.labelled(Label::Item, |g| {
            let public = if g.take(Tok::Pub) { Some(g.span_from(start)) } else { None };
            if public.is_some() {
                g.one_of(&PUBLIC)?;
            }
            let kind = g.item_kind()?;
            Ok(Item { docs, public, kind, span: g.span_from(start) })
        })
    }

    fn component_item(&mut self) -> Made<Item> {
        self.labelled(Label::ComponentItem, |g| {
            let docs = g.docs();
            let start = g.at;
            g.one_of(&INNER)?;
            let kind = g.item_kind()?;
            Ok(Item { docs, public: None, kind, span: g.span_from(start) })
        })
    }

    /// Stays where it is, if one of these is next.
    fn one_of(&mut self, kinds: &[Tok]) -> Made<()> {
        if self.peek().is_some_and(|next| kinds.contains(&next)) {
            return Ok(());
        }
        for kind in kinds {
            self.want_token(self.at, *kind);
        }
        Err(Stuck)
    }

    fn docs(&mut self) -> Option<Docs> {
        let start = self.at;
        while self.take(Tok::Doc) {}
        if self.at == start {
            return None;
        }
        let span = self.span_from(start);
        let lines = self.text.get(span.range()).unwrap_or("").lines().map(str::trim_start);
        Some(Docs { text: doc_text(lines.filter(|line| line.starts_with("///"))).into(), span })
    }

    fn item_kind(&mut self) -> Made<ItemKind> {
        let keyword = self.peek().ok_or(Stuck)?;
        if let Some(keyword) = node_keyword(keyword) {
            return self.node(keyword);
        }
        let rule = match keyword {
            Tok::Param => Self::param,
            Tok::Let => Self::binding_item,
            Tok::Output => Self::output,
            Tok::Assert => Self::assert,
            Tok::Error => Self::broken,
            Tok::Type => Self::type_decl,
            Tok::Fn => Self::function,
            Tok::Component => Self::component,
            Tok::Import => Self::import,
            Tok::Provider => Self::provider,
            Tok::Environment => Self::environment,
            Tok::Test => Self::test,
            _other => return Err(Stuck),
        };
        self.at += 1;
        rule(self)
    }

    /// `= EXPR`
    pub(super) fn value(&mut self) -> Made<Expr> {
        self.expect(Tok::Assign)?;
        self.expr()
    }

    /// `: TYPE`
    pub(super) fn annotation(&mut self) -> Made<TypeExpr> {
        self.expect(Tok::Colon)?;
        self.ty()
    }

    fn optional_annotation(&mut self) -> Made<Option<TypeExpr>> {
        if self.take(Tok::Colon) { self.ty().map(Some) } else { Ok(None) }
    }

    /// The expression after a word, if the word is there.
    fn clause(&mut self, word: Tok) -> Made<Option<Expr>> {
        if self.take(word) { self.expr().map(Some) } else { Ok(None) }
    }

    /// What the repair of an item leaves: [`Tok::Error`] and the name, if it could be read.
    fn broken(&mut self) -> Made<ItemKind> {
        let name = self.word(Label::Name, |kind| is_name(kind) || kind == Tok::Upper);
        Ok(ItemKind::Error(name.ok()))
    }

    fn node(&mut self, keyword: NodeKeyword) -> Made<ItemKind> {
        let start = self.at;
        self.at += 1;
        let keyword_span = self.span_from(start);
        let name = self.name()?;
        let head = if self.peek() == Some(Tok::For) {
            NodeHead::For(Box::new(self.for_head()?))
        } else {
            self.want_token(self.at, Tok::For);
            self.clause(Tok::If)?.map_or(NodeHead::One, |condition| NodeHead::If(Box::new(condition)))
        };
        self.expect(Tok::Assign)?;
        if self.take(Tok::Error) {
            return Ok(ItemKind::Error(Some(name)));
        }
        let kind = self.labelled(Label::Kind, |g| {
            let mut path = vec![g.name()?];
            while g.take(Tok::Dot) {
                path.push(g.member()?);
            }
            Ok(path)
        })?;
        let fields = self.block()?;
        let with = if self.take(Tok::With) { Some(self.block()?) } else { None };
        Ok(ItemKind::Node(Box::new(Node { keyword, keyword_span, name, head, kind, fields, with })))
    }

    fn param(&mut self) -> Made<ItemKind> {
        let name = self.name()?;
        let ty = self.annotation()?;
        let default = self.clause(Tok::Assign)?;
        let predicate = self.clause(Tok::Where)?;
        Ok(ItemKind::Param(Param { name, ty, default, predicate }))
    }

    /// The name, annotation and value of a `let` or an `output`.
    fn declared(&mut self) -> Made<(Name, Option<TypeExpr>, Expr)> {
        Ok((self.name()?, self.optional_annotation()?, self.value()?))
    }

    fn binding_item(&mut self) -> Made<ItemKind> {
        let (name, ty, value) = self.declared()?;
        Ok(ItemKind::Let(Let { name, ty, value }))
    }

    fn output(&mut self) -> Made<ItemKind> {
        let (name, ty, value) = self.declared()?;
        Ok(ItemKind::Output(Output { name, ty, value }))
    }

    fn assert(&mut self) -> Made<ItemKind> {
        let condition = self.expr()?;
        self.expect(Tok::Else)?;
        let message = self.labelled(Label::Str, Self::string)?;
        Ok(ItemKind::Assert(Assert { condition, message }))
    }

    fn type_decl(&mut self) -> Made<ItemKind> {
        let name = self.upper()?;
        self.expect(Tok::Assign)?;
        // Variants if the next is `|`, or a name and then `|` or `{`.
        let named = self.peek().is_some_and(is_name) && matches!(self.ahead(1), Some(Tok::Pipe | Tok::LBrace));
        let definition = if self.take(Tok::Pipe) || named {
            TypeDefinition::Variants(self.chain(Tok::Pipe, Self::variant)?)
        } else {
            if !self.peek().is_some_and(is_name) {
                self.want(Label::Name);
            }
            TypeDefinition::Alias { ty: self.ty()?, predicate: self.clause(Tok::Where)? }
        };
        Ok(ItemKind::Type(TypeDecl { name, definition }))
    }

    fn variant(&mut self) -> Made<Variant> {
        let start = self.at;
        let name = self.name()?;
        let payload = if self.peek() == Some(Tok::LBrace) {
            Some(self.record()?)
        } else {
            self.want_token(self.at, Tok::LBrace);
            None
        };
        Ok(Variant { name, payload, span: self.span_from(start) })
    }

    fn function(&mut self) -> Made<ItemKind> {
        let name = self.name()?;
        self.expect(Tok::LParen)?;
        let params = self.elements(Separator::Comma, Tok::RParen, |g| {
            let name = g.name()?;
            let ty = g.annotation()?;
            Ok(FnParam { name, ty })
        })?;
        self.expect(Tok::Arrow)?;
        let result = self.ty()?;
        let body = self.value()?;
        Ok(ItemKind::Fn(FnDecl { name, params, result, body }))
    }

    fn component(&mut self) -> Made<ItemKind> {
        let name = self.name()?;
        self.expect(Tok::LBrace)?;
        let items = self.elements(Separator::NewLine, Tok::RBrace, Self::component_item)?;
        Ok(ItemKind::Component(Component { name, items }))
    }

    fn import(&mut self) -> Made<ItemKind> {
        let path = if self.peek().is_some_and(is_name) {
            ImportPath::Module(self.chain(Tok::Dot, Self::name)?)
        } else {
            self.want(Label::Name);
            ImportPath::Folder(self.labelled(Label::Str, Self::string)?)
        };
        let alias = if self.take(Tok::As) { Some(self.name()?) } else { None };
        Ok(ItemKind::Import(Import { path, alias }))
    }

    fn provider(&mut self) -> Made<ItemKind> {
        let name = self.name()?;
        self.expect(Tok::Assign)?;
        let kind = self.name()?;
        let fields = self.block()?;
        Ok(ItemKind::Provider(Provider { name, kind, fields }))
    }

    fn environment(&mut self) -> Made<ItemKind> {
        let name = self.name()?;
        let fields = self.block()?;
        Ok(ItemKind::Environment(Environment { name, fields }))
    }

    fn test(&mut self) -> Made<ItemKind> {
        let name = self.labelled(Label::Str, Self::string)?;
        self.expect(Tok::LBrace)?;
        let steps = self.elements(Separator::NewLine, Tok::RBrace, Self::step)?;
        Ok(ItemKind::Test(Test { name, steps }))
    }

    fn step(&mut self) -> Made<Step> {
        let start = self.at;
        let Some(keyword) = self.peek() else {
            self.want(Label::Step);
            return Err(Stuck);
        };
        self.at += 1;
        let kind = match keyword {
            Tok::Given => StepKind::Given(self.block()?),
            Tok::Apply => StepKind::Apply,
            Tok::Rollback => StepKind::Rollback,
            Tok::Recover => StepKind::Recover,
            Tok::Fault => StepKind::Fault { kind: self.name()?, fields: self.block()? },
            Tok::Sample => StepKind::Sample { pointer: self.name()?, fields: self.block()? },
            Tok::Expect => StepKind::Expect(self.expr()?),
            Tok::Error => StepKind::Error,
            _other => {
                self.at = start;
                self.want(Label::Step);
                return Err(Stuck);
            }
        };
        Ok(Step { kind, span: self.span_from(start) })
    }
}

fn node_keyword(kind: Tok) -> Option<NodeKeyword> {
    Some(match kind {
        Tok::Resource => NodeKeyword::Resource,
        Tok::Durable => NodeKeyword::Durable,
        Tok::Pointer => NodeKeyword::Pointer,
        Tok::External => NodeKeyword::External,
        Tok::Use => NodeKeyword::Use,
        _other => return None,
    })
}
