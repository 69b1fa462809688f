//! `imm simulate`: what the next apply would do, tried in a simulated world by the real executor. Nothing real is touched
//! and nothing is recorded.

use crate::cli::{Global, Simulate as Args};
use crate::compile;
use crate::consents::addresses;
use crate::failure::{Exit, Failure, Outcome};
use crate::project::Project;
use crate::records;
use crate::ui::{self, Style};
use imm_runtime::simulate::forecast::{Wish, forecast};

/// Ends with 1 when some trial did not end with a whole generation in force.
pub fn run(global: &Global, args: &Args) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let compiled = compile::compile(&project, &args.params, &args.tuning, style, args.json)?;
    let ledger = records::read(&project, style)?;
    let mut base = None;
    if let Some(ledger) = &ledger
        && let Some((number, generation)) = ledger.state().current.zip(ledger.state().generation())
    {
        let graph = imm_runtime::generation::load(ledger, generation);
        // The simulated ledger seals with a key of its own.
        let graph = graph.and_then(|graph| Ok(ledger.vault().opened_graph(&graph)?));
        base = Some((number, graph.map_err(|e| records::unreadable(&project, &e))?));
    }
    let fail = addresses(&args.fail)?;
    let known = |at: &imm_ir::Addr| compiled.graph.nodes.keys().any(|node| node.is_within(at));
    if let Some(at) = fail.iter().find(|at| !known(at)) {
        return Err(Failure::new(format!("there is no node {at} that could fail"))
            .help("`imm plan` lists the addresses of what is made"));
    }
    let wish = Wish { seed: args.seed, fail, crash_everywhere: args.crash_everywhere, faults: !args.crash_everywhere };
    let found = forecast(base.as_ref().map(|(number, graph)| (*number, graph)), &compiled.graph, &wish)
        .map_err(Failure::new)?;
    if args.json {
        ui::json(&ui::forecast::document(&found));
    } else {
        ui::tell(&ui::forecast::render(&found, &project.name, &project.environment, style));
    }
    Ok(if found.whole() { Exit::Done } else { Exit::Failed })
}
