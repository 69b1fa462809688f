//! The record under stress: damage, copies, a lost home, a stopped holder, a disk that says no, a clock that jumps.

use crate::harness::terminal::Terminal;
use crate::harness::{Bench, IMM, Said, eventually, finish};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;
use std::process::Stdio;

/// A program whose apply is over at once.
const NOTE: &str = r#"
param word: String = "a"
resource note = file { content = word }
"#;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn head(bench: &Bench) -> String {
    let head = &bench.json(&["audit", "verify"])["head"];
    format!("{}:{}", head["seq"], head["hash"].as_str().unwrap())
}

fn exported(bench: &Bench) -> Vec<serde_json::Value> {
    bench.ok(&["audit", "export"]).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// Who let it begin stands in the record before anything happens, names the plan that was shown, and cannot be made another.
#[test]
fn an_approval_is_recorded_before_anything_happens() {
    let bench = Bench::program(NOTE);
    // Nobody is there who could answer: nothing is approved, and nothing is recorded.
    assert_eq!(bench.imm(&["apply"]).code, 2);
    assert!(bench.imm(&["audit", "export"]).out.lines().all(|l| !l.contains("Approved")));
    bench.ok(&["apply", "--yes"]);
    bench.ok(&["apply", "--yes"]);
    if let Some(terminal) = Terminal::start(&bench, "asked", &["apply", "--param", "word=b"]) {
        terminal.screen("[y/N]");
        terminal.keys(&["y", "Enter"]);
        let (screen, status) = terminal.ended();
        assert_eq!(status, 0, "{screen}");
    }
    let entries = exported(&bench);
    let (mut approvals, mut begun) = (Vec::new(), None);
    for entry in &entries {
        let body = &entry["body"];
        if let Some(started) = body.get("ApplyStarted") {
            begun = Some((entry["header"]["apply"].clone(), started["plan_digest"].clone()));
        } else if let Some(approved) = body.get("Approved") {
            let (apply, plan) = begun.clone().unwrap();
            assert_eq!((&entry["header"]["apply"], &approved["plan"]), (&apply, &plan));
            approvals.push(approved["by"].as_str().unwrap().to_owned());
        } else if body.as_object().unwrap().keys().any(|name| name.starts_with("Intent")) {
            assert!(!approvals.is_empty(), "{entry}");
        }
    }
    let actor = bench.json(&["history"])["applies"][0]["actor"].as_str().unwrap().to_owned();
    let typed = if approvals.len() > 1 { vec![format!("{actor} (typed)")] } else { Vec::new() };
    assert_eq!(approvals, [vec![format!("{actor} (--yes)")], typed].concat(), "an apply of nothing needs none");

    // Another word in its place, as long as the one that was there: `audit verify` says which entry it is.
    let at = &entries.iter().find(|e| e["body"].get("Approved").is_some()).unwrap()["seq"];
    let path = bench.module.join(".imm/local/ledger.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let word = bytes.windows(7).position(|w| w == b"(--yes)").unwrap();
    bytes[word..word + 7].copy_from_slice(b"(typed)");
    std::fs::write(&path, bytes).unwrap();
    let said = bench.imm(&["audit", "verify"]);
    assert!(said.code == 1 && said.err.contains(&format!("entry {at}")), "{said:?}");
}

#[test]
fn damage_is_found_and_named_and_the_head_is_known_elsewhere() {
    let bench = Bench::example("hello");
    let said = bench.imm(&["apply", "--yes"]);
    let head = head(&bench);
    assert!(said.err.contains(&format!("ledger head {head}")), "{said:?}");
    assert_eq!(bench.json(&["audit", "verify"])["anchors"], 1, "the agent has it, too");
    bench.ok(&["audit", "verify", "--anchor", &head]);
    bench.ok(&["audit", "rebuild", "--check"]);
    let exported = bench.ok(&["audit", "export"]);
    let lines: Vec<serde_json::Value> = exported.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.iter().zip(1..).all(|(line, seq)| line["seq"] == seq), "{exported}");
    assert!(lines.windows(2).all(|w| w[1]["prev"] == w[0]["hash"]));
    assert_eq!(format!("{}:{}", lines.len(), lines.last().unwrap()["hash"].as_str().unwrap()), head);

    // An earlier record in its place: cut off at the end, which only the agent can tell.
    let state = bench.module.join(".imm/local");
    copy(&state, &bench.path("backup"));
    bench.ok(&["apply", "--yes", "--param", "greeting=Hi"]);
    let later = self::head(&bench);
    std::fs::remove_dir_all(&state).unwrap();
    copy(&bench.path("backup"), &state);
    let said = bench.imm(&["audit", "verify"]);
    assert!(said.code == 1 && said.err.contains("was cut off, or this is an older copy"), "{said:?}");
    let said = bench.imm(&["audit", "verify", "--anchor", &later]);
    assert_eq!(said.code, 1, "{said:?}");

    // One byte in the file's middle, wherever it lands: found, or harmless and nothing claimed.
    let path = state.join("ledger.db");
    let whole = std::fs::read(&path).unwrap();
    let needle = b"simulate-nothing";
    assert!(!whole.windows(needle.len()).any(|w| w == needle));
    let at = whole.windows(7).position(|w| w == b"front/u" || w == b"uploads").unwrap();
    let mut damaged = whole;
    damaged[at] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    let said = bench.imm(&["audit", "verify"]);
    assert!(said.code == 1 && said.err.contains("changed"), "{said:?}");
    for command in [&["status"][..], &["audit", "export"], &["apply", "--yes"]] {
        let said = bench.imm(command);
        assert!(said.code <= 5 && !said.err.contains("panicked"), "{said:?}");
    }
}

#[test]
fn a_restored_ledger_is_refused_until_somebody_says_what_it_is() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let state = bench.module.join(".imm/local");
    copy(&state, &bench.path("backup"));
    bench.ok(&["apply", "--yes", "--param", "greeting=Hi"]);
    let newer = bench.path("newer");
    copy(&state, &newer);
    std::fs::remove_dir_all(&state).unwrap();
    copy(&bench.path("backup"), &state);
    // Again and again: no number of attempts gets a copy through.
    for _ in 0..4 {
        let said = bench.imm(&["apply", "--yes", "--param", "greeting=Hey"]);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.err.contains("forked-ledger") || said.err.contains("fence"), "{said:?}");
    }
    assert!(bench.page().contains("Hi, world"));
    // The real one still works.
    let stale = bench.path("stale");
    std::fs::rename(&state, &stale).unwrap();
    copy(&newer, &state);
    bench.ok(&["apply", "--yes", "--param", "greeting=Hello"]);
    // And the copy, once it is said to be the one that counts.
    std::fs::remove_dir_all(&state).unwrap();
    copy(&stale, &state);
    assert_eq!(bench.imm(&["lineage", "take"]).code, 2, "wants a reason");
    bench.ok(&["lineage", "take", "--because", "the newer one was lost"]);
    bench.ok(&["apply", "--yes", "--heal", "--param", "greeting=Back", "--because", "restored"]);
    assert!(bench.page().contains("Back, world"));
    bench.ok(&["audit", "verify"]);
}

