//! Names resolved and types checked: [`ModuleInput`]s to a [`TypedModule`](crate::hir::TypedModule).
mod input;
pub use input::ModuleInput;
