//! `imm drift`: what is there against what is recorded. Takes no lease and changes nothing.

use crate::cli::{Drift, Global};
use crate::failure::{Exit, Outcome};
use crate::platform;
use crate::project::Project;
use crate::records;
use crate::session;
use crate::ui::{self, Style};
use imm_runtime::apply::{Engine, Limits, Tenure};
use imm_runtime::random::Random;
use imm_runtime::report::drift;

/// Looks at every object, and for things that nothing knows.
pub fn run(global: &Global, args: &Drift) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let Some(ledger) = records::read(&project, style)? else {
        if args.json {
            ui::json(&drift::Drift { format: 1, objects: Vec::new() });
        }
        ui::err(&records::nothing_yet(&project));
        return Ok(Exit::Done);
    };
    let providers = platform::providers(&platform::home()?, None)?;
    let engine = Engine::new(ledger, providers, Limits::default(), Tenure::default(), Random::seeded(0));
    let told = platform::block_on(async {
        let (seen, orphans) = (engine.observe().await?, engine.orphans().await?);
        Ok(drift::drift(engine.state(), &seen, &orphans))
    })?
    .map_err(|e| session::failure(&project, false, e))?;
    if args.json {
        ui::json(&told);
    } else {
        ui::tell(&ui::report::drift(&told, style));
    }
    Ok(if args.exit_code && !told.none() { Exit::Different } else { Exit::Done })
}
