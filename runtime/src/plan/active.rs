//! Steps of the active set: who stops acting, who begins to, and how long nobody does.

use super::reasons::Reason;
use super::start::{Handover, Start};
use super::{Action, Fate, Nodes, Planned, Rollout, Step, Undo};
use crate::id::ObjectId;
use crate::state::{ObjectState, State};
use imm_ir::{Class, Graph};
use std::collections::BTreeSet;

pub(super) fn steps(
    graph: &Graph,
    state: &State,
    nodes: &Nodes,
    rests: &[ObjectId],
    rollout: &Rollout,
    steps: &mut Vec<Step>,
) {
    let mut said = BTreeSet::new();
    for (addr, planned) in
        nodes.iter().filter(|(_, n)| matches!(n.start, Start::Handover(_) | Start::Final | Start::Rolling))
    {
        let Some(node) = graph.nodes.get(addr) else { continue };
        let mut step = Step {
            action: Action::Activate,
            address: addr.clone(),
            kind: node.kind.clone(),
            class: node.class,
            object: Some(planned.object),
            spec: Some(planned.spec),
            reasons: Vec::new(),
            undo: Undo::Seconds,
            outage_ms: 0,
            note: None,
        };
        match &planned.start {
            Start::Handover(handover) => {
                let Handover { olds, max_outage_ms, stop_first } = &**handover;
                steps.extend(
                    olds.iter()
                        .filter(|old| said.insert(**old))
                        .filter_map(|old| stops(state, *old, *max_outage_ms, &format!("{addr} takes over"))),
                );
                // What is made after the others have stopped acts at once.
                if *stop_first {
                    continue;
                }
                let why = if olds.is_empty() {
                    "it was at rest".to_owned()
                } else {
                    format!("takes over, at most {} s without either", max_outage_ms / 1000)
                };
                step.reasons.push(Reason::plain(why));
            }
            Start::Final if begins(state, planned) => {
                step.reasons.push(Reason::plain("acts by itself: not before the final stage"));
            }
            Start::Rolling => step.reasons.push(Reason::plain("when the turn of its batch comes")),
            Start::AtOnce | Start::Final | Start::Job(_) => continue,
        }
        steps.push(step);
    }
    for old in rollout.stages.iter().flat_map(|stage| &stage.leaves) {
        steps.extend(stops(state, *old, 0, "its batch is taken over from"));
    }
    let replaced = |old: &ObjectId| {
        let address = state.objects.get(old).map(|o| &o.address);
        address.is_some_and(|a| graph.nodes.contains_key(a))
    };
    for old in rests {
        let why = if replaced(old) { "replaced" } else { "removed from the program" };
        steps.extend(stops(state, *old, 0, why));
    }
}

/// Whether it is let loose by this apply.
pub fn begins(state: &State, planned: &Planned) -> bool {
    let resting = state.objects.get(&planned.object).is_none_or(|o| o.state == ObjectState::Dormant);
    matches!(planned.fate, Fate::Create) || resting
}

fn stops(state: &State, old: ObjectId, outage_ms: u64, why: &str) -> Option<Step> {
    // One whose end is under way already is not stopped once more.
    let object = state.objects.get(&old).filter(|o| o.state.acts())?;
    Some(Step {
        action: Action::Deactivate,
        address: object.address.clone(),
        kind: object.kind.clone(),
        class: Class::Resource,
        object: Some(old),
        spec: Some(object.spec),
        reasons: vec![Reason::plain(why)],
        undo: Undo::Seconds,
        outage_ms,
        note: None,
    })
}
