//! One token after the other, by its first bytes.
//!
//! By hand: a token is found in some fifty instructions, where a generated state machine took two hundred. What a
//! string with holes holds, and what has no value, is for `lexer`.

use crate::token::{Tok, Token, keyword};

/// The token that begins at or after a place; white space is passed over.
pub(crate) fn next(text: &str, from: usize) -> Option<Token> {
    let bytes = text.as_bytes();
    let (mut at, mut first) = (from, *bytes.get(from)?);
    if first == b'\r' && bytes.get(at + 1) == Some(&b'\n') {
        return Some(Token::new(Tok::Newline, at, at + 2));
    }
    loop {
        match first {
            b' ' | b'\t' | b'\r' => at += 1,
            0xEF if bytes.get(at..at + 3) == Some("\u{feff}".as_bytes()) => at += 3,
            _other => break,
        }
        first = *bytes.get(at)?;
    }
    let (kind, len) = begun(text, bytes.get(at..)?, first, at);
    Some(Token::new(kind, at, at + len))
}

/// The token that `rest` begins with, and its length.
fn begun(text: &str, rest: &[u8], first: u8, at: usize) -> (Tok, usize) {
    let second = rest.get(1).copied().unwrap_or(b'\n');
    match first {
        b'r' if second == b'"' => raw(rest),
        b'a'..=b'z' | b'_' => {
            let len = letters(rest);
            (keyword(rest.get(..len).unwrap_or_default()), len)
        }
        b'A'..=b'Z' => (Tok::Upper, letters(rest)),
        b'0'..=b'9' => number(rest),
        b'\n' => (Tok::Newline, 1),
        b'"' => string(rest),
        b'/' if second == b'/' => comment(rest),
        b'/' => (Tok::Slash, 1),
        b'{' => (Tok::LBrace, 1),
        b'}' => (Tok::RBrace, 1),
        b'(' => (Tok::LParen, 1),
        b')' => (Tok::RParen, 1),
        b'[' => (Tok::LBracket, 1),
        b']' => (Tok::RBracket, 1),
        b',' => (Tok::Comma, 1),
        b':' => (Tok::Colon, 1),
        b';' => (Tok::Semicolon, 1),
        b'~' => (Tok::Tilde, 1),
        b'+' => (Tok::Plus, 1),
        b'*' => (Tok::Star, 1),
        b'=' => either(second, [(b'=', Tok::EqEq), (b'>', Tok::FatArrow)], Tok::Assign),
        b'-' => either(second, [(b'>', Tok::Arrow); 2], Tok::Minus),
        b'|' => either(second, [(b'|', Tok::OrOr); 2], Tok::Pipe),
        b'!' => either(second, [(b'=', Tok::NotEq); 2], Tok::Bang),
        b'<' => either(second, [(b'=', Tok::Le); 2], Tok::Lt),
        b'>' => either(second, [(b'=', Tok::Ge); 2], Tok::Gt),
        b'?' => either(second, [(b'.', Tok::QuestionDot), (b'?', Tok::Coalesce)], Tok::Question),
        b'&' => either(second, [(b'&', Tok::AndAnd); 2], Tok::Error),
        b'.' if second == b'.' && rest.get(2) == Some(&b'=') => (Tok::DotDotEq, 3),
        b'.' => either(second, [(b'.', Tok::DotDot); 2], Tok::Dot),
        b'#' => (Tok::Hash, line(rest)),
        b'\'' => single_quoted(rest),
        _unknown => (Tok::Error, text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)),
    }
}

/// A token of two bytes, by the second, or one of one byte.
fn either(second: u8, longer: [(u8, Tok); 2], short: Tok) -> (Tok, usize) {
    longer.iter().find(|(byte, _)| *byte == second).map_or((short, 1), |(_, kind)| (*kind, 2))
}

/// Up to the end of the line.
fn line(rest: &[u8]) -> usize {
    memchr::memchr(b'\n', rest).unwrap_or(rest.len())
}

fn comment(rest: &[u8]) -> (Tok, usize) {
    let kind = match rest.get(2) {
        Some(b'/') => Tok::Doc,
        Some(b'!') => Tok::ModuleDoc,
        _plain => Tok::Comment,
    };
    (kind, line(rest))
}

/// A string without escapes and holes is one token; of another one its first quotes are.
fn string(rest: &[u8]) -> (Tok, usize) {
    if rest.starts_with(b"\"\"\"") {
        return (Tok::StrOpen, 3);
    }
    let stop = 1 + run(rest.get(1..).unwrap_or_default(), &TEXT);
    if rest.get(stop) == Some(&b'"') { (Tok::Str, stop + 1) } else { (Tok::StrOpen, 1) }
}

/// `r"…"` has no escapes; without an end its first quote is a token, which is reported.
fn raw(rest: &[u8]) -> (Tok, usize) {
    let stop = rest.iter().skip(2).position(|byte| matches!(byte, b'"' | b'\n'));
    match stop.map(|stop| stop + 2) {
        Some(stop) if rest.get(stop) == Some(&b'"') => (Tok::RawStr, stop + 1),
        _unclosed => (Tok::BrokenRaw, 2),
    }
}

