//! The builtin functions: what they are called and what types they take. What they do is in [`reduce`](crate::reduce).

mod function;
mod signature;

pub use function::{function, functions, functions_of};
pub use signature::{Bound, CONTENT_FUNCTIONS, Param, Shape, Signature, method, methods};

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An operator or builtin function that a term may apply.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Builtin {
    /// `.name` of a record or payload (also `?.`: absent gives `none`).
    Field(Arc<str>),
    /// Whether a variant has this tag (`match`).
    Is(Arc<str>),
    /// A string with holes: concatenation of its arguments' texts.
    Concat,
    /// A binary or unary operator, `in`, `??` and `[i]` by its sign, for example `+`; negation is `neg`.
    Operator(Arc<str>),
    /// A method by [`Signature::builtin`], the receiver first.
    Method(Arc<str>),
    /// A function of a module, for example `encode.json`.
    Function(Arc<str>),
}

impl std::fmt::Display for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Is(tag) => write!(f, "is {tag}"),
            Self::Concat => f.write_str("concat"),
            Self::Operator(sign) => f.write_str(sign),
            Self::Method(name) => write!(f, ".{name}()"),
            Self::Function(name) => write!(f, "{name}()"),
        }
    }
}
