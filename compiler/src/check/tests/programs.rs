//! Programs that the language must be able to say.

use super::helper::{checked_modules, clean, shown};

#[test]
fn canary() {
    clean(include_str!("../../../tests/programs/canary.imm"));
}

#[test]
fn static_site() {
    clean(include_str!("../../../tests/programs/static_site.imm"));
}

#[test]
fn web_worker_postgres() {
    clean(include_str!("../../../tests/programs/web_worker_postgres.imm"));
}
#[test]
fn environments() {
    let limits = "pub let web = { cpu = 0.5cpu, memory = 64MiB }\n";
    let main = include_str!("../../../tests/programs/environments.imm");
    let (_, found, sources) = checked_modules(&[("main", main), ("limits", limits)], &[("./limits", 1)]);
    assert!(found.is_empty(), "{}", shown(&found, &sources));
}

#[test]
fn fleet_needs_only_a_function_of_a_later_version() {
    let (_, found, sources) = checked_modules(&[("main", include_str!("../../../tests/programs/fleet.imm"))], &[]);
    let messages: Vec<&str> = found.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(messages, ["there is no function in `std.encode` called `toml`"], "{}", shown(&found, &sources));
}

#[test]
fn secrets() {
    clean(include_str!("../../../tests/programs/secrets.imm"));
}

#[test]
fn tests_beside_their_program() {
    let program = include_str!("../../../tests/programs/web_worker_postgres.imm");
    clean(&format!("{program}\n{}", include_str!("../../../tests/programs/tests.imm")));
}
