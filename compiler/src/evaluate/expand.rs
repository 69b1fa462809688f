//! What a node becomes in the graph: itself, or the members of its expansion. `with` of a `use` goes to all inside.

use super::node::Inputs;
use super::{Evaluator, Result};
use crate::hir::Node;
use crate::resolve::providers;
use imm_ir::{Addr, Diagnostic, Expanded, Fields, Input, KindSchema, Span, Term, Value, With, code, spec};
use std::sync::Arc;

/// Most members of one expansion, whatever its schema's refinement says.
const MEMBERS: i64 = 1000;

impl Evaluator<'_> {
    /// Puts a node into the graph, or its members when it expands.
    pub(super) fn place(
        &mut self,
        node: &Node,
        schema: &KindSchema,
        addr: &Addr,
        given: Inputs,
        with: &(With, Vec<Addr>),
    ) -> Result<()> {
        let Some(expansion) = &schema.expands else {
            self.insert(node.span, schema, addr, given, with);
            return Ok(());
        };
        let count = given.inputs.get(&expansion.count);
        let count_loc = count.map(|input| input.loc.clone()).unwrap_or_default();
        let Some(number) = count.and_then(|input| input.term.known()).and_then(Value::as_int) else {
            return Ok(());
        };
        if !(0..=MEMBERS).contains(&number) {
            let span = node.field(&expansion.count).map_or(node.span, |field| field.value.span);
            let message = format!("`{}` cannot be {number}", expansion.count);
            return Err(self.fail(
                Diagnostic::error(code::OUT_OF_RANGE, span, message).help(format!("it is from 1 to {MEMBERS}")),
            ));
        }
        let module = self.module;
        let Some(member_schema) = module.kind(&expansion.kind) else { return Ok(()) };
        let group = addr.child(&expansion.member);
        let mut members = Vec::new();
        let carried = |name: &Arc<str>| *name != expansion.count;
        for n in 0..number {
            let member = group.key(&n.to_string());
            self.budget.node(node.span).map_err(|exceeded| self.fail(*exceeded))?;
            let inputs: Fields<Input> = given
                .inputs
                .iter()
                .filter(|(name, _)| carried(name))
                .map(|(k, v)| (Arc::clone(k), v.clone()))
                .collect();
            let inputs = Inputs { inputs, orders: given.orders.clone() };
            self.insert(node.span, member_schema, &member, inputs, with);
            members.push(member);
        }
        let origin = self.origin(node.span);
        let kind = Arc::clone(&schema.name);
        self.graph.expanded.insert(addr.clone(), Expanded { kind, members, origin, count_loc });
        Ok(())
    }

    fn insert(&mut self, span: Span, schema: &KindSchema, addr: &Addr, given: Inputs, with: &(With, Vec<Addr>)) {
        let origin = self.origin(span);
        let provider = providers::of(&schema.name);
        let (spec, _) = spec::spec(schema, provider, &given.inputs);
        let mut node = imm_ir::Node {
            kind: Arc::clone(&schema.name),
            class: schema.class,
            provider: Arc::from(provider),
            inputs: Fields::new(),
            edges: Vec::new(),
            with: with.0.clone(),
            origin,
            spec,
        };
        self.connect(&mut node, schema, given, &with.1);
        if &*schema.name == "route" {
            self.routes.push(super::finish::Route { addr: addr.clone(), span });
        }
        self.graph.nodes.insert(addr.clone(), node);
    }

    /// Adds the later fields of a pointer or durable.
    pub(super) fn complete(
        &mut self,
        addr: &Addr,
        schema: &KindSchema,
        given: Inputs,
        with: Option<(With, Vec<Addr>)>,
    ) {
        let Some(mut node) = self.graph.nodes.remove(addr) else { return };
        let mut needs = Vec::new();
        if let Some((with, needed)) = with {
            node.with = with;
            needs = needed;
        }
        self.connect(&mut node, schema, given, &needs);
        self.graph.nodes.insert(addr.clone(), node);
    }

    /// A known value of a node, for checks.
    pub(super) fn known_input<'n>(node: &'n imm_ir::Node, name: &str) -> Option<&'n Value> {
        node.inputs.get(name).map(|input| &input.term).and_then(Term::known)
    }
}
