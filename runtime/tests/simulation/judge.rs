//! The oracle has to catch what it is there for: a good run is changed in one place, and the sentence has to come.
//!
//! | | judged in | on | caught here by |
//! |--|--|--|--|
//! | I1, I2, I9, I10 | `oracle::effects` | every effect | `i1_…`, `i2_…`, `i9_…`, `i10_…` |
//! | I3, I5, I16 | `oracle::effects`; I5 of each stage in `oracle::weights` | every move of a pointer, and all time between | `i3_…`, `i5_…`, `i16_…` |
//! | I4 | `oracle::effects`, `oracle::applies` | everything that ends or stops | `i4_…` |
//! | I6, I7 | `oracle::effects`; I7 at rest, too | everything that begins to act, other environments' too | `i6_…`, `i7_…` |
//! | I8 | `oracle::effects` (ends, copies), `oracle::data` (who wrote what) | every write, and what is there in the end | `i8_…` |
//! | I11 | `oracle::chain`, the engine's own fold | every record | `i11_…` |
//! | I12, I13 | `oracle::applies` | every apply | `i12_…`, `i13_…` |
//! | I14 | `oracle::steps` | every apply with its plan | `i14_…` |
//! | I15 | `oracle::effects` | time without a target that acts; requests under way to who stops | `i15_…` |
//! | I17 | `oracle::secrets` | records, blobs, events, ends, plans | `i17_…` |
//! | I18 | `quiet::the_clock_decides_nothing` | two runs | `what_runs_are_compared_by_differs` |
//! | Q1, Q2, Q3 | `oracle::rest`, `oracle::applies` | the world once all is quiet | `q1_and_q2_…`, `q3_…` |
//! | Q4, Q5, Q6, Q7 | `crashes::dies` | two recoveries; with the run that did not die; the plan after; the world before | `what_runs_are_compared_by_differs` |
//! | Q8 | `quiet::a_rename_touches_nothing`, `shapes::what_holds_data_is_renamed_with_consent` | effects and intents of a rename | `what_runs_are_compared_by_differs` |
//! | Q9 | `oracle::why` | every step of the plans of a hundred histories (tests of `explain`) | `a_wrong_counterfactual_is_found` there |
//! | Q10 | `places::two_environments_in_one_world_do_not_meet` | each end with the one alone | `what_runs_are_compared_by_differs` |
//! | Q11, Q12 | `oracle::bounds` | every apply; every command | `q11_…`, `q12_…` |

use crate::late::let_act_by_a_stray;
use crate::stage::{apply, greeting, in_virtual_time, scene};
use imm_ir::Digest;
use imm_runtime::entry::{Body, Ending, Entry, SignalVerb, UnwindCause, chain};
use imm_runtime::id::ObjectId;
use imm_runtime::provider::Setting;
use imm_runtime::simulate::effect::{Deed, Effect, Made};
use imm_runtime::simulate::harness::Command;
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::oracle::{Evidence, judge};
use imm_runtime::simulate::shapes::{Migration, Program, Rollout};
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
fn i5_a_stage_deals_out_otherwise_than_planned() {
    let canary = |text: &str| Program { rollout: Some(Rollout::Canary(vec![10, 50], 100)), ..greeting(text) };
    let evidence =
        in_virtual_time(async { scene(3, &[apply(&canary("one")), apply(&canary("two"))]).await.evidence() });
    assert_eq!(judge(&evidence), []);
    for stage in 1..=3 {
        for spoil in 0..3 {
            let mut evidence = evidence.clone();
            let mut all = entries(&evidence);
            for entry in &mut all {
                match &mut entry.body {
                    // A part of the requests goes elsewhere, or nowhere.
                    Body::IntentSwitch(intent) if intent.stage == Some(stage) && spoil < 2 => {
                        let targets = &mut intent.moves[0].to.targets;
                        targets[0].weight -= 1_000;
                        targets[1].weight += if spoil == 0 { 1_000 } else { 0 };
                    }
                    Body::StageEntered { stage: now, of, .. } if *now == stage && spoil == 2 => *of += 1,
                    _other => {}
                }
            }
            evidence.records = rechain(&all);
            expect("I5", &evidence);
        }
    }
    // The provider is told something else than was written down.
    let mut evidence = evidence;
    let told =
        |d: &Deed| matches!(d, Deed::Switched { to, .. } if to.targets.iter().any(|t| t.fresh && t.weight < 100_000));
    let at = position(&evidence.effects, told);
    let Deed::Switched { to, .. } = &mut evidence.effects[at].deed else { unreachable!() };
    to.targets[0].weight += 1;
    expect("I1", &evidence);
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
    // The old one begins again once all is over.
    let mut evidence = workers();
    let Deed::Deactivated(old) = evidence.effects[old].deed else { unreachable!() };
    evidence.effects.push(last(&evidence.effects, Deed::Activated(old)));
    expect("I7", &evidence);
    // It acts before its apply has entered a stage.
    let mut evidence = workers();
    let mut all = entries(&evidence);
    all.retain(|e| !matches!(e.body, Body::StageEntered { .. }));
    evidence.records = rechain(&all);
    expect("I7", &evidence);
}

