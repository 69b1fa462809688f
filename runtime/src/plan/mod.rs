//! The plan: a set difference between a graph and recorded state, then an order. Pure: no IO, no clock.
//!
//! To read: [`identity`] (which object a node is), [`matching`] (keep, rename, reuse, attach or create), [`settings`] (what
//! pointers are to be set to), [`start`] (when each begins to act, and who gives way), [`rollout`] (the stages), `consent`
//! (what needs a word of its own), [`reasons`] (why) from [`causes`] (what a person changed), `view` (graph and base by
//! numbers, in order), `nodes` (what is planned for each), [`saved`] (a plan as a file). This file has the types and puts the parts together.

mod active;
pub mod batches;
pub mod causes;
mod consent;
pub mod identity;
pub mod matching;
mod nodes;
pub mod reasons;
pub mod retire;
pub mod rollout;
pub mod saved;
pub mod settings;
pub mod start;
mod view;

use crate::entry::{Claim, ConsentKind, Verb};
use crate::id::{Lineage, ObjectId};
use crate::provider::Observation;
use crate::state::State;
use imm_ir::{Addr, Class, Digest, Graph, KindSchema, Node, SchemaSet};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use view::View;

pub use nodes::Nodes;
pub use reasons::Reason;
pub use rollout::Rollout;
pub use settings::PlannedSwitch;
pub use start::Start;
pub use view::Visits;

/// What a step does. There is no update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Reads an external.
    Read,
    /// Makes an object.
    Create,
    /// Takes a warm object back into service.
    Reuse,
    /// Leaves an object as it is.
    Keep,
    /// Records another address for an object.
    Rename,
    /// Declares a retained durable again.
    Attach,
    /// Makes a thing that was not ours ours.
    Adopt,
    /// Moves a pointer or movable fields.
    Switch,
    /// Lets a dormant object act.
    Activate,
    /// Stops an object from acting.
    Deactivate,
    /// Takes an object out of service; it stays.
    Warm,
    /// Keeps a durable that nothing declares.
    Retain,
    /// Leaves content to the collector.
    Release,
    /// Ends an object.
    Destroy,
    /// Drops a thing from the record.
    Forget,
}

impl Action {
    /// The word that plans print.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Reuse => "reuse",
            Self::Keep => "keep",
            Self::Rename => "rename",
            Self::Attach => "attach",
            Self::Adopt => "adopt",
            Self::Switch => "switch",
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::Warm => "warm",
            Self::Retain => "retain",
            Self::Release => "release",
            Self::Destroy => "destroy",
            Self::Forget => "forget",
        }
    }
}

/// What undoing a step costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// Nothing that anybody notices.
    Free,
    /// A moment.
    Seconds,
    /// It cannot be undone.
    Never,
}

/// One step, for people and programs to read. What is executed follows from [`Plan::nodes`] and [`Plan::switches`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What it does.
    pub action: Action,
    /// To the object declared here.
    pub address: Addr,
    /// Of this kind.
    pub kind: Arc<str>,
    /// And class.
    pub class: Class,
    /// Which one.
    pub object: Option<ObjectId>,
    /// What it is.
    pub spec: Option<Digest>,
    /// Why, root causes first.
    pub reasons: Vec<Reason>,
    /// What undoing it costs.
    pub undo: Undo,
    /// Longest time without service that it makes, milliseconds.
    pub outage_ms: u64,
    /// For a switch, what it says: `2 old → 2 new targets, blue-green, no outage`.
    pub note: Option<String>,
}

/// Where a node's object comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It is made.
    Create,
    /// It is the one that the base has there.
    Keep,
    /// It was declared at another address.
    Rename(Addr),
    /// It is warm.
    Reuse,
    /// It is a retained durable.
    Attach,
}

/// A node and its object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Which one.
    pub object: ObjectId,
    /// What it is.
    pub spec: Digest,
    /// What it binds, in slot order.
    pub bindings: Vec<ObjectId>,
    /// Nodes that must be verified before it is made; of what is kept, none.
    pub after: Vec<Addr>,
    /// How many with this spec and bindings came before.
    pub serial: u64,
    /// Where it comes from.
    pub fate: Fate,
    /// What it claims.
    pub claims: Vec<Claim>,
    /// When it begins to act.
    pub start: Start,
}

