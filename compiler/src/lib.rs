//! Sources to a resource graph: resolve, check, evaluate. Pure.

pub mod check;
mod content;
pub mod evaluate;
pub mod hir;
pub mod sources;
pub mod world;
