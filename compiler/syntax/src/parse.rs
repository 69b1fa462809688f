//! Text to tree: lex, pair brackets, lay out, then the grammar, item by item.
//!
//! Guarantees: never fails and never panics; each item that the grammar refuses is repaired in place and tried again, so
//! that one mistake costs one field, arm or step and not the file; at most [`MAX_ERRORS`] errors a file; linear time.

use crate::ast::{Expr, Item, Module, TypeExpr, TypeKind};
use crate::brackets::{Balanced, balance};
use crate::diagnose::{Finding, diagnose};
use crate::grammar::{self, Failure, Input, Rule, Source};
use crate::layout::{Layout, MAX_DEPTH, lay_out};
use crate::lexer::{Lexed, lex};
use crate::repair::{blank_item, repair, splice};
use crate::token::{Tok, Token};
use chumsky::Parser;
use chumsky::error::{EmptyErr, Rich, RichPattern};
use chumsky::inspector::SimpleState;
use imm_ir::{Diagnostic, FileId, Span, code};
use std::ops::Range;

/// More errors than this are not reported for one file.
pub const MAX_ERRORS: usize = 20;

/// A tree and what was wrong with the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The tree, with error nodes where the text is broken.
    pub module: Module,
    /// What was wrong, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses a file.
pub fn parse(file: FileId, text: &str) -> Parsed {
    let (front, layout) = Front::new(file, text);
    let whole = front.whole();
    with_stack_for(layout.depth, move || parse_items(front, layout))
        .unwrap_or_else(|| Parsed { module: Module::default(), diagnostics: vec![too_deep(whole)] })
}

fn parse_items(mut front: Front<'_>, layout: Layout) -> Parsed {
    let (file, text) = (front.file, front.text);
    let kinds: Vec<Tok> = layout.tokens.iter().map(|t| t.kind).collect();
    let quick = grammar::item::<EmptyErr>();
    let mut items = Vec::with_capacity(layout.items.len());
    for slice in &layout.items {
        let range = slice.range.clone();
        let (Some(tokens), Some(kinds)) = (layout.tokens.get(range.clone()), kinds.get(range)) else { continue };
        if let Some(token) = slice.too_deep {
            front.report(too_deep(token.span(file)));
            items.push(blank_item(file, text, tokens));
            continue;
        }
        items.push(match attempt(&quick, file, text, tokens, kinds) {
            Ok((item, notes)) => {
                front.note(notes);
                item
            }
            Err(_) => front.broken_item(tokens),
        });
    }
    front.void_strays(&layout);
    Parsed { module: Module { docs: layout.docs, items }, diagnostics: front.finish() }
}

/// Parses a lone expression: the value of a `--param`, a line of the REPL.
pub fn parse_expr(file: FileId, text: &str) -> (Expr, Vec<Diagnostic>) {
    let (mut front, layout) = Front::new(file, text);
    let whole = front.whole();
    let parsed = with_stack_for(layout.depth, move || {
        let kinds: Vec<Tok> = layout.tokens.iter().map(|t| t.kind).collect();
        let tree = front.lone(&grammar::expr(), &layout, &kinds);
        (tree.unwrap_or_else(|| Expr::error(whole)), front.finish())
    });
    parsed.unwrap_or_else(|| (Expr::error(whole), vec![too_deep(whole)]))
}

/// Parses a lone type.
pub fn parse_type(file: FileId, text: &str) -> (TypeExpr, Vec<Diagnostic>) {
    let (mut front, layout) = Front::new(file, text);
    let whole = front.whole();
    let error = || TypeExpr { kind: TypeKind::Error, span: whole };
    let parsed = with_stack_for(layout.depth, move || {
        let kinds: Vec<Tok> = layout.tokens.iter().map(|t| t.kind).collect();
        let tree = front.lone(&grammar::ty(grammar::expr()), &layout, &kinds);
        (tree.unwrap_or_else(error), front.finish())
    });
    parsed.unwrap_or_else(|| (error(), vec![too_deep(whole)]))
}