#[test]
fn a_lost_home_is_no_dead_end() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    bench.ok(&["agent", "stop"]);
    for (pid, _) in bench.processes() {
        _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    eventually("all is gone", || bench.processes().is_empty());
    std::fs::remove_dir_all(bench.home()).unwrap();
    let said = bench.imm(&["apply", "--yes"]);
    assert!(said.code == 1 && said.err.contains("imm lineage take"), "{said:?}");
    let out = bench.ok(&["lineage", "take", "--because", "the disk died"]);
    assert!(out.contains("forgotten"), "{out}");
    bench.ok(&["apply", "--yes"]);
    assert!(bench.page().contains("Hello, world"));
    assert_eq!(bench.imm(&["drift", "--exit-code"]).code, 0);
}

#[test]
fn drift_is_told_and_healed() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let drift = bench.json(&["drift"]);
    assert!(drift["objects"].as_array().unwrap().iter().all(|o| o["state"] == "intact"), "{drift}");
    let status = bench.json(&["status"]);
    let object = status["objects"].as_array().unwrap().iter().find(|o| o["kind"] == "container").unwrap();
    let (address, id) = (object["address"].as_str().unwrap(), object["object"].as_str().unwrap());
    bench.ok(&["agent", "stop"]);
    for (pid, _) in bench.processes() {
        _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    eventually("all is gone", || bench.processes().is_empty());
    let lineage = std::fs::read_dir(bench.home().join("lineages")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_dir_all(lineage.join("objects").join(id)).unwrap();
    let said = bench.imm(&["drift", "--json", "--exit-code"]);
    assert_eq!(said.code, 3, "{said:?}");
    let drift: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let missing = drift["objects"].as_array().unwrap().iter().find(|o| o["state"] == "missing").unwrap();
    assert_eq!((missing["address"].as_str(), missing["object"].as_str()), (Some(address), Some(id)));
    bench.ok(&["heal", "--yes", "--because", "somebody removed it"]);
    assert_eq!(bench.imm(&["drift", "--exit-code"]).code, 0);
    let history = bench.json(&["history"]);
    assert_eq!(history["applies"].as_array().unwrap().last().unwrap()["verb"], "heal");
    let entries = exported(&bench);
    let bodies = |name: &str| entries.iter().filter_map(|e| e["body"].get(name).cloned()).collect::<Vec<_>>();
    let evidence = bodies("Observed");
    assert!(evidence.iter().any(|seen| seen["object"] == id && seen["seen"] == "Missing"), "{evidence:?}");
    // Which object stands for which since then, and because of what.
    // Runs that its platform replaced by itself are told besides.
    let healed: Vec<_> = bodies("Healed").into_iter().filter(|healed| !healed["by"].is_null()).collect();
    let new = bench.json(&["status"])["objects"].as_array().unwrap().iter().find(|o| o["address"] == address).cloned();
    let new = new.unwrap()["object"].clone();
    let [healed] = healed.as_slice() else { panic!("{healed:?}") };
    assert_eq!((&healed["object"], &healed["by"], &healed["count"]), (&id.into(), &new, &1.into()));
    assert_eq!(healed["cause"], "it was seen missing or changed");
    let started = entries.iter().rfind(|e| e["body"].get("ApplyStarted").is_some()).unwrap();
    assert_eq!(started["body"]["ApplyStarted"]["because"], "somebody removed it");
    bench.ok(&["audit", "verify"]);
    bench.ok(&["audit", "rebuild", "--check"]);
    assert!(bench.page().contains("Hello, world"));
    assert!(bench.ok(&["metrics"]).contains("deployment frequency"));
    assert_eq!(bench.json(&["metrics"])["deployments"], 1);
    assert!(bench.ok(&["metrics", "--prometheus"]).contains("imm_deployments_total{environment=\"local\"} 1"));
}

#[test]
fn a_stopped_holder_is_overruled_and_does_no_harm_when_it_wakes() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    bench.edit("/healthz", "/nowhere");
    let args = ["apply", "--yes", "--param", "greeting=Slow"];
    let sleeper = bench.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(sleeper.id() as i32);
    eventually("it verifies what will never be healthy", || {
        bench.json(&["agent", "ps"]).to_string().matches("\"kind\":\"container\"").count() > 2
    });
    kill(pid, Signal::SIGSTOP).unwrap();
    let held = bench.imm(&["apply", "--yes"]);
    assert!(held.code == 1 && held.err.contains("--take-over"), "{held:?}");
    assert_eq!(bench.imm(&["recover", "--take-over"]).code, 2, "wants a reason");
    bench.ok(&["recover", "--take-over", "--because", "it does not answer"]);
    let head = head(&bench);
    kill(pid, Signal::SIGCONT).unwrap();
    let Said { code, err, .. } = finish(sleeper, &args);
    assert!([1, 5].contains(&code) && !err.contains("panicked"), "{code} {err}");
    assert_eq!(self::head(&bench), head, "it wrote nothing more");
    assert!(bench.page().contains("Hello, world"));
    bench.edit("/nowhere", "/healthz");
    bench.ok(&["apply", "--yes", "--param", "greeting=Hi"]);
    assert!(bench.page().contains("Hi, world"));
    bench.ok(&["audit", "verify"]);
}

