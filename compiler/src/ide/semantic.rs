//! What each word of a file is, for colours that know the program.

use super::Analysis;
use crate::check::facts::Symbol;
use crate::types::scan;
use imm_ir::{FileId, Span, Type};
use imm_syntax::ast::{self, ItemKind};
use imm_syntax::{Tok, Token, lex};
use std::collections::HashMap;

/// A word with its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Where. It may go over several lines: a multi-line string.
    pub span: Span,
    /// What it is.
    pub class: TokenClass,
    /// It is where the thing is declared.
    pub declaration: bool,
    /// Its value is known only after create.
    pub late: bool,
    /// It is built in.
    pub built_in: bool,
}

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenClass {
    /// A comment.
    Comment,
    /// A word of the language.
    Keyword,
    /// Text.
    String,
    /// A number or quantity.
    Number,
    /// An operator.
    Operator,
    /// A type or component.
    Type,
    /// A kind of node.
    Kind,
    /// A variant.
    Variant,
    /// A param, of a module, component or function.
    Parameter,
    /// A let or local.
    Variable,
    /// A node.
    Node,
    /// A field or output.
    Property,
    /// A function.
    Function,
    /// A method.
    Method,
    /// An import alias.
    Namespace,
}

/// The words of a file in the order of the text. Punctuation has none.
pub fn semantic_tokens(analysis: &Analysis, file: FileId) -> Vec<Word> {
    let end = analysis.text(file).len();
    semantic_tokens_within(analysis, Span::new(file, 0, end))
}

/// The same for a range of a file: only the items in it are checked.
pub fn semantic_tokens_within(analysis: &Analysis, span: Span) -> Vec<Word> {
    let items = analysis.items_within(span);
    let (uses, declared) = analysis.inspect(|inspection| {
        items.iter().for_each(|(module, item)| inspection.item(*module, item));
        let facts = inspection.facts();
        let types: HashMap<Span, &Type> = facts.types.iter().map(|(at, ty)| (*at, ty)).collect();
        let mut found: HashMap<Span, (TokenClass, bool, bool)> = HashMap::new();
        for (at, symbol) in &facts.uses {
            let late = types.get(at).is_some_and(|ty| scan(ty).late);
            let built_in =
                matches!(symbol, Symbol::Kind(_) | Symbol::Builtin(_) | Symbol::Method(_) | Symbol::Content(_));
            found.insert(*at, (class(symbol), late, built_in));
        }
        for (_, name, at, _) in &facts.locals {
            if &**name != "it" {
                found.entry(*at).or_insert((TokenClass::Variable, false, false));
            }
        }
        (found, declarations(&items))
    });
    let mut words = Vec::new();
    for (_, part, _) in analysis.parts_within(span) {
        let lexed = lex(part, analysis.text(part));
        let mut tokens: Vec<&Token> = lexed.tokens.iter().chain(&lexed.comments).collect();
        tokens.sort_by_key(|token| token.start);
        for (index, token) in tokens.iter().enumerate() {
            let at = Span { file: part, start: token.start, end: token.end };
            let lexical = || lexical(token.kind, tokens.get(index + 1).map(|next| next.kind));
            let meant = uses.get(&at).copied().or_else(|| lexical().map(|class| (class, false, false)));
            let place = analysis.whole(at);
            if let Some((class, late, built_in)) = meant
                && place.start <= span.end
                && span.start <= place.end
            {
                words.push(Word { span: place, class, declaration: declared.contains(&at), late, built_in });
            }
        }
    }
    words
}

fn class(symbol: &Symbol) -> TokenClass {
    match symbol {
        Symbol::Param(_) => TokenClass::Parameter,
        Symbol::Let(_) | Symbol::Local(_) => TokenClass::Variable,
        Symbol::Fn(_) | Symbol::Function(_) | Symbol::Content(_) => TokenClass::Function,
        Symbol::Node(_) => TokenClass::Node,
        Symbol::Component(_) | Symbol::Type(_) | Symbol::Builtin(_) => TokenClass::Type,
        Symbol::Import(_) => TokenClass::Namespace,
        Symbol::Output(..) | Symbol::KindField(..) | Symbol::KindOutput(..) | Symbol::Field(..) => TokenClass::Property,
        Symbol::Kind(_) => TokenClass::Kind,
        Symbol::Variant(..) => TokenClass::Variant,
        Symbol::Method(_) => TokenClass::Method,
    }
}

