//! The access log: one line for each request, in each lineage's own store, bounded like what containers print.
//!
//! Written in batches by one task, so that no request waits for the disk. When requests come faster than they can be written, lines are left out, and a line
//! says how many.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use imm_router::{Access, AccessLog};
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::api::LogLine;

use super::Site;
use super::lineage::Lineage;
use super::registry::Registry;

/// Lines of one batch.
const BATCH: usize = 8192;
/// Between two batches: under load one batch has many lines.
const PAUSE: Duration = Duration::from_millis(50);
/// Records that may wait to be written.
pub const CAPACITY: usize = 16_384;

/// Writes what the router tells until the router ends.
pub async fn keep(log: &mut AccessLog, site: Arc<Site>, registry: Arc<Registry>) {
    let mut taken = Vec::new();
    while log.take(&mut taken, BATCH).await > 0 {
        let mut by_lineage: BTreeMap<String, Vec<Access>> = BTreeMap::new();
        for access in taken.drain(..) {
            let Some((lineage, _)) = access.route.as_deref().and_then(|route| route.split_once('/')) else { continue };
            match by_lineage.get_mut(lineage) {
                Some(of_lineage) => of_lineage.push(access),
                None => {
                    by_lineage.insert(lineage.to_owned(), vec![access]);
                }
            }
        }
        let missed = log.missed();
        for (name, accesses) in by_lineage {
            let Ok(lineage) = registry.get(&name).await else { continue };
            let targets = lineage.target_addresses().await;
            let written = block_in_place(|| write(&lineage, &targets, &accesses, missed));
            if let Err(cause) = written {
                site.say(&format!("lineage {name}, access log: {cause}"));
            }
        }
        sleep(PAUSE).await;
    }
}

fn write(
    lineage: &Lineage,
    targets: &BTreeMap<String, String>,
    accesses: &[Access],
    missed: u64,
) -> std::io::Result<()> {
    let mut names: BTreeMap<&str, (String, Option<u64>)> = BTreeMap::new();
    let mut lines = Vec::with_capacity(accesses.len() + 1);
    for access in accesses {
        let route = access.route.as_deref().and_then(|route| Some(route.split_once('/')?.1)).unwrap_or_default();
        let ids = std::iter::once(route).chain(access.target.as_deref());
        for id in ids {
            names.entry(id).or_insert_with(|| match lineage.object(id) {
                Ok(object) => {
                    let record = object.record();
                    (record.address, record.generation)
                }
                Err(_) => (targets.get(id).map_or(id, String::as_str).to_owned(), None),
            });
        }
        let target = access.target.as_deref().and_then(|id| names.get(id));
        lines.push(LogLine {
            seq: 0,
            at_ms: unix_ms(access.at),
            address: names.get(route).map(|(address, _)| address.clone()).unwrap_or_default(),
            object: route.to_owned(),
            generation: target.and_then(|(_, generation)| *generation),
            run: 0,
            stream: "access".to_owned(),
            text: text(access, target.map(|(address, _)| address.as_str())),
        });
    }
    if missed > 0
        && let Some(last) = lines.last().cloned()
    {
        let text = format!("{missed} requests are not listed here: they came faster than they could be written");
        lines.push(LogLine { text, ..last });
    }
    lineage.records.access.append(lines)
}

/// `CLIENT "METHOD HOST/PATH VERSION" STATUS BYTES MS TARGET`.
fn text(access: &Access, target: Option<&str>) -> String {
    let what = match &access.http {
        Some(http) => {
            let host = http.host.as_ref().map(|host| String::from_utf8_lossy(host.as_bytes())).unwrap_or_default();
            // HTTP/2 names the host in the URI.
            let host = http.uri.authority().map_or(&*host, http::uri::Authority::as_str);
            let path = http.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
            format!("\"{} {host}{path} {:?}\" {}", http.method, http.version, http.status)
        }
        None => "\"TCP\" -".to_owned(),
    };
    let cut = if access.is_whole { "" } else { " cut" };
    let ms = access.elapsed.as_secs_f64() * 1000.0;
    format!("{} {what} {} {ms:.1}ms {}{cut}", access.client, access.sent, target.unwrap_or("-"))
}

fn unix_ms(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_asked_what_and_who_answered() {
        let http = imm_router::Http {
            method: http::Method::GET,
            host: Some(http::HeaderValue::from_static("a.example")),
            uri: http::Uri::from_static("/x?y"),
            version: http::Version::HTTP_11,
            status: 200,
        };
        let access = Access {
            at: UNIX_EPOCH,
            client: std::net::IpAddr::from([10, 0, 0, 1]),
            route: None,
            target: None,
            http: Some(http),
            sent: 12,
            elapsed: Duration::from_micros(1500),
            is_whole: true,
        };
        assert_eq!(
            text(&access, Some("web.instance[\"0\"]")),
            "10.0.0.1 \"GET a.example/x?y HTTP/1.1\" 200 12 1.5ms web.instance[\"0\"]"
        );
        let mut over_h2 = access.clone();
        if let Some(http) = &mut over_h2.http {
            (http.host, http.uri) = (None, http::Uri::from_static("https://a.example/x?y"));
        }
        assert!(text(&over_h2, None).contains("\"GET a.example/x?y HTTP/1.1\""));
        let tcp = Access { http: None, is_whole: false, ..access };
        assert_eq!(text(&tcp, None), "10.0.0.1 \"TCP\" - 12 1.5ms - cut");
    }
}
