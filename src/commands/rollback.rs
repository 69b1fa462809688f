//! `imm rollback`: an apply of a graph from the ledger. Needs no sources.

use crate::cli::{Global, Rollback};
use crate::consents::addresses;
use crate::failure::{Failure, Outcome};
use crate::platform;
use crate::project::Project;
use crate::records;
use crate::session::Session;
use crate::ui::Style;
use imm_runtime::entry::Verb;

/// Goes back to a generation; without a number to the newest one that differs and was never rolled back from.
pub fn run(global: &Global, args: &Rollback) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, None)?;
    if records::read(&project, style)?.is_none() {
        let message = format!("there is no ledger of {} in environment {}", project.name, project.environment);
        return Err(Failure::new(message).help("nothing was applied yet, so there is nothing to go back to"));
    }
    let (across, never) = (addresses(&args.across)?, addresses(&args.never)?);
    platform::block_on(async {
        let mut session = Session::open(project, global.watcher(args.answer.json)).await?;
        session.settled().await?;
        let state = session.engine().state();
        let to = args.generation.or_else(|| state.rollback_target()).ok_or_else(|| {
            Failure::new("there is no earlier generation to go back to").help("`imm history` lists the generations")
        })?;
        let graph = session.graph(to)?;
        let because = args.because.clone().unwrap_or_default();
        let plan = session.plan(&graph, |options| {
            options.verb = if args.drill { Verb::Drill { of: to } } else { Verb::Rollback { to } };
            (options.across, options.never, options.because) = (across, never, because);
        });
        let plan = plan.await?;
        let attached = session.attached(Some(to), args.because.clone());
        session.carry_out(&plan, &attached, &args.answer).await
    })?
}
