//! Programs as graphs, written down without a compiler: what the simulation applies.
//!
//! [`Builder`] makes nodes as evaluation would (defaults filled in, edges from the fields' classes, spec digests);
//! [`Program`] has the shapes of the engine reference, one field each; `random` draws one.

mod program;
mod random;

pub use program::{Migration, Program, Rollout};
pub use random::SECRET;

use super::call::Place;
use imm_ir::{
    Addr, Edge, EdgeKind, Expanded, FieldClass, Fields, Graph, Input, KindSchema, Loc, Node, Origin, Output, Replace,
    Term, Type, Value, With, kinds, spec,
};
use std::sync::Arc;

/// Builds a graph node by node; what a node refers to comes first.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    graph: Graph,
    line: u32,
    place: Place,
}

impl Builder {
    /// An empty program.
    pub fn new() -> Self {
        Self::default()
    }

    /// What follows is made by this provider.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// A node of a built-in kind with these inputs; the schema's defaults are added. An unknown kind adds nothing.
    #[must_use]
    pub fn node(mut self, address: Addr, kind: &str, inputs: Vec<(&str, Value)>) -> Self {
        let inputs = inputs.into_iter().map(|(name, value)| (name, Term::Value(value))).collect();
        self.add(address, kind, inputs, With::default());
        self
    }

    /// As [`node`](Self::node), with holes in its inputs.
    #[must_use]
    pub fn late(mut self, address: Addr, kind: &str, inputs: Vec<(&str, Term)>) -> Self {
        self.add(address, kind, inputs, With::default());
        self
    }

    /// Equal containers under a service's address, which then stands for all of them.
    #[must_use]
    pub fn service(self, address: &Addr, replicas: u32, inputs: &[(&str, Value)]) -> Self {
        let inputs: Vec<_> = inputs.iter().map(|(name, value)| (*name, Term::Value(value.clone()))).collect();
        self.group("service", address, replicas, &inputs, &Replace::Beside)
    }

    /// As [`service`](Self::service), of another kind, or with another way to take over.
    #[must_use]
    pub fn group(
        mut self,
        kind: &str,
        address: &Addr,
        replicas: u32,
        inputs: &[(&str, Term)],
        replace: &Replace,
    ) -> Self {
        let mut members = Vec::new();
        for number in 0..replicas {
            let member = address.child("instance").key(&number.to_string());
            let inputs = inputs.to_vec();
            // Short, so that a version that never becomes healthy is given up soon.
            let with = With { timeout_ms: 10_000, replace: replace.clone(), ..With::default() };
            self.add(member.clone(), "container", inputs, with);
            members.push(member);
        }
        let origin = Arc::new(Origin { loc: self.loc(), uses: Arc::default() });
        let expanded = Expanded { kind: Arc::from(kind), members, origin, count_loc: self.loc() };
        self.graph.expanded.insert(address.clone(), expanded);
        self
    }

    /// What is at or below `address` comes after `to`.
    #[must_use]
    pub fn needs(mut self, address: &Addr, to: &Addr) -> Self {
        for (_, node) in self.graph.nodes.iter_mut().filter(|(addr, _)| addr.is_within(address)) {
            node.edges.push(Edge { to: to.clone(), kind: EdgeKind::Order });
            node.edges.sort();
            node.edges.dedup();
        }
        self
    }

    /// Shows an output of a node to the user.
    #[must_use]
    pub fn output(mut self, name: &str, of: Addr, field: &str) -> Self {
        let term = Term::Output(of, Arc::from(field));
        self.graph.outputs.push(Output { name: Arc::from(name), ty: Type::String, term, loc: self.loc() });
        self
    }

    /// The graph.
    pub fn build(self) -> Graph {
        self.graph
    }

    fn loc(&self) -> Loc {
        Loc { file: Arc::from("main.imm"), line: self.line.max(1), column: 1 }
    }

    fn add(&mut self, address: Addr, kind: &str, given: Vec<(&str, Term)>, with: With) {
        let Some(schema) = kinds::builtin().get(kind) else { return };
        self.line += 1;
        let mut inputs: Fields<Term> = given.into_iter().map(|(name, term)| (Arc::from(name), term)).collect();
        for field in &schema.fields {
            if let Some(default) = &field.default {
                inputs.add(&field.name, || Term::Value(default.clone()));
            }
        }
        let edges = self.edges(schema, &inputs);
        let loc = self.loc();
        let input = |term| Arc::new(Input { term, loc: loc.clone(), written: 0, causes: Vec::new() });
        let inputs: Fields<Arc<Input>> = inputs.into_iter().map(|(name, term)| (name, input(term))).collect();
        let (digest, _) = spec::spec(schema, self.place.identity(), &inputs);
        let node = Node {
            kind: Arc::from(kind),
            class: schema.class,
            provider: Arc::from(self.place.identity()),
            inputs,
            edges,
            with: Arc::new(with),
            origin: Arc::new(Origin { loc, uses: Arc::default() }),
            spec: digest,
        };
        self.graph.nodes.insert(address, node);
    }

    fn edges(&self, schema: &KindSchema, inputs: &Fields<Term>) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (name, term) in inputs {
            let kind = match schema.field(name).map(|f| f.class) {
                Some(FieldClass::Identity) => EdgeKind::Bind,
                Some(FieldClass::Movable) => EdgeKind::Set,
                Some(FieldClass::Policy | FieldClass::Shape) | None => EdgeKind::Order,
            };
            let mut found = |addr: &Addr| {
                let members = self.graph.expanded.get(addr).map(|e| e.members.clone());
                let reached = members.unwrap_or_else(|| vec![addr.clone()]);
                edges.extend(reached.into_iter().map(|to| Edge { to, kind }));
            };
            term.handles(&mut found);
            term.holes(&mut |addr, _| found(addr));
        }
        edges.sort();
        edges.dedup();
        edges
    }
}

/// The program that `imm destroy` applies.
pub fn nothing() -> Graph {
    Graph::default()
}
