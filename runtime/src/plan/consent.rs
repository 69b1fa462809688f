//! What a plan does only with a word of its own: each is a flag with a reason, recorded with the apply. One that is missing
//! is an error that prints the flag.

use super::start::{Effect, Start};
use super::{Consent, Fate, Nodes, Options, PlanError, Planned, Undo};
use crate::entry::{ConsentKind, Verb};
use crate::id::ObjectId;
use crate::state::{Object, State};
use imm_ir::{Addr, Class, Digest, EdgeKind, FieldClass, Graph, Nature, Type, Value, reduce};
use std::collections::{BTreeMap, BTreeSet};

/// Refuses what nobody consented to; answers what somebody did.
pub(super) fn given(
    graph: &Graph,
    state: &State,
    nodes: &Nodes,
    options: &Options,
    graph_root: Digest,
) -> Result<Vec<Consent>, PlanError> {
    let consent = |kind, subjects| Consent { kind, subjects, because: options.because.clone() };
    let mut found = Vec::new();
    for (addr, planned) in nodes {
        if options.replace.contains(addr)
            && let Some(old) = state.at(addr).map(|(id, _)| id).filter(|id| *id != planned.object)
        {
            found.push(consent(ConsentKind::DurableReplace, vec![old, planned.object]));
        }
        if matches!(planned.fate, Fate::Rename(_)) && options.renames.values().any(|to| to == addr) {
            found.push(consent(ConsentKind::Rename, vec![planned.object]));
        }
        if never(planned) && options.verb.runs_jobs() {
            if !options.never.contains(addr) {
                return Err(refuse_never(graph, addr));
            }
            found.push(consent(ConsentKind::NeverStep, vec![planned.object]));
        }
    }
    for (id, job) in crossed(state, nodes, options) {
        if !options.across.contains(&job.address) {
            return Err(refuse_across(&job.address, goes_back_to(state, &options.verb).unwrap_or_default()));
        }
        found.push(consent(ConsentKind::AcrossJob, vec![id]));
    }
    if let Some(error) = above_limit(graph, state, nodes, options) {
        if !options.above_limit {
            return Err(error);
        }
        found.push(consent(ConsentKind::ReplaceLimit, Vec::new()));
    }
    if options.again && state.generations.values().any(|g| g.rolled_back_from && g.graph_root == graph_root) {
        found.push(consent(ConsentKind::RolledBackRoot, Vec::new()));
    }
    Ok(found)
}

/// What a durable holds may get more room and never less: no provider could keep that promise. Going back to a generation that
/// asked for less is no such wish.
pub(super) fn check_sizes(graph: &Graph, state: &State, nodes: &Nodes, options: &Options) -> Result<(), PlanError> {
    let durables = graph.nodes.iter().filter(|(_, n)| n.class == Class::Durable && options.verb == Verb::Apply);
    for (addr, node) in durables {
        let Some((planned, schema)) = nodes.get(addr).zip(options.schema(&node.provider, &node.kind)) else { continue };
        if planned.fate == Fate::Create {
            continue;
        }
        let now = state.setting(planned.object);
        let sizes = schema.fields.iter().filter(|f| f.class == FieldClass::Movable && f.ty == Type::Bytes);
        for name in sizes.map(|f| &f.name) {
            let (Some(Value::Bytes(was)), Some(wanted @ Value::Bytes(is))) = (now.inputs.get(name), node.known(name))
            else {
                continue;
            };
            if is < was {
                let (was, wanted) = (reduce::shown(&Value::Bytes(*was)), reduce::shown(wanted));
                return Err(PlanError {
                    code: "durable-change",
                    message: format!("{addr} holds data, and its {name} only grows: it is {was}, and {wanted} is less"),
                    help: Some(format!(
                        "write `{name} = {was}` or more; a smaller one is another one: declare it at another address"
                    )),
                    loc: node.inputs.get(name).map(|i| i.loc.clone()),
                });
            }
        }
    }
    Ok(())
}

/// The durables whose data somebody consented to destroy: out of use after this plan, and there.
pub(super) fn ended(state: &State, nodes: &Nodes, options: &Options) -> Result<BTreeSet<ObjectId>, PlanError> {
    let mut found = BTreeSet::new();
    let refuse = |code, message: String, help: String| Err(PlanError { code, message, help: Some(help), loc: None });
    let meant = |id: &ObjectId| options.consent_object.as_ref().is_none_or(|wanted| id.to_string().starts_with(wanted));
    for addr in &options.consent {
        let here = |o: &Object| o.class == Class::Durable && o.address.is_within(addr) && o.state.exists();
        let there: Vec<ObjectId> =
            state.objects.iter().filter(|(id, o)| here(o) && meant(id)).map(|(id, _)| *id).collect();
        if there.is_empty() {
            let message = format!("nothing that holds data is recorded at {addr}");
            return refuse("no-durable", message, "`imm volume` lists what does".to_owned());
        }
        let used = |id: &ObjectId| nodes.values().any(|n| n.object == *id);
        let (kept, left): (Vec<_>, Vec<_>) = there.into_iter().partition(used);
        if left.is_empty() && !kept.is_empty() {
            return refuse(
                "durable-in-use",
                format!("{addr} is declared: its data is in use and is not destroyed"),
                format!(
                    "remove it from the program first; `--replace {addr} --because TEXT` makes a new one beside it"
                ),
            );
        }
        found.extend(left);
    }
    Ok(found)
}

