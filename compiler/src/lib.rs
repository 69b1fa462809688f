//! Sources to a resource graph: resolve, check, evaluate. Pure.

pub mod check;
mod content;
mod diagnose;
pub mod evaluate;
pub mod hir;
mod resolve;
pub mod sources;
mod types;
pub mod world;
