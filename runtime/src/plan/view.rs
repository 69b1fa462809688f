//! A graph by numbers: its nodes in address order, what each comes after, in which order they can be made, and which object
//! of the base is at the address of each. Made once for a plan; everything below walks it by number.
//!
//! Guarantees: each walk over it is counted ([`Visits`]), so that a test can tell that a plan is linear without a clock.

use super::{Fate, Nodes, Options, PlanError, identity};
use crate::id::ObjectId;
use crate::state::{Object, State};
use imm_ir::{Addr, EdgeKind, Graph, KindSchema, Node};
use rustc_hash::FxHashMap;
use std::cell::Cell;
use std::cmp::Ordering;

/// How often a plan looked at a node of the graph, at an edge, at a recorded object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visits {
    /// Nodes.
    pub nodes: u64,
    /// Edges.
    pub edges: u64,
    /// Objects.
    pub objects: u64,
}

/// See the module.
pub(super) struct View<'a> {
    pub graph: &'a Graph,
    pub state: &'a State,
    pub options: &'a Options,
    addrs: Vec<&'a Addr>,
    /// By address; only of a graph with edges, since nothing else asks.
    numbers: Option<Numbers<'a>>,
    nodes: Vec<(&'a Node, &'a KindSchema)>,
    /// Edges of node `i` are `edges[starts[i]..starts[i + 1]]`; what a pointer is set to is none.
    starts: Vec<u32>,
    edges: Vec<u32>,
    /// Dependencies first, otherwise in address order; and how far each is from what depends on nothing.
    order: Vec<(u32, u32)>,
    /// Places in the state of the objects that the base has at these addresses.
    base: Vec<Option<u32>>,
    /// Those that the base has at other addresses.
    strays: Vec<u32>,
    /// All of the base, in the order of their addresses there.
    all: Vec<u32>,
    /// By place in the state: it is part of the base.
    in_use: Vec<bool>,
    visits: Cell<Visits>,
}

