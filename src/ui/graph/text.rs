//! Pictures as text for other tools: Graphviz and Mermaid.

use super::inner;
use imm_runtime::report::graph::{Picture, PictureNode};
use std::collections::BTreeMap;

/// For Graphviz. Shapes tell classes, lines tell what a use means.
pub fn dot(picture: &Picture, name: &str) -> String {
    let mut out = format!("digraph {name:?} {{\n  rankdir = LR\n  node [fontname = \"monospace\", fontsize = 11]\n");
    let line = |node: &PictureNode| {
        let shape = match node.class {
            "pointer" => "shape = cds, color = \"#b45309\"",
            "durable" => "shape = cylinder, color = \"#047857\"",
            "external" => "shape = box, style = dashed",
            _resource => "shape = box, style = rounded",
        };
        let label = format!("{}\n{}", inner(&node.address, node.group.as_deref()), node.kind);
        format!("{:?} [label = {label:?}, {shape}]", node.address)
    };
    for group in &picture.groups {
        out.push_str(&format!("  subgraph {:?} {{\n", format!("cluster {}", group.address)));
        out.push_str(&format!(
            "    label = {:?}\n    style = rounded\n",
            format!("{} ({})", group.address, group.kind)
        ));
        for node in picture.nodes.iter().filter(|n| n.group.as_ref() == Some(&group.address)) {
            out.push_str(&format!("    {}\n", line(node)));
        }
        out.push_str("  }\n");
    }
    for node in picture.nodes.iter().filter(|n| n.group.is_none()) {
        out.push_str(&format!("  {}\n", line(node)));
    }
    for edge in &picture.edges {
        let style = match edge.kind {
            "set" => " [color = \"#b45309\", penwidth = 1.6]",
            "order" => " [style = dashed]",
            _bind => "",
        };
        out.push_str(&format!("  {:?} -> {:?}{style}\n", edge.from, edge.to));
    }
    out.push_str("}\n");
    out
}

/// For Mermaid, which Markdown viewers draw.
pub fn mermaid(picture: &Picture) -> String {
    let ids: BTreeMap<&str, String> =
        picture.nodes.iter().enumerate().map(|(i, node)| (node.address.as_str(), format!("n{i}"))).collect();
    let mut out = "flowchart LR\n".to_owned();
    let line = |node: &PictureNode| {
        let id = ids.get(node.address.as_str()).cloned().unwrap_or_default();
        let label = format!("{}<br/>{}", inner(&node.address, node.group.as_deref()), node.kind).replace('"', "#quot;");
        match node.class {
            "pointer" => format!("{id}([\"{label}\"]):::pointer"),
            "durable" => format!("{id}[(\"{label}\")]:::durable"),
            "external" => format!("{id}[\"{label}\"]:::external"),
            _resource => format!("{id}(\"{label}\")"),
        }
    };
    for (i, group) in picture.groups.iter().enumerate() {
        let title = format!("{} ({})", group.address, group.kind).replace('"', "#quot;");
        out.push_str(&format!("  subgraph g{i}[\"{title}\"]\n"));
        for node in picture.nodes.iter().filter(|n| n.group.as_ref() == Some(&group.address)) {
            out.push_str(&format!("    {}\n", line(node)));
        }
        out.push_str("  end\n");
    }
    for node in picture.nodes.iter().filter(|n| n.group.is_none()) {
        out.push_str(&format!("  {}\n", line(node)));
    }
    for edge in &picture.edges {
        let arrow = match edge.kind {
            "set" => "==>",
            "order" => "-.->",
            _bind => "-->",
        };
        let id = |address: &str| ids.get(address).cloned().unwrap_or_default();
        out.push_str(&format!("  {} {arrow} {}\n", id(&edge.from), id(&edge.to)));
    }
    out.push_str(
        "  classDef pointer stroke:#b45309,stroke-width:2px\n  classDef durable stroke:#047857,stroke-width:2px\n",
    );
    out.push_str("  classDef external stroke-dasharray:4\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use imm_runtime::report::graph::picture;
    use imm_runtime::simulate::shapes::Program;

    #[test]
    fn text_has_every_node_and_edge_and_balances() {
        let picture = picture(&Program { chain: 3, ..Program::hello() }.graph(), None);
        let (dot, mermaid) = (dot(&picture, "hello"), mermaid(&picture));
        assert_eq!(dot.matches(" -> ").count(), picture.edges.len());
        assert_eq!(dot.matches('{').count(), dot.matches('}').count());
        assert!(dot.contains(r#""web.instance[\"0\"]" [label = "instance[\"0\"]\ncontainer", shape = box"#), "{dot}");
        let arrows = mermaid.lines().filter(|l| l.contains("==>") || l.contains("-->") || l.contains("-.->"));
        assert_eq!(arrows.count(), picture.edges.len());
        assert_eq!(mermaid.matches("subgraph").count(), mermaid.lines().filter(|l| l.trim() == "end").count());
    }
}
