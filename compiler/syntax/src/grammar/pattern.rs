//! Patterns of `match`.

use super::literal::{is_literal, parts, value};
use super::{Failure, Rule, binding, name, separator, span_of, text_of, upper};
use crate::ast::{Expr, ExprKind, Pattern, PatternFields, PatternKind, Quantity};
use crate::token::Tok;
use chumsky::prelude::*;

/// One alternative of an arm.
pub(super) fn pattern<'a, E: Failure<'a>>(expr: Rule<'a, Expr, E>) -> Rule<'a, Pattern, E> {
    let literal = any().filter(|t| is_literal(*t)).map_with(|kind, e| {
        let (text, span) = text_of(e);
        of_literal(value(kind, text, span))
    });
    let negative = just(Tok::Minus).ignore_then(any().filter(|t| is_literal(*t)).map_with(|kind, e| {
        let (text, span) = text_of(e);
        match value(kind, text, span) {
            ExprKind::Int(n) => PatternKind::Int(-n),
            ExprKind::Float(n) => PatternKind::Float(-n),
            ExprKind::Quantity(q) => PatternKind::Quantity(Quantity { amount: -q.amount, ..q }),
            _ => PatternKind::Error,
        }
    }));
    let long_string = parts(expr).map(PatternKind::Str);
    let wildcard = just(Tok::Underscore).to(PatternKind::Wildcard);
    let some = just(Tok::Some)
        .ignore_then(binding().delimited_by(just(Tok::LParen), just(Tok::RParen)))
        .map(PatternKind::Some);
    let rest = just(Tok::DotDot).map_with(|_, e| span_of(e));
    let fields = name()
        .separated_by(separator())
        .allow_trailing()
        .collect()
        .then(rest.or_not())
        .delimited_by(just(Tok::LBrace), just(Tok::RBrace))
        .map(|(names, rest)| PatternFields { names, rest });
    let variant = upper()
        .then_ignore(just(Tok::Dot))
        .or_not()
        .then(name())
        .then(fields.or_not())
        .map(|((ty, name), fields)| PatternKind::Variant { ty, name, fields });
    choice((wildcard, literal, negative, long_string, some, variant))
        .map_with(|kind, e| Pattern { kind, span: span_of(e) })
        .labelled("a pattern")
        .boxed()
}

fn of_literal(kind: ExprKind) -> PatternKind {
    match kind {
        ExprKind::Int(n) => PatternKind::Int(n),
        ExprKind::Float(n) => PatternKind::Float(n),
        ExprKind::Quantity(q) => PatternKind::Quantity(q),
        ExprKind::Str(s) => PatternKind::Str(s),
        ExprKind::Bool(b) => PatternKind::Bool(b),
        ExprKind::None => PatternKind::None,
        _ => PatternKind::Error,
    }
}