/// The names that items declare.
fn declarations(items: &[(usize, &ast::Item)]) -> std::collections::HashSet<Span> {
    let mut names = std::collections::HashSet::new();
    let mut open: Vec<&ast::Item> = items.iter().map(|(_, item)| *item).collect();
    while let Some(item) = open.pop() {
        names.extend(item.name().map(|name| name.span));
        if let ItemKind::Component(component) = &item.kind {
            open.extend(&component.items);
        }
    }
    names
}

/// What a token is when nothing is known of it.
fn lexical(token: Tok, next: Option<Tok>) -> Option<TokenClass> {
    Some(match token {
        Tok::Comment | Tok::Doc | Tok::ModuleDoc | Tok::Hash => TokenClass::Comment,
        Tok::Str | Tok::RawStr | Tok::StrOpen | Tok::StrText | Tok::StrClose | Tok::BrokenRaw => TokenClass::String,
        Tok::Int | Tok::Float | Tok::Quantity => TokenClass::Number,
        Tok::Upper => TokenClass::Type,
        // Any word is a key before `=`.
        word if word != Tok::Upper && is_word(word) && next == Some(Tok::Assign) && !word.starts_item() => {
            TokenClass::Property
        }
        Tok::Ident | Tok::Underscore => TokenClass::Variable,
        word if is_word(word) => TokenClass::Keyword,
        Tok::LParen | Tok::RParen | Tok::LBracket | Tok::RBracket | Tok::LBrace | Tok::RBrace => return None,
        Tok::Comma | Tok::Colon | Tok::Dot | Tok::Newline | Tok::Semicolon | Tok::Error => return None,
        Tok::HoleOpen | Tok::HoleClose | Tok::SingleQuoted => return None,
        _sign => TokenClass::Operator,
    })
}

fn is_word(token: Tok) -> bool {
    token == Tok::Ident || token == Tok::Underscore || (Tok::True..=Tok::Expect).contains(&token)
}

#[cfg(test)]
mod tests {
    use super::super::testing::program;
    use super::*;

    fn classes(text: &str) -> Vec<(String, TokenClass)> {
        let (analysis, _) = program(text);
        let file = analysis.file("main.imm").unwrap();
        let all = semantic_tokens(&analysis, file);
        all.iter().map(|word| (analysis.sources().text(word.span).to_owned(), word.class)).collect()
    }

    fn class_of(text: &str, word: &str) -> TokenClass {
        let all = classes(text);
        all.iter().rev().find(|(text, _)| text == word).unwrap_or_else(|| panic!("{word} in {all:?}")).1
    }

    #[test]
    fn words_are_what_they_mean() {
        let text = "// note\nparam n: Int = 2\ntype T = a | b\nlet x: T = a\ndurable v = volume { size = 1GiB }\nlet y = \"s\".upper() + \"${n}\"\n";
        assert_eq!(class_of(text, "// note"), TokenClass::Comment);
        assert_eq!(class_of(text, "n"), TokenClass::Parameter);
        assert_eq!(class_of(text, "Int"), TokenClass::Type);
        assert_eq!(class_of(text, "a"), TokenClass::Variant);
        assert_eq!(class_of(text, "x"), TokenClass::Variable);
        assert_eq!(class_of(text, "volume"), TokenClass::Kind);
        assert_eq!(class_of(text, "size"), TokenClass::Property);
        assert_eq!(class_of(text, "1GiB"), TokenClass::Number);
        assert_eq!(class_of(text, "v"), TokenClass::Node);
        assert_eq!(class_of(text, "upper"), TokenClass::Method);
        assert_eq!(class_of(text, "durable"), TokenClass::Keyword);
    }

    #[test]
    fn what_is_late_and_what_is_declared_is_marked() {
        let text = "resource page = site { files = { a = \"\" } }\npointer front = route { listen = 8080, to = page }\nlet u = front.url\nlet w = u\n";
        let (analysis, _) = program(text);
        let all = semantic_tokens(&analysis, analysis.file("main.imm").unwrap());
        let of = |word: &str| *all.iter().rev().find(|w| analysis.sources().text(w.span) == word).unwrap();
        assert!(of("u").late && !of("page").late);
        assert!(of("w").declaration);
    }

    #[test]
    fn broken_files_have_words_too() {
        assert_eq!(class_of("let x = = 1\nlet y = 2\n", "y"), TokenClass::Variable);
    }

    #[test]
    fn words_do_not_overlap() {
        let (analysis, _) = program("let a = \"\"\"\n  x ${1 + 2}\n\"\"\"\nlet b = r\"x\"\n");
        let all = semantic_tokens(&analysis, analysis.file("main.imm").unwrap());
        assert!(all.windows(2).all(|w| w[0].span.end <= w[1].span.start), "{all:?}");
    }
}
