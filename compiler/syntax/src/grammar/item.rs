//! Items of a file, of a component and of a test.

use super::expr::{block, for_head};
use super::literal::string;
use super::types::record;
use super::{Failure, Rule, expr, name, span_of, text_of, ty, upper, word};
use crate::ast::{
    Assert, Block, Component, Docs, Environment, Expr, FnDecl, FnParam, Import, ImportPath, Item, ItemKind, Let, Name,
    Node, NodeHead, NodeKeyword, Output, Param, Provider, Step, StepKind, StrLit, Test, TypeDecl, TypeDefinition,
    TypeExpr, Variant,
};
use crate::layout::doc_text;
use crate::token::Tok;
use chumsky::prelude::*;
use imm_ir::Span;

/// The rules that items are made of.
struct Parts<'a, E: Failure<'a>> {
    expr: Rule<'a, Expr, E>,
    ty: Rule<'a, TypeExpr, E>,
    block: Rule<'a, Block, E>,
    string: Rule<'a, StrLit, E>,
    name: Rule<'a, Name, E>,
}

impl<'a, E: Failure<'a>> Parts<'a, E> {
    fn value(&self) -> Rule<'a, Expr, E> {
        just(Tok::Assign).ignore_then(self.expr.clone()).boxed()
    }

    fn annotation(&self) -> Rule<'a, TypeExpr, E> {
        just(Tok::Colon).ignore_then(self.ty.clone()).boxed()
    }

    fn predicate(&self) -> Rule<'a, Option<Expr>, E> {
        just(Tok::Where).ignore_then(self.expr.clone()).or_not().boxed()
    }
}

/// One item of a file with its docs.
pub(crate) fn item<'a, E: Failure<'a>>() -> Rule<'a, Item, E> {
    let expr = expr();
    let parts =
        Parts { ty: ty(expr.clone()), block: block(expr.clone()), string: string(expr.clone()), name: name(), expr };
    let inner =
        choice((node(&parts), param(&parts), binding(&parts), output(&parts), assert(&parts), broken())).boxed();
    let public =
        choice((type_decl(&parts), function(&parts), binding(&parts), component(&parts, inner.clone()))).boxed();
    let private = choice((inner, public.clone(), import(&parts), provider(&parts), environment(&parts), test(&parts)));
    let public = just(Tok::Pub).map_with(|_, e| span_of(e)).then(public).map(|(span, kind)| (Some(span), kind));
    documented(choice((public, private.map(|kind| (None, kind)))).labelled("an item").boxed())
        .then_ignore(just(Tok::Newline).or_not())
        .boxed()
}

fn documented<'a, E: Failure<'a>>(rule: Rule<'a, (Option<Span>, ItemKind), E>) -> Rule<'a, Item, E> {
    let docs = just(Tok::Doc).repeated().at_least(1).map_with(|(), e| {
        let (text, span) = text_of(e);
        Docs { text: doc_text(text.lines().map(str::trim_start).filter(|l| l.starts_with("///"))).into(), span }
    });
    let body = rule.map_with(|(public, kind), e| (public, kind, span_of(e)));
    docs.or_not().then(body).map(|(docs, (public, kind, span))| Item { docs, public, kind, span }).boxed()
}

/// What the repair of an item leaves: [`Tok::Error`] and the name, if it could be read.
fn broken<'a, E: Failure<'a>>() -> Rule<'a, ItemKind, E> {
    let any_name = word("a name", |t| t == Tok::Ident || t == Tok::Upper || t.is_contextual());
    just(Tok::Error).ignore_then(any_name.or_not()).map(ItemKind::Error).boxed()
}

