//! Mistakes that come from other languages: what they meant there, and how it is written here.
//!
//! Each finding says what to write; where the meaning is certain, a safe fix writes it and the tokens are read on as they were
//! meant, so that one habit is one message. Whatever is not listed here is `diagnose`'s.

use crate::diagnose::{Finding, Place};
use crate::token::{Tok, Token};
use imm_ir::{Applicability, Diagnostic, code};
use std::ops::Range;

impl Place<'_> {
    /// What another language would have meant by what stands here.
    pub(crate) fn habit(&self) -> Option<Finding> {
        self.word().or_else(|| self.sign()).or_else(|| self.lambda()).or_else(|| self.head()).or_else(|| self.generic())
    }

    /// What was found, as text.
    fn here(&self) -> &str {
        self.token(self.at).map_or("", |token| token.text(self.text))
    }

    fn follows(&self, index: usize, kind: Tok) -> bool {
        let (Some(this), Some(next)) = (self.token(index), self.token(index + 1)) else { return false };
        next.kind == kind && this.end == next.start
    }

    /// Whether an expression is over here.
    fn ended(&self) -> bool {
        !self.expects("an expression") && !self.expects("the operand")
    }

    /// Whether the parentheses around this are those of a lambda.
    fn lists_params(&self) -> bool {
        let mut close = self.at;
        while self.kind(close).is_some_and(|k| matches!(k, Tok::Ident | Tok::Comma)) {
            close += 1;
        }
        self.kind(close) == Some(Tok::RParen) && self.kind(close + 1) == Some(Tok::FatArrow)
    }

    /// Whether nothing follows this sign.
    fn stands_alone(&self) -> bool {
        self.kind(self.at + 1).is_none_or(|k| k.is_closer() || matches!(k, Tok::Newline | Tok::Comma))
    }

    fn said(&self, at: Token, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code::SYNTAX, at.span(self.file), message)
    }

    fn finding(&self, diagnostic: Diagnostic) -> Option<Finding> {
        Some(Finding { diagnostic, at: self.at, splice: None })
    }

    /// Other tokens, written `right`, in the place of some.
    fn instead(&self, range: Range<usize>, message: String, right: &str, kinds: &[Tok]) -> Option<Finding> {
        let (first, last) = (self.token(range.start)?, self.token(range.end.checked_sub(1)?)?);
        let span = first.span(self.file).to(last.span(self.file));
        let title = format!("write `{}`", right.trim());
        let diagnostic = Diagnostic::error(code::SYNTAX, span, message).help(title.clone()).fix(
            title,
            Applicability::Safe,
            span,
            right,
        );
        Some(Finding { diagnostic, at: self.at, splice: Some((range, kinds.to_vec())) })
    }

    /// A token that means nothing here, and the space behind it, taken away.
    fn without(&self, index: usize, message: String, help: &str) -> Option<Finding> {
        let token = self.token(index)?;
        let span = token.span(self.file);
        let rest = self.text.get(span.range().end..).unwrap_or("");
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        let cut = imm_ir::Span::new(self.file, span.range().start, span.range().end + spaces);
        let shown = token.text(self.text);
        let diagnostic = Diagnostic::error(code::SYNTAX, span, message).help(help).fix(
            format!("remove `{shown}`"),
            Applicability::Safe,
            cut,
            "",
        );
        Some(Finding { diagnostic, at: self.at, splice: Some((index..index + 1, Vec::new())) })
    }

    fn word(&self) -> Option<Finding> {
        let (here, next) = (self.here(), self.kind(self.at + 1));
        let last = self.before(1);
        let before = last.map_or("", |token| token.text(self.text));
        let at = self.at;
        let found = self.found();
        let name = found == Some(Tok::Ident);
        if self.expects("an item") && name && next == Some(Tok::Ident) {
            let binds = matches!(self.kind(at + 2), Some(Tok::Assign | Tok::Colon));
            if binds && matches!(here, "const" | "var" | "val" | "final" | "static") {
                return self.instead(at..at + 1, format!("`{here}` is written `let`"), "let", &[Tok::Let]);
            }
        }
        if name && self.ended() {
            match here {
                "and" => return self.instead(at..at + 1, "`and` is written `&&`".into(), "&&", &[Tok::AndAnd]),
                "or" => return self.instead(at..at + 1, "`or` is written `||`".into(), "||", &[Tok::OrOr]),
                "not" if next == Some(Tok::In) => {
                    let token = self.token(at)?;
                    return self.finding(self.said(token, "there is no `not in`").help("write `!(a in b)`"));
                }
                "is" => {
                    let token = self.token(at)?;
                    return self.finding(self.said(token, "there is no `is`").help("write `==`, or `!=` for `is not`"));
                }
                "elif" | "elsif" | "elseif" if self.expects("`else`") => {
                    let message = format!("`{here}` is written `else if`");
                    return self.instead(at..at + 1, message, "else if", &[Tok::Else, Tok::If]);
                }
                _other => {}
            }
        }
        let last = last.filter(|last| last.kind == Tok::Ident && found.is_some() && found != Some(Tok::Newline))?;
        if matches!(found, Some(Tok::Str | Tok::StrOpen | Tok::RawStr)) && self.follows(at - 1, found?) {
            return self.without(at - 1, format!("a string has no prefix `{before}`"), "holes are written `${name}`");
        }
        if self.ended() && !self.expects("`=`") {
            match before {
                "return" => {
                    return self.without(at - 1, "there is no `return`".into(), "write the expression alone");
                }
                "not" => {
                    let cut = last.span(self.file).to(self.token(at)?.span(self.file));
                    let cut = imm_ir::Span { end: self.token(at)?.start, ..cut };
                    let diagnostic = self.said(last, "`not` is written `!`").help("write `!`").fix(
                        "write `!`",
                        Applicability::Safe,
                        cut,
                        "!",
                    );
                    return Some(Finding { diagnostic, at, splice: Some((at - 1..at, vec![Tok::Bang])) });
                }
                "lambda" => {
                    return self.finding(self.said(last, "a lambda is written with `=>`").help("write `x => …`"));
                }
                "switch" | "case" | "when" | "select" if name => {
                    let diagnostic = self.said(last, format!("there is no `{before}`"));
                    return self
                        .finding(diagnostic.help(format!("write `match {here} {{ pattern => value, _ => other }}`")));
                }
                "await" | "new" if !self.lists_params() => {
                    return self.without(at - 1, format!("there is no `{before}`"), "write the expression alone");
                }
                _other => {}
            }
        }
        if name
            && matches!(before, "mut" | "const" | "static" | "mutable")
            && matches!(self.before(2)?.kind, Tok::Let | Tok::Param)
        {
            return self.without(at - 1, format!("`{before}` is not needed"), "values never change: remove it");
        }
        None
    }

    fn sign(&self) -> Option<Finding> {
        let at = self.at;
        let found = self.found()?;
        let last = self.before(1);
        if let Some(last) = last.filter(|last| Some(last.end) == self.token(at).map(|t| t.start)) {
            let both = || last.span(self.file).to(self.span());
            match (last.kind, found) {
                (Tok::EqEq, Tok::Assign) => {
                    return self.instead(at - 1..at + 1, "`===` is written `==`".into(), "==", &[Tok::EqEq]);
                }
                (Tok::NotEq, Tok::Assign) => {
                    return self.instead(at - 1..at + 1, "`!==` is written `!=`".into(), "!=", &[Tok::NotEq]);
                }
                (Tok::Lt, Tok::Gt) => {
                    return self.instead(at - 1..at + 1, "`<>` is written `!=`".into(), "!=", &[Tok::NotEq]);
                }
                (Tok::Colon, Tok::Assign) => {
                    return self.instead(at - 1..at + 1, "`:=` is written `=`".into(), "=", &[Tok::Assign]);
                }
                (Tok::Plus, Tok::Plus) | (Tok::Minus, Tok::Minus) if self.stands_alone() => {
                    let diagnostic = Diagnostic::error(code::SYNTAX, both(), "values never change");
                    return self.finding(diagnostic.help("write `a + 1`"));
                }
                (Tok::Star, Tok::Star) => {
                    let diagnostic = Diagnostic::error(code::SYNTAX, both(), "there is no operator `**`");
                    return self.finding(diagnostic.help("multiply: `a * a`"));
                }
                (Tok::DotDot, Tok::Dot) => {
                    let spread = self.before(2).is_none_or(|t| {
                        matches!(t.kind, Tok::Comma | Tok::Newline | Tok::LBrace | Tok::LBracket | Tok::LParen)
                    });
                    if spread {
                        return self.instead(at - 1..at + 1, "a spread is written `..`".into(), "..", &[Tok::DotDot]);
                    }
                    let diagnostic = Diagnostic::error(code::SYNTAX, both(), "there is no operator `...`");
                    return self.finding(diagnostic.help("`a..b` leaves `b` out, `a..=b` takes it in"));
                }
                (Tok::Plus | Tok::Minus | Tok::Star | Tok::Slash, Tok::Assign) => {
                    let diagnostic = Diagnostic::error(code::SYNTAX, both(), "values never change");
                    return self.finding(diagnostic.help("give the new value a name of its own with `let`"));
                }
                _other => {}
            }
        }
        match found {
            Tok::Colon if self.follows(at, Tok::Colon) => {
                if matches!(self.token(0)?.kind, Tok::Use) {
                    let diagnostic = self.said(self.token(0)?, "`use` makes an instance of a component");
                    return self
                        .finding(diagnostic.help("a module is brought in by `import`, for example `import std.net`"));
                }
                self.instead(at..at + 2, "parts of a name are joined by `.`".into(), ".", &[Tok::Dot])
            }
            Tok::Colon if self.follows(at, Tok::Assign) && self.expects("`=`") => {
                self.instead(at..at + 2, "a value is given with `=`".into(), "=", &[Tok::Assign])
            }
            Tok::Colon if self.expects("`=>`") => {
                self.instead(at..at + 1, "an arm is written with `=>`".into(), " =>", &[Tok::FatArrow])
            }
            Tok::Arrow if self.expects("`=>`") => {
                self.instead(at..at + 1, "`->` stands before the result of a `fn` only".into(), "=>", &[Tok::FatArrow])
            }
            Tok::Pipe if self.ended() && self.expects("an operator") && !self.expects("`|`") => {
                self.instead(at..at + 1, "there is no operator `|`".into(), "||", &[Tok::OrOr])
            }
            Tok::Comma if last.is_none_or(|t| t.kind == Tok::Comma || t.kind.closer().is_some()) => {
                self.without(at, "nothing stands before this `,`".into(), "remove it")
            }
            Tok::Lt if self.follows(at, Tok::Lt) && !self.ended() => {
                let diagnostic = self.said(self.token(at)?, "there is no `<<`");
                self.finding(diagnostic.help("text of several lines stands between `\"\"\"` and `\"\"\"`"))
            }
            Tok::Star if last?.kind == Tok::LBracket => {
                let diagnostic = self.said(self.token(at)?, "there is no `[*]`");
                self.finding(diagnostic.help("write `[for x in xs.values(): x.name]`"))
            }
            Tok::Bang if self.ended() && (last?.kind == Tok::Ident || last?.kind.is_closer()) => {
                let diagnostic = self.said(self.token(at)?, "`!` stands before a value, not behind it");
                self.finding(if self.follows(at, Tok::LParen) {
                    diagnostic.help("a text is built with holes: `\"…${value}…\"`")
                } else {
                    diagnostic.help("for a value that may be `none`, write what to use then: `value ?? other`")
                })
            }
            Tok::As if self.ended() => {
                let diagnostic = self.said(self.token(at)?, "there is no conversion with `as`");
                self.finding(
                    diagnostic.help("an Int is taken where a Float is expected; a text of a number is `\"${n}\"`"),
                )
            }
            _other => None,
        }
    }

    /// Functions without a name.
    fn lambda(&self) -> Option<Finding> {
        if self.ended() {
            return None;
        }
        let token = self.token(self.at)?;
        let param = match token.kind {
            Tok::Pipe => {
                let name = self.token(self.at + 1).filter(|t| t.kind == Tok::Ident)?;
                name.text(self.text)
            }
            Tok::OrOr | Tok::Fn => "x",
            _other => return None,
        };
        let diagnostic = self.said(token, "a lambda is written with `=>`");
        self.finding(diagnostic.help(format!("write `{param} => …`, or `(a, b) => …`")))
    }

    /// How items begin.
    fn head(&self) -> Option<Finding> {
        let at = self.at;
        let token = self.token(at)?;
        let (found, last) = (token.kind, self.before(1)?);
        let first = self.tokens.iter().map(|t| t.kind).find(|k| !matches!(k, Tok::Doc | Tok::Pub))?;
        if last.kind == Tok::Pub && found.starts_item() {
            let message = "`pub` stands before `type`, `fn`, `let` and `component` only";
            let help = "nothing else can be imported: remove it";
            return self.without(at - 1, message.into(), help);
        }
        if found == Tok::Str && last.kind.starts_item() && (self.expects("a name") || self.expects("a type name")) {
            return self.finding(self.quoted_name(last, token));
        }
        if found == Tok::Assign && self.expects("`{`") && matches!(first, Tok::Environment | Tok::Component | Tok::Test)
        {
            let message = format!("no `=` stands before the braces of {}", article(first));
            return self.without(at, message, "remove it");
        }
        if found == Tok::Minus && self.expects("`=`") && self.before(2).is_some_and(|t| t.kind.starts_item()) {
            let mut end = at;
            while self.follows(end - 1, Tok::Minus) && self.follows(end, Tok::Ident) {
                end += 2;
            }
            if end > at {
                let span = last.span(self.file).to(self.token(end - 1)?.span(self.file));
                let name = self.text.get(span.range())?.replace('-', "_");
                let diagnostic = Diagnostic::error(code::SYNTAX, span, "names are written with `_`, not with `-`");
                let title = format!("write `{name}`");
                return self.finding(diagnostic.help(title.clone()).fix(title, Applicability::Maybe, span, name));
            }
        }
        if found == Tok::With && self.expects("`{`") {
            let diagnostic = self.said(token, "`with` stands after the fields");
            return self.finding(diagnostic.help("write `KIND { … } with { … }`, and `{}` for no fields"));
        }
        if found == Tok::Assign && first == Tok::Param {
            let before = self.tokens.get(..at)?;
            let place = before.iter().position(|t| t.kind == Tok::Where)?;
            if before.iter().all(|t| t.kind != Tok::Assign) {
                let diagnostic = self.said(token, "a default stands before `where`");
                let condition = self.token(place)?.span(self.file).to(last.span(self.file));
                let condition = self.text.get(condition.range())?;
                return self.finding(diagnostic.help(format!("write `= DEFAULT {condition}`")));
            }
        }
        if found == Tok::Assign && self.called() {
            let diagnostic = self.said(token, "arguments have no names");
            return self.finding(diagnostic.help("write the values alone, in the order of the parameters"));
        }
        if found.starts_item() && self.expects("an item of a component") {
            let diagnostic = self.said(token, format!("{} cannot stand inside of a component", article(found)));
            return self.finding(diagnostic.help("move it out of the component"));
        }
        if self.expects("a step of a test") && found != Tok::RBrace {
            let diagnostic = self.said(token, format!("`{}` is no step of a test", token.text(self.text)));
            let help = "the steps are given, apply, rollback, recover, fault, sample and expect";
            return self.finding(diagnostic.help(help));
        }
        None
    }

    fn quoted_name(&self, keyword: Token, name: Token) -> Diagnostic {
        let bare = |token: Token| {
            let text = token.text(self.text).trim_matches('"');
            let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            (plain && text.starts_with(|c: char| c.is_ascii_lowercase())).then(|| text.replace('-', "_"))
        };
        let diagnostic = self.said(name, "a name is written without quotes");
        let (word, own) = (keyword.text(self.text), bare(name));
        let other = self.token(self.at + 1);
        if let (Some(kind), Some(second)) = (&own, other.filter(|t| t.kind == Tok::Str).and_then(bare)) {
            return diagnostic.help(format!("write `{word} {second} = {kind} {{ … }}`"));
        }
        let Some(own) = own else { return diagnostic.help("a name has the letters a to z, digits and `_`") };
        match (keyword.kind, other.map(|t| t.kind)) {
            (Tok::Output | Tok::Let, Some(Tok::LBrace)) => diagnostic.help(format!("write `{word} {own} = VALUE`")),
            (Tok::Param, Some(Tok::LBrace)) => diagnostic.help(format!("write `param {own}: Type = DEFAULT`")),
            (Tok::Provider | Tok::Resource | Tok::Durable | Tok::Pointer | Tok::External, Some(Tok::LBrace)) => {
                diagnostic.help(format!("write `{word} {own} = KIND {{ … }}`"))
            }
            _named => {
                let title = format!("write `{own}`");
                diagnostic.help(title.clone()).fix(title, Applicability::Safe, name.span(self.file), own)
            }
        }
    }

    /// Whether this stands in the arguments of a call, right after a name.
    fn called(&self) -> bool {
        let Some(name) = self.before(1).filter(|t| t.kind == Tok::Ident) else { return false };
        let Some(open) = self.before(2) else { return false };
        if !matches!(open.kind, Tok::LParen | Tok::Comma) || name.start < open.end {
            return false;
        }
        let mut depth = 0usize;
        for index in (0..self.at).rev() {
            let Some(kind) = self.kind(index) else { return false };
            if kind.is_closer() {
                depth += 1;
            } else if kind.closer().is_some() {
                match depth.checked_sub(1) {
                    Some(less) => depth = less,
                    None => return kind == Tok::LParen && index > 0 && self.follows(index - 1, Tok::LParen),
                }
            }
        }
        false
    }

    /// `Vec<String>`, `list(string)`.
    fn generic(&self) -> Option<Finding> {
        let found = self.found().filter(|found| matches!(found, Tok::Lt | Tok::LParen))?;
        if !self.expects("`?`") || !self.expects("`[`") {
            return None;
        }
        let outer = self.before(1)?;
        let close = if found == Tok::Lt { Tok::Gt } else { Tok::RParen };
        let inner = self.token(self.at + 1).filter(|_| self.kind(self.at + 2) == Some(close));
        let inner = inner.map_or("T", |inner| inner.text(self.text));
        let help = type_of_types(outer.text(self.text), own_type(inner).unwrap_or(inner));
        let message = "types that hold others are written with brackets";
        self.finding(
            self.said(outer, message).help(help.unwrap_or_else(|| "a list is `[T]`, a map is `Map[T]`".to_owned())),
        )
    }
}

