//! Applies a program on the simulated provider, with the ledger on the disk where `imm` finds it: every intent is durable
//! before its effect, and the world answers at once, so what is measured is the engine.

use imm_compiler::{MemoryWorld, Options as Compile};
use imm_ir::Graph;
use imm_runtime::apply::{Engine, Limits, Outcome, Providers, Tenure};
use imm_runtime::clock::SystemClock;
use imm_runtime::entry::{Actor, Verb};
use imm_runtime::id::Lineage;
use imm_runtime::lease::Holder;
use imm_runtime::ledger::Ledger;
use imm_runtime::plan::Options;
use imm_runtime::plan::saved::Attached;
use imm_runtime::provider::Provider;
use imm_runtime::random::Random;
use imm_runtime::simulate::call::Client;
use imm_runtime::simulate::life::{Life, Mortal};
use imm_runtime::simulate::world::World;
use imm_runtime::store::sqlite::SqliteStore;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Steps under way at once.
pub const IN_FLIGHT: usize = 10;

/// Applies the program of a folder, or destroys what is there; prints what the process cost and how long the apply took,
/// from the plan to its end.
pub fn apply(folder: &Path, verb: &Verb) -> Result<(), String> {
    let text = std::fs::read_to_string(folder.join("main.imm")).map_err(|e| e.to_string())?;
    let graph = match verb {
        Verb::Destroy => Graph::default(),
        _apply => {
            let world = MemoryWorld::new([("main.imm", text.as_str())]);
            let compiled = imm_compiler::compile(&world, "", &Compile::default());
            compiled.map_err(|failed| format!("{:?}", failed.diagnostics.first()))?.graph
        }
    };
    // Time stands still for the engine: it waits for nothing but the disk.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.map_err(|e| e.to_string())?.block_on(run(folder, &graph, verb))
}

async fn run(folder: &Path, graph: &Graph, verb: &Verb) -> Result<(), String> {
    let store = SqliteStore::open(&folder.join(".imm/local/ledger.db")).map_err(|e| e.to_string())?;
    let actor = Actor { user: "bench".into(), host: "bench".into(), tool_version: "0".into() };
    let clock = Arc::new(SystemClock);
    let mut ledger = Ledger::open(Box::new(store), clock, actor, 1).map_err(|e| e.to_string())?;
    ledger.initialize(Lineage([7; 16]), "local").map_err(|e| e.to_string())?;
    let world = World::new(7, Box::new(|| u64::MAX));
    world.set_latency(0);
    let provider: Arc<dyn Provider> = Arc::new(Client::new(Mortal { world, life: Life::default() }));
    let providers = Providers::from([(Arc::from("host"), provider)]);
    let limits = Limits { parallel: IN_FLIGHT, ..Limits::default() };
    let tenure = Tenure { holder: Holder::default(), took_over: None, because: None };
    let mut engine = Engine::new(ledger, providers, limits, tenure, Random::seeded(7));
    let mut options = Options::new(engine.schemas());
    options.verb = verb.clone();
    let plan = engine.plan(graph, &options).map_err(|e| e.to_string())?;
    let began = Instant::now();
    match engine.apply(&plan, &Attached::default()).await.map_err(|e| e.to_string())? {
        Outcome::Committed { .. } => crate::measure::own(began.elapsed().as_secs_f64()),
        other => Err(format!("{other:?}")),
    }
}
