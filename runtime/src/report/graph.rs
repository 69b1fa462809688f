//! A graph as a picture's data: nodes, what they were written as, and what they use.

use imm_ir::{Addr, EdgeKind, Graph};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// `imm graph --format json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// Of this document.
    pub format: u32,
    /// Objects, in address order.
    pub nodes: Vec<PictureNode>,
    /// What uses what.
    pub edges: Vec<PictureEdge>,
    /// What was written as one node and is several.
    pub groups: Vec<Group>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PictureNode {
    /// Where it is declared.
    pub address: String,
    /// Its kind.
    pub kind: String,
    /// Its class.
    pub class: &'static str,
    /// The group it belongs to.
    pub group: Option<String>,
    /// What it is.
    pub spec: String,
    /// Where it was written.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

/// One use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PictureEdge {
    /// Who uses.
    pub from: String,
    /// What is used.
    pub to: String,
    /// `bind`: replaced together; `order`: only made later; `set`: what a pointer is set to.
    pub kind: &'static str,
}

/// Members of what was expanded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its address.
    pub address: String,
    /// Its kind.
    pub kind: String,
    /// Its members' addresses.
    pub members: Vec<String>,
}

/// The picture of a graph; of an address only what is there and what it touches.
pub fn picture(graph: &Graph, only: Option<&Addr>) -> Picture {
    let inside = |addr: &Addr| only.is_none_or(|at| addr.is_within(at));
    let touched: BTreeSet<&Addr> = graph
        .nodes
        .iter()
        .flat_map(|(addr, node)| node.edges.iter().map(move |edge| (addr, &edge.to)))
        .filter(|(from, to)| inside(from) || inside(to))
        .flat_map(|(from, to)| [from, to])
        .chain(graph.nodes.keys().filter(|a| inside(a)))
        .collect();
    let member: BTreeMap<&Addr, &Addr> =
        graph.expanded.iter().flat_map(|(whole, e)| e.members.iter().map(move |m| (m, whole))).collect();
    let shown = || graph.nodes.iter().filter(|(addr, _)| touched.contains(addr));
    let nodes = shown().map(|(addr, node)| PictureNode {
        address: addr.to_string(),
        kind: node.kind.to_string(),
        class: node.class.keyword(),
        group: member.get(addr).map(ToString::to_string),
        spec: node.spec.hex(),
        file: node.origin.loc.file.to_string(),
        line: node.origin.loc.line,
        column: node.origin.loc.column,
    });
    let edges = shown().flat_map(|(from, node)| {
        node.edges.iter().filter(|e| touched.contains(&e.to)).map(move |edge| PictureEdge {
            from: from.to_string(),
            to: edge.to.to_string(),
            kind: match edge.kind {
                EdgeKind::Bind => "bind",
                EdgeKind::Order => "order",
                EdgeKind::Set => "set",
            },
        })
    });
    let groups = graph.expanded.iter().filter(|(_, e)| e.members.iter().any(|m| touched.contains(m)));
    let groups = groups.map(|(addr, e)| Group {
        address: addr.to_string(),
        kind: e.kind.to_string(),
        members: e.members.iter().filter(|m| touched.contains(m)).map(ToString::to_string).collect(),
    });
    Picture { format: 1, nodes: nodes.collect(), edges: edges.collect(), groups: groups.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::shapes::Program;

    #[test]
    fn a_picture_has_everything_or_what_an_address_touches() {
        let graph = Program { chain: 2, ..Program::hello() }.graph();
        let whole = picture(&graph, None);
        assert_eq!(whole.nodes.len(), graph.nodes.len());
        assert_eq!(whole.groups[0].members, ["web.instance[\"0\"]", "web.instance[\"1\"]"]);
        let part = picture(&graph, Some(&Addr::root("front")));
        let shown: Vec<&str> = part.nodes.iter().map(|n| n.address.as_str()).collect();
        assert_eq!(shown, ["front", "web.instance[\"0\"]", "web.instance[\"1\"]"]);
        assert!(part.edges.iter().all(|e| e.kind == "set" && e.from == "front"));
    }
}
