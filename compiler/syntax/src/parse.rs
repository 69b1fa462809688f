//! Text to tree: lex, pair brackets, lay out, then the grammar, item by item.
//!
//! Guarantees: never fails and never panics; each item that the grammar refuses is repaired in place and tried again, so
//! that one mistake costs one field, arm or step and not the file; at most [`MAX_ERRORS`] errors a file; linear time.

use crate::ast::{Expr, Item, Module, TypeExpr, TypeKind};
use crate::brackets::{Balanced, balance};
use crate::diagnose::{CAPITAL_VALUE, diagnose};
use crate::grammar::{Grammar, Outcome};
use crate::invisible;
use crate::layout::{Layout, MAX_DEPTH, lay_out};
use crate::lexer::{Lexed, lex};
use crate::repair::{blank_item, repair, splice};
use crate::token::{Tok, Token};
use imm_ir::{Applicability, Diagnostic, FileId, Label, Span, code};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// More errors than this are not reported for one file.
pub const MAX_ERRORS: usize = 20;
/// More than this are not even kept: what is shown of them is the first few that no other one explains.
pub(crate) const ENOUGH: usize = 20 * MAX_ERRORS;

/// A tree and what was wrong with the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The tree, with error nodes where the text is broken.
    pub module: Module,
    /// What was wrong, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// All brackets pair and all strings end: what stands before and behind this text does not depend on it.
    pub closed: bool,
}

/// Parses a file.
pub fn parse(file: FileId, text: &str) -> Parsed {
    let (mut front, layout) = Front::new(file, text);
    let mut items = Vec::with_capacity(layout.items.len());
    let mut grammar = Grammar::<false>::new(file, text, &[]);
    for slice in &layout.items {
        let Some(tokens) = layout.tokens.get(slice.range.clone()) else { continue };
        if let Some(token) = slice.too_deep {
            front.report(too_deep(token.span(file)));
            items.push(blank_item(file, text, tokens));
            continue;
        }
        grammar.over(tokens);
        items.push(match grammar.whole_item() {
            Outcome::Tree(item, notes) => {
                front.note(notes);
                item
            }
            Outcome::Stuck(..) => front.broken_item(tokens),
        });
    }
    front.void_strays(&layout);
    front.one_where_brackets_fail(&layout);
    let closed = front.unpaired.is_empty();
    Parsed { module: Module { docs: layout.docs, items }, diagnostics: front.finish(), closed }
}

/// Parses a lone expression: the value of a `--param`, a line of the REPL.
pub fn parse_expr(file: FileId, text: &str) -> (Expr, Vec<Diagnostic>) {
    let (mut front, layout) = Front::new(file, text);
    let tree = front.lone(&layout, |g| g.whole_expr());
    (tree.unwrap_or_else(|| Expr::error(front.whole())), front.finish())
}

/// Parses a lone type.
pub fn parse_type(file: FileId, text: &str) -> (TypeExpr, Vec<Diagnostic>) {
    let (mut front, layout) = Front::new(file, text);
    let tree = front.lone(&layout, |g| g.whole_type());
    (tree.unwrap_or_else(|| TypeExpr { kind: TypeKind::Error, span: front.whole() }), front.finish())
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
    /// Where brackets do not pair.
    unpaired: Vec<u32>,
}

impl<'a> Front<'a> {
    fn new(file: FileId, text: &'a str) -> (Self, Layout) {
        let Lexed { tokens, comments, mut diagnostics } = lex(file, text);
        invisible::check(file, text, &tokens, &comments, &mut diagnostics);
        // Strings, and holes in them.
        let tears = [code::UNTERMINATED_STRING, code::UNCLOSED_BRACKET];
        let torn = diagnostics.iter().filter(|d| tears.contains(&d.code)).map(Diagnostic::span);
        let torn: Vec<Span> = torn.collect();
        let Balanced { tokens, unclosed, stray } = balance(file, text, tokens, &torn);
        let mut layout = lay_out(file, text, tokens);
        let unpaired =
            unclosed.iter().chain(&stray).map(|d| d.span().start).chain(torn.iter().map(|s| s.start)).collect();
        diagnostics.extend(unclosed);
        diagnostics.append(&mut layout.diagnostics);
        (Front { file, text, diagnostics, stray, unpaired }, layout)
    }

