//! The resource graph: what a program says must run. Same sources and params, same bytes.

use crate::{Addr, Class, Digest, Encoder, Fields, Loc, Term, Type, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A whole program, evaluated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// Objects by address, expanded nodes already replaced by their members.
    pub nodes: BTreeMap<Addr, Node>,
    /// What was expanded: no objects, but prefixes for `why`, `logs`, `status` and a route's `to`.
    pub expanded: BTreeMap<Addr, Expanded>,
    /// What must hold.
    pub asserts: Vec<Assert>,
    /// What the program shows to its user, in source order.
    pub outputs: Vec<Output>,
    /// Settings of the environment.
    pub policy: Policy,
}

/// One object-to-be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its kind.
    pub kind: Arc<str>,
    /// What the engine may do with it.
    pub class: Class,
    /// Identity of the provider instance; `host` for the embedded platform.
    pub provider: Arc<str>,
    /// Inputs that were given or have a default; absent optionals are left out. Nodes of one declaration share those that are
    /// the same for all of them.
    pub inputs: Fields<Arc<Input>>,
    /// What it depends on, without repetitions, in address order.
    pub edges: Vec<Edge>,
    /// The `with` block. Nodes of one declaration share it, and where they were written.
    pub with: Arc<With>,
    /// Where it was written.
    pub origin: Arc<Origin>,
    /// What it is, apart from which one and where: see [`spec`](crate::spec).
    pub spec: Digest,
}

/// One input of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Its value, perhaps with holes.
    pub term: Term,
    /// Where the expression was written; the node's own place for a default.
    pub loc: Loc,
    /// A short digest of the expression's text, spaces apart; 0 for a default. Tells an edit from another value of a param.
    pub written: u64,
    /// Params, files and lets that went into it. Two generations are compared by these to say why something changed.
    pub causes: Vec<Cause>,
}

/// A param, file, name or function that went into an input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cause {
    /// What it was.
    pub what: CauseKind,
    /// Where the program uses it; for a let where it is declared.
    pub loc: Loc,
    /// Digest of the value or bytes. For a secret a digest of nothing: it never tells.
    pub digest: Digest,
}

/// Kinds of causes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CauseKind {
    /// A param and where its value came from.
    Param {
        /// Its name.
        name: Arc<str>,
        /// Who set it.
        from: ParamFrom,
        /// Its value for people; `[secret]` for a secret, shortened when long.
        shown: Arc<str>,
    },
    /// A file of the module, by the path as written.
    File(Arc<str>),
    /// A file of the machine (`executable`).
    Machine(Arc<str>),
    /// A name on the way from there to the input: a `let`, a param of a component, the value of a `for`.
    Let {
        /// Its name.
        name: Arc<str>,
        /// As [`Input::written`].
        written: u64,
        /// The places of the causes that it holds itself: what those hold is found at them.
        through: Arc<[Loc]>,
    },
    /// A function that was called. Its digest is that of its text.
    Function(Arc<str>),
}

/// Who set a param, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ParamFrom {
    /// The declaration.
    Default,
    /// `environment NAME { params = … }`
    Environment,
    /// `--params FILE.json`
    ParamsFile,
    /// `IMM_PARAM_NAME`
    Variable,
    /// `--param` or `--param-file`
    CommandLine,
    /// `given` of a test, `:set` of the REPL, a recorded generation.
    Given,
}

/// A dependency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// What is needed. Always a key of [`Graph::nodes`].
    pub to: Addr,
    /// Which part of the two nodes it ties.
    pub kind: EdgeKind,
}

/// What a dependency means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EdgeKind {
    /// An identity input holds the handle or a late output: if the target is replaced, so is this node.
    Bind,
    /// `needs`, or a reference to a value known at plan: only order.
    Order,
    /// A movable input of a pointer or durable refers to it: the target of a switch. Not needed to reserve.
    Set,
}

