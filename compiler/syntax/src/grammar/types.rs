//! Types as they are written.

use super::list::Separator;
use super::wanted::Label;
use super::{Grammar, Made, Stuck, is_name};
use crate::ast::{TypeExpr, TypeField, TypeKind};
use crate::token::Tok;

impl<const EXPLAINS: bool> Grammar<'_, EXPLAINS> {
    /// `{ a: T, b: U }`: the payload of a variant, a record type.
    pub(super) fn record(&mut self) -> Made<Vec<TypeField>> {
        self.expect(Tok::LBrace)?;
        self.elements(Separator::Either, Tok::RBrace, |g| {
            let key = g.key()?;
            let ty = g.annotation()?;
            Ok(TypeField { key, ty })
        })
    }

    /// Any type.
    pub(super) fn ty(&mut self) -> Made<TypeExpr> {
        self.labelled(Label::Type, |g| {
            let start = g.at;
            if g.take(Tok::Tilde) {
                let inner = g.ty()?;
                return Ok(TypeExpr { kind: TypeKind::Late(Box::new(inner)), span: g.span_from(start) });
            }
            let kind = g.atom()?;
            let mut ty = TypeExpr { kind, span: g.span_from(start) };
            while g.take(Tok::Question) {
                ty = TypeExpr { kind: TypeKind::Optional(Box::new(ty)), span: g.span_from(start) };
            }
            Ok(ty)
        })
    }

    fn atom(&mut self) -> Made<TypeKind> {
        let in_brackets = |g: &mut Self| g.between(Tok::LBracket, Tok::RBracket, Self::ty).map(Box::new);
        match self.peek() {
            Some(Tok::LBracket) => in_brackets(self).map(TypeKind::List),
            Some(Tok::LParen) => {
                self.between(Tok::LParen, Tok::RParen, Self::ty).map(|inner| TypeKind::Paren(Box::new(inner)))
            }
            Some(Tok::LBrace) => self.record().map(TypeKind::Record),
            Some(Tok::Error) => {
                self.at += 1;
                Ok(TypeKind::Error)
            }
            Some(kind) if kind == Tok::Upper || is_name(kind) => {
                let segments =
                    self.chain(Tok::Dot, |g| g.word(Label::Type, |kind| kind == Tok::Upper || is_name(kind)))?;
                let argument = match self.peek() {
                    Some(Tok::LBracket) => Some(in_brackets(self)?),
                    _other => {
                        self.want_token(self.at, Tok::LBracket);
                        None
                    }
                };
                Ok(TypeKind::Path { segments, argument })
            }
            _other => {
                self.want(Label::Type);
                Err(Stuck)
            }
        }
    }
}
