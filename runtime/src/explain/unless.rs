//! The counterfactual: which nodes would have to be as they were, so that a step is not in the plan. Found from the roots of
//! the step, then checked by planning again; when that leaves the step, the roots of the new plan are added, until it is gone.

use super::Question;
use super::roots::{self, Root, RootKind};
use crate::plan::{Observed, Options, Plan, Step, plan};
use imm_ir::{Addr, Graph};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How often the roots of what is left are added.
const ROUNDS: usize = 8;

/// What would undo a step. Checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unless {
    /// `greeting were "Hello" again`, to stand behind "would be kept if".
    pub text: String,
    /// Params with the values they had, when the text speaks of nothing else.
    pub params: Vec<(String, String)>,
    /// Nodes that would have to be as they were; not there, when they were not.
    pub nodes: Vec<String>,
    /// How many earlier generations would have to be kept.
    pub keep: Option<u32>,
    /// What was seen outside would have to be as recorded.
    pub intact: bool,
}

/// What is turned back.
#[derive(Clone, Debug, Default)]
struct Reverted {
    nodes: BTreeSet<Addr>,
    keep: Option<u32>,
    intact: bool,
}

/// The counterfactual of a step, if a change of the program makes it go away.
pub(super) fn unless(q: &Question<'_>, step: &Step, causes: &[Root]) -> Option<Unless> {
    named(q, step, causes).or_else(|| whole(q, step))
}

/// Nothing less than the program as it was: what is named cannot be turned back without the rest.
fn whole(q: &Question<'_>, step: &Step) -> Option<Unless> {
    let (now, before) = (&q.plan.graph, q.recorded.graph?);
    let addrs = now.nodes.keys().chain(before.nodes.keys());
    let nodes: BTreeSet<Addr> = addrs.filter(|at| now.nodes.get(*at) != before.nodes.get(*at)).cloned().collect();
    let graph = revert(now, Some(before), &nodes);
    let options = Options { again: true, ..q.options.clone() };
    let again = plan(&Arc::new(graph), q.recorded, q.observed, &options).ok()?;
    let text = "the program were as before".to_owned();
    let nodes = nodes.iter().map(ToString::to_string).collect();
    left(&again, step).is_none().then_some(Unless { text, params: Vec::new(), nodes, keep: None, intact: false })
}

fn named(q: &Question<'_>, step: &Step, causes: &[Root]) -> Option<Unless> {
    let mut reverted = Reverted::default();
    let mut roots = causes.to_vec();
    let mut all: Vec<Root> = Vec::new();
    for _round in 0..ROUNDS {
        let mut grew = false;
        for root in &roots {
            grew |= reverted.take(q, step, root);
            if !all.contains(root) {
                all.push(root.clone());
            }
        }
        if !grew {
            return None;
        }
        let graph = revert(&q.plan.graph, q.recorded.graph, &reverted.nodes);
        let observed = if reverted.intact { Observed::default() } else { q.observed.clone() };
        let options = Options { keep: reverted.keep.or(q.options.keep), again: true, ..q.options.clone() };
        let again = plan(&Arc::new(graph), q.recorded, &observed, &options).ok()?;
        let Some(left) = left(&again, step) else { return Some(reverted.told(&all)) };
        roots = roots::roots(&Question { plan: &again, observed: &observed, options: &options, ..*q }, left);
    }
    None
}

/// The step, if another plan still has it.
fn left<'a>(again: &'a Plan, step: &Step) -> Option<&'a Step> {
    let same_object = |s: &Step| matches!(step.action, crate::plan::Action::Create) || s.object == step.object;
    again.steps.iter().find(|s| s.address == step.address && s.action == step.action && same_object(s))
}

