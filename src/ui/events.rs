//! What is seen of an apply while it runs and when it ends: a line a step for people, JSON lines for programs.

use super::{Style, rollout};
use imm_ir::{Addr, Fields, Value};
use imm_runtime::apply::{Event, Outcome};
use imm_runtime::entry::Verdict;
use imm_runtime::report;
use serde_json::json;

/// Shows events as they happen.
#[derive(Clone, Copy, Debug)]
pub struct Watcher {
    /// Events go to stdout as JSON lines, else to stderr as text.
    pub json: bool,
    /// No text.
    pub quiet: bool,
    /// Also the start of each step.
    pub verbose: bool,
    /// Of the text.
    pub style: Style,
}

impl Watcher {
    /// Shows one event.
    pub fn see(&self, event: &Event) {
        if self.json {
            super::json(event);
        } else if !self.quiet {
            super::err(&self.line(event));
        }
    }

    /// One event in words.
    pub fn line(&self, event: &Event) -> String {
        let mark = |color: &str, sign: &str| self.style.paint(color, sign);
        match event {
            Event::StepStarted { action, address, object } if self.verbose => {
                format!("  {} {action} {address} ({})\n", mark("2", "…"), object.short())
            }
            Event::Started { .. } | Event::StepStarted { .. } => String::new(),
            Event::StepDone { action, address, took_ms, .. } => {
                format!("  {} {} {address} ({})\n", mark("32", "✓"), past(action), seconds(*took_ms))
            }
            Event::StepFailed { action, address, error, .. } => {
                format!("  {} {action} {address}: {error}\n", mark("31", "✗"))
            }
            Event::Stage { stage, of, weights, hold_ms, approve, gated } => {
                let alone = *of == 1 && *hold_ms == 0 && !gated;
                let text = rollout::stage(*stage, *of, weights, *hold_ms, *approve);
                if alone { String::new() } else { format!("  {} {text}\n", mark("33", "~")) }
            }
            // On a terminal there is a live view; here a word every ten seconds.
            Event::Traffic { elapsed_ms, pointers, .. } | Event::Watched { elapsed_ms, pointers, .. } => {
                if *elapsed_ms >= 10_000 && elapsed_ms % 10_000 < 500 {
                    let told = pointers.iter().map(|p| format!("  {} {}\n", mark("2", "·"), rollout::in_a_line(p)));
                    told.collect()
                } else {
                    String::new()
                }
            }
            Event::GateJudged { address, verdict, why, new, old, .. } => {
                let sign = if *verdict == Verdict::Pass { mark("32", "✓") } else { mark("31", "✗") };
                format!("  {sign} {}\n", rollout::judged(address, *verdict, why, new, old))
            }
            Event::WatchEnded { verdict: Verdict::Pass, .. } => format!("  {} the watch passed\n", mark("32", "✓")),
            Event::WatchEnded { verdict: Verdict::Fail, why } => {
                format!("  {} {why}: going back\n", mark("31", "✗"))
            }
            Event::WatchEnded { why, .. } => format!("  {} not watched: {why}\n", mark("33", "!")),
            Event::Heard { verb, by } => {
                let heard = match *verb {
                    "pause" => {
                        format!("{by} paused it: it goes on with `imm rollout promote`, and is undone after an hour")
                    }
                    "promote" => format!("{by} let it go on"),
                    _abort => format!("{by} aborted it"),
                };
                format!("  {} {heard}\n", mark("33", "!"))
            }
            Event::Switched { address, targets } => {
                let targets = if *targets == 1 { "1 target".to_owned() } else { format!("{targets} targets") };
                format!("  {} switched {address} to {targets}\n", mark("33", "~"))
            }
            Event::HandedOver { address, outage_ms, allowed_ms } => format!(
                "  {} {address} took over: {} without service, {} allowed\n",
                mark("33", "~"),
                seconds(*outage_ms),
                seconds(*allowed_ms)
            ),
            Event::Committed { generation } => format!("  {} committed generation {generation}\n", mark("1;32", "✓")),
            Event::Retiring { objects: 0 } => String::new(),
            Event::Retiring { objects } => format!("  {} retiring {objects} of earlier generations\n", mark("2", "-")),
            Event::Failed { .. } => String::new(),
            Event::Unwinding => format!("  {} unwinding\n", mark("33", "↩")),
        }
    }
}

fn past(action: &str) -> String {
    match action {
        "create" => "created".to_owned(),
        "verify" => "verified".to_owned(),
        "drain" => "drained".to_owned(),
        "destroy" => "destroyed".to_owned(),
        "activate" => "activated".to_owned(),
        "deactivate" => "deactivated".to_owned(),
        "run" => "ran".to_owned(),
        "undo" => "took back".to_owned(),
        "snapshot" => "copied".to_owned(),
        other => other.to_owned(),
    }
}

/// A duration for people.
pub fn seconds(ms: u64) -> String {
    let tenths = ms.div_ceil(100);
    if ms < 100 { format!("{ms} ms") } else { format!("{}.{} s", tenths / 10, tenths % 10) }
}

/// The last lines of a successful apply. `empty`: it ended everything.
pub fn committed(generation: u64, outputs: &Fields<Value>, took_ms: u64, empty: bool, style: Style) -> String {
    let shown = outputs.iter().map(|(name, value)| {
        let value = report::value(value);
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name} = {text}\n")
    });
    let mut out: String = shown.collect();
    let serves = if empty { "is empty: nothing serves" } else { "serves" };
    let last = format!("Generation {generation} {serves} ({}).", seconds(took_ms));
    out.push_str(&format!("{}\n", style.paint("1;32", &last)));
    out
}

/// The last lines of a drill that passed.
pub fn drilled(generation: u64, covered: usize, not_covered: &[(Addr, String)], took_ms: u64, style: Style) -> String {
    let mut out: String = not_covered.iter().map(|(address, why)| format!("not covered: {address}: {why}\n")).collect();
    if covered == 0 {
        out.push_str("Nothing could be proven: everything it would need stays at rest in a drill.\n");
    }
    let last = format!("A rollback to generation {generation} works, as far as it was covered ({}).", seconds(took_ms));
    out.push_str(&format!("{}\n", style.paint("1;32", &last)));
    out
}

/// What could not be cleaned up.
pub fn leftovers(leftovers: &[(Addr, String)], style: Style) -> String {
    let warn = style.paint("1;33", "warning");
    leftovers.iter().map(|(address, why)| format!("{warn}: left over: {address}: {why}\n")).collect()
}

/// The last event of `--json`.
pub fn finished(outcome: &Outcome) -> serde_json::Value {
    let mut document = serde_json::to_value(outcome).unwrap_or_default();
    if let (Some(map), Outcome::Committed { outputs, .. }) = (document.as_object_mut(), outcome) {
        let outputs: serde_json::Map<_, _> = outputs.iter().map(|(k, v)| (k.to_string(), report::value(v))).collect();
        map.insert("outputs".to_owned(), outputs.into());
    }
    if let Some(map) = document.as_object_mut() {
        map.insert("event".to_owned(), json!("finished"));
    }
    document
}