/// What a person agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// To what.
    pub kind: ConsentKind,
    /// For which objects.
    pub subjects: Vec<ObjectId>,
    /// Why.
    pub because: String,
}

/// A difference, its order and what it was taken from. Self-contained: neither sources nor compiler are needed to apply it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What for.
    pub verb: Verb,
    /// The ledger's lineage.
    pub lineage: Lineage,
    /// The environment.
    pub environment: String,
    /// The generation it starts from.
    pub base_generation: Option<u64>,
    /// Digest of the state it starts from.
    pub base: Digest,
    /// Names the result.
    pub graph_root: Digest,
    /// The result.
    pub graph: Arc<Graph>,
    /// Every node with its object.
    pub nodes: Nodes,
    /// Moves of existing and removed pointers, and of new ones.
    pub switches: Vec<PlannedSwitch>,
    /// Kept objects whose policy is another one (a health check): proven by it before the commit.
    pub proves: Vec<ObjectId>,
    /// Objects of the base that act by themselves and stop in the final stage.
    pub rests: Vec<ObjectId>,
    /// How pointers get to where they will point.
    pub rollout: Rollout,
    /// Everything that happens, in the order that plans print; kept objects are not listed.
    pub steps: Vec<Step>,
    /// What a person agreed to, each with its reason.
    pub consents: Vec<Consent>,
    /// How many objects are kept.
    pub kept: u64,
    /// Earlier generations that stay warm.
    pub keep: u32,
    /// Earlier generations that can be made again.
    pub retain: u32,
}

/// What was seen of objects, by their id. Objects that were not looked at are taken to be intact.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// What was seen.
    pub objects: BTreeMap<ObjectId, Observation>,
}

/// What is recorded: the state, and the graph of its newest generation.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// The fold of the ledger.
    pub state: &'a State,
    /// The graph of the newest generation.
    pub graph: Option<&'a Graph>,
}

/// The nodes of the newest generation's graph, each read when it is asked for.
pub trait Past {
    /// The node at an address.
    fn node(&self, addr: &Addr) -> Option<Cow<'_, Node>>;

    /// Whether the node at an address is exactly this one. `false` may also mean that telling is dear.
    fn has(&self, addr: &Addr, node: &Node) -> bool;
}

impl Past for Graph {
    fn node(&self, addr: &Addr) -> Option<Cow<'_, Node>> {
        self.nodes.get(addr).map(Cow::Borrowed)
    }

    fn has(&self, addr: &Addr, node: &Node) -> bool {
        self.nodes.get(addr).is_some_and(|old| std::ptr::eq(old, node))
    }
}

/// What is recorded, as planning looks at it.
#[derive(Clone, Copy)]
struct Base<'a> {
    state: &'a State,
    graph: Option<&'a dyn Past>,
}

/// A graph that plans can share; one that is only borrowed is copied.
pub trait Shared {
    /// The graph.
    fn shared(&self) -> Arc<Graph>;
}

impl Shared for Arc<Graph> {
    fn shared(&self) -> Arc<Graph> {
        Arc::clone(self)
    }
}

impl Shared for Graph {
    fn shared(&self) -> Arc<Graph> {
        Arc::new(self.clone())
    }
}

