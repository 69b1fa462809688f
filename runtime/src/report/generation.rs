//! One generation, as recorded: who made it, when, why and from what, and what it consists of.
//!
//! Guarantees: secrets are `[secret]`.

use super::{instant, status};
use crate::ledger::{Ledger, LedgerError};
use crate::state::{Apply, State};
use imm_ir::{Fields, Value};
use serde::Serialize;
use std::collections::BTreeMap;

/// `imm show [GEN] --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Generation {
    /// Of this document.
    pub format: u32,
    /// Its number.
    pub generation: u64,
    /// The one before.
    pub parent: Option<u64>,
    /// It is the newest.
    pub current: bool,
    /// `serves`, `warm` (a rollback to it is a switch), `cold` (made again from the ledger).
    pub tier: &'static str,
    /// A rollback left it.
    pub rolled_back_from: bool,
    /// Names its graph.
    pub graph_root: String,
    /// The apply that made it.
    pub apply: String,
    /// What that was for.
    pub verb: String,
    /// When it started.
    pub at: String,
    /// How long it took.
    pub seconds: Option<f64>,
    /// `user@host`
    pub actor: String,
    /// Version of the program that made it.
    pub tool_version: String,
    /// The reason that was given.
    pub because: Option<String>,
    /// Commit of the working tree.
    pub commit: Option<String>,
    /// Params it was evaluated with.
    pub params: BTreeMap<String, serde_json::Value>,
    /// What it consists of.
    pub objects: Vec<Part>,
    /// What its pointers were to be set to.
    pub settings: BTreeMap<String, Vec<String>>,
    /// Values of its outputs.
    pub outputs: BTreeMap<String, serde_json::Value>,
    /// The program's files: name and bytes.
    pub sources: Vec<(String, usize)>,
}

/// One object of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its address.
    pub address: String,
    /// Which one.
    pub object: String,
    /// What it is.
    pub spec: String,
    /// Its kind.
    pub kind: String,
    /// Its class.
    pub class: &'static str,
    /// Where it is in its life now.
    pub state: &'static str,
    /// First generation that has it.
    pub since_generation: Option<u64>,
}

/// A generation's report; `None`: it was never committed.
///
/// # Errors
/// A blob is missing or damaged.
pub fn generation(ledger: &Ledger, number: u64) -> Result<Option<Generation>, LedgerError> {
    let state = ledger.state();
    let Some(found) = state.generations.get(&number) else { return Ok(None) };
    let graph = crate::generation::load(ledger, found)?;
    let outputs: Fields<Value> = ledger.load(&found.outputs)?;
    let apply = state.applies.iter().find(|a| a.id == found.apply);
    let started = apply.map(|a| &a.started);
    let in_use = state.in_use();
    let object = |id: &crate::id::ObjectId| state.objects.get(id);
    let objects = found.objects.iter().filter_map(|(addr, id)| {
        object(id).map(|o| Part {
            address: addr.to_string(),
            object: id.to_string(),
            spec: o.spec.hex(),
            kind: o.kind.to_string(),
            class: o.class.keyword(),
            state: status::word(state, o, in_use.contains(id)),
            since_generation: o.since,
        })
    });
    let pointers = graph.nodes.iter().filter(|(_, node)| node.class == imm_ir::Class::Pointer);
    let settings = pointers.map(|(addr, node)| {
        let set = node.edges.iter().filter(|e| e.kind == imm_ir::EdgeKind::Set).map(|e| e.to.to_string());
        (addr.to_string(), set.collect())
    });
    Ok(Some(Generation {
        format: 1,
        generation: number,
        parent: found.parent,
        current: state.current == Some(number),
        tier: tier(state, number),
        rolled_back_from: found.rolled_back_from,
        graph_root: found.graph_root.hex(),
        apply: found.apply.to_string(),
        verb: started.map_or_else(String::new, |s| status::verb(&s.verb)),
        at: apply.map_or_else(String::new, |a| instant(a.at_ms)),
        seconds: apply.and_then(|a| a.took_ms).map(|ms| std::time::Duration::from_millis(ms).as_secs_f64()),
        actor: apply.map_or_else(String::new, |a| format!("{}@{}", a.actor.user, a.actor.host)),
        tool_version: apply.map_or_else(String::new, |a| a.actor.tool_version.clone()),
        because: started.and_then(|s| s.because.clone()),
        commit: started.and_then(|s| s.commit.clone()),
        params: params(ledger, apply)?,
        objects: objects.collect(),
        settings: settings.collect(),
        outputs: outputs.iter().map(|(name, value)| (name.to_string(), super::value(value))).collect(),
        sources: sources(ledger, number)?.into_iter().map(|(name, bytes)| (name, bytes.len())).collect(),
    }))
}

/// The newest one serves; one of which everything is still there is warm.
fn tier(state: &State, number: u64) -> &'static str {
    if state.current == Some(number) {
        return "serves";
    }
    let usable = |id: &crate::id::ObjectId| state.objects.get(id).is_some_and(|o| o.state.usable());
    let whole = state.generations.get(&number).is_some_and(|g| g.objects.values().all(usable));
    if whole { "warm" } else { "cold" }
}

fn params(ledger: &Ledger, apply: Option<&Apply>) -> Result<BTreeMap<String, serde_json::Value>, LedgerError> {
    let Some(blob) = apply.and_then(|a| a.started.params) else { return Ok(BTreeMap::new()) };
    let kept: Vec<(String, String)> = ledger.load(&blob)?;
    let read = |text: String| serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
    Ok(kept.into_iter().map(|(name, text)| (name, read(text))).collect())
}

/// The program's files of a generation. One that came from the ledger (a rollback) has those of the generation it went to.
///
/// # Errors
/// The blob is missing or damaged.
pub fn sources(ledger: &Ledger, number: u64) -> Result<Vec<(String, Vec<u8>)>, LedgerError> {
    let state = ledger.state();
    let apply = state.generations.get(&number).and_then(|g| state.applies.iter().find(|a| a.id == g.apply));
    match apply.map(|a| (&a.started.sources, &a.started.verb)) {
        Some((Some(blob), _)) => ledger.load(blob),
        Some((None, crate::entry::Verb::Rollback { to })) if *to < number => sources(ledger, *to),
        _none => Ok(Vec::new()),
    }
}
