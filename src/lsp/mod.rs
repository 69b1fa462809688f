//! `imm lsp`: the language server over stdin and stdout. The only place that knows the protocol.
//!
//! What is answered is made in `imm_compiler::ide`; here it is only put into the protocol's words. Guarantees: requests
//! are answered once; a panic in one answers an error and is logged, and the server goes on; without input it uses no
//! processor time; nothing on the disk is changed and no lease is taken.
//!
//! Read `server` (the loop), `documents` and `workspace` (which text is which program's), `answers` and its parts
//! (requests), `worker` (what takes longer), `report` (diagnostics and when they are shown), `wire` (positions, URIs).

mod answers;
mod capabilities;
mod documents;
mod edits;
mod lens;
mod report;
mod server;
mod shapes;
mod wire;
mod worker;
mod workspace;

pub use server::run;