#[test]
fn expired_generations_are_dropped_and_a_rollback_to_one_is_refused() {
    let bench = Bench::example("hello");
    for word in ["One", "Two", "Three", "Four"] {
        bench.ok(&["apply", "--yes", "--param", &format!("greeting={word}")]);
    }
    assert_eq!(bench.json(&["gc"])["expired"], serde_json::json!([]), "20 are retained by default");
    let collected = bench.json(&["gc", "--retain", "2", "--because", "space"]);
    assert_eq!(collected["expired"], serde_json::json!([1]));
    assert!(collected["blobs"].as_u64().unwrap() > 0, "{collected}");
    let said = bench.imm(&["rollback", "1", "--yes"]);
    assert!(said.code == 1 && said.err.contains("generation 1 has expired"), "{said:?}");
    bench.ok(&["audit", "verify"]);
    bench.ok(&["rollback", "2", "--yes"]);
    assert!(bench.page().contains("Two, world"));
    assert_eq!(bench.json(&["history"])["applies"].as_array().unwrap().len(), 5, "entries stay");
}

/// A fork begins a life of its own beside what runs; what is forgotten stays and is nobody's.
#[test]
fn a_fork_is_another_lineage_and_what_is_forgotten_stays() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let lineage = |bench: &Bench| bench.json(&["lineage", "show"])["lineage"].as_str().unwrap().to_owned();
    let first = lineage(&bench);
    assert_eq!(bench.imm(&["lineage", "fork"]).code, 2, "wants a reason");
    bench.ok(&["lineage", "fork", "--because", "a second life"]);
    let second = lineage(&bench);
    assert_ne!(first, second);
    let aside = bench.module.join(format!(".imm/local/ledger-{}.db", &first[..8]));
    assert!(aside.is_file(), "the old record is kept");
    assert!(bench.page().contains("Hello, world"), "what runs is untouched");
    assert!(bench.json(&["status"])["generation"].is_null());
    // The same program beside it wants the same port, and is refused by name.
    let said = bench.imm(&["apply", "--yes"]);
    assert!(said.code == 4 && said.err.contains("held by route front of another module"), "{said:?}");
    bench.edit(&format!("listen  = {}", bench.port), &format!("listen  = {}", crate::harness::free_port()));
    bench.ok(&["apply", "--yes"]);
    assert!(bench.page().contains("Hello, world"));
    bench.ok(&["audit", "verify"]);

    // What is forgotten is gone from the record alone. What something is made from, or points at, cannot be.
    let said = bench.imm(&["forget", "app", "--because", "x"]);
    assert!(said.code == 1 && said.err.contains("is made from it"), "{said:?}");
    let said = bench.imm(&["forget", "web.instance[\"0\"]", "--because", "x"]);
    assert!(said.code == 1 && said.err.contains("a pointer may still point at"), "{said:?}");
    let before = bench.json(&["volume", "list"])["volumes"][0].clone();
    bench.ok(&["forget", "uploads", "--because", "somebody else looks after it"]);
    assert!(
        bench.json(&["volume", "list"])["volumes"].as_array().unwrap().iter().all(|v| v["object"] != before["object"])
    );
    assert!(Path::new(before["path"].as_str().unwrap()).is_dir(), "what it is stays");
    let drift: serde_json::Value = serde_json::from_str(&bench.imm(&["drift", "--json"]).out).unwrap();
    assert!(
        drift["objects"].as_array().unwrap().iter().any(|o| o["state"] == "orphan" && o["object"] == before["object"])
    );
}

