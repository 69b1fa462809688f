//! What a node is and binds, what it claims, and whether this version can make it.

use super::{Fate, Options, PlanError, Planned};
use crate::entry::Claim;
use crate::id::ObjectId;
use crate::rollout::Strategy;
use crate::state::State;
use imm_ir::{Addr, Class, EdgeKind, Fields, Graph, Input, KindSchema, Nature, Node, Replace, Term, Value, kinds};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Refuses what this version does not do, before anything is recorded.
pub(super) fn check(graph: &Graph, options: &Options) -> Result<(), PlanError> {
    for (addr, node) in &graph.nodes {
        let refuse = |code, message: String, help: Option<&str>| {
            let help = help.map(str::to_owned);
            Err(PlanError { code, message, help, loc: Some(node.origin.loc.clone()) })
        };
        let (kind, platform) = (&node.kind, &node.provider);
        // Jobs and what acts by itself belong to a later version, whoever provides them.
        let provided =
            options.schema(platform, kind).is_some_and(|schema| schema.nature != Nature::Job && !schema.acts_by_itself);
        if !provided {
            let message = format!("{addr}: kind `{kind}` is not provided by platform {platform} in this version");
            return refuse("not-provided", message, None);
        }
        if node.known("rollout").is_some_and(|r| node.class == Class::Pointer && !Strategy::supported(r)) {
            return refuse(
                "not-provided",
                format!("{addr}: this version rolls out `all_at_once` and `blue_green` without a gate"),
                Some("write `rollout = blue_green {}`"),
            );
        }
        if !options.unsealed && node.inputs.values().any(|i| secret(&i.term)) {
            return refuse(
                "secret-not-sealed",
                format!("{addr}: this version cannot seal secrets, so it does not record any"),
                Some("give the value to the program in another way, for example by a file on a volume"),
            );
        }
    }
    // Members look like any container; what they were written as says that they act by themselves.
    let acts = |kind: &str| kinds::builtin().get(kind).is_some_and(|schema| schema.acts_by_itself);
    match graph.expanded.iter().find(|(_, e)| acts(&e.kind)) {
        Some((addr, e)) => Err(PlanError {
            code: "not-provided",
            message: format!("{addr}: kind `{}` is not provided by platform host in this version", e.kind),
            help: None,
            loc: Some(e.origin.loc.clone()),
        }),
        None => Ok(()),
    }
}

fn secret(term: &Term) -> bool {
    match term {
        Term::Value(value) => value.has_secret(),
        Term::Secret(_) => true,
        Term::List(items) => items.iter().any(secret),
        Term::Map(map) => map.values().any(secret),
        Term::Record(fields) | Term::Variant(_, fields) => fields.values().any(secret),
        Term::Call(_, args) => args.iter().any(|t| secret(t)),
        Term::If(cond, yes, no) => secret(cond) || secret(yes) || secret(no),
        Term::Lambda { body, .. } => secret(body),
        Term::Output(..) | Term::Var(_) => false,
    }
}

/// The nodes whose objects this one binds, in slot order.
pub(super) fn slots(graph: &Graph, node: &Node, schema: &KindSchema) -> Vec<Addr> {
    let (_, slots) = imm_ir::spec::spec(schema, &node.provider, &node.inputs);
    let binds: BTreeSet<&Addr> = node.edges.iter().filter(|e| e.kind == EdgeKind::Bind).map(|e| &e.to).collect();
    let mut found: Vec<Addr> = slots.iter().flat_map(|a| members(graph, a)).filter(|a| binds.contains(a)).collect();
    // What is bound without a slot, if a schema ever does that, comes behind in address order.
    found.extend(binds.into_iter().filter(|a| !slots.iter().any(|s| a.is_within(s))).cloned());
    found
}

/// The objects' addresses that an address stands for: itself, or the members of what was expanded.
pub fn members(graph: &Graph, addr: &Addr) -> Vec<Addr> {
    if graph.nodes.contains_key(addr) {
        return vec![addr.clone()];
    }
    graph.expanded.get(addr).map(|e| e.members.clone()).unwrap_or_default()
}

/// What an object claims: a volume of one writer that it mounts writable (an input variant `volume { of, read_only }`).
pub(super) fn claims(graph: &Graph, inputs: &Fields<Input>, nodes: &BTreeMap<Addr, Planned>) -> Vec<Claim> {
    let mut found = Vec::new();
    for input in inputs.values() {
        each_value(&input.term, &mut |value| {
            let Value::Variant(tag, fields) = value else { return };
            let Some(Value::Node(of)) = fields.get("of").filter(|_| &**tag == "volume") else { return };
            let read_only = fields.get("read_only").and_then(Value::as_bool).unwrap_or(false);
            let Some((node, planned)) = graph.nodes.get(of).zip(nodes.get(of)) else { return };
            let shared = matches!(node.known("access"), Some(Value::Variant(tag, _)) if &**tag == "shared");
            if node.class == Class::Durable && !read_only {
                let key = Arc::from(planned.object.to_string());
                found.push(Claim { scope: Arc::from("volume"), key, exclusive: !shared });
            }
        });
    }
    found
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

/// Old, warm and new objects exist side by side: two that claim the same thing exclusively cannot.
pub(super) fn check_claims(graph: &Graph, state: &State, nodes: &BTreeMap<Addr, Planned>) -> Result<(), PlanError> {
    let chosen: BTreeSet<ObjectId> = nodes.values().map(|n| n.object).collect();
    let mut held: BTreeMap<(&str, &str), (&Addr, bool)> = BTreeMap::new();
    let old = state.objects.iter().filter(|(id, o)| o.state.exists() && !chosen.contains(id));
    for claim_of in old.map(|(_, o)| (&o.address, &o.claims)) {
        for claim in claim_of.1 {
            held.insert((&claim.scope, &claim.key), (claim_of.0, claim.exclusive));
        }
    }
    for (addr, planned) in nodes {
        for claim in &planned.claims {
            let (scope, key) = (&*claim.scope, &*claim.key);
            let clash = held.get(&(scope, key)).filter(|(_, exclusive)| *exclusive || claim.exclusive);
            let node = graph.nodes.get(addr);
            if let Some((other, _)) = clash {
                let handover = node.is_some_and(|n| n.with.replace != Replace::Beside);
                let message = if planned.fate == Fate::Create && handover {
                    format!("{addr} takes over a {scope} from {other}; this version has no handover")
                } else {
                    format!("{addr} and {other} would hold the same {scope} at once, and only one may write to it")
                };
                return Err(PlanError {
                    code: "cannot-coexist",
                    message,
                    help: Some("mount it read_only, give it `access = shared`, or destroy the old holder first".into()),
                    loc: node.map(|n| n.origin.loc.clone()),
                });
            }
            held.insert((scope, key), (addr, claim.exclusive));
        }
    }
    Ok(())
}
