//! What stands in brackets: blocks, lists, comprehensions and `match`.

use super::expr::Place;
use super::list::Separator;
use super::wanted::Label;
use super::{Grammar, Made, Stuck, is_name};
use crate::ast::{Arm, Block, BlockBody, BlockFor, Element, Entry, EntryKind, ExprKind, ForHead, ListBody};
use crate::token::Tok;

impl<const EXPLAINS: bool> Grammar<'_, EXPLAINS> {
    /// `for A[, B] in SOURCE [if FILTER]`.
    pub(super) fn for_head(&mut self) -> Made<ForHead> {
        let start = self.at;
        self.expect(Tok::For)?;
        let first = self.binding()?;
        let second = if self.take(Tok::Comma) { Some(self.binding()?) } else { None };
        self.expect(Tok::In)?;
        let source = self.expr()?;
        let filter = if self.take(Tok::If) { Some(self.expr()?) } else { None };
        Ok(ForHead { first, second, source, filter, span: self.span_from(start) })
    }

    /// `{ … }`.
    pub(super) fn block(&mut self) -> Made<Block> {
        let start = self.at;
        self.expect(Tok::LBrace)?;
        // `for` can also be a field: `for = 5s`.
        let body = if self.peek() == Some(Tok::For) && self.ahead(1) != Some(Tok::Assign) {
            self.want_token(self.at + 1, Tok::Assign);
            self.block_for()?
        } else {
            self.want_token(self.at, Tok::For);
            BlockBody::Entries(self.entries()?)
        };
        Ok(Block { body, span: self.span_from(start) })
    }

    /// `for … : [key] = value }`
    fn block_for(&mut self) -> Made<BlockBody> {
        let head = self.for_head()?;
        self.expect(Tok::Colon)?;
        let key = self.between(Tok::LBracket, Tok::RBracket, Self::expr)?;
        let value = self.value()?;
        self.optional_separator(Separator::Either);
        self.expect(Tok::RBrace)?;
        Ok(BlockBody::For(Box::new(BlockFor { head, key, value })))
    }

    /// The entries of a block and its end.
    fn entries(&mut self) -> Made<Vec<Entry>> {
        if self.take(Tok::RBrace) {
            return Ok(Vec::new());
        }
        let first = self.entries.len();
        self.each(Separator::Either, Tok::RBrace, |g| {
            let entry = g.entry()?;
            g.entries.push(entry);
            Ok(())
        })?;
        Ok(self.entries.split_off(first))
    }

    fn entry(&mut self) -> Made<Entry> {
        let start = self.at;
        let kind = if self.take(Tok::DotDot) {
            EntryKind::Spread(self.expr()?)
        } else if self.take(Tok::Error) {
            EntryKind::Error
        } else {
            self.field()?
        };
        Ok(Entry { kind, span: self.span_from(start) })
    }

    /// `key = value`, or a name alone.
    fn field(&mut self) -> Made<EntryKind> {
        if !self.peek().is_some_and(is_name) {
            self.want(Label::Name);
        } else if self.ahead(1) != Some(Tok::Assign) {
            let name = self.name()?;
            self.want_token(self.at, Tok::Assign);
            return Ok(EntryKind::Short(name));
        }
        Ok(EntryKind::Field { key: self.key()?, value: self.value()? })
    }

    /// `[ … ]`.
    pub(super) fn list(&mut self) -> Made<ListBody> {
        self.expect(Tok::LBracket)?;
        if self.peek() == Some(Tok::For) {
            let head = Box::new(self.for_head()?);
            self.expect(Tok::Colon)?;
            let value = Box::new(self.expr()?);
            self.optional_separator(Separator::Comma);
            self.expect(Tok::RBracket)?;
            return Ok(ListBody::For { head, value });
        }
        self.want_token(self.at, Tok::For);
        let elements = self.elements(Separator::Comma, Tok::RBracket, |g| {
            let start = g.at;
            let spread = if g.take(Tok::DotDot) { Some(g.span_from(start)) } else { None };
            Ok(Element { spread, value: g.expr()? })
        })?;
        Ok(ListBody::Elements(elements))
    }

    /// `match x { … }`.
    pub(super) fn matching(&mut self) -> Made<ExprKind> {
        self.expect(Tok::Match)?;
        let scrutinee = self.boxed(Place::Matched)?;
        self.expect(Tok::LBrace)?;
        let arms = self.some_elements(Separator::Either, Tok::RBrace, |g| {
            let start = g.at;
            let patterns = g.chain(Tok::Pipe, Self::pattern)?;
            g.expect(Tok::FatArrow)?;
            g.not_the_next_arm()?;
            let body = g.expr()?;
            Ok(Arm { patterns, body, span: g.span_from(start) })
        })?;
        Ok(ExprKind::Match { scrutinee, arms })
    }

    /// `a =>` and then `b => …` on the next line is no lambda: the first arm has no value.
    fn not_the_next_arm(&mut self) -> Made<()> {
        let arrow = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        let (Some(arrow), Some(next)) = (arrow, self.tokens.get(self.at)) else { return Ok(()) };
        if next.kind == Tok::Ident && self.ahead(1) == Some(Tok::FatArrow) {
            let between = self.text.get(arrow.end as usize..next.start as usize).unwrap_or("");
            if between.contains('\n') {
                self.want(Label::Expression);
                return Err(Stuck);
            }
        }
        Ok(())
    }
}
