//! Programs as graphs, written down without a compiler: what the simulation applies.
//!
//! [`Builder`] makes nodes as evaluation would (defaults filled in, edges from the fields' classes, spec digests); the
//! functions below are the shapes of the engine reference.

use super::call::IDENTITY;
use imm_ir::{
    Addr, Blob, Builtin, Content, Edge, EdgeKind, Expanded, FieldClass, Fields, Graph, Input, Key, KindSchema, Loc,
    Node, Origin, Output, Replace, Term, Type, Value, With, kinds, spec,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Builds a graph node by node; what a node refers to comes first.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    graph: Graph,
    line: u32,
}

impl Builder {
    /// An empty program.
    pub fn new() -> Self {
        Self::default()
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
        self.group("service", address, replicas, inputs, &Replace::Beside)
    }

    /// As [`service`](Self::service), of another kind, or with another way to take over.
    #[must_use]
    pub fn group(
        mut self,
        kind: &str,
        address: &Addr,
        replicas: u32,
        inputs: &[(&str, Value)],
        replace: &Replace,
    ) -> Self {
        let mut members = Vec::new();
        for number in 0..replicas {
            let member = address.child("instance").key(&number.to_string());
            let inputs = inputs.iter().map(|(name, value)| (*name, Term::Value(value.clone()))).collect();
            // Short, so that a version that never becomes healthy is given up soon.
            let with = With { timeout_ms: 10_000, replace: replace.clone(), ..With::default() };
            self.add(member.clone(), "container", inputs, with);
            members.push(member);
        }
        let (origin, count_loc) = (Origin { loc: self.loc(), uses: Vec::new() }, self.loc());
        let expanded = Expanded { kind: Arc::from(kind), members, origin, count_loc };
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
        let inputs: Fields<Input> = inputs
            .into_iter()
            .map(|(name, term)| (name, Input { term, loc: loc.clone(), written: 0, causes: Vec::new() }))
            .collect();
        let (digest, _) = spec::spec(schema, IDENTITY, &inputs);
        let node = Node {
            kind: Arc::from(kind),
            class: schema.class,
            provider: Arc::from(IDENTITY),
            inputs,
            edges,
            with,
            origin: Origin { loc, uses: Vec::new() },
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

/// A version of a small program; the fields are what a person would edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Goes into the image: a change replaces the containers.
    pub greeting: String,
    /// How many containers.
    pub replicas: u32,
    /// Name of the service.
    pub service: String,
    /// A directory that outlives the containers, mounted by all of them.
    pub volume: bool,
    /// A second route to the same service.
    pub second_route: bool,
    /// The routes' drain, seconds: a policy.
    pub drain_s: i64,
    /// The containers say so in their environment; a test makes those sick.
    pub broken: bool,
    /// Another image and so many containers that are not in any route, each bound to it.
    pub fan: u32,
    /// So many files, each made from the path of the one before.
    pub chain: u32,
    /// A worker with this text in its environment.
    pub worker: Option<String>,
    /// One that holds its data alone, of this version, behind a route of its own; a new version takes over from the old one.
    pub database: Option<String>,
    /// It cannot be made ready before the old one has stopped.
    pub stop_first: bool,
    /// A migration of the database, or of nothing.
    pub migration: Option<Migration>,
    /// How the routes move, if not as routes do by themselves.
    pub rollout: Option<Rollout>,
    /// How long it is watched after its commit, milliseconds.
    pub watch_ms: u64,
}

/// How a route moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// By weights in per cent, each held for two seconds, with the usual gate: at most 1 % more errors than the old side, of
    /// at least so many requests.
    Canary(Vec<i64>, i64),
    /// So many at a time, each batch held for a second.
    Rolling(i64),
    /// At once, held for five seconds and judged.
    BlueGreen,
}

/// A job that the web waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Another text is another job.
    pub text: String,
    /// `none`, `compatible` or `breaking`.
    pub effect: &'static str,
    /// It says how to take it back.
    pub undo: bool,
    /// It runs in every apply that changes something.
    pub every_apply: bool,
}

