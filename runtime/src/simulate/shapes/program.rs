//! A version of a small program: one field for each shape of the engine reference.

use super::Builder;
use crate::simulate::call::Place;
use imm_ir::{Addr, Blob, Builtin, Content, Fields, Graph, Key, Replace, Term, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// The port of that route, which it has alone.
    pub port: i64,
    /// It cannot be made ready before the old one has stopped.
    pub stop_first: bool,
    /// A migration of the database, or of nothing.
    pub migration: Option<Migration>,
    /// How the routes move, if not as routes do by themselves.
    pub rollout: Option<Rollout>,
    /// How long it is watched after its commit, milliseconds.
    pub watch_ms: u64,
    /// How much that directory holds, MiB: a cell, which only grows.
    pub size: i64,
    /// Its owner: another one is another directory.
    pub owner: String,
    /// Name of what the database holds its data on.
    pub store: String,
    /// Known to the containers, who also use a secret that is made for them.
    pub secret: Option<String>,
    /// The containers call others, of this version, through a route of their own.
    pub tier: Option<String>,
    /// A service of this version and the route to it at another provider, and a file there that cannot be looked for.
    pub afar: Option<String>,
    /// What is not in any route is bound to an equal image of its own.
    pub twin: bool,
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
    /// A lost run does no harm when it is repeated.
    pub idempotent: bool,
}

impl Migration {
    /// One that the old generation can live with.
    pub fn compatible(text: &str) -> Self {
        Self { text: text.to_owned(), effect: "compatible", undo: false, every_apply: false, idempotent: false }
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
            port: 5432,
            stop_first: false,
            migration: None,
            rollout: None,
            watch_ms: 0,
            size: 1,
            owner: "65532".to_owned(),
            store: "store".to_owned(),
            secret: None,
            tier: None,
            afar: None,
            twin: false,
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
        let mut builder = Builder::new().node(root("image"), "image", image(&self.greeting));
        builder = self.with_tier(builder);
        let mut inputs =
            vec![("image", Term::Value(Value::Node(root("image")))), ("port", Term::Value(Value::Int(80)))];
        inputs.push(("health", Term::Value(Value::Variant(Arc::from("http"), Fields::new()))));
        if self.volume {
            let shape = vec![
                ("size", Value::Bytes(self.size << 20)),
                ("access", Value::tag("shared")),
                ("owner", Value::text(self.owner.as_str())),
            ];
            builder = builder.node(root("data"), "volume", shape);
            inputs.push(("mounts", Term::Value(mount("data"))));
        }
        let mut variables = BTreeMap::new();
        if self.broken {
            variables.insert(Key::from("BROKEN"), Term::Value(Value::text("1")));
        }
        if self.tier.is_some() {
            variables.insert(Key::from("API"), Term::Output(root("inner"), Arc::from("url")));
        }
        if let Some(secret) = &self.secret {
            variables.insert(Key::from("TOKEN"), Term::Value(Value::text(secret.as_str()).into_secret()));
            let value = Term::Output(root("token"), Arc::from("value"));
            builder =
                builder.node(root("token"), "secret", Vec::new()).late(root("key"), "file", vec![("content", value)]);
        }
        if !variables.is_empty() {
            inputs.push(("env", variables_of(variables)));
        }
        let web = root(&self.service);
        builder = builder.group("service", &web, self.replicas, &inputs, &Replace::Beside);
        let route = |listen: i64| {
            let mut inputs = known(&[
                ("listen", Value::Int(listen)),
                ("to", Value::Node(web.clone())),
                ("drain", Value::Duration(self.drain_s * 1000)),
            ]);
            inputs.extend(self.rollout.as_ref().map(|rollout| ("rollout", rollout.term())));
            inputs
        };
        builder = builder.late(root("front"), "route", route(8080));
        if self.second_route {
            builder = builder.late(root("back"), "route", route(8081));
        }
        if self.fan > 0 {
            if self.twin {
                builder = builder.node(root("twin"), "image", image(&self.greeting));
            }
            let of = if self.twin { "twin" } else { "image" };
            let inputs = [("image", Value::Node(root(of))), ("env", env("FAN", &self.greeting))];
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
            let inputs = known(&[("image", Value::Node(root("image"))), ("env", env("MAIL", text))]);
            builder = builder.group("worker", &root("mailer"), 2, &inputs, &Replace::Beside);
        }
        builder = self.with_afar(self.with_database(builder));
        if let Some(job) = &self.migration {
            builder = job.add(builder, self).needs(&web, &root("migrate"));
        }
        let mut graph = builder.output("url", root("front"), "url").build();
        graph.policy.watch_ms = self.watch_ms;
        graph
    }

