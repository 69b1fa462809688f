//! `imm metrics`: how often, how soon, how well changes go, and how long repairs take.

use crate::cli::{Global, Metrics};
use crate::failure::{Exit, Outcome};
use crate::project::Project;
use crate::records;
use crate::ui::{self, Style};
use imm_runtime::clock::{Clock, SystemClock};
use imm_runtime::report::metrics;
use imm_runtime::state::State;

/// Tells the metrics of one environment.
pub fn run(global: &Global, args: &Metrics) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let ledger = records::read(&project, style)?;
    let empty = State { environment: project.environment, ..State::default() };
    let told = metrics::metrics(ledger.as_ref().map_or(&empty, |l| l.state()), SystemClock.now_ms());
    if args.json {
        ui::json(&told);
    } else if args.prometheus {
        ui::out(&metrics::prometheus(&told));
    } else {
        ui::out(&ui::report::metrics(&told));
    }
    Ok(Exit::Done)
}
