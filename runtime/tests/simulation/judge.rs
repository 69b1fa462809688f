//! The oracle has to catch what it is there for: a good run is changed in one place, and the sentence has to come.

use crate::stage::{apply, greeting, in_virtual_time, scene};
use imm_ir::Digest;
use imm_runtime::entry::{Body, Ending, Entry, SignalVerb, UnwindCause, chain};
use imm_runtime::id::ObjectId;
use imm_runtime::provider::Setting;
use imm_runtime::simulate::effect::{Deed, Effect, Made};
use imm_runtime::simulate::oracle::{Evidence, judge};
use imm_runtime::simulate::shapes::Program;
use imm_runtime::store::Record;

/// What two good applies left.
fn good() -> Evidence {
    in_virtual_time(async {
        let scene = scene(3, &[apply(&Program::hello()), apply(&greeting("Hi")), apply(&greeting("Hey"))]).await;
        scene.evidence()
    })
}

fn entries(evidence: &Evidence) -> Vec<Entry> {
    evidence.records.iter().map(|r| Entry::decode(r.seq, &r.bytes).unwrap()).collect()
}

/// Writes the entries down again with a chain that fits.
fn rechain(entries: &[Entry]) -> Vec<Record> {
    let mut prev = Digest([0; 32]);
    (1..)
        .zip(entries)
        .map(|(seq, entry)| {
            let bytes = entry.encode().unwrap();
            let record = Record { seq, prev, hash: chain(&prev, seq, &bytes), bytes };
            prev = record.hash;
            record
        })
        .collect()
}

fn made(effects: &[Effect], kind: &str) -> Made {
    let created = effects.iter().find_map(|e| match &e.deed {
        Deed::Created(made) if &*made.kind == kind => Some((**made).clone()),
        _other => None,
    });
    created.unwrap()
}

/// Changes the log and expects this invariant to be named.
#[track_caller]
fn caught(invariant: &str, change: impl FnOnce(&mut Vec<Effect>)) {
    let mut evidence = good();
    change(&mut evidence.effects);
    expect(invariant, &evidence);
}

/// Changes the entries and expects this invariant to be named.
#[track_caller]
fn caught_in_entries(invariant: &str, change: impl FnOnce(&mut Vec<Entry>)) {
    let mut evidence = good();
    let mut all = entries(&evidence);
    change(&mut all);
    evidence.records = rechain(&all);
    expect(invariant, &evidence);
}

#[track_caller]
fn expect(invariant: &str, evidence: &Evidence) {
    let found = judge(evidence);
    assert!(found.iter().any(|v| v.invariant == invariant), "{invariant} was not named, but {found:?}");
}

fn position(effects: &[Effect], which: impl Fn(&Deed) -> bool) -> usize {
    effects.iter().position(|e| which(&e.deed)).unwrap()
}

fn last(effects: &[Effect], deed: Deed) -> Effect {
    Effect { deed, ..effects.last().unwrap().clone() }
}

#[test]
fn a_good_run_is_good() {
    assert_eq!(judge(&good()), []);
    assert_eq!(rechain(&entries(&good())), good().records);
}

#[test]
fn i1_an_effect_before_its_intent() {
    caught("I1", |effects| {
        let at = position(effects, |d| matches!(d, Deed::Created(_)));
        effects[at].durable = 1;
        for effect in &mut effects[..at] {
            effect.durable = effect.durable.min(1);
        }
    });
    caught("I1", |effects| {
        let at = position(effects, |d| matches!(d, Deed::Switched { .. }));
        let Deed::Switched { to, .. } = &mut effects[at].deed else { unreachable!() };
        to.targets.pop();
    });
}

#[test]
fn i2_created_twice() {
    caught("I2", |effects| {
        let again = made(effects, "container");
        effects.push(last(effects, Deed::Created(Box::new(again))));
    });
}

#[test]
fn i3_a_dangling_pointer() {
    caught("I3", |effects| {
        let at = position(effects, |d| matches!(d, Deed::Switched { .. }));
        let Deed::Switched { to, .. } = &effects[at].deed else { unreachable!() };
        let gone = Deed::Destroyed { object: to.targets[0].object, missing: false };
        let effect = Effect { deed: gone, ..effects[at].clone() };
        effects.insert(at + 1, effect);
    });
    // Never told to be healthy.
    caught("I3", |effects| effects.retain(|e| !matches!(e.deed, Deed::Probed(..))));
}

