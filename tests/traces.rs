//! Traces of applies: what a collector on loopback receives, and that a broken one neither fails nor delays an apply.

use crate::harness::Bench;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A collector: answers each request and hands its body on. With `answers` false it takes requests and says nothing.
fn collector(answers: bool) -> (String, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, bodies) = mpsc::channel();
    // Ends with the test's process: it waits for connections and nothing else.
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            if sender.send(body).is_err() {
                return;
            }
            if answers {
                let ok = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                reader.get_mut().write_all(ok.as_bytes()).unwrap();
            } else {
                held.push(reader);
            }
        }
    });
    (address, bodies)
}

/// A module that needs no image and no container.
fn small() -> Bench {
    let bench = Bench::example("hello");
    let program = "durable data = volume { size = 1MiB }\nresource note = file { content = \"one\" }\nresource copy = file { content = note.path }\n";
    std::fs::write(bench.module.join("main.imm"), program).unwrap();
    std::fs::remove_file(bench.module.join("tests.imm")).unwrap();
    bench
}

fn apply(bench: &Bench, variables: &[(&str, &str)]) -> (i32, Duration) {
    let mut command = bench.command(&["apply", "--yes"]);
    command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(Stdio::inherit());
    let began = Instant::now();
    (command.status().unwrap().code().unwrap(), began.elapsed())
}

fn attribute<'a>(span: &'a Value, key: &str) -> Option<&'a str> {
    let found = span["attributes"].as_array()?.iter().find(|a| a["key"] == key)?;
    found["value"]["stringValue"].as_str()
}

#[test]
fn a_collector_receives_a_span_for_the_apply_and_for_each_step() {
    let (address, bodies) = collector(true);
    let bench = small();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*address),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("TRACEPARENT", &parent),
    ];
    assert_eq!(apply(&bench, &variables).0, 0);
    let mut spans: Vec<Value> = Vec::new();
    while let Ok(body) = bodies.try_recv() {
        let document: Value = serde_json::from_slice(&body).unwrap();
        for resource in document["resourceSpans"].as_array().unwrap() {
            let text = resource["resource"].to_string();
            assert!(text.contains("service.name") && text.contains("\"imm\""), "{text}");
            for scope in resource["scopeSpans"].as_array().unwrap() {
                spans.extend(scope["spans"].as_array().unwrap().iter().cloned());
            }
        }
    }
    let named = |name: &str| spans.iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("{name}: {spans:#?}"));
    let whole = named("imm apply");
    assert_eq!((&whole["traceId"], &whole["parentSpanId"]), (&trace.into(), &"00f067aa0ba902b7".into()));
    assert_eq!((attribute(whole, "imm.outcome"), attribute(whole, "imm.module")), (Some("committed"), Some("hello")));
    assert!(attribute(whole, "imm.apply").is_some_and(|id| id.len() == 32));
    assert!(whole["events"].to_string().contains("committed"), "{whole:#}");
    for address in ["data", "note", "copy"] {
        let step = named(&format!("create {address}"));
        assert_eq!(step["parentSpanId"], whole["spanId"]);
        assert_eq!((attribute(step, "imm.address"), attribute(step, "imm.action")), (Some(address), Some("create")));
        assert!(step["startTimeUnixNano"].as_str() < step["endTimeUnixNano"].as_str(), "{step:#}");
    }
}

#[test]
fn a_broken_collector_neither_fails_nor_delays() {
    let bench = small();
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(apply(&bench, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{gone}"))]).0, 0);
    // One that takes the request and never answers: the command ends about a second after its apply.
    let (silent, bodies) = collector(false);
    bench.edit("\"one\"", "\"two\"");
    let (code, took) = apply(&bench, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &silent)]);
    assert_eq!(code, 0);
    assert!(bodies.try_recv().is_ok(), "it was asked");
    let seconds = bench.json(&["history"])["applies"][1]["seconds"].as_f64().unwrap();
    let over = took.as_secs_f64() - seconds;
    assert!(over < 10.0, "the command took {took:?}, its apply {seconds} s");
    // Without the variables nothing is sent.
    bench.edit("\"two\"", "\"three\"");
    assert_eq!(apply(&bench, &[]).0, 0);
}
