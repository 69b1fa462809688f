//! How far building is: what waits, what is ready, what is done. Each end of a node costs its own dependents, so that a
//! plan of any shape is walked once.

use super::build::Work;
use crate::entry::Verb;
use crate::id::ObjectId;
use crate::plan::{Fate, Plan, PlannedSwitch, Start, Undo};
use imm_ir::Addr;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::time::Duration;

/// How far building is.
pub(super) struct Progress {
    /// Not started, and all that it must follow is done.
    pub ready: BTreeSet<Addr>,
    /// As `ready`, but not made before others have stopped.
    pub late: BTreeSet<Addr>,
    /// Made ready and not acting: waits for its handover.
    pub made: BTreeSet<Addr>,
    /// Made ready and not run, cheapest to undo first.
    pub jobs: BTreeSet<(Undo, Addr)>,
    /// Verified, or kept as it is.
    pub done: FxHashSet<Addr>,
    /// New pointers whose targets are verified: to be set now.
    pub bindable: Vec<PlannedSwitch>,
    /// Pointers that a handover has moved.
    pub moved: BTreeSet<ObjectId>,
    /// While nobody serves, how long waiting for health may take.
    pub bound: Option<Duration>,
    /// Nothing takes over and nothing moves.
    pub drill: bool,
    pub work: Work,
    blocked: Blocked<Addr>,
    /// New pointers that others use, until their targets are verified.
    early: BTreeMap<ObjectId, PlannedSwitch>,
    unverified: Blocked<ObjectId>,
    /// Nodes that are not made before others have stopped.
    stop_first: BTreeSet<Addr>,
}

/// Who waits for which nodes.
struct Blocked<K> {
    /// For how many each still waits.
    open: FxHashMap<K, usize>,
    followers: FxHashMap<Addr, Vec<K>>,
}

impl<K: Hash + Eq + Clone> Blocked<K> {
    fn new() -> Self {
        Self { open: FxHashMap::default(), followers: FxHashMap::default() }
    }

    /// One that waits for these. False: there is nothing to wait for.
    fn add<'a>(&mut self, who: &K, before: impl Iterator<Item = &'a Addr>) -> bool {
        let before: BTreeSet<&Addr> = before.collect();
        if before.is_empty() {
            return false;
        }
        self.open.insert(who.clone(), before.len());
        for addr in before {
            self.followers.entry(addr.clone()).or_default().push(who.clone());
        }
        true
    }

    /// Who waited only for this one.
    fn done(&mut self, addr: &Addr) -> Vec<K> {
        let mut freed = self.followers.remove(addr).unwrap_or_default();
        freed.retain(|who| {
            let Some(open) = self.open.get_mut(who) else { return false };
            *open -= 1;
            let last = *open == 0;
            if last {
                self.open.remove(who);
            }
            last
        });
        freed
    }
}

impl Progress {
    pub fn new(plan: &Plan) -> Self {
        let mut progress = Self {
            ready: BTreeSet::new(),
            late: BTreeSet::new(),
            made: BTreeSet::new(),
            jobs: BTreeSet::new(),
            done: FxHashSet::default(),
            bindable: Vec::new(),
            moved: BTreeSet::new(),
            bound: None,
            drill: matches!(plan.verb, Verb::Drill { .. }),
            work: Work::new(),
            blocked: Blocked::new(),
            early: BTreeMap::new(),
            unverified: Blocked::new(),
            stop_first: BTreeSet::new(),
        };
        let left_out = if progress.drill { super::drill::left_out(plan) } else { BTreeMap::new() };
        let mut waiting = Vec::new();
        for (addr, planned) in &plan.nodes {
            match planned.fate {
                Fate::Create | Fate::Reuse if left_out.contains_key(addr) => _ = progress.done.insert(addr.clone()),
                Fate::Create | Fate::Reuse => waiting.push((addr, planned)),
                Fate::Keep | Fate::Rename(_) | Fate::Attach => _ = progress.done.insert(addr.clone()),
            }
            if matches!(&planned.start, Start::Handover(handover) if handover.stop_first) {
                progress.stop_first.insert(addr.clone());
            }
        }
        for (addr, planned) in waiting {
            if !progress.blocked.add(addr, planned.after.iter().filter(|a| !progress.done.contains(*a))) {
                progress.free(addr.clone());
            }
        }
        for switch in plan.switches.iter().filter(|s| s.early) {
            let before = switch.targets.iter().map(|(addr, _)| addr).chain([&switch.address]);
            if progress.unverified.add(&switch.object, before.filter(|a| !progress.done.contains(*a))) {
                progress.early.insert(switch.object, switch.clone());
            } else {
                progress.bindable.push(switch.clone());
            }
        }
        progress
    }

    /// Takes the next nodes to be started, not more than there is room for.
    pub fn take(&mut self, room: usize) -> Vec<Addr> {
        std::iter::from_fn(|| self.ready.pop_first()).take(room).collect()
    }

    /// The first node that did not come to its end, when nothing goes on any more.
    pub fn stuck<'p>(&self, plan: &'p Plan) -> Option<&'p Addr> {
        let mut open = plan.nodes.keys().filter(|addr| !self.done.contains(*addr));
        if self.done.len() < plan.nodes.len() { open.next() } else { None }
    }

    /// A node is done: what only waited for it is ready.
    pub fn finish(&mut self, addr: Addr) {
        for follower in self.blocked.done(&addr) {
            self.free(follower);
        }
        for pointer in self.unverified.done(&addr) {
            self.bindable.extend(self.early.remove(&pointer));
        }
        self.done.insert(addr);
    }

    fn free(&mut self, addr: Addr) {
        let later = self.stop_first.contains(&addr);
        if later {
            self.late.insert(addr)
        } else {
            self.ready.insert(addr)
        };
    }
}
