//! What pointers are to be set to, and which of them move. Targets are the handles in movable inputs of a pointer, what was
//! expanded standing for its members; everything else that is movable or policy is delivered as it is.

use super::reasons::{self, Reason};
use super::view::{Chosen, View};
use super::{Action, Base, Fate, Nodes, Observed, Options, Past, Planned, Rollout, Step, Undo, identity};
use crate::id::ObjectId;
use crate::provider::Observation;
use crate::rollout::Strategy;
use crate::rollout::strategy::delivered;
use crate::state::State;
use imm_ir::{Addr, Class, FieldClass, Fields, Graph, KindSchema, Nature, Node, Term};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One move of a pointer, or of the cells of a durable, in the final stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedSwitch {
    /// The pointer.
    pub address: Addr,
    /// Its object.
    pub object: ObjectId,
    /// Identity of the provider instance that moves it.
    pub provider: Arc<str>,
    /// What it will point at; empty: closed.
    pub targets: Vec<(Addr, ObjectId)>,
    /// Other inputs, perhaps with holes.
    pub inputs: Fields<Term>,
    /// It is new in this plan and something in the graph uses its outputs: it is set as soon as its targets are verified.
    pub early: bool,
    /// It leaves with this apply.
    pub closes: bool,
}

/// The targets of a pointer in address order.
pub fn targets(graph: &Graph, node: &Node, schema: &KindSchema) -> Vec<Addr> {
    let mut found = BTreeSet::new();
    if node.class == Class::Pointer {
        for (_, term) in fields(node, schema, FieldClass::Movable) {
            term.handles(&mut |addr| found.extend(identity::members(graph, addr)));
        }
    }
    found.into_iter().collect()
}

/// What is delivered beside the targets.
pub fn inputs(node: &Node, schema: &KindSchema) -> Fields<Term> {
    let movable = fields(node, schema, FieldClass::Movable);
    let policy = fields(node, schema, FieldClass::Policy).filter(|_| node.class == Class::Pointer);
    let plain = movable.chain(policy).filter(|(_, term)| {
        let mut handles = false;
        term.handles(&mut |_| handles = true);
        !handles
    });
    plain.map(|(name, term)| (Arc::from(name), delivered(name, term))).collect()
}

fn fields<'a>(node: &'a Node, schema: &'a KindSchema, class: FieldClass) -> impl Iterator<Item = (&'a str, &'a Term)> {
    let of_class = schema.fields.iter().filter(move |f| f.class == class);
    of_class.filter_map(|f| Some((&*f.name, &node.inputs.get(&f.name)?.term)))
}

/// Kept processes whose policy inputs differ from the recorded ones.
pub(super) fn proves(view: &View<'_>, past: Option<&dyn Past>, nodes: &Nodes) -> Vec<ObjectId> {
    let Some(past) = past else { return Vec::new() };
    let differs = |i: usize, planned: &Planned| {
        let Some((addr, node, schema)) = view.node(i).filter(|(.., schema)| schema.nature == Nature::Process) else {
            return false;
        };
        let from = match &planned.fate {
            Fate::Keep => addr,
            Fate::Rename(from) => from,
            Fate::Create | Fate::Reuse | Fate::Attach => return false,
        };
        let differs = |old: &Node| fields(node, schema, FieldClass::Policy).ne(fields(old, schema, FieldClass::Policy));
        !past.has(from, node) && past.node(from).is_some_and(|old| differs(&old))
    };
    view.each().zip(nodes.values()).filter(|(i, planned)| differs(*i, planned)).map(|(_, n)| n.object).collect()
}

/// Every move of the final stage: pointers and cells that change, new pointers, and pointers that leave.
pub(super) fn switches(
    view: &View<'_>,
    past: Option<&dyn Past>,
    observed: &Observed,
    nodes: &Nodes,
    chosen: &Chosen,
) -> Vec<PlannedSwitch> {
    let (mut found, state) = (Vec::new(), view.state);
    let mut consumed: Option<Vec<bool>> = None;
    for (i, planned) in view.each().zip(nodes.values()) {
        let Some((addr, node, schema)) = view.node(i) else { continue };
        if !matches!(node.class, Class::Pointer | Class::Durable) {
            continue;
        }
        let mut early = || consumed.get_or_insert_with(|| consumers(view)).get(i).copied().unwrap_or(false);
        let wanted = PlannedSwitch {
            address: addr.clone(),
            object: planned.object,
            provider: node.provider.clone(),
            targets: targets(view.graph, node, schema)
                .into_iter()
                .filter_map(|a| nodes.get(&a).map(|n| (a.clone(), n.object)))
                .collect(),
            inputs: inputs(node, schema),
            early: matches!(planned.fate, Fate::Create | Fate::Reuse) && early(),
            closes: false,
        };
        // Somebody else moved it: healing moves it back.
        let moved = view.options.heal && matches!(observed.objects.get(&planned.object), Some(Observation::Changed(_)));
        let moves = match node.class {
            Class::Pointer => planned.fate == Fate::Create || moved || !in_force(state, past, &wanted, schema),
            // A durable is made with its cells as they are.
            _durable => planned.fate != Fate::Create && (moved || !same_cells(state, past, &wanted, schema)),
        };
        if moves {
            found.push(wanted);
        }
    }
    for (_, id, object) in view.all_of_base().filter(|(at, ..)| !chosen.has(*at)) {
        let open = state.pointers.get(&id).is_some_and(|p| !p.setting.targets.is_empty());
        if object.class == Class::Pointer && open {
            let (targets, inputs) = (Vec::new(), Fields::new());
            found.push(PlannedSwitch {
                address: object.address.clone(),
                object: id,
                provider: object.provider.clone(),
                targets,
                inputs,
                early: false,
                closes: true,
            });
        }
    }
    found
}

