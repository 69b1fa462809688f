//! The page of each diagnostic: what it means, a wrong and a right example.

use imm_ir::code;

macro_rules! pages {
    ($($code:literal)*) => {
        /// Code and page, in the order of [`imm_ir::code::ALL`].
        const PAGES: &[(&str, &str)] = &[$(($code, include_str!(concat!("../explain/", $code, ".md")))),*];
    };
}

pages! {
    "unknown-field"
    "missing-field"
    "type-mismatch"
    "unknown-name"
    "unknown-kind"
    "ambiguous-name"
    "duplicate-name"
    "duplicate-key"
    "duplicate-route"
    "import-cycle"
    "recursive-function"
    "not-exhaustive"
    "param-rejected"
    "missing-param"
    "count-not-known"
    "positional-key"
    "wrong-class"
    "state-in-resource"
    "exclusive-volume"
    "durable-change"
    "fixed-name"
    "cannot-coexist"
    "canary-needs-overlap"
    "durable-on-disposable"
    "nested-rollout"
    "no-health-check"
    "secret-leak"
    "dependency-cycle"
    "unclosed-bracket"
    "dangling-operator"
    "unterminated-string"
    "bad-escape"
    "bad-quantity"
    "out-of-range"
    "overflow"
    "division-by-zero"
    "budget-exceeded"
    "assert-failed"
    "template-variable"
    "file-not-found"
    "syntax"
    "unused-binding"
    "shadowed-variant"
    "deprecated"
}

/// The page of a code.
pub fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| *known == code).map(|(_, page)| *page)
}

/// Every code with the first sentence of its page.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    code::ALL.iter().filter_map(|code| {
        let text = page(code.0)?.lines().skip(1).find(|line| !line.trim().is_empty())?;
        let end = text.find(". ").map_or(text.len(), |at| at + 1);
        Some((code.0, text.get(..end)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_page() {
        let codes: Vec<_> = code::ALL.iter().map(|c| c.0).collect();
        assert_eq!(PAGES.iter().map(|(code, _)| *code).collect::<Vec<_>>(), codes);
        assert_eq!(all().count(), codes.len());
        for (code, page) in PAGES {
            assert!(page.starts_with(&format!("# {code}\n")), "{code}");
        }
    }
}
