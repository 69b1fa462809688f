//! Where a word is declared, and where the type of a value is.

use super::hover::{expression_at, symbol_at};
use super::{Analysis, Place};
use imm_ir::Span;

/// The declaration of the word at a place; of an import the module it means. What is built in has none.
pub fn define(analysis: &Analysis, at: Place) -> Option<Span> {
    let at = analysis.inner(at);
    let declared = analysis.inspect_item(at, |inspection| {
        let (_, symbol) = symbol_at(&inspection.facts(), at)?;
        inspection.declared(&symbol).name_span
    });
    declared.map(|span| analysis.whole(span))
}

/// The declaration of the type of what stands at a place.
pub fn type_definition(analysis: &Analysis, at: Place) -> Option<Span> {
    let at = analysis.inner(at);
    let place = analysis.inspect_item(at, |inspection| {
        let facts = inspection.facts();
        let of_word = symbol_at(&facts, at).and_then(|(_, symbol)| inspection.declared(&symbol).ty);
        let ty = of_word.or_else(|| expression_at(&facts, at).map(|(_, ty)| ty))?;
        inspection.type_place(&ty)
    });
    place.map(|span| analysis.whole(span))
}

#[cfg(test)]
mod tests {
    use super::super::testing::at;
    use super::*;

    fn goes(text: &str, ask: fn(&Analysis, Place) -> Option<Span>) -> String {
        let (analysis, place) = at(text);
        let span = ask(&analysis, place);
        span.map_or_else(String::new, |span| {
            let loc = analysis.sources().loc(span);
            format!("{}:{}:{}", loc.file, loc.line, loc.column)
        })
    }

    #[test]
    fn to_the_declaration() {
        let to = |text| goes(text, define);
        assert_eq!(to("param n: Int = 1\nlet a = $0n\n"), "main.imm:1:7");
        assert_eq!(to("type Tier = dev | prod\nparam t: Ti$0er = dev\n"), "main.imm:1:6");
        assert_eq!(to("type Tier = dev | prod\nparam t: Tier = pr$0od\n"), "main.imm:1:19");
        assert_eq!(to("component c {\n  param n: Int\n  output o = n\n}\nuse x = $0c { n = 1 }\n"), "main.imm:1:11");
        assert_eq!(to("component c {\n  param n: Int\n  output o = n\n}\nuse x = c { $0n = 1 }\n"), "main.imm:2:9");
        assert_eq!(
            to("component c {\n  param n: Int\n  output o = n\n}\nuse x = c { n = 1 }\noutput p = x.$0o\n"),
            "main.imm:3:10"
        );
        assert_eq!(to("let a = [1].map(x => 1 + $0x)\n"), "main.imm:1:17");
    }

    #[test]
    fn over_files_and_modules() {
        let to = |text| goes(text, define);
        assert_eq!(to("let a = $0b\n// --- other.imm\nlet b = 1\n"), "other.imm:1:5");
        assert_eq!(to("import \"./lib\"\nlet a = lib.$0b\n// --- lib/main.imm\npub let b = 1\n"), "lib/main.imm:1:9");
        assert_eq!(to("import \"./lib\"\nlet a = $0lib.b\n// --- lib/main.imm\npub let b = 1\n"), "lib/main.imm:1:1");
    }

    #[test]
    fn to_the_type() {
        let to = |text| goes(text, type_definition);
        assert_eq!(to("type Tier = dev | prod\nparam t: Tier = dev\nlet a = $0t\n"), "main.imm:1:6");
        assert_eq!(to("component c {\n  output o = 1\n}\nuse x = c {}\noutput p = $0x.o\n"), "main.imm:1:11");
        assert_eq!(to("let a = $01\n"), "");
    }
}
