//! What to say about an item that the grammar refused: from the furthest token it could read and what it would have
//! taken there. Mistakes that people make often have their own words; the rest is "expected …, found …".

use crate::habits::own_item;
use crate::token::{Tok, Token};
use imm_ir::{Applicability, Diagnostic, FileId, Span, code};
use std::ops::Range;

/// A problem, where the grammar stopped, and how to take it out if not the usual way.
pub(crate) struct Finding {
    pub(crate) diagnostic: Diagnostic,
    pub(crate) at: usize,
    pub(crate) splice: Option<(Range<usize>, Vec<Tok>)>,
}

/// Explains why the grammar stopped at token `at`.
pub(crate) fn diagnose(file: FileId, text: &str, tokens: &[Token], at: usize, expected: &[&str]) -> Finding {
    let place = Place { file, text, tokens, at, expected };
    if let Some(finding) = place.habit().or_else(|| place.dangling()).or_else(|| place.swallowed()) {
        return finding;
    }
    if let Some((brace, token)) = place.block_after_if() {
        let message = "`if` is followed by `then` and `else`, not by a block";
        let diagnostic = Diagnostic::error(code::SYNTAX, token.span(file), message).help("write `if a then b else c`");
        // Outside of the block: all of the `if` is taken out.
        return Finding { diagnostic, at: brace, splice: None };
    }
    let diagnostic = place.special().unwrap_or_else(|| place.general());
    Finding { diagnostic, at, splice: None }
}

/// Where the grammar stopped.
pub(crate) struct Place<'a> {
    pub(crate) file: FileId,
    pub(crate) text: &'a str,
    pub(crate) tokens: &'a [Token],
    pub(crate) at: usize,
    expected: &'a [&'a str],
}

