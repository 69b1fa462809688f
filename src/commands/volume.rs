//! `imm volume`: what holds data, and its end by consent.

use crate::cli::{Global, Volume, VolumeArgs, VolumeList, VolumeRm};
use crate::failure::{Exit, Failure, Outcome};
use crate::platform;
use crate::project::Project;
use crate::records;
use crate::session::Session;
use crate::ui::{self, Style};
use imm_ir::Addr;
use imm_runtime::plan::saved::Attached;
use imm_runtime::report::durables;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Lists, or ends one.
pub fn run(global: &Global, args: &VolumeArgs) -> Outcome {
    match &args.verb {
        None => list(global, &args.list),
        Some(Volume::List(args)) => list(global, args),
        Some(Volume::Rm(args)) => remove(global, args),
    }
}

fn list(global: &Global, args: &VolumeList) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let Some(ledger) = records::read(&project, style)? else {
        if args.json {
            ui::json(&durables::Durables { format: 1, volumes: Vec::new() });
        }
        ui::err(&records::nothing_yet(&project));
        return Ok(Exit::Done);
    };
    let found = durables::durables(&ledger, &|path| used(Path::new(path)));
    let found = found.map_err(|e| records::unreadable(&project, &e))?;
    if args.json {
        ui::json(&found);
    } else {
        ui::out(&ui::report::durables(&found, style));
    }
    Ok(Exit::Done)
}

/// An apply of what is in force, in which the data goes: so it is planned, asked, recorded and settled like any other step.
fn remove(global: &Global, args: &VolumeRm) -> Outcome {
    let project = Project::find(global, None)?;
    records::expect(&project, Style::choose(global.color))?;
    let address = Addr::parse(&args.address).map_err(Failure::usage)?;
    platform::block_on(async {
        let mut session = Session::open(project, global.watcher(args.answer.json)).await?;
        session.settled().await?;
        let graph = match session.engine().state().current {
            Some(generation) => session.graph(generation)?,
            None => imm_ir::Graph::default(),
        };
        let plan = session.plan(&graph, |options| {
            options.consent.push(address);
            options.consent_object.clone_from(&args.object);
            options.because.clone_from(&args.because);
        });
        let plan = plan.await?;
        let attached = Attached { because: Some(args.because.clone()), ..Attached::default() };
        session.carry_out(&plan, &attached, &args.answer).await
    })?
}

/// Bytes on disk of everything below a folder; what may not be looked at does not count.
fn used(folder: &Path) -> Option<u64> {
    let mut total = 0u64;
    let mut open = vec![folder.to_owned()];
    std::fs::read_dir(folder).ok()?;
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            total = total.saturating_add(meta.blocks().saturating_mul(512));
            if meta.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Some(total)
}
