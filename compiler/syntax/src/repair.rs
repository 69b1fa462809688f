//! Takes the broken part out of an item: the smallest field, arm, element, step or member around an error becomes
//! [`Tok::Error`], which the grammar accepts in those places. What stands left of an `=` is kept, so that its name stays
//! known.

use crate::ast::{Item, ItemKind, Name};
use crate::habits::own_item;
use crate::token::{Tok, Token};
use imm_ir::{FileId, Span};
use std::ops::Range;

/// Replaces the part around `at`, `escalate` brackets further out than the innermost one. Gives the range of the tokens
/// that replace it; none if there is nothing left to try.
pub(crate) fn repair(tokens: &mut Vec<Token>, at: usize, escalate: usize) -> Option<Range<usize>> {
    let open = open_at(tokens, at);
    if escalate > open.len() {
        return None;
    }
    let Some(opener) = open.len().checked_sub(escalate + 1).and_then(|i| open.get(i)).copied() else {
        return repair_item(tokens, at, escalate > open.len().saturating_sub(1) && escalate > 0);
    };
    let closer = closer_of(tokens, opener);
    let separators = separators(tokens, opener + 1, closer);
    let start = separators.iter().rev().find(|s| **s < at).map_or(opener + 1, |s| s + 1);
    let end = separators.iter().find(|s| **s >= at).copied().unwrap_or(closer);
    let docs = tokens.get(start..end)?.iter().take_while(|t| t.kind == Tok::Doc).count();
    let start = start + docs;
    let has_arms = top_level(tokens, opener + 1, closer, Tok::FatArrow).is_some();
    let in_braces = tokens.get(opener)?.kind == Tok::LBrace;
    let find = |kind| top_level(tokens, start, end, kind);
    if escalate == 0
        && let Some(kept) = [Tok::Assign, Tok::Colon, Tok::FatArrow].into_iter().filter_map(find).find(|p| *p < at)
    {
        return Some(splice(tokens, kept + 1..end, &[Tok::Error]));
    }
    let first = tokens.get(start).map(|t| t.kind);
    if in_braces && first.is_some_and(Tok::starts_item) {
        // Its name stays known.
        let named = tokens.get(start + 1).is_some_and(|t| t.kind == Tok::Ident) && at > start + 1 && start + 1 < end;
        if named {
            tokens.drain(start + 2..end);
            splice(tokens, start..start + 1, &[Tok::Error]);
            return Some(start..start + 2);
        }
        return Some(splice(tokens, start..end, &[Tok::Error]));
    }
    let arm: &[Tok] = if in_braces && has_arms { &[Tok::Error, Tok::FatArrow, Tok::Error] } else { &[Tok::Error] };
    Some(splice(tokens, start..end, arm))
}

/// Replaces the value of a whole item, or all of it.
fn repair_item(tokens: &mut Vec<Token>, at: usize, all: bool) -> Option<Range<usize>> {
    let end = tokens.len();
    let docs = tokens.iter().take_while(|t| t.kind == Tok::Doc).count();
    let value = top_level(tokens, docs, end, Tok::Assign).filter(|p| *p < at && !all);
    let keeps = tokens.get(docs).is_some_and(|t| t.kind.starts_item() && t.kind != Tok::Assert);
    match value {
        Some(value) if keeps && tokens.get(value + 1..)?.iter().any(|t| t.kind != Tok::Error) => {
            Some(splice(tokens, value + 1..end, &[Tok::Error]))
        }
        _ => None,
    }
}

/// Puts other kinds in the place of a range; they take its span.
pub(crate) fn splice(tokens: &mut Vec<Token>, range: Range<usize>, kinds: &[Tok]) -> Range<usize> {
    let covered = tokens.get(range.clone()).unwrap_or(&[]);
    let before = range.start.checked_sub(1).and_then(|i| tokens.get(i)).map_or(0, |t| t.end);
    let start = covered.first().map_or(before, |t| t.start);
    let end = covered.last().map_or(start, |t| t.end);
    let range = range.start.min(tokens.len())..range.end.min(tokens.len());
    let new = range.start..range.start + kinds.len();
    tokens.splice(range, kinds.iter().map(|kind| Token { kind: *kind, start, end }));
    new
}

