//! Literals: numbers, quantities, strings with their holes, and keys.

use super::wanted::Label;
use super::{Grammar, Made, Stuck};
use crate::ast::{Expr, ExprKind, Key, KeyKind, StrBody, StrForm, StrLit, StrPart};
use crate::lexer::bad_number;
use crate::number::{self, NumberError};
use crate::string::{Piece, dedent, unescape};
use crate::token::{Tok, Token};
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
    StrLit { body: StrBody::Plain(inner.into()), form, span }
}

impl<const EXPLAINS: bool> Grammar<'_, EXPLAINS> {
    /// A literal that is one token; the lexer leaves one number to be judged by what stands before it.
    pub(super) fn literal_of(&mut self, token: Token) -> ExprKind {
        let (text, span) = (token.text(self.text), token.span(self.file));
        let kind = value(token.kind, text, span);
        if token.kind == Tok::Int && matches!(kind, ExprKind::Error) {
            self.notes.push(bad_number(NumberError::TooLarge, text, span));
        }
        kind
    }

    /// Takes the digits of the lowest number behind its minus, unless the minus is of more than them.
    pub(super) fn takes_lowest(&mut self) -> bool {
        let token = self.tokens.get(self.at).filter(|token| token.kind == Tok::Int);
        let lowest = token.is_some_and(|token| number::is_lowest(token.text(self.text)));
        let goes_on = matches!(self.ahead(1), Some(Tok::Dot | Tok::QuestionDot | Tok::LBracket));
        self.at += usize::from(lowest && !goes_on);
        lowest && !goes_on
    }

    /// Any form of string.
    pub(super) fn string(&mut self) -> Made<StrLit> {
        if self.peek() == Some(Tok::StrOpen) {
            return self.long_string();
        }
        let token = self.any(Label::Str, |kind| matches!(kind, Tok::Str | Tok::RawStr))?;
        Ok(simple(token.kind, token.text(self.text), token.span(self.file)))
    }

    /// A string of several tokens.
    pub(super) fn long_string(&mut self) -> Made<StrLit> {
        let start = self.at;
        self.expect(Tok::StrOpen)?;
        let open = self.span_from(start);
        let mut parts = Vec::new();
        loop {
            let at = self.at;
            if self.take(Tok::StrText) {
                parts.push(Part::Text(self.span_from(at)));
            } else if self.take(Tok::HoleOpen) {
                parts.push(Part::Hole(self.expr()?));
                self.expect(Tok::HoleClose)?;
            } else {
                self.expect(Tok::StrClose)?;
                return Ok(build(self.text, open, parts, self.span_from(start)));
            }
        }
    }

    /// A key of a block or of a record type.
    pub(super) fn key(&mut self) -> Made<Key> {
        let start = self.at;
        let kind = match self.peek() {
            Some(Tok::Str | Tok::RawStr | Tok::StrOpen) => KeyKind::Str(Box::new(self.string()?)),
            Some(Tok::LBracket) => {
                KeyKind::Computed(Box::new(self.between(Tok::LBracket, Tok::RBracket, Self::expr)?))
            }
            Some(kind) if kind.is_word() || kind == Tok::Upper => KeyKind::Name(self.member()?.text),
            _other => {
                self.want(Label::Field);
                return Err(Stuck);
            }
        };
        Ok(Key { kind, span: self.span_from(start) })
    }
}

enum Part {
    Text(Span),
    Hole(Expr),
}

/// Resolves escapes and indentation.
fn build(source: &str, open: Span, parts: Vec<Part>, span: Span) -> StrLit {
    let multiline = open.end - open.start == 3;
    let raw = |part: &Part| match part {
        Part::Text(span) => source.get(span.range()),
        Part::Hole(_) => None,
    };
    let mut texts = if multiline {
        dedent(&parts.iter().map(|p| raw(p).map_or(Piece::Hole, Piece::Text)).collect::<Vec<_>>())
    } else {
        parts.iter().map(|p| unescape(raw(p).unwrap_or("")).into_owned()).collect()
    }
    .into_iter();
    let form = if multiline { StrForm::Multiline } else { StrForm::Plain };
    if let [] | [Part::Text(_)] = parts.as_slice() {
        return StrLit { body: StrBody::Plain(texts.next().unwrap_or_default().into()), form, span };
    }
    let mut out = Vec::with_capacity(parts.len());
    for part in parts {
        let text = texts.next().unwrap_or_default();
        match part {
            Part::Text(_) if text.is_empty() => {}
            Part::Text(_) => out.push(StrPart::Text(text.into())),
            Part::Hole(expr) => out.push(StrPart::Hole(expr)),
        }
    }
    StrLit { body: StrBody::Parts(out.into()), form, span }
}
