//! `imm lsp`: the language server over stdin and stdout. The only place that knows the protocol.
//!
//! What is answered is made in `imm_compiler::ide`; here it is only put into the protocol's words. Guarantees: requests
//! are answered once, in the middle of the work with an error if they are taken back or the text changes; a panic in one answers an error and is logged, and the server goes on; without input it uses no
//! processor time; nothing on the disk is changed and no lease is taken.
//!
//! Read `server` (the loop), `documents` and `workspace` (which text is which program's), `answers` and its parts
//! (requests), `worker` (those that take longer), `looks` (what is wrong), `report` (when that is shown), `wanted` (what ends
//! in the middle), `transport` (messages), `wire` (positions, URIs).

mod answers;
mod capabilities;
mod client;
mod documents;
mod edits;
mod lens;
mod looks;
mod notes;
mod report;
mod server;
mod shapes;
mod shown;
mod transport;
mod wanted;
mod wire;
mod worker;
mod workspace;

pub use server::run;
