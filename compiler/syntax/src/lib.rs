//! Source text to tokens to a syntax tree, with recovery.
//!
//! Guarantees: `parse` never fails and never panics; one mistake is one diagnostic and costs the field, arm, step or
//! member it stands in, not the file; trees nest at most [`MAX_DEPTH`] levels; linear time.
//!
//! Read in the order of the data: `token`, `scan` and `lexer` (text to tokens), `brackets` (all of them pair), `layout`
//! (which new lines count, where items begin), `grammar`, `repair`, `diagnose` and `habits` (items that it refused),
//! `parse`. `cut` is for editors: where a text can be taken apart.

pub mod ast;
mod brackets;
mod cut;
mod diagnose;
mod format;
mod grammar;
mod habits;
mod invisible;
mod layout;
mod lexer;
mod number;
mod parse;
mod repair;
mod scan;
mod shape;
mod string;
mod token;

pub use cut::cut;
pub use format::{WIDTH, format};
pub use habits::{own_type, type_of_types};
pub use layout::MAX_DEPTH;
pub use lexer::{Lexed, lex};
pub use parse::{MAX_ERRORS, Parsed, parse, parse_expr, parse_type};
pub use smol_str::SmolStr;
pub use token::{Tok, Token};
