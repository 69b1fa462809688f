//! What holds data: in use, and retained until somebody consents to its end.

use crate::entry::{Body, RetainReason};
use crate::id::ObjectId;
use crate::ledger::{Ledger, LedgerError};
use crate::provider::Handle;
use crate::state::{ObjectState, State};
use imm_ir::{Addr, Class, Value};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

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
    /// It holds more than was asked for: its platform does not enforce that.
    pub over: bool,
    /// Who is made from it and exists.
    pub used_by: Vec<String>,
    /// Why it is retained, and since when.
    pub retained: Option<Retained>,
    /// Copies that were taken of it, oldest first.
    pub copies: Vec<Copy>,
}

/// A copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Copy {
    /// When it was taken.
    pub at: String,
    /// Nobody wrote to it meanwhile.
    pub consistent: bool,
    /// Where it is.
    pub path: String,
}

/// Sees what is on the machine.
pub trait Eyes {
    /// Bytes that there are at a path.
    fn used(&self, path: &str) -> Option<u64>;

    /// Where a copy is, if it is still there: platforms keep the newest ones.
    fn copy(&self, handle: &Handle) -> Option<String>;
}

/// Why something is kept that nothing declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retained {
    /// In words.
    pub reason: &'static str,
    /// Since when.
    pub since: String,
}

/// Everything that holds data.
///
/// # Errors
/// The ledger cannot be read.
pub fn durables(ledger: &Ledger, eyes: &dyn Eyes) -> Result<Durables, LedgerError> {
    let state = ledger.state();
    let there: Vec<_> = state.objects.iter().filter(|(_, o)| o.class == Class::Durable && o.state.exists()).collect();
    let mut retained: BTreeMap<ObjectId, Retained> = BTreeMap::new();
    let mut copies: BTreeMap<ObjectId, Vec<Copy>> = BTreeMap::new();
    if !there.is_empty() {
        for (_, entry) in ledger.entries(1)? {
            match entry.body {
                Body::Retained { durable, reason } => {
                    let since = super::instant(entry.header.at_ms);
                    // The first word of a time without a break.
                    retained.entry(durable).or_insert(Retained { reason: word(reason), since });
                }
                Body::Adopted(adopted) => {
                    let since = super::instant(entry.header.at_ms);
                    retained.insert(adopted.declared.object, Retained { reason: "it was taken over", since });
                }
                Body::SnapshotTaken { durable, snapshot, consistent, .. } => {
                    if let Some(path) = eyes.copy(&snapshot) {
                        let at = super::instant(entry.header.at_ms);
                        copies.entry(durable).or_default().push(Copy { at, consistent, path });
                    }
                }
                Body::Attached { durable, .. } => _ = retained.remove(&durable),
                _other => {}
            }
        }
    }
    let attached: BTreeSet<&Addr> =
        there.iter().filter(|(_, o)| o.state == ObjectState::Attached).map(|(_, o)| &o.address).collect();
    for (id, object) in &there {
        if attached.contains(&object.address)
            && let Some(kept) = retained.get_mut(id)
            && kept.reason == word(RetainReason::Removed)
        {
            kept.reason = SUCCEEDED;
        }
    }
    let mut volumes: Vec<Durable> = there
        .into_iter()
        .map(|(id, object)| {
            let path = object.outputs.get("path").and_then(Value::as_text).map(str::to_owned);
            let used_bytes = path.as_deref().and_then(|path| eyes.used(path));
            let setting = state.setting(*id);
            let size = setting.inputs.get("size");
            let most =
                size.and_then(|size| if let Value::Bytes(most) = size { u64::try_from(*most).ok() } else { None });
            Durable {
                address: object.address.to_string(),
                object: id.to_string(),
                kind: object.kind.to_string(),
                state: object.state.word(),
                since_generation: object.since,
                size: size.map(imm_ir::reduce::shown),
                used_bytes,
                over: used_bytes.zip(most).is_some_and(|(used, most)| used > most),
                path,
                used_by: users(state, *id),
                retained: retained.remove(id),
                copies: copies.remove(id).unwrap_or_default(),
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

/// The program does declare its address, and means another one.
const SUCCEEDED: &str = "another one took its place";

fn word(reason: RetainReason) -> &'static str {
    match reason {
        RetainReason::Unwind => "the apply that made it failed",
        RetainReason::Removed => "the program no longer declares it",
        RetainReason::Rollback => "a rollback left it behind",
        RetainReason::Destroy => "everything else was destroyed",
    }
}
