//! Everywhere a thing is named, in its program.

use super::hover::symbol_at;
use super::{Analysis, Place};
use crate::check::facts::{Facts, Symbol};
use crate::check::inspect::{Declared, Inspection, same};
use imm_ir::Span;
use std::collections::BTreeSet;

/// A place that names something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The word.
    pub span: Span,
    /// Whether this is where it is declared.
    pub declaration: bool,
}

/// What is found about the word at a place.
pub(super) struct Found {
    pub symbol: Symbol,
    pub declared: Declared,
    pub references: Vec<Reference>,
    /// Words that are a field's name and its value in one; `true`: the thing is the field.
    pub shorts: Vec<(Span, bool)>,
}

/// All places that name what the word at a place names, in the order of the text. Fields of records have none: any
/// record with such a field would do.
pub fn references(analysis: &Analysis, at: Place) -> Vec<Reference> {
    find(analysis, at).map(|found| found.references).unwrap_or_default()
}

pub(super) fn find(analysis: &Analysis, at: Place) -> Option<Found> {
    let mut found = find_in_parts(analysis, analysis.inner(at))?;
    found.references.iter_mut().for_each(|reference| reference.span = analysis.whole(reference.span));
    found.references.sort();
    found.shorts.iter_mut().for_each(|(span, _)| *span = analysis.whole(*span));
    Some(found)
}

fn find_in_parts(analysis: &Analysis, at: Place) -> Option<Found> {
    let (module, item) = analysis.item_at(at)?;
    analysis.inspect(|inspection| {
        inspection.item(module, item);
        let (_, symbol) = symbol_at(&inspection.facts(), at)?;
        let declared = inspection.declared(&symbol);
        if !matches!(symbol, Symbol::Local(_)) {
            // An import may have any alias.
            let word = if matches!(symbol, Symbol::Import(_)) { "" } else { &*declared.name };
            visit_others(analysis, inspection, word, item);
        }
        let facts = inspection.facts();
        Some(Found {
            references: collect(&facts, &symbol, &declared),
            shorts: shorts(&facts, &symbol),
            symbol,
            declared,
        })
    })
}

/// Checks every item whose text has the word: whether it means the same is then known.
fn visit_others(analysis: &Analysis, inspection: &mut Inspection<'_>, word: &str, done: &imm_syntax::ast::Item) {
    for (module, item) in analysis.items() {
        if !std::ptr::eq(item, done) && (word.is_empty() || analysis.sources().text(item.span).contains(word)) {
            inspection.item(module, item);
        }
    }
}

fn collect(facts: &Facts, symbol: &Symbol, declared: &Declared) -> Vec<Reference> {
    if matches!(symbol, Symbol::Field(..)) {
        return Vec::new();
    }
    let is_declaration = |span: Span| declared.name_span == Some(span);
    let uses = facts.uses.iter().filter(|(_, other)| same(other, symbol)).map(|(span, _)| *span);
    let shorts = facts.shorts.iter().filter(|(_, other)| same(other, symbol)).map(|(span, _)| *span);
    let own = declared.name_span.filter(|span| span.start < span.end);
    let spans = uses.chain(shorts).chain(own);
    let all: BTreeSet<Reference> = spans.map(|span| Reference { span, declaration: is_declaration(span) }).collect();
    all.into_iter().collect()
}

fn shorts(facts: &Facts, symbol: &Symbol) -> Vec<(Span, bool)> {
    facts.shorts.iter().map(|(span, field)| (*span, same(field, symbol))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::at;
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let (analysis, place) = at(text);
        let shown = |r: Reference| {
            let loc = analysis.sources().loc(r.span);
            format!("{}:{}:{}{}", loc.file, loc.line, loc.column, if r.declaration { "!" } else { "" })
        };
        references(&analysis, place).into_iter().map(shown).collect()
    }

    #[test]
    fn of_bindings() {
        let text = "let a = 1\nlet b = $0a + a\nlet c = [1].map(a => a)\nlet aa = 2\n";
        assert_eq!(found(text), ["main.imm:1:5!", "main.imm:2:9", "main.imm:2:13"]);
        assert_eq!(
            found("let c = [1].map(a => $0a + a)\nlet a = 1\n"),
            ["main.imm:1:17!", "main.imm:1:22", "main.imm:1:26"]
        );
    }

    #[test]
    fn of_components_params_and_variants() {
        let text =
            "component c {\n  param n: Int\n  output o = n\n}\nuse x = c { $0n = 1 }\nlet n = 2\nuse y = c { n }\n";
        assert_eq!(found(text), ["main.imm:2:9!", "main.imm:3:14", "main.imm:5:13", "main.imm:7:13"]);
        let text = "type T = a | b\nparam t: T = $0a\nlet a_ = match t { a => 1, b => 2 }\n";
        assert_eq!(found(text), ["main.imm:1:10!", "main.imm:2:14", "main.imm:3:20"]);
    }

    #[test]
    fn over_files() {
        let text = "let a = $0b\n// --- other.imm\nlet b = 1\nlet c = b\n";
        assert_eq!(found(text), ["main.imm:1:9", "other.imm:1:5!", "other.imm:2:9"]);
        let text = "import \"./lib\"\nlet a = lib.$0b\n// --- lib/main.imm\npub let b = 1\n";
        assert_eq!(found(text), ["main.imm:2:13", "lib/main.imm:1:9!"]);
    }
}
