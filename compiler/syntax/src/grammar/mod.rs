//! The grammar: recursive descent over one item's tokens, one construct a file.
//!
//! Guarantees: linear time; the only look-ahead beyond two tokens is one scan at `(` that tells a lambda from
//! parentheses. It stops at the first token it cannot take and knows what it would have taken there; it neither repairs
//! nor explains: see `repair` and `diagnose`. Recursion is bounded by [`MAX_DEPTH`](crate::MAX_DEPTH), which `layout`
//! enforces before.
//!
//! Read `item` first.

mod block;
mod expr;
mod item;
mod list;
mod literal;
mod pattern;
mod types;
mod wanted;

use crate::ast::{Entry, Expr, Item, Name, TypeExpr};
use crate::token::{Tok, Token};
use imm_ir::{Diagnostic, FileId, Span};
use wanted::{Label, Wanted};

/// The grammar does not go on; [`Grammar::wanted`] knows where and why.
pub(crate) struct Stuck;

/// What a rule makes.
pub(crate) type Made<T> = Result<T, Stuck>;

/// What a whole run of the grammar makes.
pub(crate) enum Outcome<T> {
    /// The tree, and what is wrong with code that the grammar takes.
    Tree(T, Vec<Diagnostic>),
    /// The index of the token that could not be taken, and what could have been, sorted.
    Stuck(usize, Vec<&'static str>),
}

/// The tokens of an item and how far they are read. Only one that `EXPLAINS` notes what it would have taken: most items
/// are taken as they are, and the others are read again.
pub(crate) struct Grammar<'a, const EXPLAINS: bool> {
    file: FileId,
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    wanted: Wanted,
    notes: Vec<Diagnostic>,
    /// Entries of the blocks that are being read: each block takes exactly the room it needs when it is done.
    entries: Vec<Entry>,
}

impl<'a, const EXPLAINS: bool> Grammar<'a, EXPLAINS> {
    pub(crate) fn new(file: FileId, text: &'a str, tokens: &'a [Token]) -> Self {
        Self { file, text, tokens, at: 0, wanted: Wanted::default(), notes: Vec::new(), entries: Vec::new() }
    }

    /// Begins anew with other tokens.
    pub(crate) fn over(&mut self, tokens: &'a [Token]) {
        self.tokens = tokens;
        self.at = 0;
        self.wanted = Wanted::default();
    }

    /// All tokens as one item.
    pub(crate) fn whole_item(&mut self) -> Outcome<Item> {
        self.whole(|g| {
            let item = g.item()?;
            g.take(Tok::Newline);
            Ok(item)
        })
    }

    /// All tokens as one expression.
    pub(crate) fn whole_expr(&mut self) -> Outcome<Expr> {
        self.whole(Self::expr)
    }

    /// All tokens as one type.
    pub(crate) fn whole_type(&mut self) -> Outcome<TypeExpr> {
        self.whole(Self::ty)
    }

    fn whole<T>(&mut self, rule: impl FnOnce(&mut Self) -> Made<T>) -> Outcome<T> {
        let made = rule(self);
        let notes = std::mem::take(&mut self.notes);
        self.entries.clear();
        match made {
            Ok(tree) if self.at == self.tokens.len() => return Outcome::Tree(tree, notes),
            Ok(_) => self.want(Label::End),
            Err(Stuck) => {}
        }
        Outcome::Stuck(self.wanted.at.min(self.tokens.len()), self.wanted.names())
    }

    fn peek(&self) -> Option<Tok> {
        self.ahead(0)
    }

    fn ahead(&self, count: usize) -> Option<Tok> {
        self.tokens.get(self.at + count).map(|t| t.kind)
    }

    /// Notes what would have been taken here.
    fn want(&mut self, label: Label) {
        if EXPLAINS {
            self.wanted.label(self.at, label);
        }
    }

    /// Notes that this token would have been taken at this place.
    fn want_token(&mut self, at: usize, kind: Tok) {
        if EXPLAINS {
            self.wanted.token(at, kind);
        }
    }

    /// Takes this token if it is next.
    fn take(&mut self, kind: Tok) -> bool {
        let there = self.peek() == Some(kind);
        if there {
            self.at += 1;
        } else {
            self.want_token(self.at, kind);
        }
        there
    }

    fn expect(&mut self, kind: Tok) -> Made<()> {
        if self.take(kind) { Ok(()) } else { Err(Stuck) }
    }

    /// Takes a token for which `accept` holds.
    fn any(&mut self, label: Label, accept: impl FnOnce(Tok) -> bool) -> Made<Token> {
        match self.tokens.get(self.at) {
            Some(token) if accept(token.kind) => {
                self.at += 1;
                Ok(*token)
            }
            _other => {
                self.want(label);
                Err(Stuck)
            }
        }
    }

    /// Runs a rule that is called by one name where not even its first token can be taken.
    fn labelled<T>(&mut self, label: Label, rule: impl FnOnce(&mut Self) -> Made<T>) -> Made<T> {
        if !EXPLAINS {
            return rule(self);
        }
        let (start, before) = (self.at, self.wanted);
        let made = rule(self);
        if self.wanted.at == start {
            self.wanted = before;
            self.wanted.label(start, label);
        }
        made
    }

    /// From a token to the last one that was taken.
    fn span_from(&self, start: usize) -> Span {
        let first = self.tokens.get(start).map(|t| t.span(self.file));
        let last = self.at.checked_sub(1).filter(|last| *last >= start).and_then(|last| self.tokens.get(last));
        match (first, last) {
            (Some(first), Some(last)) => first.to(last.span(self.file)),
            (Some(first), None) => Span { end: first.start, ..first },
            (None, _) => self.tokens.last().map_or(Span::new(self.file, 0, 0), |t| t.span(self.file).after()),
        }
    }

    fn name_of(&self, token: Token) -> Name {
        Name { text: token.text(self.text).into(), span: token.span(self.file) }
    }

    /// One of the tokens for which `accept` holds, as a name.
    fn word(&mut self, label: Label, accept: impl FnOnce(Tok) -> bool) -> Made<Name> {
        self.any(label, accept).map(|token| self.name_of(token))
    }

    /// A name that can be declared and used.
    fn name(&mut self) -> Made<Name> {
        self.word(Label::Name, is_name)
    }

    /// A name or `_`, where a value may be ignored.
    fn binding(&mut self) -> Made<Name> {
        self.word(Label::Name, is_binding)
    }

    /// What may stand after a dot.
    fn member(&mut self) -> Made<Name> {
        self.word(Label::Name, |t| t.is_word() || t == Tok::Upper)
    }

    /// The name of a type.
    fn upper(&mut self) -> Made<Name> {
        self.word(Label::TypeName, |t| t == Tok::Upper)
    }
}

fn is_name(kind: Tok) -> bool {
    kind == Tok::Ident || kind.is_contextual()
}

fn is_binding(kind: Tok) -> bool {
    is_name(kind) || kind == Tok::Underscore
}
