//! The integration tests: one binary, the real `imm` in its own home.
//!
//! `harness` has the sandbox every test runs in and the HTTP load; each other file is one concern.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests may panic, and print what a failure needs"
)]

mod harness;

mod adopt;
mod agent;
mod clock;
mod concurrent;
mod crash;
mod cutover;
mod doc_command;
mod documents;
mod durables;
mod emacs;
mod encrypted;
mod environments;
mod examples;
mod fixes;
mod format;
mod generations;
mod golden;
mod hello;
mod image;
mod ledger;
mod lsp;
mod lsp_latency;
mod mutations;
mod neovim;
mod outside;
mod places;
mod private;
mod repl;
mod reproducible;
mod rollouts;
mod rootless;
mod secrets;
mod signals;
mod test_command;
mod tidy;
mod traces;
mod tree_sitter;
mod usage;
mod why;
