//! The common stages of all pointers that move together. Stage k has the k-th turn of every pointer in steps; the last one
//! moves everything. A pure function of who points at what and how it wants to get there.

use super::strategy::Strategy;
use super::{Gate, WHOLE, shares};
use crate::id::ObjectId;
use imm_ir::Addr;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A pointer that moves.
#[derive(Clone, Debug)]
pub struct Pointer {
    /// Its object.
    pub object: ObjectId,
    /// Where it points.
    pub old: Vec<(Addr, ObjectId)>,
    /// Where it will point.
    pub new: Vec<(Addr, ObjectId)>,
    /// How it gets there.
    pub strategy: Strategy,
}

/// One stage. What is not said by its turns moves in the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Pointers that move, but not all the way.
    pub turns: Vec<Turn>,
    /// Objects that begin to act before it, and are proven.
    pub joins: Vec<ObjectId>,
    /// Objects that nothing points at any more: drained and put to rest.
    pub leaves: Vec<ObjectId>,
    /// Pointers whose gates are judged at its end.
    pub judges: Vec<ObjectId>,
    /// How long it is held, milliseconds.
    pub hold_ms: u64,
    /// A person has to say that it goes on.
    pub approve: bool,
}

/// What a pointer is set to in a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Its object.
    pub pointer: ObjectId,
    /// Part of the requests that the new side gets, parts per million.
    pub weight: u32,
    /// In address order; their weights are the whole.
    pub targets: Vec<Share>,
}

/// One target and its part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Its address.
    pub address: Addr,
    /// Which one.
    pub object: ObjectId,
    /// Parts per million.
    pub weight: u32,
    /// It is not there yet on the old side.
    pub fresh: bool,
}

/// Who is compared with whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The pointer.
    pub pointer: ObjectId,
    /// Its address.
    pub address: Addr,
    /// What only the new side has.
    pub fresh: Vec<ObjectId>,
    /// What only the old side has.
    pub leaving: Vec<ObjectId>,
    /// What has to be true.
    pub gate: Option<Gate>,
}

impl Pointer {
    /// What only one of its sides has: the new one's, the old one's.
    pub fn sides(&self) -> (Vec<ObjectId>, Vec<ObjectId>) {
        let only = |of: &[(Addr, ObjectId)], other: &[(Addr, ObjectId)]| {
            of.iter().map(|(_, id)| *id).filter(|id| !other.iter().any(|(_, o)| o == id)).collect()
        };
        (only(&self.new, &self.old), only(&self.old, &self.new))
    }

    /// Stages before the last one.
    pub fn turns(&self) -> usize {
        match &self.strategy {
            Strategy::AllAtOnce | Strategy::BlueGreen { .. } => 0,
            Strategy::Rolling { batch, .. } => self.sides().0.len().div_ceil(*batch).saturating_sub(1),
            Strategy::Canary { steps, .. } => steps.len(),
        }
    }

    /// Turn number `k`, from 0; with who joins in it and who may leave.
    fn turn(&self, k: usize) -> Option<(Turn, Vec<ObjectId>, Vec<ObjectId>)> {
        if k >= self.turns() {
            return None;
        }
        match &self.strategy {
            Strategy::AllAtOnce | Strategy::BlueGreen { .. } => None,
            Strategy::Canary { steps, .. } => {
                steps.get(k).map(|step| (self.weighted(step.weight), Vec::new(), Vec::new()))
            }
            Strategy::Rolling { batch, .. } => Some(self.batch(k, *batch)),
        }
    }

    fn weighted(&self, weight: u32) -> Turn {
        let mut parts: BTreeMap<(Addr, ObjectId), u32> = BTreeMap::new();
        for (side, part) in [(&self.new, weight), (&self.old, WHOLE - weight)] {
            for (target, share) in side.iter().zip(shares(part, side.len())) {
                *parts.entry(target.clone()).or_default() += share;
            }
        }
        self.turn_of(weight, parts)
    }

