//! The type that several values have together.

use super::checker::Checker;
use crate::diagnose::mismatch;
use crate::types::join;
use imm_ir::{Span, Type};

/// The smallest type of several values.
pub(super) struct Common<'t> {
    what: &'t str,
    expected: Option<&'t Type>,
    so_far: Option<(Type, Span)>,
    /// Types that do not fit the first; one mistake may be made several times.
    others: Vec<Type>,
    broken: bool,
}

impl<'t> Common<'t> {
    pub fn new(what: &'t str, expected: Option<&'t Type>) -> Self {
        Self { what, expected, so_far: None, others: Vec::new(), broken: false }
    }

    /// Takes one more into account; with an expected type it was checked already.
    pub fn add(&mut self, checker: &mut Checker<'_>, ty: &Type, span: Span) {
        if self.expected.is_some() {
            return;
        }
        if *ty == Type::Error {
            self.broken = true;
            return;
        }
        let Some((so_far, first)) = &mut self.so_far else {
            self.so_far = Some((ty.clone(), span));
            return;
        };
        match join(so_far, ty) {
            Some(both) => *so_far = both,
            None => {
                self.broken = true;
                if !self.others.contains(ty) {
                    checker.report(mismatch::differ(self.what, so_far, *first, ty, span));
                    self.others.push(ty.clone());
                }
            }
        }
    }

    /// The type of all.
    pub fn ty(self) -> Type {
        match (self.expected, self.so_far) {
            (Some(expected), _) => expected.clone(),
            (None, _) if self.broken => Type::Error,
            (None, Some((ty, _))) => ty,
            (None, None) => Type::Never,
        }
    }
}
