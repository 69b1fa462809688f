//! When each object begins to act, and who gives way to it: what acts by itself does so from the final stage on, what
//! cannot be there beside its predecessor takes over from it, a job runs once.
//!
//! Also who may be there at once: claims of old, warm and new objects are compared here, before anything happens.

use super::view::{Chosen, View};
use super::{Fate, Nodes, PlanError, Planned, Undo};
use crate::entry::Claim;
use crate::id::ObjectId;
use crate::state::{Object, ObjectState, State};
use imm_ir::{Addr, Class, Graph, Nature, Node, Replace, SchemaSet, Term, Value};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// When an object begins to act.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// As soon as what it depends on is there; or it acts already.
    #[default]
    AtOnce,
    /// It acts by itself: made dormant, and let loose in the final stage.
    Final,
    /// It is made dormant, and let loose when its batch takes over.
    Rolling,
    /// When others have given way to it.
    Handover(Box<Handover>),
    /// It runs once, to its end.
    Job(Job),
}

/// How an object takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// Who gives way. Nobody: a dormant object is only let act.
    pub olds: Vec<ObjectId>,
    /// Longest time without either, milliseconds.
    pub max_outage_ms: u64,
    /// It cannot be made ready before the others have stopped.
    pub stop_first: bool,
}

/// What a job does to what the old generation relies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Effect {
    /// Nothing.
    None,
    /// Something that it can live with.
    Compatible,
    /// Something that it cannot live with.
    Breaking,
}

/// What the engine must know of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What it does.
    pub effect: Effect,
    /// It says how to take it back.
    pub undo: bool,
    /// A run that nobody knows the end of does no harm when it is repeated.
    pub idempotent: bool,
}

impl Job {
    /// Reads the policy inputs of a job, filled or as recorded. What is not said is taken to be the worst.
    pub fn read<'a>(input: impl Fn(&str) -> Option<&'a Value>) -> Self {
        let effect = match input("effect") {
            Some(Value::Variant(tag, _)) if &**tag == "none" => Effect::None,
            Some(Value::Variant(tag, _)) if &**tag == "compatible" => Effect::Compatible,
            _breaking => Effect::Breaking,
        };
        let undo = matches!(input("undo"), Some(Value::List(command)) if !command.is_empty());
        Self { effect, undo, idempotent: input("idempotent").and_then(Value::as_bool).unwrap_or(false) }
    }

    /// What undoing it costs.
    pub fn cost(self) -> Undo {
        match self.effect {
            Effect::None => Undo::Free,
            Effect::Compatible => Undo::Seconds,
            Effect::Breaking if self.undo => Undo::Seconds,
            Effect::Breaking => Undo::Never,
        }
    }

    /// What is recorded of it, so that undoing needs no plan.
    pub const RECORDED: [&'static str; 4] = ["effect", "undo", "idempotent", "run"];
}

impl Start {
    /// How long nobody may serve while it begins to act, if anybody has to give way to it.
    pub fn outage_ms(&self) -> Option<u64> {
        match self {
            Self::Handover(handover) if !handover.olds.is_empty() => Some(handover.max_outage_ms),
            Self::AtOnce | Self::Final | Self::Rolling | Self::Handover(_) | Self::Job(_) => None,
        }
    }

    /// Whether it is made without acting.
    pub fn dormant(&self) -> bool {
        match self {
            Self::AtOnce => false,
            Self::Final | Self::Rolling | Self::Job(_) => true,
            Self::Handover(handover) => !handover.stop_first,
        }
    }
}

/// Whether a job runs in every apply that changes something.
pub fn every_apply(node: &Node) -> bool {
    matches!(node.known("run"), Some(Value::Variant(tag, _)) if &**tag == "every_apply")
}

/// Members of what was expanded from something that acts without being pointed at.
fn members_acting(graph: &Graph, schemas: &BTreeMap<Arc<str>, SchemaSet>) -> BTreeSet<Addr> {
    let by_itself = |provider: &str, kind: &str| {
        schemas.get(provider).and_then(|set| set.get(kind)).is_some_and(|schema| schema.acts_by_itself)
    };
    let some = |kind: &str| schemas.values().any(|set| set.get(kind).is_some_and(|schema| schema.acts_by_itself));
    let expanded = graph.expanded.values().filter(|e| some(&e.kind)).flat_map(|e| {
        e.members.iter().filter(|m| graph.nodes.get(*m).is_some_and(|n| by_itself(&n.provider, &e.kind))).cloned()
    });
    expanded.collect()
}

