//! What differs between two generations: nodes with their fields, settings, params, sources, outputs and policy.
//!
//! Guarantees: no secret's value is in here. Sources are compared by their bytes and told by name and lines only.

use super::generation::Generation;
use super::leaves::{Leaf, leaves};
use imm_ir::{Addr, Graph, Node, Term};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Differences of one field that are told.
const MOST: usize = 20;

/// `imm diff G1 G2 --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Of this document.
    pub format: u32,
    /// The first generation.
    pub from: u64,
    /// The other one.
    pub to: u64,
    /// Nodes that are only in one, or differ.
    pub nodes: Vec<NodeDifference>,
    /// Settings of the environment that differ.
    pub policy: Vec<Leaf>,
    /// Params that differ.
    pub params: Vec<Leaf>,
    /// Outputs that differ, as written and by value.
    pub outputs: Vec<Leaf>,
    /// Files of the program that differ.
    pub sources: Vec<SourceDifference>,
}

/// A node that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeDifference {
    /// `added`, `removed`, `replaced` (another object), `set` (the same object, set otherwise).
    pub change: &'static str,
    /// Where it is declared.
    pub address: String,
    /// Its kind.
    pub kind: String,
    /// What it is, then and now.
    pub spec: (Option<String>, Option<String>),
    /// Which one, then and now.
    pub object: (Option<String>, Option<String>),
    /// Fields that differ.
    pub fields: Vec<Leaf>,
    /// Where it is written.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<u32>,
}

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceDifference {
    /// Its name.
    pub file: String,
    /// `added`, `removed`, `changed`.
    pub change: &'static str,
    /// Lines that are only in the other one.
    pub lines_added: usize,
    /// Lines that are only in the first one.
    pub lines_removed: usize,
}

/// One side of the comparison.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// What is recorded of it.
    pub generation: &'a Generation,
    /// Its graph.
    pub graph: &'a Graph,
    /// Which object each address has.
    pub objects: &'a crate::state::Places,
    /// Its files.
    pub sources: &'a [(String, Vec<u8>)],
}

/// Compares two generations.
pub fn difference(from: Side<'_>, to: Side<'_>) -> Difference {
    let addresses: BTreeSet<&Addr> = from.graph.nodes.keys().chain(to.graph.nodes.keys()).collect();
    let params = |side: Side<'_>| side.generation.params.clone();
    let outputs = |side: Side<'_>| -> BTreeMap<String, serde_json::Value> {
        side.generation.outputs.clone().into_iter().collect()
    };
    Difference {
        format: 1,
        from: from.generation.generation,
        to: to.generation.generation,
        nodes: addresses.into_iter().filter_map(|addr| node(from, to, addr)).collect(),
        policy: json(&policy(from.graph), &policy(to.graph)),
        params: json(&params(from), &params(to)),
        outputs: json(&outputs(from), &outputs(to)),
        sources: sources(from.sources, to.sources),
    }
}

fn node(from: Side<'_>, to: Side<'_>, addr: &Addr) -> Option<NodeDifference> {
    let (old, new) = (from.graph.nodes.get(addr), to.graph.nodes.get(addr));
    let object = |side: Side<'_>| side.objects.get(addr).map(ToString::to_string);
    let objects = (object(from), object(to));
    let fields = fields(old, new);
    let change = match (old, new) {
        (None, _) => "added",
        (_, None) => "removed",
        (Some(_), Some(_)) if objects.0 != objects.1 => "replaced",
        (Some(old), Some(new)) if !fields.is_empty() || old.edges != new.edges || old.with != new.with => "set",
        (Some(_), Some(_)) => return None,
    };
    let shown = new.or(old)?;
    Some(NodeDifference {
        change,
        address: addr.to_string(),
        kind: shown.kind.to_string(),
        spec: (old.map(|n| n.spec.hex()), new.map(|n| n.spec.hex())),
        object: objects,
        // What is only in one needs no list of all it has.
        fields: if old.is_some() && new.is_some() { fields } else { Vec::new() },
        file: Some(shown.origin.loc.file.to_string()),
        line: Some(shown.origin.loc.line),
    })
}

