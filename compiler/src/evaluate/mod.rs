//! From a typed program and params to the resource graph.
//!
//! Pure and deterministic: the same program, params and files give the same bytes. Only programs without errors are
//! evaluated. What is known only after create stays a [`Term`]; an error behind a condition that is not known waits for
//! it. With [`Purpose::Check`] a param without a value stays unknown ([`UNKNOWN`]), and so does what depends on it.
//!
//! Read in this order: `scope` (what is bound where), `trail` (why), `expr` and its neighbours `access`, `call`,
//! `lambda`, `comprehension`, `pattern`, `coerce`, `content` (expressions); then `params`, `node`, `inputs`, `expand`, `edges`,
//! `instance` (graph), `policy`, `finish`; `budget` bounds it all.

mod access;
mod ascending;
mod budget;
mod call;
mod coerce;
mod comprehension;
mod content;
mod demands;
mod edges;
mod expand;
mod expr;
mod finish;
mod inputs;
mod instance;
mod json;
mod lambda;
mod literal;
mod node;
mod params;
mod pattern;
mod policy;
mod routes;
mod scope;
mod testing;
mod trail;

pub use params::{Given, GivenValue, ResolvedParam, is_secret};
pub use testing::{Seen, Trial};

use crate::Options;
use crate::content::Files;
use crate::hir::{LocalId, ParamId, TypedModule};
use crate::world::World;
use ascending::Ascending;
use budget::Budget;
use imm_ir::reduce::ReduceError;
use imm_ir::{Addr, Cause, Diagnostic, Fields, Graph, KindSchema, Loc, Origin, Sources, Span, Term, Value, With, code};
use params::ParamCause;
use rustc_hash::{FxHashMap, FxHashSet};
use scope::Scopes;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use trail::{Bound, Trail};

/// What is not known because a param has no value. Never in a graph that is handed out.
const UNKNOWN: Term = Term::Var(u32::MAX);

/// What the evaluation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To find mistakes: params may be missing.
    Check,
    /// To be planned: every param needs a value.
    Plan,
}