/// Lead time from the commit's time, time to restore from the failure that was rolled back from.
#[test]
fn metrics_know_how_soon_a_change_came_and_how_soon_it_was_taken_back() {
    let bench = Bench::example("hello");
    let git = |args: &[&str]| {
        let date = "2026-01-02T03:04:05Z";
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]).args(args).current_dir(&bench.module);
        command.env("GIT_COMMITTER_DATE", date).env("GIT_AUTHOR_DATE", date);
        command.output().is_ok_and(|o| o.status.success())
    };
    if !(git(&["init", "-q"]) && git(&["add", "."]) && git(&["commit", "-q", "-m", "first"])) {
        println!("skipped: no git");
        return;
    }
    bench.ok(&["apply", "--yes"]);
    bench.ok(&["apply", "--yes", "--param", "greeting=Bad"]);
    bench.ok(&["rollback", "--yes", "--because", "it was bad"]);
    let metrics = bench.json(&["metrics"]);
    let lead = metrics["lead_time_seconds"].as_f64().unwrap();
    let committed = 1_767_323_045.0;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((lead - (now - committed)).abs() < 300.0, "{lead} of {}", now - committed);
    let restore = metrics["time_to_restore_seconds"].as_f64().unwrap();
    assert!((0.0..300.0).contains(&restore), "{metrics}");
    assert_eq!((metrics["failures"].as_u64(), metrics["environment"].as_str()), (Some(1), Some("local")), "{metrics}");
    let text = bench.ok(&["metrics", "--prometheus"]);
    assert!(text.contains("imm_lead_time_seconds{environment=\"local\"}"), "{text}");
}