impl Reverted {
    /// Takes back what a root says; tells whether that is new.
    fn take(&mut self, q: &Question<'_>, step: &Step, root: &Root) -> bool {
        match root.kind {
            RootKind::Drift => !std::mem::replace(&mut self.intact, true),
            RootKind::Keep => {
                let state = q.recorded.state;
                let newest = state.generations.iter().rev().find(|(_, g)| {
                    step.object.is_some_and(|id| {
                        g.objects.get(&step.address) == Some(&id) || g.objects.values().any(|o| *o == id)
                    })
                });
                let needed = newest.and_then(|(n, _)| u32::try_from(state.current?.saturating_sub(*n) + 1).ok());
                let grew = needed.is_some() && needed > self.keep;
                self.keep = self.keep.max(needed);
                grew
            }
            RootKind::Param
            | RootKind::File
            | RootKind::Let
            | RootKind::Function
            | RootKind::Field
            | RootKind::Added
            | RootKind::Removed
            | RootKind::Definition => {
                let Ok(address) = Addr::parse(&root.address) else { return false };
                self.nodes.insert(address)
            }
        }
    }

    fn told(self, roots: &[Root]) -> Unless {
        let mut words: Vec<String> = Vec::new();
        for root in roots {
            let word = word(root, self.keep);
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let only_params = roots.iter().all(|r| r.kind == RootKind::Param && r.before.is_some());
        let params = roots.iter().filter_map(|r| Some((r.name.clone()?, r.before.clone()?)));
        let mut params: Vec<_> = if only_params { params.collect() } else { Vec::new() };
        params.sort();
        params.dedup();
        Unless {
            text: words.join(" and "),
            params,
            nodes: self.nodes.iter().map(ToString::to_string).collect(),
            keep: self.keep,
            intact: self.intact,
        }
    }
}

fn word(root: &Root, keep: Option<u32>) -> String {
    let name = root.name.as_deref().unwrap_or(&root.address);
    match (root.kind, &root.before) {
        (RootKind::Param, Some(before)) => format!("{name} were {before} again"),
        (RootKind::Param, None) => format!("{name} did not go into {}", root.address),
        (RootKind::File, _) if root.text.ends_with("used now") => format!("{name} did not go into {}", root.address),
        (RootKind::File, _) => format!("{name} were as before"),
        (RootKind::Let | RootKind::Function, _) => format!("{name} were as before"),
        (RootKind::Field, Some(before)) if root.differs.len() == 1 => {
            let path = root.differs.first().map_or(name, |leaf| &leaf.path);
            format!("{path} of {} were {before} again", root.address)
        }
        (RootKind::Field, _) => format!("{name} of {} were as before", root.address),
        (RootKind::Added | RootKind::Removed, Some(before)) if root.name.is_some() => {
            format!("{name} had {before} members, as before")
        }
        (RootKind::Added, _) => format!("the program did not declare {}", root.address),
        (RootKind::Removed, _) => format!("the program still declared {}", root.address),
        (RootKind::Drift, _) => format!("{} were as it was made", root.address),
        (RootKind::Keep, _) => format!("keep were {}", keep.unwrap_or_default()),
        (RootKind::Definition, _) => format!("{} were declared as before", root.address),
    }
}

/// The graph with some nodes as they were, and with what those refer to.
pub fn revert(graph: &Graph, base: Option<&Graph>, nodes: &BTreeSet<Addr>) -> Graph {
    let mut back = graph.clone();
    let mut open: Vec<Addr> = nodes.iter().cloned().collect();
    let mut gone = Vec::new();
    while let Some(at) = open.pop() {
        let Some(node) = base.and_then(|b| b.nodes.get(&at)) else {
            back.nodes.remove(&at);
            gone.push(at);
            continue;
        };
        open.extend(node.edges.iter().map(|e| e.to.clone()).filter(|to| !back.nodes.contains_key(to)));
        back.nodes.insert(at.clone(), node.clone());
        for (whole, before) in base.into_iter().flat_map(|b| &b.expanded).filter(|(_, e)| e.members.contains(&at)) {
            let now = back.expanded.entry(whole.clone()).or_insert_with(|| before.clone());
            if !now.members.contains(&at) {
                now.members.push(at.clone());
            }
        }
    }
    for node in back.nodes.values_mut() {
        node.edges.retain(|edge| !gone.contains(&edge.to));
    }
    back.expanded.values_mut().for_each(|e| e.members.retain(|m| !gone.contains(m)));
    back
}
