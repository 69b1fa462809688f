//! Sources to a resource graph: resolve, check, evaluate. Pure.

pub mod hir;
pub mod check;
