//! Bytes against a socket: what the router makes of each case, and what nginx does.
//!
//! With nginx on the path, every case is also sent to it as a reverse proxy of the same target: the router refuses what nginx refuses, or the case is one
//! that is listed here with its reason. `tests/router/compare` prints both as the table of docs/router.md.

mod cases;
mod nginx;

use std::fmt::Write as _;
use std::net::SocketAddr;

use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::*;
use cases::{CASES, Case, Way};

/// A target that says what it got, or what its path says.
async fn telling() -> SocketAddr {
    http_target(|request| async move {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let mut answer = text(match head.uri.path() {
            "/204" | "/304" => String::new(),
            "/host" => {
                let host = head.headers.get("host").unwrap().to_str().unwrap();
                format!("{} {} [{host}]", head.method, head.uri)
            }
            _ => format!("{} {} [{}]", head.method, head.uri, String::from_utf8_lossy(&body)),
        });
        match head.uri.path() {
            "/204" => *answer.status_mut() = http::StatusCode::NO_CONTENT,
            "/304" => *answer.status_mut() = http::StatusCode::NOT_MODIFIED,
            _ => {}
        }
        answer
    })
    .await
}

/// What comes of a case at a port: the answers until the connection ends.
async fn outcome(case: &Case, port: u16) -> String {
    let bytes = case.bytes();
    let mut stream = connect(port).await;
    // Whoever refuses may have closed before all was sent.
    if case.way == Way::ByByte {
        for byte in &bytes {
            let _ = stream.write_all(&[*byte]).await;
            tokio::task::yield_now().await;
        }
    } else {
        let _ = stream.write_all(&bytes).await;
    }
    if case.way == Way::HalfClosed {
        stream.shutdown().await.unwrap();
    }
    let mut all = Vec::new();
    let _ = bounded(stream.read_to_end(&mut all)).await;
    answers(&String::from_utf8_lossy(&all), bytes.starts_with(b"HEAD"))
}

fn answers(all: &str, first_is_to_head: bool) -> String {
    let mut found = Vec::new();
    let mut rest = all;
    while let Some((head, after)) = rest.split_once("\r\n\r\n") {
        let status = head.split(' ').nth(1).unwrap_or("?");
        let is_bodiless = status.starts_with('1') || ["204", "304"].contains(&status);
        let to_head = first_is_to_head && found.is_empty();
        let is_chunked = field(head, "transfer-encoding").is_some();
        let length = field(head, "content-length").map_or(after.len(), |length| length.parse().unwrap());
        let (body, next) = if is_bodiless || to_head {
            ("", after)
        } else if is_chunked {
            let (size, after) = after.split_once("\r\n").unwrap_or(("0", ""));
            let size = usize::from_str_radix(size, 16).unwrap();
            let (body, after) = after.split_at(size);
            (body, after.trim_start_matches("\r\n").strip_prefix("0\r\n\r\n").unwrap_or(after))
        } else {
            after.split_at(length.min(after.len()))
        };
        found.push(if status == "200" && !to_head { format!("200 {body}") } else { status.to_owned() });
        rest = next;
    }
    found.join(", ")
}

#[tokio::test]
async fn every_case_comes_out_as_it_says() {
    let (router, port) = serving(vec![target("a", telling().await)]).await;
    let mut wrong = String::new();
    for case in CASES {
        let before = router.samples()[0].requests;
        let found = outcome(case, port).await;
        if found != case.expect {
            let _ = writeln!(wrong, "{}: {found:?} instead of {:?}", case.name, case.expect);
        }
        // A request with a body may have begun; one that was refused by its head has not reached anybody.
        if case.expect == "400" && router.samples()[0].requests > before {
            let _ = writeln!(wrong, "{}: a target answered it", case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let samples = router.samples();
    assert_eq!((samples[0].errors, samples[0].in_flight), (0, 0), "what a client does wrong is not the target's fault");
}

#[tokio::test]
async fn the_router_refuses_what_nginx_refuses() {
    let address = telling().await;
    let Some(nginx) = nginx::Nginx::start(address).await else { return };
    let (_router, port) = serving(vec![target("a", address)]).await;
    let mut table = String::from("| case | imm | nginx |\n|--|--|--|\n");
    let mut laxer = String::new();
    for case in CASES {
        let (ours, theirs) = (outcome(case, port).await, outcome(case, nginx.port).await);
        let _ = writeln!(table, "| {} | {} | {} |", case.name, shown(&ours), shown(&theirs));
        if ours.contains("200") && !theirs.contains("200") && !nginx::PASSES_HERE.contains(&case.name) {
            let _ = writeln!(laxer, "{}: {ours:?}, nginx {theirs:?}", case.name);
        }
    }
    if let Some(path) = std::env::var_os("IMM_ROUTER_TABLE") {
        std::fs::write(path, table).unwrap();
    }
    assert!(laxer.is_empty(), "{laxer}");
}

fn shown(outcome: &str) -> String {
    let words = outcome.replace("\r\n", "⏎").replace('|', "\\|");
    if words.is_empty() { "closed".to_owned() } else { format!("`{words}`") }
}
