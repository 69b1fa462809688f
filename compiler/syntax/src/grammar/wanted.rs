//! What the grammar would have taken at the furthest token it reached: all that a message needs, at the price of a bit.

use crate::token::Tok;

/// Constructs that messages call by one name.
#[derive(Clone, Copy)]
pub(super) enum Label {
    Item,
    ComponentItem,
    Step,
    Kind,
    Name,
    TypeName,
    Type,
    Str,
    Field,
    Pattern,
    Expression,
    Separator,
    End,
}

const LABELS: [&str; 13] = [
    "an item",
    "an item of a component",
    "a step of a test",
    "a kind",
    "a name",
    "a type name",
    "a type",
    "a string",
    "a field",
    "a pattern",
    "an expression",
    "`,` or a new line",
    "the end of this item",
];

/// Tokens and constructs that could have been taken, as bits.
#[derive(Clone, Copy, Default)]
pub(super) struct Wanted {
    /// The furthest token that was looked at and not taken.
    pub(super) at: usize,
    tokens: u128,
    labels: u16,
}

const _: () = assert!((Tok::Error as u32) < u128::BITS, "each token has a bit");

impl Wanted {
    pub(super) fn token(&mut self, at: usize, kind: Tok) {
        if self.reaches(at) {
            self.tokens |= 1 << (kind as u32);
        }
    }

    pub(super) fn label(&mut self, at: usize, label: Label) {
        if self.reaches(at) {
            self.labels |= 1 << (label as u32);
        }
    }

    /// Whether nothing was looked at beyond `at`; what was wanted before it no longer counts.
    fn reaches(&mut self, at: usize) -> bool {
        if at > self.at {
            *self = Self { at, ..Self::default() };
        }
        at == self.at
    }

    /// As messages name them, sorted.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let tokens = Tok::ALL.iter().filter(|kind| self.tokens & 1 << (**kind as u32) != 0);
        // Only the repair of an item writes it.
        let tokens = tokens.filter(|kind| **kind != Tok::Error).map(|kind| kind.describe());
        let labels = LABELS.iter().enumerate().filter(|(bit, _)| self.labels & 1 << bit != 0).map(|(_, name)| *name);
        let mut names: Vec<&str> = tokens.chain(labels).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
