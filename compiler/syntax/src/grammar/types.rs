//! Types as they are written.

use super::literal::key;
use super::{Failure, Rule, separator, span_of, word};
use crate::ast::{Expr, TypeExpr, TypeField, TypeKind};
use crate::token::Tok;
use chumsky::prelude::*;

/// `{ a: T, b: U }`: the payload of a variant, a record type.
pub(super) fn record<'a, E: Failure<'a>>(
    expr: Rule<'a, Expr, E>,
    ty: Rule<'a, TypeExpr, E>,
) -> Rule<'a, Vec<TypeField>, E> {
    let field = key(expr).then_ignore(just(Tok::Colon)).then(ty).map(|(key, ty)| TypeField { key, ty });
    let fields = field.separated_by(separator()).allow_trailing().collect();
    fields.delimited_by(just(Tok::LBrace), just(Tok::RBrace)).boxed()
}

/// Any type.
pub(crate) fn ty<'a, E: Failure<'a>>(expr: Rule<'a, Expr, E>) -> Rule<'a, TypeExpr, E> {
    recursive(|ty| {
        let ty = ty.boxed();
        let node = |kind, span| TypeExpr { kind, span };
        let segment = word("a type", |t| t == Tok::Ident || t == Tok::Upper || t.is_contextual());
        let argument = ty.clone().delimited_by(just(Tok::LBracket), just(Tok::RBracket));
        let path = segment
            .separated_by(just(Tok::Dot))
            .at_least(1)
            .collect()
            .then(argument.or_not())
            .map(|(segments, argument)| TypeKind::Path { segments, argument: argument.map(Box::new) });
        let list =
            ty.clone().delimited_by(just(Tok::LBracket), just(Tok::RBracket)).map(|t| TypeKind::List(Box::new(t)));
        let paren = ty.clone().delimited_by(just(Tok::LParen), just(Tok::RParen)).map(|t| TypeKind::Paren(Box::new(t)));
        let record = record(expr, ty.clone()).map(TypeKind::Record);
        let error = just(Tok::Error).to(TypeKind::Error);
        let atom = choice((path, list, record, paren, error)).map_with(move |kind, e| node(kind, span_of(e)));
        let optional = atom.foldl_with(just(Tok::Question).repeated(), move |inner, _, e| {
            node(TypeKind::Optional(Box::new(inner)), span_of(e))
        });
        just(Tok::Tilde)
            .repeated()
            .foldr_with(optional, move |_, inner, e| node(TypeKind::Late(Box::new(inner)), span_of(e)))
            .labelled("a type")
    })
    .boxed()
}
