//! Sources to a resource graph: load, resolve, check, evaluate. Pure: every input comes through `World`.
//!
//! `compile` makes a graph to be planned, `check` only looks for mistakes. Both never panic on a program, whatever it
//! says. What they return is plain data: the command line, the REPL and the editor are faces of it.
//!
//! Read in the order of the data: `world`, `sources`, `resolve`, `check`, `hir`, `evaluate`.

pub mod check;
mod content;
mod diagnose;
pub mod doc;
mod evaluate;
pub mod explain;
pub mod hir;
pub mod ide;
mod resolve;
pub mod sources;
pub mod stdlib;
pub mod stop;
pub mod testing;
mod types;
pub mod world;

pub use content::MachineInput;
pub use diagnose::similar;
pub use evaluate::{Given, GivenValue, ResolvedParam};
pub use world::MemoryWorld;

use evaluate::{Evaluated, Purpose, evaluate};
use imm_ir::{Diagnostic, FileId, Graph, SchemaSet, Sources, Value, code, kinds};
use rustc_hash::FxHashSet;
use sources::Loaded;
use std::collections::BTreeMap;
use std::sync::Arc;
use world::World;

/// What a program is compiled with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Values of params from outside, the strongest for each name.
    pub params: BTreeMap<Arc<str>, Given>,
    /// The environment; `local` always exists.
    pub environment: String,
    /// Settings that overrule the environment's, as imm literals by name, for example `watch` = `30s`.
    pub settings: BTreeMap<Arc<str>, String>,
    /// The kinds and providers that programs may name.
    pub schemas: &'static SchemaSet,
}

impl Default for Options {
    fn default() -> Self {
        let (params, settings) = (BTreeMap::new(), BTreeMap::new());
        Self { params, environment: "local".to_owned(), settings, schemas: kinds::builtin() }
    }
}

/// A program that was looked at.
#[derive(Clone, Debug)]
pub struct Checked {
    /// All files, those of templates with mistakes included.
    pub sources: Sources,
    /// Errors and warnings, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
    /// The typed program; with errors it has [`hir::ExprKind::Error`] in it.
    pub module: hir::TypedModule,
    /// What was read. A large tree takes a while to be taken down, which a process that ends can leave to the system.
    pub trees: Vec<check::ModuleInput>,
}

/// A program as a graph.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What must run.
    pub graph: Graph,
    /// The program's files, for diagnostics.
    pub sources: Sources,
    /// The bytes of all source files and of every file that was read, by path relative to the program's folder: enough to
    /// compile the same again.
    pub files: BTreeMap<Arc<str>, Arc<[u8]>>,
    /// Values of the params and who set them, in source order. Secrets are marked.
    pub params: Vec<ResolvedParam>,
    /// Programs of this machine that went into the graph.
    pub machine_inputs: Vec<MachineInput>,
    /// What works, but probably not as meant.
    pub warnings: Vec<Diagnostic>,
}

/// A program that is no graph.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The program's files, for diagnostics.
    pub sources: Sources,
    /// Errors and warnings, sorted by place; at least one error.
    pub diagnostics: Vec<Diagnostic>,
    /// Secret params without a value, when that is all that is wrong: somebody may be asked for them.
    pub wanted_secrets: Vec<Arc<str>>,
}

/// Looks for mistakes. Params may be missing: what depends on them is only type-checked.
pub fn check(world: &dyn World, path: &str, options: &Options) -> Checked {
    let mut front = front(world, path, options.schemas);
    front.look_for_mistakes(world, options);
    front.hide_unused();
    front.sort();
    let Front { sources, module, trees, diagnostics, .. } = front;
    Checked { sources, diagnostics, module, trees }
}

/// Compiles to a graph.
///
/// # Errors
/// All diagnostics, when one of them is an error.
pub fn compile(world: &dyn World, path: &str, options: &Options) -> Result<Compiled, Box<Failed>> {
    let mut front = front(world, path, options.schemas);
    if front.has_errors() {
        return Err(front.failed());
    }
    let own = front.sources.iter().filter(|(_, file)| !stdlib::is_file(&file.name));
    let names: Vec<(Arc<str>, Arc<[u8]>)> =
        own.map(|(_, file)| (Arc::clone(&file.name), Arc::from(file.text.as_bytes()))).collect();
    // The graph of a large program needs the room.
    front.trees.clear();
    let evaluated = front.evaluate(world, options, Purpose::Plan);
    front.diagnostics.extend(evaluated.diagnostics);
    front.hide_unused();
    if front.has_errors() {
        return Err(front.failed());
    }
    front.sort();
    let mut files = evaluated.files;
    files.extend(names);
    Ok(Compiled {
        graph: evaluated.graph,
        sources: front.sources,
        files,
        params: evaluated.params,
        machine_inputs: evaluated.machine,
        warnings: front.diagnostics,
    })
}

