//! How a generation's graph is kept: nodes by their content, listed as a difference to the parent's list, whole every so
//! often. So a change of one node costs its own bytes, whatever the size of the graph.

use crate::ledger::{Ledger, LedgerError};
use crate::state::Generation;
use imm_ir::{Addr, Cause, Class, Digest, Edge, Fields, Graph, Input, Loc, Node, Origin, Term, With};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// After so many differences a whole list follows.
const WHOLE_EVERY: u32 = 64;

#[derive(Debug, Serialize, Deserialize)]
struct GraphRecord {
    /// How many differences back to a whole list.
    depth: u32,
    parent: Option<Digest>,
    /// Nodes by address; `None`: gone.
    nodes: Vec<(Addr, Option<Digest>)>,
    /// The graph without its nodes.
    rest: Digest,
}

/// Keeps a graph for the next append; answers the name of its record.
///
/// # Errors
/// The parent's record cannot be read.
pub fn keep(ledger: &mut Ledger, graph: &Graph, parent: Option<Digest>) -> Result<Digest, LedgerError> {
    let before = parent.map(|p| list(ledger, &p)).transpose()?;
    let (depth, old) = before.map_or((0, BTreeMap::new()), |(depth, nodes)| (depth + 1, nodes));
    let kept: BTreeSet<Digest> = old.values().copied().collect();
    let mut now = BTreeMap::new();
    for (addr, node) in &graph.nodes {
        let digest = Digest::of(&postcard::to_stdvec(node)?);
        if !kept.contains(&digest) {
            ledger.keep(node)?;
        }
        now.insert(addr.clone(), digest);
    }
    let whole = parent.is_none() || depth >= WHOLE_EVERY;
    let nodes = if whole {
        now.into_iter().map(|(addr, digest)| (addr, Some(digest))).collect()
    } else {
        let gone = old.keys().filter(|a| !now.contains_key(*a)).map(|a| (a.clone(), None));
        let changed = now.iter().filter(|(a, d)| old.get(*a) != Some(d)).map(|(a, d)| (a.clone(), Some(*d)));
        gone.chain(changed).collect()
    };
    let rest = ledger.keep(&Graph { nodes: BTreeMap::new(), ..graph.clone() })?;
    let (depth, parent) = if whole { (0, None) } else { (depth, parent) };
    ledger.keep(&GraphRecord { depth, parent, nodes, rest })
}

/// Reads a graph back; needs no sources.
///
/// # Errors
/// A blob is missing or damaged.
pub fn load(ledger: &Ledger, generation: &Generation) -> Result<Graph, LedgerError> {
    let top: GraphRecord = ledger.load(&generation.record)?;
    let mut graph: Graph = ledger.load(&top.rest)?;
    for (addr, digest) in list(ledger, &generation.record)?.1 {
        let node = if generation.format < 2 {
            ledger.load::<NodeV1>(&digest)?.into()
        } else {
            ledger.load::<Node>(&digest)?
        };
        graph.nodes.insert(addr, node);
    }
    Ok(graph)
}

/// Adds every blob that a generation's graph needs.
///
/// # Errors
/// A blob is missing or damaged.
pub fn blobs(ledger: &Ledger, generation: &Generation, found: &mut BTreeSet<Digest>) -> Result<(), LedgerError> {
    let mut next = Some(generation.record);
    while let Some(digest) = next {
        let record: GraphRecord = ledger.load(&digest)?;
        found.insert(digest);
        if digest == generation.record {
            found.insert(record.rest);
        }
        next = record.parent;
    }
    found.extend(list(ledger, &generation.record)?.1.into_values());
    Ok(())
}

/// The node list of a record and how many differences it took.
fn list(ledger: &Ledger, record: &Digest) -> Result<(u32, BTreeMap<Addr, Digest>), LedgerError> {
    let mut chain = Vec::new();
    let mut next = Some(*record);
    while let Some(digest) = next {
        let record: GraphRecord = ledger.load(&digest)?;
        next = record.parent;
        chain.push(record);
    }
    let depth = chain.first().map_or(0, |r| r.depth);
    let mut nodes = BTreeMap::new();
    for (addr, digest) in chain.into_iter().rev().flat_map(|r| r.nodes) {
        match digest {
            Some(digest) => nodes.insert(addr, digest),
            None => nodes.remove(&addr),
        };
    }
    Ok((depth, nodes))
}

/// A node as format 1 has it: inputs do not tell how they were written.
#[derive(Debug, Deserialize)]
struct NodeV1 {
    kind: Arc<str>,
    class: Class,
    provider: Arc<str>,
    inputs: Fields<InputV1>,
    edges: Vec<Edge>,
    with: With,
    origin: Origin,
    spec: Digest,
}

#[derive(Debug, Deserialize)]
struct InputV1 {
    term: Term,
    loc: Loc,
    causes: Vec<Cause>,
}

impl From<NodeV1> for Node {
    fn from(node: NodeV1) -> Self {
        let NodeV1 { kind, class, provider, inputs, edges, with, origin, spec } = node;
        let input = |i: InputV1| Input { term: i.term, loc: i.loc, written: 0, causes: i.causes };
        let inputs = inputs.into_iter().map(|(name, i)| (name, input(i))).collect();
        Self { kind, class, provider, inputs, edges, with, origin, spec }
    }
}
