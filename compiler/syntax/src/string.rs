//! The inside of strings: where they end, what their escapes mean, and the indentation of `"""`.

use crate::token::keyword;
use imm_ir::{Diagnostic, Span, code};
use std::borrow::Cow;

/// Why the text of a string stops, and after how many bytes.
pub(crate) enum Stop {
    /// The closing quote follows.
    Quote(usize),
    /// `${` follows.
    Hole(usize),
    /// The line (or for `"""` the file) ends.
    End(usize),
}

/// Finds the end of a run of text. `cautious`: a `"""` also ends before a line that starts an item in column 0.
pub(crate) fn scan(rest: &str, multiline: bool, cautious: bool) -> Stop {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' if !multiline => return Stop::Quote(at),
            b'"' if bytes.get(at..at + 3) == Some(b"\"\"\"") => return Stop::Quote(at),
            b'$' if bytes.get(at + 1) == Some(&b'{') => return Stop::Hole(at),
            b'\n' if !multiline => {
                let end = if at > 0 && bytes.get(at - 1) == Some(&b'\r') { at - 1 } else { at };
                return Stop::End(end);
            }
            b'\n' if cautious && starts_item(rest.get(at + 1..).unwrap_or("")) => return Stop::End(at),
            // The character after a backslash never ends the string, but the line does.
            b'\\' if bytes.get(at + 1).is_some_and(|b| *b != b'\n' && *b != b'\r') => at += 1,
            _ => {}
        }
        at += 1;
    }
    Stop::End(rest.len())
}

/// How many bytes stand before the first line that starts an item.
pub(crate) fn before_item(text: &str) -> usize {
    let mut at = 0usize;
    for line in text.split_inclusive('\n') {
        if at > 0 && starts_item(line) {
            return at.saturating_sub(1);
        }
        at += line.len();
    }
    text.len()
}

/// Whether a line begins with a word that starts an item.
pub(crate) fn starts_item(line: &str) -> bool {
    let word = line.bytes().take_while(u8::is_ascii_lowercase).count();
    let (word, after) = line.split_at(word);
    after.starts_with(' ') && keyword(word.as_bytes()).starts_item()
}

/// Reports the escapes in `text` that do not exist.
pub(crate) fn check_escapes(text: &str, span: Span, report: &mut dyn FnMut(Diagnostic)) {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(backslash) {
        let start = from + at;
        let rest = text.get(start..).unwrap_or("");
        let (len, value) = escape(rest);
        from = start + len;
        if value.is_some() {
            continue;
        }
        let bad = Span::new(span.file, span.range().start + start, span.range().start + start + len);
        let shown = rest.get(..len).unwrap_or("\\");
        let diagnostic = if shown.starts_with("\\u") {
            Diagnostic::error(code::BAD_ESCAPE, bad, format!("`{shown}` is not a Unicode character"))
                .help("write the number in hexadecimal between braces: `\\u{e9}`")
        } else {
            Diagnostic::error(
                code::BAD_ESCAPE,
                bad,
                format!("strings have no escape `\\{}`", shown.trim_start_matches('\\').escape_debug()),
            )
            .help("the escapes are \\n \\t \\\" \\\\ \\u{…} \\${; in r\"…\" a backslash is itself")
        };
        report(diagnostic);
    }
}

/// Where the next one is: mostly a few bytes on.
fn backslash(text: &str) -> Option<usize> {
    text.bytes().position(|byte| byte == b'\\')
}

/// The escape at the start of `text`: its length in bytes and what it means, if it means anything.
fn escape(text: &str) -> (usize, Option<char>) {
    let mut chars = text.chars();
    chars.next();
    match chars.next() {
        Some('n') => (2, Some('\n')),
        Some('t') => (2, Some('\t')),
        Some('"') => (2, Some('"')),
        Some('\\') => (2, Some('\\')),
        Some('$') => (2, Some('$')),
        Some('u') => {
            let rest = text.get(2..).unwrap_or("");
            let digits: &str = rest
                .strip_prefix('{')
                .map_or("", |r| r.split_at(r.bytes().take_while(u8::is_ascii_hexdigit).take(8).count()).0);
            let end = 3 + digits.len();
            if text.as_bytes().get(end) == Some(&b'}') && rest.starts_with('{') {
                let value = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                (end + 1, value)
            } else {
                (2, None)
            }
        }
        Some(other) => (1 + other.len_utf8(), None),
        None => (1, None),
    }
}

