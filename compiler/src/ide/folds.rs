//! What can be folded: brackets over several lines, comments, imports.

use super::Analysis;
use imm_ir::{FileId, Span};
use imm_syntax::ast::ItemKind;
use imm_syntax::{Tok, lex};

/// A part of a file that can be folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fold {
    /// From the opening bracket or first word to the closing one or last word.
    pub span: Span,
    /// What it is.
    pub kind: FoldKind,
}

/// What is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FoldKind {
    /// What stands in brackets, or a text.
    Code,
    /// Comments.
    Comment,
    /// Imports.
    Imports,
}

/// What can be folded in a file; everything goes over several lines.
pub fn folds(analysis: &Analysis, file: FileId) -> Vec<Fold> {
    let text = analysis.text(file);
    let lexed = lex(file, text);
    let mut folds = Vec::new();
    let mut open: Vec<(u32, Tok)> = Vec::new();
    for token in &lexed.tokens {
        match token.kind {
            Tok::LParen | Tok::LBracket | Tok::LBrace | Tok::StrOpen => open.push((token.start, token.kind)),
            Tok::RParen | Tok::RBracket | Tok::RBrace | Tok::StrClose => {
                if let Some((start, _)) = open.pop() {
                    folds.push(Fold { span: Span { file, start, end: token.end }, kind: FoldKind::Code });
                }
            }
            _other => {}
        }
    }
    let mut comments: Vec<(u32, u32)> = lexed.comments.iter().map(|c| (c.start, c.end)).collect();
    let docs = lexed.tokens.iter().filter(|t| matches!(t.kind, Tok::Doc | Tok::ModuleDoc));
    comments.extend(docs.map(|t| (t.start, t.end)));
    comments.sort_unstable();
    folds.extend(runs(text, file, &comments, FoldKind::Comment));
    let items = analysis.parts(file).flat_map(|(_, _, tree)| &tree.items);
    let imports = items.filter(|item| matches!(item.kind, ItemKind::Import(_))).map(|item| analysis.whole(item.span));
    let imports: Vec<(u32, u32)> = imports.map(|span| (span.start, span.end)).collect();
    folds.extend(runs(text, file, &imports, FoldKind::Imports));
    folds.retain(|fold| text.get(fold.span.range()).is_some_and(|inside| inside.contains('\n')));
    folds.sort();
    folds
}

/// Neighbouring parts with nothing but white space without empty lines between them, as one.
fn runs(text: &str, file: FileId, parts: &[(u32, u32)], kind: FoldKind) -> Vec<Fold> {
    let mut runs: Vec<Fold> = Vec::new();
    for (start, end) in parts {
        let near = |last: &Fold| {
            let between = text.get(last.span.end as usize..*start as usize).unwrap_or("x");
            between.trim().is_empty() && between.matches('\n').count() <= 1
        };
        match runs.last_mut().filter(|last| near(last)) {
            Some(last) => last.span.end = *end,
            None => runs.push(Fold { span: Span { file, start: *start, end: *end }, kind }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::super::testing::program;
    use super::*;

    #[test]
    fn brackets_comments_and_imports() {
        let text = "// a\n// b\n\nimport std.net\nimport std.hash\n\nlet a = [\n  1,\n]\nlet b = { c = 1 }\n";
        let (analysis, _) = program(text);
        let all = folds(&analysis, analysis.file("main.imm").unwrap());
        let shown: Vec<(&str, FoldKind)> = all.iter().map(|f| (analysis.sources().text(f.span), f.kind)).collect();
        assert_eq!(
            shown,
            [
                ("// a\n// b", FoldKind::Comment),
                ("import std.net\nimport std.hash", FoldKind::Imports),
                ("[\n  1,\n]", FoldKind::Code),
            ]
        );
    }

    #[test]
    fn broken_brackets_do_no_harm() {
        let (analysis, _) = program("let a = [\n(\n]\n}\n");
        folds(&analysis, analysis.file("main.imm").unwrap());
    }
}