impl Migration {
    /// One that the old generation can live with.
    pub fn compatible(text: &str) -> Self {
        Self { text: text.to_owned(), effect: "compatible", undo: false, every_apply: false }
    }
}

impl Default for Program {
    fn default() -> Self {
        Self {
            greeting: "Hello".to_owned(),
            replicas: 2,
            service: "web".to_owned(),
            volume: true,
            second_route: false,
            drain_s: 1,
            broken: false,
            fan: 0,
            chain: 0,
            worker: None,
            database: None,
            stop_first: false,
            migration: None,
            rollout: None,
            watch_ms: 0,
        }
    }
}

impl Program {
    /// The program that the handbook begins with.
    pub fn hello() -> Self {
        Self::default()
    }

    /// Its graph.
    pub fn graph(&self) -> Graph {
        let root = Addr::root;
        let image = |text: &str| {
            let blob = Blob { bytes: Arc::from(text.as_bytes()), executable: true };
            let files = BTreeMap::from([(Key::from("/app"), Value::Content(Content::Bytes(blob)))]);
            vec![("files", Value::Map(files)), ("cmd", Value::List(vec![Value::text("/app")]))]
        };
        let mut builder = Builder::new().node(root("image"), "image", image(&self.greeting));
        let mut inputs = vec![("image", Value::Node(root("image"))), ("port", Value::Int(80))];
        inputs.push(("health", Value::Variant(Arc::from("http"), Fields::new())));
        if self.volume {
            let shape = vec![("size", Value::Bytes(1 << 20)), ("access", Value::tag("shared"))];
            builder = builder.node(root("data"), "volume", shape);
            let mount = Fields::from([
                (Arc::from("of"), Value::Node(root("data"))),
                (Arc::from("read_only"), Value::Bool(false)),
            ]);
            let mounts = BTreeMap::from([(Key::from("/data"), Value::Variant(Arc::from("volume"), mount))]);
            inputs.push(("mounts", Value::Map(mounts)));
        }
        if self.broken {
            inputs.push(("env", Value::Map(BTreeMap::from([(Key::from("BROKEN"), Value::text("1"))]))));
        }
        let web = root(&self.service);
        builder = builder.service(&web, self.replicas, &inputs);
        let route = |listen: i64| {
            let mut inputs = vec![
                ("listen", Term::Value(Value::Int(listen))),
                ("to", Term::Value(Value::Node(web.clone()))),
                ("drain", Term::Value(Value::Duration(self.drain_s * 1000))),
            ];
            inputs.extend(self.rollout.as_ref().map(|rollout| ("rollout", rollout.term())));
            inputs
        };
        builder = builder.late(root("front"), "route", route(8080));
        if self.second_route {
            builder = builder.late(root("back"), "route", route(8081));
        }
        if self.fan > 0 {
            let inputs = [("image", Value::Node(root("image"))), ("env", env("FAN", &self.greeting))];
            builder = builder.service(&root("fan"), self.fan, &inputs);
        }
        for number in 0..self.chain {
            let name = format!("link{number}");
            let content = match number.checked_sub(1) {
                Some(before) => Term::Output(root(&format!("link{before}")), Arc::from("path")),
                None => Term::Value(Value::text(self.greeting.as_str())),
            };
            builder = builder.late(root(&name), "file", vec![("content", content)]);
        }
        if let Some(text) = &self.worker {
            let inputs = [("image", Value::Node(root("image"))), ("env", env("MAIL", text))];
            builder = builder.group("worker", &root("mailer"), 2, &inputs, &Replace::Beside);
        }
        builder = self.with_database(builder);
        if let Some(job) = &self.migration {
            builder = job.add(builder, self.database.is_some()).needs(&web, &root("migrate"));
        }
        let mut graph = builder.output("url", root("front"), "url").build();
        graph.policy.watch_ms = self.watch_ms;
        graph
    }

