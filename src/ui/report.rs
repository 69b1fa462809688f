//! Status and history for people.

use super::Style;
use super::table::columns;
use imm_runtime::report::drift::Drift;
use imm_runtime::report::history::History;
use imm_runtime::report::metrics::Metrics;
use imm_runtime::report::status::{Open, PointerStatus, Status};

/// What runs.
pub fn status(status: &Status, name: &str, style: Style) -> String {
    let generation = status.generation.map_or_else(|| "no generation".to_owned(), |g| format!("generation {g}"));
    let mut out = format!("{} · {} · {generation}\n", style.paint("1", name), status.environment);
    let rows: Vec<_> = status
        .objects
        .iter()
        .map(|o| {
            let (sign, color) = match (o.state, &*o.health) {
                ("warm" | "retained", _) => ("○", "2"),
                (_, "unhealthy" | "missing") => ("✗", "31"),
                (_, "starting") => ("…", "33"),
                _ => ("●", "32"),
            };
            let health = if o.health == "unknown" { String::new() } else { o.health.clone() };
            let since = o.since_generation.map_or_else(String::new, |g| format!("since {g}"));
            let short = super::brief(&o.object);
            vec![style.paint(color, sign), o.address.clone(), o.kind.clone(), o.state.to_owned(), health, since, short]
        })
        .collect();
    out.push_str(&columns(2, &rows));
    for pointer in &status.pointers {
        out.push_str(&format!("  {} → {} (epoch {})\n", pointer.address, targets(pointer), pointer.epoch));
    }
    for (name, value) in &status.outputs {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        out.push_str(&format!("{name} = {text}\n"));
    }
    if let Some(Open { verb, phase, since, by, .. }) = &status.under_way {
        out.push_str(&format!(
            "The {verb} that {by} started at {since} is {phase}: `imm rollout status` shows how it goes.\n"
        ));
    }
    out
}

/// Where a pointer points; while something is rolled out, the new side after the old one.
fn targets(pointer: &PointerStatus) -> String {
    let side = |fresh: bool| {
        let side = pointer.targets.iter().filter(|t| t.fresh == fresh);
        side.map(|t| format!("{} {}%", t.address, round(t.weight))).collect::<Vec<_>>().join(", ")
    };
    match (side(false), side(true)) {
        (old, new) if old.is_empty() && new.is_empty() => "nothing".to_owned(),
        (old, new) if new.is_empty() => old,
        (old, new) if old.is_empty() => format!("new: {new}"),
        (old, new) => format!("{old}; new: {new}"),
    }
}

fn round(weight: f64) -> String {
    let text = format!("{weight:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// What drifted; what is intact is counted.
pub fn drift(drift: &Drift, style: Style) -> String {
    let intact = drift.objects.iter().filter(|o| o.state == "intact").count();
    let mut rows = Vec::new();
    for o in drift.objects.iter().filter(|o| o.state != "intact") {
        let fields = o.fields.iter().map(|f| format!("{} is {}, not {}", f.name, f.observed, f.recorded));
        let short = super::brief(&o.object);
        let sign =
            style.paint(if o.state == "orphan" { "33" } else { "31" }, if o.state == "orphan" { "?" } else { "✗" });
        rows.push(vec![sign, o.address.clone(), o.state.to_owned(), short, fields.collect::<Vec<_>>().join("; ")]);
    }
    let mut out = columns(0, &rows);
    let orphans = drift.objects.iter().filter(|o| o.state == "orphan").count();
    out.push_str(&match (rows.len() - orphans, intact) {
        (0, n) => format!("Nothing drifted: {n} intact.\n"),
        (n, intact) => {
            format!("{n} drifted, {intact} intact. `imm heal` makes new objects for what is missing or changed, and moves back what was moved.\n")
        }
    });
    if orphans > 0 {
        out.push_str(&format!(
            "{orphans} with our tag and no entry. `imm adopt ADDR --object ID --because TEXT` takes one over: at an address of the program to use it, at any other to end it.\n"
        ));
    }
    out
}

/// How changes go.
pub fn metrics(metrics: &Metrics) -> String {
    let span = |seconds: Option<f64>| match seconds {
        None => "-".to_owned(),
        Some(s) if s < 120.0 => format!("{s:.1} s"),
        Some(s) if s < 7200.0 => format!("{:.1} min", s / 60.0),
        Some(s) if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        Some(s) => format!("{:.1} days", s / 86_400.0),
    };
    let rate = metrics.change_failure_rate.map_or_else(|| "-".to_owned(), |r| format!("{:.0} %", r * 100.0));
    let frequency = metrics.deployments_per_day.map_or_else(|| "-".to_owned(), |n| format!("{n:.1} a day"));
    let row = |name: &str, value: String, note: String| vec![name.to_owned(), value, note];
    columns(
        0,
        &[
            row("environment", metrics.environment.clone(), String::new()),
            row("deployment frequency", frequency, format!("{} committed", metrics.deployments)),
            row("lead time for changes", span(metrics.lead_time_seconds), "median, from the commit's time".to_owned()),
            row("time to restore", span(metrics.time_to_restore_seconds), "median".to_owned()),
            row("change failure rate", rate, format!("{} undone or rolled back from", metrics.failures)),
            row("automatic rollbacks", metrics.auto_rollbacks.to_string(), "a watch failed".to_owned()),
            row(
                "gates",
                format!("{} passed", metrics.gates.passed),
                format!("{} failed, {} inconclusive", metrics.gates.failed, metrics.gates.inconclusive),
            ),
        ],
    )
}

/// What every command says first on an interrupted ledger.
pub fn interrupted(open: &Open, style: Style) -> String {
    let what = if open.stuck { "is stuck" } else { "was interrupted" };
    let error = open.error.as_ref().map_or_else(String::new, |e| format!(": {e}"));
    format!(
        "{}: an apply ({}) {what} while {}, started {} by {}{error}\n{}: run `imm recover`\n",
        style.paint("1;33", "warning"),
        open.verb,
        open.phase,
        open.since,
        open.by,
        style.paint("1;36", "help"),
    )
}

/// Every apply, newest last.
pub fn history(history: &History, style: Style) -> String {
    let rows: Vec<_> = history
        .applies
        .iter()
        .map(|a| {
            // A drill always ends as it began; what counts is whether it found anything.
            let (outcome, sign, color) = match (a.outcome, a.verb.starts_with("drill"), &a.error) {
                ("rolled_back", true, None) => ("proven", "✓", "32"),
                ("rolled_back", true, Some(_)) => ("failed", "✗", "31"),
                ("committed", ..) => ("committed", "✓", "32"),
                ("rolled_back", ..) => ("rolled back", "↩", "33"),
                (other, ..) => (other, "!", "31"),
            };
            let generation = a.generation.map_or_else(|| "–".to_owned(), |g| g.to_string());
            let took = a.seconds.map_or_else(String::new, |s| format!("{s:.1} s"));
            let counts = format!("+{} -{}", a.created, a.destroyed);
            let why = a.because.as_deref().or(a.error.as_deref()).and_then(|text| text.lines().next());
            let proven = a.rollback_proven_at.as_ref().map(|at| format!("rollback proven {at}"));
            let notes: Vec<&str> = why.into_iter().chain(proven.as_deref()).collect();
            vec![
                style.paint(color, sign),
                generation,
                a.verb.clone(),
                outcome.to_owned(),
                a.at.clone(),
                took,
                counts,
                a.actor.clone(),
                notes.join("; "),
            ]
        })
        .collect();
    columns(0, &rows)
}