    fn batch(&self, k: usize, batch: usize) -> (Turn, Vec<ObjectId>, Vec<ObjectId>) {
        let (fresh, leaving) = self.sides();
        let joined: Vec<ObjectId> = fresh.iter().copied().take((k + 1) * batch).collect();
        // A batch of the old ones stays until the last stage: a pointer that goes back by itself finds somebody there.
        let may_leave = leaving.len().saturating_sub(batch);
        let left: Vec<ObjectId> = leaving.iter().copied().take(((k + 1) * batch).min(may_leave)).collect();
        let mut there: BTreeSet<&(Addr, ObjectId)> = self.old.iter().filter(|(_, id)| !left.contains(id)).collect();
        there.extend(self.new.iter().filter(|(_, id)| joined.contains(id)));
        let parts: BTreeMap<_, _> = there.iter().map(|t| (*t).clone()).zip(shares(WHOLE, there.len())).collect();
        let weight = parts.iter().filter(|((_, id), _)| joined.contains(id)).map(|(_, part)| part).sum();
        let joins = joined.into_iter().skip(k * batch).collect();
        let leaves = left.into_iter().skip(k * batch).collect();
        (self.turn_of(weight, parts), joins, leaves)
    }

    fn turn_of(&self, weight: u32, parts: BTreeMap<(Addr, ObjectId), u32>) -> Turn {
        let fresh = |id: &ObjectId| !self.old.iter().any(|(_, old)| old == id);
        let share = |((address, object), weight)| Share { fresh: fresh(&object), address, object, weight };
        Turn { pointer: self.object, weight, targets: parts.into_iter().map(share).collect() }
    }
}

/// The common stages; at least the last one. `rests`: the new objects that do not act before their batch. `free`: whether
/// an old object is needed by nobody but its pointers.
pub fn common(pointers: &[Pointer], rests: &BTreeSet<ObjectId>, free: &dyn Fn(ObjectId) -> bool) -> Vec<Stage> {
    let count = pointers.iter().map(Pointer::turns).max().unwrap_or(0);
    let mut now: BTreeMap<ObjectId, BTreeSet<ObjectId>> =
        pointers.iter().map(|p| (p.object, p.old.iter().map(|(_, id)| *id).collect())).collect();
    let (mut joined, mut gone) = (BTreeSet::new(), BTreeSet::new());
    let mut stages = Vec::with_capacity(count + 1);
    for k in 0..count {
        let mut stage = Stage::default();
        let mut leaving: BTreeSet<ObjectId> = BTreeSet::new();
        for pointer in pointers.iter().filter(|p| p.turns() > 0) {
            if pointer.strategy.gate().is_some() {
                stage.judges.push(pointer.object);
            }
            let Some((turn, joins, leaves)) = pointer.turn(k) else { continue };
            now.insert(pointer.object, turn.targets.iter().map(|t| t.object).collect());
            stage.joins.extend(joins.into_iter().filter(|id| rests.contains(id) && joined.insert(*id)));
            leaving.extend(leaves);
            let (hold_ms, approve) = pointer.strategy.held(k);
            stage.hold_ms = stage.hold_ms.max(hold_ms);
            stage.approve |= approve;
            stage.turns.push(turn);
        }
        let aimed = |id: &ObjectId| now.values().any(|targets| targets.contains(id));
        stage.leaves.extend(leaving.into_iter().filter(|id| !aimed(id) && free(*id) && gone.insert(*id)));
        stages.push(stage);
    }
    let held = |p: &&Pointer| matches!(p.strategy, Strategy::BlueGreen { .. } | Strategy::Rolling { .. });
    let last = || pointers.iter().filter(held);
    stages.push(Stage {
        joins: rests.difference(&joined).copied().collect(),
        judges: last().filter(|p| p.strategy.gate().is_some()).map(|p| p.object).collect(),
        hold_ms: last().map(|p| p.strategy.held(p.turns()).0).max().unwrap_or(0),
        ..Stage::default()
    });
    stages
}