/// What the caller wants and allows.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the plan is for.
    pub verb: Verb,
    /// Instead of the program's own `keep`.
    pub keep: Option<u32>,
    /// Replace what was seen to be missing or changed.
    pub heal: bool,
    /// Durables that may get a successor (`--replace`).
    pub replace: Vec<Addr>,
    /// Renames of durables and pointers that were consented to, old to new.
    pub renames: BTreeMap<Addr, Addr>,
    /// Of what is retained at the old address only the object whose id begins so.
    pub rename_object: Option<String>,
    /// Apply a graph again that was rolled back from (`--again`).
    pub again: bool,
    /// Jobs that may run although nothing takes their effect back (`--never`).
    pub never: Vec<Addr>,
    /// Jobs that a rollback may go back behind (`--across`).
    pub across: Vec<Addr>,
    /// Replace more than the environment's limit (`--above-limit`).
    pub above_limit: bool,
    /// Durables that nothing declares any more and whose data may be destroyed (`--consent`).
    pub consent: Vec<Addr>,
    /// Of these only the objects whose ids begin so.
    pub consent_object: Option<String>,
    /// Why, for every consent above.
    pub because: String,
    /// Kinds by the identity of the provider instance.
    pub schemas: BTreeMap<Arc<str>, SchemaSet>,
}

impl Options {
    /// A plain apply with these kinds.
    pub fn new(schemas: BTreeMap<Arc<str>, SchemaSet>) -> Self {
        Self {
            verb: Verb::Apply,
            keep: None,
            heal: false,
            replace: Vec::new(),
            renames: BTreeMap::new(),
            rename_object: None,
            again: false,
            never: Vec::new(),
            across: Vec::new(),
            above_limit: false,
            consent: Vec::new(),
            consent_object: None,
            because: String::new(),
            schemas,
        }
    }

    pub(crate) fn schema(&self, provider: &str, kind: &str) -> Option<&KindSchema> {
        self.schemas.get(provider)?.get(kind)
    }
}

/// Why there is no plan. `code` is stable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PlanError {
    /// Stable name.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where.
    pub loc: Option<imm_ir::Loc>,
}

impl Plan {
    /// Whether there is anything to do: equal graph, and every object there.
    pub fn is_empty(&self, state: &State) -> bool {
        let drill = matches!(self.verb, Verb::Drill { .. });
        let ends = self.consents.iter().any(|c| c.kind == ConsentKind::DurableDestroy);
        // What was taken over and is not declared goes, also when nothing else is to do.
        let awaits = |s: &Step| {
            let of = s.object.and_then(|id| state.objects.get(&id));
            s.action == Action::Destroy && of.is_some_and(crate::state::Object::awaits)
        };
        !drill
            && !ends
            && !self.steps.iter().any(awaits)
            && self.switches.is_empty()
            && unchanged(state, self.graph_root, &self.nodes)
    }

    /// Names the plan: what an approval is for.
    pub fn digest(&self) -> Digest {
        Digest::of(&postcard::to_stdvec(self).unwrap_or_default())
    }

    /// How many steps of each action; kept objects too.
    pub fn summary(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for step in &self.steps {
            *counts.entry(step.action.word()).or_insert(0) += 1;
        }
        counts.insert(Action::Keep.word(), self.kept);
        counts
    }
}

/// Takes the difference. Linear in nodes and edges but for sorting.
///
/// # Errors
/// The program asks for something that may not be, or that this version cannot do.
pub fn plan(
    graph: &impl Shared,
    recorded: Recorded<'_>,
    observed: &Observed,
    options: &Options,
) -> Result<Plan, PlanError> {
    let (graph, past) = (graph.shared(), recorded.graph.map(|g| g as &dyn Past));
    let root = graph.root();
    plan_on(graph, root, recorded.state, past, observed, options).map(|(plan, _)| plan)
}

