//! Characters that change what a reader sees and not what the program says: marks that reverse the direction of text, and
//! ones without width. In strings and comments they could hide code from its reviewers (CVE-2021-42574), so there they
//! are written as escapes or not at all; elsewhere the lexer refuses them like any other character without a meaning.

use crate::parse::ENOUGH;
use crate::token::{Tok, Token};
use imm_ir::{Applicability, Diagnostic, FileId, Span, code};

/// Whether this reverses or hides what follows it.
pub(crate) fn deceives(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{2060}')
}

/// Reports such characters inside of strings and comments, one diagnostic a place.
pub(crate) fn check(file: FileId, text: &str, tokens: &[Token], comments: &[Token], diagnostics: &mut Vec<Diagnostic>) {
    // All of them begin with this byte, which hardly any program has.
    if memchr::memchr(0xe2, text.as_bytes()).is_none() {
        return;
    }
    let quoted = |token: &&Token| {
        matches!(
            token.kind,
            Tok::Str | Tok::StrText | Tok::RawStr | Tok::Doc | Tok::ModuleDoc | Tok::Comment | Tok::Hash
        )
    };
    for token in tokens.iter().chain(comments).filter(quoted) {
        if diagnostics.len() >= ENOUGH {
            break;
        }
        let found = token.text(text).char_indices().find(|(_, c)| deceives(*c));
        let Some((at, c)) = found else { continue };
        let start = token.start as usize + at;
        let span = Span::new(file, start, start + c.len_utf8());
        let escape = format!("\\u{{{:x}}}", u32::from(c));
        let what =
            if matches!(c, '\u{200b}' | '\u{2060}') { "cannot be seen" } else { "changes the order of what is seen" };
        let diagnostic = Diagnostic::error(code::SYNTAX, span, format!("the character `{escape}` {what}"))
            .label("it is here")
            .note("with it a program can say something else than its readers see");
        diagnostics.push(match token.kind {
            Tok::Str | Tok::StrText => diagnostic.help(format!("write `{escape}` if it is meant")).fix(
                "write it as an escape",
                Applicability::Safe,
                span,
                escape,
            ),
            Tok::RawStr => diagnostic.help("remove it, or use a string with escapes"),
            _comment => diagnostic.help("remove it").fix("remove it", Applicability::Safe, span, ""),
        });
    }
}
