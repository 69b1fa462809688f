//! What to say about an item that the grammar refused: from the furthest token it could read and what it would have
//! taken there. Mistakes that people make often have their own words; the rest is "expected …, found …".

use crate::habits::{own_item, own_type};
use crate::token::{Tok, Token};
use imm_ir::{Applicability, Diagnostic, FileId, Span, code};
use std::ops::Range;

/// What is said of a value whose name begins like a type's.
pub(crate) const CAPITAL_VALUE: &str = "names of values start with a lower-case letter";

/// The words that begin an item.
const ITEMS: [&str; 16] = [
    "import",
    "param",
    "let",
    "type",
    "fn",
    "component",
    "resource",
    "durable",
    "pointer",
    "external",
    "use",
    "provider",
    "environment",
    "output",
    "assert",
    "test",
];

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
    pub(crate) expected: &'a [&'a str],
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

    pub(crate) fn error(&self, message: impl Into<String>) -> Diagnostic {
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
            let imports = self.tokens.first().is_some_and(|t| t.kind == Tok::Import);
            let help = if imports {
                "write the name of the module"
            } else {
                "write the name of a field, output or method, or remove the dot"
            };
            let diagnostic = diagnostic.help(help);
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
        // `(a, b)` and its body on the next line.
        if self.found() == Some(Tok::Newline) && self.expects("`=>`") && self.before(1)?.kind == Tok::RParen {
            let diagnostic = self
                .error("expected `=>`, found a new line")
                .help("write `=>` at the end of the line")
                .fix("insert `=>`", Applicability::Maybe, self.span(), " =>");
            return Some(Finding {
                diagnostic,
                at: self.at,
                splice: Some((self.at..self.at + 1, vec![Tok::FatArrow])),
            });
        }
        if self.expects("an expression")
            && self.kind(self.at + 1) == Some(Tok::FatArrow)
            && let Some(arrow) = self.before(1).filter(|t| t.kind == Tok::FatArrow)
        {
            let diagnostic = Diagnostic::error(code::SYNTAX, arrow.span(self.file), "nothing follows this `=>`")
                .label("expected a value")
                .help("write what this arm gives on the same line");
            let value = vec![Tok::Error, Tok::Newline];
            return Some(Finding { diagnostic, at: self.at, splice: Some((self.at..self.at, value)) });
        }
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
        if self.at == 0 || self.expects("an item") || self.begins_a_line() {
            return Some(self.not_an_item());
        }
        if let Some(diagnostic) = self.wrong_brackets().or_else(|| self.nothing_follows()) {
            return Some(diagnostic);
        }
        let over = self.expects("the end of this item");
        if found == Some(Tok::Comma) && over && self.kind(self.at + 1).is_none_or(|k| k == Tok::Newline) {
            let title = "remove the `,`";
            let diagnostic = self.error("an item ends with its line").help(title);
            return Some(diagnostic.fix(title, Applicability::Safe, span, ""));
        }
        if found == Some(Tok::Assign) && over && matches!(first, Some(Tok::Let | Tok::Output | Tok::Param)) {
            let title = "write `==`";
            let diagnostic = self.error("`=` does not compare").help(title);
            return Some(diagnostic.fix(title, Applicability::Maybe, span, "=="));
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
            let name = lower_snake(self.token(self.at).map_or("", |token| token.text(self.text)));
            return Some(self.error(CAPITAL_VALUE).help(format!("write `{name}`")));
        }
        if found == Some(Tok::Ident) && self.expects("a type name") && !self.expects("an expression") {
            let name = upper_camel(self.token(self.at).map_or("", |token| token.text(self.text)));
            return Some(self.error("names of types start with an upper-case letter").help(format!("write `{name}`")));
        }
        if let Some(token) = self.token(self.at)
            && token.kind.is_keyword()
            && self.expects("a name")
        {
            let word = token.text(self.text);
            let opens = self
                .before(1)
                .filter(|t| matches!(t.kind, Tok::Resource | Tok::Durable | Tok::Pointer | Tok::External | Tok::Use));
            if let Some(opens) = opens.filter(|_| matches!(token.kind, Tok::For | Tok::If)) {
                let opens = opens.text(self.text);
                let rest = if token.kind == Tok::For { "for x in xs" } else { "if CONDITION" };
                return Some(self.error("this has no name").help(format!("write `{opens} NAME {rest} = …`")));
            }
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
        let diagnostic = match instead {
            Some(instead) => return diagnostic.help(instead),
            None => diagnostic,
        };
        let close = |keyword: &&str| strsim::damerau_levenshtein(keyword, word) <= 1 + keyword.len() / 5;
        if let Some(keyword) = ITEMS.into_iter().find(close) {
            let title = format!("write `{keyword}`");
            return diagnostic.help(title.clone()).fix(title, Applicability::Maybe, token.span(self.file), keyword);
        }
        match self.kind(self.at + 1) {
            _ if word == "/" => diagnostic.help("a comment starts with `//`, also in the middle of a line"),
            Some(Tok::Colon) => diagnostic
                .help("a program is no YAML: write an item, for example `resource web = service { port = 8080, … }`"),
            Some(Tok::Assign) if token.kind == Tok::Ident => {
                diagnostic.help(format!("write `let {word} = …`, or `resource {word} = KIND {{ … }}`"))
            }
            Some(Tok::Dot) if token.kind == Tok::Ident => {
                diagnostic.help(format!("all that `{word}` is stands where it is declared: write the field there"))
            }
            _ => diagnostic.help(
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
        let mut depth = 0usize;
        for token in self.tokens.get(..brace)?.iter().rev() {
            if token.kind.is_closer() {
                depth += 1;
            } else if token.kind.closer().is_some() {
                depth = depth.checked_sub(1)?;
            } else if depth == 0 && token.kind == Tok::If {
                return self.token(brace).map(|token| (brace, token));
            } else if depth == 0 && stop.contains(&token.kind) {
                return None;
            }
        }
        None
    }

    /// Whether this is the first word of a line that an item before it does not take.
    fn begins_a_line(&self) -> bool {
        let Some(token) = self.token(self.at) else { return false };
        let before = self.text.get(..token.start as usize).unwrap_or("");
        let word = token.kind.is_word() || token.kind == Tok::Upper;
        self.expects("the end of this item") && word && before.ends_with('\n')
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
            let diagnostic = self.error("a param needs a type");
            let word = self.token(self.at).filter(|t| matches!(t.kind, Tok::Ident | Tok::Upper));
            return Some(match word.map(|t| (t, t.text(self.text))) {
                Some((token, word)) => {
                    let right = format!("{name}: {}", own_type(word).unwrap_or(word));
                    let title = format!("write `param {right}`");
                    let span = self.before(1)?.span(self.file).to(token.span(self.file));
                    diagnostic.help(title.clone()).fix(title, Applicability::Maybe, span, right)
                }
                None => diagnostic.help(format!("write `param {name}: Type`, for example `param {name}: String`")),
            });
        }
        if self.expects("`=`") {
            let diagnostic = self.error(format!("expected `=` after the name of this {what}"));
            return Some(match self.found() {
                None | Some(Tok::Newline) => diagnostic.help(format!("write `= {}`", example(what))),
                Some(Tok::LBrace) if what == "node" => {
                    diagnostic.help(format!("a node has a kind: write `{name} = KIND {{ … }}`"))
                }
                Some(Tok::LBrace) if matches!(what, "output" | "let") => {
                    diagnostic.help(format!("write `{what} {name} = VALUE`, without braces around it"))
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

    /// `lib.Tier.large {`: the payload of a variant whose type is named in full.
    fn payload_of_an_import(&self) -> Option<String> {
        let [variant, dot, ty, other_dot, module] = [1, 2, 3, 4, 5].map(|back| self.before(back));
        let kinds = [dot?.kind, ty?.kind, other_dot?.kind, module?.kind];
        (kinds == [Tok::Dot, Tok::Upper, Tok::Dot, Tok::Ident]).then_some(())?;
        let [variant, ty, module] = [variant?, ty?, module?].map(|token| token.text(self.text));
        Some(format!(
            "write `{variant} {{ … }}` alone; where nothing says that it is a `{module}.{ty}`, name it first: `let x: {module}.{ty} = {variant} {{ … }}`"
        ))
    }

    /// What another language would have said, in the words of this one.
    fn hint(&self) -> Option<String> {
        let last = self.before(1)?;
        let Some(found) = self.token(self.at) else { return self.form() };
        let (word, before) = (found.text(self.text), last.text(self.text));
        let ended = !self.expects("an expression");
        let first = self.tokens.iter().map(|t| t.kind).find(|k| !matches!(k, Tok::Doc | Tok::Pub));
        let next = self.kind(self.at + 1);
        let at_kind = self.expects("a kind");
        if found.kind == Tok::LBrace
            && ended
            && let Some(help) = self.payload_of_an_import()
        {
            return Some(help);
        }
        Some(match found.kind {
            Tok::If if at_kind => {
                "the condition stands before the `=`: `resource NAME if CONDITION = KIND { … }`".to_owned()
            }
            Tok::LBracket | Tok::For if at_kind => {
                "what is repeated stands before the `=`: `resource NAME for x in xs = KIND { … }`".to_owned()
            }
            Tok::Str if at_kind => "a kind is a word: `resource NAME = service { … }`".to_owned(),
            Tok::LBrace if first == Some(Tok::Param) && ended => {
                "a param is one line: `param NAME: Type = DEFAULT where CONDITION`".to_owned()
            }
            Tok::Comma if self.expects("`)`") && !self.expects("`,`") => {
                "parentheses hold one value: several are a list, `[a, b]`, or a record, `{ a = …, b = … }`".to_owned()
            }
            Tok::Assign if self.expects("`in`") => format!("write `for {before} in VALUES`"),
            Tok::Dot if !ended && next == Some(Tok::Int) => "a digit stands before the dot: `0.5`".to_owned(),
            Tok::Minus if matches!(last.kind, Tok::Newline) && self.is_dashed(found) => {
                "a list is written `[a, b]`, not with dashes".to_owned()
            }
            _ if self.expects("`[`") && self.expected.len() == 1 && last.kind == Tok::Colon => {
                "the key of a map that is computed stands in brackets: `[key] = value`".to_owned()
            }
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

/// `MyName` as `my_name`.
fn lower_snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut after_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_lower {
            out.push('_');
        }
        after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// `my_name` as `MyName`.
fn upper_camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut raise = true;
    for c in name.chars() {
        if c == '_' {
            raise = true;
        } else {
            out.push(if raise { c.to_ascii_uppercase() } else { c });
            raise = false;
        }
    }
    out
}

/// What may follow the `=` of an item.
fn example(what: &str) -> &'static str {
    match what {
        "let" | "output" => "VALUE",
        "type" => "…`, for example `= first | second` or `= { field: Int }",
        _node => "KIND { … }",
    }
}
