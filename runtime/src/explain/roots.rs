//! What a person changed, and the way from an address to there: over objects that are bound, to an input of one of them,
//! through lets, to a param, a file or an expression.

use super::Question;
use crate::plan::causes::changed;
use crate::plan::reasons::{self, Reason};
use crate::plan::{Action, Fate, Step};
use crate::provider::Observation;
use crate::report::leaves::{Leaf, leaves};
use imm_ir::{Addr, Cause, CauseKind, EdgeKind, FieldClass, Input, Loc, Node};
use serde::Serialize;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Differences that one input shows.
const MOST_LEAVES: usize = 3;

/// Something that a person changed, or that happened outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Root {
    /// `greeting changed`, `new in the program`.
    pub text: String,
    /// What sort of cause it is.
    pub kind: RootKind,
    /// The name of the param, file, let or field.
    pub name: Option<String>,
    /// The node it enters at.
    pub address: String,
    /// The input of that node.
    pub field: Option<String>,
    /// Where that input is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Place>,
    /// Where the program says what changed.
    #[serde(flatten)]
    pub place: Place,
    /// Who set it, for a param.
    pub via: Option<String>,
    /// What it was and is, where that can be shown.
    pub before: Option<String>,
    /// See `before`.
    pub after: Option<String>,
    /// The lets between it and the input, nearest to it first.
    pub lets: Vec<Named>,
    /// What differs in the input.
    pub differs: Vec<Leaf>,
    /// From what was asked about to the node it enters at, over what each binds.
    pub path: Vec<String>,
}

/// Sorts of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RootKind {
    /// A param has another value.
    Param,
    /// A file has other bytes, or another one is used.
    File,
    /// A let, a param of a component, or the value of a `for` is another.
    Let,
    /// A function says something else.
    Function,
    /// An input is written differently.
    Field,
    /// The node is new.
    Added,
    /// The node is no longer declared.
    Removed,
    /// Something happened outside.
    Drift,
    /// An earlier generation is no longer kept.
    Keep,
    /// The whole definition: its kind, its provider, or what it was made with.
    Definition,
}

/// A place in a source file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<u32>,
    /// From 1.
    pub column: Option<u32>,
}

/// A let with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    #[serde(flatten)]
    pub place: Place,
}

impl Place {
    fn of(loc: &Loc) -> Self {
        if loc.line == 0 {
            return Self::default();
        }
        Self { file: Some(loc.file.to_string()), line: Some(loc.line), column: Some(loc.column) }
    }
}

/// `main.imm:7:45`, or nothing.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.file, self.line, self.column) {
            (Some(file), Some(line), Some(column)) => write!(f, "{file}:{line}:{column}"),
            _nowhere => Ok(()),
        }
    }
}

/// The roots of a step.
pub(super) fn roots(q: &Question<'_>, step: &Step) -> Vec<Root> {
    let at = &step.address;
    match step.action {
        Action::Create | Action::Reuse => walk(q, vec![at.clone()]),
        Action::Switch | Action::Activate | Action::Deactivate => switch(q, step),
        Action::Adopt => vec![root(RootKind::Added, "it is there already, and was taken over", at, origin(q, at))],
        Action::Attach => vec![root(RootKind::Added, "declared again", at, origin(q, at))],
        Action::Rename => {
            let from = match q.plan.nodes.get(at).map(|n| &n.fate) {
                Some(Fate::Rename(from)) => from.to_string(),
                _other => String::new(),
            };
            vec![root(RootKind::Definition, format!("declared here, and no longer at {from}"), at, origin(q, at))]
        }
        Action::Warm | Action::Retain | Action::Release | Action::Destroy | Action::Forget => leaving(q, step),
        Action::Read | Action::Keep => Vec::new(),
    }
}

fn root(kind: RootKind, text: impl Into<String>, at: &Addr, loc: Option<&Loc>) -> Root {
    Root {
        text: text.into(),
        kind,
        name: None,
        address: at.to_string(),
        field: None,
        input: None,
        place: loc.map(Place::of).unwrap_or_default(),
        via: None,
        before: None,
        after: None,
        lets: Vec::new(),
        differs: Vec::new(),
        path: vec![at.to_string()],
    }
}

fn origin<'a>(q: &Question<'a>, at: &Addr) -> Option<&'a Loc> {
    let here = q.plan.graph.nodes.get(at).or_else(|| q.recorded.graph?.nodes.get(at));
    here.map(|node| &node.origin.loc)
}

