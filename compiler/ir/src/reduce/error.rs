//! What a builtin can fail with.

use crate::{Code, code};

/// Why a term could not be reduced. Never shows a secret: messages name values only where they are keys or numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReduceError {
    /// What kind of problem.
    pub problem: Problem,
    /// What is wrong, lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A number that does not fit.
    Overflow,
    /// An index, key or amount outside its range.
    OutOfRange,
    /// Division by zero.
    DivisionByZero,
    /// One key twice.
    DuplicateKey,
    /// Too many steps, elements, bytes or levels.
    Budget,
    /// A value of another type than the builtin takes. The checker refuses such programs; a term from elsewhere may hold
    /// one.
    Mismatch,
}

impl ReduceError {
    pub(super) fn new(problem: Problem, message: impl Into<String>) -> Self {
        Self { problem, message: message.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn overflow(what: impl std::fmt::Display) -> Self {
        Self::new(Problem::Overflow, format!("{what} does not fit into 64 bits"))
    }

    pub(super) fn range(message: impl Into<String>) -> Self {
        Self::new(Problem::OutOfRange, message)
    }

    /// Too many steps, elements, bytes or levels.
    pub fn budget() -> Self {
        Self::new(Problem::Budget, "this needs more steps, elements, bytes or levels than an evaluation may take")
    }

    pub(super) fn mismatch(message: impl Into<String>) -> Self {
        Self::new(Problem::Mismatch, message)
    }

    /// The same without anything of the values: they are secret, or computed from a secret.
    pub(super) fn hidden(self) -> Self {
        let message = match self.problem {
            Problem::Overflow => "a number that is computed from a secret does not fit into 64 bits",
            Problem::OutOfRange => "a secret is outside of what is allowed here",
            Problem::DivisionByZero => "division by a secret that is zero",
            Problem::DuplicateKey => "a key that is computed from a secret occurs twice",
            Problem::Budget => return self,
            Problem::Mismatch => "a secret is of another type than what is allowed here",
        };
        Self::new(self.problem, message).help("its value is not shown: look at where it comes from")
    }

    /// The diagnostic code that says the same about a place in a program.
    pub fn code(&self) -> Code {
        match self.problem {
            Problem::Overflow => code::OVERFLOW,
            Problem::OutOfRange => code::OUT_OF_RANGE,
            Problem::DivisionByZero => code::DIVISION_BY_ZERO,
            Problem::DuplicateKey => code::DUPLICATE_KEY,
            Problem::Budget => code::BUDGET_EXCEEDED,
            Problem::Mismatch => code::TYPE_MISMATCH,
        }
    }
}

impl std::fmt::Display for ReduceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ReduceError {}
