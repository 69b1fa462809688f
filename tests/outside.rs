//! What changes without imm: a route that was moved, a file that was edited, a run that died, an agent that is killed under an
//! apply. Each is told by name and put right by new objects or one switch.

use crate::harness::{Bench, eventually, finish, http};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

/// One request to the agent, past imm.
fn agent(bench: &Bench, method: &str, path: &str, body: &serde_json::Value) -> serde_json::Value {
    let mut stream = UnixStream::connect(bench.home().join("agent.sock")).unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!(
        "{method} /v1/{path} HTTP/1.1\r\nhost: agent\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{method} {path}: {answer}");
    serde_json::from_str(body).unwrap()
}

fn drifted(bench: &Bench) -> Vec<serde_json::Value> {
    let said = bench.imm(&["drift", "--json", "--exit-code"]);
    let drift: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let found: Vec<_> =
        drift["objects"].as_array().unwrap().iter().filter(|o| o["state"] != "intact").cloned().collect();
    assert_eq!(said.code, if found.is_empty() { 0 } else { 3 }, "{said:?}");
    found
}

#[test]
fn a_route_that_somebody_moved_is_told_and_moved_back() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    assert!(drifted(&bench).is_empty());
    let lineage = bench.json(&["lineage", "show"])["lineage"].as_str().unwrap().to_owned();
    let path = format!("lineages/{lineage}");
    let report = agent(&bench, "GET", &path, &serde_json::Value::Null);
    let mut manifest = report["manifest"].clone();
    manifest["routes"] = serde_json::json!({});
    let put = serde_json::json!({ "fence": report["fence"], "from_epoch": report["epoch"], "manifest": manifest });
    agent(&bench, "PUT", &format!("{path}/manifest"), &put);
    assert!(!http::get(bench.port, "/").is_ok_and(|page| page.contains("Hello")), "nothing is behind it");

    let found = drifted(&bench);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0]["address"].as_str(), found[0]["state"].as_str()), (Some("front"), Some("changed")));
    let field = found[0]["fields"].as_array().unwrap().iter().find(|f| f["name"] == "targets").unwrap();
    assert!(field["recorded"].as_str().unwrap().contains("web.instance") && field["observed"] == "nothing", "{field}");
    let said = bench.imm(&["apply", "--yes", "--param", "greeting=Hi"]);
    assert!(said.code == 1 && said.err.contains("front was changed from outside"), "{said:?}");
    let out = bench.ok(&["heal", "--yes", "--because", "somebody was in a hurry"]);
    assert!(out.contains("~ switch  front") && !out.contains("create"), "one switch: {out}");
    assert!(bench.page().contains("Hello, world"));
    assert!(drifted(&bench).is_empty());
    bench.ok(&["apply", "--yes", "--param", "greeting=Hi"]);
    assert!(bench.page().contains("Hi, world"));
    bench.ok(&["audit", "verify"]);
}

#[test]
fn a_file_that_was_edited_and_a_server_that_is_gone_are_told() {
    let bench = Bench::example("hello");
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}", other.local_addr().unwrap().port());
    let program = std::fs::read_to_string(bench.module.join("main.imm")).unwrap();
    let more =
        format!("resource note = file {{ content = \"as it was\" }}\nexternal api = endpoint {{ url = \"{url}\" }}\n");
    let mount = "port     = 8080\n  mounts   = { \"/srv/note.txt\" = file { of = note } }\n";
    std::fs::write(bench.module.join("main.imm"), format!("{}{more}", program.replace("port     = 8080\n", mount)))
        .unwrap();
    bench.ok(&["apply", "--yes"]);
    assert!(drifted(&bench).is_empty());
    let status = bench.json(&["status"]);
    let note = status["objects"].as_array().unwrap().iter().find(|o| o["address"] == "note").unwrap();
    std::fs::write(note["outputs"]["path"].as_str().unwrap(), "edited").unwrap();
    drop(other);
    let found = drifted(&bench);
    let names: Vec<_> =
        found.iter().map(|o| (o["address"].as_str().unwrap(), o["fields"][0]["name"].as_str().unwrap())).collect();
    assert_eq!(names, [("api", "answers"), ("note", "content")], "{found:#?}");
    // What is made of it follows; what is not ours is left as it is.
    let out = bench.ok(&["heal", "--yes"]);
    let made = |name: &str| out.lines().any(|line| line.contains("+ create") && line.contains(&format!(" {name} ")));
    assert!(made("note") && !made("api"), "{out}");
    assert_eq!(http::get(bench.port, "/note.txt").unwrap(), "as it was");
    assert_eq!(drifted(&bench).len(), 1);
}

