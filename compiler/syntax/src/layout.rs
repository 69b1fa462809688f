//! Which new lines count, which docs belong to an item, and where each item begins.
//!
//! After this stage a new line is a separator and nothing else: there is none inside `(`, `[` and holes, none beside an
//! operator, a comma or a brace, and never two in a row. Linear in the tokens; expects brackets that pair.

use crate::ast::Docs;
use crate::token::{Tok, Token};
use imm_ir::{Applicability, Diagnostic, FileId, code};
use std::ops::Range;

/// How deep an item may nest: brackets, prefixes, operators and suffixes of one expression together. Every later stage
/// walks the tree by recursion and relies on this bound.
pub const MAX_DEPTH: usize = 128;

/// The tokens that the grammar sees.
#[derive(Default)]
pub(crate) struct Layout {
    pub(crate) tokens: Vec<Token>,
    pub(crate) items: Vec<Slice>,
    pub(crate) docs: Option<Docs>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// The tokens of one item.
pub(crate) struct Slice {
    pub(crate) range: Range<usize>,
    /// The first token that nests too deep.
    pub(crate) too_deep: Option<Token>,
}

/// Applies the rules for new lines and finds the items. In place: what is kept is never more than what was read, and a
/// second vector of a large program's tokens would be megabytes.
pub(crate) fn lay_out(file: FileId, text: &str, tokens: Vec<Token>) -> Layout {
    let mut pass = Pass {
        file,
        text,
        kept: 0,
        out: Layout { tokens, ..Layout::default() },
        stack: Vec::new(),
        levels: vec![0],
        depth: 0,
        start: 0,
        too_deep: None,
        module_docs: Vec::new(),
    };
    pass.run();
    pass.finish()
}

struct Pass<'a> {
    file: FileId,
    text: &'a str,
    /// The tokens: what is laid out, up to `kept`, and behind the one at hand what is to be read.
    out: Layout,
    kept: usize,
    stack: Vec<Tok>,
    /// What the current expression of each open bracket adds to the depth.
    levels: Vec<usize>,
    depth: usize,
    start: usize,
    too_deep: Option<Token>,
    module_docs: Vec<Token>,
}

