//! `imm agent ps`: every object of every lineage on this machine, and where routes lead, as the agent has it.
//!
//! The agent keeps more for its callers than people may see: a route's private key, and a setting as the engine packed it.
//! Neither is shown.

use crate::failure::{Exit, Failure, Outcome};
use crate::platform;
use crate::ui;
use imm_host::api::{Answers, LineageReport, Route, Target, Tls};
use imm_host::{Home, client};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Empty when no agent runs: looking starts nothing.
pub fn run(home: &Home, as_json: bool) -> Outcome {
    let reports = platform::block_on(async {
        let Some((client, report)) = client::running(home).await.map_err(|e| platform::agent(&e))? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for lineage in report.lineages {
            found.push(client.lineage(&lineage).await.map_err(|e| platform::agent(&e))?);
        }
        Ok::<_, Failure>(found)
    })??;
    if as_json {
        let lineages: Vec<Value> = reports.iter().map(lineage).collect();
        ui::json(&json!({ "format": 1, "lineages": lineages }));
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = reports
        .iter()
        .flat_map(|l| l.objects.iter().map(move |o| (l, o)))
        .map(|(l, o)| {
            let short = |id: &str| id.chars().take(10).collect::<String>();
            let port = o.port.map_or_else(String::new, |p| p.to_string());
            let generation = o.generation.map_or_else(String::new, |g| format!("generation {g}"));
            let level = format!("{:?}", o.health.level).to_lowercase();
            vec![short(&l.lineage), o.address.clone(), o.kind.clone(), level, port, generation, short(&o.object)]
        })
        .collect();
    ui::out(&ui::columns(0, &rows));
    Ok(Exit::Done)
}

fn lineage(report: &LineageReport) -> Value {
    let addresses: BTreeMap<&str, &str> = report.objects.iter().map(|o| (&*o.object, &*o.address)).collect();
    let routes: Vec<Value> = report.manifest.routes.iter().map(|(id, r)| route(&addresses, id, r)).collect();
    json!({
        "lineage": report.lineage,
        "fence": report.fence,
        "head": report.head,
        "epoch": report.epoch,
        "returns_to": report.returns_to,
        "objects": report.objects,
        "routes": routes,
    })
}

fn route(addresses: &BTreeMap<&str, &str>, id: &str, route: &Route) -> Value {
    let target = |t: &Target| {
        let answers = match t.answers {
            Answers::Container => "container",
            Answers::Site(_) => "site",
            Answers::Elsewhere(_) => "elsewhere",
        };
        let address = addresses.get(&*t.object);
        json!({ "object": t.object, "address": address, "answers": answers, "weight": t.weight, "group": t.group })
    };
    let tls = match route.tls {
        Tls::Off => "off",
        Tls::Dev => "dev",
        Tls::Pem(_) => "pem",
    };
    json!({
        "object": id,
        "address": addresses.get(id),
        "epoch": route.epoch,
        "host": route.host,
        "path": route.path,
        "tls": tls,
        "sticky": route.sticky,
        "preview": route.preview,
        "timeout_ms": route.timeout_ms,
        "hold_ms": route.hold_ms,
        "targets": route.targets.iter().map(target).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_a_packed_setting_are_not_shown() {
        let setting = json!({
            "timeout_ms": 60_000,
            "tls": { "pem": { "chain": "CERTIFICATE", "key": "PRIVATE" } },
            "record": "UEFDS0VE",
            "targets": [{ "object": "b", "weight": 1, "group": "old", "answers": { "elsewhere": "http://inside" } }],
        });
        let setting: Route = serde_json::from_value(setting).unwrap();
        let shown = route(&BTreeMap::from([("a", "front"), ("b", "web")]), "a", &setting);
        let text = shown.to_string();
        assert!(!text.contains("PRIVATE") && !text.contains("UEFDS0VE"), "{text}");
        assert_eq!((&shown["address"], &shown["tls"]), (&json!("front"), &json!("pem")));
        let target = json!({ "object": "b", "address": "web", "answers": "elsewhere", "weight": 1, "group": "old" });
        assert_eq!(shown["targets"], json!([target]));
    }
}
