//! Text to tokens. Strings with holes become flat runs of tokens, so no nesting can exhaust the stack.
//!
//! Guarantees: every byte belongs to a token, to white space or to a comment; spans rise and lie on character
//! boundaries; whatever has no value (a broken string, a number that does not fit) is reported here once and becomes
//! [`Tok::Error`]. Does not know about lines and brackets: see `layout` and `brackets`.

use crate::parse::ENOUGH;
use crate::token::{Tok, Token};
use crate::{number, scan, string};
use imm_ir::{Applicability, Diagnostic, FileId, Label, Span, code};

/// How many problems back one of the same character is looked for, and how many places one problem shows.
const NEAR: usize = 20;

/// What the lexer makes of a file.
#[derive(Clone, Debug, Default)]
pub struct Lexed {
    /// All tokens, new lines and doc comments included.
    pub tokens: Vec<Token>,
    /// Comments that are no documentation.
    pub comments: Vec<Token>,
    /// What was wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// Splits a text into tokens.
pub fn lex(file: FileId, text: &str) -> Lexed {
    let first = Lexer::new(file, text, false).run();
    if first.runaway { Lexer::new(file, text, true).run().out } else { first.out }
}

struct Lexer<'a> {
    file: FileId,
    text: &'a str,
    /// Where the next token is looked for.
    at: usize,
    /// Strings that are open around the current hole.
    strings: Vec<OpenString>,
    /// A second pass: a `"""` ends before a line that starts an item, because one of them is never closed.
    cautious: bool,
    out: Lexed,
}

struct OpenString {
    /// Index of its `StrOpen`.
    token: usize,
    multiline: bool,
    /// `{` that are open inside the hole.
    braces: usize,
    hole: Span,
}

struct Finished {
    out: Lexed,
    /// A `"""` ran to the end of the file.
    runaway: bool,
}

impl<'a> Lexer<'a> {
    fn new(file: FileId, text: &'a str, cautious: bool) -> Self {
        let out = Lexed { tokens: Vec::with_capacity(text.len() / 4), ..Lexed::default() };
        Lexer { file, text, at: 0, strings: Vec::new(), cautious, out }
    }

