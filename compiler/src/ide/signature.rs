//! What a call takes, while it is typed.

use super::cursor::marked;
use super::{Analysis, Place};
use crate::check::facts::KnownCall;
use imm_syntax::{Tok, Token, lex};

/// The call around a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Help {
    /// The whole, for example `part(ratio: Ratio) -> Int`.
    pub label: String,
    /// Where each parameter stands in `label`, in bytes.
    pub params: Vec<(usize, usize)>,
    /// The parameter at the cursor.
    pub active: usize,
    /// What is said of the function, Markdown.
    pub docs: String,
}

/// What the call around a place takes.
pub fn signature_help(analysis: &Analysis, at: Place) -> Option<Help> {
    let marked = marked(analysis, analysis.inner(at))?;
    let text = marked.sources.get(marked.file)?.text.clone();
    let tokens = lex(marked.file, &text).tokens;
    marked.inspect(analysis, |inspection, facts| {
        let (call, active) = call_around(&tokens, marked.offset, &facts.calls)?;
        let declared = inspection.declared(&call.symbol);
        let name = text.get(call.name.range()).unwrap_or_default();
        Some(help(name, call, active, declared.docs))
    })
}

/// The innermost call whose parentheses are around an offset, and which of its arguments that is.
fn call_around<'c>(tokens: &[Token], offset: u32, calls: &'c [KnownCall]) -> Option<(&'c KnownCall, usize)> {
    let mut depth = 0usize;
    let mut commas = 0;
    let before: Vec<&Token> = tokens.iter().take_while(|token| token.end <= offset).collect();
    for (index, token) in before.iter().enumerate().rev() {
        match token.kind {
            Tok::RParen | Tok::RBracket | Tok::RBrace | Tok::HoleClose => depth += 1,
            Tok::LParen | Tok::LBracket | Tok::LBrace | Tok::HoleOpen if depth > 0 => depth -= 1,
            Tok::LParen => {
                let name = index.checked_sub(1).and_then(|i| before.get(i));
                if let Some(call) = calls.iter().find(|call| name.is_some_and(|name| call.name.end == name.end)) {
                    return Some((call, commas));
                }
                commas = 0;
            }
            Tok::LBracket | Tok::LBrace | Tok::HoleOpen => commas = 0,
            Tok::Comma if depth == 0 => commas += 1,
            _other => {}
        }
    }
    None
}

fn help(name: &str, call: &KnownCall, active: usize, docs: String) -> Help {
    let mut label = format!("{name}(");
    let mut params = Vec::new();
    for (index, param) in call.params.iter().enumerate() {
        if index > 0 {
            label.push_str(", ");
        }
        params.push((label.len(), label.len() + param.len()));
        label.push_str(param);
    }
    label.push_str(&format!(") -> {}", call.result));
    Help { label, params, active, docs }
}

#[cfg(test)]
mod tests {
    use super::super::testing::at;
    use super::*;

    fn shown(text: &str) -> String {
        let (analysis, place) = at(text);
        signature_help(&analysis, place).map(|h| format!("{} @{}", h.label, h.active)).unwrap_or_default()
    }

    #[test]
    fn of_functions_methods_and_content() {
        assert_eq!(shown("fn f(a: Int, b: String) -> Int = a\nlet x = f($0)\n"), "f(a: Int, b: String) -> Int @0");
        assert_eq!(shown("fn f(a: Int, b: String) -> Int = a\nlet x = f(1, $0\n"), "f(a: Int, b: String) -> Int @1");
        assert!(shown("let x = \"a\".split($0)\n").starts_with("split("));
        assert!(shown("let x = file($0)\n").starts_with("file(path: String)"));
        assert!(shown("import std.net\nlet x = net.subnet(\"10.0.0.0/8\", $0)\n").ends_with("@1"));
    }

    #[test]
    fn the_innermost_call_around() {
        let two = "fn f(a: Int) -> Int = a\nfn g(a: Int) -> Int = a\n";
        assert_eq!(shown(&format!("{two}let x = f(g($0))\n")), "g(a: Int) -> Int @0");
        assert_eq!(shown(&format!("{two}let x = f(g(1) + $0)\n")), "f(a: Int) -> Int @0");
        assert_eq!(shown(&format!("{two}let x = f((1 + $0))\n")), "f(a: Int) -> Int @0");
        assert_eq!(shown("let x = 1$0\n"), "");
    }
}
