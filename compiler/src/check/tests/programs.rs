//! Programs that the language must be able to say.

use super::helper::{checked_modules, clean, shown};

#[test]
fn canary() {
    clean(include_str!("../../../../tests/suite/programs/canary/main.imm"));
}

#[test]
fn static_site() {
    clean(include_str!("../../../../tests/suite/programs/static_site/main.imm"));
}

#[test]
fn web_worker_postgres() {
    clean(include_str!("../../../../tests/suite/programs/web_worker_postgres/main.imm"));
}
#[test]
fn environments() {
    let limits = "pub let web = { cpu = 0.5cpu, memory = 64MiB }\n";
    let main = include_str!("../../../../tests/suite/programs/environments/main.imm");
    let (_, found, sources) = checked_modules(&[("main", main), ("limits", limits)], &[("./limits", 1)]);
    assert!(found.is_empty(), "{}", shown(&found, &sources));
}

#[test]
fn fleet() {
    clean(include_str!("../../../../tests/suite/programs/fleet/main.imm"));
}

#[test]
fn secrets() {
    clean(include_str!("../../../../tests/suite/programs/secrets/main.imm"));
}

#[test]
fn tests_beside_their_program() {
    let program = include_str!("../../../../tests/suite/programs/web_worker_postgres/main.imm");
    clean(&format!("{program}\n{}", include_str!("../../../../tests/suite/programs/web_worker_postgres/tests.imm")));
}
