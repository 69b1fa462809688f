//! `GET metrics`: what routes saw and what containers use, as Prometheus text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, PoisonError};

use crate::api::Level;

use super::lineage::Lineage;

/// One metric family: its type, its help, its lines.
type Families = BTreeMap<&'static str, (&'static str, &'static str, String)>;

/// Renders all lineages.
pub async fn render(lineages: &[Arc<Lineage>]) -> String {
    let mut families = Families::new();
    for lineage in lineages {
        routes(&mut families, lineage, &lineage.target_addresses().await);
        containers(&mut families, lineage);
    }
    let mut out = String::new();
    for (name, (kind, help, lines)) in families {
        // Writing to a String does not fail.
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
    }
    out
}

/// `declared`: where targets are declared, also those of which nothing is here.
fn routes(families: &mut Families, lineage: &Lineage, declared: &BTreeMap<String, String>) {
    let elsewhere = |id: &str| declared.get(id).map_or(id, String::as_str).to_owned();
    let address = |id: &str| lineage.object(id).map_or_else(|_| elsewhere(id), |object| object.record().address);
    let generation =
        |id: &str| lineage.object(id).ok().and_then(|object| object.record().generation).unwrap_or_default();
    for sample in lineage.samples().samples {
        let labels = format!(
            "lineage=\"{}\",route=\"{}\",target=\"{}\",object=\"{}\",generation=\"{}\",group=\"{}\"",
            escape(&lineage.id),
            escape(&address(&sample.route)),
            escape(&address(&sample.target)),
            escape(&sample.target),
            generation(&sample.target),
            escape(&sample.group)
        );
        line(families, "imm_requests_total", "counter", "Requests sent to a target.", &labels, sample.requests);
        line(families, "imm_request_errors_total", "counter", "Requests that a target failed.", &labels, sample.errors);
        line(
            families,
            "imm_requests_in_flight",
            "gauge",
            "Requests that a target works on.",
            &labels,
            sample.in_flight,
        );
        let mut below = 0;
        let (name, help) = ("imm_request_seconds", "Time until a target's answer began.");
        let (_, _, lines) = families.entry(name).or_insert(("histogram", help, String::new()));
        for (bound, count) in sample.latency.buckets() {
            below += count;
            let _ = writeln!(lines, "{name}_bucket{{{labels},le=\"{}\"}} {below}", bound.as_secs_f64());
        }
        let sum = sample.latency.sum().as_secs_f64();
        let _ = writeln!(
            lines,
            "{name}_bucket{{{labels},le=\"+Inf\"}} {below}\n{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {below}"
        );
    }
}

fn containers(families: &mut Families, lineage: &Lineage) {
    let objects: Vec<_> = lineage.objects().values().cloned().collect();
    for object in objects.into_iter().filter(|object| object.record().spec.kind() == "container") {
        let record = object.record();
        let labels = format!(
            "lineage=\"{}\",address=\"{}\",object=\"{}\",generation=\"{}\"",
            escape(&lineage.id),
            escape(&record.address),
            escape(&object.id),
            record.generation.unwrap_or(0)
        );
        let seen = object.seen.borrow().clone();
        line(families, "imm_container_runs_total", "counter", "Runs of a container.", &labels, seen.health.run);
        let healthy = u64::from(seen.health.level == Level::Healthy);
        line(families, "imm_container_healthy", "gauge", "1 while a container is healthy.", &labels, healthy);
        let Some(run) = object.run.lock().unwrap_or_else(PoisonError::into_inner).clone() else { continue };
        let usage = run.usage();
        if let Some(ns) = usage.cpu_ns {
            let (name, help) = ("imm_container_cpu_seconds_total", "Processor time of a container's run.");
            let (_, _, lines) = families.entry(name).or_insert(("counter", help, String::new()));
            let _ = writeln!(lines, "{name}{{{labels}}} {}", std::time::Duration::from_nanos(ns).as_secs_f64());
        }
        if let Some(bytes) = usage.memory {
            line(families, "imm_container_memory_bytes", "gauge", "Memory charged to a container.", &labels, bytes);
        }
        if let Some(pids) = usage.pids {
            line(families, "imm_container_pids", "gauge", "Processes and threads of a container.", &labels, pids);
        }
    }
}

fn line(families: &mut Families, name: &'static str, kind: &'static str, help: &'static str, labels: &str, value: u64) {
    let (_, _, lines) = families.entry(name).or_insert((kind, help, String::new()));
    // Writing to a String does not fail.
    let _ = writeln!(lines, "{name}{{{labels}}} {value}");
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