fn article(item: Tok) -> String {
    let word = item.describe().trim_matches('`');
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} `{word}`")
}

/// How a type that holds others is written here, by its name elsewhere.
pub fn type_of_types(name: &str, inner: &str) -> Option<String> {
    let right = match name.to_ascii_lowercase().as_str() {
        "vec" | "list" | "array" | "set" | "seq" | "slice" | "tuple" => format!("[{inner}]"),
        "option" | "optional" | "maybe" | "nullable" => format!("{inner}?"),
        "map" | "hashmap" | "btreemap" | "dict" | "dictionary" | "object" => format!("Map[{inner}]"),
        "secret" => format!("Secret[{inner}]"),
        _other => return None,
    };
    Some(format!("write `{right}`"))
}

/// The name of a basic type here, by its name elsewhere.
pub fn own_type(name: &str) -> Option<&'static str> {
    Some(match name {
        "string" | "str" | "Str" | "text" | "Text" | "char" | "varchar" => "String",
        "int" | "integer" | "Integer" | "number" | "Number" | "num" | "long" | "uint" | "usize" | "i8" | "i16"
        | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" => "Int",
        "bool" | "boolean" | "Boolean" => "Bool",
        "float" | "double" | "Double" | "f32" | "f64" | "decimal" => "Float",
        "size" | "Size" | "bytes" | "ByteSize" => "Bytes",
        "duration" | "Time" | "time" | "interval" => "Duration",
        "percent" | "Percent" | "percentage" => "Ratio",
        "password" | "Password" | "secret" => "Secret[String]",
        _other => return None,
    })
}

