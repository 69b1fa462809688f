//! A plan for people and for programs.

use super::Style;
use super::table::columns;
use imm_runtime::entry::Verb;
use imm_runtime::explain::Cascade;
use imm_runtime::explain::overlap::{Overlaps, Until};
use imm_runtime::plan::batches::Instant;
use imm_runtime::plan::{Action, Plan, Step, Undo};
use imm_runtime::rollout::{Stage, Turn};
use serde_json::{Value, json};

/// A plan, and how it is to be shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The largest cascades in it.
    pub cascades: &'a [Cascade],
    /// How long it may take, milliseconds.
    pub estimate: Option<u64>,
    /// The module's name.
    pub name: &'a str,
    /// Of each step what undoing it costs and what coexists.
    pub verbose: bool,
    /// Of the text.
    pub style: Style,
}

/// The plan as `imm plan` and `imm apply` show it.
pub fn render(shown: Shown<'_>) -> String {
    let Shown { plan, cascades, estimate, name, verbose, style } = shown;
    let next = plan.base_generation.unwrap_or(0) + 1;
    let from = match (plan.base_generation, &plan.verb) {
        (_, Verb::Drill { of }) => format!("rehearses a rollback to generation {of}"),
        (None, _) => "first generation".to_owned(),
        (Some(g), _) => format!("generation {g} → {next}"),
    };
    let mut out = format!("{} · {} · {from}\n", style.paint("1", name), plan.environment);
    let overlaps = Overlaps::of(plan);
    let rows: Vec<Vec<String>> = plan.steps.iter().map(|step| row(step, style)).collect();
    let lines = columns(2, &rows);
    for (line, step) in lines.lines().zip(&plan.steps) {
        out.push_str(&format!("{line}{}\n", mark(step, verbose, style)));
        if verbose {
            let beside = overlaps.at(step).map_or_else(String::new, |o| format!("; {}", o.text));
            let cost = style.paint("2", &format!("undo: {}{beside}", undo_word(step.undo)));
            out.push_str(&format!("      {cost}\n"));
        }
    }
    for cascade in cascades.iter().take(MOST_CASCADES) {
        out.push_str(&format!("{}\n", self::cascade(cascade)));
    }
    if let Some(line) = side_by_side(plan, &overlaps) {
        out.push_str(&format!("{line}\n"));
    }
    if let Some(line) = not_at_once(plan) {
        out.push_str(&format!("{line}\n"));
    }
    let takes = estimate.map_or_else(String::new, |ms| format!("  Takes about {}.", super::events::seconds(ms)));
    out.push_str(&format!("Plan: {}.  {}{takes}\n", counts(plan), undo(plan)));
    out
}

/// Cascades that are told below a plan.
const MOST_CASCADES: usize = 3;

/// What stands out: a step that is not free to undo. The switch says it for all that follow it.
fn mark(step: &Step, verbose: bool, style: Style) -> String {
    match step.undo {
        _said_below if verbose => String::new(),
        Undo::Free => String::new(),
        Undo::Seconds => style.paint("2", "  [undo: seconds]"),
        Undo::Never => style.paint("1;31", "  [cannot be undone]"),
    }
}

/// How many objects are there twice, and for how long.
fn side_by_side(plan: &Plan, overlaps: &Overlaps<'_>) -> Option<String> {
    let made = |s: &&Step| matches!(s.action, Action::Create | Action::Reuse | Action::Adopt);
    let twice: Vec<_> = plan.steps.iter().filter(made).filter_map(|s| overlaps.at(s)).collect();
    let (hold, drain) = twice.first().map(|o| (o.hold_ms, o.drain_ms))?;
    let warm = twice.iter().any(|o| o.until == Until::Warm);
    let then = match (warm, drain) {
        (true, _) => format!("the old ones stay, out of service (keep = {})", plan.keep),
        (false, 0) => "the old ones are destroyed after the commit".to_owned(),
        (false, drain) => {
            format!("the old ones are destroyed at most {} after the commit", super::events::seconds(drain))
        }
    };
    let held = if hold > 0 { format!(", for {} at least", super::events::seconds(hold)) } else { String::new() };
    let count = if twice.len() == 1 { "1 new object" } else { &format!("{} new objects", twice.len()) };
    Some(format!("Side by side: {count} with what they replace{held}; {then}."))
}

/// That pointers do not all move at one instant.
fn not_at_once(plan: &Plan) -> Option<String> {
    let instants = plan.instants();
    let moves = |i: &Instant| {
        format!("{} ({})", i.pointers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "), i.provider)
    };
    let order: Vec<String> = instants.iter().map(moves).collect();
    (!order.is_empty()).then(|| {
        format!(
            "Not at one instant: {}. Until the last of them has moved, these show the new side and the others the old one.",
            order.join(", then ")
        )
    })
}

fn undo_word(undo: Undo) -> &'static str {
    match undo {
        Undo::Free => "free",
        Undo::Seconds => "seconds",
        Undo::Never => "never",
    }
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
pub fn document(shown: Shown<'_>) -> Value {
    let Shown { plan, cascades, estimate, .. } = shown;
    let overlaps = Overlaps::of(plan);
    let actions: Vec<Value> = plan.steps.iter().map(|step| action(step, &overlaps)).collect();
    json!({
        "format": 1,
        "base": plan.base_generation,
        "graph_root": plan.graph_root.hex(),
        "plan": plan.digest().hex(),
        "actions": actions,
        "stages": stages(plan),
        "instants": plan.instants(),
        "summary": plan.summary(),
        "cascades": cascades,
        "estimate_ms": estimate,
    })
}

/// The stages of a plan that moves pointers.
fn stages(plan: &Plan) -> Vec<Value> {
    if plan.switches.is_empty() {
        return Vec::new();
    }
    let named = |id: &imm_runtime::id::ObjectId| {
        let step = plan.steps.iter().find(|step| step.object == Some(*id));
        step.map_or_else(|| id.short(), |step| step.address.to_string())
    };
    let of = plan.rollout.stages.len();
    let stage = |(number, stage): (usize, &Stage)| {
        let weights: Vec<Value> = if number == of {
            plan.switches.iter().map(|s| json!({ "address": s.address.to_string(), "new": 100.0 })).collect()
        } else {
            let turn = |t: &Turn| json!({ "address": named(&t.pointer), "new": f64::from(t.weight) / 10_000.0 });
            stage.turns.iter().map(turn).collect()
        };
        json!({
            "stage": number,
            "weights": weights,
            "hold_ms": stage.hold_ms,
            "approve": stage.approve,
            "gates": stage.judges.iter().map(named).collect::<Vec<_>>(),
            "joins": stage.joins.iter().map(named).collect::<Vec<_>>(),
            "leaves": stage.leaves.iter().map(named).collect::<Vec<_>>(),
        })
    };
    (1..).zip(&plan.rollout.stages).map(stage).collect()
}

fn action(step: &Step, overlaps: &Overlaps<'_>) -> Value {
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
        "overlap": overlaps.at(step),
    })
}
