//! `imm apply`: what runs becomes what the program says.

use crate::cli::{Apply, Global};
use crate::compile;
use crate::consents::Consented;
use crate::failure::{Failure, Outcome};
use crate::platform;
use crate::project::{Project, plain};
use crate::session::Session;
use crate::ui::Style;
use imm_runtime::plan::saved::{Attached, Place, SavedPlan};
use std::path::{Path, PathBuf};

/// Applies a module, or a saved plan.
pub fn run(global: &Global, args: &Apply) -> Outcome {
    match &args.path {
        Some(file) if file.extension().is_some_and(|e| e == "immplan") => saved(global, args, file),
        _ => module(global, args),
    }
}

fn module(global: &Global, args: &Apply) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.path.as_deref())?;
    let consents = Consented::read(&args.consents)?;
    let compiled = compile::compile(&project, &args.params, &args.tuning, style, args.answer.json)?;
    platform::block_on(async {
        let mut session = Session::open(project, global.watcher(args.answer.json)).await?;
        session.settled().await?;
        let plan = session.plan(&compiled.graph, |options| consents.into_options(options)).await?;
        let attached = Attached { because: args.consents.because.clone(), ..compiled.attached };
        session.carry_out(&plan, &attached, &args.answer).await
    })?
}

fn saved(global: &Global, args: &Apply, file: &Path) -> Outcome {
    let bytes = std::fs::read(file).map_err(|e| {
        Failure::new(format!("{}: {}", file.display(), plain(&e))).help("`imm plan --out FILE` makes a plan")
    })?;
    let saved = SavedPlan::decode(&bytes)
        .map_err(|e| Failure::new(format!("{}: {e}", file.display())).help("`imm plan --out FILE` makes a plan"))?;
    if args.tuning.any() {
        return Err(Failure::usage("a saved plan already has the settings of its environment")
            .help("give --keep and its like to `imm plan --out FILE`"));
    }
    if args.consents.any() || !args.params.is_empty() {
        return Err(Failure::usage("a saved plan already has its params and consents")
            .help("give them to `imm plan --out FILE`"));
    }
    let state = state_of(global, file, &saved);
    let name = file.file_stem().map_or_else(|| "plan".to_owned(), |n| n.to_string_lossy().into_owned());
    let path = found(file, &saved.module, Path::is_dir);
    let project = Project::at(path, name, saved.plan.environment.clone(), state);
    platform::block_on(async {
        let mut session = Session::open(project, global.watcher(args.answer.json)).await?;
        session.settled().await?;
        session.engine().ledger().vault().import(&saved.sealed);
        let mut attached = saved.attached;
        if args.consents.because.is_some() {
            attached.because.clone_from(&args.consents.because);
        }
        session.carry_saved(&saved.plan, &attached, &args.answer).await
    })?
}

/// `--state` wins; then where it was.
fn state_of(global: &Global, file: &Path, saved: &SavedPlan) -> PathBuf {
    if let Some(state) = &global.state {
        return state.join(&saved.plan.environment);
    }
    found(file, &saved.state, |state| state.join("ledger.db").is_file())
}

/// Beside the plan as it was when it was made, if it is there; else where it was on this machine.
fn found(file: &Path, place: &Place, there: impl Fn(&Path) -> bool) -> PathBuf {
    let beside = place.relative.as_ref().map(|r| file.parent().unwrap_or(Path::new("")).join(r));
    beside.filter(|p| there(p)).unwrap_or_else(|| PathBuf::from(&place.absolute))
}
