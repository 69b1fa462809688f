//! `imm recover`: settles what an interrupted apply left, backwards before its commit and forwards after.

use crate::cli::{Global, Recover};
use crate::consents::addresses;
use crate::failure::{Exit, Failure, Outcome as Ended};
use crate::platform;
use crate::project::Project;
use crate::records;
use crate::session::Session;
use crate::ui::{self, Style};
use imm_runtime::apply::Outcome;

/// Ends with 0 when nothing is left open, whichever way.
pub fn run(global: &Global, args: &Recover) -> Ended {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let recorded = records::read(&project, style)?;
    if !args.take_over && recorded.as_ref().is_none_or(|l| l.state().open_apply().is_none()) {
        if recorded.as_ref().is_some_and(|l| l.state().current.is_some()) {
            start_agent()?;
        }
        return Ok(nothing(recorded.and_then(|l| l.state().current), args.json));
    }
    let lost = addresses(&args.accept_lost)?;
    platform::block_on(async {
        let because = args.because.as_deref().unwrap_or_default();
        let watcher = global.watcher(args.json);
        let mut session = if args.take_over {
            Session::take_over(project, watcher, because).await?
        } else {
            Session::open(project, watcher).await?
        };
        for address in &lost {
            session.accept_lost(address, because)?;
        }
        match session.recover().await? {
            Some(outcome @ Outcome::Stuck { .. }) => session.finish(&outcome),
            Some(outcome) => {
                if args.json {
                    ui::json(&ui::events::finished(&outcome));
                } else {
                    ui::tell(&session.settled_words(&outcome));
                }
                Ok(Exit::Done)
            }
            None => Ok(nothing(session.engine().state().current, args.json)),
        }
    })?
}

fn nothing(generation: Option<u64>, json: bool) -> Exit {
    if json {
        ui::json(&serde_json::json!({ "event": "finished", "outcome": "nothing_to_do", "generation": generation }));
    } else {
        ui::err("Nothing to recover.\n");
    }
    Exit::Done
}

/// Routes answer only while an agent runs; one that was killed is started by nobody else.
fn start_agent() -> Result<(), Failure> {
    let home = platform::home()?;
    let (running, _client) = platform::block_on(async {
        let running = imm_host::client::running(&home).await.map_err(|e| platform::agent(&e))?.is_some();
        Ok::<_, Failure>((running, platform::connect(&home).await?))
    })??;
    if !running {
        ui::err(&format!("no agent ran with {}: started\n", home.root().display()));
    }
    Ok(())
}
