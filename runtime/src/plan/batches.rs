//! One atomic batch a provider. What another pointer leads to is moved before the one that leads to it, so that between two
//! batches the outer one never shows what the inner one is not yet.
//!
//! A pair of providers that lead to each other has no such order: then the first by name goes first.

use super::{Plan, PlannedSwitch};
use crate::id::ObjectId;
use imm_ir::Addr;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The moves of one provider, each of a pointer.
pub(crate) type Batch<T> = Vec<(ObjectId, T)>;

/// Moves of each provider, in the order in which they are sent. `leads` answers where a pointer leads after its move.
pub(crate) fn inner_first<T>(
    mut open: BTreeMap<Arc<str>, Batch<T>>,
    leads: impl Fn(&ObjectId, &T) -> Vec<ObjectId>,
) -> Vec<(Arc<str>, Batch<T>)> {
    let mut ordered = Vec::with_capacity(open.len());
    while let Some(first) = open.keys().next().cloned() {
        let ready = |name: &Arc<str>, moves: &Batch<T>| {
            let targets: BTreeSet<ObjectId> = moves.iter().flat_map(|(id, move_)| leads(id, move_)).collect();
            let others = open.iter().filter(|(other, _)| *other != name);
            others.flat_map(|(_, moves)| moves).all(|(id, _)| !targets.contains(id))
        };
        let next = open.iter().find(|(name, moves)| ready(name, moves)).map_or(first, |(name, _)| Arc::clone(name));
        if let Some(moves) = open.remove(&next) {
            ordered.push((next, moves));
        }
    }
    ordered
}

/// What moves at one instant, when not everything does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instant {
    /// Identity of the provider instance.
    pub provider: Arc<str>,
    /// Its pointers that move.
    pub pointers: Vec<Addr>,
}

impl Plan {
    /// The instants at which pointers move that were there before, in their order. Nothing for one or none: then there is no
    /// time at which some of them are moved and others are not.
    pub fn instants(&self) -> Vec<Instant> {
        let mut open: BTreeMap<Arc<str>, Batch<&PlannedSwitch>> = BTreeMap::new();
        for switch in self.switches.iter().filter(|switch| !switch.early) {
            open.entry(switch.provider.clone()).or_default().push((switch.object, switch));
        }
        if open.len() < 2 {
            return Vec::new();
        }
        let leads = |_: &ObjectId, switch: &&PlannedSwitch| switch.targets.iter().map(|(_, id)| *id).collect();
        let instant = |(provider, batch): (Arc<str>, Batch<&PlannedSwitch>)| Instant {
            provider,
            pointers: batch.into_iter().map(|(_, switch)| switch.address.clone()).collect(),
        };
        inner_first(open, leads).into_iter().map(instant).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imm_ir::Digest;

    fn id(byte: u8) -> ObjectId {
        ObjectId(Digest([byte; 32]))
    }

    fn order(moves: &[(&str, u8, &[u8])]) -> Vec<String> {
        let mut open: BTreeMap<Arc<str>, Batch<Vec<ObjectId>>> = BTreeMap::new();
        for (provider, pointer, targets) in moves {
            let targets = targets.iter().map(|t| id(*t)).collect();
            open.entry(Arc::from(*provider)).or_default().push((id(*pointer), targets));
        }
        inner_first(open, |_, targets| targets.clone()).into_iter().map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn what_is_led_to_moves_first_whatever_its_provider_is_called() {
        // dns (a) leads to a balancer (b), which leads to routes (c).
        assert_eq!(order(&[("a", 1, &[2]), ("b", 2, &[3]), ("c", 3, &[9])]), ["c", "b", "a"]);
        assert_eq!(order(&[("a", 1, &[9]), ("b", 2, &[9])]), ["a", "b"]);
        // A batch that leads to itself is one batch.
        assert_eq!(order(&[("a", 1, &[2]), ("a", 2, &[9]), ("b", 3, &[1])]), ["a", "b"]);
        // Each leads to the other: any order is as good, and it ends.
        assert_eq!(order(&[("a", 1, &[2]), ("b", 2, &[1])]), ["a", "b"]);
    }
}
