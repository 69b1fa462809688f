//! Source text to tokens to a syntax tree, with recovery.

pub mod ast;

pub use smol_str::SmolStr;