/// What an item is called here, by the word that starts one elsewhere. `name`: the word after it.
pub(crate) fn own_item(word: &str, name: &str) -> Option<String> {
    let named = if name.is_empty() { "name" } else { name };
    Some(match word {
        "var" | "const" | "val" | "set" => format!("write `let {named} = …`"),
        "local" | "locals" => "write each of them as `let name = …`".to_owned(),
        "variable" | "input" | "parameter" | "arg" => format!("write `param {named}: Type = DEFAULT`"),
        "func" | "function" | "fun" | "def" | "proc" => format!("write `fn {named}(a: Type) -> Type = …`"),
        "module" => format!("write `import \"./{named}\" as {named}`, or `use {named} = COMPONENT {{ … }}`"),
        "from" | "require" | "include" | "using" | "open" => "write `import`, for example `import std.net`".to_owned(),
        "data" => format!("write `external {named} = KIND {{ … }}`"),
        "volume" | "secret" => format!("write `durable {named} = {word} {{ … }}`"),
        "database" => "what holds state is a `durable`".to_owned(),
        "service" | "container" | "image" | "worker" | "job" | "file" | "site" => {
            format!("write `resource {named} = {word} {{ … }}`")
        }
        "route" => format!("write `pointer {named} = route {{ … }}`"),
        "endpoint" => format!("write `external {named} = endpoint {{ … }}`"),
        "enum" => "write `type Name = first | second { field: Type }`".to_owned(),
        "struct" | "record" | "class" | "interface" => "write `type Name = { field: Type }`".to_owned(),
        "env" => format!("write `environment {named} {{ … }}`"),
        "FROM" | "RUN" | "COPY" | "ADD" | "CMD" | "ENTRYPOINT" | "EXPOSE" | "ENV" => {
            "an image is `resource NAME = image { files = { … }, cmd = [\"/bin/program\"] }`".to_owned()
        }
        "services" | "containers" | "volumes" => {
            "write an item for each, for example `resource web = service { … }`".to_owned()
        }
        "if" => "the condition stands in the head: `resource NAME if CONDITION = KIND { … }`".to_owned(),
        "for" => "what is repeated stands in the head: `resource NAME for x in xs = KIND { … }`".to_owned(),
        "terraform" | "version" | "backend" => "imm needs no such block: remove it".to_owned(),
        "return" | "result" | "outputs" | "export" => "write `output name = …`".to_owned(),
        _other => return None,
    })
}
