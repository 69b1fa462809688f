//! Brackets that do not pair: where the missing one belongs, and a token stream in which all of them pair.
//!
//! Balanced files pass untouched. In others the item keywords in column 0 tell where a mistake ends at last: what stands
//! between two of them is mended by itself, and passes untouched if it is balanced. There a line's indentation tells which
//! bracket was meant to close what, so that one missing bracket stays one problem. Linear in the tokens.

use crate::token::{Tok, Token};
use imm_ir::{Applicability, Diagnostic, FileId, Span, code};

/// How far back an opening bracket is looked for by its indentation.
const SEARCH: usize = 64;
/// Problems beyond this many are not worth their memory: a file shows twenty.
const ENOUGH: usize = 64;

/// Tokens in which all brackets pair.
pub(crate) struct Balanced {
    pub(crate) tokens: Vec<Token>,
    /// Brackets that are never closed.
    pub(crate) unclosed: Vec<Diagnostic>,
    /// Brackets that close nothing; each is void if its item has an earlier problem.
    pub(crate) stray: Vec<Diagnostic>,
}

/// Makes all brackets pair. `torn` are the places of strings that are never closed: each may have swallowed brackets.
pub(crate) fn balance(file: FileId, text: &str, tokens: Vec<Token>, torn: &[Span]) -> Balanced {
    if is_balanced(&tokens) {
        return Balanced { tokens, unclosed: Vec::new(), stray: Vec::new() };
    }
    let mut all = Balanced { tokens: Vec::with_capacity(tokens.len() + 16), unclosed: Vec::new(), stray: Vec::new() };
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        let (item, behind) = rest.split_at(next_item(text, rest));
        if is_balanced(item) {
            all.tokens.extend_from_slice(item);
        } else {
            let mended = mended(file, text, item, behind.first().copied(), torn);
            all.tokens.extend(mended.tokens);
            all.unclosed.extend(mended.unclosed);
            all.stray.extend(mended.stray);
        }
        rest = behind;
    }
    all.unclosed.truncate(ENOUGH);
    all.stray.truncate(ENOUGH);
    all
}

/// How many tokens stand before the next item in column 0.
fn next_item(text: &str, tokens: &[Token]) -> usize {
    let following = |index: usize| tokens.get(index + 1).map(|token| token.kind);
    let starts =
        |(index, token): &(usize, &Token)| starts_item(**token, following(*index)) && token.at_column_zero(text);
    tokens.iter().enumerate().skip(1).find(starts).map_or(tokens.len(), |(index, _)| index)
}

fn starts_item(token: Token, following: Option<Tok>) -> bool {
    token.kind.starts_item() && !matches!(following, Some(Tok::Assign | Tok::Colon))
}

/// Most programs are indented as they are meant; the layout is trusted unless that makes more problems of one.
fn mended(file: FileId, text: &str, tokens: &[Token], next: Option<Token>, torn: &[Span]) -> Balanced {
    let trusting = repaired(file, text, tokens, next, torn, true);
    let problems = |b: &Balanced| b.unclosed.len() + b.stray.len();
    if problems(&trusting) <= 1 {
        return trusting;
    }
    let blind = repaired(file, text, tokens, next, torn, false);
    if problems(&blind) < problems(&trusting) { blind } else { trusting }
}

fn repaired(
    file: FileId,
    text: &str,
    tokens: &[Token],
    next: Option<Token>,
    torn: &[Span],
    trusts_layout: bool,
) -> Balanced {
    let first = tokens.first().map_or(0, |token| token.start as usize);
    let before = text.get(..first).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let mut repair = Repair {
        file,
        text,
        torn,
        trusts_layout,
        line_start: u32::try_from(before).unwrap_or(u32::MAX),
        out: Vec::with_capacity(tokens.len() + 16),
        stack: Vec::new(),
        counts: vec![Counts::default()],
        unclosed: Vec::new(),
        stray: Vec::new(),
    };
    repair.run(tokens, next);
    Balanced { tokens: repair.out, unclosed: repair.unclosed, stray: repair.stray }
}