/// Over what is bound, breadth first, so that each root has its shortest way. Every node is looked at once.
fn walk(q: &Question<'_>, from: Vec<Addr>) -> Vec<Root> {
    let mut found: Vec<Root> = Vec::new();
    let mut seen: BTreeSet<Addr> = from.iter().cloned().collect();
    let mut queue: VecDeque<(Addr, Vec<String>)> = from.into_iter().map(|a| (a, Vec::new())).collect();
    while let Some((at, mut path)) = queue.pop_front() {
        path.push(at.to_string());
        for mut own in own(q, &at) {
            // One param has one line, however many inputs it goes into.
            let known = |f: &Root| f.kind == own.kind && f.name == own.name && own.kind == RootKind::Param;
            if !found.iter().any(known) {
                own.path.clone_from(&path);
                found.push(own);
            }
        }
        let Some(node) = q.plan.graph.nodes.get(&at) else { continue };
        for to in node.edges.iter().filter(|e| e.kind == EdgeKind::Bind).map(|e| &e.to) {
            if replaced(q, to) && seen.insert(to.clone()) {
                queue.push_back((to.clone(), path.clone()));
            }
        }
    }
    found
}

/// Whether an address has another object than before, or had none.
pub(super) fn replaced(q: &Question<'_>, at: &Addr) -> bool {
    let before = q.recorded.state.at(at).map(|(id, _)| id);
    q.plan.nodes.get(at).is_some_and(|n| before != Some(n.object) && !matches!(n.fate, Fate::Rename(_)))
}

/// What is new about a node itself, not about what it binds.
pub(super) fn own(q: &Question<'_>, at: &Addr) -> Vec<Root> {
    let Some(node) = q.plan.graph.nodes.get(at) else { return Vec::new() };
    let Some((id, _)) = q.recorded.state.at(at) else { return vec![added(q, at, node)] };
    let mut found = inputs(q, at, node, true);
    match q.observed.objects.get(&id) {
        Some(Observation::Missing) => found.push(root(RootKind::Drift, "it is missing", at, None)),
        Some(Observation::Changed(fields)) => {
            let names: Vec<&str> = fields.iter().map(|(name, _, _)| name.as_str()).collect();
            let text = format!("it was changed from outside: {}", names.join(", "));
            found.push(root(RootKind::Drift, text, at, None));
        }
        Some(Observation::Intact) | None => {}
    }
    let bound = node.edges.iter().any(|e| e.kind == EdgeKind::Bind && replaced(q, &e.to));
    if found.is_empty() && !bound {
        found.push(root(RootKind::Definition, "its definition changed", at, Some(&node.origin.loc)));
    }
    found
}

/// A node that was not there. One of several says how many there are.
fn added(q: &Question<'_>, at: &Addr, node: &Node) -> Root {
    let mut found = root(RootKind::Added, "new in the program", at, Some(&node.origin.loc));
    let of = |g: &imm_ir::Graph| {
        g.expanded.iter().find(|(_, e)| e.members.contains(at)).map(|(a, e)| (a.clone(), e.clone()))
    };
    if let Some((whole, now)) = of(&q.plan.graph)
        && let Some(before) = q.recorded.graph.and_then(|g| g.expanded.get(&whole))
    {
        found.text = format!("{whole} has {} members", now.members.len());
        found.name = Some(whole.to_string());
        found.place = Place::of(&now.count_loc);
        (found.before, found.after) = (Some(before.members.len().to_string()), Some(now.members.len().to_string()));
    }
    found
}

/// Changed inputs of one side of a node: those of its identity, or all others.
fn inputs(q: &Question<'_>, at: &Addr, node: &Node, identity: bool) -> Vec<Root> {
    let Some(before) = q.recorded.graph.and_then(|g| g.nodes.get(at)) else { return Vec::new() };
    let Some(schema) = q.options.schema(&node.provider, &node.kind) else { return Vec::new() };
    let mut found: Vec<Root> = Vec::new();
    if before.kind != node.kind || before.provider != node.provider {
        let text = format!("it was a {} of {}", before.kind, before.provider);
        found.push(root(RootKind::Definition, text, at, Some(&node.origin.loc)));
    }
    for field in schema.fields.iter().filter(|f| (f.class == FieldClass::Identity) == identity) {
        let name = &field.name;
        let (old, new) = (before.inputs.get(name), node.inputs.get(name));
        if old.map(|i| &i.term) == new.map(|i| &i.term) {
            continue;
        }
        let input = new.or(old).map(|i| Place::of(&i.loc));
        let differs = leaves(name, old.map(|i| &i.term), new.map(|i| &i.term), MOST_LEAVES);
        let none: &[Cause] = &[];
        let causes = |side: Option<&Arc<Input>>| side.map_or_else(|| none.to_vec(), |input| input.causes.clone());
        let edited = matches!((old, new), (Some(old), Some(new)) if old.written != new.written);
        let (old, new) = (causes(old), causes(new));
        let mut of_field: Vec<Root> = changed(&old, &new).iter().map(|c| cause(q, at, c)).collect();
        if of_field.is_empty() || edited {
            let mut plain = root(RootKind::Field, format!("{name} changed"), at, None);
            plain.place = input.clone().unwrap_or_default();
            plain.name = Some(name.to_string());
            if let [only] = differs.as_slice() {
                (plain.before, plain.after) = (only.before.clone(), only.after.clone());
            }
            of_field.push(plain);
        }
        for mut own in of_field {
            own.field = Some(name.to_string());
            own.input.clone_from(&input);
            own.differs.clone_from(&differs);
            let known = |f: &Root| f.kind == own.kind && f.name == own.name;
            if !found.iter().any(known) {
                found.push(own);
            }
        }
    }
    found
}

