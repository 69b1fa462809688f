//! Ledgers of earlier versions, kept for ever: they are read as they are, taken up by this version, and go on.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use imm_runtime::audit;
use imm_runtime::clock::SystemClock;
use imm_runtime::entry::{Actor, Body, FORMAT};
use imm_runtime::generation;
use imm_runtime::ledger::Ledger;
use imm_runtime::seal::AgeKeys;
use imm_runtime::state::Phase;
use imm_runtime::store::sqlite::SqliteStore;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn copied(name: &str, to: &Path) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name);
    let path = to.join("ledger.db");
    std::fs::copy(from, &path).unwrap();
    path
}

fn open(path: &Path, fence: u64) -> Ledger {
    let store: Box<dyn imm_runtime::store::Store> =
        Box::new(if fence == 0 { SqliteStore::open_read_only(path) } else { SqliteStore::open(path) }.unwrap());
    let keys = Arc::new(AgeKeys::at(path.with_file_name("identity")));
    Ledger::open(store, Arc::new(SystemClock), Actor::default(), fence).unwrap().with_keys(keys).unwrap()
}

#[test]
fn format_1_is_read_taken_up_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = copied("ledger-1.db", dir.path());
    let before = std::fs::read(&path).unwrap();
    let reader = open(&path, 0);
    let state = reader.state();
    assert_eq!((state.format, state.current, state.applies.len()), (1, Some(5), 5));
    assert!(state.applies.iter().all(|a| a.phase == Phase::Committed));
    let graph = generation::load(&reader, &state.generations[&1]).unwrap();
    assert_eq!(graph.nodes.len(), 5);
    assert_eq!(audit::audit(&reader, &[]).unwrap().damage, []);
    let head = reader.head();
    drop(reader);
    assert_eq!(std::fs::read(&path).unwrap(), before, "a reader leaves it as it is");

    let fence = 1000;
    let mut ledger = open(&path, fence);
    ledger.migrate().unwrap();
    let entries = ledger.entries(head.0 + 1).unwrap();
    assert!(matches!(&entries[0].1.body, Body::Migrated { from: 1, to: FORMAT, old_head } if *old_head == head.1));
    assert!(matches!(&entries[1].1.body, Body::Rekeyed { .. }), "secrets have a key now");
    ledger.migrate().unwrap();
    assert_eq!(ledger.head().0, head.0 + 2, "once");
    drop(ledger);
    let again = open(&path, 0);
    assert_eq!(again.state().format, FORMAT);
    let report = audit::audit(&again, &[]).unwrap();
    assert_eq!((report.damage, report.secrets), (Vec::new(), Some(1)));
    let graph_again = generation::load(&again, &again.state().generations[&1]).unwrap();
    assert_eq!(graph_again, graph);
}

/// Format 2 had no `of` in a stage, no samples at a gate and no watch in the start of an apply.
#[test]
fn format_2_is_read_taken_up_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = copied("ledger-2.db", dir.path());
    let store = SqliteStore::open_read_only(&path).unwrap();
    let reader = Ledger::open(Box::new(store), Arc::new(SystemClock), Actor::default(), 0).unwrap();
    let state = reader.state();
    assert_eq!((state.format, state.current, state.applies.len()), (2, Some(5), 5));
    assert!(state.applies.iter().all(|a| a.phase == Phase::Committed && a.started.watch_ms == 0));
    assert!(state.applies.iter().all(|a| a.stage.as_ref().is_some_and(|s| s.stage == 1 && s.of == 0)));
    assert_eq!(generation::load(&reader, &state.generations[&1]).unwrap().nodes.len(), 4);
    let head = reader.head();
    drop(reader);
    let store = SqliteStore::open(&path).unwrap();
    let mut ledger = Ledger::open(Box::new(store), Arc::new(SystemClock), Actor::default(), 1000).unwrap();
    ledger.migrate().unwrap();
    let entries = ledger.entries(head.0 + 1).unwrap();
    assert!(matches!(&entries[0].1.body, Body::Migrated { from: 2, to: FORMAT, old_head } if *old_head == head.1));
    assert_eq!(ledger.state().format, FORMAT);
}