/// What an evaluation made.
pub struct Evaluated {
    /// The graph; incomplete when there are errors.
    pub graph: Graph,
    /// Params of the root module with their values and where those came from. Unknown ones are missing.
    pub params: Vec<ResolvedParam>,
    /// Bytes of the files that were read, by path relative to the root module.
    pub files: BTreeMap<Arc<str>, Arc<[u8]>>,
    /// Programs of the machine that were read.
    pub machine: Vec<crate::content::MachineInput>,
    /// What was wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// The evaluation of an expression ended with a diagnostic.
type Failed = Box<Diagnostic>;
type Result<T> = std::result::Result<T, Failed>;

/// Evaluates a program without errors.
pub fn evaluate(
    module: &TypedModule,
    sources: &mut Sources,
    world: &dyn World,
    folder: &str,
    options: &Options,
    purpose: Purpose,
) -> Evaluated {
    let mut evaluator = Evaluator::new(module, sources, Files::new(world, folder), purpose);
    evaluator.program(&options.params, &options.environment, &options.settings);
    evaluator.hand_out()
}

/// The graph of a program of one file without mistakes, for tests of what comes before.
#[cfg(test)]
pub fn graph_of(module: &TypedModule, text: &str) -> Graph {
    let mut sources = Sources::default();
    sources.add(imm_ir::SourceFile::new("main.imm", text));
    let world = crate::world::MemoryWorld::default();
    let made = evaluate(module, &mut sources, &world, "", &Options::default(), Purpose::Plan);
    assert_eq!(made.diagnostics, []);
    made.graph
}

/// The state of one evaluation.
struct Evaluator<'a> {
    module: &'a TypedModule,
    sources: &'a mut Sources,
    files: Files<'a>,
    purpose: Purpose,
    scopes: Scopes,
    /// Bindings of lambdas, patterns, loops and functions. No two share an id and nothing is recursive, so one place
    /// each is enough.
    locals: Vec<Option<Bound>>,
    /// What the expression being evaluated was made from so far.
    trail: Trail,
    /// How many conditions that are not known guard the place being evaluated.
    guarded: u32,
    /// Parameters of the lambdas around the place being evaluated.
    lambdas: u32,
    /// Functions and components being evaluated, outermost first.
    frames: Vec<(Span, String)>,
    budget: Budget,
    /// Identity of the provider of the last node, and no place at all.
    provider: Arc<str>,
    nowhere: Loc,
    /// The `with` block of the last node, and where the last one was written.
    last_with: Arc<With>,
    last_origin: (Span, Arc<Origin>),
    graph: Graph,
    /// The nodes of a plan; the graph has them in the end.
    nodes: Ascending<Addr, imm_ir::Node>,
    /// The nodes of a check, which hands none out: they need no order. And those that are several.
    checked: FxHashMap<Addr, expand::Kept<'a>>,
    checked_groups: FxHashMap<Addr, (&'a KindSchema, Vec<Addr>)>,
    /// Numbers for which the condition of a refined type of the program holds, by where the type is.
    holding: FxHashSet<(usize, i64)>,
    /// The kinds that were met.
    kinds: Vec<Rc<inputs::Kind<'a>>>,
    /// Inputs that all nodes of a declaration share, by the place of its name.
    same: FxHashMap<Span, inputs::Same>,
    /// Outputs of nodes that were created; only in a test.
    seen: BTreeMap<Addr, Fields<Value>>,
    params: Vec<ResolvedParam>,
    param_causes: BTreeMap<ParamId, ParamCause>,
    /// The param whose value is being checked.
    rejecting: Option<Arc<str>>,
    /// Whether a field of a kind is being evaluated, which may take secrets.
    sink: bool,
    /// How many secrets are open while a value is checked.
    hidden: u32,
    /// The routes with the places of their declarations.
    routes: Vec<routes::Route>,
    /// Images without anything to run.
    idle: BTreeMap<Addr, Span>,
    unsaid: Vec<demands::Unsaid>,
    diagnostics: Vec<Diagnostic>,
    written: BTreeMap<Span, u64>,
    /// Ids of template files among the sources.
    reported_files: BTreeMap<Arc<str>, imm_ir::FileId>,
}

impl<'a> Evaluator<'a> {
    fn new(module: &'a TypedModule, sources: &'a mut Sources, files: Files<'a>, purpose: Purpose) -> Self {
        Evaluator {
            module,
            sources,
            files,
            purpose,
            scopes: Scopes::default(),
            locals: vec![None; module.locals.len()],
            trail: Trail::default(),
            guarded: 0,
            lambdas: 0,
            frames: Vec::new(),
            budget: Budget::default(),
            provider: Arc::from(""),
            nowhere: Loc::default(),
            last_with: Arc::default(),
            last_origin: Default::default(),
            graph: Graph::default(),
            nodes: Ascending::default(),
            checked: FxHashMap::default(),
            checked_groups: FxHashMap::default(),
            holding: FxHashSet::default(),
            kinds: Vec::new(),
            same: FxHashMap::default(),
            seen: BTreeMap::new(),
            params: Vec::new(),
            param_causes: BTreeMap::new(),
            rejecting: None,
            sink: false,
            hidden: 0,
            routes: Vec::new(),
            idle: BTreeMap::new(),
            unsaid: Vec::new(),
            diagnostics: Vec::new(),
            written: BTreeMap::new(),
            reported_files: BTreeMap::new(),
        }
    }
}

impl<'a> Evaluator<'a> {
    /// A kind. There are a dozen of them, and a graph of a million nodes asks for nothing as often.
    fn kind(&mut self, name: &Arc<str>) -> Option<Rc<inputs::Kind<'a>>> {
        if let Some(known) = self.kinds.iter().find(|kind| Arc::ptr_eq(&kind.schema.name, name)) {
            return Some(Rc::clone(known));
        }
        let module = self.module;
        let kind = Rc::new(self.kind_of(module.kind(name)?));
        self.kinds.push(Rc::clone(&kind));
        Some(kind)
    }

    fn program(&mut self, given: &BTreeMap<Arc<str>, Given>, environment: &str, settings: &BTreeMap<Arc<str>, String>) {
        let module = self.module;
        for id in &module.constants {
            self.constant(*id);
        }
        let Some(environment) = self.environment(environment) else { return };
        self.root_params(given, environment);
        if let Some(environment) = environment {
            self.policy(environment);
        }
        self.overruled(settings);
        if self.purpose == Purpose::Check {
            self.checked.reserve(module.nodes.len());
        }
        self.body(&module.root);
        if self.diagnostics.is_empty() {
            self.finish();
        }
    }

