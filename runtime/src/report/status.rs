//! What runs, as recorded.

use crate::entry::Verb;
use crate::id::ObjectId;
use crate::state::{Object, ObjectState, State};
use imm_ir::{Class, Fields, Nature, Value};
use serde::Serialize;
use std::collections::BTreeMap;

/// `imm status --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Of this document.
    pub format: u32,
    /// The environment.
    pub environment: String,
    /// The newest committed generation.
    pub generation: Option<u64>,
    /// Everything that exists, in address order, what is in use first.
    pub objects: Vec<ObjectStatus>,
    /// Pointers that were set.
    pub pointers: Vec<PointerStatus>,
    /// Outputs of the generation.
    pub outputs: BTreeMap<String, serde_json::Value>,
    /// The apply that did not come to its end.
    pub interrupted: Option<Open>,
    /// The apply that somebody works on right now.
    pub under_way: Option<Open>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectStatus {
    /// Where it is declared, or was last.
    pub address: String,
    /// Which one, in full.
    pub object: String,
    /// What it is.
    pub spec: String,
    /// Its kind.
    pub kind: String,
    /// Its class.
    pub class: &'static str,
    /// `running`, `new`, `warm`, `retained` …
    pub state: &'static str,
    /// What was seen when asked; `unknown` when nobody could be asked.
    pub health: String,
    /// First generation that has it.
    pub since_generation: Option<u64>,
    /// What it gave.
    pub outputs: BTreeMap<String, serde_json::Value>,
}

/// One pointer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PointerStatus {
    /// Where it is declared.
    pub address: String,
    /// Rises with every switch.
    pub epoch: u64,
    /// Where it points.
    pub targets: Vec<TargetStatus>,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetStatus {
    /// Its address.
    pub address: String,
    /// Which one.
    pub object: String,
    /// Per cent.
    pub weight: f64,
    /// It belongs to the generation that is being rolled out, and not to the one before.
    pub fresh: bool,
}

/// An apply that did not come to its end, yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Open {
    /// Its id.
    pub apply: String,
    /// What it was for.
    pub verb: String,
    /// Where it stopped.
    pub phase: &'static str,
    /// When it started.
    pub since: String,
    /// Who started it.
    pub by: String,
    /// Why it is being undone, if it is.
    pub error: Option<String>,
    /// A person has to look: `imm recover` tries again.
    pub stuck: bool,
    /// Pointers that their provider took back by itself, since nobody went on; whoever can see that fills it in.
    pub reverted: Vec<String>,
}

/// The status of a state. `outputs` are those of the newest generation; `health` answers for an object what was seen;
/// `alive`: somebody works on it right now.
pub fn status(
    state: &State,
    outputs: &Fields<Value>,
    health: &dyn Fn(ObjectId) -> Option<String>,
    alive: bool,
) -> Status {
    let in_use = state.in_use();
    let mut objects: Vec<_> = state.objects.iter().filter(|(_, o)| o.state.exists()).collect();
    objects.sort_by_key(|(id, o)| (!in_use.contains(id), o.address.clone(), **id));
    let objects = objects
        .into_iter()
        .map(|(id, o)| ObjectStatus {
            address: o.address.to_string(),
            object: id.to_string(),
            spec: o.spec.hex(),
            kind: o.kind.to_string(),
            class: o.class.keyword(),
            state: word(state, o, in_use.contains(id)),
            health: health(*id).unwrap_or_else(|| "unknown".to_owned()),
            since_generation: o.since,
            outputs: json_fields(&o.outputs),
        })
        .collect();
    let exists = |id: &ObjectId| state.objects.get(id).filter(|o| o.state.exists());
    let mut pointers: Vec<_> = state
        .pointers
        .iter()
        .filter_map(|(id, p)| exists(id).filter(|o| o.class == Class::Pointer).map(|o| (o, p)))
        .map(|(object, pointer)| PointerStatus {
            address: object.address.to_string(),
            epoch: pointer.epoch,
            targets: pointer
                .setting
                .targets
                .iter()
                .map(|t| TargetStatus {
                    address: t.address.to_string(),
                    object: t.object.to_string(),
                    weight: f64::from(t.weight) / 10_000.0,
                    fresh: t.fresh && pointer.provisional,
                })
                .collect(),
        })
        .collect();
    pointers.sort_by(|a, b| a.address.cmp(&b.address));
    let (under_way, interrupted) = if alive { (open(state), None) } else { (None, open(state)) };
    Status {
        format: 1,
        environment: state.environment.clone(),
        generation: state.current,
        objects,
        pointers,
        outputs: json_fields(outputs),
        interrupted,
        under_way,
    }
}

/// The apply that did not come to its end, if there is one.
pub fn open(state: &State) -> Option<Open> {
    let apply = state.open_apply()?;
    Some(Open {
        apply: apply.id.to_string(),
        verb: verb(&apply.started.verb),
        phase: apply.phase.word(),
        since: super::instant(apply.at_ms),
        by: format!("{} on {}", apply.actor.user, apply.actor.host),
        error: apply.error.clone(),
        stuck: apply.phase.word().starts_with("stuck"),
        reverted: Vec::new(),
    })
}

/// A verb in words.
pub fn verb(verb: &Verb) -> String {
    match verb {
        Verb::Apply => "apply".to_owned(),
        Verb::Rollback { to } => format!("rollback to {to}"),
        Verb::Destroy => "destroy".to_owned(),
        Verb::Heal => "heal".to_owned(),
        Verb::Drill { of } => format!("drill of {of}"),
        Verb::AutoRollback { of } => format!("automatic rollback of {of}"),
        Verb::RecoverOnly => "recover".to_owned(),
    }
}

/// What is not in use but still there and could be used again is warm, but for what the open apply just made.
pub(crate) fn word(state: &State, object: &Object, in_use: bool) -> &'static str {
    let kept =
        matches!(object.state, ObjectState::Running | ObjectState::Dormant | ObjectState::Idle | ObjectState::Present);
    match (in_use, object.class) {
        (false, Class::Resource) if kept => {
            let made_now = object.since.is_none() && state.open_apply().is_some_and(|a| a.id == object.made_by);
            if made_now { "new" } else { "warm" }
        }
        (true, _) if object.state == ObjectState::Idle => "running",
        // What is no process does not run.
        (true, Class::Resource) if object.state == ObjectState::Running && object.nature == Nature::Plain => "present",
        _ => object.state.word(),
    }
}

fn json_fields(fields: &Fields<Value>) -> BTreeMap<String, serde_json::Value> {
    fields.iter().map(|(name, v)| (name.to_string(), super::value(v))).collect()
}
