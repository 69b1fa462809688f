//! The main job: apply, replace, roll back, destroy; and a version that never becomes healthy.

use crate::harness::{Bench, eventually, http};
use serde_json::Value;

/// Object ids of the containers in service, from status.
fn containers(bench: &Bench) -> Vec<String> {
    let status = bench.json(&["status"]);
    let objects = status["objects"].as_array().unwrap();
    let serving = objects.iter().filter(|o| o["kind"] == "container" && o["state"] != "warm");
    serving.map(|o| o["object"].as_str().unwrap().to_owned()).collect()
}

fn count(plan: &Value, action: &str) -> usize {
    plan["actions"].as_array().unwrap().iter().filter(|a| a["action"] == action).count()
}

#[test]
fn apply_replace_rollback_destroy() {
    let bench = Bench::example("hello");
    let out = bench.ok(&["apply", "--yes"]);
    assert!(out.contains(&format!("http://127.0.0.1:{}", bench.port)), "the url is printed: {out}");
    assert!(bench.page().contains("Hello, world"));
    let first = containers(&bench);
    assert_eq!(first.len(), 2);

    // Nothing to do, and nothing done.
    let before = bench.json(&["history"]);
    let again = bench.imm(&["apply", "--yes"]);
    assert!(again.code == 0 && (again.out + &again.err).to_lowercase().contains("nothing to do"));
    assert_eq!(bench.json(&["history"]), before);
    assert_eq!(containers(&bench), first);
    assert_eq!(bench.imm(&["plan", "--exit-code"]).code, 0);

    // The plan of a change: exactly these steps, with reasons down to the column.
    let change = ["--param", "greeting=Hi"];
    let plan = bench.json(&[&["plan"][..], &change].concat());
    for (action, n) in [("create", 3), ("switch", 1), ("destroy", 0)] {
        assert_eq!(count(&plan, action), n, "{action}: {plan:#}");
    }
    let text = bench.ok(&[&["plan"][..], &change].concat());
    assert!(text.contains("greeting changed (main.imm:9:50, --param)"), "{text}");
    assert!(text.contains("app is replaced"), "{text}");
    assert_eq!(bench.imm(&[&["plan", "--exit-code"][..], &change].concat()).code, 3);

    // Generation 2: new containers beside the old ones, which stay warm.
    bench.ok(&[&["apply", "--yes"][..], &change].concat());
    assert!(bench.page().contains("Hi, world"));
    let second = containers(&bench);
    assert!(second.len() == 2 && second.iter().all(|c| !first.contains(c)));
    let warm = bench.json(&["status"]);
    let warm = warm["objects"].as_array().unwrap().iter().filter(|o| o["kind"] == "container" && o["state"] == "warm");
    assert_eq!(warm.count(), 2, "generation 1 stays warm");

    // Generation 3 destroys generation 1.
    bench.ok(&["apply", "--yes", "--param", "greeting=Hey"]);
    assert!(bench.page().contains("Hey, world"));
    let known = bench.json(&["status"]).to_string();
    assert!(first.iter().all(|c| !known.contains(c)), "generation 1 is destroyed: {known}");
    assert!(second.iter().all(|c| known.contains(c)), "generation 2 is warm: {known}");

    // Back to the warm generation: the same containers, without the sources.
    std::fs::remove_file(bench.module.join("main.imm")).unwrap();
    std::fs::remove_file(bench.module.join("index.html")).unwrap();
    bench.ok(&["rollback", "--yes"]);
    assert!(bench.page().contains("Hi, world"));
    let mut back = containers(&bench);
    back.sort();
    let mut expected = second;
    expected.sort();
    assert_eq!(back, expected);
    let history = bench.json(&["history"]);
    let verbs: Vec<_> =
        history["applies"].as_array().unwrap().iter().map(|a| a["verb"].as_str().unwrap().to_owned()).collect();
    assert!(verbs.iter().any(|v| v.starts_with("rollback")), "{verbs:?}");

    // Cold: generation 1 is made again from the ledger.
    bench.ok(&["rollback", "1", "--yes"]);
    assert!(bench.page().contains("Hello, world"));
    assert!(
        bench.ok(&["logs"]).contains("/healthz") || bench.ok(&["logs"]).contains("GET /"),
        "logs of destroyed containers too"
    );
    bench.ok(&["audit", "verify"]);

    bench.ok(&["destroy", "--yes"]);
    assert!(http::get(bench.port, "/").is_err());
    eventually("no container is left", || !bench.processes().iter().any(|(_, c)| c.contains("__container")));
    let retained = bench.json(&["status"]);
    assert!(retained.to_string().contains("uploads"), "the durable is retained: {retained}");
}

#[test]
fn a_file_that_only_goes_into_the_image_is_named_as_the_cause() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let page = bench.module.join("index.html");
    let text = std::fs::read_to_string(&page).unwrap();
    std::fs::write(page, text.replace("replaced, never changed", "never changed, only replaced")).unwrap();
    let plan = bench.json(&["plan"]);
    for address in ["app", "web.instance[\"0\"]", "web.instance[\"1\"]"] {
        let step =
            plan["actions"].as_array().unwrap().iter().find(|a| a["address"] == address && a["action"] == "create");
        let reasons = step.unwrap()["reasons"].as_array().unwrap();
        let cause = reasons
            .iter()
            .find(|r| r["text"] == "index.html changed")
            .unwrap_or_else(|| panic!("{address}: {reasons:?}"));
        assert_eq!((cause["file"].as_str(), cause["line"].as_u64()), (Some("main.imm"), Some(9)), "{cause}");
    }
    let text = bench.ok(&["plan"]);
    assert!(text.contains("app is replaced; index.html changed (main.imm:9:"), "{text}");
}

