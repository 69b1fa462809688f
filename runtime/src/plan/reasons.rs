//! Why a step is there: down to the param, file or expression, with its place in the source.

use super::causes::{self, Changed};
use super::start::{Effect, Job, Start};
use super::view::View;
use super::{Action, Base, Fate, Nodes, Observed, Options, Step, Undo};
use crate::provider::Observation;
use crate::state::Object;
use imm_ir::{Addr, Cause, CauseKind, Class, FieldClass, Loc, Node, ParamFrom};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// `greeting changed`
    pub text: String,
    /// Where the program says so.
    pub loc: Option<Loc>,
    /// Who set it, for a param: `--param`.
    pub via: Option<String>,
}

/// `greeting changed (main.imm:7:45, --param)`
impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)?;
        match (&self.loc, &self.via) {
            (Some(loc), Some(via)) => write!(f, " ({loc}, {via})"),
            (Some(loc), None) => write!(f, " ({loc})"),
            (None, Some(via)) => write!(f, " ({via})"),
            (None, None) => Ok(()),
        }
    }
}

impl Reason {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), loc: None, via: None }
    }

    pub(super) fn at(text: impl Into<String>, loc: &Loc) -> Self {
        Self { text: text.into(), loc: Some(loc.clone()).filter(|l| l.line > 0), via: None }
    }
}

/// How many causes a replaced node hands to what binds it: enough to tell, few enough to read.
const MOST_ROOTS: usize = 3;

/// Steps of everything that is not simply kept, dependencies first.
pub(super) fn forward(view: &View<'_>, recorded: Base<'_>, observed: &Observed, nodes: &Nodes, steps: &mut Vec<Step>) {
    let mut roots = BTreeMap::new();
    let options = view.options;
    let kept: Vec<bool> = nodes.values().map(|n| n.fate == Fate::Keep).collect();
    for i in view.ordered().filter(|i| kept.get(*i) == Some(&false)) {
        let Some((addr, node, _)) = view.node(i) else { continue };
        let Some(planned) = nodes.get(addr) else { continue };
        let (action, reasons) = match &planned.fate {
            Fate::Keep => continue,
            Fate::Create => {
                let action = if node.class == Class::External { Action::Read } else { Action::Create };
                (action, create(recorded, observed, addr, node, nodes, options, &roots))
            }
            Fate::Reuse | Fate::Attach if recorded.state.objects.get(&planned.object).is_some_and(Object::awaits) => {
                (Action::Adopt, vec![Reason::at("it is there already, and was taken over", &node.origin.loc)])
            }
            Fate::Reuse => (Action::Reuse, vec![Reason::plain("still there from an earlier generation")]),
            Fate::Rename(from) => (Action::Rename, vec![Reason::at(format!("was {from}"), &node.origin.loc)]),
            Fate::Attach => (Action::Attach, vec![Reason::at("kept from before", &node.origin.loc)]),
        };
        let causes = reasons.iter().filter(|r| r.loc.is_some()).take(MOST_ROOTS).cloned();
        roots.insert(addr, causes.collect());
        let job = match &planned.start {
            Start::Job(job) if action == Action::Create => Some(*job),
            _other => None,
        };
        steps.push(Step {
            action,
            address: addr.clone(),
            kind: node.kind.clone(),
            class: node.class,
            object: Some(planned.object),
            spec: Some(planned.spec),
            reasons,
            undo: job.map_or(Undo::Free, Job::cost),
            outage_ms: 0,
            note: job.map(runs),
        });
    }
}

/// What a plan says of a job that is to run.
fn runs(job: Job) -> String {
    let effect = match (job.effect, job.undo) {
        (Effect::None, _) => "no effect that stays",
        (Effect::Compatible, false) => "its effect stays, the old generation can live with it",
        (Effect::Breaking, false) => "cannot be undone",
        (_, true) => "has a way back",
    };
    format!("runs once; {effect}")
}

fn create(
    recorded: Base<'_>,
    observed: &Observed,
    addr: &Addr,
    node: &Node,
    nodes: &Nodes,
    options: &Options,
    roots: &BTreeMap<&Addr, Vec<Reason>>,
) -> Vec<Reason> {
    let Some((id, _)) = recorded.state.at(addr) else {
        return vec![Reason::at("new", &node.origin.loc)];
    };
    let mut reasons = changed_inputs(recorded, addr, node, options, true);
    let edges = node.edges.iter().filter(|e| e.kind == imm_ir::EdgeKind::Bind);
    for to in edges.map(|e| &e.to) {
        let replaced = nodes.get(to).is_some_and(|n| n.fate == Fate::Create);
        if replaced && recorded.state.at(to).is_some() {
            reasons.push(Reason::plain(format!("{to} is replaced")));
            // And why that is: what the user changed, however far away.
            let causes = roots.get(to).into_iter().flatten().filter(|cause| !reasons.contains(cause));
            let causes: Vec<Reason> = causes.cloned().collect();
            reasons.extend(causes);
        }
    }
    match observed.objects.get(&id) {
        Some(Observation::Missing) => reasons.push(Reason::plain("it is missing")),
        Some(Observation::Changed(fields)) => {
            let names: Vec<&str> = fields.iter().map(|(name, _, _)| name.as_str()).collect();
            reasons.push(Reason::plain(format!("it was changed from outside: {}", names.join(", "))));
        }
        Some(Observation::Intact) | None => {}
    }
    if reasons.is_empty() {
        reasons.push(Reason::at("its definition changed", &node.origin.loc));
    }
    reasons
}