/// Which nodes others come after, by number.
fn consumers(view: &View<'_>) -> Vec<bool> {
    let mut consumed: Vec<bool> = view.each().map(|_| false).collect();
    for to in view.each().flat_map(|i| view.before(i)) {
        if let Some(consumed) = consumed.get_mut(*to as usize) {
            *consumed = true;
        }
    }
    consumed
}

/// Whether a kept pointer is set like this already.
fn in_force(state: &State, past: Option<&dyn Past>, wanted: &PlannedSwitch, schema: &KindSchema) -> bool {
    let setting = state.setting(wanted.object);
    let now: BTreeSet<ObjectId> = setting.targets.iter().map(|t| t.object).collect();
    now == wanted.targets.iter().map(|(_, id)| *id).collect() && same_cells(state, past, wanted, schema)
}

fn same_cells(state: &State, past: Option<&dyn Past>, wanted: &PlannedSwitch, schema: &KindSchema) -> bool {
    let known: Option<Fields<_>> =
        wanted.inputs.iter().map(|(name, term)| Some((name.clone(), term.known()?.clone()))).collect();
    if let Some(known) = known {
        return known == state.setting(wanted.object).inputs;
    }
    // Late values are compared as terms with those of the recorded graph.
    let address = state.objects.get(&wanted.object).map(|o| &o.address);
    let before = address.and_then(|a| past?.node(a));
    before.is_some_and(|node| inputs(&node, schema) == wanted.inputs)
}

pub(super) fn steps(
    graph: &Graph,
    recorded: Base<'_>,
    switches: &[PlannedSwitch],
    nodes: &Nodes,
    rollout: &Rollout,
    options: &Options,
    steps: &mut Vec<Step>,
) {
    for switch in switches {
        let object = recorded.state.objects.get(&switch.object);
        let node = graph.nodes.get(&switch.address).filter(|_| !switch.closes);
        let Some((kind, class)) = node.map(|n| (&n.kind, n.class)).or_else(|| object.map(|o| (&o.kind, o.class)))
        else {
            continue;
        };
        let old: BTreeSet<ObjectId> = recorded
            .state
            .pointers
            .get(&switch.object)
            .map(|p| p.setting.targets.iter().map(|t| t.object).collect())
            .unwrap_or_default();
        let new: BTreeSet<ObjectId> = switch.targets.iter().map(|(_, id)| *id).collect();
        let mut reasons: Vec<Reason> = Vec::new();
        if switch.closes {
            reasons.push(Reason::plain("removed from the program"));
        } else if let Some(node) = node {
            let fate = nodes.get(&switch.address).map(|n| &n.fate);
            if fate == Some(&Fate::Create) {
                reasons.push(Reason::at("new", &node.origin.loc));
            } else {
                for (addr, id) in switch.targets.iter().filter(|(_, id)| !old.contains(id)) {
                    let was = recorded.state.at(addr).is_some_and(|(before, _)| before != *id);
                    reasons.push(Reason::plain(format!("{addr} is {}", if was { "replaced" } else { "new" })));
                }
                reasons.extend(reasons::changed_inputs(recorded, &switch.address, node, options, false));
            }
        }
        let note = (class == Class::Pointer).then(|| {
            let how = how(graph, rollout, switch);
            match (old.is_empty(), new.is_empty()) {
                (true, _) => format!("→ {} target{}", new.len(), if new.len() == 1 { "" } else { "s" }),
                (false, true) => "closed".to_owned(),
                (false, false) => {
                    let outage = switch.targets.iter().filter_map(|(addr, _)| nodes.get(addr)?.start.outage_ms()).max();
                    let outage = outage.map_or_else(
                        || "no outage".to_owned(),
                        |ms| format!("at most {} s without service", ms.div_ceil(1000)),
                    );
                    format!("{} old → {} new targets{how}, {outage}", old.len(), new.len())
                }
            }
        });
        steps.push(Step {
            action: Action::Switch,
            address: switch.address.clone(),
            kind: kind.clone(),
            class,
            object: Some(switch.object),
            spec: node.map(|n| n.spec),
            reasons,
            undo: Undo::Seconds,
            outage_ms: 0,
            note,
        });
    }
}

/// How a pointer gets there, in words: `, canary 10% for 5s, 50% for 5s, gate`.
fn how(graph: &Graph, rollout: &Rollout, switch: &PlannedSwitch) -> String {
    let term = graph.nodes.get(&switch.address).and_then(|n| n.inputs.get("rollout")).map(|input| &input.term);
    let Some(strategy) = term.and_then(|term| Strategy::read(term).ok()) else { return String::new() };
    let Some(comparison) = rollout.comparisons.iter().find(|c| c.pointer == switch.object) else {
        return format!(", {}", Strategy::AllAtOnce.word());
    };
    let gate = if comparison.gate.is_some() { ", gate" } else { "" };
    format!(", {strategy}{gate}")
}