/// Where the environment says that its ledgers are (`state = local { path = … }`), as it is written. Nothing else of the program
/// needs to be right.
///
/// # Errors
/// What is wrong with that setting, or keeps it from being read.
pub fn state(world: &dyn World, path: &str, environment: &str) -> Result<Option<String>, Box<Failed>> {
    let mut front = front(world, path, kinds::builtin());
    let module = std::mem::take(&mut front.module);
    let found = module.environments.iter().find(|e| *e.name == *environment);
    let Some((name, expr)) = found.and_then(|e| e.settings.iter().find(|(name, _)| &**name == "state")) else {
        // Where text is broken it may be what is missing.
        return if found.is_none() && front.has_errors() { Err(front.failed()) } else { Ok(None) };
    };
    let Front { sources, folder, .. } = &mut front;
    let none = BTreeMap::new();
    let trial = evaluate::Trial { module: &module, sources, world, folder, environment, given: &none };
    match trial.setting(name, expr) {
        Ok(Some(Value::Variant(_, payload))) => Ok(payload.get("path").and_then(Value::as_text).map(str::to_owned)),
        Ok(_) if front.has_errors() => Err(front.failed()),
        Ok(_) => Ok(None),
        Err(diagnostics) => {
            front.diagnostics.extend(diagnostics);
            Err(front.failed())
        }
    }
}

/// A program before evaluation.
struct Front {
    sources: Sources,
    folder: String,
    module: hir::TypedModule,
    trees: Vec<check::ModuleInput>,
    diagnostics: Vec<Diagnostic>,
}

fn front(world: &dyn World, path: &str, schemas: &SchemaSet) -> Front {
    Front::of(sources::load(world, path), None, schemas)
}

impl Front {
    /// Of a program, or of some parts of its files and whatever those need.
    fn of(mut loaded: Loaded, asked: Option<&FxHashSet<FileId>>, schemas: &SchemaSet) -> Self {
        let mut diagnostics = loaded.diagnostics;
        let mut module = hir::TypedModule::default();
        diagnose::silence::withdraw(&diagnostics, &mut loaded.modules);
        if !loaded.modules.is_empty() {
            let (typed, mut found) = check::check_some(&loaded.modules, 0, &loaded.sources, schemas, asked);
            module = typed;
            diagnose::silence::what_follows(&mut found, &diagnostics, &loaded.modules, &loaded.sources);
            diagnostics.extend(found);
        }
        Front { sources: loaded.sources, folder: loaded.folder, module, trees: loaded.modules, diagnostics }
    }

    /// What is only seen when it is evaluated; nothing of a program with errors.
    fn look_for_mistakes(&mut self, world: &dyn World, options: &Options) {
        if self.has_errors() {
            return;
        }
        let evaluated = self.evaluate(world, options, Purpose::Check);
        self.diagnostics.extend(evaluated.diagnostics);
        self.check_environments(world, options);
        self.check_tests(world, options);
    }

    fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    fn evaluate(&mut self, world: &dyn World, options: &Options, purpose: Purpose) -> Evaluated {
        evaluate(&self.module, &mut self.sources, world, &self.folder, options, purpose)
    }

    /// Whether every environment has settings and values that fit, not only the one that is asked for.
    fn check_environments(&mut self, world: &dyn World, options: &Options) {
        let (none, chosen) = (BTreeMap::new(), &options.environment);
        let Self { sources, folder, module, diagnostics, .. } = self;
        for environment in module.environments.iter().filter(|e| *e.name != **chosen) {
            let trial = evaluate::Trial { module, sources, world, folder, environment: chosen, given: &none };
            diagnostics.extend(trial.environment(environment).err().into_iter().flatten());
        }
    }

    /// Whether params take what tests give them.
    fn check_tests(&mut self, world: &dyn World, options: &Options) {
        let (none, environment) = (BTreeMap::new(), &options.environment);
        let Self { sources, folder, module, diagnostics, .. } = self;
        for step in module.tests.iter().flat_map(|test| &test.steps) {
            let hir::TestStepKind::Given(values) = &step.kind else { continue };
            let trial = evaluate::Trial { module, sources, world, folder, environment, given: &none };
            diagnostics.extend(trial.given(values).err().into_iter().flatten());
        }
    }

    fn hide_unused(&mut self) {
        hide_unused(&mut self.diagnostics);
    }

    fn sort(&mut self) {
        sort(&mut self.diagnostics);
    }

    fn failed(mut self) -> Box<Failed> {
        self.hide_unused();
        self.sort();
        let wanted_secrets = self.wanted_secrets().unwrap_or_default();
        Box::new(Failed { sources: self.sources, diagnostics: self.diagnostics, wanted_secrets })
    }

    /// `None`: something else is wrong, too.
    fn wanted_secrets(&self) -> Option<Vec<Arc<str>>> {
        let params: Vec<_> = self.module.root.params.iter().filter_map(|id| self.module.param(*id)).collect();
        let secret = |error: &Diagnostic| {
            let of =
                params.iter().find(|p| error.code == imm_ir::code::MISSING_PARAM && p.name_span == error.span())?;
            evaluate::is_secret(&of.ty).then(|| Arc::clone(&of.name))
        };
        self.diagnostics.iter().filter(|d| d.is_error()).map(secret).collect()
    }
}

/// What is broken or missing may be what uses a binding.
fn hide_unused(diagnostics: &mut Vec<Diagnostic>) {
    if diagnostics.iter().any(Diagnostic::is_error) {
        diagnostics.retain(|diagnostic| diagnostic.code != code::UNUSED_BINDING);
    }
}

/// In the order of the text, and not more than anyone reads.
fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by_key(|diagnostic| (diagnostic.span(), diagnostic.code));
    let mut counts = BTreeMap::new();
    diagnostics.retain(|diagnostic| {
        let count = counts.entry(diagnostic.span().file).or_insert(0usize);
        *count += usize::from(diagnostic.is_error());
        !diagnostic.is_error() || *count <= imm_syntax::MAX_ERRORS
    });
}
