//! How long a keystroke waits, over modules of several sizes. Prints a table and asserts nothing about time.

use crate::harness::lsp::{Client, about, at};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;
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

/// Opens a module of `n` resources; answers also the line that one in its middle begins at.
fn opened(n: usize) -> (tempfile::TempDir, Client, PathBuf, usize) {
    let root = tempfile::Builder::new().prefix("imm").tempdir().unwrap();
    let path = root.path().join("main.imm");
    let text = module(n);
    std::fs::write(&path, &text).unwrap();
    let mut client = Client::start(root.path());
    client.open(&path, &text);
    client.diagnostics(&path);
    let line = text[..text.find(&format!("resource web_{} ", n / 2)).unwrap()].matches('\n').count();
    (root, client, path, line)
}

/// Types a letter into a line and takes it back, fifty times.
fn to_and_fro(line: usize, column: usize) -> Vec<(Value, String)> {
    let (here, behind) = (at(line, column), at(line, column + 1));
    let typed = (json!({ "start": here, "end": here }), "x".to_owned());
    let back = (json!({ "start": here, "end": behind }), String::new());
    (0..50).flat_map(|_| [typed.clone(), back.clone()]).collect()
}

/// Types a text letter by letter at the start of a line.
fn letters(mut line: usize, text: &str) -> Vec<(Value, String)> {
    let mut column = 0;
    let mut keys = Vec::new();
    for letter in text.chars() {
        let here = at(line, column);
        keys.push((json!({ "start": here, "end": here }), letter.to_string()));
        (line, column) = if letter == '\n' { (line + 1, 0) } else { (line, column + 1) };
    }
    keys
}

#[test]
#[ignore = "a measurement: tests/bench/editor runs it"]
fn what_a_keystroke_waits_for() {
    println!("| resources | diagnostics p50 | p99 | completion p50 | p99 | hover p50 | p99 | peak memory |");
    println!("|--|--|--|--|--|--|--|--|");
    for n in [100, 1_000, 10_000] {
        let (_root, mut client, path, line) = opened(n);
        let (mut checks, mut completions, mut hovers) = (Vec::new(), Vec::new(), Vec::new());
        for (range, text) in to_and_fro(line + 5, 25) {
            let began = Instant::now();
            client.change(&path, Some(range), &text);
            client.request("textDocument/completion", about(&path, at(line + 4, 2)));
            completions.push(began.elapsed());
            client.diagnostics(&path);
            checks.push(began.elapsed());
            let began = Instant::now();
            client.request("textDocument/hover", about(&path, at(line + 2, 11)));
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
    println!("\n| typed among 10,000 | diagnostics p50 | p99 |\n|--|--|--|");
    let new = "resource fresh = service {\n  image = app\n  replicas = 1\n  port = 80\n  health = tcp {}\n}\n\n";
    let (_root, mut client, path, line) = opened(10_000);
    let typed = [
        ("in one of them", to_and_fro(line + 5, 25)),
        ("in what all use", to_and_fro(2, 11)),
        ("in the name of one", to_and_fro(line, 12)),
        ("a comment at the start", [letters(0, "\n"), letters(0, "// It moves all that follows.")].concat()),
        ("a new one", letters(line, new)),
        ("the name of what all use", to_and_fro(1, 10)),
    ];
    for (what, keys) in typed {
        let mut checks = Vec::new();
        for (range, text) in keys {
            let began = Instant::now();
            client.change(&path, Some(range), &text);
            client.diagnostics(&path);
            checks.push(began.elapsed());
        }
        println!("| {what} | {:.1} ms | {:.1} ms |", percentile(&mut checks, 50), percentile(&mut checks, 99));
    }
}
