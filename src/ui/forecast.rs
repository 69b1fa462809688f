//! What a simulation found, in plain words and as a document.

use super::Style;
use super::events::seconds;
use imm_runtime::simulate::forecast::{Forecast, Many, Trial};
use serde_json::{Value, json};

/// For people.
pub fn render(found: &Forecast, name: &str, environment: &str, style: Style) -> String {
    let from = if found.base == 0 { "first generation".to_owned() } else { format!("from generation {}", found.base) };
    let mut out = format!("{} · {environment} · simulated, {from}, seed {}\n", style.paint("1", name), found.seed);
    let apply = &found.apply;
    if found.base > 0 && apply.outcome == "committed" && apply.generation == found.base {
        out.push_str(&format!(
            "  nothing to do, so there is nothing to try: the program is what generation {} says; edit it, or give another --param\n",
            found.base
        ));
        return out;
    }
    out.push_str(&format!(
        "  apply: {}; {} created, {} moved, in {} of virtual time\n",
        ending(apply),
        apply.created,
        apply.switched,
        seconds(apply.took_ms)
    ));
    for failure in &found.failures {
        let why = failure.trial.error.as_ref().map_or_else(String::new, |e| format!(" ({e})"));
        out.push_str(&format!("  if {} fails: {}{why}\n", failure.at, ending(&failure.trial)));
    }
    let news = found.base + 1;
    if let Some(many) = &found.crashes {
        let serving = match found.base {
            0 => "nothing or generation 1".to_owned(),
            old => format!("generation {old} or {news}"),
        };
        out.push_str(&format!(
            "  from {} of {} crash points recovery ended with {serving} serving, whole; {}\n",
            many.whole,
            many.trials,
            worst(many)
        ));
    }
    if let Some(many) = &found.faults {
        out.push_str(&format!(
            "  with failing, late and repeated calls {} of {} runs ended whole, {} of them committed; {}\n",
            many.whole,
            many.trials,
            many.new,
            worst(many)
        ));
    }
    let many = found.crashes.iter().chain(&found.faults).flat_map(|m| &m.broken);
    let trials = found.failures.iter().map(|f| &f.trial).chain([apply]).flat_map(|t| &t.broken);
    for broken in many.chain(trials) {
        out.push_str(&format!("  {} {broken}\n", style.paint("1;31", "broken:")));
    }
    out
}

fn ending(trial: &Trial) -> String {
    let serves = match trial.generation {
        0 => "nothing serves".to_owned(),
        generation => format!("generation {generation} serves"),
    };
    let whole = if trial.broken.is_empty() { ", whole" } else { "" };
    let how = match trial.outcome {
        "committed" => "committed",
        "rolled_back" => "unwound",
        other => other,
    };
    format!("{how}, {serves}{whole}; outage {}", outage(trial.outage_ms))
}

fn worst(many: &Many) -> String {
    let at = many.worst_at.as_ref().map_or_else(String::new, |at| format!(" ({at})"));
    format!("worst outage {}{at}", outage(many.worst_outage_ms))
}

fn outage(ms: u64) -> String {
    if ms == 0 { "0 s".to_owned() } else { seconds(ms) }
}

/// For programs.
pub fn document(found: &Forecast) -> Value {
    let mut document = serde_json::to_value(found).unwrap_or_default();
    if let Some(map) = document.as_object_mut() {
        map.insert("format".to_owned(), json!(1));
        map.insert("whole".to_owned(), json!(found.whole()));
    }
    document
}
