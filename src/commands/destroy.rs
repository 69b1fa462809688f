//! `imm destroy`: an apply of the empty graph. Durables are retained.

use crate::cli::{Destroy, Global};
use crate::consents::addresses;
use crate::failure::{Exit, Outcome};
use crate::platform;
use crate::project::Project;
use crate::records;
use crate::session::Session;
use crate::ui::{self, Style};
use imm_ir::{Graph, Policy};
use imm_runtime::entry::Verb;
use imm_runtime::plan::saved::Attached;

/// Ends everything that the ledger knows, warm objects too.
pub fn run(global: &Global, args: &Destroy) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    if records::read(&project, style)?.is_none() {
        ui::err(&records::nothing_yet(&project));
        return Ok(Exit::Done);
    }
    let consent = addresses(&args.consent)?;
    platform::block_on(async {
        let mut session = Session::open(project, global.watcher(args.answer.json)).await?;
        session.settled().await?;
        let empty = Graph { policy: Policy { keep: 0, ..Policy::default() }, ..Graph::default() };
        let plan = session.plan(&empty, |options| {
            (options.verb, options.consent) = (Verb::Destroy, consent);
            options.because = args.because.clone().unwrap_or_default();
        });
        let plan = plan.await?;
        let attached = Attached { because: args.because.clone(), ..Attached::default() };
        session.carry_out(&plan, &attached, &args.answer).await
    })?
}