fn is_balanced(tokens: &[Token]) -> bool {
    let mut stack = Vec::new();
    for token in tokens.iter().filter(|token| token.kind.is_bracket()) {
        if let Some(closer) = token.kind.closer() {
            stack.push(closer);
        } else if token.kind.is_closer() && stack.pop() != Some(token.kind) {
            return false;
        }
    }
    stack.is_empty()
}

#[derive(Clone, Copy)]
struct Open {
    token: Token,
    closer: Tok,
    /// Column of the first token of its line.
    indent: u32,
    /// Whether nothing follows it on its line.
    ends_line: bool,
}

/// How many of each bracket are open since the last hole began.
#[derive(Clone, Copy, Default)]
struct Counts {
    parens: usize,
    brackets: usize,
    braces: usize,
}

impl Counts {
    fn of(&mut self, closer: Tok) -> Option<&mut usize> {
        if closer == Tok::RParen {
            Some(&mut self.parens)
        } else if closer == Tok::RBracket {
            Some(&mut self.brackets)
        } else if closer == Tok::RBrace {
            Some(&mut self.braces)
        } else {
            None
        }
    }
}

/// What goes on with the line before.
const CONTINUE: [Tok; 6] = [Tok::Dot, Tok::QuestionDot, Tok::Then, Tok::Else, Tok::Where, Tok::With];

struct Repair<'a> {
    file: FileId,
    text: &'a str,
    torn: &'a [Span],
    /// Whether indentation tells which bracket closes which.
    trusts_layout: bool,
    line_start: u32,
    out: Vec<Token>,
    stack: Vec<Open>,
    counts: Vec<Counts>,
    unclosed: Vec<Diagnostic>,
    stray: Vec<Diagnostic>,
}

