//! What a word is: its declaration, type, knownness and documentation.

use super::{Analysis, Place, touches};
use crate::check::facts::{Facts, Symbol};
use crate::check::inspect::Inspection;
use crate::types::scan;
use imm_ir::{Span, Type};

/// What to show about a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hover {
    /// The word or expression it is about.
    pub span: Span,
    /// Markdown.
    pub text: String,
    /// The name of the node, if it is one: the state may know its object.
    pub node: Option<String>,
}

/// What a place is.
pub fn hover(analysis: &Analysis, at: Place) -> Option<Hover> {
    let at = analysis.inner(at);
    let found = analysis.inspect_item(at, |inspection| {
        let facts = inspection.facts();
        if let Some((span, symbol)) = symbol_at(&facts, at) {
            return Some(of_symbol(inspection, span, &symbol));
        }
        let (span, ty) = expression_at(&facts, at)?;
        Some(Hover { span, text: format!("{}{}", code(&super::shown(&ty)), knownness(&ty)), node: None })
    });
    found.map(|hover| Hover { span: analysis.whole(hover.span), ..hover })
}

fn of_symbol(inspection: &mut Inspection<'_>, span: Span, symbol: &Symbol) -> Hover {
    let declared = inspection.declared(symbol);
    let mut text = code(&declared.signature);
    let value = !matches!(symbol, Symbol::Kind(_) | Symbol::KindField(..) | Symbol::Type(_) | Symbol::Builtin(_));
    if let Some(ty) = declared.ty.as_ref().filter(|_| value) {
        if matches!(symbol, Symbol::Param(_) | Symbol::Node(_)) {
            text.push_str(&format!("\n`{}`\n", super::shown(ty)));
        }
        text.push_str(&knownness(ty));
    }
    if !declared.docs.is_empty() {
        text.push_str(&format!("\n{}\n", declared.docs));
    }
    let node = matches!(symbol, Symbol::Node(_)).then(|| declared.name.to_string());
    Hover { span, text, node }
}

fn code(text: &str) -> String {
    format!("```imm\n{text}\n```\n")
}

/// What a type says about when its values are known.
pub(crate) fn knownness(ty: &Type) -> String {
    let taint = scan(ty);
    let late = match ty {
        Type::Late(_) => "\nKnown only after create.\n",
        _inside if taint.late => "\nParts of it are known only after create.\n",
        _known => "",
    };
    let secret = if taint.secret { "\nSecret: it is never shown.\n" } else { "" };
    format!("{late}{secret}")
}

/// The narrowest word with a meaning at a place.
pub(crate) fn symbol_at(facts: &Facts, at: Place) -> Option<(Span, Symbol)> {
    let locals = facts.locals.iter().map(|(id, _, span, _)| (*span, Symbol::Local(*id)));
    // `it` has no place of its own.
    let locals = locals.zip(&facts.locals).filter(|(_, (_, name, ..))| &**name != "it").map(|(local, _)| local);
    let uses = facts.uses.iter().cloned().chain(locals).filter(|(span, _)| touches(*span, at));
    uses.min_by_key(|(span, _)| (span.end - span.start, std::cmp::Reverse(span.start)))
}

/// The narrowest expression at a place.
pub(crate) fn expression_at(facts: &Facts, at: Place) -> Option<(Span, Type)> {
    let here = facts.types.iter().filter(|(span, ty)| touches(*span, at) && *ty != Type::Error);
    here.min_by_key(|(span, _)| (span.end - span.start, std::cmp::Reverse(span.start))).cloned()
}

#[cfg(test)]
mod tests {
    use super::super::testing::at;
    use super::*;

    fn says(text: &str) -> String {
        let (analysis, place) = at(text);
        hover(&analysis, place).map(|hover| hover.text).unwrap_or_default()
    }

    #[test]
    fn declarations_and_their_uses() {
        let text = says("/// How many.\nparam n: Int = 2 where it > 0\nlet m = $0n + 1\n");
        assert!(text.contains("param n: Int = 2 where it > 0") && text.contains("How many."), "{text}");
        assert!(says("let $0m = 1 + 1\n").contains("let m: Int"));
        assert!(says("let m = 1 + 1\nlet k = m$0\n").contains("let m: Int"));
        assert!(says("fn f(a: Int) -> Int = a + 1\nlet k = f$0(1)\n").contains("fn f(a: Int) -> Int"));
        assert!(says("let k = [1].map(x => $0x + 1)\n").contains("x: Int"));
    }

    #[test]
    fn what_is_late_or_secret_is_said() {
        let program =
            "pointer front = route { listen = 8080, to = page }\nresource page = site { files = { a = \"\" } }\n";
        let text = says(&format!("{program}let where_ = front.$0url\n"));
        assert!(text.contains("url: ~String") && text.contains("only after create"), "{text}");
        let text = says("durable s = secret {}\nlet v = $0s.value\n");
        assert!(text.contains("durable s = secret"), "{text}");
        let text = says("durable s = secret {}\nlet $0v = s.value\n");
        assert!(text.contains("Secret:"), "{text}");
    }

    #[test]
    fn kinds_fields_variants_and_methods() {
        assert!(says("durable v = vol$0ume { size = 1GiB }\n").contains("durable NAME = volume"));
        assert!(says("durable v = volume { si$0ze = 1GiB }\n").contains("size: Bytes"));
        assert!(says("durable v = volume { size = 1GiB, access = sha$0red }\n").contains("shared"));
        assert!(says("let a = \"x\".up$0per()\n").contains("upper"));
        assert!(says("let a = 1$0 + 2\n").contains("Int"));
    }

    #[test]
    fn broken_code_still_answers() {
        assert!(says("let a = 1\nresource w = service {\n  replicas = $0a\n  image = \n").contains("let a: Int"));
        assert_eq!(says("$0"), "");
    }
}
