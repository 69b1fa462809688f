//! `imm status`: what runs.

use crate::cli::{Global, Report};
use crate::failure::{Exit, Outcome};
use crate::platform::Seen;
use crate::project::Project;
use crate::records;
use crate::ui::{self, Style};
use imm_runtime::report::status;
use serde_json::json;

/// Shows the recorded state with what the agent sees, if one runs.
pub fn run(global: &Global, args: &Report) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let alive = records::running(&project);
    let Some(ledger) = records::read(&project, style)? else {
        if args.json {
            ui::json(&json!({ "format": 1, "environment": project.environment, "generation": null, "objects": [],
                              "pointers": [], "outputs": {}, "interrupted": null, "under_way": null }));
        }
        ui::err(&records::nothing_yet(&project));
        return Ok(Exit::Done);
    };
    let state = ledger.state();
    let seen = Seen::look(state)?;
    let outputs = state
        .generation()
        .map(|g| ledger.load(&g.outputs))
        .transpose()
        .map_err(|e| records::unreadable(&project, &e))?;
    let outputs = outputs.unwrap_or_default();
    let mut status =
        status::status(state, &outputs, &|object| seen.health(object), alive || records::running(&project));
    if let Some(open) = &mut status.interrupted {
        open.reverted = seen.reverted().to_vec();
    }
    if args.json {
        ui::json(&status);
        return Ok(Exit::Done);
    }
    ui::tell(&ui::report::status(&status, &project.name, style));
    for warning in seen.warnings() {
        ui::err(&format!("{}: {warning}\n", style.paint("1;33", "warning")));
    }
    Ok(Exit::Done)
}