impl Repair<'_> {
    fn run(&mut self, tokens: &[Token], next: Option<Token>) {
        let mut indent = 0;
        let mut first_on_line = true;
        for (index, token) in tokens.iter().enumerate() {
            let following = tokens.get(index + 1).map(|t| t.kind);
            if token.kind == Tok::Newline {
                self.line_start = token.end;
                first_on_line = true;
                self.out.push(*token);
                continue;
            }
            if first_on_line {
                let outer = indent;
                indent = token.start.saturating_sub(self.line_start);
                self.start_of_line(*token, following, indent);
                if self.trusts_layout && indent > outer {
                    self.opens_here(*token, following, outer);
                }
            }
            if let Some(closer) = token.kind.closer() {
                let ends_line = matches!(following, None | Some(Tok::Newline));
                self.open(Open { token: *token, closer, indent, ends_line });
                self.out.push(*token);
            } else if token.kind.is_closer() {
                self.close(*token, indent, first_on_line);
            } else {
                self.out.push(*token);
            }
            first_on_line = false;
        }
        match next {
            Some(next) => self.close_down_to(0, next, "and this starts the next item"),
            None => {
                let end = Token::new(Tok::Newline, self.text.len(), self.text.len());
                self.close_down_to(0, end, "the file ends here");
            }
        }
    }

    /// A new line may show that what is open should have been closed before.
    fn start_of_line(&mut self, token: Token, following: Option<Tok>, indent: u32) {
        if self.stack.is_empty() {
            return;
        }
        let is_field = following == Some(Tok::Assign);
        let starts_item = starts_item(token, following);
        // A line that stands no deeper than the line of an open bracket is outside of it.
        // At the start of a line `..` spreads.
        let operator = token.kind.is_binary_operator() && token.kind != Tok::DotDot;
        let goes_on = token.kind.is_closer() || operator || CONTINUE.contains(&token.kind);
        if self.trusts_layout && !goes_on {
            let inside = self.stack.iter().rposition(|o| o.indent < indent || o.closer == Tok::HoleClose);
            self.close_down_to(inside.map_or(0, |i| i + 1), token, "and this stands outside of it");
        }
        if is_field && (token.kind.is_word() || token.kind == Tok::Str) || starts_item {
            let keep = self.stack.iter().rposition(|o| o.closer == Tok::RBrace || o.closer == Tok::HoleClose);
            self.close_down_to(keep.map_or(0, |k| k + 1), token, "and this starts something new");
        }
    }

    /// A deeper line that reads like the inside of a block, behind a line that opens none: its brace is missing there.
    fn opens_here(&mut self, token: Token, following: Option<Tok>, indent: u32) {
        let in_block = self.stack.last().is_none_or(|o| o.closer == Tok::RBrace && o.indent < indent);
        let entry =
            matches!(following, Some(Tok::Assign | Tok::FatArrow)) && (token.kind.is_word() || token.kind == Tok::Str);
        let step = [Tok::Given, Tok::Apply, Tok::Rollback, Tok::Recover, Tok::Fault, Tok::Sample, Tok::Expect];
        let inside = entry || (token.kind.starts_item() || step.contains(&token.kind)) && following != Some(Tok::Colon);
        let last = self.out.iter().rposition(|t| !matches!(t.kind, Tok::Newline | Tok::Doc));
        let Some((index, last)) = last.and_then(|i| Some((i, *self.out.get(i)?))) else { return };
        let before = [Tok::Ident, Tok::Assign, Tok::Str, Tok::StrClose, Tok::With].contains(&last.kind);
        if !in_block || !inside || !before {
            return;
        }
        let at = last.end as usize;
        let brace = Token::new(Tok::LBrace, at, at);
        if self.unclosed.len() < ENOUGH {
            let insert = Span::new(self.file, at, at);
            self.unclosed.push(
                Diagnostic::error(
                    code::UNCLOSED_BRACKET,
                    insert,
                    "`{` is missing: the next line reads like the inside of a block",
                )
                .label("`{` is missing here")
                .also(token.span(self.file), "this belongs to the block")
                .help("write `{` at the end of the line")
                .fix("insert `{`", Applicability::Maybe, insert, " {"),
            );
        }
        self.out.insert(index + 1, brace);
        self.open(Open { token: brace, closer: Tok::RBrace, indent, ends_line: true });
    }

    fn open(&mut self, open: Open) {
        self.stack.push(open);
        if open.closer == Tok::HoleClose {
            self.counts.push(Counts::default());
        } else if let Some(count) = self.counts.last_mut().and_then(|c| c.of(open.closer)) {
            *count += 1;
        }
    }

    fn pop(&mut self) -> Option<Open> {
        let open = self.stack.pop()?;
        if open.closer == Tok::HoleClose {
            self.counts.pop();
        } else if let Some(count) = self.counts.last_mut().and_then(|c| c.of(open.closer)) {
            *count = count.saturating_sub(1);
        }
        Some(open)
    }

    fn close(&mut self, token: Token, indent: u32, first_on_line: bool) {
        let kind = token.kind;
        let is_open = kind == Tok::HoleClose
            || self.counts.last_mut().and_then(|c| c.of(kind).copied()).is_some_and(|count| count > 0);
        if !is_open {
            if !(self.trusts_layout && first_on_line && self.opened_above(token, indent)) {
                self.is_stray(token);
            }
            return;
        }
        let Some(mut at) = self.stack.iter().rposition(|o| o.closer == kind) else { return };
        // A block that goes over lines ends on a line of its own: here the opening one of a short block is missing.
        if self.trusts_layout
            && !first_on_line
            && kind == Tok::RBrace
            && self.stack.get(at).is_some_and(|o| o.ends_line && o.token.end < self.line_start)
        {
            self.is_stray(token);
            return;
        }
        if first_on_line
            && kind == Tok::RBrace
            && let Some(top) = self.stack.get(at)
            && top.indent > indent
        {
            // It stands under the line of an outer bracket: that is the one it closes.
            let outer =
                self.stack.iter().enumerate().rev().take(SEARCH).take_while(|(_, o)| o.closer != Tok::HoleClose);
            let meant = outer.skip_while(|(i, _)| *i >= at).find(|(_, o)| o.closer == kind && o.indent == indent);
            if let Some((index, _)) = meant {
                at = index;
            }
        }
        self.close_down_to(at + 1, token, "but this closes an outer one");
        self.pop();
        self.out.push(token);
    }

    /// A closing bracket that stands under a line that ends with `=`: what it closes should begin there.
    fn opened_above(&mut self, token: Token, indent: u32) -> bool {
        if self.unclosed.len() + self.stray.len() >= ENOUGH {
            return false;
        }
        let opener = match token.kind {
            Tok::RBracket => Tok::LBracket,
            Tok::RParen => Tok::LParen,
            _brace => return false,
        };
        let mut rest = self.text.get(..self.line_start as usize).unwrap_or("");
        for _ in 0..SEARCH {
            rest = rest.trim_end();
            let start = rest.rfind('\n').map_or(0, |at| at + 1);
            let line = rest.get(start..).unwrap_or("");
            let outer = line.len() - line.trim_start().len() <= indent as usize;
            if outer || line.is_empty() {
                break;
            }
            rest = rest.get(..start).unwrap_or("");
        }
        let line = rest.get(rest.rfind('\n').map_or(0, |at| at + 1)..).unwrap_or("");
        let found = self.out.iter().rposition(|t| t.end as usize == rest.len() && t.kind == Tok::Assign);
        let same = line.len() - line.trim_start().len() == indent as usize;
        let Some(index) = found.filter(|_| same) else { return false };
        let (at, shown) = (rest.len(), opener.describe());
        self.out.insert(index + 1, Token::new(opener, at, at));
        self.out.push(token);
        if self.unclosed.len() < ENOUGH {
            let insert = Span::new(self.file, at, at);
            let text = format!(" {}", shown.trim_matches('`'));
            self.unclosed.push(
                Diagnostic::error(code::UNCLOSED_BRACKET, insert, format!("{shown} is missing"))
                    .label(format!("{shown} is missing here"))
                    .also(token.span(self.file), format!("which this {} closes", token.kind.describe()))
                    .help(format!("write {shown} at the end of the line"))
                    .fix(format!("insert {shown}"), Applicability::Maybe, insert, text),
            );
        }
        true
    }

    fn is_stray(&mut self, token: Token) {
        if self.stray.len() < ENOUGH {
            let span = token.span(self.file);
            let shown = token.kind.describe();
            self.stray.push(
                Diagnostic::error(code::UNCLOSED_BRACKET, span, format!("this {shown} closes nothing"))
                    .help("remove it, or write the bracket that it should close")
                    .fix("remove it", Applicability::Maybe, span, ""),
            );
        }
    }

    /// Closes what is open above `depth` in front of `next`, as one problem.
    fn close_down_to(&mut self, depth: usize, next: Token, why: &str) {
        if self.stack.len() <= depth {
            return;
        }
        // Before the new lines and docs that belong to what follows.
        let mut later = Vec::new();
        while let Some(last) = self.out.pop_if(|t| t.kind == Tok::Newline || t.kind == Tok::Doc) {
            later.push(last);
        }
        let at = self.out.last().map_or(0, |t| t.end as usize);
        let mut reported = false;
        while self.stack.len() > depth
            && let Some(open) = self.pop()
        {
            // A string that is never closed may have swallowed the bracket.
            let torn = self.torn.get(self.torn.partition_point(|s| s.start <= open.token.start));
            reported |= torn.is_some_and(|s| s.start as usize <= at);
            if !reported && self.unclosed.len() < ENOUGH {
                reported = true;
                let shown = open.token.kind.describe();
                let closer = open.closer.describe();
                let insert = imm_ir::Span::new(self.file, at, at);
                let text = closer.trim_matches('`').to_owned();
                let on_own_line = open.closer == Tok::RBrace && !later.is_empty();
                let text = if on_own_line { format!("\n{}{text}", " ".repeat(open.indent as usize)) } else { text };
                self.unclosed.push(
                    Diagnostic::error(
                        code::UNCLOSED_BRACKET,
                        insert,
                        format!("{closer} is missing: {shown} is never closed"),
                    )
                    .label(format!("{closer} is missing here"))
                    .also(open.token.span(self.file), "opened here")
                    .also(next.span(self.file), why)
                    .help(format!("write {closer} where it should end"))
                    .fix(format!("insert {closer}"), Applicability::Maybe, insert, text),
                );
            }
            self.out.push(Token::new(open.closer, at, at));
        }
        self.out.extend(later.into_iter().rev());
    }
}
