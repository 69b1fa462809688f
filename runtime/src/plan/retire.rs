//! What leaves: by tier. The same rule decides here and, after the commit, in the executor.

use super::reasons::{Reason, undo_of_end};
use super::view::{Chosen, View};
use super::{Action, Base, Fate, Nodes, Step};
use crate::id::ObjectId;
use crate::state::{Object, ObjectState};
use imm_ir::{Addr, Class, Digest, Nature};
use std::collections::{BTreeMap, BTreeSet};

/// What happens to an object that exists and is not part of the newest generation. `consented`: to the end of its data.
pub fn tier(object: &Object, warm: bool, consented: bool) -> Option<Action> {
    // What nobody can look for may not be there, and nobody could name it.
    if !object.state.exists() || object.untold() {
        return None;
    }
    match (object.class, object.nature) {
        (Class::Durable, _) if consented => Some(Action::Destroy),
        // Never without consent, and once retained it stays so.
        (Class::Durable, _) => (object.state != ObjectState::Retained).then_some(Action::Retain),
        // Warm or not, nothing happens to what is not ours.
        (Class::External, _) if warm => None,
        (Class::External, _) => Some(Action::Forget),
        (Class::Resource, _) if warm => Some(Action::Warm),
        (Class::Pointer, _) if warm => Some(Action::Warm),
        (Class::Resource, Nature::Content) => Some(Action::Release),
        (Class::Resource | Class::Pointer, _) => Some(Action::Destroy),
    }
}

fn in_use_at(recorded: Base<'_>, at: &Addr) -> bool {
    recorded.state.at(at).is_some()
}

type Same<'a> = (Digest, &'a [ObjectId]);

/// For what is retained: where a new object is made that is like it, the first one of each kind.
fn successors<'a>(
    recorded: Base<'_>,
    nodes: &'a Nodes,
    leaving: &[(&Addr, ObjectId, &Object, Action)],
) -> BTreeMap<Same<'a>, &'a Addr> {
    let mut found = BTreeMap::new();
    if leaving.iter().any(|(.., action)| *action == Action::Retain) {
        let new = nodes.iter().filter(|(at, n)| n.fate == Fate::Create && !in_use_at(recorded, at));
        for (at, planned) in new {
            found.entry((planned.spec, planned.bindings.as_slice())).or_insert(at);
        }
    }
    found
}

pub(super) fn steps(
    view: &View<'_>,
    recorded: Base<'_>,
    nodes: &Nodes,
    chosen: &Chosen,
    (keep, ended): (u32, &BTreeSet<ObjectId>),
    steps: &mut Vec<Step>,
) {
    let state = recorded.state;
    // The newest one is known by its marks.
    let older = state.generations.range(..state.current.unwrap_or(0)).rev().take((keep as usize).saturating_sub(1));
    let warm: BTreeSet<ObjectId> = older.flat_map(|(_, g)| g.objects.values().copied()).collect();
    let (in_use, unsound) = (|place| view.in_use(place), state.unsound());
    let stays = |at: usize, id: &ObjectId, o: &Object| match o.class {
        Class::Pointer => false,
        _other => ((keep > 0 && in_use(at)) || warm.contains(id)) && !unsound.contains(id),
    };
    let left: Vec<_> = view.objects().filter(|(at, _, o)| !chosen.has(*at) && o.state.exists()).collect();
    // What stays cannot do without the pointers that it was made with.
    let rests = left.iter().filter(|(at, id, o)| o.class == Class::Resource && stays(*at, id, o));
    let with = state.made_with(rests.map(|(_, id, _)| *id));
    let mut leaving: Vec<(&Addr, ObjectId, &Object, Action)> = left
        .into_iter()
        .filter_map(|(at, id, o)| {
            let warm = stays(at, &id, o) || with.contains(&id);
            let action = tier(o, warm, ended.contains(&id))?;
            // Warm already, and warm still: nothing happens to it.
            (action != Action::Warm || in_use(at)).then_some((&o.address, id, o, action))
        })
        .collect();
    leaving.sort_by_key(|(addr, id, ..)| (*addr, *id));
    let successors = successors(recorded, nodes, &leaving);
    let in_base = |id: &ObjectId| state.objects.get_index_of(id).is_some_and(in_use);
    for (addr, id, object, action) in leaving {
        let reason = match action {
            Action::Warm if object.class == Class::Pointer => {
                Reason::plain("closed; it stays for what is kept for rollback and was made with it")
            }
            Action::Warm => Reason::plain(format!("kept for rollback (keep = {keep})")),
            Action::Destroy if object.awaits() => Reason::plain("it was taken over, and nothing declares it as it is"),
            _ended if ended.contains(&id) => Reason::plain("its data is destroyed, as was consented to"),
            _ended if !view.graph.nodes.contains_key(addr) => Reason::plain("removed from the program"),
            _ended if in_base(&id) => Reason::plain("replaced"),
            _ended => match object.since {
                Some(generation) => Reason::plain(format!("generation {generation} is no longer kept (keep = {keep})")),
                None => Reason::plain("left over from an apply that failed"),
            },
        };
        let mut reasons = vec![reason];
        // A likely rename is offered, never assumed: two equal volumes could swap their data.
        let successor = successors.get(&(object.spec, object.bindings.as_slice()));
        if let (Action::Retain, Some(at)) = (action, successor) {
            let how = format!("to keep its data at {at}, add `--rename {addr}={at} --because TEXT`");
            reasons.push(Reason::plain(how));
        }
        steps.push(Step {
            action,
            address: addr.clone(),
            kind: object.kind.clone(),
            class: object.class,
            object: Some(id),
            spec: Some(object.spec),
            reasons,
            undo: if action == Action::Destroy { undo_of_end(object.class) } else { super::Undo::Free },
            outage_ms: 0,
            note: None,
        });
    }
}
