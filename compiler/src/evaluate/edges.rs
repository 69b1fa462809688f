//! What a node depends on, from its inputs: see [`EdgeKind`].

use super::Evaluator;
use super::node::Inputs;
use imm_ir::{Addr, Class, Edge, EdgeKind, FieldClass, KindSchema, Node};

impl Evaluator<'_> {
    /// Adds inputs to a node, and the edges that they mean.
    ///
    /// Identity inputs bind. Everything else of a pointer or durable is not needed to reserve it: an edge of the setting.
    /// `needs` and references to what is known at plan order.
    pub(super) fn connect(&self, node: &mut Node, schema: &KindSchema, given: Inputs, needs: &[Addr]) {
        let mut edges = std::mem::take(&mut node.edges);
        let is_set = matches!(node.class, Class::Pointer | Class::Durable);
        for (name, input) in &given.inputs {
            let class = schema.field(name).map_or(FieldClass::Policy, |field| field.class);
            let kind = match class {
                FieldClass::Identity => EdgeKind::Bind,
                FieldClass::Movable => EdgeKind::Set,
                FieldClass::Policy | FieldClass::Shape if is_set => EdgeKind::Set,
                FieldClass::Policy | FieldClass::Shape => EdgeKind::Order,
            };
            input.term.handles(&mut |addr| self.edges_to(addr, kind, &mut edges));
            input.term.holes(&mut |addr, _| self.edges_to(addr, kind, &mut edges));
            let order = if kind == EdgeKind::Set { EdgeKind::Set } else { EdgeKind::Order };
            for addr in given.orders.get(name).into_iter().flatten() {
                self.edges_to(addr, order, &mut edges);
            }
        }
        let needed = if node.class == Class::Pointer { EdgeKind::Set } else { EdgeKind::Order };
        for addr in needs {
            self.edges_to(addr, needed, &mut edges);
        }
        edges.sort_unstable();
        // Whoever binds follows anyway; an order sorts right behind a binding.
        edges.dedup_by(|next, kept| {
            next.to == kept.to
                && (next.kind == kept.kind || (next.kind == EdgeKind::Order && kept.kind == EdgeKind::Bind))
        });
        node.edges = edges;
        node.inputs.extend(given.inputs);
    }

    /// Edges to a node, to the members of an expanded node, or to everything inside of an instance.
    fn edges_to(&self, addr: &Addr, kind: EdgeKind, edges: &mut Vec<Edge>) {
        if self.graph.nodes.contains_key(addr) {
            edges.push(Edge { to: addr.clone(), kind });
        } else if let Some(expanded) = self.graph.expanded.get(addr) {
            edges.extend(expanded.members.iter().map(|member| Edge { to: member.clone(), kind }));
        } else {
            let inside = self.graph.nodes.range(addr.clone()..).map(|(inner, _)| inner);
            let inside = inside.take_while(|inner| inner.is_within(addr));
            edges.extend(inside.map(|inner| Edge { to: inner.clone(), kind }));
        }
    }
}