fn single_quoted(rest: &[u8]) -> (Tok, usize) {
    let stop = rest.iter().skip(1).position(|byte| matches!(byte, b'\'' | b'\n')).map_or(rest.len(), |stop| stop + 1);
    if rest.get(stop) == Some(&b'\'') { (Tok::SingleQuoted, stop + 1) } else { (Tok::Error, stop) }
}

/// `1_000`, `1.5`, `5s`, `10%`.
fn number(rest: &[u8]) -> (Tok, usize) {
    let digits = |from: usize| {
        let rest = rest.get(from..).unwrap_or_default();
        from + rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'_')).unwrap_or(rest.len())
    };
    let whole = digits(1);
    let fraction = rest.get(whole) == Some(&b'.') && rest.get(whole + 1).is_some_and(u8::is_ascii_digit);
    let end = if fraction { digits(whole + 1) } else { whole };
    match rest.get(end) {
        Some(b'%') => (Tok::Quantity, end + 1),
        Some(byte) if byte.is_ascii_alphabetic() => (Tok::Quantity, end + letters(rest.get(end..).unwrap_or_default())),
        _other if fraction => (Tok::Float, end),
        _other => (Tok::Int, end),
    }
}

/// How many bytes a word has.
fn letters(rest: &[u8]) -> usize {
    run(rest, &LETTER)
}

/// How many of the first bytes are of a set.
fn run(rest: &[u8], set: &[bool; 256]) -> usize {
    rest.iter().position(|byte| !set.get(usize::from(*byte)).is_some_and(|yes| *yes)).unwrap_or(rest.len())
}

/// What words are made of.
const LETTER: [bool; 256] = set(true);
/// What the text of a string without escapes and holes is made of.
const TEXT: [bool; 256] = set(false);

#[expect(clippy::indexing_slicing, reason = "a byte is below 256, and this runs in the compiler")]
const fn set(of_words: bool) -> [bool; 256] {
    let mut set = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte < 128 && (byte as u8).is_ascii_alphanumeric() || byte == b'_' as usize;
        let ends = byte == b'"' as usize || byte == b'$' as usize || byte == b'\\' as usize || byte == b'\n' as usize;
        set[byte] = if of_words { letter } else { !ends };
        byte += 1;
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(Tok, &str)> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(token) = next(text, at) {
            at = token.end as usize;
            found.push((token.kind, &text[token.start as usize..at]));
        }
        found
    }

    #[test]
    fn the_longest_token_wins() {
        use Tok::*;
        let kinds = |text: &str| all(text).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
        assert_eq!(
            kinds("..= .. . ?. ?? ? => == = -> - || | != ! <= < >= > && /"),
            [
                DotDotEq,
                DotDot,
                Dot,
                QuestionDot,
                Coalesce,
                Question,
                FatArrow,
                EqEq,
                Assign,
                Arrow,
                Minus,
                OrOr,
                Pipe,
                NotEq,
                Bang,
                Le,
                Lt,
                Ge,
                Gt,
                AndAnd,
                Slash
            ]
        );
        assert_eq!(all("1..2"), [(Int, "1"), (DotDot, ".."), (Int, "2")]);
        assert_eq!(
            all("1.mod 1.5s 1_0.5 7% 1_x"),
            [
                (Int, "1"),
                (Dot, "."),
                (Ident, "mod"),
                (Quantity, "1.5s"),
                (Float, "1_0.5"),
                (Quantity, "7%"),
                (Quantity, "1_x")
            ]
        );
        assert_eq!(
            all("/// a\n//! b\n// c\n"),
            [
                (Doc, "/// a"),
                (Newline, "\n"),
                (ModuleDoc, "//! b"),
                (Newline, "\n"),
                (Comment, "// c"),
                (Newline, "\n")
            ]
        );
    }

    #[test]
    fn strings_and_words() {
        use Tok::*;
        assert_eq!(
            all("\"a\" \"\" r\"b\\\" resource iff _ _a A1"),
            [
                (Str, "\"a\""),
                (Str, "\"\""),
                (RawStr, "r\"b\\\""),
                (Resource, "resource"),
                (Ident, "iff"),
                (Underscore, "_"),
                (Ident, "_a"),
                (Upper, "A1")
            ]
        );
        assert_eq!(next("\"a\\n\"", 0), Option::Some(Token::new(StrOpen, 0, 1)));
        assert_eq!(next("\"\"\"a", 0), Option::Some(Token::new(StrOpen, 0, 3)));
        assert_eq!(all("r\"a\n"), [(BrokenRaw, "r\""), (Ident, "a"), (Newline, "\n")]);
    }

    #[test]
    fn what_is_no_token_is_passed_as_a_whole() {
        use Tok::*;
        assert_eq!(
            all("'a é' 'b\né&\u{feff}\r\n \r\n"),
            [
                (SingleQuoted, "'a é'"),
                (Error, "'b"),
                (Newline, "\n"),
                (Error, "é"),
                (Error, "&"),
                (Newline, "\n"),
                (Newline, "\n")
            ]
        );
    }
}
