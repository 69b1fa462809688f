//! `imm gate`: a gate tried on samples, those that somebody writes down and those that past rollouts met.

use crate::cli::{Gate, GateBacktest, GateTest, Global, Params, Tuning};
use crate::compile;
use crate::failure::{Exit, Failure, Outcome};
use crate::project::{Project, plain};
use crate::records;
use crate::ui::{self, Style};
use imm_ir::{Addr, Class, Graph};
use imm_runtime::entry::Verdict;
use imm_runtime::report::{instant, rollout::judged};
use imm_runtime::rollout::gate::judge_samples;
use imm_runtime::rollout::words::shape;
use imm_runtime::rollout::{Gate as Condition, Samples, Strategy, judge};
use serde_json::{Value, json};

/// Tries gates.
pub fn run(global: &Global, verb: &Gate) -> Outcome {
    match verb {
        Gate::Test(args) => test(global, args),
        Gate::Backtest(args) => backtest(global, args),
    }
}

/// One case of `imm gate test`.
struct Case {
    name: String,
    new: Samples,
    old: Samples,
    expect: Option<Verdict>,
}

fn test(global: &Global, args: &GateTest) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, None)?;
    let gates = gates(&project, &args.params, style, args.json, args.address.as_deref())?;
    let [(address, gate)] = gates.as_slice() else {
        let names: Vec<String> = gates.iter().map(|(address, _)| address.to_string()).collect();
        return Err(Failure::usage(format!("there are several gates: {}", names.join(", "))).help("name one of them"));
    };
    let cases = match &args.samples {
        Some(path) => read_cases(path)?,
        None => {
            let side = |text: &Option<String>| text.as_deref().map(written).transpose();
            let new = side(&args.new)?.unwrap_or_default();
            let old = side(&args.old)?.unwrap_or(Samples { requests: gate.min_requests, ..Samples::default() });
            vec![Case { name: "sample".to_owned(), new, old, expect: None }]
        }
    };
    let (mut failed, mut told) = (false, Vec::new());
    if !args.json {
        ui::tell(&format!("{address}: {}\n", shape(&gate.condition)));
    }
    for case in cases {
        let (verdict, why) = judge_samples(gate, &case.new, &case.old).into_verdict();
        let right = case.expect.map_or(verdict == Verdict::Pass, |wanted| wanted == verdict);
        failed |= !right;
        let word = ui::rollout::verdict(verdict);
        if args.json {
            told.push(json!({ "name": case.name, "verdict": word, "why": why, "as_expected": right }));
            continue;
        }
        let sign = if right { style.paint("32", "✓") } else { style.paint("31", "✗") };
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        ui::tell(&format!("  {sign} {}: {word}{why}\n", case.name));
    }
    if args.json {
        let gate = shape(&gate.condition);
        ui::json(&json!({ "format": 1, "address": address.to_string(), "gate": gate, "cases": told }));
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn backtest(global: &Global, args: &GateBacktest) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, None)?;
    let gates = gates(&project, &args.params, style, args.json, args.address.as_deref())?;
    let ledger = records::expect(&project, style)?;
    let entries = ledger.entries(1).map_err(|e| records::unreadable(&project, &e))?;
    let (mut told, mut otherwise) = (Vec::new(), 0);
    for (at_ms, apply, past) in judged(&entries) {
        let Some(object) = ledger.state().objects.get(&past.pointer) else { continue };
        let Some((address, gate)) = gates.iter().find(|(address, _)| *address == object.address) else { continue };
        if told.len() == args.last {
            break;
        }
        let (now, why) = judge(gate, &past.new, &past.old).into_verdict();
        otherwise += usize::from(now != past.verdict);
        let (new, old) = (past.new.samples(), past.old.samples());
        told.push(json!({
            "at": instant(at_ms),
            "apply": apply.map(|id| id.to_string()),
            "address": address.to_string(),
            "stage": past.stage,
            "then": ui::rollout::verdict(past.verdict),
            "now": ui::rollout::verdict(now),
            "why": why,
            "new": new,
            "old": old,
        }));
        if !args.json {
            let sign = if now == past.verdict { style.paint("2", "=") } else { style.paint("33", "~") };
            let (then, now) = (ui::rollout::verdict(past.verdict), ui::rollout::verdict(now));
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            let met = format!("new {}; old {}", ui::rollout::met(&new), ui::rollout::met(&old));
            let at = instant(at_ms);
            ui::tell(&format!("  {sign} {at} {address} stage {}: {then} then, {now} now{why} ({met})\n", past.stage));
        }
    }
    if args.json {
        ui::json(&json!({ "format": 1, "judgements": told, "otherwise": otherwise }));
    } else if told.is_empty() {
        ui::tell("No gate was judged yet.\n");
    } else {
        ui::tell(&format!("{} judgements, {otherwise} would end otherwise.\n", told.len()));
    }
    Ok(Exit::Done)
}

