//! `imm why`: the chain of causes behind what a plan does to an address, what would undo it, and what is there already.

use crate::cli::{Global, Why};
use crate::compile::{self, Compiled};
use crate::failure::{Exit, Failure, Outcome};
use crate::planning::{Planning, Wanted};
use crate::project::Project;
use crate::session;
use crate::ui::{self, Style};
use imm_ir::Addr;
use imm_runtime::explain::{Change, Question, Record, record};
use std::collections::BTreeSet;

/// Explains everything at or below an address.
pub fn run(global: &Global, args: &Why) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, None)?;
    let asked = Addr::parse(&args.address).map_err(Failure::usage)?;
    let wanted = Wanted { consents: &args.consents, refresh: args.refresh };
    let (planning, compiled) = Planning::of(&project, &args.params, &args.tuning, &wanted, style, args.json)?;
    let found = addresses(&planning, &asked);
    if found.is_empty() {
        return Err(unknown(&planning, &asked));
    }
    let base = planning.engine.graph(None).map_err(|e| session::failure(&project, false, e))?;
    let recorded = imm_runtime::plan::Recorded { state: planning.engine.state(), graph: base.as_ref() };
    let question =
        Question { plan: &planning.plan, recorded, observed: &planning.observed, options: &planning.options };
    let mut told = Vec::new();
    for address in &found {
        let mut changes = question.changes(address);
        for change in &mut changes {
            confirm(&project, &planning, &compiled, change);
        }
        let records: Vec<Record> = record::records(planning.engine.ledger(), address);
        told.push(ui::why::Answer { address: address.to_string(), changes, records });
    }
    let generation = planning.engine.state().current;
    if args.json {
        ui::json(&serde_json::json!({ "format": 1, "generation": generation, "addresses": told }));
    } else {
        ui::tell(&ui::why::render(&told, style));
    }
    Ok(Exit::Done)
}

/// Every address at or below the one that was asked for, of the program or of what exists.
fn addresses(planning: &Planning, asked: &Addr) -> BTreeSet<Addr> {
    let state = planning.engine.state();
    let declared = planning.plan.graph.nodes.keys();
    let there = state.objects.values().filter(|o| o.state.exists()).map(|o| &o.address);
    let left = planning.plan.steps.iter().map(|s| &s.address);
    let all: BTreeSet<&Addr> = declared.chain(there).chain(left).collect();
    match all.contains(asked) {
        true => BTreeSet::from([asked.clone()]),
        false => all.into_iter().filter(|a| a.is_within(asked)).cloned().collect(),
    }
}

/// Params are what a user would turn back, and only compiling again tells whether that suffices.
fn confirm(project: &Project, planning: &Planning, compiled: &Compiled, change: &mut Change) {
    let Some(unless) = change.unless.as_mut().filter(|u| !u.params.is_empty()) else { return };
    let recorded = compile::recorded_params(planning.engine.ledger());
    let before: Vec<(String, serde_json::Value)> =
        recorded.into_iter().filter(|(name, _)| unless.params.iter().any(|(param, _)| param == name)).collect();
    let again = (before.len() == unless.params.len()).then(|| compiled.again(project, before)).flatten();
    let holds = again.is_some_and(|graph| {
        planning.instead(&graph).is_some_and(|plan| {
            !plan.steps.iter().any(|s| s.address.as_str() == change.address && s.action.word() == change.action)
        })
    });
    if !holds {
        // Something else was edited too: the nodes as they were is what is known to suffice.
        let nodes = unless.nodes.join(", ");
        unless.text = format!("{nodes} were declared as in the generation that serves");
        unless.params.clear();
    }
}

fn unknown(planning: &Planning, asked: &Addr) -> Failure {
    let mut near: Vec<&str> = planning.plan.graph.nodes.keys().map(Addr::as_str).collect();
    near.sort_by_key(|name| strsim::levenshtein(name, asked.as_str()));
    let failure = Failure::new(format!("nothing is or was declared at {asked}"));
    match near.as_slice() {
        [] => failure.help("`imm status` lists what there is"),
        [nearest, ..] => failure.help(format!("did you mean {nearest}? `imm graph` shows everything that is declared")),
    }
}
