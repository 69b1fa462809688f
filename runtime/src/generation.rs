//! How a generation's graph is kept: nodes in chunks of neighbours, chunks by their content, listed as a difference to the
//! parent's list, whole every so often. Where a chunk begins follows from the address there alone, so that a change of one
//! node costs its own chunk, whatever the size of the graph.

use crate::ledger::{Ledger, LedgerError};
use crate::plan::Past;
use crate::state::Generation;
use imm_ir::{Addr, Cause, Class, Digest, Edge, Fields, Graph, Input, Loc, Node, Origin, Term, With};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The first format that keeps chunks; before it each node was kept by itself.
const CHUNKED: u16 = 4;

/// A chunk has this many nodes, about, and never more than four times as many.
const CHUNK: usize = 16;

/// After so many differences a whole list follows.
const WHOLE_EVERY: u32 = 64;

#[derive(Debug, Serialize, Deserialize)]
struct GraphRecord {
    /// How many differences back to a whole list.
    depth: u32,
    parent: Option<Digest>,
    /// Chunks by the address of their first node, before format 4 nodes by theirs; `None`: gone.
    nodes: Vec<(Addr, Option<Digest>)>,
    /// The graph without its nodes.
    rest: Digest,
}

/// Whether a chunk begins at an address.
fn begins(addr: &Addr) -> bool {
    (crc32fast::hash(addr.as_str().as_bytes()) as usize).is_multiple_of(CHUNK)
}

/// The nodes of a graph, in chunks.
fn chunks(graph: &Graph) -> Vec<Vec<(&Addr, &Node)>> {
    let mut chunks: Vec<Vec<_>> = Vec::new();
    for (addr, node) in &graph.nodes {
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK * 4 && !begins(addr) => chunk.push((addr, node)),
            _full => chunks.push(vec![(addr, node)]),
        }
    }
    chunks
}

/// Keeps a graph for the next append, as a difference to a generation's; answers the name of its record.
///
/// # Errors
/// The parent's record cannot be read.
pub fn keep(ledger: &mut Ledger, graph: &Graph, parent: Option<(u16, Digest)>) -> Result<Digest, LedgerError> {
    let parent = parent.filter(|(format, _)| *format >= CHUNKED).map(|(_, record)| record);
    let before = parent.map(|p| list(ledger, &p)).transpose()?;
    let (depth, old) = before.map_or((0, BTreeMap::new()), |(depth, nodes)| (depth + 1, nodes));
    let kept: BTreeSet<Digest> = old.values().copied().collect();
    let mut now = BTreeMap::new();
    for chunk in chunks(graph) {
        let bytes = postcard::to_stdvec(&chunk)?;
        let digest = Digest::of(&bytes);
        if !kept.contains(&digest) {
            ledger.keep_bytes(digest, bytes);
        }
        now.extend(chunk.first().map(|(addr, _)| ((*addr).clone(), digest)));
    }
    let whole = parent.is_none() || depth >= WHOLE_EVERY;
    let nodes = if whole {
        now.into_iter().map(|(addr, digest)| (addr, Some(digest))).collect()
    } else {
        let gone = old.keys().filter(|a| !now.contains_key(*a)).map(|a| (a.clone(), None));
        let changed = now.iter().filter(|(a, d)| old.get(*a) != Some(d)).map(|(a, d)| (a.clone(), Some(*d)));
        gone.chain(changed).collect()
    };
    let rest = Graph {
        nodes: BTreeMap::new(),
        expanded: graph.expanded.clone(),
        asserts: graph.asserts.clone(),
        outputs: graph.outputs.clone(),
        policy: graph.policy.clone(),
    };
    let rest = ledger.keep(&rest)?;
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
    let mut nodes = Vec::new();
    for (addr, digest) in list(ledger, &generation.record)?.1 {
        nodes.extend(part(ledger, generation, &addr, &digest)?);
    }
    graph.nodes = nodes.into_iter().collect();
    Ok(graph)
}

/// What a line of a record's list stands for.
fn part(
    ledger: &Ledger,
    generation: &Generation,
    addr: &Addr,
    digest: &Digest,
) -> Result<Vec<(Addr, Node)>, LedgerError> {
    Ok(match generation.format {
        0..2 => vec![(addr.clone(), ledger.load::<NodeV1>(digest)?.into())],
        2..CHUNKED => vec![(addr.clone(), ledger.load(digest)?)],
        _chunked => ledger.load(digest)?,
    })
}

/// A chunk with its name.
type Chunk = (Digest, Vec<(Addr, Node)>);

/// The nodes of a generation's graph, each read when it is asked for.
pub struct Recollection<'a> {
    ledger: &'a Ledger,
    generation: &'a Generation,
    list: OnceCell<BTreeMap<Addr, Digest>>,
    /// What was read last: whoever asks goes on with its neighbour.
    last: RefCell<Option<Chunk>>,
    failed: Cell<Option<LedgerError>>,
}

impl<'a> Recollection<'a> {
    /// Nothing is read yet.
    pub fn new(ledger: &'a Ledger, generation: &'a Generation) -> Self {
        let (list, last, failed) = (OnceCell::new(), RefCell::new(None), Cell::new(None));
        Self { ledger, generation, list, last, failed }
    }

    /// Whether everything that was asked for could be read.
    ///
    /// # Errors
    /// What could not.
    pub fn end(self) -> Result<(), LedgerError> {
        self.failed.into_inner().map_or(Ok(()), Err)
    }

    fn look<T>(&self, addr: &Addr, see: impl FnOnce(&Node) -> T) -> Option<T> {
        let sound = |e| self.failed.set(Some(e));
        let list = match self.list.get() {
            Some(list) => list,
            None => {
                let read = list(self.ledger, &self.generation.record).map_err(sound).ok()?.1;
                self.list.get_or_init(|| read)
            }
        };
        let (first, digest) = list.range(..=addr).next_back()?;
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(name, _)| name != digest) {
            let nodes = part(self.ledger, self.generation, first, digest).map_err(sound).ok()?;
            *last = Some((*digest, nodes));
        }
        let (_, nodes) = last.as_ref()?;
        let at = nodes.binary_search_by(|(at, _)| at.cmp(addr)).ok()?;
        nodes.get(at).map(|(_, node)| see(node))
    }
}

impl Past for Recollection<'_> {
    fn node(&self, addr: &Addr) -> Option<Cow<'_, Node>> {
        self.look(addr, |node| Cow::Owned(node.clone()))
    }

    fn has(&self, addr: &Addr, node: &Node) -> bool {
        self.look(addr, |old| old == node).unwrap_or(false)
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
        let input = |i: InputV1| Arc::new(Input { term: i.term, loc: i.loc, written: 0, causes: i.causes });
        let inputs = inputs.into_iter().map(|(name, i)| (name, input(i))).collect();
        Self { kind, class, provider, inputs, edges, with: with.into(), origin: origin.into(), spec }
    }
}
