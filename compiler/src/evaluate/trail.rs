//! What a value was made from: params and files with the places that use them, and nodes of which only something known
//! at plan was read. Trails explain plans and order nodes; they are no part of what a node is.

use imm_ir::{Addr, Cause, Term};
use std::sync::{Arc, LazyLock};

/// Where a value comes from.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    /// Params and files.
    pub causes: Vec<Cause>,
    /// Nodes whose known outputs were read.
    pub orders: Vec<Addr>,
    /// How many there were when repetitions were last taken out.
    settled: usize,
}

/// Fewer repetitions than this are kept until the end.
const FEW: usize = 1000;

impl Trail {
    /// One for all that comes from nowhere but the program.
    pub fn none() -> Arc<Trail> {
        static NONE: LazyLock<Arc<Trail>> = LazyLock::new(Arc::default);
        Arc::clone(&NONE)
    }

    /// Sorted, without repetitions, to be shared.
    pub fn shared(self) -> Arc<Trail> {
        if self.causes.is_empty() && self.orders.is_empty() { Self::none() } else { Arc::new(self.tidy()) }
    }

    pub fn extend(&mut self, other: &Trail) {
        if other.causes.is_empty() && other.orders.is_empty() {
            return;
        }
        self.causes.extend_from_slice(&other.causes);
        self.orders.extend_from_slice(&other.orders);
        self.settle();
    }

    pub fn cause(&mut self, cause: Cause) {
        self.causes.push(cause);
        self.settle();
    }

    pub fn order(&mut self, addr: Addr) {
        self.orders.push(addr);
        self.settle();
    }

    /// A loop reads the same things a million times.
    fn settle(&mut self) {
        if self.causes.len() + self.orders.len() > 2 * self.settled + FEW {
            self.sort();
            self.settled = self.causes.len() + self.orders.len();
        }
    }

    fn sort(&mut self) {
        self.causes.sort_unstable();
        self.causes.dedup();
        self.orders.sort_unstable();
        self.orders.dedup();
    }

    /// Sorted, without repetitions.
    pub fn tidy(mut self) -> Self {
        self.sort();
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
        Self { term: Arc::new(term), trail: trail.shared() }
    }

    /// A value that comes from nowhere but the program.
    pub fn plain(term: Term) -> Self {
        Self { term: Arc::new(term), trail: Trail::none() }
    }
}
