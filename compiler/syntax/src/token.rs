//! The kinds of token and their spans.
//!
//! A token is 12 bytes: its text and value are read from the source by span when needed. Strings with holes are flat:
//! [`Tok::StrOpen`], then [`Tok::StrText`] and `HoleOpen … HoleClose`, then [`Tok::StrClose`].

use imm_ir::{FileId, Span};
use logos::Logos;

/// A token and where it stands, in bytes of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Tok,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Token {
    pub(crate) fn new(kind: Tok, start: usize, end: usize) -> Self {
        let span = Span::new(FileId(0), start, end);
        Token { kind, start: span.start, end: span.end }
    }

    pub(crate) fn text(self, source: &str) -> &str {
        source.get(self.start as usize..self.end as usize).unwrap_or("")
    }

    pub(crate) fn span(self, file: FileId) -> Span {
        Span { file, start: self.start, end: self.end }
    }

    /// Whether it stands at the very start of a line.
    pub(crate) fn at_column_zero(self, source: &str) -> bool {
        match (self.start as usize).checked_sub(1) {
            Some(before) => source.as_bytes().get(before) == Some(&b'\n'),
            None => true,
        }
    }
}

macro_rules! tokens {
    ($($(#[$attr:meta])* $name:ident $shown:literal,)*) => {
        /// The kinds of token.
        #[derive(Logos, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[logos(skip r"[ \t\r\u{feff}]+")]
        pub enum Tok {
            $(#[doc = $shown] $(#[$attr])* $name,)*
        }

        impl Tok {
            pub(crate) const ALL: &[Tok] = &[$(Tok::$name),*];

            /// As a message names it: `` `=` ``, `a name`, `a new line`.
            pub fn describe(self) -> &'static str {
                match self { $(Tok::$name => $shown,)* }
            }
        }
    };
}

tokens! {
    #[regex(r"\r?\n")] Newline "a new line",
    #[regex(r"//[^\n]*", allow_greedy = true)] Comment "a comment",
    #[regex(r"///[^\n]*", allow_greedy = true)] Doc "a doc comment",
    #[regex(r"//![^\n]*", allow_greedy = true)] ModuleDoc "a module doc comment",
    #[regex(r"[a-z_][A-Za-z0-9_]*")] Ident "a name",
    #[regex(r"[A-Z][A-Za-z0-9_]*")] Upper "a type name",
    #[regex(r"[0-9][0-9_]*")] Int "a number",
    #[regex(r"[0-9][0-9_]*\.[0-9][0-9_]*")] Float "a number with a fraction",
    #[regex(r"[0-9][0-9_]*(\.[0-9][0-9_]*)?([A-Za-z][A-Za-z0-9_]*|%)")] Quantity "a quantity",
    #[regex(r#""[^"$\\\n]*""#)] Str "a string",
    #[regex(r#"r"[^"\n]*""#)] RawStr "a raw string",
    #[token("\"")] #[token("\"\"\"")] StrOpen "the start of a string",
    #[token("r\"", priority = 1)] BrokenRaw "a raw string that is never closed",
    StrText "the text of a string",
    StrClose "the end of a string",
    HoleOpen "`${`",
    HoleClose "the `}` of a hole",
    #[token("(")] LParen "`(`",
    #[token(")")] RParen "`)`",
    #[token("[")] LBracket "`[`",
    #[token("]")] RBracket "`]`",
    #[token("{")] LBrace "`{`",
    #[token("}")] RBrace "`}`",
    #[token(",")] Comma "`,`",
    #[token(":")] Colon "`:`",
    #[token("=")] Assign "`=`",
    #[token("=>")] FatArrow "`=>`",
    #[token("->")] Arrow "`->`",
    #[token("|")] Pipe "`|`",
    #[token(".")] Dot "`.`",
    #[token("?.")] QuestionDot "`?.`",
    #[token("?")] Question "`?`",
    #[token("~")] Tilde "`~`",
    #[token("..")] DotDot "`..`",
    #[token("..=")] DotDotEq "`..=`",
    #[token("??")] Coalesce "`??`",
    #[token("+")] Plus "`+`",
    #[token("-")] Minus "`-`",
    #[token("*")] Star "`*`",
    #[token("/")] Slash "`/`",
    #[token("!")] Bang "`!`",
    #[token("==")] EqEq "`==`",
    #[token("!=")] NotEq "`!=`",
    #[token("<")] Lt "`<`",
    #[token("<=")] Le "`<=`",
    #[token(">")] Gt "`>`",
    #[token(">=")] Ge "`>=`",
    #[token("&&")] AndAnd "`&&`",
    #[token("||")] OrOr "`||`",
    #[token("_", priority = 3)] Underscore "`_`",
    #[token("true")] True "`true`",
    #[token("false")] False "`false`",
    #[token("none")] None "`none`",
    #[token("some")] Some "`some`",
    #[token("if")] If "`if`",
    #[token("then")] Then "`then`",
    #[token("else")] Else "`else`",
    #[token("for")] For "`for`",
    #[token("in")] In "`in`",
    #[token("match")] Match "`match`",
    #[token("where")] Where "`where`",
    #[token("with")] With "`with`",
    #[token("as")] As "`as`",
    #[token("pub")] Pub "`pub`",
    #[token("import")] Import "`import`",
    #[token("param")] Param "`param`",
    #[token("let")] Let "`let`",
    #[token("type")] Type "`type`",
    #[token("fn")] Fn "`fn`",
    #[token("component")] Component "`component`",
    #[token("resource")] Resource "`resource`",
    #[token("durable")] Durable "`durable`",
    #[token("pointer")] Pointer "`pointer`",
    #[token("external")] External "`external`",
    #[token("use")] Use "`use`",
    #[token("provider")] Provider "`provider`",
    #[token("environment")] Environment "`environment`",
    #[token("output")] Output "`output`",
    #[token("assert")] Assert "`assert`",
    #[token("test")] Test "`test`",
    #[token("given")] Given "`given`",
    #[token("apply")] Apply "`apply`",
    #[token("rollback")] Rollback "`rollback`",
    #[token("recover")] Recover "`recover`",
    #[token("fault")] Fault "`fault`",
    #[token("sample")] Sample "`sample`",
    #[token("expect")] Expect "`expect`",
    #[token(";")] Semicolon "`;`",
    #[regex(r"#[^\n]*", allow_greedy = true)] Hash "`#`",
    #[regex(r"'[^'\n]*'")] SingleQuoted "text in single quotes",
    Error "something that is not valid",
}

impl Tok {
    /// Words that start an item; none of them is a name.
    pub fn starts_item(self) -> bool {
        (Tok::Pub..=Tok::Test).contains(&self)
    }

    /// Words with a fixed meaning; none of them is a name (all are keys and field names).
    pub fn is_keyword(self) -> bool {
        (Tok::True..=Tok::None).contains(&self) || (Tok::If..=Tok::Test).contains(&self)
    }

    /// Words that mean something in a test, and are names elsewhere; `some` too.
    pub(crate) fn is_contextual(self) -> bool {
        self == Tok::Some || (Tok::Given..=Tok::Expect).contains(&self)
    }

    /// Lower-case words: names and keywords.
    pub(crate) fn is_word(self) -> bool {
        self == Tok::Ident || self == Tok::Underscore || (Tok::True..=Tok::Expect).contains(&self)
    }

    /// Operators that stand between two operands.
    pub fn is_binary_operator(self) -> bool {
        (Tok::DotDot..=Tok::Slash).contains(&self) || (Tok::EqEq..=Tok::OrOr).contains(&self) || self == Tok::In
    }

    /// The bracket that closes this one.
    pub fn closer(self) -> Option<Tok> {
        let pairs = [
            (Tok::LParen, Tok::RParen),
            (Tok::LBracket, Tok::RBracket),
            (Tok::LBrace, Tok::RBrace),
            (Tok::HoleOpen, Tok::HoleClose),
        ];
        pairs.iter().find(|(open, _)| *open == self).map(|(_, close)| *close)
    }

    /// Whether it closes a bracket.
    pub fn is_closer(self) -> bool {
        [Tok::RParen, Tok::RBracket, Tok::RBrace, Tok::HoleClose].contains(&self)
    }
}