#[test]
fn keep_0_destroys_at_once() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes", "--keep", "0"]);
    let first = containers(&bench);
    bench.ok(&["apply", "--yes", "--keep", "0", "--param", "greeting=Hi"]);
    let known = bench.json(&["status"]).to_string();
    assert!(first.iter().all(|c| !known.contains(c)), "{known}");
    assert!(bench.page().contains("Hi, world"));
}

#[test]
fn a_version_that_never_becomes_healthy_is_unwound() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let before = bench.json(&["status"]);
    for broken in ["\"/bin/imm\", \"serve\", \"/nowhere\"", "\"/bin/imm\", \"frobnicate\"", "\"/bin/absent\""] {
        bench.edit("\"/bin/imm\", \"serve\", \"/srv\"", broken);
        bench.edit("interval = 200ms", "interval = 200ms, within = 3s");
        let said = bench.imm(&["apply", "--yes"]);
        assert_eq!(said.code, 4, "{said:?}");
        assert!(said.err.contains("web.instance"), "says which one failed: {said:?}");
        let after = bench.json(&["status"]);
        assert_eq!(
            (&after["objects"], &after["pointers"]),
            (&before["objects"], &before["pointers"]),
            "the route never moved"
        );
        assert!(bench.page().contains("Hello, world"));
        bench.edit("interval = 200ms, within = 3s", "interval = 200ms");
        bench.edit(broken, "\"/bin/imm\", \"serve\", \"/srv\"");
    }
    let plan = bench.json(&["plan"]);
    assert_eq!(plan["actions"].as_array().unwrap().len(), 0, "{plan:#}");
}

#[test]
fn a_saved_plan_applies_with_the_sources_deleted_and_only_once() {
    let bench = Bench::example("hello");
    bench.ok(&["plan", "--out", "first.immplan"]);
    std::fs::rename(bench.module.join("first.immplan"), bench.path("first.immplan")).unwrap();
    std::fs::remove_file(bench.module.join("main.imm")).unwrap();
    std::fs::remove_file(bench.module.join("index.html")).unwrap();
    let plan = bench.path("first.immplan").display().to_string();
    bench.ok(&["apply", &plan, "--yes"]);
    assert!(bench.page().contains("Hello, world"));
    let stale = bench.imm(&["apply", &plan, "--yes"]);
    assert_eq!(stale.code, 1, "{stale:?}");
    assert!(stale.err.contains("plan"), "{stale:?}");
}

#[test]
fn moving_a_node_touches_nothing() {
    let bench = Bench::example("hello");
    // They name the nodes where they were.
    std::fs::remove_file(bench.module.join("tests.imm")).unwrap();
    bench.ok(&["apply", "--yes"]);
    let before = containers(&bench);
    bench.edit("resource web = service", "resource site = service");
    bench.edit("to      = web", "to      = site");
    let plan = bench.json(&["plan"]);
    assert_eq!((count(&plan, "create"), count(&plan, "destroy"), count(&plan, "rename")), (0, 0, 2), "{plan:#}");
    bench.ok(&["apply", "--yes"]);
    assert_eq!(containers(&bench), before);
}

#[test]
fn a_graph_that_was_rolled_back_from_wants_a_word() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    bench.ok(&["apply", "--yes", "--param", "greeting=Bad"]);
    bench.ok(&["rollback", "--yes", "--because", "it was bad"]);
    let again = ["apply", "--yes", "--param", "greeting=Bad"];
    let refused = bench.imm(&again);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("--again"), "{refused:?}");
    bench.ok(&[&again[..], &["--again", "--because", "it is good now"]].concat());
    assert!(bench.page().contains("Bad, world"));
    assert!(bench.ok(&["history"]).contains("it is good now"));
}

#[test]
fn what_is_missing_stops_an_apply_until_it_is_healed() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let first = containers(&bench);
    // The machine loses everything that the agent made.
    bench.ok(&["agent", "stop"]);
    for (pid, _) in bench.processes() {
        _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    }
    let lineage = std::fs::read_dir(bench.home().join("lineages")).unwrap().flatten().next().unwrap().path();
    let lost = std::fs::read_dir(lineage.join("objects")).unwrap().flatten();
    for object in lost.filter(|o| first.contains(&o.file_name().to_string_lossy().trim_end_matches(".json").to_owned()))
    {
        let path = object.path();
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
    }
    let drifted = bench.imm(&["apply", "--yes"]);
    assert_eq!(drifted.code, 1, "{drifted:?}");
    assert!(drifted.err.contains("drifted") && drifted.err.contains("--heal"), "{drifted:?}");
    bench.ok(&["apply", "--yes", "--heal"]);
    assert!(bench.page().contains("Hello, world"));
    assert!(containers(&bench).iter().all(|c| !first.contains(c)), "new objects, not the old ones again");
}