fn fields(old: Option<&Node>, new: Option<&Node>) -> Vec<Leaf> {
    let names = |node: Option<&Node>| node.into_iter().flat_map(|n| n.inputs.keys().cloned()).collect::<Vec<_>>();
    let all: BTreeSet<_> = names(old).into_iter().chain(names(new)).collect();
    let term = |node: Option<&Node>, name: &str| -> Option<Term> { Some(node?.inputs.get(name)?.term.clone()) };
    all.iter().flat_map(|name| leaves(name, term(old, name).as_ref(), term(new, name).as_ref(), MOST)).collect()
}

fn policy(graph: &Graph) -> BTreeMap<String, serde_json::Value> {
    let policy = &graph.policy;
    let mut found: BTreeMap<String, serde_json::Value> = BTreeMap::from([
        ("keep".to_owned(), policy.keep.into()),
        ("retain".to_owned(), policy.retain.into()),
        ("watch_ms".to_owned(), policy.watch_ms.into()),
        ("replace_limit_ppm".to_owned(), policy.replace_limit_ppm.into()),
        ("confirm".to_owned(), policy.confirm.into()),
    ]);
    found.extend(policy.platform.iter().map(|(name, value)| (name.to_string(), super::value(value))));
    found
}

/// Names with other values.
fn json(old: &BTreeMap<String, serde_json::Value>, new: &BTreeMap<String, serde_json::Value>) -> Vec<Leaf> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differs = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let text = |side: &BTreeMap<String, serde_json::Value>, name: &String| side.get(name).map(ToString::to_string);
    differs.map(|name| Leaf { path: name.clone(), before: text(old, name), after: text(new, name) }).collect()
}

fn sources(old: &[(String, Vec<u8>)], new: &[(String, Vec<u8>)]) -> Vec<SourceDifference> {
    let by_name = |side: &[(String, Vec<u8>)]| -> BTreeMap<String, Vec<u8>> { side.iter().cloned().collect() };
    let (old, new) = (by_name(old), by_name(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differs = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let lines = |bytes: Option<&Vec<u8>>| -> Vec<Vec<u8>> {
        bytes.map(|b| b.split(|c| *c == b'\n').map(<[u8]>::to_vec).collect()).unwrap_or_default()
    };
    differs
        .map(|name| {
            let (before, after) = (lines(old.get(name)), lines(new.get(name)));
            let (removed, added) = only_in_one(&before, &after);
            let change = match (old.contains_key(name), new.contains_key(name)) {
                (false, _) => "added",
                (_, false) => "removed",
                (true, true) => "changed",
            };
            SourceDifference { file: name.clone(), change, lines_added: added, lines_removed: removed }
        })
        .collect()
}

/// How many lines one side has more often than the other.
fn only_in_one(before: &[Vec<u8>], after: &[Vec<u8>]) -> (usize, usize) {
    let mut counts: BTreeMap<&[u8], i64> = BTreeMap::new();
    before.iter().for_each(|line| *counts.entry(line).or_insert(0) -= 1);
    after.iter().for_each(|line| *counts.entry(line).or_insert(0) += 1);
    let sum = |sign: i64| counts.values().map(|n| usize::try_from(n * sign).unwrap_or(0)).sum();
    (sum(-1), sum(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_the_lines_that_moved() {
        let file = |text: &str| ("a.imm".to_owned(), text.as_bytes().to_vec());
        let found = sources(&[file("one\ntwo\nthree\n")], &[file("one\nzwei\nthree\nfour\n")]);
        assert_eq!((found[0].change, found[0].lines_removed, found[0].lines_added), ("changed", 1, 2));
        assert_eq!(sources(&[file("x\n")], &[])[0].change, "removed");
        assert!(sources(&[file("x\n")], &[file("x\n")]).is_empty());
    }
}