/// The text with its escapes resolved; an escape that does not exist is left out.
pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    if backslash(text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = backslash(rest) {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        let (len, value) = escape(tail);
        out.extend(value);
        rest = tail.get(len..).unwrap_or("");
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// A part of a `"""` string as it is written: text, or a hole.
pub(crate) enum Piece<'a> {
    /// Text with its escapes.
    Text(&'a str),
    /// Where a hole stands.
    Hole,
}

/// The texts of a `"""` string without the first line feed, the common indentation and the indentation of the closing
/// quotes; escapes resolved, CRLF made LF. One entry for each piece; holes give an empty one.
///
/// The indentation is the least one of the lines that are not blank; the line of the closing quotes counts too.
pub(crate) fn dedent(pieces: &[Piece<'_>]) -> Vec<String> {
    let indent = common_indent(pieces);
    let mut at_line_start = false;
    let mut out = Vec::with_capacity(pieces.len());
    for (index, piece) in pieces.iter().enumerate() {
        let Piece::Text(text) = piece else {
            at_line_start = false;
            out.push(String::new());
            continue;
        };
        let mut text = *text;
        if index == 0 {
            let body = text.strip_prefix("\r\n").or_else(|| text.strip_prefix('\n'));
            at_line_start = body.is_some();
            text = body.unwrap_or(text);
        }
        let mut plain = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let line = if at_line_start { strip(line, indent) } else { line };
            at_line_start = line.ends_with('\n');
            match line.strip_suffix("\r\n") {
                Some(line) => {
                    plain.push_str(line);
                    plain.push('\n');
                }
                None => plain.push_str(line),
            }
        }
        out.push(unescape(&plain).into_owned());
    }
    out
}

fn common_indent(pieces: &[Piece<'_>]) -> usize {
    let mut least = usize::MAX;
    // The first line stands beside the opening quotes and has no indentation of its own.
    let mut at_line_start = false;
    for (index, piece) in pieces.iter().enumerate() {
        let Piece::Text(text) = piece else { continue };
        let last_piece = index + 1 == pieces.len();
        let mut lines = text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let last_line = lines.peek().is_none();
            let blank = line.trim().is_empty();
            // The last piece's last line holds the closing quotes; another piece's last line goes on with a hole.
            let counts = !blank || last_line && (last_piece || !line.is_empty() || index + 1 < pieces.len());
            if at_line_start && counts {
                least = least.min(line.len() - line.trim_start_matches([' ', '\t']).len());
            }
            at_line_start = !last_line;
        }
    }
    if least == usize::MAX { 0 } else { least }
}

fn strip(line: &str, indent: usize) -> &str {
    let white = line.len() - line.trim_start_matches([' ', '\t']).len();
    line.get(white.min(indent)..).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(unescape(r#"a\n\t\"\\\u{e9}\${x}"#), "a\n\t\"\\é${x}");
        assert_eq!(escape(r"\u{110000}"), (10, None));
        assert_eq!(escape(r"\u12"), (2, None));
        assert_eq!(escape(r"\é"), (3, None));
    }

    #[test]
    fn multi_line_loses_its_indentation() {
        let one = |text| dedent(&[Piece::Text(text)]).concat();
        assert_eq!(one("\n    a\n      b\n    "), "a\n  b\n");
        assert_eq!(one("\n    a\n\n    b"), "a\n\nb");
        assert_eq!(one("\r\n  a\r\n  b\r\n  "), "a\nb\n");
        assert_eq!(one("a\n  b"), "a\nb");
        assert_eq!(one(""), "");
        assert_eq!(one("\n    a\n  "), "  a\n");
    }

    #[test]
    fn holes_keep_the_line() {
        let parts = dedent(&[
            Piece::Text("\n    zone "),
            Piece::Hole,
            Piece::Text(" x\n    "),
            Piece::Hole,
            Piece::Text("\n    "),
        ]);
        assert_eq!(parts, ["zone ", "", " x\n", "", "\n"]);
    }
}
