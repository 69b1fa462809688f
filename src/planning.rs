//! A plan from a command's view, without a lease: program, ledger as it is, and what was seen when that was asked for.

use crate::cli::{Consents, Params, Tuning};
use crate::compile::{self, Compiled};
use crate::consents::Consented;
use crate::failure::Failure;
use crate::platform;
use crate::project::Project;
use crate::records;
use crate::session;
use crate::ui::Style;
use imm_ir::Graph;
use imm_runtime::apply::{Engine, Limits, Tenure};
use imm_runtime::ledger::Ledger;
use imm_runtime::plan::{Observed, Options, Plan, Shared};
use imm_runtime::random::Random;
use imm_runtime::report::durations::Durations;

/// A plan and what it was taken from.
pub struct Planning {
    /// An engine that only reads.
    pub engine: Engine,
    /// What was wanted.
    pub options: Options,
    /// What was seen.
    pub observed: Observed,
    /// The plan.
    pub plan: Plan,
}

/// What the command line says of a plan.
pub struct Wanted<'a> {
    /// Consents.
    pub consents: &'a Consents,
    /// Look at what is there first.
    pub refresh: bool,
}

/// An engine over a ledger that nothing is written to.
pub fn reader(ledger: Ledger) -> Result<Engine, Failure> {
    let providers = platform::providers(&platform::home()?, None)?;
    Ok(Engine::new(ledger, providers, Limits::default(), Tenure::default(), Random::seeded(0)))
}

/// Entries that estimates are taken from.
const RECENT: u64 = 4000;

/// How long a plan may take, from what such steps took before, milliseconds.
pub fn estimate(ledger: &Ledger, plan: &Plan) -> Option<u64> {
    let entries = ledger.entries(ledger.head().0.saturating_sub(RECENT) + 1).ok()?;
    Durations::of(entries.iter().map(|(_, entry)| entry)).estimate(plan)
}

impl Planning {
    /// Plans a compiled program on a ledger.
    pub fn on(project: &Project, ledger: Ledger, graph: &impl Shared, wanted: &Wanted<'_>) -> Result<Self, Failure> {
        let engine = reader(ledger)?;
        let mut options = Options::new(engine.schemas());
        Consented::read(wanted.consents)?.into_options(&mut options);
        let failed = |e| session::failure(project, false, e);
        let observed =
            if wanted.refresh { platform::block_on(engine.observe())?.map_err(failed)? } else { Observed::default() };
        let plan = engine.plan_observed(graph, &observed, &options).map_err(failed)?;
        Ok(Self { engine, options, observed, plan })
    }

    /// Compiles the module and plans it on the ledger as it is.
    pub fn of(
        project: &Project,
        params: &Params,
        tuning: &Tuning,
        wanted: &Wanted<'_>,
        style: Style,
        json: bool,
    ) -> Result<(Self, Compiled), Failure> {
        let compiled = compile::compile(project, params, tuning, style, json)?;
        let ledger = records::read_or_empty(project, style)?;
        Ok((Self::on(project, ledger, &compiled.graph, wanted)?, compiled))
    }

    /// The plan of another graph on the same record.
    pub fn instead(&self, graph: &Graph) -> Option<Plan> {
        let options = Options { again: true, ..self.options.clone() };
        self.engine.plan_observed(graph, &self.observed, &options).ok()
    }
}
