//! What may befall the agent and its containers, from outside: killed, the wrong one asked, ports taken, programs that misbehave.

use crate::harness::{Bench, eventually, free_port, http};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};

fn agent(bench: &Bench) -> Option<i32> {
    bench.json(&["agent", "status"])["agent"]["pid"].as_i64().map(|pid| i32::try_from(pid).unwrap())
}

fn kill_agent(bench: &Bench) {
    let pid = nix::unistd::Pid::from_raw(agent(bench).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    eventually("the agent is gone", || agent(bench).is_none());
}

fn containers(bench: &Bench) -> Vec<i32> {
    bench.processes().iter().filter(|(_, c)| c.contains("__container")).map(|(pid, _)| *pid).collect()
}

#[test]
fn a_killed_agent_is_said_by_status_and_started_by_recover_and_by_apply() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let before = containers(&bench);

    kill_agent(&bench);
    let status = bench.imm(&["status"]);
    assert_eq!(status.code, 0);
    assert!(status.err.contains("no agent runs") && status.err.contains("imm recover"), "{status:?}");
    assert!(http::get(bench.port, "/").is_err());
    bench.ok(&["recover"]);
    assert!(bench.page().contains("Hello, world"));

    kill_agent(&bench);
    assert!(bench.ok(&["apply", "--yes"]).contains("Nothing to do"));
    assert!(bench.page().contains("Hello, world"));
    assert_eq!(containers(&bench), before, "containers are untouched");
}

#[test]
fn ps_tells_where_routes_lead() {
    let bench = Bench::example("hello");
    assert_eq!(bench.json(&["agent", "ps"])["lineages"], serde_json::json!([]));
    bench.ok(&["apply", "--yes"]);
    let said = bench.json(&["agent", "ps"]);
    let lineage = &said["lineages"][0];
    assert!(lineage["epoch"].as_u64() >= Some(1) && lineage["returns_to"].is_null(), "{said}");
    let route = &lineage["routes"][0];
    assert_eq!((&route["address"], &route["tls"], &route["path"]), (&"front".into(), &"off".into(), &"/".into()));
    let targets = route["targets"].as_array().unwrap();
    let objects = lineage["objects"].as_array().unwrap();
    let address = |id: &serde_json::Value| objects.iter().find(|o| o["object"] == *id).map(|o| &o["address"]);
    assert_eq!(targets.len(), 2, "{said}");
    for target in targets {
        assert!(target["address"].as_str().unwrap().starts_with("web.instance["), "{said}");
        assert_eq!(address(&target["object"]), Some(&target["address"]), "{said}");
        assert!(target["weight"].as_u64() > Some(0), "{said}");
    }
}

