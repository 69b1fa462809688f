//! Who needs whom: the order of evaluation, and the shortest cycle where there is none.
//!
//! A pointer or durable is two vertices: its identity (*reserve*) and what moves (*set*). A reference to one of its
//! outputs needs only the first, so `front.to = web` beside `web.env = { URL = front.url }` is no cycle.

use crate::diagnose::cycles as say;
use crate::hir::{ComponentId, FnId, LetId, NodeId, ParamId};
use imm_ir::{Diagnostic, Span};
use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use rustc_hash::FxHashMap;
use std::collections::{HashMap, VecDeque};

/// A declaration that needs others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vertex {
    /// A param, by its default.
    Param(ParamId),
    /// A let.
    Let(LetId),
    /// A function, by its body.
    Fn(FnId),
    /// A node, by what its handle and outputs need; all of it but for a pointer or durable.
    Node(NodeId),
    /// A pointer's or durable's movable and policy fields.
    Set(NodeId),
    /// A component, by what it uses from outside.
    Component(ComponentId),
    /// Outputs, asserts, environments: nothing needs them.
    End,
}

/// Collected dependencies.
#[derive(Debug, Default)]
pub struct Dependencies {
    graph: DiGraph<Vertex, Span>,
    index: FxHashMap<Vertex, NodeIndex>,
}

impl Dependencies {
    /// Makes a vertex known, so that it takes part in the order.
    pub fn declare(&mut self, vertex: Vertex) -> NodeIndex {
        *self.index.entry(vertex).or_insert_with(|| self.graph.add_node(vertex))
    }

    /// `from` needs `to`, said at `span`.
    pub fn add(&mut self, from: Vertex, to: Vertex, span: Span) {
        let (from, to) = (self.declare(from), self.declare(to));
        self.graph.add_edge(from, to, span);
    }

    /// Everything that is known, in no order that matters.
    pub fn vertices(&self) -> impl Iterator<Item = Vertex> {
        self.graph.node_weights().copied()
    }

    /// What a vertex needs directly.
    pub fn needs(&self, vertex: Vertex) -> impl Iterator<Item = Vertex> {
        let edges = self.index.get(&vertex).map(|index| self.graph.neighbors(*index));
        edges.into_iter().flatten().filter_map(|target| self.graph.node_weight(target).copied())
    }

    /// All vertices, what is needed before what needs it. With cycles, reported, the order within them is arbitrary.
    pub fn order(&self, name: &dyn Fn(Vertex) -> String, found: &mut Vec<Diagnostic>) -> Vec<Vertex> {
        let indices: Vec<NodeIndex> = match toposort(&self.graph, None) {
            Ok(mut order) => {
                order.reverse();
                order
            }
            Err(_) => {
                let components = kosaraju_scc(&self.graph);
                for component in &components {
                    let edges = self.shortest_cycle(component, name);
                    if edges.is_empty() {
                        continue;
                    }
                    let all =
                        |is: fn(&Vertex) -> bool| component.iter().all(|i| self.graph.node_weight(*i).is_some_and(is));
                    found.push(if all(|v| matches!(v, Vertex::Fn(_))) {
                        say::recursive(&edges)
                    } else if all(|v| matches!(v, Vertex::Component(_))) {
                        say::containing(&edges)
                    } else {
                        say::dependency(&edges)
                    });
                }
                components.into_iter().flatten().collect()
            }
        };
        indices.into_iter().filter_map(|index| self.graph.node_weight(index).copied()).collect()
    }

    /// The edges of the shortest cycle inside a strongly connected component, from the vertex declared first.
    fn shortest_cycle(&self, component: &[NodeIndex], name: &dyn Fn(Vertex) -> String) -> Vec<say::Edge> {
        // A bound keeps the search linear on huge components: any cycle explains one.
        let mut starts = component.to_vec();
        starts.sort_by_key(|index| self.graph.node_weight(*index).copied());
        let mut best: Vec<(NodeIndex, NodeIndex, Span)> = Vec::new();
        for start in starts.into_iter().take(64) {
            let found = self.cycle_through(start, component);
            if !found.is_empty() && (best.is_empty() || found.len() < best.len()) {
                best = found;
            }
        }
        let title = |index: NodeIndex| self.graph.node_weight(index).map_or_else(String::new, |v| name(*v));
        let edge = |(from, to, span)| say::Edge { from: title(from), to: title(to), span };
        best.into_iter().map(edge).collect()
    }

    fn cycle_through(&self, start: NodeIndex, component: &[NodeIndex]) -> Vec<(NodeIndex, NodeIndex, Span)> {
        let inside: std::collections::HashSet<NodeIndex> = component.iter().copied().collect();
        let mut came: HashMap<NodeIndex, (NodeIndex, Span)> = HashMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            let mut edges: Vec<_> = self.graph.edges(at).map(|e| (*e.weight(), e.target())).collect();
            edges.sort();
            for (span, target) in edges {
                if !inside.contains(&target) {
                    continue;
                }
                if target == start {
                    let mut path = vec![(at, start, span)];
                    let mut back = at;
                    while let Some((from, span)) = came.get(&back).copied() {
                        path.push((from, back, span));
                        back = from;
                    }
                    path.reverse();
                    return path;
                }
                came.entry(target).or_insert_with(|| {
                    queue.push_back(target);
                    (at, span)
                });
            }
        }
        Vec::new()
    }
}
