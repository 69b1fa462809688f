//! Which pointers move in steps, who is compared with whom, and the stages that follow.
//!
//! Steps and gates are for another version. Where both sides are the same (scaling, healing), or one is empty, there is
//! nothing to compare: all at once. Going back is one switch, never through a canary.

use super::start::Start;
use super::{Base, Fate, Nodes, Options, PlanError, Planned, PlannedSwitch};
use crate::entry::Verb;
use crate::id::ObjectId;
use crate::rollout::stages::{Comparison, Pointer, Stage, common};
use crate::rollout::{Gate, Strategy};
use imm_ir::{Addr, Class, Digest, Encoder, Graph, Nature};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How the pointers of a plan get to where they will point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// In order; the last one moves everything.
    pub stages: Vec<Stage>,
    /// Who is compared.
    pub comparisons: Vec<Comparison>,
}

impl Rollout {
    /// How long its stages are held, milliseconds.
    pub fn hold_ms(&self) -> u64 {
        self.stages.iter().map(|stage| stage.hold_ms).sum()
    }

    /// The gate of a pointer.
    pub fn gate(&self, pointer: ObjectId) -> Option<&Gate> {
        self.comparisons.iter().find(|c| c.pointer == pointer)?.gate.as_ref()
    }
}

/// Reads the strategies of all pointers of a graph.
///
/// # Errors
/// One cannot be done as it is written.
pub(super) fn check(graph: &Graph) -> Result<(), PlanError> {
    for (addr, node) in graph.nodes.iter().filter(|(_, n)| n.class == Class::Pointer) {
        let Some(input) = node.inputs.get("rollout") else { continue };
        Strategy::read(&input.term).map_err(|why| PlanError {
            code: "rollout-steps",
            message: format!("{addr}: the rollout cannot be done: {why}"),
            help: Some("`imm doc route` shows what a rollout is made of".to_owned()),
            loc: Some(input.loc.clone()),
        })?;
    }
    Ok(())
}

/// Decides; new targets of a pointer that rolls are made to rest until their batch.
pub(super) fn decide(
    graph: &Graph,
    recorded: Base<'_>,
    nodes: &mut Nodes,
    switches: &[PlannedSwitch],
    options: &Options,
) -> Rollout {
    let state = recorded.state;
    if switches.iter().all(|s| s.early || s.closes) {
        return Rollout { stages: common(&[], &BTreeSet::new(), &|_| true), comparisons: Vec::new() };
    }
    let forward = matches!(options.verb, Verb::Apply | Verb::Heal);
    let by_object: BTreeMap<ObjectId, &Planned> = nodes.values().map(|n| (n.object, n)).collect();
    let mut versions = Versions { recorded, planned: &by_object, known: BTreeMap::new() };
    let (mut pointers, mut comparisons) = (Vec::new(), Vec::new());
    for switch in switches.iter().filter(|s| !s.early) {
        let old: Vec<_> = state.setting(switch.object).targets.into_iter().map(|t| (t.address, t.object)).collect();
        if switch.closes {
            // It leads to the old ones until the last stage.
            pointers.push(Pointer { object: switch.object, old, new: Vec::new(), strategy: Strategy::AllAtOnce });
            continue;
        }
        let Some(node) = graph.nodes.get(&switch.address).filter(|n| n.class == Class::Pointer) else { continue };
        let read = node.inputs.get("rollout").and_then(|input| Strategy::read(&input.term).ok());
        let mut pointer = Pointer {
            object: switch.object,
            old,
            new: switch.targets.clone(),
            strategy: read.filter(|_| forward).unwrap_or(Strategy::AllAtOnce),
        };
        let (fresh, leaving) = pointer.sides();
        if fresh.is_empty() || leaving.is_empty() || versions.of(&fresh) == versions.of(&leaving) {
            pointer.strategy = Strategy::AllAtOnce;
        } else if pointer.strategy != Strategy::AllAtOnce {
            let gate = pointer.strategy.gate().cloned();
            let address = switch.address.clone();
            comparisons.push(Comparison { pointer: switch.object, address, fresh, leaving, gate });
        }
        pointers.push(pointer);
    }
    let rests = resting(graph, nodes, switches, &pointers, options);
    for planned in nodes.values_mut().filter(|n| rests.contains(&n.object)) {
        planned.start = Start::Rolling;
    }
    let free = |object: ObjectId| state.bound_by(object).is_none();
    Rollout { stages: common(&pointers, &rests, &free), comparisons }
}

/// New processes that nothing but rolling pointers needs.
fn resting(
    graph: &Graph,
    nodes: &Nodes,
    switches: &[PlannedSwitch],
    pointers: &[Pointer],
    options: &Options,
) -> BTreeSet<ObjectId> {
    let rolls = |p: &&Pointer| matches!(p.strategy, Strategy::Rolling { .. }) && p.turns() > 0;
    let rolling: BTreeSet<ObjectId> = pointers.iter().filter(rolls).map(|p| p.object).collect();
    let needed: BTreeSet<ObjectId> = nodes.values().flat_map(|n| n.bindings.iter().copied()).collect();
    let elsewhere: BTreeSet<ObjectId> = switches
        .iter()
        .filter(|s| !rolling.contains(&s.object))
        .flat_map(|s| s.targets.iter().map(|(_, id)| *id))
        .collect();
    let waits = |(addr, n): (&Addr, &Planned)| {
        let nature =
            graph.nodes.get(addr).and_then(|node| options.schema(&node.provider, &node.kind)).map(|s| s.nature);
        let may = nature == Some(Nature::Process) && n.fate == Fate::Create && n.start == Start::AtOnce;
        (may && !needed.contains(&n.object) && !elsewhere.contains(&n.object)).then_some(n.object)
    };
    let fresh: BTreeSet<ObjectId> = pointers.iter().filter(rolls).flat_map(|p| p.sides().0).collect();
    nodes.iter().filter_map(waits).filter(|id| fresh.contains(id)).collect()
}

/// What objects are, with everything that they bind: equal for a replica and for the one that heals it.
struct Versions<'a> {
    recorded: Base<'a>,
    planned: &'a BTreeMap<ObjectId, &'a Planned>,
    known: BTreeMap<ObjectId, Digest>,
}

impl Versions<'_> {
    fn of(&mut self, objects: &[ObjectId]) -> BTreeSet<Digest> {
        objects.iter().map(|id| self.version(*id)).collect()
    }

    fn version(&mut self, id: ObjectId) -> Digest {
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        let recorded = self.recorded.state.objects.get(&id);
        // What holds data, or is moved, is the same only as itself.
        let itself = recorded.is_some_and(|o| o.class != Class::Resource);
        let planned = self.planned.get(&id).map(|n| (n.spec, n.bindings.clone()));
        let made_of = planned.or_else(|| recorded.map(|o| (o.spec, o.bindings.clone()))).filter(|_| !itself);
        let mut out = Encoder::new("imm.version.1");
        match made_of {
            None => out.digest(&id.0),
            Some((spec, bindings)) => {
                out.digest(&spec);
                for bound in bindings {
                    let version = self.version(bound);
                    out.digest(&version);
                }
            }
        }
        let version = out.finish();
        self.known.insert(id, version);
        version
    }
}
