//! Why, for people: from what the plan does, over what it binds, down to what a person changed.

use super::Style;
use imm_runtime::explain::roots::RootKind;
use imm_runtime::explain::{Change, Record, Root};
use serde::Serialize;

/// Causes of one change that are told; `--json` has all.
const MOST_CAUSES: usize = 8;

/// What there is to say of one address.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// The address.
    pub address: String,
    /// What the plan does to it.
    pub changes: Vec<Change>,
    /// What is there.
    pub records: Vec<Record>,
}

/// Answers, one paragraph an address.
pub fn render(answers: &[Answer], style: Style) -> String {
    answers.iter().map(|answer| one(answer, style)).collect::<Vec<_>>().join("\n")
}

fn one(answer: &Answer, style: Style) -> String {
    let mut out = String::new();
    for change in &answer.changes {
        let (sign, color) = sign(change.action);
        let head = style.paint(color, &format!("{sign} {}", change.action));
        let note = change.note.as_ref().map_or_else(String::new, |n| format!("  {n}"));
        out.push_str(&format!("{head}  {}{note}\n", style.paint("1", &change.address)));
        for root in change.causes.iter().take(MOST_CAUSES) {
            out.push_str(&chain(root, style));
        }
        if let Some(more) = change.causes.len().checked_sub(MOST_CAUSES + 1) {
            out.push_str(&format!("  and {} more (--json lists them)\n", more + 1));
        }
        if let Some(cascade) = &change.cascade {
            out.push_str(&format!("  {}\n", super::plan::cascade(cascade)));
        }
        if let Some(unless) = &change.unless {
            let would = style.paint("1", &format!("{} if", would(change)));
            out.push_str(&format!("  {would} {}\n", unless.text));
        }
        out.push_str(&format!("  {}\n", style.paint("2", undo(change.undo))));
    }
    if answer.changes.is_empty() {
        let kept = if answer.records.iter().any(|r| r.in_use) { "stays as it is" } else { "is not in the plan" };
        out.push_str(&format!("= keep  {}  {kept}\n", style.paint("1", &answer.address)));
    }
    for record in &answer.records {
        out.push_str(&recorded(record, style));
    }
    out
}

/// From the address over what it binds, the input and the lets to the root; each step deeper by two.
fn chain(root: &Root, style: Style) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    let hops = root.path.iter().skip(1);
    let shown = 4;
    for (i, hop) in hops.enumerate() {
        if i < shown || i + 3 > root.path.len() {
            let last = i + 2 == root.path.len();
            let what = match root.kind {
                RootKind::Removed if last => "is gone",
                RootKind::Added if last => "is new",
                _other => "is replaced",
            };
            lines.push((format!("{hop} {what}"), String::new()));
        } else if i == shown {
            lines.push((format!("… {} between …", root.path.len().saturating_sub(shown + 3)), String::new()));
        }
    }
    if let Some(field) = root.field.as_ref().filter(|_| root.kind != RootKind::Field) {
        let differs = root.differs.first().filter(|leaf| leaf.path != **field).map(|leaf| leaf.path.as_str());
        let place = root.input.as_ref().map(ToString::to_string).unwrap_or_default();
        lines.push((format!("its {} changed", differs.unwrap_or(field)), place));
    }
    for binding in root.lets.iter().rev() {
        lines.push((format!("{} changed", binding.name), binding.place.to_string()));
    }
    let mut place = root.place.to_string();
    if let Some(via) = &root.via {
        place = if place.is_empty() { via.clone() } else { format!("{place}, {via}") };
    }
    lines.push((last(root), place));
    if root.kind == RootKind::Field {
        let leaves = root.differs.iter().filter(|_| root.differs.len() > 1 || root.before.is_none());
        lines.extend(leaves.map(|l| (format!("{}: {} → {}", l.path, side(&l.before), side(&l.after)), String::new())));
    }
    let mut out = String::new();
    for (depth, (text, place)) in lines.iter().enumerate() {
        let place = if place.is_empty() { String::new() } else { style.paint("36", &format!("  ({place})")) };
        let word = if depth == 0 { "because " } else { "" };
        let arrow = if depth == 0 { "" } else { "← " };
        out.push_str(&format!("  {}{word}{arrow}{text}{place}\n", "  ".repeat(depth)));
    }
    out
}

