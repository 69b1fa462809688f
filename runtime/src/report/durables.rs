//! What holds data: in use, and retained until somebody consents to its end.

use crate::entry::{Body, RetainReason};
use crate::id::ObjectId;
use crate::ledger::{Ledger, LedgerError};
use crate::state::State;
use imm_ir::Class;
use serde::Serialize;
use std::collections::BTreeMap;

/// `imm volume --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Durables {
    /// Of this document.
    pub format: u32,
    /// Everything that holds data, in address order.
    pub volumes: Vec<Durable>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Durable {
    /// Where it is declared, or was last.
    pub address: String,
    /// Which one, in full.
    pub object: String,
    /// `volume`, `secret`.
    pub kind: String,
    /// `attached` or `retained`; while an apply is open also others.
    pub state: &'static str,
    /// First generation that had it.
    pub since_generation: Option<u64>,
    /// What was asked for, as the program writes it.
    pub size: Option<String>,
    /// Where it is on the machine.
    pub path: Option<String>,
    /// Bytes that it holds now, where that can be seen.
    pub used_bytes: Option<u64>,
    /// Who is made from it and exists.
    pub used_by: Vec<String>,
    /// Why it is retained, and since when.
    pub retained: Option<Retained>,
}

/// Why something is kept that nothing declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retained {
    /// In words.
    pub reason: &'static str,
    /// Since when.
    pub since: String,
}

/// Everything that holds data. `used` answers how much there is at a path.
///
/// # Errors
/// The ledger cannot be read.
pub fn durables(ledger: &Ledger, used: &dyn Fn(&str) -> Option<u64>) -> Result<Durables, LedgerError> {
    let state = ledger.state();
    let there: Vec<_> = state.objects.iter().filter(|(_, o)| o.class == Class::Durable && o.state.exists()).collect();
    let mut retained: BTreeMap<ObjectId, Retained> = BTreeMap::new();
    if !there.is_empty() {
        for (_, entry) in ledger.entries(1)? {
            match entry.body {
                Body::Retained { durable, reason } => {
                    let since = super::instant(entry.header.at_ms);
                    // The first word of a time without a break.
                    retained.entry(durable).or_insert(Retained { reason: word(reason), since });
                }
                Body::Attached { durable, .. } => _ = retained.remove(&durable),
                _other => {}
            }
        }
    }
    let mut volumes: Vec<Durable> = there
        .into_iter()
        .map(|(id, object)| {
            let path = object.outputs.get("path").and_then(imm_ir::Value::as_text).map(str::to_owned);
            let size = state.setting(*id).inputs.get("size").map(imm_ir::reduce::shown);
            Durable {
                address: object.address.to_string(),
                object: id.to_string(),
                kind: object.kind.to_string(),
                state: object.state.word(),
                since_generation: object.since,
                size,
                used_bytes: path.as_deref().and_then(used),
                path,
                used_by: users(state, *id),
                retained: retained.remove(id),
            }
        })
        .collect();
    volumes.sort_by(|a, b| (&a.address, &a.object).cmp(&(&b.address, &b.object)));
    Ok(Durables { format: 1, volumes })
}

fn users(state: &State, id: ObjectId) -> Vec<String> {
    let bound = state.ever_bound(&id).filter_map(|user| state.objects.get(&user));
    let mut found: Vec<String> =
        bound.filter(|o| o.state.exists() && o.bindings.contains(&id)).map(|o| o.address.to_string()).collect();
    found.sort();
    found.dedup();
    found
}

fn word(reason: RetainReason) -> &'static str {
    match reason {
        RetainReason::Unwind => "the apply that made it failed",
        RetainReason::Removed => "the program no longer declares it",
        RetainReason::Rollback => "a rollback left it behind",
        RetainReason::Destroy => "everything else was destroyed",
    }
}
