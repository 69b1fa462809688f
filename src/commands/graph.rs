//! `imm graph`: what a program, or a recorded generation, consists of, as a picture or for other tools.

use crate::cli::{Global, Graph as Args, GraphFormat};
use crate::compile::{self, Compiled};
use crate::failure::{Exit, Failure, Outcome};
use crate::planning;
use crate::project::{Project, plain};
use crate::records;
use crate::session;
use crate::ui::{self, Style};
use imm_ir::Addr;
use imm_runtime::report::graph::picture;
use std::sync::Arc;

/// Boxes that can still be read as a picture.
const MOST: usize = 3000;

/// Shows the graph in a format.
pub fn run(global: &Global, args: &Args) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let only = args.at.as_deref().map(Addr::parse).transpose().map_err(Failure::usage)?;
    let format = if args.json { GraphFormat::Json } else { args.format };
    let (graph, of) = match args.generation {
        Some(generation) => (Arc::new(recorded(&project, generation, style)?), format!("generation {generation}")),
        None => {
            // What was interrupted is said here too.
            drop(records::read(&project, style)?);
            let json = format == GraphFormat::Json;
            let Compiled { graph, .. } = compile::compile(&project, &args.params, &args.tuning, style, json)?;
            (graph, project.environment.clone())
        }
    };
    let picture = picture(&graph, only.as_ref());
    if let Some(only) = only.filter(|_| picture.nodes.is_empty()) {
        return Err(Failure::new(format!("nothing is declared at {only}")).help("`imm graph` shows everything"));
    }
    let text = match format {
        GraphFormat::Dot => ui::graph::dot(&picture, &project.name),
        GraphFormat::Mermaid => ui::graph::mermaid(&picture),
        GraphFormat::Json => format!("{}\n", serde_json::to_string(&picture).map_err(|e| Failure::new(e.to_string()))?),
        GraphFormat::Svg if picture.nodes.len() > MOST => {
            let message = format!("{} nodes are too many for a picture", picture.nodes.len());
            return Err(Failure::new(message).help("--at ADDR draws a part; --format dot or json has no limit"));
        }
        GraphFormat::Svg => ui::graph::svg(&picture, &format!("{} · {of}", project.name)),
    };
    match &args.out {
        None => ui::out(&text),
        Some(file) => {
            std::fs::write(file, text).map_err(|e| Failure::new(format!("{}: {}", file.display(), plain(&e))))?;
        }
    }
    Ok(Exit::Done)
}

fn recorded(project: &Project, generation: u64, style: Style) -> Result<imm_ir::Graph, Failure> {
    let Some(ledger) = records::read(project, style)? else {
        return Err(Failure::new(format!("there is no generation {generation}")).help("nothing was applied yet"));
    };
    let graph = planning::reader(ledger)?.graph(Some(generation));
    let graph = graph.map_err(|e| session::failure(project, false, e))?;
    graph.ok_or_else(|| Failure::new(format!("there is no generation {generation}")))
}