/// Decides for every node; answers also the objects of the base that stop acting in the final stage.
///
/// # Errors
/// Two would have to hold one thing at once.
pub(super) fn decide(
    view: &View<'_>,
    nodes: &mut Nodes,
    chosen: &Chosen,
    drill: bool,
) -> Result<Vec<ObjectId>, PlanError> {
    let (state, graph) = (view.state, view.graph);
    let members = members_acting(graph, &view.options.schemas);
    let rests = rests(view, chosen);
    let holders = Holders::new(view, chosen);
    for (i, (addr, planned)) in view.each().zip(nodes.iter_mut()) {
        let Some((_, node, schema)) = view.node(i) else { continue };
        planned.start = match schema.nature {
            Nature::Job => Start::Job(Job::read(|name| node.known(name))),
            Nature::Process if schema.acts_by_itself || members.contains(addr) => Start::Final,
            Nature::Process if drill => rehearsed(state, node, planned),
            Nature::Process => takes_over(view, i, node, planned, chosen, &holders),
            Nature::Content | Nature::Plain => Start::AtOnce,
        };
    }
    if drill {
        return Ok(Vec::new());
    }
    check_claims(graph, nodes, &holders, &rests)?;
    Ok(rests)
}

fn takes_over(
    view: &View<'_>,
    i: usize,
    node: &Node,
    planned: &Planned,
    chosen: &Chosen,
    holders: &Holders<'_>,
) -> Start {
    let fresh = matches!(planned.fate, Fate::Create | Fate::Reuse);
    if !fresh {
        return Start::AtOnce;
    }
    let dormant = view.state.objects.get(&planned.object).is_some_and(|o| o.state == ObjectState::Dormant);
    let (max_outage_ms, stop_first) = match node.with.replace {
        Replace::Handover { max_outage_ms } => (max_outage_ms, false),
        Replace::StopFirst { .. } => (node.with.timeout_ms, true),
        Replace::Beside => {
            let handover = Handover { olds: Vec::new(), max_outage_ms: 0, stop_first: false };
            return if dormant { Start::Handover(Box::new(handover)) } else { Start::AtOnce };
        }
    };
    let left = |id: &ObjectId| view.state.objects.get_index_of(id).is_some_and(|at| !chosen.has(at));
    let before = view.base(i).filter(|(id, o)| left(id) && o.state.acts()).map(|(id, _)| id);
    let mut olds: BTreeSet<ObjectId> = before.into_iter().collect();
    olds.extend(planned.claims.iter().filter_map(|claim| holders.against(claim)).map(|h| h.object));
    if olds.is_empty() && !dormant {
        return Start::AtOnce;
    }
    // A warm one is ready: there is nothing that could only be made later.
    let stop_first = stop_first && planned.fate == Fate::Create;
    Start::Handover(Box::new(Handover { olds: olds.into_iter().collect(), max_outage_ms, stop_first }))
}

/// In a drill what would take over, or hold something alone, is made and stays at rest.
fn rehearsed(state: &State, node: &Node, planned: &Planned) -> Start {
    let fresh = matches!(planned.fate, Fate::Create | Fate::Reuse);
    let dormant = state.objects.get(&planned.object).is_some_and(|o| o.state == ObjectState::Dormant);
    let alone = node.with.replace != Replace::Beside || planned.claims.iter().any(|c| c.exclusive);
    let handover = Handover { olds: Vec::new(), max_outage_ms: 0, stop_first: false };
    if fresh && (dormant || alone) { Start::Handover(Box::new(handover)) } else { Start::AtOnce }
}

/// What acts by itself and is no part of the new generation, in the order of their ids.
fn rests(view: &View<'_>, chosen: &Chosen) -> Vec<ObjectId> {
    let state = view.state;
    let by_itself = |id: &ObjectId, o: &Object| {
        o.made_dormant && o.nature == Nature::Process && o.state.acts() && !state.may_point(*id)
    };
    let leaving = view.all_of_base().filter(|(at, ..)| !chosen.has(*at));
    let rests: BTreeSet<ObjectId> = leaving.filter(|(_, id, o)| by_itself(id, o)).map(|(_, id, _)| id).collect();
    rests.into_iter().collect()
}

/// What an object claims: a volume of one writer that it mounts writable (an input variant `volume { of, read_only }`), a
/// port that it listens on.
pub(super) fn claims(graph: &Graph, node: &Node, object: &dyn Fn(&Addr) -> Option<ObjectId>) -> Vec<Claim> {
    let mut found = Vec::new();
    for input in node.inputs.values() {
        each_value(&input.term, &mut |value| {
            let Value::Variant(tag, fields) = value else { return };
            let Some(Value::Node(of)) = fields.get("of").filter(|_| &**tag == "volume") else { return };
            let read_only = fields.get("read_only").and_then(Value::as_bool).unwrap_or(false);
            let Some((volume, object)) = graph.nodes.get(of).zip(object(of)) else { return };
            let shared = matches!(volume.known("access"), Some(Value::Variant(tag, _)) if &**tag == "shared");
            if volume.class == Class::Durable && !read_only {
                let key = Arc::from(object.to_string());
                found.push(Claim { scope: Arc::from("volume"), key, exclusive: !shared });
            }
        });
    }
    found.extend(port(node));
    found
}

