//! Patterns of `match`.

use super::list::Separator;
use super::literal::is_literal;
use super::wanted::Label;
use super::{Grammar, Made, Stuck};
use crate::ast::{ExprKind, Name, Pattern, PatternFields, PatternKind, Quantity};
use crate::token::Tok;

impl<const EXPLAINS: bool> Grammar<'_, EXPLAINS> {
    /// One alternative of an arm.
    pub(super) fn pattern(&mut self) -> Made<Pattern> {
        self.labelled(Label::Pattern, |g| {
            let start = g.at;
            let kind = g.pattern_kind()?;
            Ok(Pattern { kind, span: g.span_from(start) })
        })
    }

    fn pattern_kind(&mut self) -> Made<PatternKind> {
        match self.peek() {
            Some(Tok::Underscore) => {
                self.at += 1;
                Ok(PatternKind::Wildcard)
            }
            Some(Tok::Minus) => {
                self.at += 1;
                if self.takes_lowest() {
                    return Ok(PatternKind::Int(i64::MIN));
                }
                Ok(negated(&self.literal()?))
            }
            Some(Tok::StrOpen) => self.long_string().map(PatternKind::Str),
            Some(Tok::Some) if self.ahead(1) == Some(Tok::LParen) => {
                self.at += 1;
                self.between(Tok::LParen, Tok::RParen, Self::binding).map(PatternKind::Some)
            }
            Some(Tok::Upper) => {
                let ty = self.upper()?;
                self.expect(Tok::Dot)?;
                self.variant_pattern(Some(ty))
            }
            Some(kind) if is_literal(kind) => Ok(of_literal(self.literal()?)),
            _other => self.variant_pattern(None),
        }
    }

    /// A literal that is one token.
    fn literal(&mut self) -> Made<ExprKind> {
        let token = self.tokens.get(self.at).copied().filter(|token| is_literal(token.kind)).ok_or(Stuck)?;
        self.at += 1;
        Ok(self.literal_of(token))
    }

    fn variant_pattern(&mut self, ty: Option<Name>) -> Made<PatternKind> {
        let word = self.peek();
        let name = self.name()?;
        if ty.is_none() && word == Some(Tok::Some) {
            self.want_token(self.at, Tok::LParen);
        }
        let fields = if self.take(Tok::LBrace) { Some(self.pattern_fields()?) } else { None };
        Ok(PatternKind::Variant { ty, name, fields })
    }

    /// `x, y, .. }`
    fn pattern_fields(&mut self) -> Made<PatternFields> {
        let mut fields = PatternFields { names: Vec::new(), rest: None };
        let mut separated = true;
        loop {
            if self.take(Tok::RBrace) {
                return Ok(fields);
            }
            let start = self.at;
            if self.take(Tok::DotDot) {
                fields.rest = Some(self.span_from(start));
                self.expect(Tok::RBrace)?;
                return Ok(fields);
            }
            if !separated {
                return Err(Stuck);
            }
            fields.names.push(self.name()?);
            let before = self.at;
            self.optional_separator(Separator::Either);
            separated = self.at > before;
        }
    }
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

fn negated(kind: &ExprKind) -> PatternKind {
    match kind {
        ExprKind::Int(n) => PatternKind::Int(-n),
        ExprKind::Float(n) => PatternKind::Float(-n),
        ExprKind::Quantity(q) => PatternKind::Quantity(Quantity { amount: -q.amount, ..*q }),
        _ => PatternKind::Error,
    }
}