/// As [`plan()`], of a graph with this root, on a record that is read node by node; and how often it looked at what.
///
/// # Errors
/// As [`plan()`].
pub fn plan_on(
    graph: Arc<Graph>,
    graph_root: Digest,
    state: &State,
    past: Option<&dyn Past>,
    observed: &Observed,
    options: &Options,
) -> Result<(Plan, Visits), PlanError> {
    let Some(lineage) = state.lineage else {
        return Err(PlanError { code: "no-ledger", message: "the ledger is not open".into(), help: None, loc: None });
    };
    let recorded = Base { state, graph: past };
    let view = View::new(&graph, state, options)?;
    rollout::check(&graph)?;
    consent::check_again(state, graph_root, options)?;
    let mut nodes = matching::assign(&view, observed, lineage, false)?;
    consent::check_sizes(&graph, state, &nodes, options)?;
    let mut chosen = view.chosen(&nodes);
    let mut switches = settings::switches(&view, past, observed, &nodes, &chosen);
    // A job that runs in every apply is no reason for one.
    let repeats =
        options.verb == Verb::Apply && view.each().any(|i| view.node(i).is_some_and(|(_, n, _)| start::every_apply(n)));
    if repeats && !(switches.is_empty() && unchanged(state, graph_root, &nodes)) {
        nodes = matching::assign(&view, observed, lineage, true)?;
        chosen = view.chosen(&nodes);
        switches = settings::switches(&view, past, observed, &nodes, &chosen);
    }
    let drill = matches!(options.verb, Verb::Drill { .. });
    let rests = start::decide(&view, &mut nodes, &chosen, drill)?;
    if drill {
        // Nothing moves.
        switches.clear();
    }
    let rollout = rollout::decide(&graph, recorded, &mut nodes, &switches, options);
    // A destroy leaves nothing warm: a rollback from there is cold.
    let keep = if options.verb == Verb::Destroy { 0 } else { options.keep.unwrap_or(graph.policy.keep) };
    let proves = settings::proves(&view, past, &nodes);
    let mut steps = Vec::new();
    reasons::forward(&view, recorded, observed, &nodes, &mut steps);
    if !drill {
        active::steps(&graph, state, &nodes, &rests, &rollout, &mut steps);
    }
    settings::steps(&graph, recorded, &switches, &nodes, &rollout, options, &mut steps);
    let ended = consent::ended(state, &nodes, options)?;
    if !drill {
        retire::steps(&view, recorded, &nodes, &chosen, (keep, &ended), &mut steps);
    }
    let mut consents = consent::given(&graph, state, &nodes, options, graph_root)?;
    if !ended.is_empty() {
        let subjects = ended.into_iter().collect();
        consents.push(Consent { kind: ConsentKind::DurableDestroy, subjects, because: options.because.clone() });
    }
    let kept = nodes.values().filter(|n| n.fate == Fate::Keep).count() as u64;
    let (visits, retain) = (view.visits(), graph.policy.retain);
    let mut plan = Plan {
        verb: options.verb.clone(),
        lineage,
        environment: state.environment.clone(),
        base_generation: state.current,
        base: state.base(),
        graph_root,
        graph,
        nodes,
        switches,
        proves,
        rests,
        rollout,
        steps,
        consents,
        kept,
        keep,
        retain,
    };
    if plan.is_empty(state) {
        // What an apply of something would end besides is left alone by one of nothing.
        plan.steps.clear();
    }
    Ok((plan, visits))
}

impl Plan {
    /// A plan that does nothing: what an apply starts with that only settles something.
    pub(crate) fn of_nothing(state: &State, verb: Verb) -> Self {
        let graph_root = state.generation().map_or(Digest([0; 32]), |g| g.graph_root);
        Self {
            verb,
            lineage: state.lineage.unwrap_or(Lineage([0; 16])),
            environment: state.environment.clone(),
            base_generation: state.current,
            base: state.base(),
            graph_root,
            graph: Arc::default(),
            nodes: Nodes::default(),
            switches: Vec::new(),
            proves: Vec::new(),
            rests: Vec::new(),
            rollout: Rollout::default(),
            steps: Vec::new(),
            consents: Vec::new(),
            kept: 0,
            keep: 0,
            retain: 0,
        }
    }
}

fn unchanged(state: &State, graph_root: Digest, nodes: &Nodes) -> bool {
    let Some(generation) = state.generation() else { return nodes.is_empty() };
    let same = generation.graph_root == graph_root && nodes.len() == generation.objects.len();
    // Both are in address order.
    let kept = |((addr, n), (at, id)): ((&Addr, &Planned), (&Addr, &ObjectId))| {
        n.fate == Fate::Keep && n.object == *id && addr == at
    };
    same && nodes.iter().zip(generation.objects.iter()).all(kept)
}