    fn run(mut self) -> Finished {
        let mut runaway = false;
        while let Some(token) = scan::next(self.text, self.at) {
            self.at = token.end as usize;
            match token.kind {
                kind if kind.is_plain() => self.out.tokens.push(token),
                // Outside of strings, which is nearly everywhere.
                Tok::Newline | Tok::LBrace | Tok::RBrace if self.strings.is_empty() => self.out.tokens.push(token),
                Tok::StrOpen => runaway |= self.open_string(token),
                Tok::RBrace => runaway |= self.close_brace(token),
                Tok::Newline if self.cautious && !self.strings.is_empty() => self.break_off_cautiously(token),
                Tok::Newline if self.in_plain_hole() => self.break_off_hole(token.start as usize, Some(token)),
                _ => self.token(token),
            }
        }
        if !self.strings.is_empty() {
            if self.in_plain_hole() {
                self.break_off_hole(self.text.len(), None);
            } else {
                runaway |= self.strings.iter().any(|s| s.multiline);
                self.break_off_hole(self.text.len(), None);
            }
        }
        self.bare_dots();
        Finished { out: self.out, runaway: runaway && !self.cautious }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, start, end)
    }

    /// Notes a problem. A file that is no program at all has one every other byte.
    fn report(&mut self, diagnostic: Diagnostic) {
        if self.out.diagnostics.len() < ENOUGH {
            self.out.diagnostics.push(diagnostic);
        }
    }

    fn push(&mut self, kind: Tok, start: usize, end: usize) {
        self.out.tokens.push(Token::new(kind, start, end));
    }

    fn token(&mut self, token: Token) {
        let span = token.span(self.file);
        let kind =
            match token.kind {
                Tok::Comment => {
                    self.out.comments.push(token);
                    return;
                }
                Tok::Hash => {
                    self.out.comments.push(token);
                    let mark = self.span(span.range().start, span.range().start + 1);
                    self.report(
                        Diagnostic::error(code::SYNTAX, mark, "`#` does not start a comment here")
                            .help("write `//`")
                            .fix("write `//`", Applicability::Safe, mark, "//"),
                    );
                    return;
                }
                Tok::Doc if token.text(self.text).starts_with("////") => {
                    self.out.comments.push(token);
                    return;
                }
                Tok::LBrace => {
                    if let Some(open) = self.strings.last_mut() {
                        open.braces += 1;
                    }
                    Tok::LBrace
                }
                Tok::Int | Tok::Float | Tok::Quantity => self.number(token),
                Tok::BrokenRaw => {
                    let end = self.end_of_line(span.range().end);
                    self.unterminated(span.range().start, span.range().end, end);
                    return;
                }
                Tok::SingleQuoted => {
                    let inner = token.text(self.text).trim_matches('\'');
                    let diagnostic = Diagnostic::error(code::SYNTAX, span, "strings are written in double quotes");
                    let simple = !inner.contains(['"', '\\', '$']);
                    let fixed = format!("\"{inner}\"");
                    self.report(if simple {
                        diagnostic.help(format!("write `{fixed}`")).fix(
                            "use double quotes",
                            Applicability::Safe,
                            span,
                            fixed,
                        )
                    } else {
                        diagnostic.help("write `\"…\"`")
                    });
                    Tok::Error
                }
                Tok::Error => {
                    self.unknown(token);
                    return;
                }
                kind => kind,
            };
        self.out.tokens.push(Token { kind, ..token });
    }

    /// A character that starts no token. Several in a row are one problem.
    fn unknown(&mut self, token: Token) {
        if let Some(last) = self.out.tokens.last_mut()
            && last.kind == Tok::Error
            && last.end == token.start
            && self.out.diagnostics.last().is_some_and(|d| d.span().start == last.start)
        {
            last.end = token.end;
            return;
        }
        let token = self.whole_run(token);
        let span = token.span(self.file);
        let text = token.text(self.text);
        if is_quote(text) && self.quoted(token) || text == "@" && self.decorator(token) {
            return;
        }
        let diagnostic = match text {
            text if text.chars().all(crate::invisible::deceives) => {
                let what = text.escape_unicode();
                Diagnostic::error(code::SYNTAX, span, format!("the character `{what}` cannot be seen"))
                    .help("remove it")
                    .fix("remove it", Applicability::Safe, span, "")
            }
            text if is_quote(text) => {
                Diagnostic::error(code::SYNTAX, span, "strings are written in double quotes").help("write `\"…\"`")
            }
            text if text.chars().all(char::is_whitespace) => {
                let what = text.escape_unicode();
                let title = "write an ordinary space";
                self.report(
                    Diagnostic::error(code::SYNTAX, span, format!("this is not an ordinary space but `{what}`"))
                        .help(title)
                        .fix(title, Applicability::Safe, span, " "),
                );
                // It separates as any space does.
                return;
            }
            text if text.chars().all(char::is_alphanumeric) => {
                let message = format!("`{text}` cannot stand in a name");
                Diagnostic::error(code::SYNTAX, span, message)
                    .help("names have the letters a to z, digits and `_`; any text may stand in strings and comments")
            }
            "%" => Diagnostic::error(code::SYNTAX, span, "there is no operator `%`")
                .help("the remainder is `a.mod(b)`; a ratio is a number directly followed by `%`"),
            "&" => {
                let title = "write `&&`";
                self.report(Diagnostic::error(code::SYNTAX, span, "there is no operator `&`").help(title).fix(
                    title,
                    Applicability::Safe,
                    span,
                    "&&",
                ));
                self.out.tokens.push(Token { kind: Tok::AndAnd, ..token });
                return;
            }
            "^" => Diagnostic::error(code::SYNTAX, span, "there is no operator `^`").help("multiply: `a * a`"),
            "$" => Diagnostic::error(code::SYNTAX, span, "`$` has no meaning outside of a string")
                .help("write the name alone; `${…}` is for strings"),
            _ => Diagnostic::error(
                code::SYNTAX,
                span,
                format!("the character `{}` has no meaning here", text.escape_debug()),
            )
            .help("remove it, or put it in a string"),
        };
        self.out.tokens.push(Token { kind: Tok::Error, ..token });
        // A name that cannot be one stands wherever it is used.
        let known = self.out.diagnostics.iter_mut().rev().take(NEAR).find(|known| known.message == diagnostic.message);
        match known.filter(|_| text.chars().all(|c| c.is_alphanumeric() || crate::invisible::deceives(c))) {
            Some(known) => {
                if known.labels.len() < NEAR {
                    known.labels.push(Label { span, text: "and here".to_owned() });
                }
                let more = diagnostic.fixes.into_iter().flat_map(|fix| fix.edits);
                if let Some(fix) = known.fixes.first_mut() {
                    fix.edits.extend(more);
                }
            }
            None => self.report(diagnostic),
        }
    }

    /// With the letters, or the invisible characters, that follow.
    fn whole_run(&mut self, token: Token) -> Token {
        let letter = |c: char| c.is_alphanumeric() && !c.is_ascii();
        let same: fn(char) -> bool = match token.text(self.text).chars().next() {
            Some(c) if letter(c) => letter,
            Some(c) if crate::invisible::deceives(c) => crate::invisible::deceives,
            _other => return token,
        };
        let rest = self.text.get(token.end as usize..).unwrap_or("");
        let end = token.end as usize + rest.find(|c| !same(c)).unwrap_or(rest.len());
        self.at = end;
        Token::new(token.kind, token.start as usize, end)
    }

    /// A line of another language that says something about the item below it.
    fn decorator(&mut self, sign: Token) -> bool {
        let before = self.text.get(..sign.start as usize).unwrap_or("");
        let rest = self.text.get(sign.end as usize..).unwrap_or("");
        let line = rest.lines().next().unwrap_or("");
        if !(before.is_empty() || before.ends_with('\n')) || !line.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return false;
        }
        let (start, end) = (sign.start as usize, sign.end as usize + line.len());
        self.at = end;
        self.report(
            Diagnostic::error(code::SYNTAX, self.span(start, end), "there are no decorators")
                .help("what an item is for stands above it as `/// text`, what a param may be behind it as `where`"),
        );
        self.push(Tok::Error, start, end);
        true
    }

    /// A text between quotes of another language or alphabet, on one line.
    fn quoted(&mut self, open: Token) -> bool {
        let (start, inside) = (open.start as usize, open.end as usize);
        let rest = self.text.get(inside..).unwrap_or("");
        // Not the whole line: it may be long and full of quotes.
        let stops = |c: char| c == '\n' || is_quote(c.encode_utf8(&mut [0; 4]));
        let stop = rest.find(stops).and_then(|at| Some((rest.get(..at)?, rest.get(at..)?.chars().next()?)));
        let Some((inner, last)) = stop.filter(|(_, last)| *last != '\n') else { return false };
        let end = inside + inner.len() + last.len_utf8();
        self.at = end;
        let span = self.span(start, end);
        let diagnostic = Diagnostic::error(code::SYNTAX, span, "strings are written in double quotes");
        let diagnostic = if inner.contains(['"', '\\']) {
            diagnostic.help("write `\"…\"`, and `\\\"` for a quote inside")
        } else {
            let fixed = format!("\"{inner}\"");
            diagnostic.help(format!("write `{fixed}`")).fix("use double quotes", Applicability::Safe, span, fixed)
        };
        self.report(diagnostic);
        self.push(Tok::Error, start, end);
        true
    }

    fn number(&mut self, token: Token) -> Tok {
        let text = token.text(self.text);
        let span = token.span(self.file);
        let error = match token.kind {
            Tok::Int if text.len() <= 18 => return Tok::Int,
            // Whether that minus is its sign is for the grammar to see.
            Tok::Int if number::is_lowest(text) && self.follows_minus() => return Tok::Int,
            Tok::Int => number::int(text).err(),
            Tok::Float => number::float(text).err(),
            _ => number::quantity(text).err(),
        };
        let Some(error) = error else { return token.kind };
        self.report(bad_number(error, text, span));
        Tok::Error
    }

    fn follows_minus(&self) -> bool {
        self.out.tokens.last().is_some_and(|last| last.kind == Tok::Minus)
    }

    /// `1.` and `1.x`: a fraction without digits. `1.mod(2)` is a method.
    fn bare_dots(&mut self) {
        let mut bad = Vec::new();
        for (index, window) in self.out.tokens.windows(2).enumerate() {
            let [number, dot] = window else { continue };
            if number.kind != Tok::Int || dot.kind != Tok::Dot || dot.start != number.end {
                continue;
            }
            let word = self.out.tokens.get(index + 2).filter(|t| t.kind.is_word());
            let called = self.out.tokens.get(index + 3).is_some_and(|t| t.kind == Tok::LParen);
            if word.is_none() || !called && word.is_some_and(|w| w.start == dot.end) {
                bad.push((index, word.filter(|w| w.start == dot.end).copied()));
            }
        }
        let found = !bad.is_empty();
        for (index, word) in bad {
            let count = if word.is_some() { 3 } else { 2 };
            let range = index..(index + count).min(self.out.tokens.len());
            let covered = self.out.tokens.get(range.clone()).unwrap_or(&[]);
            let (Some(first), Some(last)) = (covered.first().copied(), covered.last().copied()) else { continue };
            let token = Token { kind: Tok::Error, start: first.start, end: last.end };
            // Marked here and removed in one pass below: a splice each would be quadratic.
            for (offset, slot) in self.out.tokens.iter_mut().skip(range.start).take(range.len()).enumerate() {
                *slot = if offset == 0 { token } else { Token { kind: Tok::Comment, ..*slot } };
            }
            self.report(
                Diagnostic::error(code::BAD_QUANTITY, token.span(self.file), "a digit must follow the dot of a number")
                    .help(format!("write `{0}` or `{0}.0`", first.text(self.text))),
            );
        }
        if found {
            self.out.tokens.retain(|t| t.kind != Tok::Comment);
        }
    }

    fn in_plain_hole(&self) -> bool {
        self.strings.iter().any(|s| !s.multiline)
    }

    /// `"` or `"""`, in code. True if it ran to the end of the file.
    fn open_string(&mut self, token: Token) -> bool {
        let multiline = token.end - token.start == 3;
        let index = self.out.tokens.len();
        self.out.tokens.push(token);
        self.string_text(index, multiline)
    }

    fn close_brace(&mut self, token: Token) -> bool {
        match self.strings.last_mut() {
            Some(open) if open.braces == 0 => {
                let (index, multiline) = (open.token, open.multiline);
                self.strings.pop();
                self.out.tokens.push(Token { kind: Tok::HoleClose, ..token });
                self.string_text(index, multiline)
            }
            Some(open) => {
                open.braces -= 1;
                self.out.tokens.push(token);
                false
            }
            None => {
                self.out.tokens.push(token);
                false
            }
        }
    }

    /// The text of a string up to its end or the next hole. True if it ran to the end of the file.
    fn string_text(&mut self, index: usize, multiline: bool) -> bool {
        let start = self.at;
        let rest = self.text.get(start..).unwrap_or("");
        match string::scan(rest, multiline, self.cautious) {
            string::Stop::Quote(len) => {
                self.text_part(start, start + len);
                let quotes = if multiline { 3 } else { 1 };
                self.push(Tok::StrClose, start + len, start + len + quotes);
                self.at += len + quotes;
                false
            }
            string::Stop::Hole(len) => {
                self.text_part(start, start + len);
                self.push(Tok::HoleOpen, start + len, start + len + 2);
                self.at += len + 2;
                let hole = self.span(start + len, start + len + 2);
                self.strings.push(OpenString { token: index, multiline, braces: 0, hole });
                false
            }
            string::Stop::End(len) => {
                let open = self.out.tokens.get(index).copied().unwrap_or(Token::new(Tok::StrOpen, start, start));
                if !multiline && self.in_plain_hole() {
                    // A string in a hole of a string ends with its line: the quote that seems to open it most likely
                    // closes the outer one.
                    self.at += len;
                    self.break_off_hole(start + len, None);
                    return false;
                }
                let end = if multiline { start + len } else { self.before_closers(index, start, start + len) };
                self.at = end;
                self.out.tokens.truncate(index);
                self.unterminated_at(open.start as usize, open.end as usize, end, multiline);
                multiline && end == self.text.len()
            }
        }
    }

    fn text_part(&mut self, start: usize, end: usize) {
        if end > start {
            self.push(Tok::StrText, start, end);
            let text = self.text.get(start..end).unwrap_or("");
            string::check_escapes(text, self.span(start, end), &mut |diagnostic| self.report(diagnostic));
        }
    }

    /// A line or the file ends inside a hole of a string.
    fn break_off_hole(&mut self, end: usize, then: Option<Token>) {
        let first = self.strings.iter().position(|s| !s.multiline).unwrap_or(0);
        if let Some(open) = self.strings.get(first) {
            let start = self.out.tokens.get(open.token).map_or(end, |t| t.start as usize);
            let diagnostic = Diagnostic::error(code::UNCLOSED_BRACKET, open.hole, "this `${` is never closed")
                .label("opened here")
                .help("close the hole with `}`; write `\\${` for the two characters themselves");
            let index = open.token;
            self.report(diagnostic);
            self.out.tokens.truncate(index);
            self.push(Tok::Error, start, end);
        }
        self.strings.truncate(first);
        self.out.tokens.extend(then);
    }

    /// A hole that does not end on its line, in a file where something runs away: the string around it ends at its
    /// quotes or before the next item.
    fn break_off_cautiously(&mut self, token: Token) {
        if self.in_plain_hole() {
            self.break_off_hole(token.start as usize, Some(token));
            return;
        }
        let start = token.start as usize;
        let rest = self.text.get(start..).unwrap_or("");
        let quotes = rest.find("\"\"\"").map_or(rest.len(), |at| at + 3);
        let item = string::before_item(rest);
        let end = start + quotes.min(item);
        self.at = end.max(token.end as usize);
        self.break_off_hole(end, None);
    }

    fn end_of_line(&self, from: usize) -> usize {
        let rest = self.text.get(from..).unwrap_or("");
        let len = rest.find('\n').unwrap_or(rest.len());
        from + rest.get(..len).unwrap_or("").trim_end_matches('\r').len()
    }

    fn unterminated(&mut self, start: usize, quote_end: usize, line_end: usize) {
        let index = self.out.tokens.len();
        let end = self.before_closers(index, quote_end, line_end);
        self.at = end;
        self.unterminated_at(start, quote_end, end, false);
    }

    fn unterminated_at(&mut self, start: usize, quote_end: usize, end: usize, multiline: bool) {
        let quotes = if multiline { "\"\"\"" } else { "\"" };
        let diagnostic =
            Diagnostic::error(code::UNTERMINATED_STRING, self.span(start, quote_end), "this string is never closed")
                .label("starts here")
                .help(format!("close it with `{quotes}`"));
        let diagnostic = if multiline {
            diagnostic
        } else {
            diagnostic.note("a string of several lines is written between `\"\"\"`").fix(
                "close the string",
                Applicability::Maybe,
                self.span(end, end),
                quotes,
            )
        };
        self.report(diagnostic);
        self.push(Tok::Error, start, end);
    }

    /// Where a string that lacks its quote most likely ends: before the brackets at the end of the line that close
    /// what this line opened, and before a comma.
    fn before_closers(&self, index: usize, start: usize, end: usize) -> usize {
        let mut open = Vec::new();
        for token in self.out.tokens.get(..index).unwrap_or(&[]).iter().rev().take(200) {
            if token.kind == Tok::Newline {
                break;
            }
            open.push(token.kind);
        }
        let mut stack = Vec::new();
        for kind in open.into_iter().rev() {
            if let Some(closer) = kind.closer() {
                stack.push(closer);
            } else if kind.is_closer() {
                stack.pop();
            }
        }
        let mut cut = end;
        let text = self.text.get(start..end).unwrap_or("");
        let tail = text.trim_end_matches([')', ']', '}', ',', ' ', '\t']).len();
        let mut expected = stack.iter().rev();
        let closers: Vec<(usize, char)> = text.char_indices().skip_while(|(i, _)| *i < tail).collect();
        // Take as many closers from the end as the line has open, outermost last.
        let wanted: Vec<Tok> = expected.by_ref().copied().collect();
        let mut remaining = wanted.len();
        let mut seen_comma = false;
        for (i, c) in closers.into_iter().rev() {
            let kind = match c {
                ')' => Tok::RParen,
                ']' => Tok::RBracket,
                '}' => Tok::RBrace,
                ',' if !seen_comma => {
                    seen_comma = true;
                    cut = start + i;
                    continue;
                }
                ',' => break,
                _ => continue,
            };
            let Some(next) = remaining.checked_sub(1) else { break };
            if wanted.get(next) != Some(&kind) {
                break;
            }
            remaining = next;
            cut = start + i;
        }
        cut
    }
}