/// Below this depth the stack of any thread is enough.
const SHALLOW: usize = 20;
/// Enough for [`MAX_DEPTH`] levels of the grammar without optimisation, three times over.
const LARGE_STACK: usize = 24 << 20;

/// Runs the grammar, which recurses, where there is stack enough for `depth` levels. None if there is no such place.
fn with_stack_for<T: Send>(depth: usize, parse: impl FnOnce() -> T + Send) -> Option<T> {
    if depth <= SHALLOW {
        return Some(parse());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("parse".to_owned()).stack_size(LARGE_STACK);
        thread.spawn_scoped(scope, parse).ok()?.join().ok()
    })
}

/// Runs a rule over all of an item's tokens.
fn attempt<'k, T, E: Failure<'k>>(
    rule: &Rule<'k, T, E>,
    file: FileId,
    text: &'k str,
    tokens: &'k [Token],
    kinds: Input<'k>,
) -> Result<(T, Vec<Diagnostic>), Vec<E>> {
    let mut state = SimpleState(Source { file, text, tokens, notes: Vec::new() });
    let tree = rule.parse_with_state(kinds, &mut state).into_result()?;
    Ok((tree, state.0.notes))
}

fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(code::SYNTAX, span, format!("this nests more than {MAX_DEPTH} levels deep"))
        .label("one level too many")
        .help("give a part of it a name with `let`")
}

/// The problems so far.
struct Front<'a> {
    file: FileId,
    text: &'a str,
    diagnostics: Vec<Diagnostic>,
    /// Closing brackets without an opening one, void where an item has another problem.
    stray: Vec<Diagnostic>,
}

impl<'a> Front<'a> {
    fn new(file: FileId, text: &'a str) -> (Self, Layout) {
        let Lexed { tokens, mut diagnostics, .. } = lex(file, text);
        let Balanced { tokens, unclosed, stray } = balance(file, text, tokens);
        let mut layout = lay_out(file, text, &tokens);
        diagnostics.extend(unclosed);
        diagnostics.append(&mut layout.diagnostics);
        (Front { file, text, diagnostics, stray }, layout)
    }

    fn whole(&self) -> Span {
        Span::new(self.file, 0, self.text.len())
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() <= 20 * MAX_ERRORS {
            self.diagnostics.push(diagnostic);
        }
    }

    /// What backtracking may have noted twice.
    fn note(&mut self, notes: Vec<Diagnostic>) {
        for note in notes {
            if !self.diagnostics.contains(&note) {
                self.report(note);
            }
        }
    }

    /// Repairs and tries again until the grammar takes it.
    fn broken_item(&mut self, tokens: &[Token]) -> Item {
        let span = span_of(self.file, tokens);
        let known = self.known(span);
        let mut tokens = tokens.to_vec();
        let mut last: Option<Range<usize>> = None;
        let mut escalate = 0;
        for _ in 0..=MAX_ERRORS {
            let kinds: Vec<Tok> = tokens.iter().map(|t| t.kind).collect();
            let Err(found) = self.rich(&grammar::item(), &tokens, &kinds) else {
                let quick = attempt(&grammar::item::<EmptyErr>(), self.file, self.text, &tokens, &kinds);
                let Ok((item, notes)) = quick else { break };
                self.note(notes);
                return item;
            };
            let found = *found;
            let inside = last.as_ref().is_some_and(|r| r.start <= found.at && found.at <= r.end);
            escalate = if inside { escalate + 1 } else { 0 };
            let start = tokens.get(found.at).or(tokens.last()).map_or(span.end, |t| t.start);
            if !inside && known.is_none_or(|k| k > start) {
                self.report(found.diagnostic);
            }
            last = match found.splice {
                Some((range, kinds)) if !inside => Some(splice(&mut tokens, range, &kinds)),
                _ => repair(&mut tokens, found.at, escalate),
            };
            if last.is_none() {
                break;
            }
        }
        blank_item(self.file, self.text, &tokens)
    }

