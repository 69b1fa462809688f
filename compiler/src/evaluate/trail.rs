//! What a value was made from: params, files, functions and names with the places that use them, and nodes of which only
//! something known at plan was read. Trails explain plans and order nodes; they are no part of what a node is.
//!
//! A trail holds what was read where it was made, and shares the trails of what it read: a chain of a thousand names is a
//! thousand trails and not half a million causes. Only an input of a node has all of it written out.

use imm_ir::{Addr, Cause, CauseKind, Loc, Term};
use rustc_hash::FxHashSet;
use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};

/// Where a value comes from.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    causes: Vec<Cause>,
    /// Nodes whose known outputs were read.
    orders: Vec<Addr>,
    /// Where that comes from which was read on the way.
    from: Vec<Arc<Trail>>,
    /// It is that of a name, which is its one cause: the rest is reached through the name.
    named: bool,
    /// How many there were when repetitions were last taken out.
    settled: usize,
}

/// All that went into something, written out.
pub(super) struct Known {
    /// Sorted, without repetitions.
    pub causes: Vec<Cause>,
    /// The same.
    pub orders: Vec<Addr>,
    /// How many trails were followed.
    pub followed: u64,
}

/// Fewer repetitions than this are kept until the end.
const FEW: usize = 1000;
/// So many names are kept as causes of one thing, the nearest to it. Params, files and functions all are.
const NAMES: usize = 1000;

impl Trail {
    /// One for all that comes from nowhere but the program.
    pub fn none() -> Arc<Trail> {
        static NONE: LazyLock<Arc<Trail>> = LazyLock::new(Arc::default);
        Arc::clone(&NONE)
    }

    /// That of a name for something that came along a trail.
    pub fn of_name(cause: Cause, trail: &Arc<Trail>) -> Arc<Trail> {
        let mut own = Trail::default();
        own.named = true;
        own.causes.push(cause);
        own.extend(trail);
        Arc::new(own)
    }

    fn is_empty(&self) -> bool {
        self.causes.is_empty() && self.orders.is_empty() && self.from.is_empty()
    }

    /// To be shared.
    pub fn shared(self) -> Arc<Trail> {
        if self.is_empty() { Self::none() } else { Arc::new(self) }
    }

    pub fn extend(&mut self, other: &Arc<Trail>) {
        if other.is_empty() || self.from.last().is_some_and(|last| Arc::ptr_eq(last, other)) {
            return;
        }
        self.from.push(Arc::clone(other));
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
        if self.causes.len() + self.orders.len() + self.from.len() > 2 * self.settled + FEW {
            self.causes.sort_unstable();
            self.causes.dedup();
            self.orders.sort_unstable();
            self.orders.dedup();
            let mut seen = FxHashSet::default();
            self.from.retain(|trail| seen.insert(Arc::as_ptr(trail)));
            self.settled = self.causes.len() + self.orders.len() + self.from.len();
        }
    }

    /// This trail and those that it came along, the nearest first; beyond a trail only where `further` holds for it.
    fn follow<'t>(&'t self, further: impl Fn(&Trail) -> bool, mut each: impl FnMut(&'t Trail)) {
        let mut seen = FxHashSet::default();
        let mut next = VecDeque::from([self]);
        while let Some(trail) = next.pop_front() {
            each(trail);
            if std::ptr::eq(trail, self) || further(trail) {
                let new = trail.from.iter().filter(|from| seen.insert(Arc::as_ptr(from)));
                next.extend(new.map(|from| &**from));
            }
        }
    }

    /// The places of the nearest causes: what a name holds, as it is written.
    pub fn nearest(&self) -> Arc<[Loc]> {
        let mut places = Vec::new();
        self.follow(|trail| !trail.named, |trail| places.extend(trail.causes.iter().map(|cause| cause.loc.clone())));
        places.sort_unstable();
        places.dedup();
        places.into()
    }

    /// All causes and orders.
    pub fn known(mut self) -> Known {
        let mut known =
            Known { causes: std::mem::take(&mut self.causes), orders: std::mem::take(&mut self.orders), followed: 0 };
        if !self.from.is_empty() {
            let is_name = |cause: &Cause| matches!(cause.what, CauseKind::Let { .. });
            let mut names = known.causes.iter().filter(|cause| is_name(cause)).count();
            self.follow(
                |_| true,
                |trail| {
                    known.followed += 1;
                    known.orders.extend_from_slice(&trail.orders);
                    for cause in &trail.causes {
                        let name = is_name(cause);
                        if !name || names < NAMES {
                            names += usize::from(name);
                            known.causes.push(cause.clone());
                        }
                    }
                },
            );
        }
        known.causes.sort_unstable();
        known.causes.dedup();
        known.orders.sort_unstable();
        known.orders.dedup();
        known
    }
}

/// One after the other: a chain may be longer than the stack is deep.
impl Drop for Trail {
    fn drop(&mut self) {
        let mut last = std::mem::take(&mut self.from);
        while let Some(trail) = last.pop() {
            if let Some(mut trail) = Arc::into_inner(trail) {
                last.append(&mut trail.from);
            }
        }
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