    fn whole(&self) -> Span {
        Span::new(self.file, 0, self.text.len())
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < ENOUGH {
            self.diagnostics.push(diagnostic);
        }
    }

    /// What several attempts may have noted.
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
        let (mut escalate, mut said) = (0, 0);
        for _ in 0..=MAX_ERRORS {
            let (at, wanted) = match Grammar::<true>::new(self.file, self.text, &tokens).whole_item() {
                Outcome::Tree(item, notes) => {
                    self.note(notes);
                    return item;
                }
                Outcome::Stuck(at, wanted) => (at, wanted),
            };
            let found = diagnose(self.file, self.text, &tokens, at, &wanted);
            let inside = last.as_ref().is_some_and(|r| r.start <= found.at && found.at <= r.end);
            escalate = if inside { escalate + 1 } else { 0 };
            let start = tokens.get(found.at).or(tokens.last()).map_or(span.end, |t| t.start);
            // What is wrong in the same line is mostly the same mistake.
            let text = self.text.get(said as usize..start as usize).unwrap_or("");
            let same_line = said > 0 && !text.contains('\n');
            // The lexer has said what is wrong with it.
            let said_before = tokens.get(found.at).is_some_and(|t| t.kind == Tok::Error);
            if !inside && !same_line && !said_before && known.is_none_or(|k| k > start) {
                said = found.diagnostic.span().end.max(1);
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

    /// Where an item's first problem is that spoils what follows it and is already reported. An unclosed string spoils
    /// what stands before it too: it may be the opening quote that is missing.
    fn known(&self, item: Span) -> Option<u32> {
        let spoils = [code::UNCLOSED_BRACKET, code::UNTERMINATED_STRING, code::SYNTAX];
        let spoiling = self.diagnostics.iter().filter(|d| spoils.contains(&d.code) && !is_harmless(d));
        let inside = spoiling.filter(|d| item.start <= d.span().start && d.span().end <= item.end);
        inside.map(|d| if d.code == code::UNTERMINATED_STRING { item.start } else { d.span().start }).min()
    }

    /// All tokens by one rule; none with the reason reported.
    fn lone<T>(&mut self, layout: &Layout, rule: impl FnOnce(&mut Grammar<'_, true>) -> Outcome<T>) -> Option<T> {
        if let Some(token) = layout.items.iter().find_map(|s| s.too_deep) {
            self.report(too_deep(token.span(self.file)));
            return None;
        }
        match rule(&mut Grammar::new(self.file, self.text, &layout.tokens)) {
            Outcome::Tree(tree, notes) => {
                self.note(notes);
                Some(tree)
            }
            Outcome::Stuck(at, wanted) => {
                if self.diagnostics.is_empty() && self.stray.is_empty() {
                    self.report(diagnose(self.file, self.text, &layout.tokens, at, &wanted).diagnostic);
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
        let problems = &mut self.diagnostics;
        let text = self.text;
        self.stray.retain(|stray| {
            let at = stray.span().start;
            let item = spans.partition_point(|s| s.start <= at).checked_sub(1).and_then(|i| spans.get(i));
            let Some(item) = item else { return true };
            let explains = [code::SYNTAX, code::UNTERMINATED_STRING, code::DANGLING_OPERATOR];
            let earlier = |d: &&mut Diagnostic| item.start <= d.span().start && d.span().start < at;
            let explain = |d: &&mut Diagnostic| explains.contains(&d.code) && !is_harmless(d) && earlier(d);
            let Some(explanation) = problems.iter_mut().filter(explain).min_by_key(|d| d.span().start) else {
                return true;
            };
            if explanation.code == code::SYNTAX && explanation.labels.len() == 1 {
                let closer = text.get(stray.span().range()).unwrap_or_default();
                let opener = match closer {
                    "}" => "{",
                    "]" => "[",
                    _round => "(",
                };
                explanation.helps = vec![format!("a `{opener}` is missing before this")];
                explanation.labels.push(Label { span: stray.span(), text: format!("this `{closer}` closes nothing") });
                explanation.fixes.clear();
            }
            false
        });
    }

    /// In an item whose brackets do not pair, all that is said is where it begins to go wrong.
    fn one_where_brackets_fail(&mut self, layout: &Layout) {
        let starts: Vec<u32> = layout
            .items
            .iter()
            .filter_map(|s| layout.tokens.get(s.range.clone()))
            .map(|tokens| span_of(self.file, tokens).start)
            .collect();
        let item = |at: u32| starts.partition_point(|s| *s <= at);
        let unpaired: BTreeSet<usize> = self.unpaired.iter().map(|at| item(*at)).collect();
        let of_text = [
            code::SYNTAX,
            code::UNCLOSED_BRACKET,
            code::DANGLING_OPERATOR,
            code::UNTERMINATED_STRING,
            code::BAD_QUANTITY,
            code::BAD_ESCAPE,
        ];
        let counts = |d: &Diagnostic| of_text.contains(&d.code);
        let all = || self.diagnostics.iter().chain(&self.stray).filter(|d| counts(d));
        let mut first: BTreeMap<usize, u32> = BTreeMap::new();
        for diagnostic in all() {
            let at = diagnostic.span().start;
            let earliest = first.entry(item(at)).or_insert(at);
            *earliest = at.min(*earliest);
        }
        let mut said = BTreeSet::new();
        let mut keep = |d: &Diagnostic| {
            let (at, item) = (d.span().start, item(d.span().start));
            !counts(d) || !unpaired.contains(&item) || first.get(&item) == Some(&at) && said.insert(item)
        };
        self.diagnostics.retain(&mut keep);
        self.stray.retain(&mut keep);
        // What is misread is not to be repaired without a look at it.
        for diagnostic in self.diagnostics.iter_mut().filter(|d| unpaired.contains(&item(d.span().start))) {
            diagnostic.fixes.iter_mut().for_each(|fix| fix.applicability = Applicability::Maybe);
        }
    }

    /// A name that cannot be one is wrong where it is declared, not wherever it is used.
    fn names_once(&mut self) {
        let text = self.text;
        let declares =
            |d: &Diagnostic| d.message == CAPITAL_VALUE || d.message.starts_with("expected a name, found the keyword");
        let named = |d: &Diagnostic| if declares(d) { text.get(d.span().range()) } else { None };
        let names: BTreeSet<&str> = self.diagnostics.iter().filter_map(named).collect();
        if !names.is_empty() {
            let is_use = |d: &Diagnostic| {
                d.message.ends_with("is a type and not a value")
                    || d.message.starts_with("expected an expression, found the keyword")
            };
            let known = |d: &Diagnostic| text.get(d.span().range()).is_some_and(|word| names.contains(word));
            self.diagnostics.retain(|d| !(is_use(d) && known(d)));
        }
    }

    /// Of what is wrong with the text of a line, the first is enough: what follows was misread.
    fn one_a_line(&mut self) {
        let text = self.text;
        let mut last: Option<u32> = None;
        self.diagnostics.retain(|d| {
            let at = d.span().start;
            let spoils = d.code == code::SYNTAX && !is_harmless(d);
            let between = |from: u32| text.get(from as usize..at as usize);
            let follows = spoils && last.is_some_and(|from| between(from).is_some_and(|part| !part.contains('\n')));
            if spoils {
                last = Some(at);
            }
            !follows
        });
    }

    fn finish(mut self) -> Vec<Diagnostic> {
        self.names_once();
        self.diagnostics.append(&mut self.stray);
        self.diagnostics.sort_by_key(|d| (d.span().start, d.span().end));
        self.one_a_line();
        self.diagnostics.truncate(MAX_ERRORS);
        self.diagnostics
    }
}

/// Whether the tree is as if nothing were wrong.
fn is_harmless(diagnostic: &Diagnostic) -> bool {
    diagnostic.fixes.iter().any(|fix| fix.applicability == Applicability::Safe)
}

fn span_of(file: FileId, tokens: &[Token]) -> Span {
    match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => first.span(file).to(last.span(file)),
        _ => Span::new(file, 0, 0),
    }
}
