//! `where`: conditions of types and params.
//!
//! A [`RefinedType`] of a built-in type carries its condition as a lambda term. One that the program declares cannot,
//! since terms are made by evaluation: there `holds` is [`Term::Var`] with the number of a [`Refinement`]. Ask
//! [`predicate_of`] and never look at `holds` itself.

use super::{Expr, LocalId, RefinementId, TypedModule};
use imm_ir::{RefinedType, Span, Term};
use std::sync::Arc;

/// A declared condition.
#[derive(Clone, Debug)]
pub struct Refinement {
    /// The type's or param's name.
    pub name: Arc<str>,
    /// The type's documentation.
    pub docs: Option<Arc<str>>,
    /// Stands for the value.
    pub it: LocalId,
    /// To Bool. Uses no params and no nodes.
    pub condition: Expr,
    /// The condition as written, for messages.
    pub text: Arc<str>,
    /// The condition's place.
    pub span: Span,
}

/// Where the condition of a refined type is.
#[derive(Clone, Copy, Debug)]
pub enum Predicate<'a> {
    /// A lambda term of one parameter.
    Builtin(&'a Term),
    /// Declared by the program.
    Declared(&'a Refinement),
}

/// The condition of a refined type of this program.
pub fn predicate_of<'a>(module: &'a TypedModule, ty: &'a RefinedType) -> Predicate<'a> {
    match &ty.holds {
        Term::Var(id) => match module.refinements.get(RefinementId(*id).index()) {
            Some(refinement) => Predicate::Declared(refinement),
            None => Predicate::Builtin(&ty.holds),
        },
        term => Predicate::Builtin(term),
    }
}
