//! Which target of a route a request gets.
//!
//! Groups are dealt to by smooth weighted round robin: of any 100 requests a group with 10 % gets 10, spread evenly, without chance. Inside a group the target
//! with the least in flight for its weight gets the request, in turn when equal. Targets in disfavour are passed over, unless that would leave nobody. A
//! request that asks for a target or a group gets it, if it is there and can be reached.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::steer::{Token, Wish};
use crate::target::{InFlight, TargetState};

#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) state: Arc<TargetState>,
    pub(crate) token: Token,
    /// 0: only previews reach it.
    pub(crate) weight: u32,
}

#[derive(Debug)]
struct Group {
    name: String,
    weight: i64,
    candidates: Vec<Candidate>,
    turn: AtomicUsize,
}

/// The targets of a route.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    groups: Vec<Group>,
    /// Smooth weighted round robin: what each group is owed.
    owed: Mutex<Vec<i64>>,
}

impl Balance {
    pub(crate) fn new(targets: impl IntoIterator<Item = (String, Candidate)>) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (name, candidate) in targets {
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
    pub(crate) fn choose(&self, tried: &[Arc<TargetState>], wish: Wish<'_>) -> Option<(InFlight, Token)> {
        let untried = |one: &Candidate| !tried.iter().any(|other| Arc::ptr_eq(other, &one.state));
        let well = |one: &Candidate| untried(one) && !one.state.is_ejected();
        self.wished(wish, &well).or_else(|| self.dealt(&well)).or_else(|| self.dealt(&untried)).map(Candidate::take)
    }

    fn wished(&self, wish: Wish<'_>, usable: &impl Fn(&Candidate) -> bool) -> Option<&Candidate> {
        let group = wish.group.and_then(|name| self.groups.iter().find(|group| group.name == name));
        if let Some(chosen) = group.and_then(|group| group.least_busy(usable)) {
            return Some(chosen);
        }
        let token = wish.token?;
        let all = self.groups.iter().flat_map(|group| &group.candidates);
        all.filter(|one| one.token == token && one.weight > 0).find(|one| usable(one))
    }

    fn dealt(&self, usable: &impl Fn(&Candidate) -> bool) -> Option<&Candidate> {
        let usable = |one: &Candidate| one.weight > 0 && usable(one);
        match self.groups.as_slice() {
            [only] => only.least_busy(&usable),
            groups => self.next_group(groups, &usable)?.least_busy(&usable),
        }
    }

    fn next_group<'a>(&self, groups: &'a [Group], usable: &impl Fn(&Candidate) -> bool) -> Option<&'a Group> {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total = 0;
        let mut best: Option<(&Group, &mut i64)> = None;
        for (group, owed) in groups.iter().zip(owed.iter_mut()) {
            if !group.candidates.iter().any(usable) {
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

impl Group {
    fn least_busy(&self, usable: &impl Fn(&Candidate) -> bool) -> Option<&Candidate> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.candidates.len();
        (0..count)
            .filter_map(|offset| self.candidates.get((turn.wrapping_add(offset)) % count))
            .filter(|candidate| usable(candidate))
            // The first of equals, so the turn decides.
            .reduce(|best, other| if busier(best, other) { other } else { best })
    }
}

impl Candidate {
    fn take(&self) -> (InFlight, Token) {
        (InFlight::new(&self.state), self.token)
    }
}

/// Whether `a` has more in flight for its weight than `b`.
fn busier(a: &Candidate, b: &Candidate) -> bool {
    let load = |of: &Candidate, by: &Candidate| u128::from(of.state.in_flight()) * u128::from(by.weight.max(1));
    load(a, b) > load(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn candidate(group: &str, weight: u32) -> (String, Candidate) {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let state = TargetState::new("t", address.into());
        (group.to_owned(), Candidate { state, token: Token::new(""), weight })
    }

    fn states(targets: &[(String, Candidate)]) -> Vec<Arc<TargetState>> {
        targets.iter().map(|(_, candidate)| Arc::clone(&candidate.state)).collect()
    }

    #[test]
    fn groups_get_exactly_their_share_evenly_spread() {
        let targets = vec![candidate("leaving", 45), candidate("leaving", 45), candidate("fresh", 10)];
        let fresh = Arc::clone(&targets[2].1.state);
        let balance = Balance::new(targets);
        let hits: Vec<bool> =
            (0..1000).map(|_| Arc::ptr_eq(balance.choose(&[], Wish::default()).unwrap().0.target(), &fresh)).collect();
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
        let held: Vec<InFlight> = (0..9).map(|_| balance.choose(&[], Wish::default()).unwrap().0).collect();
        assert!(all.iter().all(|state| state.in_flight() == 3));
        let busy = held.into_iter().filter(|held| !Arc::ptr_eq(held.target(), &all[1])).collect::<Vec<_>>();
        assert!(Arc::ptr_eq(balance.choose(&[], Wish::default()).unwrap().0.target(), &all[1]));
        drop(busy);
        assert!(all.iter().all(|state| state.in_flight() == 0));
    }

    #[test]
    fn weight_zero_gets_nothing() {
        let balance = Balance::new(vec![candidate("a", 0)]);
        assert!(balance.choose(&[], Wish::default()).is_none());
    }

    #[test]
    fn who_is_in_disfavour_is_passed_over_unless_nobody_is_left() {
        let targets = vec![candidate("a", 1), candidate("b", 1)];
        let all = states(&targets);
        let balance = Balance::new(targets);
        all[0].connect_failed();
        for _ in 0..10 {
            assert!(Arc::ptr_eq(balance.choose(&[], Wish::default()).unwrap().0.target(), &all[1]));
        }
        assert!(Arc::ptr_eq(balance.choose(&all[1..], Wish::default()).unwrap().0.target(), &all[0]));
        all[1].connect_failed();
        assert!(balance.choose(&[], Wish::default()).is_some());
        assert!(balance.choose(&all, Wish::default()).is_none());
        all[0].connected();
        assert!(!all[0].is_ejected());
    }

    #[test]
    fn wishes_are_granted_while_they_can_be() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let named = |group: &str, id: &str, weight| {
            let state = TargetState::new(id, address.into());
            (group.to_owned(), Candidate { state, token: Token::new(id), weight })
        };
        let balance = Balance::new(vec![named("old", "a", 1), named("old", "b", 1), named("fresh", "c", 0)]);
        let given = |wish: Wish<'_>| balance.choose(&[], wish).unwrap().0.target().id.to_string();
        let stay = |id: &str| Wish { token: Some(Token::new(id)), ..Wish::default() };
        for _ in 0..5 {
            assert_eq!(given(stay("b")), "b");
            assert_eq!(given(Wish { group: Some("fresh"), token: None }), "c");
        }
        // What gets nothing is nothing to stay with, and a group that is not there nothing to look at.
        let dealt: Vec<String> =
            (0..4).map(|n| given(if n < 2 { stay("c") } else { Wish { group: Some("x"), token: None } })).collect();
        assert!(dealt.contains(&"a".to_owned()) && dealt.contains(&"b".to_owned()), "{dealt:?}");
        balance.groups[0].candidates[1].state.connect_failed();
        assert_eq!(given(stay("b")), "a");
    }
}
