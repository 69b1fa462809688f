//! `imm diff`: what differs between two recorded generations.

use super::show;
use crate::cli::{Diff, Global};
use crate::failure::{Exit, Failure, Outcome};
use crate::project::Project;
use crate::records;
use crate::ui::{self, Style};
use imm_ir::Graph;
use imm_runtime::ledger::{Ledger, LedgerError};
use imm_runtime::report::difference::{Side, difference};
use imm_runtime::report::generation;

/// Compares two generations; the second one is the newest unless it is named.
pub fn run(global: &Global, args: &Diff) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, None)?;
    let Some(ledger) = records::read(&project, style)? else {
        return Err(records::nothing(&project));
    };
    let Some(to) = args.to.or(ledger.state().current) else {
        return Err(Failure::new("there is no generation yet").help("`imm history` shows every apply, failed ones too"));
    };
    let (old, new) = (show::find(&project, &ledger, args.from)?, show::find(&project, &ledger, to)?);
    let failed = |e: LedgerError| records::unreadable(&project, &e);
    let (before, after) = (graph(&ledger, args.from).map_err(failed)?, graph(&ledger, to).map_err(failed)?);
    let sources = |number| generation::sources(&ledger, number).map_err(failed);
    let (old_sources, new_sources) = (sources(args.from)?, sources(to)?);
    let objects = |number| ledger.state().generations.get(&number).map(|g| &**g.objects).ok_or(());
    let (Ok(old_objects), Ok(new_objects)) = (objects(args.from), objects(to)) else {
        return Err(Failure::new("these generations are not recorded"));
    };
    let difference = difference(
        Side { generation: &old, graph: &before, objects: old_objects, sources: &old_sources },
        Side { generation: &new, graph: &after, objects: new_objects, sources: &new_sources },
    );
    if args.json {
        ui::json(&difference);
    } else {
        ui::tell(&ui::generation::diff(&difference, &project.name, style));
    }
    Ok(Exit::Done)
}

fn graph(ledger: &Ledger, number: u64) -> Result<Graph, LedgerError> {
    let found = ledger.state().generations.get(&number);
    found.map_or_else(|| Ok(Graph::default()), |g| imm_runtime::generation::load(ledger, g))
}