/// The `with` block, defaults filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct With {
    /// Bound of one create or verify, milliseconds.
    pub timeout_ms: u64,
    /// How often a transient failure is tried again.
    pub retries: u32,
    /// How its successor takes over.
    pub replace: Replace,
    /// A durable that refuses even consented destruction until this is false.
    pub protect: bool,
}

impl Default for With {
    fn default() -> Self {
        Self { timeout_ms: 300_000, retries: 3, replace: Replace::Beside, protect: true }
    }
}

/// How a successor takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replace {
    /// Both run side by side until the switch.
    Beside,
    /// The new one is made ready, the old one stopped, the new one started.
    Handover {
        /// Longest time without either, milliseconds.
        max_outage_ms: u64,
    },
    /// The old one is stopped first, since the kind cannot do better.
    StopFirst {
        /// Why.
        because: Arc<str>,
    },
}

/// Where a node was written, readable without its sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The declaration.
    pub loc: Loc,
    /// The `use` sites around it, outermost first.
    pub uses: Arc<[Loc]>,
}

/// A node that became several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expanded {
    /// Its kind.
    pub kind: Arc<str>,
    /// The members' addresses in order.
    pub members: Vec<Addr>,
    /// Where it was written.
    pub origin: Arc<Origin>,
    /// Where the count was written.
    pub count_loc: Loc,
}

/// A condition that must hold before cut-over. Those known at plan have been checked already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assert {
    /// To Bool.
    pub condition: Term,
    /// What to say when it does not hold; never secret.
    pub message: Arc<str>,
    /// Where it was written.
    pub loc: Loc,
}

/// A value shown to the user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub ty: Type,
    /// Its value, perhaps with holes.
    pub term: Term,
    /// Where it was written.
    pub loc: Loc,
}

/// Settings of an environment; also options of `imm apply`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Earlier generations that stay warm.
    pub keep: u32,
    /// Earlier generations that can be made again from the ledger.
    pub retain: u32,
    /// How long a committed generation is watched, milliseconds.
    pub watch_ms: u64,
    /// Largest part of the objects that one apply may replace without being asked, parts per million; `None`: no limit.
    pub replace_limit_ppm: Option<u64>,
    /// Wants a typed answer even with `--yes`.
    pub confirm: bool,
    /// Settings of the platform by name, for example `isolation`.
    pub platform: Fields<Value>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { keep: 1, retain: 20, watch_ms: 0, replace_limit_ppm: None, confirm: false, platform: Fields::new() }
    }
}

impl Node {
    /// The value of an input when it has no hole.
    pub fn known(&self, input: &str) -> Option<&Value> {
        self.inputs.get(input).and_then(|i| i.term.known())
    }
}

impl Graph {
    /// The graph root: nodes, specs, settings, policy, asserts and output terms, but not where they were written. Equal
    /// roots need no apply.
    pub fn root(&self) -> Digest {
        let mut out = Encoder::new("imm.graph.1");
        out.number(self.nodes.len() as u64);
        for (addr, node) in &self.nodes {
            out.text(addr.as_str());
            out.digest(&node.spec);
            out.number(node.inputs.len() as u64);
            for (name, input) in &node.inputs {
                out.text(name);
                crate::spec::encode_term(&input.term, &mut out, &mut |addr, out| out.text(addr.as_str()));
            }
            out.number(node.edges.len() as u64);
            for edge in &node.edges {
                out.text(edge.to.as_str());
                out.tag(edge.kind as u8);
            }
            let Replace::Handover { max_outage_ms } = node.with.replace else {
                out.number(u64::from(node.with.replace != Replace::Beside));
                continue;
            };
            out.number(2);
            out.number(max_outage_ms);
        }
        out.number(self.asserts.len() as u64);
        for assert in &self.asserts {
            crate::spec::encode_term(&assert.condition, &mut out, &mut |addr, out| out.text(addr.as_str()));
            out.text(&assert.message);
        }
        out.number(self.outputs.len() as u64);
        for output in &self.outputs {
            out.text(&output.name);
            crate::spec::encode_term(&output.term, &mut out, &mut |addr, out| out.text(addr.as_str()));
        }
        out.finish()
    }
}