type Numbers<'a> = FxHashMap<&'a str, u32>;

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl<'a> View<'a> {
    /// # Errors
    /// A kind that nobody provides, or a cycle; the compiler never makes one.
    pub fn new(graph: &'a Graph, state: &'a State, options: &'a Options) -> Result<Self, PlanError> {
        let nodes = identity::checked(graph, options)?;
        let addrs: Vec<&Addr> = graph.nodes.keys().collect();
        let numbers: Option<Numbers<'a>> = nodes
            .iter()
            .any(|(node, _)| !node.edges.is_empty())
            .then(|| addrs.iter().map(|a| a.as_str()).zip(0..).collect());
        let (starts, edges) = edges(numbers.as_ref(), &nodes);
        let mut view = Self {
            graph,
            state,
            options,
            addrs,
            numbers,
            nodes,
            starts,
            edges,
            order: Vec::new(),
            base: Vec::new(),
            strays: Vec::new(),
            all: Vec::new(),
            in_use: vec![false; state.objects.len()],
            visits: Cell::default(),
        };
        view.sort()?;
        view.join();
        Ok(view)
    }

    /// All nodes in address order, by number.
    pub fn each(&self) -> impl Iterator<Item = usize> + use<'a> {
        let count = self.addrs.len();
        self.count(|v| v.nodes += count as u64);
        0..count
    }

    /// All nodes, dependencies first.
    pub fn ordered(&self) -> impl Iterator<Item = usize> {
        self.count(|v| v.nodes += self.order.len() as u64);
        self.order.iter().map(|(i, _)| *i as usize)
    }

    /// The same by levels.
    pub fn levels(&self) -> impl Iterator<Item = &[(u32, u32)]> {
        self.count(|v| v.nodes += self.order.len() as u64);
        self.order.chunk_by(|a, b| a.1 == b.1)
    }

    /// What a node comes after.
    pub fn before(&self, i: usize) -> &[u32] {
        let ends = self.starts.get(i).zip(self.starts.get(i + 1));
        let found = ends.and_then(|(from, to)| self.edges.get(*from as usize..*to as usize)).unwrap_or_default();
        self.count(|v| v.edges += found.len() as u64);
        found
    }

    /// All recorded objects with their places.
    pub fn objects(&self) -> impl Iterator<Item = (usize, ObjectId, &'a Object)> + use<'a> {
        let state = self.state;
        self.count(|v| v.objects += state.objects.len() as u64);
        state.objects.iter().enumerate().map(|(at, (id, o))| (at, *id, o))
    }

    pub fn addr(&self, i: usize) -> Option<&'a Addr> {
        self.addrs.get(i).copied()
    }

    pub fn node(&self, i: usize) -> Option<(&'a Addr, &'a Node, &'a KindSchema)> {
        let ((node, schema), addr) = self.nodes.get(i).zip(self.addrs.get(i))?;
        Some((addr, node, schema))
    }

    /// The number of a node, by its address.
    pub fn find(&self, addr: &Addr) -> Option<usize> {
        match &self.numbers {
            Some(numbers) => numbers.get(addr.as_str()).map(|i| *i as usize),
            None => self.addrs.binary_search(&addr).ok(),
        }
    }

    /// The object that the base has at the address of a node.
    pub fn base(&self, i: usize) -> Option<(ObjectId, &'a Object)> {
        self.object((*self.base.get(i)?)?)
    }

    /// Objects of the base at addresses that the graph does not have.
    pub fn strays(&self) -> impl Iterator<Item = (ObjectId, &'a Object)> {
        self.strays.iter().filter_map(|at| self.object(*at))
    }

    /// All objects of the base with their places, in the order of their addresses there.
    pub fn all_of_base(&self) -> impl Iterator<Item = (usize, ObjectId, &'a Object)> {
        self.count(|v| v.objects += self.all.len() as u64);
        self.all.iter().filter_map(|at| self.object(*at).map(|(id, object)| (*at as usize, id, object)))
    }

    /// Which objects, by their places, the nodes have.
    pub fn chosen(&self, nodes: &Nodes) -> Chosen {
        let mut chosen = vec![false; self.state.objects.len()];
        self.count(|v| v.nodes += nodes.len() as u64);
        for planned in nodes.values().filter(|n| n.fate != Fate::Create) {
            let here = self.state.objects.get_index_of(&planned.object).and_then(|at| chosen.get_mut(at));
            if let Some(here) = here {
                *here = true;
            }
        }
        Chosen(chosen)
    }

    /// Whether an object, by its place, is part of the base.
    pub fn in_use(&self, place: usize) -> bool {
        self.in_use.get(place).copied().unwrap_or(false)
    }

    pub fn visits(&self) -> Visits {
        self.visits.get()
    }

    fn object(&self, at: u32) -> Option<(ObjectId, &'a Object)> {
        self.state.objects.get_index(at as usize).map(|(id, object)| (*id, object))
    }

    fn count(&self, add: impl FnOnce(&mut Visits)) {
        let mut visits = self.visits.get();
        add(&mut visits);
        self.visits.set(visits);
    }

    /// Levels: a node is one further than the furthest that it comes after.
    fn sort(&mut self) -> Result<(), PlanError> {
        let count = self.addrs.len();
        let mut level = vec![0u32; count];
        if !self.edges.is_empty() {
            let mut open: Vec<u32> =
                self.starts.windows(2).map(|w| w.last().zip(w.first()).map_or(0, |(b, a)| b - a)).collect();
            let followers = self.followers();
            let mut ready: Vec<usize> =
                open.iter().enumerate().filter(|(_, open)| **open == 0).map(|(i, _)| i).collect();
            let mut done = 0;
            while let Some(i) = ready.pop() {
                done += 1;
                let next = level.get(i).map_or(0, |l| l + 1);
                for follower in followers.of(i) {
                    let follower = *follower as usize;
                    if let Some((level, open)) = level.get_mut(follower).zip(open.get_mut(follower)) {
                        *level = next.max(*level);
                        *open -= 1;
                        if *open == 0 {
                            ready.push(follower);
                        }
                    }
                }
            }
            if done < count {
                let at = open.iter().position(|open| *open > 0).and_then(|i| self.addr(i));
                let at = at.map_or_else(String::new, |a| format!(" through {a}"));
                let message = format!("the graph has a cycle{at}");
                return Err(PlanError { code: "dependency-cycle", message, help: None, loc: None });
            }
        }
        self.order = (0..).zip(level).collect();
        self.order.sort_by_key(|(_, level)| *level);
        Ok(())
    }

    fn followers(&self) -> Followers {
        let mut starts = vec![0u32; self.addrs.len() + 1];
        for to in &self.edges {
            if let Some(count) = starts.get_mut(*to as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let (mut next, mut edges) = (starts.clone(), vec![0u32; self.edges.len()]);
        for i in self.each() {
            for to in self.before(i) {
                let Some(slot) = next.get_mut(*to as usize) else { continue };
                if let Some(edge) = edges.get_mut(*slot as usize) {
                    *edge = number(i);
                }
                *slot += 1;
            }
        }
        Followers { starts, edges }
    }

    /// Base and graph, both in address order, side by side.
    fn join(&mut self) {
        let mut base = vec![None; self.addrs.len()];
        let (mut strays, mut i) = (Vec::new(), 0);
        for (addr, id) in self.state.generation().into_iter().flat_map(|g| g.objects.iter()) {
            let Some(at) = self.state.objects.get_index_of(id) else { continue };
            self.all.push(number(at));
            if let Some(in_use) = self.in_use.get_mut(at) {
                *in_use = true;
            }
            let order = loop {
                match self.addrs.get(i).map(|a| if *a == addr { Ordering::Equal } else { (*a).cmp(addr) }) {
                    Some(Ordering::Less) => i += 1,
                    other => break other,
                }
            };
            match base.get_mut(i).filter(|_| order == Some(Ordering::Equal)) {
                Some(here) => *here = Some(number(at)),
                None => strays.push(number(at)),
            }
        }
        (self.base, self.strays) = (base, strays);
    }
}

/// The recorded objects that are part of the new generation, by place.
pub(super) struct Chosen(Vec<bool>);

impl Chosen {
    pub fn has(&self, place: usize) -> bool {
        self.0.get(place).copied().unwrap_or(false)
    }
}

struct Followers {
    starts: Vec<u32>,
    edges: Vec<u32>,
}

impl Followers {
    fn of(&self, i: usize) -> &[u32] {
        let ends = self.starts.get(i).zip(self.starts.get(i + 1));
        ends.and_then(|(from, to)| self.edges.get(*from as usize..*to as usize)).unwrap_or_default()
    }
}

fn edges(numbers: Option<&Numbers<'_>>, nodes: &[(&Node, &KindSchema)]) -> (Vec<u32>, Vec<u32>) {
    let (mut starts, mut edges) = (Vec::with_capacity(nodes.len() + 1), Vec::new());
    starts.push(0);
    for (node, _) in nodes {
        let needs = node.edges.iter().filter(|e| e.kind != EdgeKind::Set);
        edges.extend(needs.filter_map(|e| numbers?.get(e.to.as_str())));
        starts.push(number(edges.len()));
    }
    (starts, edges)
}
