//! One style for programs: text to the same program, laid out.
//!
//! Guarantees: the tree stays the same but for spans, every comment is kept, and formatting twice is formatting once;
//! linear time. Text that does not parse is refused. What is inside of strings, holes included, stays as it is written.
//!
//! The style: two spaces of indentation; a block, list or call that was written on one line stays there while it fits
//! into [`WIDTH`] columns, others have one entry a line; `=` and `=>` of neighbouring entries stand below each other;
//! runs of empty lines become one. Lines broken inside of an expression stay broken there.
//!
//! `tree` makes nested groups of the tokens, `spacing` says which tokens touch, `render` writes.

mod render;
mod spacing;
mod tree;

use crate::layout::lay_out;
use crate::lexer::lex;
use crate::parse::parse;
use imm_ir::{Diagnostic, FileId};

/// Lines are broken at brackets where they would be longer than this.
pub const WIDTH: usize = 100;

/// Formats a file.
///
/// # Errors
/// The errors of a text that does not parse; their spans are of file 0.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let file = FileId(0);
    let mut errors = parse(file, text).diagnostics;
    errors.retain(Diagnostic::is_error);
    if !errors.is_empty() {
        return Err(errors);
    }
    let lexed = lex(file, text);
    let layout = lay_out(file, text, lexed.tokens.clone());
    let entries = tree::build(text, &lexed, &layout);
    Ok(render::file(&entries))
}
