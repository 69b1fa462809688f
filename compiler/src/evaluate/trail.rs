//! What a value was made from: params and files with the places that use them, and nodes of which only something known
//! at plan was read. Trails explain plans and order nodes; they are no part of what a node is.

use imm_ir::{Addr, Cause, Term};
use std::sync::Arc;

/// Where a value comes from.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    /// Params and files.
    pub causes: Vec<Cause>,
    /// Nodes whose known outputs were read.
    pub orders: Vec<Addr>,
}

impl Trail {
    pub fn extend(&mut self, other: &Trail) {
        self.causes.extend_from_slice(&other.causes);
        self.orders.extend_from_slice(&other.orders);
    }

    /// Sorted, without repetitions.
    pub fn tidy(mut self) -> Self {
        self.causes.sort_unstable();
        self.causes.dedup();
        self.orders.sort_unstable();
        self.orders.dedup();
        self
    }
}

/// A value and where it comes from; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub term: Arc<Term>,
    pub trail: Arc<Trail>,
}

impl Bound {
    pub fn new(term: Term, trail: Trail) -> Self {
        Self { term: Arc::new(term), trail: Arc::new(trail.tidy()) }
    }

    /// A value that comes from nowhere but the program.
    pub fn plain(term: Term) -> Self {
        Self { term: Arc::new(term), trail: Arc::default() }
    }
}
