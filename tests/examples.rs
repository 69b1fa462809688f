//! The examples as a newcomer runs them: their tests on the simulator, then for real: applied, asked, changed, destroyed.

use crate::harness::{Bench, http};

/// The front page that a host by name has, whatever its status.
fn asked(bench: &Bench, host: &str) -> String {
    http::get_from(bench.port, host).unwrap_or_else(|e| panic!("{host}: {e}")).1
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
    let created: Vec<&str> = plan["actions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|action| action["action"] == "create")
        .map(|action| action["address"].as_str().unwrap())
        .collect();
    assert_eq!(created, ["page[\"blog\"]", "web[\"blog\"].instance[\"0\"]"], "{plan}");
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