impl Place<'_> {
    pub(crate) fn token(&self, index: usize) -> Option<Token> {
        self.tokens.get(index).copied()
    }

    pub(crate) fn kind(&self, index: usize) -> Option<Tok> {
        self.token(index).map(|t| t.kind)
    }

    pub(crate) fn found(&self) -> Option<Tok> {
        self.kind(self.at)
    }

    pub(crate) fn before(&self, back: usize) -> Option<Token> {
        self.at.checked_sub(back).and_then(|i| self.token(i))
    }

    pub(crate) fn expects(&self, label: &str) -> bool {
        self.expected.contains(&label)
    }

    /// The token where it stopped, or the end of what came before.
    pub(crate) fn span(&self) -> Span {
        match (self.token(self.at), self.before(1)) {
            (Some(token), Some(last)) if token.kind == Tok::Newline => last.span(self.file).after(),
            (Some(token), _) => token.span(self.file),
            (None, Some(last)) => last.span(self.file).after(),
            (None, None) => Span::new(self.file, 0, 0),
        }
    }

    fn shown(&self, token: Token) -> String {
        let written = token.text(self.text);
        let by_text = token.kind.is_word()
            || [Tok::Upper, Tok::Int, Tok::Float, Tok::Quantity].contains(&token.kind)
            || (matches!(token.kind, Tok::Str | Tok::RawStr) && written.len() <= 24);
        if by_text && token.kind.is_keyword() {
            format!("the keyword `{written}`")
        } else if by_text {
            format!("`{written}`")
        } else {
            token.kind.describe().to_owned()
        }
    }

    fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code::SYNTAX, self.span(), message)
    }

    /// An operator with nothing on its right side.
    fn dangling(&self) -> Option<Finding> {
        let operator = self.before(1)?;
        let over = self.found().is_none_or(|k| k.is_closer() || matches!(k, Tok::Newline | Tok::Comma));
        if matches!(operator.kind, Tok::Dot | Tok::QuestionDot) && over && self.expects("a name") {
            let diagnostic = Diagnostic::error(
                code::DANGLING_OPERATOR,
                operator.span(self.file),
                format!("{} has nothing on its right side", operator.kind.describe()),
            );
            let diagnostic = diagnostic.label("expected a name after this");
            let diagnostic = diagnostic.help("write the name of a field, output or method, or remove the dot");
            return Some(Finding { diagnostic, at: self.at, splice: None });
        }
        let prefix = matches!(operator.kind, Tok::Bang | Tok::Minus);
        if !self.expects("an expression") && !self.expects("the operand") {
            return None;
        }
        if !operator.kind.is_binary_operator() && !prefix {
            return None;
        }
        // `..` at the start of an element or entry is no operator.
        if operator.kind == Tok::DotDot
            && self.before(2).is_none_or(|t| matches!(t.kind, Tok::Comma | Tok::Newline | Tok::LBrace | Tok::LBracket))
        {
            return None;
        }
        Some(Finding { diagnostic: self.dangles(operator), at: self.at, splice: None })
    }

    fn dangles(&self, operator: Token) -> Diagnostic {
        let shown = operator.kind.describe();
        Diagnostic::error(
            code::DANGLING_OPERATOR,
            operator.span(self.file),
            format!("{shown} has nothing on its right side"),
        )
        .label("expected a value after this")
        .help("write the value, or remove the operator")
    }

    /// `a = 1 +` and then a field on the next line: the operator took the name of the field for its operand.
    fn swallowed(&self) -> Option<Finding> {
        if self.found() != Some(Tok::Assign) {
            return None;
        }
        let name = self.before(1)?;
        let operator = self.before(2)?;
        let between = self.text.get(operator.end as usize..name.start as usize)?;
        if !between.contains('\n') || !(name.kind.is_word() || name.kind == Tok::Str) {
            return None;
        }
        let diagnostic = if operator.kind == Tok::Assign {
            Diagnostic::error(code::SYNTAX, operator.span(self.file), "nothing follows this `=`")
                .label("expected a value")
                .help("write the value on the same line, or remove the field")
        } else if operator.kind.is_binary_operator() {
            self.dangles(operator)
        } else {
            return None;
        };
        let mut start = self.at - 2;
        if operator.kind == Tok::Assign {
            start = self.at - 1;
        } else {
            let stop = [Tok::Assign, Tok::Comma, Tok::Newline, Tok::LBrace, Tok::LBracket, Tok::LParen];
            while start > 0 && self.kind(start - 1).is_some_and(|k| !stop.contains(&k)) {
                start -= 1;
            }
        }
        let end = self.at - 1;
        Some(Finding { diagnostic, at: self.at, splice: Some((start..end, vec![Tok::Error, Tok::Newline])) })
    }

    /// Mistakes with their own words.
    fn special(&self) -> Option<Diagnostic> {
        let found = self.found();
        let span = self.span();
        let last = self.before(1);
        let first = self.tokens.iter().map(|t| t.kind).find(|k| !matches!(k, Tok::Doc | Tok::Pub));
        if self.at == 0 || self.expects("an item") {
            return Some(self.not_an_item());
        }
        if found == Some(Tok::EqEq) && self.expects("`=`") {
            return Some(self.error("a value is given with `=`").help("write `=`; `==` compares").fix(
                "write `=`",
                Applicability::Safe,
                span,
                "=",
            ));
        }
        if found == Some(Tok::Colon)
            && self.expects("`=`")
            && last.is_some_and(|t| t.kind.is_word() || matches!(t.kind, Tok::Str | Tok::Upper))
        {
            let inside = self.tokens.get(..self.at).is_some_and(|seen| seen.iter().any(|t| t.kind == Tok::LBrace));
            let diagnostic = if inside {
                self.error("a field is written with `=`, not `:`").help("write `key = value`")
            } else {
                self.error("what this name stands for is given with `=`, not `:`").help("write `=`")
            };
            return Some(diagnostic.fix("write `=`", Applicability::Safe, span, " ="));
        }
        if found == Some(Tok::Assign) && self.comparing() {
            return Some(self.error("`=` does not compare").help("write `==`").fix(
                "write `==`",
                Applicability::Maybe,
                span,
                "==",
            ));
        }
        let comparison = |k: Tok| (Tok::EqEq..=Tok::Ge).contains(&k) || k == Tok::In;
        if found.is_some_and(comparison) && !self.expects("a name") && self.compared() {
            return Some(
                self.error("comparisons do not chain").help("compare twice and join with `&&`: `a < b && b < c`"),
            );
        }
        if self.expects("`else`") && first != Some(Tok::Assert) {
            return Some(
                self.error("this `if` has no `else`")
                    .help("every `if` gives a value: write `else` and the other value"),
            );
        }
        if first == Some(Tok::Assert) && (self.expects("`else`") || self.expects("a string")) {
            return Some(
                self.error("an assert says what is wrong when it fails").help("end it with `else \"message\"`"),
            );
        }
        if found == Some(Tok::Upper) && self.expects("a name") && !self.expects("an expression") {
            return Some(self.error("names of values start with a lower-case letter").help("write it in lower_snake"));
        }
        if found == Some(Tok::Ident) && self.expects("a type name") && !self.expects("an expression") {
            return Some(self.error("names of types start with an upper-case letter").help("write it in UpperCamel"));
        }
        if let Some(token) = self.token(self.at)
            && token.kind.is_keyword()
            && self.expects("a name")
        {
            let word = token.text(self.text);
            let what = if self.expects("an expression") { "an expression" } else { "a name" };
            return Some(
                self.error(format!("expected {what}, found the keyword `{word}`"))
                    .help(format!("`{word}` cannot be a name; choose another, for example `{word}_`")),
            );
        }
        self.header(span)
    }

    fn not_an_item(&self) -> Diagnostic {
        let Some(token) = self.token(self.at) else { return self.error("expected an item") };
        let word = token.text(self.text);
        let name = self.token(self.at + 1).filter(|t| matches!(t.kind, Tok::Ident | Tok::Upper | Tok::Str));
        let name = name.map_or("", |t| t.text(self.text).trim_matches('"'));
        let instead = own_item(word, name);
        let shown = self.shown(token);
        let diagnostic = self.error(format!("expected an item, found {shown}"));
        match instead {
            Some(instead) => diagnostic.help(instead),
            None if word == "/" => diagnostic.help("a comment starts with `//`, also in the middle of a line"),
            None => diagnostic.help(
                "an item starts with import, param, let, type, fn, component, resource, durable, pointer, external, use, provider, environment, output, assert or test",
            ),
        }
    }

    /// The `{` of `if c { … }`, when the grammar stopped at or inside it, or after it for want of `then`.
    fn block_after_if(&self) -> Option<(usize, Token)> {
        let seen = self.tokens.get(..self.at)?;
        let mut open = Vec::new();
        let mut last_block = None;
        for (index, token) in seen.iter().enumerate() {
            if token.kind.closer().is_some() {
                open.push(index);
            } else if token.kind.is_closer() {
                last_block = open.pop();
            }
        }
        let brace = if self.found() == Some(Tok::LBrace) && self.expects("`then`") {
            self.at
        } else if self.expects("`then`") {
            last_block?
        } else {
            *open.last()?
        };
        if self.kind(brace) != Some(Tok::LBrace) {
            return None;
        }
        let stop = [Tok::Then, Tok::Else, Tok::Assign, Tok::Comma, Tok::Newline, Tok::Colon, Tok::FatArrow, Tok::Match];
        let before = self.tokens.get(..brace)?.iter().rev();
        let condition = before.take_while(|t| !stop.contains(&t.kind) && t.kind.closer().is_none());
        let is_if = condition.map(|t| t.kind).any(|k| k == Tok::If);
        if is_if { self.token(brace).map(|token| (brace, token)) } else { None }
    }

    /// Whether a comparison stands before this, in the same brackets and the same expression.
    fn compared(&self) -> bool {
        let mut depth = 0usize;
        for token in self.tokens.get(..self.at).unwrap_or(&[]).iter().rev() {
            if token.kind.is_closer() {
                depth += 1;
            } else if token.kind.closer().is_some() {
                let Some(less) = depth.checked_sub(1) else { return false };
                depth = less;
            } else if depth == 0 {
                match token.kind {
                    Tok::EqEq | Tok::NotEq | Tok::Lt | Tok::Le | Tok::Gt | Tok::Ge | Tok::In => return true,
                    Tok::Assign | Tok::Comma | Tok::Newline | Tok::Colon | Tok::AndAnd | Tok::OrOr => return false,
                    _ => {}
                }
            }
        }
        false
    }

    /// Whether the expression that ends here is a condition.
    fn comparing(&self) -> bool {
        if self.before(1).is_none() || self.expects("`=`") {
            return false;
        }
        let mut depth = 0usize;
        for token in self.tokens.get(..self.at).unwrap_or(&[]).iter().rev() {
            if token.kind.is_closer() {
                depth += 1;
            } else if token.kind.closer().is_some() {
                match depth.checked_sub(1) {
                    Some(less) => depth = less,
                    None => return token.kind == Tok::LParen,
                }
            } else if depth == 0 {
                match token.kind {
                    Tok::Assert | Tok::Expect | Tok::Where | Tok::If | Tok::FatArrow => return true,
                    Tok::Assign | Tok::Comma | Tok::Newline | Tok::Colon => return false,
                    _ => {}
                }
            }
        }
        false
    }

    /// The first tokens of an item.
    fn header(&self, span: Span) -> Option<Diagnostic> {
        let start = (0..self.at).rev().find(|i| self.kind(*i).is_some_and(Tok::starts_item))?;
        let what = match self.kind(start)? {
            Tok::Let => "let",
            Tok::Param => "param",
            Tok::Output => "output",
            Tok::Type => "type",
            Tok::Fn => "function",
            Tok::Provider => "provider",
            _ => "node",
        };
        if self.at != start + 2 {
            return None;
        }
        let name = self.before(1)?.text(self.text);
        if what == "param" && self.expects("`:`") {
            return Some(
                self.error("a param needs a type")
                    .help(format!("write `param {name}: Type`, for example `param {name}: String`")),
            );
        }
        if self.expects("`=`") {
            let diagnostic = self.error(format!("expected `=` after the name of this {what}"));
            return Some(match self.found() {
                None | Some(Tok::Newline) => diagnostic.help(format!("write `= {}`", example(what))),
                Some(Tok::LBrace) if what == "node" => {
                    diagnostic.help(format!("a node has a kind: write `{name} = KIND {{ … }}`"))
                }
                Some(_) => diagnostic.help("write `=` before this").fix(
                    "insert `=`",
                    Applicability::Maybe,
                    Span { end: span.start, ..span },
                    "= ",
                ),
            });
        }
        None
    }

    /// What another language would have said, in the words of this one.
    fn hint(&self) -> Option<String> {
        let found = self.token(self.at)?;
        let last = self.before(1)?;
        let (word, before) = (found.text(self.text), last.text(self.text));
        let ended = !self.expects("an expression");
        Some(match found.kind {
            Tok::Question if ended => "write `if a then b else c`".to_owned(),
            Tok::For if self.expects("`]`") => "the `for` comes first: `[for x in xs: x]`".to_owned(),
            Tok::RParen | Tok::Comma if self.expects("`:`") => format!("write its type: `{before}: Int`"),
            Tok::Assign | Tok::LBrace if self.expects("`->`") => "write the type of the result: `-> Int`".to_owned(),
            Tok::LBrace if self.expects("`=`") => "write `=` and one expression".to_owned(),
            Tok::Slash if ended && matches!(last.kind, Tok::Newline) => "a comment starts with `//`".to_owned(),
            kind if ended && kind.is_binary_operator() && matches!(last.kind, Tok::Newline) => {
                format!("to go on, end the line before with `{word}`")
            }
            Tok::Ident | Tok::Upper if ended && matches!(last.kind, Tok::Int | Tok::Float) => {
                format!("a unit follows its number directly: `{before}{word}`")
            }
            Tok::If if ended => "write `if condition then a else b`".to_owned(),
            Tok::LBracket | Tok::Lt if self.expects("`(`") => {
                "functions take values only: write the types that they are for".to_owned()
            }
            Tok::Assign if self.expects("`)`") && self.expects("`,`") => {
                "parameters have no defaults: declare a second function".to_owned()
            }
            _ => return None,
        })
    }

    fn general(&self) -> Diagnostic {
        let found = match self.token(self.at) {
            Some(token) => self.shown(token),
            None => "the end of this item".to_owned(),
        };
        let goes_on = |e: &&str| {
            !matches!(
                *e,
                "`.`" | "`?.`" | "`?`" | "`(`" | "`[`" | "`{`" | "an operator" | "`with`" | "`where`" | "`if`" | "`=>`"
            )
        };
        if self.expected == ["`.`"]
            && let Some(ty) = self.before(1).filter(|token| token.kind == Tok::Upper)
        {
            let (span, name) = (ty.span(self.file), ty.text(self.text));
            let diagnostic = Diagnostic::error(code::SYNTAX, span, format!("`{name}` is a type and not a value"));
            let right = match name {
                "True" => "true",
                "False" => "false",
                "None" | "Null" | "Nothing" | "Nil" => "none",
                "Some" | "Just" => return diagnostic.help("a value that is there is written as it is"),
                _type => {
                    let help = format!("where one of its variants is meant, write `{name}.` and the variant");
                    return diagnostic.help(help);
                }
            };
            let title = format!("write `{right}`");
            return diagnostic.help(title.clone()).fix(title, Applicability::Safe, span, right);
        }
        let mut wanted: Vec<&str> = self.expected.iter().copied().filter(goes_on).collect();
        if wanted == ["`|`"] && self.expects("`=>`") {
            wanted = vec!["`=>` and what the arm gives"];
        }
        if wanted.is_empty() {
            wanted = self.expected.to_vec();
        }
        if wanted.contains(&"a field") {
            wanted.retain(|w| !matches!(*w, "`..`" | "a name"));
        }
        if wanted.contains(&"an expression") {
            wanted.retain(|w| {
                matches!(*w, "an expression") || w.starts_with("`)") || w.starts_with("`]") || w.starts_with("`}")
            });
        }
        if wanted.contains(&"the end of this item") && wanted.contains(&"a new line") {
            wanted.retain(|w| *w != "the end of this item");
        }
        let list = match wanted.as_slice() {
            [] => return self.error(format!("{found} cannot stand here")),
            [one] => (*one).to_owned(),
            [most @ .., last] => format!("{} or {last}", most.join(", ")),
        };
        let diagnostic = self.error(format!("expected {list}, found {found}"));
        let diagnostic = match self.hint() {
            Some(help) => return diagnostic.help(help),
            None => diagnostic,
        };
        let ends = wanted.iter().any(|w| *w == "`,` or a new line" || *w == "a new line" || *w == "`,`");
        if ends && self.expects("`,`") {
            let at = self.before(1).map_or(self.span(), |t| t.span(self.file).after());
            diagnostic.help("separate elements with `,`").fix("insert `,`", Applicability::Maybe, at, ",")
        } else if self.expects("`,` or a new line") {
            diagnostic.help("separate fields with `,` or a new line")
        } else {
            diagnostic
        }
    }
}

/// What may follow the `=` of an item.
fn example(what: &str) -> &'static str {
    match what {
        "let" | "output" => "VALUE",
        "type" => "…`, for example `= first | second` or `= { field: Int }",
        _node => "KIND { … }",
    }
}
