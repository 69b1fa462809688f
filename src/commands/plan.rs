//! `imm plan`: what an apply would do, and why. Takes no lease and changes nothing.

use crate::cli::{Global, Plan};
use crate::compile::{self, Compiled};
use crate::failure::{Exit, Failure, Outcome};
use crate::planning::{self, Planning, Wanted};
use crate::project::{Project, plain};
use crate::records;
use crate::ui::{self, Style};
use imm_runtime::explain::cascade::cascades;
use imm_runtime::plan::Recorded;
use imm_runtime::plan::saved::{Place, SavedPlan};
use std::path::{Path, PathBuf};

/// Shows the plan; with `--out` keeps it.
pub fn run(global: &Global, args: &Plan) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let Compiled { graph, attached, machine, .. } =
        compile::compile(&project, &args.params, &args.tuning, style, args.json)?;
    // The process ends with this command: a million nodes are given back at once, not one by one.
    std::mem::forget(std::sync::Arc::clone(&graph));
    // A kept plan names its ledger, so there must be one.
    let kept = args.out.is_some().then(|| records::write(&project)).transpose()?;
    let ledger = match kept {
        Some(writer) => writer.ledger,
        None => records::read_or_empty(&project, style)?,
    };
    let wanted = Wanted { consents: &args.consents, refresh: args.refresh };
    let Planning { engine, plan, .. } = Planning::on(&project, ledger, &graph, &wanted)?;
    let empty = plan.is_empty(engine.state());
    let cascades = cascades(&plan, Recorded { state: engine.state(), graph: None });
    let shown = ui::plan::Shown {
        plan: &plan,
        cascades: &cascades,
        // Of nothing only a program wants to know how long it takes.
        estimate: (args.json || !empty).then(|| planning::estimate(engine.ledger(), &plan)).flatten(),
        name: &project.name,
        verbose: global.verbose,
        style,
    };
    if args.json {
        ui::json(&ui::plan::document(shown));
    } else if empty {
        let serves =
            plan.base_generation.map_or_else(String::new, |g| format!(": generation {g} is what the program says"));
        ui::out(&format!("Nothing to do{serves}.\n"));
    } else {
        ui::tell(&ui::plan::render(shown));
        if !machine.is_empty() {
            ui::out(&format!("Reads of this machine: {}.\n", machine.join(", ")));
        }
    }
    if let Some(file) = &args.out {
        let absolute =
            std::path::absolute(file).map_err(|e| Failure::new(format!("{}: {}", file.display(), plain(&e))))?;
        let place = |of: &Path| Place {
            relative: relative(&absolute, of).map(|p| p.display().to_string()),
            absolute: of.display().to_string(),
        };
        let names = imm_runtime::seal::walk::names(&plan.graph);
        let sealed = engine.ledger().vault().export(&names).map_err(|e| records::unreadable(&project, &e.into()))?;
        let module = place(&project.folder().unwrap_or_default());
        let saved = SavedPlan { sealed, plan, state: place(project.state()), module, attached };
        let bytes = saved.encode().map_err(|e| Failure::new(e.to_string()))?;
        let beside = absolute.with_extension("immplan.new");
        let written = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, &absolute));
        written.map_err(|e| Failure::new(format!("{}: {}", file.display(), plain(&e))))?;
        if !args.json {
            ui::err(&format!("Kept in {}; `imm apply {}` carries it out.\n", file.display(), file.display()));
        }
    }
    Ok(if args.exit_code && !empty { Exit::Different } else { Exit::Done })
}

/// `to` as seen from the folder of `file`, when both have an ancestor below the root.
fn relative(file: &Path, to: &Path) -> Option<PathBuf> {
    let from = file.parent()?;
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    if shared <= 1 {
        return None;
    }
    let up = from.components().skip(shared).map(|_| std::path::Component::ParentDir);
    Some(up.chain(to.components().skip(shared)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_finds_its_ledger_from_where_it_lies() {
        let see = |file: &str, to: &str| relative(Path::new(file), Path::new(to)).map(|p| p.display().to_string());
        assert_eq!(see("/a/b/x.immplan", "/a/b/.imm/local").as_deref(), Some(".imm/local"));
        assert_eq!(see("/a/out/x.immplan", "/a/b/.imm/local").as_deref(), Some("../b/.imm/local"));
        assert_eq!(see("/tmp/x.immplan", "/a/b/.imm/local"), None);
    }
}