    fn with_database(&self, builder: Builder) -> Builder {
        let root = Addr::root;
        let Some(version) = &self.database else { return builder };
        let store = vec![("size", Value::Bytes(1 << 30)), ("snapshot", Value::tag("before_apply"))];
        let mount =
            Fields::from([(Arc::from("of"), Value::Node(root("store"))), (Arc::from("read_only"), Value::Bool(false))]);
        let inputs = [
            ("image", Value::Node(root("image"))),
            ("port", Value::Int(5432)),
            ("env", env("VERSION", version)),
            ("mounts", Value::Map(BTreeMap::from([(Key::from("/data"), Value::Variant(Arc::from("volume"), mount))]))),
        ];
        let replace = if self.stop_first {
            Replace::StopFirst { because: Arc::from("it locks its files") }
        } else {
            Replace::Handover { max_outage_ms: 20_000 }
        };
        let route = vec![
            ("listen", Value::Int(5432)),
            ("protocol", Value::tag("tcp")),
            ("to", Value::Node(root("pg"))),
            ("rollout", Value::tag("all_at_once")),
            ("drain", Value::Duration(1000)),
        ];
        builder.node(root("store"), "volume", store).group("service", &root("pg"), 1, &inputs, &replace).node(
            root("db"),
            "route",
            route,
        )
    }

    /// The spec of its containers.
    pub fn container_spec(&self) -> Option<imm_ir::Digest> {
        let first = Addr::root(&self.service).child("instance").key("0");
        self.graph().nodes.get(&first).map(|n| n.spec)
    }
}

impl Rollout {
    fn term(&self) -> Term {
        let known = |name: &str, value: Value| (Arc::from(name), Term::Value(value));
        match self {
            Self::Canary(weights, min_requests) => {
                let step = |percent: &i64| {
                    Value::Record(Fields::from([
                        (Arc::from("weight"), Value::Ratio(percent * 10_000)),
                        (Arc::from("hold"), Value::Duration(2000)),
                    ]))
                };
                let fields = [
                    known("steps", Value::List(weights.iter().map(step).collect())),
                    (Arc::from("gate"), usual_gate()),
                    known("min_requests", Value::Int(*min_requests)),
                    known("wait", Value::Duration(20_000)),
                ];
                Term::Variant(Arc::from("canary"), Fields::from(fields))
            }
            Self::Rolling(batch) => Term::Variant(
                Arc::from("rolling"),
                Fields::from([known("batch", Value::Int(*batch)), known("hold", Value::Duration(1000))]),
            ),
            Self::BlueGreen => Term::Variant(
                Arc::from("blue_green"),
                Fields::from([known("hold", Value::Duration(5000)), (Arc::from("gate"), usual_gate())]),
            ),
        }
    }
}

/// `(new, old) => new.errors <= old.errors + 1%`
fn usual_gate() -> Term {
    let errors = |side| Arc::new(Term::Call(Builtin::Field(Arc::from("errors")), vec![Arc::new(Term::Var(side))]));
    let op = |sign: &str, left, right| Arc::new(Term::Call(Builtin::Operator(Arc::from(sign)), vec![left, right]));
    let allowed = op("+", errors(1), Arc::new(Term::Value(Value::Ratio(10_000))));
    Term::Lambda { first: 0, arity: 2, body: op("<=", errors(0), allowed) }
}

impl Migration {
    fn add(&self, builder: Builder, database: bool) -> Builder {
        let address = Addr::root("migrate");
        let mut inputs: Vec<(&str, Term)> = vec![
            ("image", Term::Value(Value::Node(Addr::root("image")))),
            ("effect", Term::Value(Value::tag(self.effect))),
            ("run", Term::Value(Value::tag(if self.every_apply { "every_apply" } else { "once" }))),
        ];
        if self.undo {
            inputs.push(("undo", Term::Value(Value::List(vec![Value::text("/app"), Value::text("down")]))));
        }
        let mut variables = BTreeMap::from([(Key::from("TEXT"), Term::Value(Value::text(self.text.as_str())))]);
        if database {
            variables.insert(Key::from("DATABASE"), Term::Output(Addr::root("db"), Arc::from("address")));
        }
        inputs.push(("env", Term::Map(variables)));
        builder.late(address, "job", inputs)
    }
}

/// The program that `imm destroy` applies.
pub fn nothing() -> Graph {
    Graph::default()
}

fn env(name: &str, value: &str) -> Value {
    Value::Map(BTreeMap::from([(Key::from(name), Value::text(value))]))
}
