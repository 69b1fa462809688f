//! `provider` blocks: what does not exist, or is always there.

use imm_ir::{Diagnostic, Span, code};

/// A provider that this version does not have.
pub fn unknown<'a>(word: &str, span: Span, known: impl Iterator<Item = &'a str> + Clone) -> Diagnostic {
    if word == "host" {
        return Diagnostic::error(code::UNKNOWN_KIND, span, "`host` is built in and needs no `provider`")
            .label("always there")
            .help("its kinds have no prefix: `resource web = service { … }`")
            .help("its settings belong to an environment: `environment prod { platform = host { … } }`");
    }
    let diagnostic = super::names::unknown(code::UNKNOWN_KIND, "provider", word, span, known.clone());
    if known.clone().next().is_none() {
        return diagnostic
            .help("this version has the built-in kinds only: `imm doc` lists them")
            .note("programs for other platforms can be parsed, and not be checked yet");
    }
    diagnostic.help(format!("there are {}", super::listed(known)))
}
