//! A plan for people and for programs.

use super::Style;
use super::table::columns;
use imm_runtime::explain::Cascade;
use imm_runtime::plan::{Action, Plan, Step, Undo};
use serde_json::{Value, json};

/// The plan as `imm plan` and `imm apply` show it. `name` is the module's.
pub fn render(plan: &Plan, name: &str, style: Style) -> String {
    let next = plan.base_generation.unwrap_or(0) + 1;
    let from =
        plan.base_generation.map_or_else(|| "first generation".to_owned(), |g| format!("generation {g} → {next}"));
    let mut out = format!("{} · {} · {from}\n", style.paint("1", name), plan.environment);
    let rows: Vec<Vec<String>> = plan.steps.iter().map(|step| row(step, style)).collect();
    out.push_str(&columns(2, &rows));
    out.push_str(&format!("Plan: {}.  {}\n", counts(plan), undo(plan)));
    out
}

fn row(step: &Step, style: Style) -> Vec<String> {
    let (sign, color) = match step.action {
        Action::Create => ("+", "32"),
        Action::Switch | Action::Activate | Action::Deactivate => ("~", "33"),
        Action::Warm | Action::Destroy | Action::Release | Action::Forget => ("-", "31"),
        Action::Rename
        | Action::Reuse
        | Action::Attach
        | Action::Adopt
        | Action::Retain
        | Action::Keep
        | Action::Read => ("=", "36"),
    };
    let reasons: Vec<String> = step.note.iter().cloned().chain(step.reasons.iter().map(ToString::to_string)).collect();
    vec![
        style.paint(color, &format!("{sign} {}", step.action.word())),
        step.address.to_string(),
        step.kind.to_string(),
        reasons.join("; "),
    ]
}

fn counts(plan: &Plan) -> String {
    const ORDER: [Action; 15] = [
        Action::Create,
        Action::Reuse,
        Action::Attach,
        Action::Adopt,
        Action::Rename,
        Action::Switch,
        Action::Activate,
        Action::Deactivate,
        Action::Warm,
        Action::Retain,
        Action::Release,
        Action::Destroy,
        Action::Forget,
        Action::Read,
        Action::Keep,
    ];
    let summary = plan.summary();
    let said =
        ORDER.iter().filter_map(|a| summary.get(a.word()).filter(|n| **n > 0).map(|n| format!("{n} {}", a.word())));
    let said: Vec<String> = said.collect();
    if said.is_empty() { "nothing".to_owned() } else { said.join(", ") }
}

fn undo(plan: &Plan) -> &'static str {
    let any = |undo: Undo| plan.steps.iter().any(|s| s.undo == undo);
    let switches = plan.steps.iter().any(|s| s.action == Action::Switch);
    match (any(Undo::Never), switches || any(Undo::Seconds)) {
        (true, _) => "Undo: free until the step that cannot be undone.",
        (false, true) => "Undo: free until the switch, then seconds.",
        (false, false) => "Undo: free.",
    }
}

/// How far a replacement spreads, in one sentence.
pub fn cascade(cascade: &Cascade) -> String {
    let named: Vec<&str> = cascade.replaced.iter().take(3).map(String::as_str).collect();
    let more = cascade.size - named.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let ends = match &cascade.cut {
        Some(cut) => format!("it ends at {} ({})", cut.address, cut.by),
        None => "nothing that refers to them stays".to_owned(),
    };
    let others = if cascade.size == 1 { "1 other" } else { &format!("{} others", cascade.size) };
    format!("Cascade: {} replaces {others} ({}{more}); {ends}.", cascade.root, named.join(", "))
}

/// The plan as one JSON document.
pub fn document(plan: &Plan) -> Value {
    let actions: Vec<Value> = plan.steps.iter().map(action).collect();
    json!({
        "format": 1,
        "base": plan.base_generation,
        "graph_root": plan.graph_root.hex(),
        "plan": plan.digest().hex(),
        "actions": actions,
        "summary": plan.summary(),
    })
}

fn action(step: &Step) -> Value {
    let reasons: Vec<Value> = step
        .reasons
        .iter()
        .map(|r| {
            let (file, line, column) =
                r.loc.as_ref().map_or((None, None, None), |l| (Some(&l.file), Some(l.line), Some(l.column)));
            json!({ "text": r.text, "via": r.via, "file": file, "line": line, "column": column })
        })
        .collect();
    json!({
        "action": step.action.word(),
        "address": step.address.as_str(),
        "kind": step.kind,
        "class": step.class.keyword(),
        "object": step.object.map(|o| o.to_string()),
        "spec": step.spec.map(|s| s.hex()),
        "reasons": reasons,
        "note": step.note,
        "undo": step.undo,
        "outage_ms": step.outage_ms,
    })
}
