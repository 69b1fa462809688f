//! What is written in the shape of something else, or only half: brackets of the wrong kind, an `=` without a value, an item that ends too
//! early. Says how it is written.

use crate::diagnose::Place;
use crate::token::{Tok, Token};
use imm_ir::{Applicability, Diagnostic, Span, code};

impl Place<'_> {
    /// Brackets of one kind where those of another stand.
    pub(crate) fn wrong_brackets(&self) -> Option<Diagnostic> {
        let (found, last) = (self.found(), self.before(1)?);
        let is = |kind: Tok| found == Some(kind);
        if is(Tok::LParen) && self.expects("`{`") && self.expects("`.`") {
            let kind = last.text(self.text);
            return Some(self.error("fields stand in braces").help(format!("write `{kind} {{ … }}`")));
        }
        if is(Tok::Assign)
            && matches!(last.kind, Tok::Ident | Tok::Upper | Tok::Str)
            && self.inside() == Some(Tok::LBracket)
        {
            return Some(self.error("a map stands in braces").help("write `{ name = value }`"));
        }
        if last.kind == Tok::Str && self.expects("`=`") && (is(Tok::Comma) || is(Tok::RBrace)) {
            let diagnostic = Diagnostic::error(code::SYNTAX, last.span(self.file), "a list stands in brackets");
            return Some(diagnostic.help(format!("write `[{}]`", self.strings_around().join(", "))));
        }
        if is(Tok::LBrace) && self.expects("`=`") && last.kind == Tok::Ident && self.inside() == Some(Tok::LBrace) {
            let name = last.text(self.text);
            return Some(self.error("a field is written with `=`").help(format!("write `{name} = {{ … }}`")).fix(
                "write `=`",
                Applicability::Maybe,
                Span { end: self.span().start, ..self.span() },
                "= ",
            ));
        }
        None
    }

    /// Strings with commas between them, around the one before this.
    fn strings_around(&self) -> Vec<&str> {
        let pair = |at: usize| self.kind(at) == Some(Tok::Comma) && self.kind(at + 1) == Some(Tok::Str);
        let mut first = self.at.saturating_sub(1);
        while first >= 2 && self.kind(first - 1) == Some(Tok::Comma) && self.kind(first - 2) == Some(Tok::Str) {
            first -= 2;
        }
        let mut end = first + 1;
        while pair(end) {
            end += 2;
        }
        let tokens = self.tokens.get(first..end).unwrap_or(&[]);
        tokens.iter().filter(|t| t.kind == Tok::Str).map(|t| t.text(self.text)).collect()
    }

    /// A bracket closes where a value should stand.
    pub(crate) fn nothing_follows(&self) -> Option<Diagnostic> {
        let last = self.before(1)?;
        let asks = matches!(last.kind, Tok::Assign | Tok::FatArrow | Tok::Expect | Tok::Then | Tok::Else);
        if !(asks && self.expects("an expression") && self.found()?.is_closer()) {
            return None;
        }
        let message = format!("nothing follows this `{}`", last.text(self.text));
        let diagnostic = Diagnostic::error(code::SYNTAX, last.span(self.file), message).label("expected a value");
        Some(diagnostic.help("write the value on the same line"))
    }

    /// The innermost bracket that is open here.
    fn inside(&self) -> Option<Tok> {
        let mut depth = 0usize;
        for token in self.tokens.get(..self.at)?.iter().rev() {
            if token.kind.is_closer() {
                depth += 1;
            } else if token.kind.closer().is_some() {
                match depth.checked_sub(1) {
                    Some(less) => depth = less,
                    None => return Some(token.kind),
                }
            }
        }
        None
    }

    /// Whether a line begins with a dash as the one before it does, or as the value of a field.
    pub(crate) fn is_dashed(&self, dash: Token) -> bool {
        let before = self.text.get(..dash.start as usize).unwrap_or("");
        let line = before.trim_end().lines().next_back().unwrap_or("").trim();
        line.starts_with("- ") || line.ends_with('=')
    }

    /// How an item is written whose end came too early.
    pub(crate) fn form(&self) -> Option<String> {
        if self.expected == ["`.`", "`{`"] {
            let kind = self.before(1)?.text(self.text);
            return Some(format!("its fields follow: `{kind} {{ … }}`, and `{kind} {{}}` without any"));
        }
        let (index, first) = self.tokens.iter().enumerate().find(|(_, t)| !matches!(t.kind, Tok::Doc | Tok::Pub))?;
        let name = self.token(index + 1).filter(|t| matches!(t.kind, Tok::Ident | Tok::Upper | Tok::Str));
        let name = name.map(|t| t.text(self.text));
        let word = first.text(self.text);
        let lower = name.unwrap_or("NAME");
        Some(match first.kind {
            Tok::Resource | Tok::Durable | Tok::Pointer | Tok::External => {
                format!("it is written `{word} {lower} = KIND {{ … }}`")
            }
            Tok::Use => format!("it is written `use {lower} = COMPONENT {{ … }}`"),
            Tok::Provider => format!("it is written `provider {lower} = KIND {{ … }}`"),
            Tok::Param => format!("it is written `param {lower}: Type = DEFAULT`"),
            Tok::Let => format!("it is written `let {lower} = VALUE`"),
            Tok::Output => format!("it is written `output {lower} = VALUE`"),
            Tok::Fn => format!("it is written `fn {lower}(a: Type) -> Type = VALUE`"),
            Tok::Type => {
                format!("it is written `type {} = first | second`, or with `{{ field: Type }}`", name.unwrap_or("Name"))
            }
            Tok::Component | Tok::Environment => format!("it is written `{word} {lower} {{ … }}`"),
            Tok::Test => format!("it is written `test {} {{ … }}`", name.unwrap_or("\"what it shows\"")),
            Tok::Import => "it is written `import std.net`, or `import \"./folder\" as name`".to_owned(),
            _other => return None,
        })
    }
}