/// What differs between the recorded node at this address and this one: identity inputs, or all others.
pub(super) fn changed_inputs(
    recorded: Base<'_>,
    addr: &Addr,
    node: &Node,
    options: &Options,
    identity: bool,
) -> Vec<Reason> {
    let Some(before) = recorded.graph.and_then(|g| g.node(addr)) else { return Vec::new() };
    let Some(schema) = options.schema(&node.provider, &node.kind) else { return Vec::new() };
    let mut reasons = Vec::new();
    if before.kind != node.kind {
        reasons.push(Reason::at(format!("it was a {}", before.kind), &node.origin.loc));
    }
    let fields = schema.fields.iter().filter(|f| (f.class == FieldClass::Identity) == identity);
    for name in fields.map(|f| &f.name) {
        let (old, new) = (before.inputs.get(name), node.inputs.get(name));
        if old.map(|i| &i.term) == new.map(|i| &i.term) {
            continue;
        }
        let loc = new.or(old).map_or(&node.origin.loc, |i| &i.loc);
        let mut causes = match (old, new) {
            (Some(old), Some(new)) => causes(&old.causes, &new.causes, recorded.state.current),
            (Some(_), None) | (None, Some(_)) | (None, None) => Vec::new(),
        };
        // An edit beside a param's other value is a reason of its own.
        let edited = matches!((old, new), (Some(old), Some(new)) if old.written != new.written);
        if causes.is_empty() || edited {
            causes.push(Reason::at(format!("{name} changed"), loc));
        }
        for cause in causes {
            if !reasons.contains(&cause) {
                reasons.push(cause);
            }
        }
    }
    reasons
}

/// What a person changed that went into an input.
fn causes(old: &[Cause], new: &[Cause], generation: Option<u64>) -> Vec<Reason> {
    causes::changed(old, new).iter().map(|changed| cause(changed, generation)).collect()
}

/// A changed cause in words.
pub(crate) fn cause(changed: &Changed<'_>, generation: Option<u64>) -> Reason {
    let (now, before) = (changed.cause, changed.before);
    match (&now.what, before.map(|o| &o.what)) {
        // A value that was given for one command only falls back to what the program says.
        (CauseKind::Param { name, from, .. }, Some(CauseKind::Param { from: was, shown, .. }))
            if from < was && *was >= ParamFrom::ParamsFile =>
        {
            let since = generation.map_or_else(String::new, |g| format!(" in generation {g}"));
            Reason { via: via(name, *was), ..Reason::at(format!("{name} was {shown}{since}"), &now.loc) }
        }
        (CauseKind::Param { name, from, .. }, _) => {
            Reason { via: via(name, *from), ..Reason::at(format!("{name} changed"), &now.loc) }
        }
        (CauseKind::File(path) | CauseKind::Machine(path), _) if changed.gone => {
            Reason::plain(format!("{path} is no longer used"))
        }
        (CauseKind::File(path) | CauseKind::Machine(path), Some(_)) => Reason::at(format!("{path} changed"), &now.loc),
        (CauseKind::File(path) | CauseKind::Machine(path), None) => Reason::at(format!("{path} is used now"), &now.loc),
        (CauseKind::Let { name, .. } | CauseKind::Function(name), _) => Reason::at(format!("{name} changed"), &now.loc),
    }
}

fn via(name: &str, from: ParamFrom) -> Option<String> {
    match from {
        ParamFrom::Default | ParamFrom::Given => None,
        ParamFrom::Environment => Some("environment".to_owned()),
        ParamFrom::ParamsFile => Some("--params".to_owned()),
        ParamFrom::Variable => Some(format!("IMM_PARAM_{}", name.to_uppercase())),
        ParamFrom::CommandLine => Some("--param".to_owned()),
    }
}

/// Whether undoing the end of an object of this class costs more than a moment.
pub(super) fn undo_of_end(class: Class) -> Undo {
    if class == Class::Durable { Undo::Never } else { Undo::Seconds }
}
