//! How well changes go, from the record alone: how often, how soon after their commit, how often they fail, and how long it
//! takes until all is well again. Per environment, since a ledger is of one.

use crate::entry::{Verb, Verdict};
use crate::state::{Apply, Phase, State};
use serde::Serialize;

/// `imm metrics --json`. Durations are in seconds and medians; absent where there is nothing to take them of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// Of this document.
    pub format: u32,
    /// The environment.
    pub environment: String,
    /// Changes that were committed: applies of a program.
    pub deployments: u64,
    /// Of them a day, from the first apply to now.
    pub deployments_per_day: Option<f64>,
    /// From the commit of the working tree to the commit of the generation.
    pub lead_time_seconds: Option<f64>,
    /// From a failure (an apply that was undone, or one that was rolled back from later) to the next generation that stayed.
    pub time_to_restore_seconds: Option<f64>,
    /// Part of the changes that were undone or rolled back from.
    pub change_failure_rate: Option<f64>,
    /// How many changes that is.
    pub failures: u64,
    /// Applies that are neither committed nor undone.
    pub unsettled: u64,
    /// Generations that failed while they were watched and were rolled back from by themselves.
    pub auto_rollbacks: u64,
    /// Gates that were judged: how many passed, failed, had too little to tell.
    pub gates: Gates,
}

/// What gates said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gates {
    /// It held.
    pub passed: u64,
    /// It did not.
    pub failed: u64,
    /// Too few requests.
    pub inconclusive: u64,
}

/// The metrics of a state at a time.
pub fn metrics(state: &State, now_ms: i64) -> Metrics {
    let is_change = |a: &&Apply| a.started.verb == Verb::Apply;
    let end = |a: &Apply| a.at_ms.saturating_add_unsigned(a.took_ms.unwrap_or(0));
    let left = |a: &Apply| a.generation.and_then(|g| state.generations.get(&g)).is_some_and(|g| g.rolled_back_from);
    let changes: Vec<&Apply> = state.applies.iter().filter(is_change).collect();
    let committed: Vec<&Apply> = changes.iter().copied().filter(|a| a.generation.is_some()).collect();
    let failed: Vec<&Apply> = changes.iter().copied().filter(|a| a.phase == Phase::RolledBack || left(a)).collect();
    let decided = committed.len() + changes.iter().filter(|a| a.phase == Phase::RolledBack).count();
    let lead = committed.iter().filter_map(|a| Some(end(a) - a.started.commit_at_ms?)).collect();
    let restore = failed.iter().filter_map(|failure| {
        let after = state.applies.iter().filter(|a| a.at_ms > failure.at_ms && a.generation.is_some() && !left(a));
        let restored = after.map(end).next()?;
        Some(restored - end(failure))
    });
    let days = changes.first().map(|a| (now_ms - a.at_ms) as f64 / 86_400_000.0);
    Metrics {
        format: 1,
        environment: state.environment.clone(),
        deployments: committed.len() as u64,
        deployments_per_day: days.map(|days| committed.len() as f64 / days.max(1.0)),
        lead_time_seconds: median(lead),
        time_to_restore_seconds: median(restore.collect()),
        change_failure_rate: (decided > 0).then(|| failed.len() as f64 / decided as f64),
        failures: failed.len() as u64,
        unsettled: state.applies.iter().filter(|a| !a.phase.ended()).count() as u64,
        auto_rollbacks: state.applies.iter().filter(|a| matches!(a.started.verb, Verb::AutoRollback { .. })).count()
            as u64,
        gates: gates(state),
    }
}

fn gates(state: &State) -> Gates {
    let said = |wanted: Verdict| {
        let judged = state.applies.iter().flat_map(|a| &a.judged);
        judged.filter(|(_, _, verdict)| *verdict == wanted).count() as u64
    };
    Gates { passed: said(Verdict::Pass), failed: said(Verdict::Fail), inconclusive: said(Verdict::Inconclusive) }
}

/// In seconds; never negative, whatever the clocks said.
fn median(mut ms: Vec<i64>) -> Option<f64> {
    ms.sort_unstable();
    let (low, high) = (ms.get(ms.len().saturating_sub(1) / 2)?, ms.get(ms.len() / 2)?);
    Some(((low + high) as f64 / 2000.0).max(0.0))
}

/// As Prometheus text.
pub fn prometheus(metrics: &Metrics) -> String {
    let environment = metrics.environment.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let mut out = String::new();
    let mut line = |name: &str, kind: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            out.push_str(&format!(
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{{environment=\"{environment}\"}} {value}\n"
            ));
        }
    };
    let count = |n: u64| Some(n as f64);
    line("imm_deployments_total", "counter", "Changes that were committed.", count(metrics.deployments));
    line("imm_deployment_failures_total", "counter", "Changes undone or rolled back from.", count(metrics.failures));
    line("imm_deployments_per_day", "gauge", "Committed changes a day.", metrics.deployments_per_day);
    line("imm_lead_time_seconds", "gauge", "Median from commit to generation.", metrics.lead_time_seconds);
    line("imm_time_to_restore_seconds", "gauge", "Median from failure to recovery.", metrics.time_to_restore_seconds);
    line("imm_change_failure_ratio", "gauge", "Part of the changes that failed.", metrics.change_failure_rate);
    line("imm_auto_rollbacks_total", "counter", "Generations that failed their watch.", count(metrics.auto_rollbacks));
    line("imm_gates_passed_total", "counter", "Gates that held.", count(metrics.gates.passed));
    line("imm_gates_failed_total", "counter", "Gates that did not hold.", count(metrics.gates.failed));
    line("imm_gates_inconclusive_total", "counter", "Gates with too few requests.", count(metrics.gates.inconclusive));
    line("imm_applies_unsettled", "gauge", "Applies neither committed nor undone.", count(metrics.unsettled));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_take_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3000, 1000, 2000]), Some(2.0));
        assert_eq!(median(vec![1000, 2000]), Some(1.5));
        assert_eq!(median(vec![-5000]), Some(0.0));
    }

    #[test]
    fn nothing_applied_is_told_without_numbers_that_are_not_there() {
        let told = metrics(&State::default(), 5);
        assert_eq!((told.deployments, told.lead_time_seconds, told.change_failure_rate), (0, None, None));
        assert!(!prometheus(&told).contains("imm_lead_time_seconds"));
        assert!(prometheus(&told).contains("imm_deployments_total{environment=\"\"} 0\n"));
    }
}