/// A graph that was rolled back from is not applied again without being asked for.
pub(super) fn check_again(state: &State, graph_root: Digest, options: &Options) -> Result<(), PlanError> {
    let now = state.generation().is_some_and(|g| g.graph_root == graph_root);
    let left = state.generations.iter().find(|(_, g)| g.rolled_back_from && g.graph_root == graph_root);
    match left {
        Some((number, _)) if options.verb == Verb::Apply && !now && !options.again => Err(PlanError {
            code: "rolled-back-from",
            message: format!("this is generation {number} again, which was rolled back from"),
            help: Some("to apply it again, add `--again --because TEXT`".to_owned()),
            loc: None,
        }),
        _other => Ok(()),
    }
}

/// A point of no return: a job that breaks what the old generation relies on and says no way back.
fn never(planned: &Planned) -> bool {
    planned.fate == Fate::Create && matches!(planned.start, Start::Job(job) if job.cost() == Undo::Never)
}

fn refuse_never(graph: &Graph, addr: &Addr) -> PlanError {
    PlanError {
        code: "never-step",
        message: format!("{addr} cannot be undone once it has run: its effect is breaking, and it says no `undo`"),
        help: Some(format!(
            "consent with `--never {addr} --because TEXT`; or say `effect = compatible` if the old generation can live with what it does, or give the command that takes it back as `undo`"
        )),
        loc: graph.nodes.get(addr).map(|n| n.origin.loc.clone()),
    }
}

/// The generation that a rollback goes to. By itself it goes to the one before; nobody is there who could consent.
fn goes_back_to(state: &State, verb: &Verb) -> Option<u64> {
    match verb {
        Verb::Rollback { to } => Some(*to),
        Verb::AutoRollback { of } => state.generations.get(of)?.parent,
        Verb::Apply | Verb::Destroy | Verb::Heal | Verb::Drill { .. } | Verb::RecoverOnly => None,
    }
}

/// Jobs that ran since the generation that a rollback goes to, and broke what it relies on.
fn crossed<'a>(state: &'a State, nodes: &Nodes, options: &Options) -> Vec<(ObjectId, &'a Object)> {
    let Some(to) = goes_back_to(state, &options.verb) else { return Vec::new() };
    let chosen: BTreeSet<ObjectId> = nodes.values().map(|n| n.object).collect();
    let broke = |o: &Object| {
        let job = super::start::Job::read(|name| o.cells.get(name));
        o.nature == Nature::Job && o.ended == Some(0) && !o.undone && job.effect == Effect::Breaking
    };
    let since = state.objects.iter().filter(|(_, o)| o.since.is_some_and(|g| g > to) && broke(o));
    since.filter(|(id, _)| !chosen.contains(id)).map(|(id, o)| (*id, o)).collect()
}

fn refuse_across(job: &Addr, to: u64) -> PlanError {
    PlanError {
        code: "across-job",
        message: format!(
            "{job} ran after generation {to} was in force, and its effect is breaking: generation {to} may not work any more"
        ),
        help: Some(format!("if it does, consent with `--across {job} --because TEXT`")),
        loc: None,
    }
}

/// More of the objects are replaced than the environment lets pass unasked.
fn above_limit(graph: &Graph, state: &State, nodes: &Nodes, options: &Options) -> Option<PlanError> {
    let limit = graph.policy.replace_limit_ppm.filter(|_| matches!(options.verb, Verb::Apply))?;
    let base = &state.generation()?.objects;
    let disposable = |id: &ObjectId| state.objects.get(id).is_some_and(|o| o.class == Class::Resource);
    let all = base.values().filter(|id| disposable(id)).count();
    let replaced: BTreeSet<&Addr> = nodes
        .iter()
        .filter(|(addr, n)| n.fate == Fate::Create && base.get(addr).is_some_and(disposable))
        .map(|(addr, _)| addr)
        .collect();
    if all == 0 || (replaced.len() as u64).saturating_mul(1_000_000) <= limit.saturating_mul(all as u64) {
        return None;
    }
    let percent = |part: u64, of: u64| part.saturating_mul(100).checked_div(of).unwrap_or(0);
    let mut message = format!(
        "{} of {all} objects are replaced ({} %), more than replace_limit lets pass ({} %)",
        replaced.len(),
        percent(replaced.len() as u64, all as u64),
        percent(limit, 1_000_000)
    );
    if let Some((root, size)) = root(graph, &replaced) {
        message.push_str(&format!("; most of it because {root} is replaced, which {size} bind"));
    }
    let help = "if that is meant, consent with `--above-limit --because TEXT`; a pointer, a durable, a value known at plan or a policy field between them would cut the cascade";
    Some(PlanError { code: "above-limit", message, help: Some(help.to_owned()), loc: None })
}

/// The replaced node that binds no other replaced one and that most of them bind, directly or not.
fn root<'a>(graph: &Graph, replaced: &BTreeSet<&'a Addr>) -> Option<(&'a Addr, usize)> {
    let mut users: BTreeMap<&Addr, Vec<&'a Addr>> = BTreeMap::new();
    let mut bound = BTreeSet::new();
    for addr in replaced.iter().copied() {
        let edges = graph.nodes.get(addr).into_iter().flat_map(|n| &n.edges);
        for to in edges.filter(|e| e.kind == EdgeKind::Bind && replaced.contains(&e.to)).map(|e| &e.to) {
            users.entry(replaced.get(to).copied()?).or_default().push(addr);
            bound.insert(addr);
        }
    }
    let size = |root: &'a Addr| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![root]);
        while let Some(next) = open.pop() {
            open.extend(users.get(next).into_iter().flatten().filter(|a| seen.insert(**a)));
        }
        seen.len()
    };
    let roots = replaced.iter().filter(|a| !bound.contains(*a)).map(|a| (*a, size(a)));
    roots.filter(|(_, size)| *size > 0).max_by_key(|(addr, size)| (*size, std::cmp::Reverse(*addr)))
}