#[test]
fn i4_old_objects_go_before_the_confirm() {
    caught_in_entries("I4", |entries| {
        let confirmed = |e: &Entry| matches!(e.body, Body::Confirmed { .. });
        entries.retain(|e| !confirmed(e));
    });
    caught("I4", |effects| {
        let old = made(effects, "container").object;
        let at = effects.iter().rposition(|e| matches!(e.deed, Deed::Switched { .. })).unwrap();
        let effect = Effect { deed: Deed::Destroyed { object: old, missing: false }, ..effects[at].clone() };
        effects.insert(at, effect);
    });
}

#[test]
fn i5_a_target_of_no_generation() {
    caught("I5", |effects| {
        let at = effects.iter().rposition(|e| matches!(e.deed, Deed::Switched { .. })).unwrap();
        let Deed::Switched { to, .. } = &mut effects[at].deed else { unreachable!() };
        to.targets[0].object = ObjectId(Digest::of(b"a stranger"));
    });
    caught("I5", |effects| {
        let at = position(effects, |d| matches!(d, Deed::Switched { .. }));
        let effect = Effect { deed: Deed::Confirmed, ..effects[at].clone() };
        effects.insert(at + 1, effect);
    });
}

#[test]
fn i6_one_thing_held_twice() {
    caught("I6", |effects| {
        let at = position(effects, |d| matches!(d, Deed::Created(made) if &*made.kind == "route"));
        let Deed::Created(first) = &mut effects[at].deed else { unreachable!() };
        first.exclusive = vec![("port".to_owned(), "5432".to_owned())];
        let mut second = (**first).clone();
        second.object = ObjectId(Digest::of(b"second"));
        effects.push(last(effects, Deed::Created(Box::new(second))));
    });
}

/// What two good applies with a worker left.
fn workers() -> Evidence {
    in_virtual_time(async {
        let version = |text: &str| Program { worker: Some(text.into()), ..Program::hello() };
        scene(3, &[apply(&version("one")), apply(&version("two"))]).await.evidence()
    })
}

#[test]
fn i7_a_worker_that_was_not_dormant() {
    assert_eq!(judge(&workers()), []);
    let mut evidence = workers();
    for effect in &mut evidence.effects {
        if let Deed::Created(made) = &mut effect.deed {
            made.dormant = false;
        }
    }
    expect("I7", &evidence);
    // The new one begins before the old one stops.
    let mut evidence = workers();
    let old = evidence.effects.iter().rposition(|e| matches!(e.deed, Deed::Deactivated(_))).unwrap();
    let new = evidence.effects.iter().rposition(|e| matches!(e.deed, Deed::Activated(_))).unwrap();
    let (a, b) = (evidence.effects[old].deed.clone(), evidence.effects[new].deed.clone());
    evidence.effects[old].deed = b;
    evidence.effects[new].deed = a;
    expect("I7", &evidence);
    // It acts before its apply has entered a stage.
    let mut evidence = workers();
    let mut all = entries(&evidence);
    all.retain(|e| !matches!(e.body, Body::StageEntered { .. }));
    evidence.records = rechain(&all);
    expect("I7", &evidence);
}

#[test]
fn i8_data_destroyed_without_consent() {
    caught("I8", |effects| {
        let volume = made(effects, "volume").object;
        effects.push(last(effects, Deed::Destroyed { object: volume, missing: false }));
    });
}

#[test]
fn i9_something_bound_goes_first() {
    caught("I9", |effects| {
        let newest: Vec<Effect> = effects.iter().rev().cloned().collect();
        let image = made(&newest, "image").object;
        effects.push(last(effects, Deed::Destroyed { object: image, missing: false }));
    });
    caught("I9", |effects| {
        let at = position(effects, |d| matches!(d, Deed::Created(made) if &*made.kind == "image"));
        effects.remove(at);
    });
}

#[test]
fn i10_an_older_fence() {
    caught("I10", |effects| {
        let last = effects.iter_mut().rev().find(|e| matches!(e.deed, Deed::Drained(_) | Deed::Confirmed));
        last.unwrap().fence = 1;
    });
    caught("I10", |effects| effects.retain(|e| e.deed != Deed::Announced));
    caught_in_entries("I10", |entries| entries.last_mut().unwrap().header.fence = 1);
}

