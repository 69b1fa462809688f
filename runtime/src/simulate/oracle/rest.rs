//! Q1, Q2, Q3: what is there once all is quiet. Judges the world as it is, not what was done to it.

use super::{Evidence, Findings, Violation, entries, entries_generations};
use crate::entry::{Body, Ending};
use crate::id::ObjectId;
use crate::provider::Level;
use crate::simulate::world::World;
use imm_ir::{Class, FindMode, Nature};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that must hold when no apply is under way and nothing goes wrong any more. `degraded` are objects that a
/// fault after their commit made unhealthy.
pub fn judge(evidence: &Evidence, world: &World, degraded: &BTreeSet<ObjectId>) -> Vec<Violation> {
    let mut findings = Findings::default();
    let entries = entries(&evidence.records);
    let generations = entries_generations(&entries);
    let current: BTreeMap<_, _> = generations.last().map(|(_, _, objects)| objects.clone()).unwrap_or_default();

    let mut open = None;
    let (mut classes, mut binds) = (BTreeMap::new(), BTreeMap::new());
    // What acts without being pointed at, or holds something alone.
    let mut alone = BTreeSet::new();
    let mut facts = BTreeSet::new();
    let mut retained = BTreeSet::new();
    let mut leftovers = BTreeSet::new();
    // Nobody can tell whether it was made.
    let mut unknown = BTreeSet::new();
    let mut keep = 0;
    let mut asked = 0;
    // What each pointer is set to by applies that committed.
    let (mut proposed, mut promised) = (BTreeMap::new(), BTreeMap::<ObjectId, BTreeSet<ObjectId>>::new());
    for (_, entry) in &entries {
        match &entry.body {
            Body::ApplyStarted(started) => {
                open = entry.header.apply;
                asked = started.keep;
                proposed.clear();
            }
            Body::IntentCreate(intent) => {
                classes.insert(intent.object, (intent.class, intent.nature, intent.address.clone()));
                binds.insert(intent.object, intent.bindings.clone());
                if intent.find == FindMode::None {
                    unknown.insert(intent.object);
                }
                if intent.nature == Nature::Process && (intent.dormant || intent.claims.iter().any(|c| c.exclusive)) {
                    alone.insert(intent.object);
                }
            }
            Body::IntentSwitch(intent) => {
                for m in &intent.moves {
                    proposed.insert(m.object, m.to.targets.iter().map(|t| t.object).collect::<BTreeSet<_>>());
                }
            }
            Body::Committed(_) => {
                promised.append(&mut proposed);
                keep = asked;
            }
            Body::JobFinished { object, .. } => facts.extend([*object]),
            Body::Adopted(adopted) => _ = unknown.remove(&adopted.declared.object),
            Body::Created { object, .. } | Body::NotHappened { object, .. } => _ = unknown.remove(object),
            Body::Retained { durable, .. } => retained.extend([*durable]),
            Body::Attached { durable, .. } => retained.retain(|d| d != durable),
            Body::Finished { ending, leftovers: left, .. } => {
                leftovers = left.iter().map(|l| l.object).collect();
                // Stuck is no end.
                if *ending != Ending::Stuck {
                    open = None;
                }
            }
            _other => {}
        }
    }
    if let Some(id) = open {
        findings.add("Q3", format!("apply {id} has no end"));
    }
    let there: BTreeSet<ObjectId> = world.objects_of(evidence.lineage).into_iter().collect();
    for (address, object) in &current {
        // A job that has ended is a fact, with or without its object.
        if !there.contains(object) && !facts.contains(object) {
            findings.add("Q1", format!("{address} ({}) of the newest generation is not there", object.short()));
            continue;
        }
        let process = classes.get(object).is_some_and(|(_, nature, _)| *nature == Nature::Process);
        let level = world.level(*object);
        if process && level != Level::Healthy && !degraded.contains(object) {
            findings.add("Q1", format!("{address} ({}) of the newest generation is {level:?}", object.short()));
        }
    }
    let in_use: BTreeSet<ObjectId> = current.values().copied().collect();
    for object in &in_use {
        let pointer = classes.get(object).is_some_and(|(class, ..)| *class == Class::Pointer);
        let (Some(wanted), true) = (promised.get(object), pointer) else { continue };
        let now = world.pointer(*object);
        let targets: BTreeSet<ObjectId> =
            now.iter().flat_map(|(_, setting, _)| setting.targets.iter().map(|t| t.object)).collect();
        if targets != *wanted {
            findings.add("Q1", format!("{} is not set as its generation says", object.short()));
        }
        if let Some(stray) = targets.iter().find(|t| !in_use.contains(t)) {
            findings.add("Q1", format!("{} points at {}, of no generation in force", object.short(), stray.short()));
        }
        if now.is_some_and(|(_, _, provisional)| provisional) {
            findings.add("Q1", format!("{} is still provisional", object.short()));
        }
    }
    let before = generations.iter().rev().skip(1).take(keep as usize);
    let warm: BTreeSet<ObjectId> = before.flat_map(|(_, _, objects)| objects.values().copied()).collect();
    for object in alone.iter().filter(|o| there.contains(o) && !in_use.contains(o) && !leftovers.contains(o)) {
        let level = world.level(*object);
        if level != Level::Dormant {
            findings.add("I7", format!("{} is of no generation in force and is {level:?}", object.short()));
        }
    }
    // A pointer stays for what stays and was made with it.
    let with: BTreeSet<ObjectId> =
        warm.iter().filter(|o| there.contains(o)).filter_map(|o| binds.get(o)).flatten().copied().collect();
    for object in &there {
        let known = classes.get(object);
        let content = known.is_some_and(|(_, nature, _)| *nature == Nature::Content);
        let stays = content
            || in_use.contains(object)
            || (warm.contains(object) && known.is_some_and(|(class, ..)| *class == Class::Resource))
            || (with.contains(object) && known.is_some_and(|(class, ..)| *class == Class::Pointer))
            || retained.contains(object)
            || leftovers.contains(object)
            || unknown.contains(object);
        if !stays {
            let address = known.map_or_else(|| "nothing".to_owned(), |(_, _, address)| address.to_string());
            findings.add("Q2", format!("{} is there, declared as {address}, and nobody wants it", object.short()));
        }
    }
    for durable in retained.iter().filter(|d| !there.contains(d)) {
        findings.add("Q2", format!("the retained {} is not there", durable.short()));
    }
    findings.0
}
