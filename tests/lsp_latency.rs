//! How long a keystroke waits, over modules of several sizes. Prints a table and asserts nothing about time.

use crate::harness::lsp::{Client, about, at};
use serde_json::json;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// A module of `n` resources, about 300 bytes each.
pub fn module(n: usize) -> String {
    let mut text = "resource app = image {\n  files = { \"/a\" = \"x\" }\n  cmd = [\"/a\"]\n}\n".to_owned();
    for i in 0..n {
        let _ = write!(
            text,
            "/// The service number {i} of this module, with all that a usual one has.\nresource web_{i} = service {{\n  image = app\n  replicas = 2\n  port = 8080\n  env = {{ NAME = \"web-{i}\", LEVEL = \"info\" }}\n  limits = {{ cpu = 0.5cpu, memory = 64MiB }}\n  health = http {{ path = \"/healthz\", interval = 200ms }}\n}}\n"
        );
    }
    text
}

fn percentile(times: &mut [Duration], part: usize) -> f64 {
    times.sort_unstable();
    times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1000.0
}

fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
#[ignore = "a measurement: tests/bench/editor runs it"]
fn what_a_keystroke_waits_for() {
    println!("| resources | diagnostics p50 | p99 | completion p50 | p99 | hover p50 | p99 | peak memory |");
    println!("|--|--|--|--|--|--|--|--|");
    for n in [100, 1_000, 10_000] {
        let root = tempfile::Builder::new().prefix("imm").tempdir().unwrap();
        let path = root.path().join("main.imm");
        let text = module(n);
        std::fs::write(&path, &text).unwrap();
        let mut client = Client::start(root.path());
        client.open(&path, &text);
        client.diagnostics(&path);
        let line = text[..text.find(&format!("resource web_{} ", n / 2)).unwrap()].matches('\n').count() + 5;
        let (mut checks, mut completions, mut hovers) = (Vec::new(), Vec::new(), Vec::new());
        for key in 0..100 {
            let here = at(line, 25);
            let range = if key % 2 == 0 {
                json!({ "start": here, "end": here })
            } else {
                json!({ "start": here, "end": at(line, 26) })
            };
            let began = Instant::now();
            client.change(&path, Some(range), if key % 2 == 0 { "x" } else { "" });
            client.request("textDocument/completion", about(&path, at(line - 1, 2)));
            completions.push(began.elapsed());
            client.diagnostics(&path);
            checks.push(began.elapsed());
            let began = Instant::now();
            client.request("textDocument/hover", about(&path, at(line - 3, 11)));
            hovers.push(began.elapsed());
        }
        println!(
            "| {n} | {:.1} ms | {:.1} ms | {:.1} ms | {:.1} ms | {:.1} ms | {:.1} ms | {} MiB |",
            percentile(&mut checks, 50),
            percentile(&mut checks, 99),
            percentile(&mut completions, 50),
            percentile(&mut completions, 99),
            percentile(&mut hovers, 50),
            percentile(&mut hovers, 99),
            memory(client.pid())
        );
    }
}