fn cause(q: &Question<'_>, at: &Addr, changed: &crate::plan::causes::Changed<'_>) -> Root {
    let Reason { text, loc, via } = reasons::cause(changed, q.recorded.state.current);
    let (kind, name) = match &changed.cause.what {
        CauseKind::Param { name, .. } => (RootKind::Param, name),
        CauseKind::File(path) | CauseKind::Machine(path) => (RootKind::File, path),
        CauseKind::Let { name, .. } => (RootKind::Let, name),
        CauseKind::Function(name) => (RootKind::Function, name),
    };
    let shown = |c: &Cause| match &c.what {
        CauseKind::Param { shown, .. } => Some(shown.to_string()),
        CauseKind::File(_) | CauseKind::Machine(_) | CauseKind::Let { .. } | CauseKind::Function(_) => None,
    };
    let lets = changed.lets.iter().filter_map(|l| match &l.what {
        CauseKind::Let { name, .. } => Some(Named { name: name.to_string(), place: Place::of(&l.loc) }),
        CauseKind::Param { .. } | CauseKind::File(_) | CauseKind::Machine(_) | CauseKind::Function(_) => None,
    });
    Root {
        name: Some(name.to_string()),
        via,
        before: changed.before.and_then(shown),
        after: if changed.gone { None } else { shown(changed.cause) },
        lets: lets.collect(),
        ..root(kind, text, at, loc.as_ref())
    }
}

/// A pointer or cell moves because of its own inputs, or because its targets are others.
fn switch(q: &Question<'_>, step: &Step) -> Vec<Root> {
    let at = &step.address;
    let Some(node) = q.plan.graph.nodes.get(at) else { return vec![removed(q, at)] };
    if replaced(q, at) {
        return walk(q, vec![at.clone()]);
    }
    let mut found = inputs(q, at, node, false);
    let Some(switch) = q.plan.switches.iter().find(|s| s.object == step.object.unwrap_or(s.object) && s.address == *at)
    else {
        return if found.is_empty() { walk(q, vec![at.clone()]) } else { found };
    };
    let old: Vec<_> = q.recorded.state.setting(switch.object).targets;
    let fresh: Vec<Addr> =
        switch.targets.iter().filter(|(_, id)| !old.iter().any(|t| t.object == *id)).map(|(a, _)| a.clone()).collect();
    let mut via_targets = walk(q, fresh);
    // What left without a successor.
    let left = old.iter().filter(|t| !switch.targets.iter().any(|(a, _)| *a == t.address));
    via_targets.extend(left.filter(|t| !q.plan.graph.nodes.contains_key(&t.address)).map(|t| removed(q, &t.address)));
    for mut own in via_targets {
        own.path.insert(0, at.to_string());
        if !found.iter().any(|f| f.kind == own.kind && f.name == own.name && own.kind == RootKind::Param) {
            found.push(own);
        }
    }
    found
}

fn removed(q: &Question<'_>, at: &Addr) -> Root {
    let mut found = root(RootKind::Removed, "no longer in the program", at, None);
    let whole = q.recorded.graph.and_then(|g| g.expanded.iter().find(|(_, e)| e.members.contains(at)));
    if let Some((whole, before)) = whole
        && let Some(now) = q.plan.graph.expanded.get(whole)
    {
        found.text = format!("{whole} has {} members", now.members.len());
        found.name = Some(whole.to_string());
        found.place = Place::of(&now.count_loc);
        (found.before, found.after) = (Some(before.members.len().to_string()), Some(now.members.len().to_string()));
    } else if let Some(loc) = origin(q, at) {
        found.text = format!("no longer in the program; it was at {loc}");
    }
    found
}

/// Why an object leaves: its successor's reasons, its declaration is gone, or its generation is no longer kept.
fn leaving(q: &Question<'_>, step: &Step) -> Vec<Root> {
    let at = &step.address;
    let in_use = step.object.is_some_and(|id| q.recorded.state.at(at).is_some_and(|(now, _)| now == id));
    if !in_use {
        let since = step.object.and_then(|id| q.recorded.state.objects.get(&id)).and_then(|o| o.since);
        return vec![match since {
            Some(generation) => Root {
                name: Some(q.plan.keep.to_string()),
                ..root(RootKind::Keep, format!("generation {generation} is no longer kept"), at, None)
            },
            None => root(RootKind::Drift, "left over from an apply that failed", at, None),
        }];
    }
    if q.plan.graph.nodes.contains_key(at) { walk(q, vec![at.clone()]) } else { vec![removed(q, at)] }
}