    fn hand_out(mut self) -> Evaluated {
        // The graph of a large program needs the room.
        (self.scopes, self.locals) = Default::default();
        let files = self.files.read.into_iter().map(|(path, blob)| (path, blob.bytes)).collect();
        let machine = self.files.machine.into_iter().map(|(name, executable)| {
            let path = Arc::clone(&executable.program.path);
            crate::content::MachineInput { name, path, executable }
        });
        let machine = machine.collect();
        let graph = Graph { nodes: self.nodes.into_tree(), ..self.graph };
        Evaluated { graph, params: self.params, files, machine, diagnostics: self.diagnostics }
    }

    /// A position that needs no sources. A check keeps no graph that could hold it.
    fn loc(&self, span: Span) -> Loc {
        match self.purpose {
            Purpose::Plan => self.sources.loc(span),
            Purpose::Check => self.nowhere.clone(),
        }
    }

    /// Adds a cause of what is being evaluated. A check explains no change.
    fn cause(&mut self, cause: impl FnOnce(&mut Self) -> Cause) {
        if self.purpose == Purpose::Plan {
            let cause = cause(self);
            self.trail.cause(cause);
        }
    }

    /// A short digest of the text there, whatever its line breaks and indents; remembered, since thousands of nodes of one `for`
    /// share it. A check keeps no graph that could be compared.
    fn written(&mut self, span: Span) -> u64 {
        if self.purpose == Purpose::Check {
            return 0;
        }
        if let Some(written) = self.written.get(&span) {
            return *written;
        }
        let words: Vec<&str> = self.sources.text(span).split_whitespace().collect();
        let [a, b, c, d, e, f, g, h, ..] = imm_ir::Digest::of(words.join(" ").as_bytes()).0;
        let written = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        self.written.insert(span, written);
        written
    }

    /// Evaluates something apart, with its own trail.
    fn apart<T>(&mut self, evaluate: impl FnOnce(&mut Self) -> T) -> (T, Trail) {
        let outer = std::mem::take(&mut self.trail);
        let result = evaluate(self);
        (result, std::mem::replace(&mut self.trail, outer))
    }

    /// Evaluates what a condition guards that is not known.
    fn guard<T>(&mut self, evaluate: impl FnOnce(&mut Self) -> T) -> T {
        self.guarded += 1;
        let result = evaluate(self);
        self.guarded -= 1;
        result
    }

    /// Records a failure once it cannot be an expression's result any more.
    #[expect(clippy::boxed_local, reason = "failures come in boxes, so that results stay small")]
    fn report(&mut self, failed: Failed) {
        // Thousands of rounds of a loop fail at one place.
        let is_known = |d: &Diagnostic| d.code == failed.code && d.span() == failed.span();
        if !self.is_stopped() && !self.diagnostics.iter().any(is_known) {
            self.diagnostics.push(*failed);
        }
    }

    /// Reports what failed, to go on with what does not need it. Only an exceeded budget ends everything.
    fn attempted(&mut self, result: Result<()>) -> Result<()> {
        match result {
            Err(failed) if failed.code != code::BUDGET_EXCEEDED => {
                self.report(failed);
                Ok(())
            }
            result => result,
        }
    }

    /// Whether the budget is used up.
    fn is_stopped(&self) -> bool {
        self.diagnostics.last().is_some_and(|d| d.code == code::BUDGET_EXCEEDED)
    }

    /// A diagnostic with the functions and components that led to its place.
    fn fail(&self, diagnostic: Diagnostic) -> Failed {
        let calls = self.frames.iter().rev().take(8);
        Box::new(calls.fold(diagnostic, |diagnostic, (span, what)| diagnostic.also(*span, what.clone())))
    }

    fn failed_to_reduce(&self, error: ReduceError, span: Span) -> Failed {
        if error.code() == code::BUDGET_EXCEEDED {
            return self.fail(self.budget.exceeded(span, "more elements, bytes or levels than one value may have"));
        }
        let code = error.code();
        let diagnostic = Diagnostic::error(code, span, error.message);
        self.fail(match error.help {
            Some(help) => diagnostic.help(help),
            None if code == code::DIVISION_BY_ZERO => {
                diagnostic.help("say what it is then: `if n == 0 then other else a / n`")
            }
            None if code == code::OVERFLOW => diagnostic.help("a Float goes further: write its numbers as `2.0`"),
            None => diagnostic,
        })
    }

    fn bind(&mut self, local: LocalId, bound: Bound) {
        if let Some(place) = self.locals.get_mut(local.index()) {
            *place = Some(bound);
        }
    }
}

#[cfg(test)]
mod tests;