#[test]
fn i11_a_broken_chain() {
    type Damage = fn(&mut Vec<Record>);
    let damages: [Damage; 5] = [
        |records| drop(records.remove(4)),
        |records| records.swap(3, 4),
        |records| *records[5].bytes.last_mut().unwrap() ^= 1,
        |records| records[5].hash = Digest([7; 32]),
        |records| records.insert(3, records[2].clone()),
    ];
    for damage in damages {
        let mut evidence = good();
        damage(&mut evidence.records);
        expect("I11", &evidence);
    }
}

#[test]
fn i12_a_commit_is_a_point() {
    let after_commit = |entries: &mut Vec<Entry>, body: Body| {
        let at = entries.iter().position(|e| matches!(e.body, Body::Committed(_))).unwrap();
        entries.insert(at + 1, Entry { body, ..entries[at].clone() });
    };
    caught_in_entries("I12", |entries| {
        after_commit(entries, Body::UnwindStarted { cause: UnwindCause::Crash, error: String::new() });
    });
    caught_in_entries("I12", |entries| {
        let commit = entries.iter().find(|e| matches!(e.body, Body::Committed(_))).unwrap().body.clone();
        after_commit(entries, commit);
    });
    caught_in_entries("I12", |entries| {
        let at = entries.iter().position(|e| matches!(e.body, Body::Committed(_))).unwrap();
        let body = Body::Signalled { signal: 1, verb: SignalVerb::Abort, by: "u".into() };
        entries.insert(at, Entry { body, ..entries[at].clone() });
    });
}

#[test]
fn i13_deeds_without_a_plan() {
    for spoil in [0, 1, 2] {
        let mut evidence = good();
        let promise = evidence.promises.values_mut().next().unwrap();
        match spoil {
            0 => drop(promise.creates.pop_first()),
            1 => drop(promise.switches.pop_first()),
            _more => promise.creates.extend([ObjectId(Digest::of(b"promised"))]),
        }
        expect("I13", &evidence);
    }
}

#[test]
fn i16_a_provisional_setting_outlives_its_time() {
    caught("I16", |effects| {
        effects.retain(|e| !matches!(e.deed, Deed::Confirmed | Deed::Renewed { .. }));
        effects.last_mut().unwrap().at_ms += 1_000_000;
    });
    caught("I16", |effects| {
        let Deed::Switched { object, .. } = effects[position(effects, |d| matches!(d, Deed::Switched { .. }))].deed
        else {
            unreachable!()
        };
        effects.push(last(effects, Deed::Reverted { object, epoch: 99, to: Setting::default() }));
    });
}

#[test]
fn q3_an_end_that_contradicts_the_commit() {
    caught_in_entries("Q3", |entries| {
        let ended = entries.iter_mut().find_map(|e| match &mut e.body {
            Body::Finished { ending, .. } => Some(ending),
            _other => None,
        });
        *ended.unwrap() = Ending::RolledBack;
    });
}

/// At rest: an orphan, a missing object, a pointer that was moved by hand.
#[test]
fn q1_and_q2_look_at_the_world() {
    let at_rest = |what: u8| {
        in_virtual_time(async {
            let scene = scene(4, &[apply(&Program::hello())]).await;
            assert_eq!(scene.judge_at_rest(), []);
            let container = made(&scene.world.log(), "container");
            match what {
                0 => scene.world.lose(container.object),
                1 => scene.world.behave_at(container.address, imm_runtime::simulate::world::Behaviour::DiesAfter(0)),
                _orphan => {
                    // The ledger of another time: it knows of nothing.
                    let mut evidence = scene.evidence();
                    evidence.records.truncate(1);
                    let none = std::collections::BTreeSet::new();
                    return imm_runtime::simulate::oracle::rest::judge(&evidence, &scene.world, &none);
                }
            }
            scene.judge_at_rest()
        })
    };
    for (what, invariant) in [(0, "Q1"), (1, "Q1"), (2, "Q2")] {
        let found = at_rest(what);
        assert!(found.iter().any(|v| v.invariant == invariant), "{what}: {found:?}");
    }
}