    /// Where an item's first problem is that spoils what follows it and is already reported.
    fn known(&self, item: Span) -> Option<u32> {
        let spoils = [code::UNCLOSED_BRACKET, code::UNTERMINATED_STRING, code::SYNTAX];
        let inside = self.diagnostics.iter().filter(|d| spoils.contains(&d.code)).map(Diagnostic::span);
        inside.filter(|s| item.start <= s.start && s.end <= item.end).map(|s| s.start).min()
    }

    fn rich<'k, T>(
        &self,
        rule: &Rule<'k, T, Rich<'k, Tok>>,
        tokens: &'k [Token],
        kinds: Input<'k>,
    ) -> Result<(T, Vec<Diagnostic>), Box<Finding>>
    where
        'a: 'k,
    {
        attempt(rule, self.file, self.text, tokens, kinds).map_err(|errors| {
            let error = errors.first();
            let at = error.map_or(0, |e| e.span().start).min(tokens.len());
            let expected = error.map(|e| expectations(e.expected())).unwrap_or_default();
            Box::new(diagnose(self.file, self.text, tokens, at, &expected))
        })
    }

    fn lone<'k, T>(&mut self, rule: &Rule<'k, T, Rich<'k, Tok>>, layout: &'k Layout, kinds: Input<'k>) -> Option<T>
    where
        'a: 'k,
    {
        if let Some(token) = layout.items.iter().find_map(|s| s.too_deep) {
            self.report(too_deep(token.span(self.file)));
            return None;
        }
        match self.rich(rule, &layout.tokens, kinds) {
            Ok((tree, notes)) => {
                self.note(notes);
                Some(tree)
            }
            Err(found) => {
                if self.diagnostics.is_empty() && self.stray.is_empty() {
                    self.report(found.diagnostic);
                }
                None
            }
        }
    }

    /// A bracket that closes nothing is no problem of its own where an earlier one of its item explains it.
    fn void_strays(&mut self, layout: &Layout) {
        let spans: Vec<Span> = layout
            .items
            .iter()
            .filter_map(|s| layout.tokens.get(s.range.clone()))
            .map(|t| span_of(self.file, t))
            .collect();
        let problems = &self.diagnostics;
        self.stray.retain(|stray| {
            let at = stray.span().start;
            let item = spans.partition_point(|s| s.start <= at).checked_sub(1).and_then(|i| spans.get(i));
            let Some(item) = item else { return true };
            !problems.iter().any(|d| d.code == code::SYNTAX && item.start <= d.span().start && d.span().start < at)
        });
    }

    fn finish(mut self) -> Vec<Diagnostic> {
        self.diagnostics.append(&mut self.stray);
        self.diagnostics.sort_by_key(|d| (d.span().start, d.span().end));
        self.diagnostics.truncate(MAX_ERRORS);
        self.diagnostics
    }
}

fn span_of(file: FileId, tokens: &[Token]) -> Span {
    match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => first.span(file).to(last.span(file)),
        _ => Span::new(file, 0, 0),
    }
}

/// What the grammar would have taken, as messages name it; operators and other ways to go on are left out.
fn expectations<'e, 'k: 'e>(patterns: impl Iterator<Item = &'e RichPattern<'k, Tok>>) -> Vec<&'e str> {
    let mut out: Vec<&str> = patterns
        .filter_map(|pattern| match pattern {
            RichPattern::Token(token) => Some(token.describe()).filter(|_| **token != Tok::Error),
            RichPattern::Label(label) => Some(label.as_ref()),
            RichPattern::EndOfInput => Some("the end of this item"),
            RichPattern::Identifier(_) | RichPattern::Any | RichPattern::SomethingElse => None,
            _ => None,
        })
        .collect();
    out.sort_unstable();
    out.dedup();
    out
}
