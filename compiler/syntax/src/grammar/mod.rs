//! The grammar in chumsky, one construct a file, over one item's tokens at a time.
//!
//! Each rule is generic over the error: [`chumsky::error::EmptyErr`] first, which costs nothing, and
//! [`chumsky::error::Rich`] only for an item that failed. Rules are boxed so that the crate builds in bearable time.
//! Read `item` first.

mod expr;
mod item;
mod literal;
mod pattern;
mod types;

pub(crate) use expr::expr;
pub(crate) use item::item;
pub(crate) use types::ty;

use crate::ast::Name;
use crate::token::{Tok, Token};
use chumsky::error::{Error, LabelError};
use chumsky::input::MapExtra;
use chumsky::inspector::SimpleState;
use chumsky::prelude::*;
use imm_ir::{Diagnostic, FileId, Span};

/// The kinds of the tokens; the tokens themselves are in [`Source`].
pub(crate) type Input<'a> = &'a [Tok];
pub(crate) type Extra<'a, E> = extra::Full<E, SimpleState<Source<'a>>, ()>;
pub(crate) type Rule<'a, O, E> = Boxed<'a, 'a, Input<'a>, O, Extra<'a, E>>;

/// What the grammar needs from its error type.
pub(crate) trait Failure<'a>: Error<'a, Input<'a>> + LabelError<'a, Input<'a>, &'static str> + 'a {}
impl<'a, E: Error<'a, Input<'a>> + LabelError<'a, Input<'a>, &'static str> + 'a> Failure<'a> for E {}

/// Where the tokens of an item come from.
pub(crate) struct Source<'a> {
    pub(crate) file: FileId,
    pub(crate) text: &'a str,
    pub(crate) tokens: &'a [Token],
    /// What is wrong with code that the grammar takes. May hold one thing twice.
    pub(crate) notes: Vec<Diagnostic>,
}

impl Source<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        let first = self.tokens.get(start).map(|t| t.span(self.file));
        let last = end.checked_sub(1).filter(|e| *e >= start).and_then(|e| self.tokens.get(e));
        match (first, last) {
            (Some(first), Some(last)) => first.to(last.span(self.file)),
            (Some(first), None) => Span { end: first.start, ..first },
            (None, _) => self.tokens.last().map_or(Span::new(self.file, 0, 0), |t| t.span(self.file).after()),
        }
    }
}

type Map<'a, 'b, E> = MapExtra<'a, 'b, Input<'a>, Extra<'a, E>>;

fn span_of<'a, E: Failure<'a>>(e: &mut Map<'a, '_, E>) -> Span {
    let range: SimpleSpan = e.span();
    e.state().0.span(range.start, range.end)
}

fn text_of<'a, E: Failure<'a>>(e: &mut Map<'a, '_, E>) -> (&'a str, Span) {
    let span = span_of(e);
    (e.state().0.text.get(span.range()).unwrap_or(""), span)
}

fn named<'a, E: Failure<'a>>(e: &mut Map<'a, '_, E>) -> Name {
    let (text, span) = text_of(e);
    Name { text: text.into(), span }
}

/// One of the tokens for which `accept` holds, as a name.
fn word<'a, E: Failure<'a>>(label: &'static str, accept: fn(Tok) -> bool) -> Rule<'a, Name, E> {
    any().filter(move |t| accept(*t)).map_with(|_, e| named(e)).labelled(label).boxed()
}

/// A name that can be declared and used.
fn name<'a, E: Failure<'a>>() -> Rule<'a, Name, E> {
    word("a name", |t| t == Tok::Ident || t.is_contextual())
}

/// A name or `_`, where a value may be ignored.
fn binding<'a, E: Failure<'a>>() -> Rule<'a, Name, E> {
    word("a name", |t| t == Tok::Ident || t == Tok::Underscore || t.is_contextual())
}

/// The name of a type.
fn upper<'a, E: Failure<'a>>() -> Rule<'a, Name, E> {
    word("a type name", |t| t == Tok::Upper)
}

/// `,` or a new line.
fn separator<'a, E: Failure<'a>>() -> Rule<'a, (), E> {
    any().filter(|t: &Tok| matches!(t, Tok::Comma | Tok::Newline)).ignored().labelled("`,` or a new line").boxed()
}
