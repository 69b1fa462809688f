//! What a node becomes in the graph: itself, or the members of its expansion. `with` of a `use` goes to all inside.

use super::inputs::Inputs;
use super::{Evaluator, Purpose, Result, budget};
use crate::hir::Node;
use crate::resolve::providers;
use imm_ir::{
    Addr, Diagnostic, Digest, Edge, Expanded, Fields, Input, KindSchema, OutputFrom, OutputSchema, Span, Term, Value,
    With, code, spec,
};
use std::sync::Arc;

/// Most members of one expansion, whatever its schema's refinement says.
const MEMBERS: i64 = 1000;

impl<'a> Evaluator<'a> {
    /// Puts a node into the graph, or its members when it expands.
    pub(super) fn place(
        &mut self,
        node: &Node,
        schema: &'a KindSchema,
        addr: &Addr,
        mut given: Inputs,
        with: &(Arc<With>, Vec<Addr>),
    ) -> Result<()> {
        let Some(expansion) = &schema.expands else {
            return self.insert(node.span, schema, addr, given, with);
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
        given.inputs.remove(&expansion.count);
        for n in 0..number {
            let member = group.key(&n.to_string());
            self.budget.node(node.span).map_err(|exceeded| self.fail(*exceeded))?;
            // The last one needs no copy; most have one member.
            let inputs = if n + 1 == number { std::mem::take(&mut given) } else { given.clone() };
            self.insert(node.span, member_schema, &member, inputs, with)?;
            given.bytes = 0;
            members.push(member);
        }
        match self.purpose {
            Purpose::Plan => {
                let origin = self.origin(node.span);
                let kind = Arc::clone(&schema.name);
                self.graph.expanded.insert(addr.clone(), Expanded { kind, members, origin, count_loc });
            }
            Purpose::Check => _ = self.checked_groups.insert(addr.clone(), (schema, members)),
        }
        Ok(())
    }

    fn insert(
        &mut self,
        span: Span,
        schema: &'a KindSchema,
        addr: &Addr,
        given: Inputs,
        with: &(Arc<With>, Vec<Addr>),
    ) -> Result<()> {
        let needs = budget::many(with.1.len().saturating_mul(size_of::<Edge>()));
        let address = budget::many(addr.as_str().len()).saturating_mul(2);
        let bytes = budget::NODE + address + given.bytes + given.places + needs;
        self.budget.keep(bytes, span).map_err(|exceeded| self.fail(*exceeded))?;
        if &*schema.name == "route" {
            self.routes.push(super::routes::Route { addr: addr.clone(), span });
        }
        let provider = providers::of(&schema.name);
        let mut edges = Vec::new();
        self.edges(schema.class, schema, &given, &with.1, &mut edges);
        match self.purpose {
            Purpose::Plan => {
                let node = imm_ir::Node {
                    kind: Arc::clone(&schema.name),
                    class: schema.class,
                    provider: self.provided_by(provider),
                    spec: spec::spec(schema, provider, &given.inputs).0,
                    inputs: given.inputs,
                    edges,
                    with: Arc::clone(&with.0),
                    origin: self.origin(span),
                };
                self.nodes.insert(addr.clone(), node);
            }
            Purpose::Check => {
                // Whether anything asks what the node is.
                let asked = &self.module.outputs_read;
                let of_spec = |output: &OutputSchema| output.from == OutputFrom::Spec && asked.contains(&output.name);
                let tells = schema.outputs.iter().any(of_spec);
                let spec = if tells { spec::spec(schema, provider, &given.inputs).0 } else { Digest([0; 32]) };
                let inputs = if tells { Fields::new() } else { given.inputs };
                self.checked.insert(addr.clone(), Kept { schema, inputs, edges, spec });
            }
        }
        Ok(())
    }

    /// Adds the later fields of a pointer or durable.
    pub(super) fn complete(
        &mut self,
        addr: &Addr,
        schema: &KindSchema,
        given: Inputs,
        with: Option<(Arc<With>, Vec<Addr>)>,
    ) {
        let (with, needs) = with.unzip();
        let mut edges = self.made(addr).map(|node| node.edges.to_vec()).unwrap_or_default();
        self.edges(schema.class, schema, &given, needs.as_deref().unwrap_or_default(), &mut edges);
        if let Some(node) = self.nodes.get_mut(addr) {
            node.edges = edges;
            if let Some(with) = with {
                node.with = with;
            }
            node.inputs.extend(given.inputs);
        } else if let Some(kept) = self.checked.get_mut(addr) {
            kept.edges = edges;
            kept.inputs.extend(given.inputs);
        }
    }

    /// Most are of one provider, whose name is made once.
    fn provided_by(&mut self, name: &str) -> Arc<str> {
        if *self.provider != *name {
            self.provider = Arc::from(name);
        }
        Arc::clone(&self.provider)
    }

    /// The kind and the members of an expanded node that was made so far.
    pub(super) fn group(&self, addr: &Addr) -> Option<(&'a KindSchema, &[Addr])> {
        match self.purpose {
            Purpose::Plan => {
                let expanded = self.graph.expanded.get(addr)?;
                let module = self.module;
                Some((module.kind(&expanded.kind)?, &expanded.members))
            }
            Purpose::Check => self.checked_groups.get(addr).map(|(schema, members)| (*schema, &**members)),
        }
    }

    /// A node that was made so far.
    pub(super) fn made(&self, addr: &Addr) -> Option<Made<'_, 'a>> {
        match self.purpose {
            Purpose::Plan => {
                let node = self.nodes.get(addr)?;
                let module = self.module;
                let schema = module.kind(&node.kind)?;
                Some(Made { schema, inputs: &node.inputs, edges: &node.edges, spec: node.spec })
            }
            Purpose::Check => {
                let Kept { schema, inputs, edges, spec } = self.checked.get(addr)?;
                Some(Made { schema, inputs, edges, spec: *spec })
            }
        }
    }
}

/// What a check keeps of a node. It hands none out: they need no order, no places and nothing that nobody reads.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    schema: &'a KindSchema,
    inputs: Fields<Arc<Input>>,
    edges: Vec<Edge>,
    spec: Digest,
}

/// What can be asked of a node that was made.
pub(super) struct Made<'n, 'a> {
    pub schema: &'a KindSchema,
    pub inputs: &'n Fields<Arc<Input>>,
    pub edges: &'n [Edge],
    pub spec: Digest,
}

impl Made<'_, '_> {
    /// The value of an input: as given, or its default.
    pub fn input(&self, name: &str) -> Term {
        let default = || self.schema.field(name)?.default.clone();
        match self.inputs.get(name) {
            Some(input) => input.term.clone(),
            None => Term::Value(default().unwrap_or(Value::None)),
        }
    }
}