/// An item of which nothing but its name could be read.
pub(crate) fn blank_item(file: FileId, text: &str, tokens: &[Token]) -> Item {
    let span = match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => first.span(file).to(last.span(file)),
        _ => Span::new(file, 0, 0),
    };
    if let Some(import) = tokens.iter().find(|t| t.kind == Tok::Import) {
        return Item { docs: None, public: None, kind: ItemKind::Error(last_word(file, text, *import, span)), span };
    }
    let mut rest = tokens.iter().skip_while(|t| t.kind == Tok::Doc || t.kind == Tok::Pub);
    let first = rest.next();
    let is_name = |t: &&Token| matches!(t.kind, Tok::Ident | Tok::Upper);
    let name = if first.is_some_and(|t| t.kind.starts_item()) {
        rest.next().filter(is_name)
    } else if first.is_some_and(|t| own_item(t.text(text), "").is_some()) {
        // By a word of another language, which quotes names and puts them last.
        rest.take_while(|t| is_name(t) || t.kind == Tok::Str).last()
    } else {
        None
    };
    let name = name.map(|t| Name { text: t.text(text).trim_matches('"').into(), span: t.span(file) });
    Item { docs: None, public: None, kind: ItemKind::Error(name), span }
}

/// The name that an import gives, whatever else of it could be read.
fn last_word(file: FileId, text: &str, import: Token, span: Span) -> Option<Name> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (from, to) = (import.end as usize, text.len().min(span.range().end));
    let line = text.get(from..to)?.trim_end_matches(|c| !is_word(c));
    let start = from
        + line
            .rfind(|c| !is_word(c))
            .map_or(0, |at| at + line.get(at..).map_or(0, |c| c.chars().next().map_or(0, char::len_utf8)));
    let end = from + line.len();
    let word = text.get(start..end).filter(|word| !word.is_empty())?;
    Some(Name { text: word.into(), span: Span::new(file, start, end) })
}

/// The brackets that are open before `at`, outermost first.
fn open_at(tokens: &[Token], at: usize) -> Vec<usize> {
    let mut open = Vec::new();
    for (index, token) in tokens.iter().enumerate().take(at) {
        if token.kind.closer().is_some() {
            open.push(index);
        } else if token.kind.is_closer() {
            open.pop();
        }
    }
    open
}

fn closer_of(tokens: &[Token], opener: usize) -> usize {
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate().skip(opener + 1) {
        if token.kind.closer().is_some() {
            depth += 1;
        } else if token.kind.is_closer() {
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return index,
            }
        }
    }
    tokens.len()
}

/// Indices of the tokens between `start` and `end` that are inside no further bracket.
fn shallow(tokens: &[Token], start: usize, end: usize) -> impl Iterator<Item = (usize, Tok)> {
    let mut depth = 0usize;
    let range = tokens.get(start..end).unwrap_or(&[]).iter().enumerate();
    range.filter_map(move |(index, token)| {
        if token.kind.closer().is_some() {
            depth += 1;
        } else if token.kind.is_closer() {
            depth = depth.saturating_sub(1);
        } else if depth == 0 {
            return Some((start + index, token.kind));
        }
        None
    })
}

fn separators(tokens: &[Token], start: usize, end: usize) -> Vec<usize> {
    shallow(tokens, start, end).filter(|(_, k)| matches!(k, Tok::Comma | Tok::Newline)).map(|(i, _)| i).collect()
}

fn top_level(tokens: &[Token], start: usize, end: usize, kind: Tok) -> Option<usize> {
    shallow(tokens, start, end).find(|(_, k)| *k == kind).map(|(i, _)| i)
}