impl Pass<'_> {
    fn kind(&self, index: usize) -> Option<Tok> {
        self.out.tokens.get(index).map(|t| t.kind)
    }

    fn keep(&mut self, token: Token) {
        if let Some(place) = self.out.tokens.get_mut(self.kept) {
            *place = token;
            self.kept += 1;
        }
    }

    /// The token that was kept so many before the next one.
    fn before(&self, count: usize) -> Option<Tok> {
        self.kind(self.kept.checked_sub(count)?)
    }

    fn starts_item(&self, index: usize) -> bool {
        self.kind(index).is_some_and(Tok::starts_item)
            && !matches!(self.kind(index + 1), Some(Tok::Assign | Tok::Colon))
    }

    fn run(&mut self) {
        let mut index = 0;
        let mut newline: Option<Token> = None;
        let mut fresh = true;
        while let Some(token) = self.out.tokens.get(index).copied() {
            match token.kind {
                Tok::Newline => {
                    newline = newline.or(Some(token));
                    fresh = true;
                }
                Tok::ModuleDoc => self.module_docs.push(token),
                Tok::Doc => {
                    let end = self.end_of_docs(index);
                    if fresh && self.in_braces() && self.starts_item(end) {
                        self.separate(newline.take(), true);
                        for at in index..end {
                            if let Some(doc) = self.out.tokens.get(at).copied().filter(|t| t.kind == Tok::Doc) {
                                self.keep(doc);
                            }
                        }
                        fresh = false;
                        index = end;
                        continue;
                    }
                    let ends = self.out.tokens.get(index + 1).filter(|t| t.kind == Tok::Newline);
                    newline = newline.or(ends.copied());
                    index = end;
                    continue;
                }
                kind if newline.is_none() && kind.is_leaf() => {
                    fresh = false;
                    self.keep(token);
                }
                _ => {
                    if newline.is_some() {
                        let starts_item = self.starts_item(index) && self.in_braces();
                        let after_docs = self.before(1) == Some(Tok::Doc);
                        if !after_docs && (starts_item || self.keeps(index)) {
                            self.separate(newline, starts_item);
                        }
                    }
                    newline = None;
                    fresh = false;
                    self.token(token, index);
                }
            }
            index += 1;
        }
    }

    /// The first token after a run of docs and new lines.
    fn end_of_docs(&self, from: usize) -> usize {
        let run = self.out.tokens.get(from..).unwrap_or(&[]);
        from + run.iter().take_while(|t| t.kind == Tok::Doc || t.kind == Tok::Newline).count()
    }

    /// Whether the innermost bracket is a brace, or there is none.
    fn in_braces(&self) -> bool {
        matches!(self.stack.last(), None | Some(Tok::LBrace))
    }

    /// Whether a new line before this token separates.
    fn keeps(&self, index: usize) -> bool {
        let Some(next) = self.kind(index) else { return false };
        let Some(last) = self.before(1) else { return false };
        if !self.in_braces() {
            return false;
        }
        let after_dot = matches!(self.before(2), Some(Tok::Dot | Tok::QuestionDot));
        let opens = matches!(last, Tok::Assign | Tok::FatArrow | Tok::Arrow | Tok::Comma | Tok::Colon | Tok::Pipe)
            || last.closer().is_some()
            || last.is_binary_operator() && !(last == Tok::In && after_dot)
            || matches!(last, Tok::Then | Tok::Else) && !after_dot;
        let continues =
            matches!(next, Tok::Dot | Tok::QuestionDot | Tok::Coalesce | Tok::AndAnd | Tok::OrOr | Tok::Pipe)
                || matches!(next, Tok::Then | Tok::Else | Tok::Where | Tok::With)
                    && !matches!(self.kind(index + 1), Some(Tok::Assign | Tok::Colon));
        let beside = matches!(next, Tok::RBrace | Tok::Comma) || last == Tok::Newline;
        !(opens || continues || beside)
    }

    /// Ends what came before: with a new line inside braces, with the end of the item outside.
    fn separate(&mut self, newline: Option<Token>, starts_item: bool) {
        self.next_expression();
        let Some(newline) = newline else { return };
        if starts_item && self.stack.is_empty() {
            self.end_item();
        } else if !matches!(self.before(1), None | Some(Tok::LBrace | Tok::Newline)) {
            self.keep(newline);
        }
    }

    fn end_item(&mut self) {
        let end = self.kept;
        if end > self.start {
            self.out.items.push(Slice { range: self.start..end, too_deep: self.too_deep.take() });
        }
        self.start = end;
        self.too_deep = None;
    }

    fn token(&mut self, token: Token, index: usize) {
        let mut token = token;
        let kind = token.kind;
        if kind == Tok::Semicolon {
            self.semicolon(&mut token, index);
            if token.kind == Tok::Semicolon {
                return;
            }
        }
        if kind.is_leaf() {
            self.keep(token);
            return;
        }
        if kind.closer().is_some() {
            self.stack.push(kind);
            self.levels.push(1);
            self.depth += 1;
        } else if kind.is_closer() {
            self.stack.pop();
            self.depth -= self.levels.pop().unwrap_or(0);
            if self.levels.is_empty() {
                self.levels.push(0);
            }
            // What follows is a suffix of the bracket.
            self.deeper();
        } else if matches!(token.kind, Tok::Comma | Tok::Newline) {
            self.next_expression();
        } else if nests(kind) {
            self.deeper();
        }
        if self.depth > MAX_DEPTH && self.too_deep.is_none() {
            self.too_deep = Some(token);
        }
        self.keep(token);
    }

    /// Another expression begins inside the same bracket.
    fn next_expression(&mut self) {
        let base = usize::from(!self.stack.is_empty());
        if let Some(level) = self.levels.last_mut() {
            self.depth = self.depth - *level + base;
            *level = base;
        }
    }

    fn deeper(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            *level += 1;
            self.depth += 1;
        }
    }

    /// `;` is no separator; a new line or a comma takes its place. It stays a semicolon where it is simply left out.
    fn semicolon(&mut self, token: &mut Token, index: usize) {
        let ends_line = matches!(self.kind(index + 1), None | Some(Tok::Newline | Tok::RBrace));
        let span = token.span(self.file);
        let diagnostic = Diagnostic::error(code::SYNTAX, span, "nothing ends with `;` here");
        let in_brace = self.stack.last() == Some(&Tok::LBrace);
        if self.out.diagnostics.len() < 64 {
            self.out.diagnostics.push(if ends_line {
                diagnostic.help("remove it: the end of the line is enough").fix(
                    "remove `;`",
                    Applicability::Safe,
                    span,
                    "",
                )
            } else if in_brace {
                diagnostic.help("separate with `,` or a new line").fix("write `,`", Applicability::Safe, span, ",")
            } else {
                diagnostic.help("start a new line").fix("start a new line", Applicability::Maybe, span, "\n")
            });
        }
        let separated = matches!(self.before(1), None | Some(Tok::Comma | Tok::Newline | Tok::LBrace));
        if !ends_line && !separated {
            token.kind = if in_brace { Tok::Comma } else { Tok::Newline };
        }
    }

    fn finish(mut self) -> Layout {
        self.end_item();
        self.out.tokens.truncate(self.kept);
        let first = self.module_docs.first().copied();
        let last = self.module_docs.last().copied();
        if let (Some(first), Some(last)) = (first, last) {
            let text = doc_text(self.module_docs.iter().map(|t| t.text(self.text)));
            self.out.docs = Some(Docs { text: text.into(), span: first.span(self.file).to(last.span(self.file)) });
        }
        self.out
    }
}

/// Tokens that make the tree deeper by one without a bracket.
fn nests(kind: Tok) -> bool {
    kind.is_binary_operator()
        || matches!(
            kind,
            Tok::Bang
                | Tok::Tilde
                | Tok::Dot
                | Tok::QuestionDot
                | Tok::Question
                | Tok::FatArrow
                | Tok::If
                | Tok::Match
                | Tok::Else
        )
}

/// The text of doc comments without their marks and one leading space.
pub(crate) fn doc_text<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for (index, line) in lines.enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let line = line.get(3..).unwrap_or("").trim_end();
        text.push_str(line.strip_prefix(' ').unwrap_or(line));
    }
    text
}
