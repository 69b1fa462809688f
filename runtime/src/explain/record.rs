//! What is there at an address already: which objects, since which generation, which apply made them and why.

use crate::entry::{Body, Entry};
use crate::id::ObjectId;
use crate::ledger::Ledger;
use crate::plan::Step;
use crate::report::{instant, status};
use crate::state::{Apply, Object, State};
use imm_ir::Addr;
use serde::Serialize;

/// One object of an address, as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Which one.
    pub object: String,
    /// Where it is declared, or was last.
    pub address: String,
    /// Its kind.
    pub kind: String,
    /// Its class.
    pub class: &'static str,
    /// Where it is in its life.
    pub state: &'static str,
    /// The newest generation has it.
    pub in_use: bool,
    /// First generation that has it.
    pub since_generation: Option<u64>,
    /// Newest generation that has it.
    pub until_generation: Option<u64>,
    /// How many of its runs ended by themselves and were replaced, as far as that was told.
    pub runs_replaced: u64,
    /// How the last one of them ended.
    pub run_ended: Option<String>,
    /// The apply that made it.
    pub made: Option<Made>,
    /// Who took it over, of what no apply made.
    pub adopted: Option<TakenOver>,
    /// Addresses of the objects it binds.
    pub binds: Vec<String>,
    /// Addresses of objects that are there and bind it.
    pub bound_by: Vec<String>,
    /// Pointers that are set to it.
    pub pointed_by: Vec<String>,
}

/// The apply that made an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Its id.
    pub apply: String,
    /// What it was for.
    pub verb: String,
    /// The generation it committed.
    pub generation: Option<u64>,
    /// When it started.
    pub at: String,
    /// `user@host`
    pub actor: String,
    /// Commit of the working tree.
    pub commit: Option<String>,
    /// The reason that was given.
    pub because: Option<String>,
    /// Why its plan made the object.
    pub reasons: Vec<String>,
}

/// How an object became ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TakenOver {
    /// When.
    pub at: String,
    /// `user@host`
    pub actor: String,
    /// The reason that was given.
    pub because: String,
}

/// The objects of an address that exist, what is in use first.
pub fn records(ledger: &Ledger, address: &Addr) -> Vec<Record> {
    let state = ledger.state();
    let in_use = state.in_use();
    let mut here: Vec<(&ObjectId, &Object)> =
        state.objects.iter().filter(|(_, o)| o.address == *address && o.state.exists()).collect();
    here.sort_by_key(|(id, o)| (!in_use.contains(id), std::cmp::Reverse(o.since), **id));
    // Few are taken over, and the state does not keep by whom. What cannot be read tells nothing, and nothing else is lost.
    let taken_over = here.iter().any(|(_, o)| o.adopted);
    let entries = if taken_over { ledger.entries(1).unwrap_or_default() } else { Vec::new() };
    here.into_iter()
        .map(|(id, object)| {
            let has = |g: &crate::state::Generation| g.objects.values().any(|o| o == id);
            let addresses = |ids: &mut dyn Iterator<Item = &ObjectId>| {
                ids.filter_map(|o| state.objects.get(o)).map(|o| o.address.to_string()).collect::<Vec<_>>()
            };
            let bound_by = state.objects.iter().filter(|(_, o)| o.state.exists() && o.bindings.contains(id));
            let points = |p: &crate::state::Pointer| p.setting.targets.iter().any(|t| t.object == *id);
            Record {
                object: id.to_string(),
                address: object.address.to_string(),
                kind: object.kind.to_string(),
                class: object.class.keyword(),
                state: status::word(state, object, in_use.contains(id)),
                in_use: in_use.contains(id),
                since_generation: object.since,
                until_generation: state.generations.iter().rev().find(|(_, g)| has(g)).map(|(n, _)| *n),
                runs_replaced: object.replaced.as_ref().map_or(0, |r| r.count),
                run_ended: object.replaced.as_ref().map(|r| r.cause.clone()),
                made: made(ledger, state, *id, object),
                adopted: object.adopted.then(|| adopted(&entries, *id)).flatten(),
                binds: addresses(&mut object.bindings.iter()),
                bound_by: addresses(&mut bound_by.map(|(id, _)| id)),
                pointed_by: addresses(&mut state.pointers.iter().filter(|(_, p)| points(p)).map(|(id, _)| id)),
            }
        })
        .collect()
}

fn made(ledger: &Ledger, state: &State, id: ObjectId, object: &Object) -> Option<Made> {
    let apply: &Apply = state.applies.iter().find(|a| a.id == object.made_by && !object.adopted)?;
    // A plan that can no longer be read takes its reasons with it, and nothing else.
    let steps: Vec<Step> = ledger.load(&apply.started.plan).unwrap_or_default();
    let step = steps.iter().find(|s| s.object == Some(id) && s.action == crate::plan::Action::Create);
    Some(Made {
        apply: apply.id.to_string(),
        verb: status::verb(&apply.started.verb),
        generation: apply.generation,
        at: instant(apply.at_ms),
        actor: format!("{}@{}", apply.actor.user, apply.actor.host),
        commit: apply.started.commit.clone(),
        because: apply.started.because.clone(),
        reasons: step.map(|s| s.reasons.iter().map(ToString::to_string).collect()).unwrap_or_default(),
    })
}

/// The last time counts: what was dropped from the record may be taken over again.
fn adopted(entries: &[(u64, Entry)], id: ObjectId) -> Option<TakenOver> {
    entries.iter().rev().find_map(|(_, entry)| match &entry.body {
        Body::Adopted(adopted) if adopted.declared.object == id => {
            let actor = &entry.header.actor;
            Some(TakenOver {
                at: instant(entry.header.at_ms),
                actor: format!("{}@{}", actor.user, actor.host),
                because: adopted.because.clone(),
            })
        }
        _other => None,
    })
}