impl Strategy {
    /// How long turn `k` is held, and whether somebody has to approve what follows.
    fn held(&self, k: usize) -> (u64, bool) {
        match self {
            Self::AllAtOnce => (0, false),
            Self::BlueGreen { hold_ms, .. } | Self::Rolling { hold_ms, .. } => (*hold_ms, false),
            Self::Canary { steps, .. } => steps.get(k).map_or((0, false), |step| (step.hold_ms, step.approve)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::strategy::Step;
    use super::*;
    use imm_ir::Digest;

    fn targets(names: &[(&str, u8)]) -> Vec<(Addr, ObjectId)> {
        names.iter().map(|(name, n)| (Addr::root(name), id(*n))).collect()
    }

    fn id(n: u8) -> ObjectId {
        ObjectId(Digest([n; 32]))
    }

    fn canary(weights: &[u32]) -> Strategy {
        let step = |(k, weight): (usize, &u32)| Step { weight: *weight, hold_ms: 1000, approve: k == 1 };
        Strategy::Canary { steps: weights.iter().enumerate().map(step).collect(), gate: None }
    }

    fn weights(turn: &Turn) -> Vec<(u8, u32, bool)> {
        turn.targets.iter().map(|t| (t.object.0.0[0], t.weight, t.fresh)).collect()
    }

    #[test]
    fn a_canary_shares_between_the_old_and_the_new_set() {
        let pointer = Pointer {
            object: id(9),
            old: targets(&[("a", 1), ("b", 2)]),
            new: targets(&[("a", 3), ("b", 2)]),
            strategy: canary(&[100_000, 500_000]),
        };
        let stages = common(&[pointer], &BTreeSet::new(), &|_| true);
        assert_eq!(stages.len(), 3);
        assert_eq!(weights(&stages[0].turns[0]), [(1, 450_000, false), (3, 50_000, true), (2, 500_000, false)]);
        assert_eq!(
            stages.iter().map(|s| (s.hold_ms, s.approve)).collect::<Vec<_>>(),
            [(1000, false), (1000, true), (0, false)]
        );
        assert!(stages[2].turns.is_empty() && stages[2].judges.is_empty());
    }

    #[test]
    fn a_batch_takes_over_from_as_many_and_the_last_old_one_stays() {
        let old = targets(&[("a", 1), ("b", 2), ("c", 3)]);
        let new = targets(&[("a", 4), ("b", 5), ("c", 6)]);
        let strategy = Strategy::Rolling { batch: 1, hold_ms: 7, gate: None };
        let rests = BTreeSet::from([id(4), id(5), id(6)]);
        let stages = common(&[Pointer { object: id(9), old, new, strategy }], &rests, &|_| true);
        let moves: Vec<_> = stages.iter().map(|s| (s.joins.clone(), s.leaves.clone(), s.hold_ms)).collect();
        assert_eq!(moves, [(vec![id(4)], vec![id(1)], 7), (vec![id(5)], vec![id(2)], 7), (vec![id(6)], vec![], 7)]);
        assert_eq!(weights(&stages[1].turns[0]).iter().map(|w| w.0).collect::<Vec<_>>(), [4, 5, 3]);
        assert_eq!(stages[1].turns[0].targets.iter().map(|t| t.weight).sum::<u32>(), WHOLE);
    }

    #[test]
    fn pointers_share_stages_and_none_rests_that_another_one_needs() {
        let (old, new) = (targets(&[("a", 1), ("b", 2)]), targets(&[("a", 3), ("b", 4)]));
        let rolling = Strategy::Rolling { batch: 1, hold_ms: 0, gate: None };
        let pointer = |n, strategy| Pointer { object: id(n), old: old.clone(), new: new.clone(), strategy };
        let both = [pointer(8, rolling), pointer(9, canary(&[10, 20, 30]))];
        let stages = common(&both, &BTreeSet::new(), &|_| true);
        assert_eq!(stages.iter().map(|s| s.turns.len()).collect::<Vec<_>>(), [2, 1, 1, 0]);
        assert!(stages.iter().all(|s| s.leaves.is_empty()), "the canary still points at all old ones");
        let once = common(&[pointer(8, Strategy::AllAtOnce)], &BTreeSet::new(), &|_| true);
        assert_eq!(once, [Stage::default()]);
        assert_eq!(common(&[], &BTreeSet::new(), &|_| true).len(), 1);
    }
}
