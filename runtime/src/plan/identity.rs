//! What a node is and binds, and whether this version can make it.

use super::view::View;
use super::{Options, PlanError};
use imm_ir::{Addr, EdgeKind, Graph, KindSchema, Node};

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

/// The nodes whose objects this one binds, by number, in slot order.
pub(super) fn slots(view: &View<'_>, node: &Node, schema: &KindSchema) -> Vec<usize> {
    // In address order, as edges are.
    let binds: Vec<&Addr> = node.edges.iter().filter(|e| e.kind == EdgeKind::Bind).map(|e| &e.to).collect();
    if binds.is_empty() {
        return Vec::new();
    }
    let binds_to = |addr: &Addr| binds.binary_search(&addr).is_ok();
    let slots = imm_ir::spec::slots(schema, &node.inputs);
    let mut found = Vec::with_capacity(binds.len());
    for slot in &slots {
        match view.find(slot) {
            Some(number) => found.extend(binds_to(slot).then_some(number)),
            None => {
                let members = view.graph.expanded.get(slot).map(|e| e.members.as_slice()).unwrap_or_default();
                found.extend(members.iter().filter(|a| binds_to(a)).filter_map(|a| view.find(a)));
            }
        }
    }
    // What is bound without a slot, if a schema ever does that, comes behind in address order.
    if found.len() < binds.len() {
        let without = binds.into_iter().filter(|a| !slots.iter().any(|s| a.is_within(s)));
        found.extend(without.filter_map(|a| view.find(a)));
    }
    found
}

/// The objects' addresses that an address stands for: itself, or the members of what was expanded.
pub fn members(graph: &Graph, addr: &Addr) -> Vec<Addr> {
    if graph.nodes.contains_key(addr) {
        return vec![addr.clone()];
    }
    graph.expanded.get(addr).map(|e| e.members.clone()).unwrap_or_default()
}
