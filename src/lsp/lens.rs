//! Above each node: what an apply would do to it, against the last recorded state. Offline, and dated.

use super::answers::{Answer, path, project};
use super::documents::EditorWorld;
use super::worker::options;
use super::workspace::Snapshot;
use crate::{platform, records};
use imm_compiler::ide;
use imm_runtime::apply::{Engine, Limits, Tenure};
use imm_runtime::plan::{Action, Options, Plan};
use imm_runtime::random::Random;
use imm_runtime::report;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The lenses of a file; none while the program has mistakes.
pub fn lenses(snapshot: &Snapshot, params: &Value) -> Answer {
    let Some(file) = path(params).and_then(|path| snapshot.file(&path)) else { return Ok(json!([])) };
    let Some((plan, dated)) = plan(snapshot) else { return Ok(json!([])) };
    let mut actions: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| step.action != Action::Keep) {
        let address = step.address.to_string();
        let node = address.split(['.', '[']).next().unwrap_or_default().to_owned();
        *actions.entry(node).or_default().entry(step.action.word()).or_default() += 1;
    }
    let mut shown = Vec::new();
    for symbol in ide::document_symbols(&snapshot.analysis, file) {
        if symbol.kind != ide::SymbolKind::Node {
            continue;
        }
        let told = match actions.get(&symbol.name) {
            Some(words) => {
                let word = |(word, count): (&&str, &usize)| {
                    if *count > 1 { format!("{word} × {count}") } else { (*word).to_owned() }
                };
                words.iter().map(word).collect::<Vec<_>>().join(", ")
            }
            None => "no change".to_owned(),
        };
        let command =
            json!({ "title": format!("{told} · {dated}"), "command": "imm.plan", "arguments": [snapshot.root] });
        shown.push(json!({ "range": snapshot.range(symbol.name_span), "command": command }));
    }
    Ok(Value::Array(shown))
}

/// What an apply would do, and what it is compared with.
fn plan(snapshot: &Snapshot) -> Option<(Plan, String)> {
    let world = EditorWorld::new(&snapshot.documents);
    let compiled = imm_compiler::compile(&world, &snapshot.root.to_string_lossy(), &options()).ok()?;
    let project = project(snapshot);
    let (ledger, dated) = match records::read_quietly(&project) {
        Some(ledger) => {
            let state = ledger.state();
            let last = report::history::history(state).applies.iter().rev().map(|apply| apply.at.clone()).next();
            let dated = match (state.current, last) {
                (Some(generation), Some(at)) => format!("against generation {generation} of {at}"),
                _never => "nothing was applied yet".to_owned(),
            };
            (ledger, dated)
        }
        None => (records::empty(&project).ok()?, "nothing was applied yet".to_owned()),
    };
    let home = platform::home().ok()?;
    let providers = platform::providers(&home, None).ok()?;
    let engine = Engine::new(ledger, providers, Limits::default(), Tenure::default(), Random::seeded(0));
    let plan = engine.plan(&compiled.graph, &Options::new(engine.schemas())).ok()?;
    Some((plan, dated))
}