fn node<'a, E: Failure<'a>>(parts: &Parts<'a, E>) -> Rule<'a, ItemKind, E> {
    let keyword = choice((
        just(Tok::Resource).to(NodeKeyword::Resource),
        just(Tok::Durable).to(NodeKeyword::Durable),
        just(Tok::Pointer).to(NodeKeyword::Pointer),
        just(Tok::External).to(NodeKeyword::External),
        just(Tok::Use).to(NodeKeyword::Use),
    ))
    .map_with(|keyword, e| (keyword, span_of(e)));
    let each = for_head(parts.expr.clone()).map(|head| NodeHead::For(Box::new(head)));
    let perhaps = just(Tok::If).ignore_then(parts.expr.clone()).map(|e| NodeHead::If(Box::new(e)));
    let head = choice((each, perhaps)).or_not().map(|h| h.unwrap_or(NodeHead::One));
    let kind = parts
        .name
        .clone()
        .then(
            just(Tok::Dot)
                .ignore_then(word("a name", |t| t.is_word() || t == Tok::Upper))
                .repeated()
                .collect::<Vec<_>>(),
        )
        .map(|(first, mut rest)| {
            rest.insert(0, first);
            rest
        })
        .labelled("a kind");
    let with = just(Tok::With).ignore_then(parts.block.clone()).or_not();
    let whole = kind.then(parts.block.clone()).then(with).map(Some);
    let body = choice((whole, just(Tok::Error).to(None)));
    keyword
        .then(parts.name.clone())
        .then(head)
        .then_ignore(just(Tok::Assign))
        .then(body)
        .map(|((((keyword, keyword_span), name), head), body)| match body {
            Some(((kind, fields), with)) => {
                ItemKind::Node(Box::new(Node { keyword, keyword_span, name, head, kind, fields, with }))
            }
            None => ItemKind::Error(Some(name)),
        })
        .boxed()
}

fn param<'a, E: Failure<'a>>(parts: &Parts<'a, E>) -> Rule<'a, ItemKind, E> {
    just(Tok::Param)
        .ignore_then(parts.name.clone())
        .then(parts.annotation())
        .then(parts.value().or_not())
        .then(parts.predicate())
        .map(|(((name, ty), default), predicate)| ItemKind::Param(Param { name, ty, default, predicate }))
        .boxed()
}

fn binding<'a, E: Failure<'a>>(parts: &Parts<'a, E>) -> Rule<'a, ItemKind, E> {
    just(Tok::Let)
        .ignore_then(parts.name.clone())
        .then(parts.annotation().or_not())
        .then(parts.value())
        .map(|((name, ty), value)| ItemKind::Let(Let { name, ty, value }))
        .boxed()
}

fn output<'a, E: Failure<'a>>(parts: &Parts<'a, E>) -> Rule<'a, ItemKind, E> {
    just(Tok::Output)
        .ignore_then(parts.name.clone())
        .then(parts.annotation().or_not())
        .then(parts.value())
        .map(|((name, ty), value)| ItemKind::Output(Output { name, ty, value }))
        .boxed()
}

fn assert<'a, E: Failure<'a>>(parts: &Parts<'a, E>) -> Rule<'a, ItemKind, E> {
    just(Tok::Assert)
        .ignore_then(parts.expr.clone())
        .then_ignore(just(Tok::Else))
        .then(parts.string.clone())
        .map(|(condition, message)| ItemKind::Assert(Assert { condition, message }))
        .boxed()
}

fn type_decl<'a, E: Failure<'a>>(parts: &Parts<'a, E>) -> Rule<'a, ItemKind, E> {
    let payload = record(parts.expr.clone(), parts.ty.clone());
    let variant = parts.name.clone().then(payload.or_not()).map_with(|(name, payload), e| Variant {
        name,
        payload,
        span: span_of(e),
    });
    let variants = variant.separated_by(just(Tok::Pipe)).at_least(1).collect().map(TypeDefinition::Variants);
    // Variants if the next is `|`, or a name and then `|` or `{`.
    let bar = just(Tok::Pipe).or_not();
    let after_name = any().filter(|t: &Tok| matches!(t, Tok::Pipe | Tok::LBrace)).ignored();
    let guard = choice((just(Tok::Pipe).ignored(), parts.name.clone().ignore_then(after_name))).rewind();
    let variants = guard.ignore_then(bar).ignore_then(variants);
    let alias = parts.ty.clone().then(parts.predicate()).map(|(ty, predicate)| TypeDefinition::Alias { ty, predicate });
    just(Tok::Type)
        .ignore_then(upper())
        .then_ignore(just(Tok::Assign))
        .then(choice((variants, alias)))
        .map(|(name, definition)| ItemKind::Type(TypeDecl { name, definition }))
        .boxed()
}

fn function<'a, E: Failure<'a>>(parts: &Parts<'a, E>) -> Rule<'a, ItemKind, E> {
    let param = parts.name.clone().then(parts.annotation()).map(|(name, ty)| FnParam { name, ty });
    let params = param.separated_by(just(Tok::Comma)).allow_trailing().collect();
    just(Tok::Fn)
        .ignore_then(parts.name.clone())
        .then(params.delimited_by(just(Tok::LParen), just(Tok::RParen)))
        .then_ignore(just(Tok::Arrow))
        .then(parts.ty.clone())
        .then(parts.value())
        .map(|(((name, params), result), body)| ItemKind::Fn(FnDecl { name, params, result, body }))
        .boxed()
}

fn component<'a, E: Failure<'a>>(parts: &Parts<'a, E>, inner: Rule<'a, ItemKind, E>) -> Rule<'a, ItemKind, E> {
    let items = documented(inner.map(|kind| (None, kind)).boxed())
        .labelled("an item of a component")
        .separated_by(just(Tok::Newline))
        .allow_trailing()
        .collect();
    just(Tok::Component)
        .ignore_then(parts.name.clone())
        .then(items.delimited_by(just(Tok::LBrace), just(Tok::RBrace)))
        .map(|(name, items)| ItemKind::Component(Component { name, items }))
        .boxed()
}

fn import<'a, E: Failure<'a>>(parts: &Parts<'a, E>) -> Rule<'a, ItemKind, E> {
    let module = parts.name.clone().separated_by(just(Tok::Dot)).at_least(1).collect().map(ImportPath::Module);
    let folder = parts.string.clone().map(ImportPath::Folder);
    just(Tok::Import)
        .ignore_then(choice((module, folder)))
        .then(just(Tok::As).ignore_then(parts.name.clone()).or_not())
        .map(|(path, alias)| ItemKind::Import(Import { path, alias }))
        .boxed()
}

fn provider<'a, E: Failure<'a>>(parts: &Parts<'a, E>) -> Rule<'a, ItemKind, E> {
    just(Tok::Provider)
        .ignore_then(parts.name.clone())
        .then_ignore(just(Tok::Assign))
        .then(parts.name.clone())
        .then(parts.block.clone())
        .map(|((name, kind), fields)| ItemKind::Provider(Provider { name, kind, fields }))
        .boxed()
}

fn environment<'a, E: Failure<'a>>(parts: &Parts<'a, E>) -> Rule<'a, ItemKind, E> {
    just(Tok::Environment)
        .ignore_then(parts.name.clone())
        .then(parts.block.clone())
        .map(|(name, fields)| ItemKind::Environment(Environment { name, fields }))
        .boxed()
}

fn test<'a, E: Failure<'a>>(parts: &Parts<'a, E>) -> Rule<'a, ItemKind, E> {
    let named_block = || parts.name.clone().then(parts.block.clone());
    let step = choice((
        just(Tok::Given).ignore_then(parts.block.clone()).map(StepKind::Given),
        just(Tok::Apply).to(StepKind::Apply),
        just(Tok::Rollback).to(StepKind::Rollback),
        just(Tok::Recover).to(StepKind::Recover),
        just(Tok::Fault).ignore_then(named_block()).map(|(kind, fields)| StepKind::Fault { kind, fields }),
        just(Tok::Sample).ignore_then(named_block()).map(|(pointer, fields)| StepKind::Sample { pointer, fields }),
        just(Tok::Expect).ignore_then(parts.expr.clone()).map(StepKind::Expect),
        just(Tok::Error).to(StepKind::Error),
    ))
    .map_with(|kind, e| Step { kind, span: span_of(e) })
    .labelled("a step of a test");
    let steps = step.separated_by(just(Tok::Newline)).allow_trailing().collect();
    just(Tok::Test)
        .ignore_then(parts.string.clone())
        .then(steps.delimited_by(just(Tok::LBrace), just(Tok::RBrace)))
        .map(|(name, steps)| ItemKind::Test(Test { name, steps }))
        .boxed()
}