/// A folder that nothing can be written to: reading answers, an apply ends before anything is made.
#[test]
fn a_read_only_folder_ends_an_apply_before_anything_is_made() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let disk = bench.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let script = r#"
        mount -t tmpfs -o size=8m none "$DISK" || { echo no-mount; exit 0; }
        mkdir "$DISK"/old "$DISK"/new && cp -a .imm/. "$DISK"/old/ && mount -o remount,ro "$DISK" || { echo no-mount; exit 0; }
        for command in "status" "history" "plan" "audit verify" "drift"; do
            "$IMM" --state "$DISK"/old $command >/dev/null; echo "$command: $?"
        done
        "$IMM" --state "$DISK"/old apply --yes --param greeting=Lost; echo "apply: $?"
        "$IMM" --state "$DISK"/new apply --yes; echo "first: $?"
        "$IMM" --state "$DISK"/new status; echo "nothing: $?"
    "#;
    let mut command = std::process::Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).current_dir(&bench.module).env("DISK", &disk).env("IMM", IMM);
    command.env("IMM_HOME", bench.home()).env("NO_COLOR", "1").stdin(Stdio::null());
    let Ok(child) = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() else { return };
    let said = finish(child, &["in a read-only folder"]);
    if said.out.contains("no-mount") || said.out.is_empty() {
        println!("skipped: no disk can be mounted");
        return;
    }
    let code = |what: &str| {
        let line = said.out.lines().find_map(|l| l.strip_prefix(&format!("{what}: ")));
        line.unwrap_or_else(|| panic!("{said:?}")).to_owned()
    };
    for command in ["status", "history", "plan", "audit verify", "drift", "nothing"] {
        assert_eq!(code(command), "0", "{command}: {said:?}");
    }
    assert_eq!((&*code("apply"), &*code("first")), ("1", "1"), "{said:?}");
    assert!(said.err.contains("Read-only file system\n") && said.err.contains("must be writable"), "{said:?}");
    assert!(bench.page().contains("Hello, world"));
    assert_eq!(bench.json(&["status"])["generation"], 1);
    bench.ok(&["audit", "verify"]);
}

/// A ledger on a disk of its own that fills up. Where no such disk can be mounted, nothing is tried.
#[test]
fn a_full_disk_ends_an_apply_with_words_and_a_whole_ledger() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let disk = bench.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let script = r#"
        mount -t tmpfs -o size=600k none "$DISK" || { echo no-mount; exit 0; }
        cp -a .imm/. "$DISK"/
        dd if=/dev/zero of="$DISK"/filler bs=1k 2>/dev/null
        "$IMM" --state "$DISK" apply --yes --param greeting=Full; echo "full: $?"
        rm "$DISK"/filler
        "$IMM" --state "$DISK" recover; echo "recover: $?"
        "$IMM" --state "$DISK" audit verify; echo "verify: $?"
        "$IMM" --state "$DISK" apply --yes --param greeting=Room; echo "room: $?"
    "#;
    let mut command = bench.command(&[]);
    let environment: Vec<_> = command.get_envs().map(|(k, v)| (k.to_owned(), v.map(|v| v.to_owned()))).collect();
    command = std::process::Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).current_dir(&bench.module).env("DISK", &disk).env("IMM", IMM);
    for (name, value) in environment {
        command.env(name, value.unwrap_or_default());
    }
    let Ok(child) = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() else { return };
    let said = finish(child, &["in a full disk"]);
    if said.out.contains("no-mount") || said.out.is_empty() {
        return;
    }
    let code = |what: &str| {
        let line = said.out.lines().find_map(|l| l.strip_prefix(&format!("{what}: ")));
        line.unwrap_or_else(|| panic!("{said:?}")).to_owned()
    };
    assert!(["1", "5"].contains(&&*code("full")), "{said:?}");
    assert!(said.err.contains("no space left") || said.err.contains("make room"), "{said:?}");
    assert_eq!((&*code("recover"), &*code("verify"), &*code("room")), ("0", "0", "0"), "{said:?}");
    assert!(bench.page().contains("Room, world"));
}
