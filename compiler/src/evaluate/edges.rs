//! What a node depends on, from its inputs: see [`EdgeKind`].

use super::inputs::Inputs;
use super::{Evaluator, Purpose};
use imm_ir::{Addr, Class, Edge, EdgeKind, FieldClass, KindSchema};

impl Evaluator<'_> {
    /// Adds the edges that inputs mean.
    ///
    /// Identity inputs bind. Everything else of a pointer or durable is not needed to reserve it: an edge of the setting.
    /// `needs` and references to what is known at plan order.
    pub(super) fn edges(
        &self,
        class: Class,
        schema: &KindSchema,
        given: &Inputs,
        needs: &[Addr],
        edges: &mut Vec<Edge>,
    ) {
        // Only what pointers point at is looked at in a check, see `finish`.
        if self.purpose == Purpose::Check && class != Class::Pointer {
            return;
        }
        let is_set = matches!(class, Class::Pointer | Class::Durable);
        let kind_of = |name: &str| match schema.field(name).map_or(FieldClass::Policy, |field| field.class) {
            FieldClass::Identity => EdgeKind::Bind,
            FieldClass::Movable => EdgeKind::Set,
            FieldClass::Policy | FieldClass::Shape if is_set => EdgeKind::Set,
            FieldClass::Policy | FieldClass::Shape => EdgeKind::Order,
        };
        for (name, input) in &given.inputs {
            input.term.handles(&mut |addr| self.edges_to(addr, kind_of(name), edges));
            input.term.holes(&mut |addr, _| self.edges_to(addr, kind_of(name), edges));
        }
        for (name, addrs) in &given.orders {
            let order = if kind_of(name) == EdgeKind::Set { EdgeKind::Set } else { EdgeKind::Order };
            addrs.iter().for_each(|addr| self.edges_to(addr, order, edges));
        }
        let needed = if class == Class::Pointer { EdgeKind::Set } else { EdgeKind::Order };
        needs.iter().for_each(|addr| self.edges_to(addr, needed, edges));
        edges.sort_unstable();
        // Whoever binds follows anyway; an order sorts right behind a binding.
        edges.dedup_by(|next, kept| {
            next.to == kept.to
                && (next.kind == kept.kind || (next.kind == EdgeKind::Order && kept.kind == EdgeKind::Bind))
        });
    }

    /// Edges to a node, to the members of an expanded node, or to everything inside of an instance.
    fn edges_to(&self, addr: &Addr, kind: EdgeKind, edges: &mut Vec<Edge>) {
        if self.made(addr).is_some() {
            edges.push(Edge { to: addr.clone(), kind });
        } else if let Some((_, members)) = self.group(addr) {
            edges.extend(members.iter().map(|member| Edge { to: member.clone(), kind }));
        } else {
            let inside = self.nodes.keys_from(addr).take_while(|inner| inner.is_within(addr));
            edges.extend(inside.map(|inner| Edge { to: inner.clone(), kind }));
        }
    }
}