    fn with_database(&self, builder: Builder) -> Builder {
        let root = Addr::root;
        let Some(version) = &self.database else { return builder };
        let store = vec![("size", Value::Bytes(1 << 30)), ("snapshot", Value::tag("before_apply"))];
        let inputs = known(&[
            ("image", Value::Node(root("image"))),
            ("port", Value::Int(5432)),
            ("env", env("VERSION", version)),
            ("mounts", mount(&self.store)),
        ]);
        let replace = if self.stop_first {
            Replace::StopFirst { because: Arc::from("it locks its files") }
        } else {
            Replace::Handover { max_outage_ms: 20_000 }
        };
        let route = vec![
            ("listen", Value::Int(self.port)),
            ("protocol", Value::tag("tcp")),
            ("to", Value::Node(root("pg"))),
            ("rollout", Value::tag("all_at_once")),
            ("drain", Value::Duration(1000)),
        ];
        builder.node(root(&self.store), "volume", store).group("service", &root("pg"), 1, &inputs, &replace).node(
            root("db"),
            "route",
            route,
        )
    }

    /// Whoever is called through a route, whose address is another one's input.
    fn with_tier(&self, builder: Builder) -> Builder {
        let root = Addr::root;
        let Some(version) = &self.tier else { return builder };
        let inputs =
            [("image", Value::Node(root("image"))), ("port", Value::Int(81)), ("env", env("VERSION", version))];
        let route = vec![("to", Value::Node(root("api"))), ("drain", Value::Duration(1000))];
        builder.service(&root("api"), 2, &inputs).node(root("inner"), "route", route)
    }

    fn with_afar(&self, builder: Builder) -> Builder {
        let root = Addr::root;
        let Some(version) = &self.afar else { return builder };
        let inputs =
            [("image", Value::Node(root("distant"))), ("port", Value::Int(82)), ("env", env("VERSION", version))];
        let route =
            vec![("listen", Value::Int(8090)), ("to", Value::Node(root("far"))), ("drain", Value::Duration(1000))];
        let builder = builder.at(Place::Afar).node(root("distant"), "image", image(version));
        let builder = builder.service(&root("far"), 2, &inputs).node(root("gate"), "route", route);
        let note = vec![("content", Value::text(version.as_str()))];
        builder.node(root("note"), "file", note).at(Place::Here)
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
    fn add(&self, builder: Builder, program: &Program) -> Builder {
        let mut inputs: Vec<(&str, Term)> = vec![
            ("image", Term::Value(Value::Node(Addr::root("image")))),
            ("effect", Term::Value(Value::tag(self.effect))),
            ("run", Term::Value(Value::tag(if self.every_apply { "every_apply" } else { "once" }))),
            ("idempotent", Term::Value(Value::Bool(self.idempotent))),
        ];
        if self.undo {
            inputs.push(("undo", Term::Value(Value::List(vec![Value::text("/app"), Value::text("down")]))));
        }
        if program.volume {
            inputs.push(("mounts", Term::Value(mount("data"))));
        }
        let mut variables = BTreeMap::from([(Key::from("TEXT"), Term::Value(Value::text(self.text.as_str())))]);
        if program.database.is_some() {
            variables.insert(Key::from("DATABASE"), Term::Output(Addr::root("db"), Arc::from("address")));
        }
        inputs.push(("env", variables_of(variables)));
        builder.late(Addr::root("migrate"), "job", inputs)
    }
}

fn image(text: &str) -> Vec<(&'static str, Value)> {
    let blob = Blob { bytes: Arc::from(text.as_bytes()), executable: true };
    let files = BTreeMap::from([(Key::from("/app"), Value::Content(Content::Bytes(blob)))]);
    vec![("files", Value::Map(files)), ("cmd", Value::List(vec![Value::text("/app")]))]
}

/// A volume mounted writable at `/data`.
fn mount(volume: &str) -> Value {
    let of = (Arc::from("of"), Value::Node(Addr::root(volume)));
    let fields = Fields::from([of, (Arc::from("read_only"), Value::Bool(false))]);
    Value::Map(BTreeMap::from([(Key::from("/data"), Value::Variant(Arc::from("volume"), fields))]))
}

fn env(name: &str, value: &str) -> Value {
    Value::Map(BTreeMap::from([(Key::from(name), Value::text(value))]))
}

/// Known ones as a value, as evaluation leaves them.
fn variables_of(terms: BTreeMap<Key, Term>) -> Term {
    let known: Option<BTreeMap<Key, Value>> =
        terms.iter().map(|(key, term)| Some((key.clone(), term.known()?.clone()))).collect();
    known.map_or(Term::Map(terms), |values| Term::Value(Value::Map(values)))
}

fn known(inputs: &[(&'static str, Value)]) -> Vec<(&'static str, Term)> {
    inputs.iter().map(|(name, value)| (*name, Term::Value(value.clone()))).collect()
}
