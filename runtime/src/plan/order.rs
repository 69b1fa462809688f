//! The order of a graph: which nodes can be made at once. The only place that knows petgraph.

use super::PlanError;
use imm_ir::{Addr, EdgeKind, Graph};
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::BTreeMap;

/// Nodes in an order in which everything comes after what it binds or needs, each with its level: 0 depends on nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order<'a> {
    /// Addresses, dependencies first, otherwise in address order.
    pub sorted: Vec<(&'a Addr, usize)>,
}

/// Levels over the edges that must be there before a create. What a pointer is set to comes later and does not count.
///
/// # Errors
/// The graph has a cycle; the compiler never makes one.
pub fn levels(graph: &Graph) -> Result<Order<'_>, PlanError> {
    let addrs: Vec<&Addr> = graph.nodes.keys().collect();
    let index: BTreeMap<&Addr, usize> = addrs.iter().enumerate().map(|(i, a)| (*a, i)).collect();
    let mut dag = DiGraph::<(), ()>::with_capacity(addrs.len(), addrs.len());
    addrs.iter().for_each(|_| {
        dag.add_node(());
    });
    for (addr, node) in &graph.nodes {
        for edge in node.edges.iter().filter(|e| e.kind != EdgeKind::Set) {
            if let (Some(from), Some(to)) = (index.get(&edge.to), index.get(addr)) {
                dag.add_edge(NodeIndex::new(*from), NodeIndex::new(*to), ());
            }
        }
    }
    let sorted = petgraph::algo::toposort(&dag, None).map_err(|cycle| {
        let at = addrs.get(cycle.node_id().index()).map_or_else(String::new, |a| format!(" through {a}"));
        PlanError { code: "dependency-cycle", message: format!("the graph has a cycle{at}"), help: None, loc: None }
    })?;
    let mut level = vec![0usize; addrs.len()];
    for i in sorted {
        let mine = dag
            .neighbors_directed(i, petgraph::Direction::Incoming)
            .map(|d| level.get(d.index()).map_or(0, |l| l + 1))
            .max()
            .unwrap_or(0);
        if let Some(slot) = level.get_mut(i.index()) {
            *slot = mine;
        }
    }
    let mut sorted: Vec<(&Addr, usize)> = addrs.into_iter().zip(level).collect();
    sorted.sort_by_key(|(_, level)| *level);
    Ok(Order { sorted })
}
