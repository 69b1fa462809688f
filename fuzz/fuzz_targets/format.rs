//! What parses is formatted, parses again, keeps its comments, and is the same when it is formatted twice.
#![no_main]

use imm_ir::FileId;
use libfuzzer_sys::fuzz_target;

fn comments(text: &str) -> Vec<&str> {
    let lexed = imm_syntax::lex(FileId(0), text);
    lexed.comments.iter().map(|token| text[token.start as usize..token.end as usize].trim_end()).collect()
}

fuzz_target!(|text: &str| {
    let Ok(once) = imm_syntax::format(text) else { return };
    assert!(imm_syntax::parse(FileId(0), &once).diagnostics.is_empty(), "{once}");
    assert_eq!(comments(&once), comments(text));
    assert_eq!(imm_syntax::format(&once).as_ref(), Ok(&once));
});