/// What is used as a quote elsewhere.
fn is_quote(text: &str) -> bool {
    matches!(text, "`" | "“" | "”" | "„" | "‘" | "’" | "«" | "»")
}

pub(crate) fn bad_number(error: number::NumberError, text: &str, span: Span) -> Diagnostic {
    let (digits, suffix) = number::split(text);
    let suffix_span = Span { start: span.start + u32::try_from(digits.len()).unwrap_or(0), ..span };
    match error {
        number::NumberError::TooLarge => Diagnostic::error(code::OVERFLOW, span, format!("`{text}` is too large"))
            .note("whole numbers and quantities go up to 9_223_372_036_854_775_807 of their smallest unit"),
        number::NumberError::TooFine => {
            Diagnostic::error(code::BAD_QUANTITY, span, format!("`{text}` is finer than quantities can be"))
                .note("the smallest steps are 1ms, 1B, 0.0001% and 0.001cpu")
                .help("round it to the smallest step of its unit")
        }
        number::NumberError::UnknownUnit => {
            let diagnostic =
                Diagnostic::error(code::BAD_QUANTITY, span, format!("`{suffix}` is not a unit")).label("unknown unit");
            match number::similar_unit(suffix) {
                Some(unit) => diagnostic.help(format!("write `{digits}{unit}`")).fix(
                    format!("write `{digits}{unit}`"),
                    Applicability::Maybe,
                    suffix_span,
                    unit,
                ),
                None => diagnostic.help(
                    "units are ms s m h d (time), B KiB MiB GiB TiB KB MB GB TB (size), cpu and %; a name cannot start with a digit",
                ),
            }
        }
    }
}