/// `imm logs --follow | head -1` comes to an end.
#[test]
fn following_ends_with_who_reads() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let mut follows =
        bench.command(&["logs", "--follow", "--json"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(follows.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(line["address"].as_str().unwrap().starts_with("web"), "{line}");
    // Health checks go on to make lines.
    eventually("it ends", || follows.try_wait().unwrap().is_some_and(|status| status.success()));
}

#[test]
fn another_home_is_refused_before_anything_is_made() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let elsewhere = bench.path("home-elsewhere");
    let run = |args: &[&str]| {
        let output = bench.command(args).env("IMM_HOME", &elsewhere).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for args in [&["apply", "--yes"][..], &["apply", "--yes", "--param", "greeting=Hi"], &["destroy", "--yes"]] {
        let (code, said) = run(args);
        assert_eq!(code, 1, "{args:?}: {said}");
        assert!(said.contains("never heard of lineage") && said.contains("set IMM_HOME"), "{args:?}: {said}");
    }
    let (code, said) = run(&["status"]);
    assert!(code == 0 && said.contains("set IMM_HOME"), "{said}");
    // Its processes carry the first home's path as a prefix of their own, so the bench ends them, too; this is the polite way.
    run(&["agent", "stop"]);
    assert!(bench.ok(&["apply", "--yes"]).contains("Nothing to do"));
    assert!(bench.page().contains("Hello, world"));
}

#[test]
fn a_taken_port_is_refused_by_its_holders_name_and_nothing_runs() {
    let bench = Bench::example("hello");
    let held = TcpListener::bind(("127.0.0.1", bench.port)).unwrap();
    let refused = bench.imm(&["apply", "--yes"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains(&format!("is taken by process {}", std::process::id())), "{refused:?}");
    assert!(containers(&bench).is_empty());
    // A durable is kept, named; nothing else is left.
    let status = bench.json(&["status"]);
    assert!(status["objects"].as_array().unwrap().iter().all(|o| o["state"] == "retained"), "{status:#}");
    drop(held);
    bench.ok(&["apply", "--yes"]);
    assert!(bench.page().contains("Hello, world"));
}

#[test]
fn a_port_of_another_module_is_refused_by_its_routes_name() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let other = bench.path("other");
    std::fs::create_dir(&other).unwrap();
    for file in ["main.imm", "index.html"] {
        std::fs::copy(bench.module.join(file), other.join(file)).unwrap();
    }
    let refused = bench.imm(&["apply", "--yes", other.to_str().unwrap()]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("held by route front of another module"), "{refused:?}");
    assert_eq!(bench.json(&["status"])["generation"], 1);
    assert!(bench.page().contains("Hello, world"));
}

#[test]
fn a_program_that_prints_without_end_keeps_nobody_from_work() {
    let bench = Bench::example("hello");
    let Some(busybox) = ["/usr/bin/busybox", "/bin/busybox"].into_iter().find(|p| std::path::Path::new(p).exists())
    else {
        println!("skipped: no busybox (package busybox-static)");
        return;
    };
    let image = "\"/bin/imm\"        = executable(self)";
    bench.edit(image, &format!("{image}\n    \"/bin/busybox\" = executable(\"{busybox}\")"));
    bench.edit(
        "[\"/bin/imm\", \"serve\", \"/srv\"]",
        "[\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox yes & exec /bin/imm serve /srv\"]",
    );
    bench.edit("interval = 200ms", "interval = 200ms, within = 60s");
    bench.ok(&["apply", "--yes"]);
    for _ in 0..5 {
        assert!(bench.page().contains("Hello, world"));
    }
    bench.ok(&["destroy", "--yes"]);
    eventually("no process is left", || containers(&bench).is_empty());
}

#[test]
fn only_what_the_program_says_listens_beyond_loopback() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let open = listening(&bench);
    assert!(open.iter().any(|(_, port)| *port == bench.port), "{open:?}");
    assert!(open.iter().all(|(ip, _)| ip == "0100007F"), "{open:?}");
    bench.edit("rollout = blue_green {}", "bind    = \"0.0.0.0\"\n  rollout = blue_green {}");
    // The old route's port cannot be bound on all addresses beside it: said, and nothing changed.
    let refused = bench.imm(&["apply", "--yes"]);
    assert!(refused.code == 4 && refused.err.contains("change `listen` together with `bind`"), "{refused:?}");
    let port = free_port();
    bench.edit(&format!("listen  = {}", bench.port), &format!("listen  = {port}"));
    bench.ok(&["apply", "--yes"]);
    let beyond: Vec<_> = listening(&bench).into_iter().filter(|(ip, _)| ip != "0100007F").collect();
    assert_eq!(beyond, [("00000000".to_owned(), port)]);
    assert_eq!(abstract_sockets(&bench), Vec::<String>::new());
    let mut answer = String::new();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.0\r\n\r\n").unwrap();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("Hello, world"), "{answer}");
}

/// The inodes of all sockets that this world's processes have open.
fn sockets(bench: &Bench) -> std::collections::BTreeSet<String> {
    let mut found = std::collections::BTreeSet::new();
    for pid in bench.processes().into_iter().map(|(pid, _)| pid).chain(agent(bench)) {
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            let link = std::fs::read_link(entry.path()).unwrap_or_default();
            if let Some(inode) = link.to_str().and_then(|l| l.strip_prefix("socket:[")?.strip_suffix(']')) {
                found.insert(inode.to_owned());
            }
        }
    }
    found
}

/// Address (as the kernel prints it) and port of every TCP listener of this world.
fn listening(bench: &Bench) -> Vec<(String, u16)> {
    let own = sockets(bench);
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|p| std::fs::read_to_string(p).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines());
    rows.filter_map(|row| {
        let fields: Vec<&str> = row.split_whitespace().collect();
        let (ip, port) = fields.get(1)?.split_once(':')?;
        let listens = fields.get(3) == Some(&"0A") && own.contains(*fields.get(9)?);
        listens.then(|| (ip.to_owned(), u16::from_str_radix(port, 16).unwrap()))
    })
    .collect()
}

fn abstract_sockets(bench: &Bench) -> Vec<String> {
    let own = sockets(bench);
    let table = std::fs::read_to_string("/proc/net/unix").unwrap();
    let named = table.lines().filter_map(|row| {
        let fields: Vec<&str> = row.split_whitespace().collect();
        let path = fields.get(7).filter(|path| path.starts_with('@'))?;
        own.contains(*fields.get(6)?).then(|| (*path).to_owned())
    });
    named.collect()
}
