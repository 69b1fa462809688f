//! `imm history`: every apply.

use crate::cli::{Global, Report};
use crate::failure::{Exit, Outcome};
use crate::project::Project;
use crate::records;
use crate::ui::{self, Style};
use imm_runtime::report::history::{History, history};

/// Shows the applies that the ledger knows, oldest first.
pub fn run(global: &Global, args: &Report) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let ledger = records::read(&project, style)?;
    let told = ledger.as_ref().map_or_else(|| History { format: 1, applies: Vec::new() }, |l| history(l.state()));
    if args.json {
        ui::json(&told);
    } else if told.applies.is_empty() {
        ui::err(&records::nothing_yet(&project));
    } else {
        ui::tell(&ui::report::history(&told, style));
    }
    Ok(Exit::Done)
}
