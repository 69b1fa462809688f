//! A rollout for people: its stages, what both sides of a pointer meet, what gates say.

use super::table::columns;
use imm_ir::reduce::shown;
use imm_ir::{Addr, Value};
use imm_runtime::apply::{Side, Traffic};
use imm_runtime::entry::Verdict;
use imm_runtime::rollout::Samples;

/// A stage that begins.
pub fn stage(stage: u32, of: u32, weights: &[(Addr, u32)], hold_ms: u64, approve: bool) -> String {
    let whole = weights.iter().all(|(_, weight)| *weight == imm_runtime::rollout::WHOLE);
    let moves: Vec<String> = weights.iter().map(|(address, weight)| format!("{address} {}", part(*weight))).collect();
    let moves = if weights.is_empty() || whole { "everything".to_owned() } else { moves.join(", ") };
    let held = if hold_ms > 0 { format!(", held for {}", span(hold_ms)) } else { String::new() };
    let approve = if approve { ", then until `imm rollout promote`" } else { "" };
    format!("stage {stage} of {of}: {moves} to the new side{held}{approve}")
}

/// The live view of a stage, in lines.
pub fn live(stage: u32, of: u32, elapsed_ms: u64, hold_ms: u64, waits_for: &str, pointers: &[Traffic]) -> String {
    let waits = match waits_for {
        "hold" => format!("{} of {}", span(round(elapsed_ms)), span(hold_ms)),
        "approval" => "waits for `imm rollout promote`".to_owned(),
        "promote" => "paused: `imm rollout promote` goes on".to_owned(),
        _requests => format!("{}, waits for requests", span(round(elapsed_ms))),
    };
    let left = of.saturating_sub(stage);
    let left = if left == 0 { "the last one".to_owned() } else { format!("{left} left") };
    format!("stage {stage} of {of}, {left} · {waits}\n{}", sides(pointers).trim_end_matches('\n'))
}

/// The live view of a watch, in lines.
pub fn watched(elapsed_ms: u64, watch_ms: u64, pointers: &[Traffic]) -> String {
    let waits = format!("watched for {} of {}", span(round(elapsed_ms)), span(watch_ms));
    format!("{waits}\n{}", sides(pointers).trim_end_matches('\n'))
}

/// Both sides of each pointer, a line each.
pub fn sides(pointers: &[Traffic]) -> String {
    let mut rows = Vec::new();
    for pointer in pointers {
        rows.push(side(&pointer.address.to_string(), "new", pointer.weight, &pointer.new));
        rows.push(side("", "old", imm_runtime::rollout::WHOLE - pointer.weight, &pointer.old));
    }
    columns(4, &rows)
}

fn side(address: &str, name: &str, weight: u32, side: &Side) -> Vec<String> {
    let Side { per_second, samples } = side;
    vec![
        address.to_owned(),
        format!("{name} {}", part(weight)),
        format!("{per_second:.0}/s"),
        format!("{} errors", ratio(samples.errors)),
        format!("p50 {}", span(samples.p50)),
        format!("p99 {}", span(samples.p99)),
        if samples.restarts > 0 { format!("{} restarts", samples.restarts) } else { String::new() },
    ]
}

/// Both sides in one line.
pub fn in_a_line(pointer: &Traffic) -> String {
    let told = |name: &str, side: &Side| {
        format!(
            "{name} {:.0}/s, {} errors, p99 {}",
            side.per_second,
            ratio(side.samples.errors),
            span(side.samples.p99)
        )
    };
    let (new, old) = (told("new", &pointer.new), told("old", &pointer.old));
    format!("{} {}: {new}; {old}", pointer.address, part(pointer.weight))
}

/// What a gate said, and of what.
pub fn judged(address: &Addr, said: Verdict, why: &str, new: &Samples, old: &Samples) -> String {
    match said {
        Verdict::Pass => format!("the gate of {address} passed: new {}; old {}", met(new), met(old)),
        Verdict::Fail => format!("the gate of {address} failed: {why}"),
        Verdict::Inconclusive | Verdict::Unwatched => format!("the gate of {address} is {}: {why}", verdict(said)),
    }
}

/// Samples in words.
pub fn met(samples: &Samples) -> String {
    let Samples { requests, errors, p99, .. } = samples;
    format!("{requests} requests, {} errors, p99 {}", ratio(*errors), span(*p99))
}

/// A verdict as documents say it.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Unwatched => "unwatched",
    }
}

/// A part, in parts per million.
pub fn part(weight: u32) -> String {
    ratio(weight.into())
}

/// A part to the second digit.
fn ratio(ppm: u64) -> String {
    let rounded = (ppm + 50) / 100 * 100;
    let exact = if rounded == 0 { ppm } else { rounded };
    shown(&Value::Ratio(i64::try_from(exact).unwrap_or(i64::MAX)))
}

/// A span of time.
pub fn span(ms: u64) -> String {
    shown(&Value::Duration(i64::try_from(ms).unwrap_or(i64::MAX)))
}

/// Whole seconds.
fn round(ms: u64) -> u64 {
    ms / 1000 * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic() -> Traffic {
        let side = |per_second, errors| {
            let samples = Samples { requests: 512, errors, p50: 4, p90: 9, p99: 12, restarts: 0 };
            Side { per_second, samples }
        };
        Traffic { address: Addr::root("front"), weight: 100_000, new: side(120.4, 1_953), old: side(1080.0, 0) }
    }

    #[test]
    fn a_stage_says_how_far_and_how_long() {
        let weights = [(Addr::root("front"), 100_000)];
        assert_eq!(stage(1, 3, &weights, 5000, false), "stage 1 of 3: front 10% to the new side, held for 5s");
        let last = [(Addr::root("front"), 1_000_000)];
        assert_eq!(stage(3, 3, &last, 0, false), "stage 3 of 3: everything to the new side");
    }

    #[test]
    fn both_sides_are_told_next_to_each_other() {
        assert_eq!(
            live(1, 3, 2_400, 5000, "hold", &[traffic()]),
            "stage 1 of 3, 2 left · 2s of 5s\n    front  new 10%  120/s   0.2% errors  p50 4ms  p99 12ms\n           old 90%  1080/s  0% errors    p50 4ms  p99 12ms"
        );
        assert_eq!(
            in_a_line(&traffic()),
            "front 10%: new 120/s, 0.2% errors, p99 12ms; old 1080/s, 0% errors, p99 12ms"
        );
    }
}
