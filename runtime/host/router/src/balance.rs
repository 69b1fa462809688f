//! Which target of a route a request gets.
//!
//! Groups are dealt to by smooth weighted round robin: of any 100 requests a group with 10 % gets 10, spread evenly, without chance. Inside a group the target
//! with the least in flight for its weight gets the request, in turn when equal. Targets in disfavour are passed over, unless that would leave nobody.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::target::{InFlight, TargetState};

#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) state: Arc<TargetState>,
    /// Above 0.
    pub(crate) weight: u32,
}

#[derive(Debug)]
struct Group {
    name: String,
    weight: i64,
    candidates: Vec<Candidate>,
    turn: AtomicUsize,
}

/// The targets of a route that get requests.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    groups: Vec<Group>,
    /// Smooth weighted round robin: what each group is owed.
    owed: Mutex<Vec<i64>>,
}

impl Balance {
    /// Targets of weight 0 are left out.
    pub(crate) fn new(targets: impl IntoIterator<Item = (String, Candidate)>) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (name, candidate) in targets {
            if candidate.weight == 0 {
                continue;
            }
            let weight = i64::from(candidate.weight);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => {
                    group.weight += weight;
                    group.candidates.push(candidate);
                }
                None => groups.push(Group { name, weight, candidates: vec![candidate], turn: AtomicUsize::new(0) }),
            }
        }
        let owed = Mutex::new(vec![0; groups.len()]);
        Self { groups, owed }
    }

    /// Chooses a target that was not tried yet, and counts the request as in flight there.
    pub(crate) fn choose(&self, tried: &[Arc<TargetState>]) -> Option<InFlight> {
        let untried = |state: &Arc<TargetState>| !tried.iter().any(|other| Arc::ptr_eq(other, state));
        self.choose_among(|state| untried(state) && !state.is_ejected()).or_else(|| self.choose_among(untried))
    }

    fn choose_among(&self, usable: impl Fn(&Arc<TargetState>) -> bool) -> Option<InFlight> {
        let group = match self.groups.as_slice() {
            [only] => only,
            groups => self.next_group(groups, &usable)?,
        };
        let turn = group.turn.fetch_add(1, Ordering::Relaxed);
        let count = group.candidates.len();
        (0..count)
            .filter_map(|offset| group.candidates.get((turn.wrapping_add(offset)) % count))
            .filter(|candidate| usable(&candidate.state))
            // The first of equals, so the turn decides.
            .reduce(|best, other| if busier(best, other) { other } else { best })
            .map(|candidate| InFlight::new(&candidate.state))
    }

    fn next_group<'a>(&self, groups: &'a [Group], usable: impl Fn(&Arc<TargetState>) -> bool) -> Option<&'a Group> {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total = 0;
        let mut best: Option<(&Group, &mut i64)> = None;
        for (group, owed) in groups.iter().zip(owed.iter_mut()) {
            if !group.candidates.iter().any(|candidate| usable(&candidate.state)) {
                continue;
            }
            *owed += group.weight;
            total += group.weight;
            if best.as_ref().is_none_or(|(_, most)| *owed > **most) {
                best = Some((group, owed));
            }
        }
        let (group, owed) = best?;
        *owed -= total;
        Some(group)
    }
}

/// Whether `a` has more in flight for its weight than `b`.
fn busier(a: &Candidate, b: &Candidate) -> bool {
    let load = |of: &Candidate, by: &Candidate| u128::from(of.state.in_flight()) * u128::from(by.weight);
    load(a, b) > load(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn candidate(group: &str, weight: u32) -> (String, Candidate) {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        (group.to_owned(), Candidate { state: TargetState::new(address.into()), weight })
    }

    fn states(targets: &[(String, Candidate)]) -> Vec<Arc<TargetState>> {
        targets.iter().map(|(_, candidate)| Arc::clone(&candidate.state)).collect()
    }

    #[test]
    fn groups_get_exactly_their_share_evenly_spread() {
        let targets = vec![candidate("leaving", 45), candidate("leaving", 45), candidate("fresh", 10)];
        let fresh = Arc::clone(&targets[2].1.state);
        let balance = Balance::new(targets);
        let hits: Vec<bool> = (0..1000).map(|_| Arc::ptr_eq(balance.choose(&[]).unwrap().target(), &fresh)).collect();
        assert_eq!(hits.iter().filter(|hit| **hit).count(), 100);
        for ten in hits.chunks(10) {
            assert_eq!(ten.iter().filter(|hit| **hit).count(), 1);
        }
    }

    #[test]
    fn the_least_busy_of_a_group_is_chosen() {
        let targets = vec![candidate("", 1), candidate("", 1), candidate("", 1)];
        let all = states(&targets);
        let balance = Balance::new(targets);
        let held: Vec<InFlight> = (0..9).map(|_| balance.choose(&[]).unwrap()).collect();
        assert!(all.iter().all(|state| state.in_flight() == 3));
        let busy = held.into_iter().filter(|held| !Arc::ptr_eq(held.target(), &all[1])).collect::<Vec<_>>();
        assert!(Arc::ptr_eq(balance.choose(&[]).unwrap().target(), &all[1]));
        drop(busy);
        assert!(all.iter().all(|state| state.in_flight() == 0));
    }

    #[test]
    fn weight_zero_gets_nothing() {
        let balance = Balance::new(vec![candidate("a", 0)]);
        assert!(balance.choose(&[]).is_none());
    }

    #[test]
    fn who_is_in_disfavour_is_passed_over_unless_nobody_is_left() {
        let targets = vec![candidate("a", 1), candidate("b", 1)];
        let all = states(&targets);
        let balance = Balance::new(targets);
        all[0].connect_failed();
        for _ in 0..10 {
            assert!(Arc::ptr_eq(balance.choose(&[]).unwrap().target(), &all[1]));
        }
        assert!(Arc::ptr_eq(balance.choose(&all[1..]).unwrap().target(), &all[0]));
        all[1].connect_failed();
        assert!(balance.choose(&[]).is_some());
        assert!(balance.choose(&all).is_none());
        all[0].connected();
        assert!(!all[0].is_ejected());
    }
}
