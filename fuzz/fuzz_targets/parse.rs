//! Any text is lexed and parsed: no panic, every span inside of the text and on character boundaries, few errors.
#![no_main]

use imm_ir::FileId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let parsed = imm_syntax::parse(FileId(0), text);
    assert!(parsed.diagnostics.len() <= imm_syntax::MAX_ERRORS);
    for diagnostic in &parsed.diagnostics {
        let edits = diagnostic.fixes.iter().flat_map(|fix| fix.edits.iter().map(|edit| edit.span));
        for span in diagnostic.labels.iter().map(|label| label.span).chain(edits) {
            assert!(text.get(span.range()).is_some(), "{span:?} of {diagnostic:?}");
        }
    }
});