#[test]
fn i7_excuses_only_what_could_not_be_told() {
    let strayed = |e: &Effect| e.late && matches!(e.deed, Deed::Activated(_));
    let evidence = |seed| in_virtual_time(async move { let_act_by_a_stray(seed).await.evidence() });
    let evidence = (0..16).map(evidence).find(|e| e.effects.iter().any(strayed)).unwrap();
    assert_eq!(judge(&evidence), []);
    let began = |entries: &[Entry]| entries.iter().position(|e| matches!(e.body, Body::UnwindStarted { .. })).unwrap();
    let (at, undoing) = (evidence.effects.iter().position(strayed).unwrap(), entries(&evidence));
    let undoing = undoing[began(&undoing)].header.fence;
    let Deed::Activated(stray) = evidence.effects[at].deed else { unreachable!() };
    // Its provider had heard of the undoing.
    let mut heard = evidence.clone();
    heard.effects.insert(at, Effect { deed: Deed::Announced, fence: undoing, ..evidence.effects[at].clone() });
    expect("I7", &heard);
    // The undoing itself let it act.
    let mut sent = evidence.clone();
    sent.effects[at].fence = undoing;
    expect("I7", &sent);
    // It was let act by nobody.
    let mut sent = evidence.clone();
    sent.effects[at].fence = 0;
    expect("I7", &sent);
    // The undoing did not wait until all had heard.
    let mut hasty = evidence.clone();
    let mut all = entries(&evidence);
    let first = began(&all);
    let intent = Body::IntentDeactivate { step: 999, object: stray };
    all.insert(first + 1, Entry { body: intent, ..all[first].clone() });
    hasty.records = rechain(&all);
    expect("I7", &hasty);
    // It is never stopped.
    let mut acts = evidence;
    acts.effects.retain(|e| !matches!(e.deed, Deed::Deactivated(o) | Deed::Destroyed { object: o, .. } if o == stray));
    expect("I7", &acts);
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

#[test]
fn i8_data_written_by_somebody_else() {
    let good = || {
        in_virtual_time(async {
            let scene = scene(3, &[apply(&Program::hello()), apply(&greeting("Hi"))]).await;
            (scene.evidence_at_rest(), made(&scene.world.log(), "volume").object)
        })
    };
    let (evidence, volume) = good();
    assert_eq!(judge(&evidence), []);
    // Its bytes are not those that were written.
    let mut other = evidence.clone();
    other.data.insert(volume, Digest::of(b"scribbled"));
    expect("I8", &other);
    // Somebody wrote who was never let act.
    let mut other = evidence.clone();
    let wrote = other.effects.iter_mut().rev().find_map(|e| match &mut e.deed {
        Deed::Wrote { by, .. } => Some(by),
        _other => None,
    });
    *wrote.unwrap() = ObjectId(Digest::of(b"a stranger"));
    expect("I8", &other);
    // A write was lost.
    let mut other = evidence;
    let at = position(&other.effects, |d| matches!(d, Deed::Wrote { .. }));
    other.effects.remove(at);
    expect("I8", &other);
}

/// A copy said to be consistent was taken while somebody wrote.
#[test]
fn i8_a_torn_copy() {
    let mut evidence = handover();
    assert_eq!(judge(&evidence), []);
    let stopped = position(&evidence.effects, |d| matches!(d, Deed::Deactivated(_)));
    let copied = position(&evidence.effects, |d| matches!(d, Deed::Copied { .. }));
    let (a, b) = (evidence.effects[stopped].deed.clone(), evidence.effects[copied].deed.clone());
    (evidence.effects[stopped].deed, evidence.effects[copied].deed) = (b, a);
    expect("I8", &evidence);
}

/// What a database that took over left. No call failed: outages are kept.
fn handover() -> Evidence {
    in_virtual_time(async {
        let version = |text: &str| Program { database: Some(text.into()), greeting: text.into(), ..Program::hello() };
        let scene = scene(3, &[apply(&version("16")), apply(&version("17"))]).await;
        Evidence { calm: true, ..scene.evidence() }
    })
}

#[test]
fn i13_what_is_recorded_beside_is_planned_too() {
    let evidence = in_virtual_time(async {
        let without = Program { volume: false, ..Program::hello() };
        let shop = Program { service: "shop".into(), ..without.clone() };
        let before = [apply(&Program::hello()), apply(&without), apply(&shop), apply(&Program::hello())];
        scene(3, &before).await.evidence()
    });
    assert_eq!(judge(&evidence), []);
    let stranger = ObjectId(Digest::of(b"promised"));
    for spoil in 0..8 {
        let mut evidence = evidence.clone();
        for promise in evidence.promises.values_mut() {
            let of = match spoil / 2 {
                0 => &mut promise.renames,
                1 => &mut promise.attaches,
                2 => &mut promise.retains,
                _more => &mut promise.destroys,
            };
            // Something was done that is not promised, or promised and not done.
            if spoil % 2 == 0 { of.clear() } else { of.extend([stranger]) }
        }
        expect("I13", &evidence);
    }
}

/// What a migration left, of an effect that cannot be taken back.
fn migration() -> Evidence {
    in_virtual_time(async {
        let job = |text: &str| Program {
            migration: Some(Migration { effect: "breaking", ..Migration::compatible(text) }),
            chain: 2,
            fan: 2,
            greeting: text.into(),
            ..Program::hello()
        };
        scene(3, &[apply(&job("one")), apply(&job("two"))]).await.evidence()
    })
}

#[test]
fn i14_a_dear_step_too_early_or_unasked() {
    assert_eq!(judge(&migration()), []);
    #[track_caller]
    fn spoilt(change: impl Fn(&mut Vec<Entry>)) {
        let mut evidence = migration();
        let mut all = entries(&evidence);
        change(&mut all);
        evidence.records = rechain(&all);
        expect("I14", &evidence);
    }
    // It runs before what costs nothing is done.
    spoilt(|all| {
        let at = all.iter().rposition(|e| matches!(e.body, Body::IntentRun { .. })).unwrap();
        let run = all.remove(at);
        let apply = run.header.apply;
        let cheaper =
            all.iter().position(|e| e.header.apply == apply && matches!(e.body, Body::Created { .. })).unwrap();
        all.insert(cheaper, run);
    });
    // Nobody said that it may.
    spoilt(|all| all.retain(|e| !matches!(e.body, Body::Consented { .. })));
    // Neither may an old one give way before that.
    let mut evidence = handover();
    let mut all = entries(&evidence);
    let at = all.iter().position(|e| matches!(e.body, Body::IntentDeactivate { .. })).unwrap();
    let stops = all.remove(at);
    let apply = stops.header.apply;
    let first = all.iter().position(|e| e.header.apply == apply && matches!(e.body, Body::IntentCreate(_))).unwrap();
    all.insert(first + 1, stops);
    evidence.records = rechain(&all);
    expect("I14", &evidence);
}

#[test]
fn i15_requests_that_nobody_answers() {
    // Both targets stop for three seconds, and no plan says so.
    caught("I15", |effects| {
        let at = effects.iter().rposition(|e| matches!(e.deed, Deed::Switched { .. })).unwrap();
        let Deed::Switched { to, .. } = &effects[at].deed else { unreachable!() };
        let targets: Vec<ObjectId> = to.targets.iter().map(|t| t.object).collect();
        effects.extend(targets.iter().map(|t| last(effects, Deed::Deactivated(*t))).collect::<Vec<_>>());
        let again =
            targets.iter().map(|t| Effect { at_ms: effects[at].at_ms + 60_000, ..last(effects, Deed::Activated(*t)) });
        effects.extend(again.collect::<Vec<_>>());
    });
    // A handover takes longer than it may.
    let mut evidence = handover();
    let at = position(&evidence.effects, |d| matches!(d, Deed::Deactivated(_)));
    evidence.effects.iter_mut().skip(at + 1).for_each(|e| e.at_ms += 21_000);
    expect("I15", &evidence);
    // What left a pointer is ended, and nobody waited for its last answers.
    caught("I15", |effects| effects.retain(|e| !matches!(e.deed, Deed::Drained(_))));
    // A target stops while it is in force.
    caught("I15", |effects| {
        let at = effects.iter().rposition(|e| matches!(e.deed, Deed::Switched { .. })).unwrap();
        let Deed::Switched { to, .. } = &effects[at].deed else { unreachable!() };
        effects.push(last(effects, Deed::Deactivated(to.targets[0].object)));
    });
}

#[test]
fn i17_a_secret_in_any_form_anywhere() {
    let secret = "correct-horse-battery";
    let evidence = in_virtual_time(async {
        let program = |text: &str| Program { secret: Some(text.into()), ..Program::hello() };
        let mut scene = scene(3, &[]).await;
        scene.keeps_secret(secret);
        for (text, greeting) in [(secret, "Hello"), ("another", "Hi")] {
            let command = apply(&Program { greeting: greeting.into(), ..program(text) });
            scene.run(&command, None, &Life::default()).await;
        }
        scene.evidence_at_rest()
    });
    assert_eq!(judge(&evidence), []);
    // Asked for and made: both are looked for, in everything that was told.
    assert_eq!(evidence.secrets.len(), 2, "{:?}", evidence.secrets);
    for what in ["an event", "a plan", "how a command ended", "blob"] {
        assert!(evidence.told.iter().any(|(name, _)| name.starts_with(what)), "{what} is not looked at");
    }
    let reversed: String = secret.chars().rev().collect();
    let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
    // Of `x`, `xy` and `xyz` before it, as it stands in the middle of a longer text.
    let base64 = ["Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5", "eGNvcnJlY3QtaG9yc2UtYmF0dGVyeQ", "eHljb3JyZWN0LWhvcnNlLWJhdHRlcnk"];
    for form in [secret, &reversed, &hex, &hex.to_uppercase(), base64[0], base64[1], base64[2]] {
        let mut told = evidence.clone();
        told.told.push(("an error".to_owned(), format!("it says {form}!").into_bytes()));
        expect("I17", &told);
        let mut recorded = evidence.clone();
        let mut all = entries(&recorded);
        let (step, object, error) = (1, ObjectId(Digest::of(b"any")), form.to_owned());
        let entry = Entry { body: Body::Unknown { step, object, error }, ..all.last().unwrap().clone() };
        all.push(entry);
        recorded.records = rechain(&all);
        expect("I17", &recorded);
    }
}

#[test]
fn q11_an_apply_that_writes_too_much() {
    caught_in_entries("Q11", |entries| {
        let at = entries.iter().position(|e| matches!(e.body, Body::Verified { .. })).unwrap();
        let again = entries[at].clone();
        entries.splice(at..at, std::iter::repeat_n(again, 300));
    });
}

#[test]
fn q12_a_command_without_end_or_question() {
    let spans = |change: fn(&mut imm_runtime::simulate::oracle::Span)| {
        let mut evidence = good();
        evidence.spans.iter_mut().for_each(change);
        expect("Q12", &evidence);
    };
    assert_eq!(good().spans.len(), 3);
    spans(|span| span.took_ms = u64::MAX);
    spans(|span| span.question = Some(String::new()));
}

/// What two runs are compared by is another one when they differ.
#[test]
fn what_runs_are_compared_by_differs() {
    in_virtual_time(async {
        let one = scene(4, &[apply(&Program::hello())]).await;
        let other = scene(4, &[apply(&greeting("Hi"))]).await;
        // Q5, Q10: another program, and the same one with something missing.
        assert_ne!(one.shape().unwrap(), other.shape().unwrap());
        let (shape, there) = (one.shape().unwrap(), one.there());
        let (objects, records) = (one.world.objects(), one.records());
        assert!(one.plan(&Program::hello().graph()).unwrap().1);
        // Q6: there is something to do.
        assert!(!one.plan(&greeting("Hi").graph()).unwrap().1);
        // I18: one entry fewer.
        assert_ne!(crate::quiet::timeless(&one), crate::quiet::timeless(&other));
        let container = made(&one.world.log(), "container");
        one.world.behave_at(container.address, imm_runtime::simulate::world::Behaviour::DiesAfter(0));
        assert_ne!(one.shape().unwrap(), shape);
        // Q7, Q8: something is gone.
        one.world.lose(container.object);
        assert_ne!(one.there(), there);
        assert_ne!(one.world.objects(), objects);
        // Q4: a second recovery that does anything writes.
        let mut one = one;
        one.run(&apply(&greeting("Hey")), None, &Life::ending_at(Some(30))).await;
        one.run(&Command::Recover, None, &Life::default()).await;
        assert_ne!(one.records(), records);
    });
}
