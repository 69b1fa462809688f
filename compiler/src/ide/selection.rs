//! From a word outwards: what a selection grows to.

use super::{Analysis, Place, touches};
use imm_ir::Span;
use imm_syntax::{Tok, lex};

/// The parts of a program around a place, the narrowest first; each holds the one before it.
pub fn selection(analysis: &Analysis, at: Place) -> Vec<Span> {
    let text = analysis.text(at.file);
    let whole = Span::new(at.file, 0, text.len());
    let mut spans = vec![whole];
    let tokens = lex(at.file, text).tokens;
    let words = tokens.iter().filter(|t| t.kind != Tok::Newline);
    spans.extend(words.map(|t| Span { file: at.file, start: t.start, end: t.end }));
    let mut open: Vec<(u32, u32)> = Vec::new();
    for token in &tokens {
        match token.kind {
            Tok::LParen | Tok::LBracket | Tok::LBrace => open.push((token.start, token.end)),
            Tok::RParen | Tok::RBracket | Tok::RBrace => {
                if let Some((start, inner)) = open.pop() {
                    spans.push(Span { file: at.file, start: inner, end: token.start });
                    spans.push(Span { file: at.file, start, end: token.end });
                }
            }
            _other => {}
        }
    }
    if let Some((_, item)) = analysis.item_at(analysis.inner(at)) {
        let item_span = analysis.whole(item.span);
        spans.push(item_span);
        spans.extend(item.docs.as_ref().map(|docs| analysis.whole(docs.span).to(item_span)));
        let inner = analysis.inspect_item(analysis.inner(at), |inspection| {
            let facts = inspection.facts();
            let blocks = facts.blocks.iter().map(|block| block.span);
            Some(facts.types.iter().map(|(span, _)| *span).chain(blocks).collect::<Vec<_>>())
        });
        spans.extend(inner.into_iter().flatten().map(|span| analysis.whole(span)));
    }
    spans.retain(|span| touches(*span, at));
    spans.sort_by_key(|span| (span.end - span.start, span.start));
    spans.dedup();
    let mut chain: Vec<Span> = Vec::new();
    for span in spans {
        let holds = |inner: &Span| span.start <= inner.start && inner.end <= span.end;
        if chain.last().is_none_or(holds) {
            chain.push(span);
        }
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::super::testing::at;
    use super::*;

    #[test]
    fn grows_by_what_belongs_together() {
        let (analysis, place) = at("let a = f(1 + $023, 4)\n");
        let all = selection(&analysis, place);
        let shown: Vec<&str> = all.iter().map(|span| analysis.sources().text(*span)).collect();
        assert_eq!(
            shown,
            [
                "23",
                "1 + 23",
                "1 + 23, 4",
                "(1 + 23, 4)",
                "f(1 + 23, 4)",
                "let a = f(1 + 23, 4)",
                "let a = f(1 + 23, 4)\n"
            ]
        );
    }

    #[test]
    fn an_empty_file_is_itself() {
        let (analysis, place) = at("$0");
        assert_eq!(selection(&analysis, place).len(), 1);
    }
}
