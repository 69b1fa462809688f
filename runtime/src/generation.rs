//! How a generation's graph is kept: nodes by their content, listed as a difference to the parent's list, whole every so
//! often. So a change of one node costs its own bytes, whatever the size of the graph.

use crate::ledger::{Ledger, LedgerError};
use crate::plan::Past;
use crate::state::Generation;
use imm_ir::{Addr, Cause, Class, Digest, Edge, Fields, Graph, Input, Loc, Node, Origin, Term, With};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
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
        let bytes = postcard::to_stdvec(node)?;
        let digest = Digest::of(&bytes);
        if !kept.contains(&digest) {
            ledger.keep_bytes(digest, bytes);
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
        graph.nodes.insert(addr, node(ledger, generation, &digest)?);
    }
    Ok(graph)
}

fn node(ledger: &Ledger, generation: &Generation, digest: &Digest) -> Result<Node, LedgerError> {
    if generation.format < 2 { Ok(ledger.load::<NodeV1>(digest)?.into()) } else { ledger.load(digest) }
}

/// The nodes of a generation's graph, each read when it is asked for.
pub struct Recollection<'a> {
    ledger: &'a Ledger,
    generation: &'a Generation,
    nodes: OnceCell<BTreeMap<Addr, Digest>>,
    failed: Cell<Option<LedgerError>>,
}

impl<'a> Recollection<'a> {
    /// Nothing is read yet.
    pub fn new(ledger: &'a Ledger, generation: &'a Generation) -> Self {
        Self { ledger, generation, nodes: OnceCell::new(), failed: Cell::new(None) }
    }

    /// Whether everything that was asked for could be read.
    ///
    /// # Errors
    /// What could not.
    pub fn end(self) -> Result<(), LedgerError> {
        self.failed.into_inner().map_or(Ok(()), Err)
    }

    fn digest(&self, addr: &Addr) -> Option<&Digest> {
        let nodes = match self.nodes.get() {
            Some(nodes) => nodes,
            None => {
                let nodes = self.sound(list(self.ledger, &self.generation.record))?.1;
                self.nodes.get_or_init(|| nodes)
            }
        };
        nodes.get(addr)
    }

    fn sound<T>(&self, found: Result<T, LedgerError>) -> Option<T> {
        found.map_err(|e| self.failed.set(Some(e))).ok()
    }
}

impl Past for Recollection<'_> {
    fn node(&self, addr: &Addr) -> Option<Cow<'_, Node>> {
        let digest = self.digest(addr)?;
        self.sound(node(self.ledger, self.generation, digest)).map(Cow::Owned)
    }

    fn has(&self, addr: &Addr, node: &Node) -> bool {
        let now = postcard::to_stdvec(node).map(|bytes| Digest::of(&bytes));
        self.digest(addr).is_some_and(|then| now.is_ok_and(|now| *then == now))
    }
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