/// Processes that a monitor of this bench started, by what they are.
fn program(bench: &Bench, what: &str) -> Vec<i32> {
    let monitors: Vec<i32> =
        bench.processes().into_iter().filter(|(_, c)| c.contains("__container")).map(|(pid, _)| pid).collect();
    let parent = |pid: i32| -> Option<i32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
    };
    let all =
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_string_lossy().parse().ok());
    let serves = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let ours =
            parent(*pid).is_some_and(|p| monitors.contains(&p) || parent(p).is_some_and(|p| monitors.contains(&p)));
        ours && String::from_utf8_lossy(&line).replace('\0', " ").contains(what)
    };
    all.filter(serves).collect()
}

#[test]
fn a_run_that_died_is_replaced_by_the_agent_and_recorded_by_the_next_command() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let before = program(&bench, "serve /srv");
    assert!(before.len() >= 2, "{before:?}");
    for pid in &before {
        kill(Pid::from_raw(*pid), Signal::SIGKILL).unwrap();
    }
    eventually("the agent replaced them", || {
        program(&bench, "serve /srv").len() >= 2
            && bench.json(&["status"])["objects"].as_array().unwrap().iter().all(|o| o["health"] != "exited")
    });
    eventually("they serve again", || http::get(bench.port, "/").is_ok_and(|page| page.contains("Hello, world")));
    assert!(drifted(&bench).is_empty(), "a run is not the object");
    assert!(bench.ok(&["apply", "--yes"]).contains("Nothing to do"));
    let why = bench.ok(&["why", "web"]);
    assert!(why.contains("a run of it ended by signal 9 and was replaced"), "{why}");
    let entries = bench.ok(&["audit", "export"]);
    assert!(entries.contains("\"AgentMerged\"") && entries.contains("\"Healed\""), "{entries}");
    let count = |name: &str| bench.ok(&["audit", "export"]).matches(name).count();
    let healed = count("\"Healed\"");
    bench.ok(&["apply", "--yes", "--param", "greeting=Hi"]);
    assert_eq!(count("\"Healed\""), healed, "once, and what imm itself stopped is none");
    bench.ok(&["audit", "verify"]);
}

#[test]
fn an_agent_that_is_killed_under_an_apply_costs_nothing_that_serves() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    bench.edit("/healthz", "/nowhere");
    let args = ["apply", "--yes", "--param", "greeting=Slow"];
    let child = bench.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(child.id() as i32);
    eventually("it verifies what will never be healthy", || {
        bench.json(&["agent", "ps"]).to_string().matches("\"kind\":\"container\"").count() > 3
    });
    let agent = bench.json(&["agent", "status"])["agent"]["pid"].as_i64().unwrap();
    kill(Pid::from_raw(i32::try_from(agent).unwrap()), Signal::SIGKILL).unwrap();
    eventually("the apply started another one", || {
        let now = bench.json(&["agent", "status"])["agent"]["pid"].as_i64();
        now.is_some_and(|pid| pid != agent)
    });
    kill(pid, Signal::SIGTERM).unwrap();
    let said = finish(child, &args);
    assert!(said.code == 4 && said.err.contains("generation 1 serves"), "{said:?}");
    assert!(bench.page().contains("Hello, world"));
    let status = bench.json(&["status"]);
    assert_eq!(status["objects"].as_array().unwrap().iter().filter(|o| o["kind"] == "container").count(), 2);
    assert!(drifted(&bench).is_empty());
    bench.ok(&["audit", "verify"]);
}