/// Routes over HTTP share a listener and are told apart by host and path; every other listener is held alone.
fn port(node: &Node) -> Option<Claim> {
    let port = node.known("listen").and_then(Value::as_int).filter(|_| node.class == Class::Pointer)?;
    let bind = node.known("bind").and_then(Value::as_text).unwrap_or_default();
    let http = matches!(node.known("protocol"), Some(Value::Variant(tag, _)) if &**tag == "http");
    Some(Claim { scope: Arc::from("port"), key: Arc::from(format!("{bind}:{port}")), exclusive: !http })
}

fn each_value(term: &Term, found: &mut dyn FnMut(&Value)) {
    fn walk(value: &Value, found: &mut dyn FnMut(&Value)) {
        found(value);
        match value {
            Value::List(items) => items.iter().for_each(|v| walk(v, found)),
            Value::Map(map) => map.values().for_each(|v| walk(v, found)),
            Value::Record(fields) | Value::Variant(_, fields) => fields.values().for_each(|v| walk(v, found)),
            _leaf => {}
        }
    }
    match term {
        Term::Value(value) => walk(value, found),
        Term::List(items) => items.iter().for_each(|t| each_value(t, found)),
        Term::Map(map) => map.values().for_each(|t| each_value(t, found)),
        Term::Record(fields) | Term::Variant(_, fields) => fields.values().for_each(|t| each_value(t, found)),
        _hole => {}
    }
}

/// Who holds what now and is no part of the new generation.
struct Holders<'a>(BTreeMap<(Arc<str>, Arc<str>), Vec<Holder<'a>>>);

struct Holder<'a> {
    object: ObjectId,
    address: &'a Addr,
    exclusive: bool,
}

impl<'a> Holders<'a> {
    fn new(view: &View<'a>, chosen: &Chosen) -> Self {
        let mut held: BTreeMap<_, Vec<Holder<'a>>> = BTreeMap::new();
        // What is dormant holds nothing, and neither does a job that is over.
        let idle = |state| matches!(state, ObjectState::Dormant | ObjectState::Ended(_) | ObjectState::Lost);
        let old = view.objects().filter(|(at, _, o)| o.state.exists() && !chosen.has(*at));
        for (_, id, object) in old.filter(|(.., o)| !idle(o.state)) {
            for claim in &object.claims {
                let holder = Holder { object: id, address: &object.address, exclusive: claim.exclusive };
                let key = (Arc::clone(&claim.scope), Arc::clone(&claim.key));
                held.entry(key).or_default().push(holder);
            }
        }
        Self(held)
    }

    /// One that cannot be there beside this claim.
    fn against(&self, claim: &Claim) -> Option<&Holder<'a>> {
        let key = (Arc::clone(&claim.scope), Arc::clone(&claim.key));
        self.0.get(&key)?.iter().find(|h| h.exclusive || claim.exclusive)
    }
}

/// Old, warm and new objects exist side by side: two that claim the same thing exclusively cannot, unless one gives way.
fn check_claims(graph: &Graph, nodes: &Nodes, holders: &Holders<'_>, rests: &[ObjectId]) -> Result<(), PlanError> {
    let mut taken: BTreeMap<(&str, &str), (&Addr, bool)> = BTreeMap::new();
    for (addr, planned) in nodes.iter().filter(|(_, n)| !n.claims.is_empty()) {
        let node = graph.nodes.get(addr);
        for claim in &planned.claims {
            let gives_way = |object: &ObjectId| match &planned.start {
                Start::Handover(handover) => handover.olds.contains(object),
                Start::Final => rests.contains(object),
                Start::AtOnce | Start::Rolling | Start::Job(_) => false,
            };
            let old = holders.against(claim).filter(|h| !gives_way(&h.object)).map(|h| h.address);
            let beside = taken.get(&(&*claim.scope, &*claim.key)).filter(|(_, other)| *other || claim.exclusive);
            if let Some(other) = old.or(beside.map(|(other, _)| *other)) {
                return Err(clash(addr, other, claim, node, old.is_some()));
            }
            taken.insert((&*claim.scope, &*claim.key), (addr, claim.exclusive));
        }
    }
    Ok(())
}

fn clash(addr: &Addr, other: &Addr, claim: &Claim, node: Option<&Node>, old: bool) -> PlanError {
    let what = match &*claim.scope {
        "port" => format!("port {}", claim.key),
        scope => scope.to_owned(),
    };
    let other = if addr == other { "the one before it".to_owned() } else { other.to_string() };
    let help = match (&*claim.scope, old) {
        ("port", true) => "use another port, or apply once without the old route first",
        ("port", false) => "use another port",
        (_, true) => {
            "let the new one take over: `with { replace = handover { max_outage = 30s } }`; or mount it read_only, or give the volume `access = shared`"
        }
        (_, false) => "mount it read_only in one of them, or give the volume `access = shared`",
    };
    PlanError {
        code: "cannot-coexist",
        message: format!("{addr} and {other} would hold the same {what} at once, and only one may"),
        help: Some(help.to_owned()),
        loc: node.map(|n| n.origin.loc.clone()),
    }
}