fn last(root: &Root) -> String {
    let what = match root.kind {
        RootKind::Param => format!("param {}", root.name.as_deref().unwrap_or_default()),
        _other => return with_values(&root.text, root),
    };
    match (&root.before, &root.after) {
        (Some(before), Some(after)) => format!("{what} is {after}, it was {before}"),
        (None, Some(after)) => format!("{what} is {after}, it was not used here"),
        _hidden => root.text.clone(),
    }
}

fn with_values(text: &str, root: &Root) -> String {
    match (&root.before, &root.after) {
        (None, None) => text.to_owned(),
        (before, after) => format!("{text}: {} → {}", side(before), side(after)),
    }
}

fn side(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("nothing")
}

fn sign(action: &str) -> (&'static str, &'static str) {
    match action {
        "create" => ("+", "32"),
        "switch" | "activate" | "deactivate" => ("~", "33"),
        "warm" | "destroy" | "release" | "forget" => ("-", "31"),
        _same => ("=", "36"),
    }
}

fn would(change: &Change) -> &'static str {
    match change.action {
        "create" | "reuse" if change.replaces.is_some() => "would be kept",
        "create" => "would not be made",
        "reuse" => "would stay out of service",
        "switch" | "activate" | "deactivate" | "rename" | "attach" => "would not happen",
        _leaving => "would stay",
    }
}

fn undo(undo: imm_runtime::plan::Undo) -> &'static str {
    match undo {
        imm_runtime::plan::Undo::Free => "undoing it is free",
        imm_runtime::plan::Undo::Seconds => "undoing it takes seconds",
        imm_runtime::plan::Undo::Never => "it cannot be undone",
    }
}

fn recorded(record: &Record, style: Style) -> String {
    let short: String = record.object.chars().take(10).collect();
    let since = match (record.since_generation, record.until_generation.filter(|_| !record.in_use)) {
        (Some(since), Some(until)) if since == until => format!("of generation {since}"),
        (Some(since), Some(until)) => format!("of generations {since} to {until}"),
        (Some(since), None) => format!("since generation {since}"),
        (None, _) => "of no generation".to_owned(),
    };
    let mut out = format!("  {} {short}, {}, {since}\n", style.paint("2", "there now:"), record.state);
    if let Some(made) = &record.made {
        let because = made.because.as_ref().map_or_else(String::new, |b| format!(", because {b:?}"));
        let commit: String =
            made.commit.iter().map(|c| format!(", commit {}", c.chars().take(10).collect::<String>())).collect();
        let number = made.generation.map_or_else(|| ", which failed".to_owned(), |g| format!(" of generation {g}"));
        out.push_str(&format!(
            "    made by the {}{number}, {} by {}{commit}{because}\n",
            made.verb, made.at, made.actor
        ));
        if !made.reasons.is_empty() {
            out.push_str(&format!("    then because: {}\n", made.reasons.join("; ")));
        }
    }
    if let Some(taken) = &record.adopted {
        out.push_str(&format!("    taken over {} by {}, because {:?}\n", taken.at, taken.actor, taken.because));
    }
    if let Some(how) = &record.run_ended {
        match record.runs_replaced {
            1 => out.push_str(&format!("    a run of it {how} and was replaced\n")),
            many => out.push_str(&format!("    {many} runs of it ended and were replaced; the last one {how}\n")),
        }
    }
    for (what, addresses) in
        [("binds", &record.binds), ("bound by", &record.bound_by), ("pointed at by", &record.pointed_by)]
    {
        if !addresses.is_empty() {
            out.push_str(&format!("    {what} {}\n", some(addresses)));
        }
    }
    out
}

/// A few of many.
fn some(addresses: &[String]) -> String {
    let shown: Vec<&str> = addresses.iter().take(6).map(String::as_str).collect();
    let more = addresses.len().saturating_sub(shown.len());
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
