//! How far building is: what waits, what is ready, what is done. Each end of a node costs its own dependents, so that a
//! plan of any shape is walked once.

use super::build::Work;
use crate::entry::Verb;
use crate::id::ObjectId;
use crate::plan::{Fate, Plan, PlannedSwitch};
use imm_ir::Addr;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How far building is.
pub(super) struct Progress {
    /// Not started.
    pub waiting: BTreeSet<Addr>,
    /// Not started, and all that it must follow is done.
    pub ready: BTreeSet<Addr>,
    /// Made ready and not acting: waits for its handover or its run.
    pub made: BTreeSet<Addr>,
    /// Verified, or kept as it is.
    pub done: BTreeSet<Addr>,
    /// New pointers to set as soon as their targets are verified.
    pub early: Vec<PlannedSwitch>,
    /// Pointers that a handover has moved.
    pub moved: BTreeSet<ObjectId>,
    /// While nobody serves, how long waiting for health may take.
    pub bound: Option<Duration>,
    /// Nothing takes over and nothing moves.
    pub drill: bool,
    pub work: Work,
    /// How many of those that each must follow are not done.
    blocked: BTreeMap<Addr, usize>,
    /// Who must follow each.
    followers: BTreeMap<Addr, Vec<Addr>>,
}

impl Progress {
    pub fn new(plan: &Plan) -> Self {
        let mut progress = Self {
            waiting: BTreeSet::new(),
            ready: BTreeSet::new(),
            made: BTreeSet::new(),
            done: BTreeSet::new(),
            early: plan.switches.iter().filter(|s| s.early).cloned().collect(),
            moved: BTreeSet::new(),
            bound: None,
            drill: matches!(plan.verb, Verb::Drill { .. }),
            work: Work::new(),
            blocked: BTreeMap::new(),
            followers: BTreeMap::new(),
        };
        let left_out = if progress.drill { super::drill::left_out(plan) } else { BTreeMap::new() };
        for (addr, planned) in &plan.nodes {
            match planned.fate {
                Fate::Create | Fate::Reuse if left_out.contains_key(addr) => progress.done.insert(addr.clone()),
                Fate::Create | Fate::Reuse => progress.waiting.insert(addr.clone()),
                Fate::Keep | Fate::Rename(_) | Fate::Attach => progress.done.insert(addr.clone()),
            };
        }
        for addr in &progress.waiting {
            let after = plan.nodes.get(addr).map(|n| n.after.as_slice()).unwrap_or_default();
            let open: BTreeSet<&Addr> = after.iter().filter(|a| !progress.done.contains(*a)).collect();
            if open.is_empty() {
                progress.ready.insert(addr.clone());
                continue;
            }
            progress.blocked.insert(addr.clone(), open.len());
            for before in open {
                progress.followers.entry(before.clone()).or_default().push(addr.clone());
            }
        }
        progress
    }

    /// Takes a node to be started.
    pub fn start(&mut self, addr: &Addr) {
        self.waiting.remove(addr);
        self.ready.remove(addr);
    }

    /// A node is done: what only waited for it is ready.
    pub fn finish(&mut self, addr: Addr) {
        for follower in self.followers.remove(&addr).unwrap_or_default() {
            if let Some(open) = self.blocked.get_mut(&follower) {
                *open -= 1;
                if *open == 0 {
                    self.blocked.remove(&follower);
                    self.ready.insert(follower);
                }
            }
        }
        self.done.insert(addr);
    }
}
