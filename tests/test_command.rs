//! `imm test`: the tests of programs, on the simulator.

use crate::harness::Bench;

const PROGRAM: &str = r#"
component pair {
  param image: image
  resource web = service { image, port = 80, replicas = 2, health = http {} }
  pointer edge = route { listen = 8080, to = web }
  output url: ~String = edge.url
}
param version: String
param key: Secret[String] = "hunter2hunter2"
resource app = image { cmd = ["/app"], labels = { version } }
use shop = pair { image = app }
resource extra for n in ["a", "b"] = container { image = app, port = 81, health = tcp {}, env = { K = key } }
"#;

fn module(tests: &str) -> Bench {
    let bench = Bench::example("hello");
    std::fs::remove_file(bench.module.join("tests.imm")).unwrap();
    std::fs::write(bench.module.join("main.imm"), format!("{PROGRAM}\n{tests}")).unwrap();
    bench
}

#[test]
fn the_tests_of_hello_pass() {
    let bench = Bench::example("hello");
    let said = bench.ok(&["test"]);
    assert!(said.contains("4 passed, 0 failed"), "{said:?}");
    // Nothing was recorded and no agent was started.
    assert!(!bench.module.join(".imm").exists(), "{said:?}");
}

#[test]
fn every_step_does_what_it_says() {
    let bench = module(
        r#"
test "faults that pass are survived" {
  given { version = "1" }
  fault slow { at = app, by = 4m }
  fault create_fails { at = extra["a"] }
  apply
  expect result.outcome == committed && result.created == 6
  expect shop.web.instance["1"].port > 0 && extra["b"].host != "" && shop.url != ""
}
test "a create that keeps failing leaves nothing" {
  given { version = "1" }
  fault create_fails { at = extra["a"], times = 50 }
  apply
  expect result.outcome == rolled_back && result.generation == 0
}
test "a switch that keeps failing" {
  given { version = "1" }
  apply
  given { version = "2" }
  fault switch_fails { at = shop.edge, times = 99 }
  apply
  expect result.outcome == rolled_back && result.generation == 1 && result.failed_requests == 0
}
test "a crash, a recovery and a second try" {
  given { version = "1" }
  apply
  given { version = "2" }
  fault crash { at = shop.web, after_entry = "IntentCreate" }
  apply
  expect result.outcome == interrupted
  recover
  expect result.outcome == rolled_back && result.generation == 1
  apply
  expect result.outcome == committed && result.generation == 2
  rollback
  expect result.generation == 3 && result.created == 0
}
test "a fault is over with its command" {
  given { version = "1" }
  fault verify_fails { at = shop.web, times = 99 }
  apply
  expect result.outcome == rolled_back
  apply
  expect result.outcome == committed
}
test "the same program changes nothing" {
  given { version = "1" }
  apply
  expect plan.create == [] && plan.switch == [] && plan.keep.len() == 6
}
"#,
    );
    let said = bench.ok(&["test"]);
    assert!(said.contains("6 passed, 0 failed"), "{said:?}");
}

#[test]
fn a_crash_that_never_comes_fails_its_test() {
    let bench = module(
        r#"
test "a slip" {
  given { version = "1" }
  fault crash { at = app, after_entry = "Creatd" }
  apply
}
"#,
    );
    let said = bench.imm(&["test"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.err.contains("no entry `Creatd` about `app`") || said.out.contains("no entry `Creatd` about `app`"),
        "{said:?}"
    );
}

#[test]
fn what_fails_shows_what_was_found() {
    let bench = module(
        r#"
test "counts" {
  given { version = "1" }
  expect plan.destroy == [] && plan.create.len() == 3
  expect plan.create.len() == 4
  apply
  expect true
}
test "passes" {
  given { version = "1" }
  apply
}
test "no version" { apply }
test "nothing to go back to" {
  given { version = "1" }
  rollback
}
"#,
    );
    let said = bench.imm(&["test"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("1 passed, 3 failed"), "{said:?}");
    for part in ["found: 6", "expected: 3", "expected: 4", "main.imm:17:", "missing-param", "no earlier generation"] {
        assert!(said.err.contains(part), "{part} is missing: {}", said.err);
    }

    let said = bench.imm(&["test", "--json", "--filter", "count", "--filter", "pass"]);
    let lines: Vec<serde_json::Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((said.code, lines.len()), (1, 3), "{said:?}");
    assert_eq!((lines[0]["outcome"].as_str(), lines[1]["outcome"].as_str()), (Some("failed"), Some("passed")));
    assert_eq!(lines[0]["failures"].as_array().unwrap().len(), 2, "{said:?}");
    assert_eq!((lines[2]["passed"].as_u64(), lines[2]["failed"].as_u64()), (Some(1), Some(1)));

    let said = bench.ok(&["test", "--list"]);
    assert_eq!(said.lines().count(), 5, "{said:?}");
    let said = bench.imm(&["test", "--filter", "nowhere"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("there are: counts, passes"), "{said:?}");
}

#[test]
fn a_program_without_tests_says_how_to_write_one() {
    let bench = module("");
    let said = bench.imm(&["test"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("no tests") && said.err.contains("test \"it starts\""), "{said:?}");
}

#[test]
fn the_components_of_the_standard_library_hold_what_they_say() {
    let bench = module("");
    let program = r#"
import std.parts
param version: String = "1"
resource app = image { cmd = ["/app"], labels = { version } }
use shop = parts.web_service { image = app, listen = 8080, replicas = 2 }
use inner = parts.internal_service { image = app, env = { SHOP = shop.url } }
use docs = parts.static_site { files = { "/index.html" = "version ${version}" }, listen = 8081 }
use data = parts.migrated_service { image = app, migrate = ["/app", "migrate"], listen = 8082 }
use nightly = parts.cron_job { image = app, cmd = ["/app", "report"], schedule = "0 3 * * *", env = { SHOP = shop.url } }

test "a new version of everything loses nothing, and is taken back" {
  apply
  expect result.outcome == committed && shop.url != "" && inner.address != "" && docs.url != "" && data.url != ""
  given { version = "2" }
  expect ["shop.edge", "inner.inner", "docs.edge", "data.edge"].all(edge => plan.switch.any(c => c.address == edge))
  apply
  expect result.outcome == committed && result.outage == 0s && result.failed_requests == 0
  rollback
  expect result.failed_requests == 0
}
test "what does not work in one of them leaves all as it was" {
  apply
  given { version = "2" }
  fault verify_fails { at = inner.api, times = 9 }
  apply
  expect result.outcome == rolled_back && result.generation == 1 && result.failed_requests == 0
}
test "a schedule goes on with the new version alone" {
  apply
  given { version = "2" }
  expect plan.create.any(c => c.address == "nightly.clock.instance[\"0\"]")
  fault verify_fails { at = nightly.clock, times = 9 }
  apply
  expect result.outcome == rolled_back && result.generation == 1
  apply
  expect result.outcome == committed && result.outage == 0s
}
test "a migration that fails comes before the service" {
  apply
  given { version = "2" }
  fault verify_fails { at = data.migration, times = 9 }
  apply
  expect result.outcome == rolled_back && result.generation == 1 && result.failed_requests == 0
}
"#;
    std::fs::write(bench.module.join("main.imm"), program).unwrap();
    let said = bench.ok(&["test"]);
    assert!(said.contains("4 passed, 0 failed"), "{said:?}");
}
