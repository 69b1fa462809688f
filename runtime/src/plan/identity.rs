//! What a node is and binds, and whether this version can make it.

use super::{Options, PlanError};
use imm_ir::{Addr, EdgeKind, Graph, KindSchema, Node};
use std::collections::BTreeSet;

/// All nodes with the schemas of their kinds; refuses what this version does not do, before anything is recorded.
pub(super) fn checked<'a>(
    graph: &'a Graph,
    options: &'a Options,
) -> Result<Vec<(&'a Node, &'a KindSchema)>, PlanError> {
    let mut found = Vec::with_capacity(graph.nodes.len());
    // Kinds are few, and neighbours are often of one.
    let mut known: Vec<(&str, &str, &KindSchema)> = Vec::new();
    for (addr, node) in &graph.nodes {
        let refuse = |code, message: String, help: Option<&str>| {
            let help = help.map(str::to_owned);
            Err(PlanError { code, message, help, loc: Some(node.origin.loc.clone()) })
        };
        let (kind, platform) = (&*node.kind, &*node.provider);
        let same = known.iter().find(|(k, p, _)| *k == kind && *p == platform).map(|(.., schema)| *schema);
        let Some(schema) = same.or_else(|| options.schema(platform, kind)) else {
            let message = format!("{addr}: kind `{kind}` is not provided by platform {platform} in this version");
            return refuse("not-provided", message, None);
        };
        if same.is_none() {
            known.push((kind, platform, schema));
        }
        found.push((node, schema));
    }
    // Members look like any container; what they were written as says that they act by themselves.
    for (addr, e) in &graph.expanded {
        let platform = e.members.iter().find_map(|m| graph.nodes.get(m)).map(|n| &n.provider);
        if let Some(platform) = platform.filter(|platform| options.schema(platform, &e.kind).is_none()) {
            return Err(PlanError {
                code: "not-provided",
                message: format!("{addr}: kind `{}` is not provided by platform {platform} in this version", e.kind),
                help: None,
                loc: Some(e.origin.loc.clone()),
            });
        }
    }
    Ok(found)
}

/// The nodes whose objects this one binds, in slot order.
pub(super) fn slots(graph: &Graph, node: &Node, schema: &KindSchema) -> Vec<Addr> {
    let binds: BTreeSet<&Addr> = node.edges.iter().filter(|e| e.kind == EdgeKind::Bind).map(|e| &e.to).collect();
    if binds.is_empty() {
        return Vec::new();
    }
    let slots = imm_ir::spec::slots(schema, &node.inputs);
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
