//! Q9: what `why` says would undo a step does undo it. Turns the named nodes back by itself and plans again; shares nothing
//! with the search that found them.

use super::Violation;
use crate::explain::{Change, Question, Unless};
use crate::plan::{Action, Observed, Options, Plan, Recorded, Step, plan};
use imm_ir::{Addr, Graph};
use std::collections::BTreeSet;

/// Everything that a plan does, explained.
pub fn explained(graph: &Graph, recorded: Recorded<'_>, options: &Options) -> Vec<Change> {
    let observed = Observed::default();
    let Ok(planned) = plan(graph, recorded, &observed, options) else { return Vec::new() };
    let question = Question { plan: &planned, recorded, observed: &observed, options };
    let addresses: BTreeSet<&Addr> = planned.steps.iter().map(|s| &s.address).collect();
    addresses.into_iter().flat_map(|at| question.changes(at)).collect()
}

/// Judges explanations of the plan from `before` to `now`.
pub fn judge(
    (before, now): (&Graph, &Graph),
    recorded: Recorded<'_>,
    options: &Options,
    changes: &[Change],
) -> Vec<Violation> {
    changes.iter().filter_map(|change| judge_one((before, now), recorded, options, change)).collect()
}

fn judge_one(
    (before, now): (&Graph, &Graph),
    recorded: Recorded<'_>,
    options: &Options,
    change: &Change,
) -> Option<Violation> {
    let told = format!("{} {}", change.action, change.address);
    let say = |what: String| Some(Violation { invariant: "Q9", sentence: format!("{told} {what}") });
    if change.causes.is_empty() {
        return say("has no cause".to_owned());
    }
    let Some(Unless { nodes, keep, text, .. }) = &change.unless else {
        let causes: Vec<&str> = change.causes.iter().map(|c| c.text.as_str()).collect();
        return say(format!("has no counterfactual, only causes: {}", causes.join("; ")));
    };
    if text.is_empty() || (nodes.is_empty() && keep.is_none()) {
        return say("has a counterfactual that says nothing".to_owned());
    }
    let back = turned_back(now, before, nodes);
    let again = Options { again: true, keep: keep.or(options.keep), ..options.clone() };
    match plan(&back, recorded, &Observed::default(), &again) {
        Ok(replanned) if still_there(&replanned, change) => say(format!("is still there although {text}")),
        Ok(_) => None,
        Err(error) => say(format!("has a counterfactual that cannot be planned: {error}")),
    }
}

/// The graph with the named nodes as they were.
fn turned_back(now: &Graph, before: &Graph, names: &[String]) -> Graph {
    let mut graph = now.clone();
    let mut wanted: BTreeSet<Addr> = names.iter().filter_map(|n| Addr::parse(n).ok()).collect();
    while let Some(addr) = wanted.pop_first() {
        let Some(node) = before.nodes.get(&addr) else {
            graph.nodes.remove(&addr);
            graph.nodes.values_mut().for_each(|n| n.edges.retain(|e| e.to != addr));
            continue;
        };
        graph.nodes.insert(addr, node.clone());
        wanted.extend(node.edges.iter().map(|e| e.to.clone()).filter(|to| !graph.nodes.contains_key(to)));
    }
    // A service stands for the members that are there.
    let mut expanded = before.expanded.clone();
    expanded.extend(now.expanded.clone());
    for (addr, whole) in &mut expanded {
        let member = |n: &&Addr| n.is_within(&addr.child("instance"));
        whole.members = graph.nodes.keys().filter(member).cloned().collect();
    }
    expanded.retain(|_, e| !e.members.is_empty());
    Graph { expanded, ..graph }
}

fn still_there(plan: &Plan, change: &Change) -> bool {
    let same = |s: &Step| {
        let object = s.object.map(|o| o.to_string());
        s.action.word() == change.action
            && s.address.as_str() == change.address
            && (s.action == Action::Create || object == change.object)
    };
    plan.steps.iter().any(same)
}