/// The gates of a program, or the one of a pointer.
fn gates(
    project: &Project,
    params: &Params,
    style: Style,
    json: bool,
    address: Option<&str>,
) -> Result<Vec<(Addr, Condition)>, Failure> {
    let compiled = compile::compile(project, params, &Tuning::default(), style, json)?;
    let mut found = of(&compiled.graph);
    if let Some(wanted) = address {
        found.retain(|(address, _)| address.as_str() == wanted);
    }
    if found.is_empty() {
        let what = match address {
            None => "no pointer of this program has a gate".to_owned(),
            Some(wanted) if compiled.graph.nodes.keys().any(|a| a.as_str() == wanted) => {
                format!("{wanted} has no gate")
            }
            Some(wanted) => format!("nothing is declared at {wanted}"),
        };
        return Err(Failure::new(what)
            .help("a gate is written beside the steps: gate = (new, old) => new.errors <= old.errors + 1%"));
    }
    Ok(found)
}

fn of(graph: &Graph) -> Vec<(Addr, Condition)> {
    let pointers = graph.nodes.iter().filter(|(_, node)| node.class == Class::Pointer);
    let gate = |(address, node): (&Addr, &imm_ir::Node)| {
        let strategy = Strategy::read(&node.inputs.get("rollout")?.term).ok()?;
        Some((address.clone(), strategy.gate()?.clone()))
    };
    pointers.filter_map(gate).collect()
}

fn read_cases(path: &std::path::Path) -> Result<Vec<Case>, Failure> {
    let named = |what: String| Failure::new(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| named(plain(&e)))?;
    let document: Value = serde_json::from_str(&text).map_err(|e| named(e.to_string()))?;
    let list = document.as_array().cloned().unwrap_or_else(|| vec![document]);
    let mut cases = Vec::with_capacity(list.len());
    for (number, one) in (1..).zip(&list) {
        let side = |name: &str| {
            let fields = one.get(name).and_then(Value::as_object);
            let fields = fields.ok_or_else(|| named(format!("case {number} has no \"{name}\"")))?;
            let mut samples = Samples::default();
            for (field, value) in fields {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                set(&mut samples, field, &text).map_err(|why| named(format!("case {number}, {name}: {why}")))?;
            }
            Ok::<_, Failure>(samples)
        };
        let expect = match one.get("expect").and_then(Value::as_str) {
            None => None,
            Some("pass") => Some(Verdict::Pass),
            Some("fail") => Some(Verdict::Fail),
            Some("inconclusive") => Some(Verdict::Inconclusive),
            Some(other) => {
                return Err(named(format!("case {number}: `{other}` is not pass, fail or inconclusive")));
            }
        };
        let name = one.get("name").and_then(Value::as_str).map_or_else(|| format!("case {number}"), str::to_owned);
        cases.push(Case { name, new: side("new")?, old: side("old")?, expect });
    }
    Ok(cases)
}

/// `errors=5%,p99=200ms,requests=1000`
fn written(text: &str) -> Result<Samples, Failure> {
    let wrong = |why: String| {
        Failure::usage(format!("`{text}`: {why}")).help("write it like errors=5%,p99=200ms,requests=1000")
    };
    let mut samples = Samples::default();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(|| wrong(format!("`{part}` has no value")))?;
        set(&mut samples, name.trim(), value.trim()).map_err(wrong)?;
    }
    Ok(samples)
}

fn set(samples: &mut Samples, name: &str, value: &str) -> Result<(), String> {
    let whole = || value.replace('_', "").parse::<u64>().map_err(|_| format!("`{value}` is not a whole number"));
    let scaled = |number: &str, factor: f64| {
        let number: f64 = number.parse().map_err(|_| format!("`{value}` is not a number"))?;
        if number >= 0.0 { Ok((number * factor).round() as u64) } else { Err(format!("`{value}` is below 0")) }
    };
    let time = || {
        let units = [("ms", 1.0), ("s", 1000.0), ("m", 60_000.0)];
        let unit = units.iter().find_map(|(unit, factor)| Some((value.strip_suffix(unit)?, *factor)));
        let (number, factor) = unit.unwrap_or((value, 1.0));
        scaled(number, factor)
    };
    match name {
        "requests" => samples.requests = whole()?,
        "restarts" => samples.restarts = whole()?,
        "errors" => {
            samples.errors = match value.strip_suffix('%') {
                Some(percent) => scaled(percent, 10_000.0)?,
                None => scaled(value, 1_000_000.0)?,
            };
            if samples.errors > 1_000_000 {
                return Err(format!("`{value}` is more than all requests; five in a hundred are 5% or 0.05"));
            }
        }
        "p50" => samples.p50 = time()?,
        "p90" => samples.p90 = time()?,
        "p99" => samples.p99 = time()?,
        other => return Err(format!("`{other}` is not one of requests, errors, p50, p90, p99, restarts")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_written_as_programs_write_them() {
        let read = written("errors=0.5%, p99=1.5s, requests=1_000, restarts=2").unwrap();
        assert_eq!(read, Samples { requests: 1000, errors: 5000, p99: 1500, restarts: 2, ..Samples::default() });
        assert_eq!(written("errors=0.05").unwrap().errors, 50_000);
        for wrong in ["errors", "error=1%", "requests=-1", "p50=fast", "errors=-1%", "errors=5"] {
            assert!(written(wrong).is_err(), "{wrong}");
        }
    }
}
