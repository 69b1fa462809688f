//! What stands between brackets: elements with separators.

use super::wanted::Label;
use super::{Grammar, Made, Stuck};
use crate::token::Tok;

/// What stands between two elements.
#[derive(Clone, Copy)]
pub(super) enum Separator {
    Comma,
    /// `,` or a new line.
    Either,
    NewLine,
}

impl<const EXPLAINS: bool> Grammar<'_, EXPLAINS> {
    fn separator(&mut self, separator: Separator) -> Made<()> {
        match separator {
            Separator::Comma => self.expect(Tok::Comma),
            Separator::NewLine => self.expect(Tok::Newline),
            Separator::Either => {
                self.any(Label::Separator, |kind| matches!(kind, Tok::Comma | Tok::Newline)).map(|_separator| ())
            }
        }
    }

    /// A separator, if there is one.
    pub(super) fn optional_separator(&mut self, separator: Separator) {
        if let Err(Stuck) = self.separator(separator) {
            // It may be left out.
        }
    }

    /// `[ ELEMENT { SEPARATOR ELEMENT } [ SEPARATOR ] ] CLOSE`
    pub(super) fn elements<T>(
        &mut self,
        separator: Separator,
        close: Tok,
        element: impl FnMut(&mut Self) -> Made<T>,
    ) -> Made<Vec<T>> {
        if self.take(close) { Ok(Vec::new()) } else { self.some_elements(separator, close, element) }
    }

    /// `ELEMENT { SEPARATOR ELEMENT } [ SEPARATOR ] CLOSE`
    pub(super) fn some_elements<T>(
        &mut self,
        separator: Separator,
        close: Tok,
        mut element: impl FnMut(&mut Self) -> Made<T>,
    ) -> Made<Vec<T>> {
        let mut all = Vec::new();
        self.each(separator, close, |g| {
            all.push(element(g)?);
            Ok(())
        })?;
        // Most have one to three elements, and the tree lives long.
        all.shrink_to_fit();
        Ok(all)
    }

    /// As [`Grammar::some_elements`], for a rule that keeps what it makes.
    pub(super) fn each(
        &mut self,
        separator: Separator,
        close: Tok,
        mut element: impl FnMut(&mut Self) -> Made<()>,
    ) -> Made<()> {
        loop {
            element(self)?;
            if self.take(close) {
                return Ok(());
            }
            self.separator(separator)?;
            if self.take(close) {
                return Ok(());
            }
        }
    }

    /// `ELEMENT { BETWEEN ELEMENT }`
    pub(super) fn chain<T>(&mut self, between: Tok, mut element: impl FnMut(&mut Self) -> Made<T>) -> Made<Vec<T>> {
        let mut all = vec![element(self)?];
        while self.take(between) {
            all.push(element(self)?);
        }
        Ok(all)
    }

    /// `OPEN RULE CLOSE`
    pub(super) fn between<T>(&mut self, open: Tok, close: Tok, rule: impl FnOnce(&mut Self) -> Made<T>) -> Made<T> {
        self.expect(open)?;
        let made = rule(self)?;
        self.expect(close)?;
        Ok(made)
    }
}
