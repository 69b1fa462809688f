//! Literals: numbers, quantities, strings with their holes, and keys.

use super::{Failure, Rule, Source, span_of, text_of};
use crate::ast::{Expr, ExprKind, Key, KeyKind, StrForm, StrLit, StrPart};
use crate::number;
use crate::string::{Piece, dedent, unescape};
use crate::token::Tok;
use chumsky::prelude::*;
use imm_ir::Span;

/// A literal that is one token, its text and where.
pub(super) fn value(kind: Tok, text: &str, span: Span) -> ExprKind {
    match kind {
        Tok::Int => number::int(text).map_or(ExprKind::Error, ExprKind::Int),
        Tok::Float => number::float(text).map_or(ExprKind::Error, ExprKind::Float),
        Tok::Quantity => number::quantity(text).map_or(ExprKind::Error, ExprKind::Quantity),
        Tok::True => ExprKind::Bool(true),
        Tok::False => ExprKind::Bool(false),
        Tok::None => ExprKind::None,
        Tok::Str | Tok::RawStr => ExprKind::Str(simple(kind, text, span)),
        _ => ExprKind::Error,
    }
}

pub(super) fn is_literal(kind: Tok) -> bool {
    matches!(
        kind,
        Tok::Int
            | Tok::Float
            | Tok::Quantity
            | Tok::True
            | Tok::False
            | Tok::None
            | Tok::Str
            | Tok::RawStr
            | Tok::Error
    )
}

/// A string that is one token: it has neither escapes nor holes.
fn simple(kind: Tok, text: &str, span: Span) -> StrLit {
    let (form, prefix) = if kind == Tok::RawStr { (StrForm::Raw, 2) } else { (StrForm::Plain, 1) };
    let inner = text.get(prefix..text.len().saturating_sub(1)).unwrap_or("");
    let inner_span = Span::new(span.file, span.range().start + prefix, span.range().start + prefix + inner.len());
    let parts =
        if inner.is_empty() { Vec::new() } else { vec![StrPart::Text { text: inner.into(), span: inner_span }] };
    StrLit { parts, form, span }
}

/// Any form of string.
pub(super) fn string<'a, E: Failure<'a>>(expr: Rule<'a, Expr, E>) -> Rule<'a, StrLit, E> {
    let one = any().filter(|t| matches!(t, Tok::Str | Tok::RawStr)).map_with(|kind, e| {
        let (text, span) = text_of(e);
        simple(kind, text, span)
    });
    choice((one, parts(expr))).labelled("a string").boxed()
}

enum Part {
    Text(Span),
    Hole(Expr),
}

/// A string of several tokens.
pub(super) fn parts<'a, E: Failure<'a>>(expr: Rule<'a, Expr, E>) -> Rule<'a, StrLit, E> {
    let text = just(Tok::StrText).map_with(|_, e| Part::Text(span_of(e)));
    let hole = just(Tok::HoleOpen).ignore_then(expr).then_ignore(just(Tok::HoleClose)).map(Part::Hole);
    just(Tok::StrOpen)
        .map_with(|_, e| span_of(e))
        .then(choice((text, hole)).repeated().collect::<Vec<_>>())
        .then_ignore(just(Tok::StrClose))
        .map_with(|(open, parts), e| {
            let span = span_of(e);
            build(&e.state().0, open, parts, span)
        })
        .boxed()
}

fn build(source: &Source<'_>, open: Span, parts: Vec<Part>, span: Span) -> StrLit {
    let multiline = open.end - open.start == 3;
    let raw = |part: &Part| match part {
        Part::Text(span) => source.text.get(span.range()),
        Part::Hole(_) => None,
    };
    let mut texts = if multiline {
        dedent(&parts.iter().map(|p| raw(p).map_or(Piece::Hole, Piece::Text)).collect::<Vec<_>>())
    } else {
        parts.iter().map(|p| unescape(raw(p).unwrap_or("")).into_owned()).collect()
    }
    .into_iter();
    let mut out = Vec::with_capacity(parts.len());
    for part in parts {
        let text = texts.next().unwrap_or_default();
        match part {
            Part::Text(_) if text.is_empty() => {}
            Part::Text(span) => out.push(StrPart::Text { text: text.into(), span }),
            Part::Hole(expr) => out.push(StrPart::Hole(expr)),
        }
    }
    StrLit { parts: out, form: if multiline { StrForm::Multiline } else { StrForm::Plain }, span }
}

/// A key of a block or of a record type.
pub(super) fn key<'a, E: Failure<'a>>(expr: Rule<'a, Expr, E>) -> Rule<'a, Key, E> {
    let word = any().filter(|t: &Tok| t.is_word() || *t == Tok::Upper).map_with(|_, e| {
        let (text, span) = text_of(e);
        Key { kind: KeyKind::Name(text.into()), span }
    });
    let text = string(expr.clone()).map(|s| Key { span: s.span, kind: KeyKind::Str(s) });
    let computed = expr
        .delimited_by(just(Tok::LBracket), just(Tok::RBracket))
        .map_with(|e, extra| Key { kind: KeyKind::Computed(Box::new(e)), span: span_of(extra) });
    choice((word, text, computed)).labelled("a field").boxed()
}
