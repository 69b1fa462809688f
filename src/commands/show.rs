//! `imm show`: one generation, as recorded.

use crate::cli::{Global, Show};
use crate::failure::{Exit, Failure, Outcome};
use crate::project::Project;
use crate::records;
use crate::ui::{self, Style};
use imm_runtime::ledger::Ledger;
use imm_runtime::report::generation::{self, Generation};

/// Shows a generation; without a number the newest.
pub fn run(global: &Global, args: &Show) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, None)?;
    let Some(ledger) = records::read(&project, style)? else {
        return Err(records::nothing(&project));
    };
    let Some(number) = args.generation.or(ledger.state().current) else {
        return Err(Failure::new("there is no generation yet").help("`imm history` shows every apply, failed ones too"));
    };
    let generation = find(&project, &ledger, number)?;
    if args.json {
        ui::json(&generation);
    } else {
        ui::tell(&ui::generation::show(&generation, &project.name, global.verbose, style));
    }
    Ok(Exit::Done)
}

/// A generation that must be there.
pub fn find(project: &Project, ledger: &Ledger, number: u64) -> Result<Generation, Failure> {
    let found = generation::generation(ledger, number).map_err(|e| records::unreadable(project, &e))?;
    found.ok_or_else(|| {
        let newest = ledger.state().current.unwrap_or(0);
        Failure::new(format!("there is no generation {number}"))
            .help(format!("the newest one is {newest}; `imm history` lists them"))
    })
}
