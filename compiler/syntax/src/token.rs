//! The kinds of token and their spans.
//!
//! A token is 12 bytes: its text and value are read from the source by span when needed. Strings with holes are flat:
//! [`Tok::StrOpen`], then [`Tok::StrText`] and `HoleOpen … HoleClose`, then [`Tok::StrClose`].

use imm_ir::{FileId, Span};

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
    ($($name:ident $shown:literal,)*) => {
        /// The kinds of token. Those that are asked for together stand together: most questions are one comparison.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Tok {
            $(#[doc = $shown] $name,)*
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
    Newline "a new line",
    Comment "a comment",
    Doc "a doc comment",
    ModuleDoc "a module doc comment",
    StrOpen "the start of a string",
    BrokenRaw "a raw string that is never closed",
    StrText "the text of a string",
    StrClose "the end of a string",
    HoleOpen "`${`",
    HoleClose "the `}` of a hole",
    LBrace "`{`",
    RBrace "`}`",
    Int "a number",
    Float "a number with a fraction",
    Quantity "a quantity",
    RawStr "a raw string",
    Str "a string",
    Ident "a name",
    Upper "a type name",
    LParen "`(`",
    RParen "`)`",
    LBracket "`[`",
    RBracket "`]`",
    Comma "`,`",
    Colon "`:`",
    Assign "`=`",
    FatArrow "`=>`",
    Arrow "`->`",
    Pipe "`|`",
    Dot "`.`",
    QuestionDot "`?.`",
    Question "`?`",
    Tilde "`~`",
    DotDot "`..`",
    DotDotEq "`..=`",
    Coalesce "`??`",
    Plus "`+`",
    Minus "`-`",
    Star "`*`",
    Slash "`/`",
    Bang "`!`",
    EqEq "`==`",
    NotEq "`!=`",
    Lt "`<`",
    Le "`<=`",
    Gt "`>`",
    Ge "`>=`",
    AndAnd "`&&`",
    OrOr "`||`",
    Underscore "`_`",
    True "`true`",
    False "`false`",
    None "`none`",
    Some "`some`",
    If "`if`",
    Then "`then`",
    Else "`else`",
    For "`for`",
    In "`in`",
    Match "`match`",
    Where "`where`",
    With "`with`",
    As "`as`",
    Pub "`pub`",
    Import "`import`",
    Param "`param`",
    Let "`let`",
    Type "`type`",
    Fn "`fn`",
    Component "`component`",
    Resource "`resource`",
    Durable "`durable`",
    Pointer "`pointer`",
    External "`external`",
    Use "`use`",
    Provider "`provider`",
    Environment "`environment`",
    Output "`output`",
    Assert "`assert`",
    Test "`test`",
    Given "`given`",
    Apply "`apply`",
    Rollback "`rollback`",
    Recover "`recover`",
    Fault "`fault`",
    Sample "`sample`",
    Expect "`expect`",
    Semicolon "`;`",
    Hash "`#`",
    SingleQuoted "text in single quotes",
    Error "something that is not valid",
}

/// What a lower-case word is.
pub(crate) fn keyword(word: &[u8]) -> Tok {
    match word {
        b"_" => Tok::Underscore,
        b"true" => Tok::True,
        b"false" => Tok::False,
        b"none" => Tok::None,
        b"some" => Tok::Some,
        b"if" => Tok::If,
        b"then" => Tok::Then,
        b"else" => Tok::Else,
        b"for" => Tok::For,
        b"in" => Tok::In,
        b"match" => Tok::Match,
        b"where" => Tok::Where,
        b"with" => Tok::With,
        b"as" => Tok::As,
        b"pub" => Tok::Pub,
        b"import" => Tok::Import,
        b"param" => Tok::Param,
        b"let" => Tok::Let,
        b"type" => Tok::Type,
        b"fn" => Tok::Fn,
        b"component" => Tok::Component,
        b"resource" => Tok::Resource,
        b"durable" => Tok::Durable,
        b"pointer" => Tok::Pointer,
        b"external" => Tok::External,
        b"use" => Tok::Use,
        b"provider" => Tok::Provider,
        b"environment" => Tok::Environment,
        b"output" => Tok::Output,
        b"assert" => Tok::Assert,
        b"test" => Tok::Test,
        b"given" => Tok::Given,
        b"apply" => Tok::Apply,
        b"rollback" => Tok::Rollback,
        b"recover" => Tok::Recover,
        b"fault" => Tok::Fault,
        b"sample" => Tok::Sample,
        b"expect" => Tok::Expect,
        _name => Tok::Ident,
    }
}

impl Tok {
    /// Tokens that are what they are wherever they stand: words, brackets but braces, signs.
    pub(crate) fn is_plain(self) -> bool {
        (Tok::Str..=Tok::Expect).contains(&self)
    }

    /// Tokens that open, close, separate and nest nothing: names, texts and numbers.
    pub(crate) fn is_leaf(self) -> bool {
        (Tok::Int..=Tok::Upper).contains(&self) || self == Tok::Assign
    }

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

    /// What opens or closes.
    pub(crate) fn is_bracket(self) -> bool {
        (Tok::HoleOpen..=Tok::RBrace).contains(&self) || (Tok::LParen..=Tok::RBracket).contains(&self)
    }

    /// The bracket that closes this one.
    pub fn closer(self) -> Option<Tok> {
        match self {
            Tok::LParen => Some(Tok::RParen),
            Tok::LBracket => Some(Tok::RBracket),
            Tok::LBrace => Some(Tok::RBrace),
            Tok::HoleOpen => Some(Tok::HoleClose),
            _other => None,
        }
    }

    /// Whether it closes a bracket.
    pub fn is_closer(self) -> bool {
        matches!(self, Tok::RParen | Tok::RBracket | Tok::RBrace | Tok::HoleClose)
    }
}
