//! How far a replacement spreads, and where it ends. Everything that binds a replaced object is replaced; a pointer, a
//! durable, a known value, a movable or a policy field ends it.

use super::{Question, roots};
use crate::plan::{Action, Fate, Plan, Recorded};
use imm_ir::{Addr, Class, EdgeKind, Graph};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Roots of a plan whose cascades are told one by one.
pub const MOST_ROOTS: usize = 16;

/// A replacement and all that follow from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cascade {
    /// What was changed.
    pub root: String,
    /// How many others are replaced because of it.
    pub size: usize,
    /// They, nearest first; the first hundred.
    pub replaced: Vec<String>,
    /// The nearest place where it ends.
    pub cut: Option<Cut>,
}

/// Where a cascade ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// What is not replaced.
    pub address: String,
    /// What it refers to.
    pub refers_to: String,
    /// `pointer`, `durable`, or `known value`.
    pub by: &'static str,
}

/// Who refers to whom, the other way round.
#[derive(Debug)]
pub struct Users<'a>(BTreeMap<&'a Addr, Vec<(&'a Addr, EdgeKind)>>);

impl<'a> Users<'a> {
    /// Of a graph.
    pub fn of(graph: &'a Graph) -> Self {
        let mut users: BTreeMap<&Addr, Vec<(&Addr, EdgeKind)>> = BTreeMap::new();
        for (addr, node) in &graph.nodes {
            for edge in &node.edges {
                users.entry(&edge.to).or_default().push((addr, edge.kind));
            }
        }
        Self(users)
    }
}

/// The cascade of what is replaced at an address because of its own inputs.
pub(super) fn cascade(q: &Question<'_>, at: &Addr) -> Option<Cascade> {
    let replaced = roots::replaced(q, at) && q.recorded.state.at(at).is_some();
    (replaced && !roots::own(q, at).is_empty()).then(|| spread(q.plan, &Users::of(&q.plan.graph), at))
}

/// The largest cascades of a plan, largest first: what was changed and makes others be replaced.
pub fn cascades(plan: &Plan, recorded: Recorded<'_>) -> Vec<Cascade> {
    let again = |at: &Addr| {
        let made = plan.nodes.get(at).is_some_and(|n| n.fate == Fate::Create);
        made && recorded.state.at(at).is_some()
    };
    let is_root = |at: &Addr| {
        let binds = plan.graph.nodes.get(at).into_iter().flat_map(|n| &n.edges).filter(|e| e.kind == EdgeKind::Bind);
        again(at) && !binds.into_iter().any(|e| again(&e.to))
    };
    let made = plan.steps.iter().filter(|s| matches!(s.action, Action::Create | Action::Read)).map(|s| &s.address);
    let roots: BTreeSet<&Addr> = made.filter(|at| is_root(at)).collect();
    if roots.is_empty() {
        return Vec::new();
    }
    let users = Users::of(&plan.graph);
    // Bounded, so that a plan stays linear: a hundred changed images are not a hundred walks.
    let roots = roots.into_iter().filter(|at| users.0.contains_key(at)).take(MOST_ROOTS);
    let mut found: Vec<Cascade> = roots.map(|at| spread(plan, &users, at)).filter(|c| c.size > 0).collect();
    found.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.root.cmp(&b.root)));
    found
}

fn spread(plan: &Plan, users: &Users<'_>, root: &Addr) -> Cascade {
    let (mut seen, mut queue) = (BTreeSet::from([root]), VecDeque::from([root]));
    let (mut order, mut cut) = (Vec::new(), None);
    while let Some(at) = queue.pop_front() {
        for (user, kind) in users.0.get(at).into_iter().flatten() {
            let Some(node) = plan.graph.nodes.get(*user) else { continue };
            let made = plan.nodes.get(user).is_some_and(|n| n.fate == Fate::Create);
            if *kind == EdgeKind::Bind && made {
                if seen.insert(user) {
                    order.push(*user);
                    queue.push_back(user);
                }
            } else if cut.is_none() && !seen.contains(user) {
                let by = match (node.class, kind) {
                    (Class::Pointer, _) => "pointer",
                    (Class::Durable, _) => "durable",
                    (Class::Resource | Class::External, _) => "known value",
                };
                cut = Some(Cut { address: user.to_string(), refers_to: at.to_string(), by });
            }
        }
    }
    let replaced = order.iter().take(100).map(ToString::to_string).collect();
    Cascade { root: root.to_string(), size: order.len(), replaced, cut }
}
