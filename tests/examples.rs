//! The examples as a newcomer runs them: their tests on the simulator, then for real: applied, asked, changed, destroyed.

use crate::harness::{Bench, eventually, http};

/// The front page that a host by name has, whatever its status.
fn asked(bench: &Bench, host: &str) -> String {
    http::get_from(bench.port, host).unwrap_or_else(|e| panic!("{host}: {e}")).1
}

/// Every example, from the first apply on: no fault of the platform and no death of the engine leaves less than a whole generation.
#[test]
fn every_example_can_be_rehearsed() {
    for name in ["environments", "fleet", "hello", "migration", "static_site", "worker"] {
        let bench = Bench::example(name);
        for how in [&["simulate"][..], &["simulate", "--crash-everywhere"]] {
            let said = bench.imm(how);
            assert!(said.code == 0 && said.out.contains("committed, generation 1 serves"), "{name} {how:?}: {said:?}");
            assert!(!said.out.contains("broken"), "{name}: {}", said.out);
        }
    }
}

#[test]
fn environments_have_their_own_sizes_and_ledgers() {
    let bench = Bench::example("environments");
    let port = format!("port={}", bench.port);
    assert!(bench.ok(&["test"]).contains("2 passed, 0 failed"));
    let params = ["--param", &port];
    bench.ok(&[&["apply", "--yes"], &params[..]].concat());
    assert!(asked(&bench, "localhost").contains("trying things out"));
    // Another environment is another lineage: nothing of the first is touched, so it needs another port.
    let (other, staging) = (Bench::example("environments").port, ["--env", "staging"]);
    let port = format!("port={other}");
    bench.ok(&[&["apply", "--yes", "--param", &port], &staging[..]].concat());
    assert!(http::get(other, "/").unwrap().contains("almost there"));
    assert!(asked(&bench, "localhost").contains("trying things out"));
    let status = bench.json(&[&["status"], &staging[..]].concat());
    let containers = status["objects"].as_array().unwrap().iter().filter(|o| o["kind"] == "container").count();
    assert_eq!(containers, 2, "{status}");
    bench.ok(&[&["destroy", "--yes"], &staging[..]].concat());
    assert!(http::get(other, "/").is_err());
    assert!(asked(&bench, "localhost").contains("trying things out"));
    bench.ok(&["destroy", "--yes"]);
}

#[test]
fn a_fleet_replaces_only_the_site_that_changed() {
    let bench = Bench::example("fleet");
    let port = format!("port={}", bench.port);
    assert!(bench.ok(&["test"]).contains("2 passed, 0 failed"));
    bench.ok(&["apply", "--yes", "--param", &port]);
    assert!(asked(&bench, "blog.localhost").contains("A blog"));
    assert!(asked(&bench, "shop.localhost").contains("A shop"));
    assert!(!asked(&bench, "wiki.localhost").contains("wiki"));
    bench.edit("title = \"A blog\"", "title = \"The blog\"");
    let plan = bench.json(&["plan", "--param", &port]);
    assert_eq!(created(&plan), ["page[\"blog\"]", "web[\"blog\"].instance[\"0\"]"], "{plan}");
    bench.ok(&["apply", "--yes", "--param", &port]);
    assert!(asked(&bench, "blog.localhost").contains("The blog"));
    assert!(asked(&bench, "shop.localhost").contains("A shop"));
    bench.ok(&["destroy", "--yes"]);
}

#[test]
fn a_static_site_is_served_replaced_and_taken_back() {
    let bench = Bench::example("static_site");
    assert!(bench.ok(&["test"]).contains("2 passed, 0 failed"));
    bench.ok(&["apply", "--yes"]);
    assert!(bench.page().contains("<h1>Field notes</h1>"));
    assert!(http::get(bench.port, "/about.html").unwrap().contains("<h1>About</h1>"));
    assert!(http::get(bench.port, "/assets/style.css").unwrap().contains("sans-serif"));
    let missing = http::Client::connect(bench.port).unwrap().get("/nowhere").unwrap();
    assert!(missing.0 == 404 && missing.1.contains("There is no such page"), "{missing:?}");
    bench.ok(&["apply", "--yes", "--param", "title=Garden notes"]);
    assert!(bench.page().contains("<h1>Garden notes</h1>"));
    bench.ok(&["rollback", "--yes"]);
    assert!(bench.page().contains("<h1>Field notes</h1>"));
    bench.ok(&["destroy", "--yes"]);
    assert!(http::get(bench.port, "/").is_err());
}

#[test]
fn a_worker_hands_over_and_its_volume_stays() {
    let bench = Bench::example("worker");
    assert!(bench.ok(&["test"]).contains("2 passed, 0 failed"));
    bench.ok(&["apply", "--yes"]);
    // `<h1>page 3, every 1 s</h1>`
    let count = || {
        let page = http::get(bench.port, "/").unwrap_or_default();
        page.strip_prefix("<h1>page ").and_then(|rest| rest.split(',').next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    eventually("the worker has written twice", || count() >= 2);
    let before = count();
    let plan = bench.json(&["plan", "--param", "every=2"]);
    assert_eq!(created(&plan), ["writer.instance[\"0\"]"], "{plan}");
    bench.ok(&["apply", "--yes", "--param", "every=2"]);
    eventually("the new one counts on", || http::get(bench.port, "/").is_ok_and(|page| page.contains("every 2 s")));
    assert!(count() > before);
    bench.ok(&["destroy", "--yes"]);
    eventually("no container is left", || !bench.processes().iter().any(|(_, c)| c.contains("__container")));
    // What it wrote is kept, and found again.
    let last = before;
    bench.ok(&["apply", "--yes"]);
    eventually("it counts on from the volume", || count() > last);
    bench.ok(&["destroy", "--yes"]);
}

#[test]
fn a_migration_must_succeed_before_the_service_switches() {
    let bench = Bench::example("migration");
    assert!(bench.ok(&["test"]).contains("3 passed, 0 failed"));
    let out = bench.ok(&["apply", "--yes"]);
    assert!(out.contains("migrated = at version 1"), "{out}");
    assert!(bench.page().contains("data of version 1"));
    bench.ok(&["apply", "--yes", "--param", "version=2"]);
    assert!(bench.page().contains("data of version 2"));
    let failed = bench.imm(&["apply", "--yes", "--param", "version=3", "--param", "broken=true"]);
    assert_eq!(failed.code, 4, "{failed:?}");
    assert!(failed.err.contains("cannot reach version 3"), "its last words are said: {failed:?}");
    assert!(bench.page().contains("data of version 2"));
    bench.ok(&["apply", "--yes", "--param", "version=3"]);
    assert!(bench.page().contains("data of version 3"));
    // Each ran once, in order; a rollback runs none of them again.
    bench.ok(&["rollback", "--yes"]);
    let ran = "<p>version 1</p>\n<p>version 2</p>\n<p>version 3</p>\n";
    assert_eq!(http::get(bench.port, "/history.html").unwrap(), ran);
    bench.ok(&["audit", "verify"]);
    bench.ok(&["destroy", "--yes"]);
}

/// The addresses that a plan creates, in its order.
fn created(plan: &serde_json::Value) -> Vec<&str> {
    let actions = plan["actions"].as_array().unwrap().iter().filter(|action| action["action"] == "create");
    actions.map(|action| action["address"].as_str().unwrap()).collect()
}
