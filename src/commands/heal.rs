//! `imm heal`: new objects for those that are missing or changed, in one transaction. Needs no sources.

use crate::cli::{Global, Heal};
use crate::failure::{Exit, Outcome};
use crate::platform;
use crate::project::Project;
use crate::records;
use crate::session::Session;
use crate::ui::{self, Style};

/// Replaces what drifted; what was seen is recorded first.
pub fn run(global: &Global, args: &Heal) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    if records::expect(&project, style)?.state().current.is_none() {
        ui::err(&records::nothing_yet(&project));
        return Ok(Exit::Done);
    }
    platform::block_on(async {
        let mut session = Session::open(project, global.watcher(args.answer.json)).await?;
        session.settled().await?;
        let plan = session.plan_heal().await?;
        let attached = session.attached(session.engine().state().current, args.because.clone());
        session.carry_out(&plan, &attached, &args.answer).await
    })?
}
