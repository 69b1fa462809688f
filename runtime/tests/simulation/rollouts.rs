//! Rollouts in steps: who is let through, who is stopped and when, what people may say, and an engine that dies anywhere.

use crate::crashes::dies;
use crate::stage::{apply, in_virtual_time, scene};
use imm_ir::{Addr, Digest};
use imm_runtime::apply::Outcome;
use imm_runtime::entry::{Body, Verb, Verdict};
use imm_runtime::random::Random;
use imm_runtime::simulate::effect::Deed;
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::oracle;
use imm_runtime::simulate::shapes::{Migration, Program, Rollout};
use imm_runtime::simulate::traffic::Quality;
use imm_runtime::store::Store;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn program(version: &str, rollout: Rollout) -> Program {
    Program { greeting: version.into(), volume: false, rollout: Some(rollout), ..Program::hello() }
}

fn canary(version: &str) -> Program {
    program(version, Rollout::Canary(vec![10, 50], 100))
}

/// The spec of its image: what tells one version from another.
fn spec(program: &Program) -> Digest {
    program.graph().nodes[&Addr::root("image")].spec
}

async fn run(scene: &mut Scene, program: &Program) -> Outcome {
    match scene.run(&apply(program), None, &Life::default()).await {
        Ended::Outcome(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn verdicts(scene: &Scene) -> Vec<(u32, Verdict)> {
    let judged = |body: &Body| if let Body::GateJudged(j) = body { Some((j.stage, j.verdict)) } else { None };
    oracle::entries(&scene.records()).iter().filter_map(|(_, entry)| judged(&entry.body)).collect()
}

/// The largest part of the requests that what was made since the effect number `from` ever had, per cent.
fn most(scene: &Scene, from: usize) -> u32 {
    let (mut made, mut most) = (BTreeSet::new(), 0);
    for effect in scene.world.log().into_iter().skip(from) {
        match effect.deed {
            Deed::Created(object) => _ = made.insert(object.object),
            Deed::Switched { to, .. } => {
                most = most.max(to.targets.iter().filter(|t| made.contains(&t.object)).map(|t| t.weight).sum());
            }
            _other => {}
        }
    }
    most / 10_000
}

/// At every third instant, with and without a power cut in turn.
fn every_third(name: &str, before: &[Command], command: &Command) {
    let cuts = |instant: u64| -> &[bool] {
        match instant % 6 {
            0 => &[true],
            3 => &[false],
            _other => &[],
        }
    };
    dies(name, before, command, true, |_| {}, cuts);
}

#[test]
fn a_healthy_canary_passes_and_a_bad_one_is_stopped_at_its_first_step() {
    in_virtual_time(async {
        let mut scene = scene(1, &[]).await;
        run(&mut scene, &canary("one")).await;
        let began = scene.world.now_ms();
        let outcome = run(&mut scene, &canary("two")).await;
        assert!(matches!(outcome, Outcome::Committed { generation: 2, .. }), "{outcome:?}");
        assert!(scene.world.now_ms() - began >= 4000, "both steps are held");
        assert_eq!(verdicts(&scene), [(1, Verdict::Pass), (2, Verdict::Pass)]);
        scene.world.answer(spec(&canary("three")), Quality { errors_ppm: 50_000, ..Quality::default() });
        let from = scene.world.log().len();
        let outcome = run(&mut scene, &canary("three")).await;
        let Outcome::RolledBack { error, leftovers, .. } = outcome else { panic!("{outcome:?}") };
        assert!(error.starts_with("the gate of front stopped stage 1 of 3: new.errors <= old.errors + 1%"), "{error}");
        assert_eq!((leftovers, verdicts(&scene).last()), (vec![], Some(&(1, Verdict::Fail))));
        assert_eq!(most(&scene, from), 10, "it never had more than a tenth");
        assert_eq!(scene.judge_at_rest(), []);
    });
}

#[test]
fn too_little_traffic_is_inconclusive_and_says_so() {
    in_virtual_time(async {
        let mut scene = scene(2, &[]).await;
        scene.world.set_traffic(20);
        run(&mut scene, &canary("one")).await;
        let outcome = run(&mut scene, &canary("two")).await;
        let Outcome::RolledBack { error, .. } = outcome else { panic!("{outcome:?}") };
        assert!(error.starts_with("the gate of front is inconclusive: the new side had "), "{error}");
        assert!(error.ends_with("and 100 are needed, waited 20s"), "{error}");
        assert_eq!(verdicts(&scene), [(1, Verdict::Inconclusive)]);
    });
}

#[test]
fn scaling_is_not_compared() {
    in_virtual_time(async {
        let mut scene = scene(3, &[]).await;
        scene.world.set_traffic(0);
        run(&mut scene, &canary("one")).await;
        for replicas in [4, 1] {
            let scaled = Program { replicas, ..canary("one") };
            assert!(matches!(run(&mut scene, &scaled).await, Outcome::Committed { .. }));
        }
        assert_eq!(verdicts(&scene), []);
        assert!(matches!(
            scene.run(&Command::Rollback(1), None, &Life::default()).await,
            Ended::Outcome(Outcome::Committed { .. })
        ));
    });
}

#[test]
fn blue_green_is_judged_next_to_what_the_old_ones_met() {
    in_virtual_time(async {
        let mut scene = scene(4, &[]).await;
        let version = |text| program(text, Rollout::BlueGreen);
        run(&mut scene, &version("one")).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(matches!(run(&mut scene, &version("two")).await, Outcome::Committed { .. }));
        scene.world.answer(spec(&version("three")), Quality { errors_ppm: 30_000, ..Quality::default() });
        tokio::time::sleep(Duration::from_secs(60)).await;
        let outcome = run(&mut scene, &version("three")).await;
        assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
        assert_eq!(verdicts(&scene), [(1, Verdict::Pass), (1, Verdict::Fail)]);
    });
}

#[test]
fn a_watch_that_fails_goes_back_by_itself() {
    in_virtual_time(async {
        let mut scene = scene(5, &[]).await;
        let watched = |text| Program { watch_ms: 60_000, ..program(text, Rollout::Canary(vec![], 100)) };
        run(&mut scene, &watched("one")).await;
        let began = scene.world.now_ms();
        let outcome = run(&mut scene, &watched("two")).await;
        assert!(matches!(outcome, Outcome::Committed { generation: 2, .. }), "{outcome:?}");
        assert!(scene.world.now_ms() - began >= 60_000, "what leaves waits for the watch");
        scene.world.answer(spec(&watched("three")), Quality { errors_ppm: 200_000, ..Quality::default() });
        let outcome = run(&mut scene, &watched("three")).await;
        let Outcome::Reverted { failed: 3, generation: 4, error, .. } = outcome else { panic!("{outcome:?}") };
        assert!(error.starts_with("the gate of front failed: new.errors"), "{error}");
        let state = scene.state().unwrap();
        assert!(state.generations[&3].rolled_back_from);
        assert_eq!(state.applies.last().unwrap().started.verb, Verb::AutoRollback { of: 3 });
        assert_eq!(state.generations[&4].objects, state.generations[&2].objects);
        assert_eq!(scene.judge_at_rest(), []);
    });
}

#[test]
fn an_engine_that_dies_after_a_failed_watch_goes_back_when_it_is_recovered() {
    let watched = |text| Program { watch_ms: 60_000, ..program(text, Rollout::Canary(vec![], 100)) };
    let before = [apply(&watched("one"))];
    let bad = |scene: &Scene| {
        let quality = Quality { errors_ppm: 200_000, ..Quality::default() };
        scene.world.answer(spec(&watched("two")), quality);
    };
    let names = in_virtual_time(async {
        let (mut scene, life) = (scene(8, &before).await, Life::default());
        bad(&scene);
        tokio::time::sleep(Duration::from_secs(60)).await;
        scene.run(&apply(&watched("two")), None, &life).await;
        life.names()
    });
    let ended = names.iter().position(|name| name.starts_with("after append WatchEnded")).unwrap() as u64 + 1;
    for instant in ended..=names.len() as u64 {
        in_virtual_time(async {
            let when = &names[instant as usize - 1];
            let mut scene = scene(8, &before).await;
            bad(&scene);
            tokio::time::sleep(Duration::from_secs(60)).await;
            let died = scene.run(&apply(&watched("two")), None, &Life::ending_at(Some(instant))).await;
            assert!(matches!(died, Ended::Died(_)), "{when}: {died:?}");
            let recovered = scene.run(&Command::Recover, None, &Life::default()).await;
            let state = scene.state().unwrap();
            assert_eq!(state.current, Some(3), "{when}: {recovered:?}");
            assert_eq!(state.generations[&3].objects, state.generations[&1].objects, "{when}");
            assert_eq!(scene.judge_at_rest(), [], "{when}");
        });
    }
}

/// What was in force before had a port that the failed one does without. The route there was closed and is opened again.
#[test]
fn going_back_takes_back_a_route_that_was_not_ended_yet() {
    let watched = |text| Program { watch_ms: 60_000, ..program(text, Rollout::Canary(vec![], 100)) };
    let first = Program { database: Some("16".into()), ..watched("one") };
    in_virtual_time(async {
        let mut scene = scene(9, &[apply(&first)]).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let route = scene.state().unwrap().at(&Addr::root("db")).unwrap().0;
        scene.world.answer(spec(&watched("two")), Quality { errors_ppm: 200_000, ..Quality::default() });
        let outcome = run(&mut scene, &watched("two")).await;
        assert!(matches!(outcome, Outcome::Reverted { failed: 2, generation: 3, .. }), "{outcome:?}");
        assert_eq!(scene.state().unwrap().at(&Addr::root("db")).unwrap().0, route);
        assert_eq!(scene.judge_at_rest(), []);
    });
}

/// Going back by itself would cross what cannot be undone: that is for people to decide, and keeps nobody from going on.
#[test]
fn a_way_back_that_is_refused_is_not_owed() {
    let watched = |text: &str| {
        let migration = Migration { effect: "breaking", ..Migration::compatible(text) };
        let migration = Some(migration).filter(|_| text != "one");
        Program { watch_ms: 60_000, migration, ..program(text, Rollout::Canary(vec![], 100)) }
    };
    in_virtual_time(async {
        let mut scene = scene(10, &[apply(&watched("one"))]).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        scene.world.answer(spec(&watched("two")), Quality { errors_ppm: 200_000, ..Quality::default() });
        let ended = scene.run(&apply(&watched("two")), None, &Life::default()).await;
        let Ended::Refused(why) = &ended else { panic!("{ended:?}") };
        assert!(why.starts_with("the gate of front failed: ") && why.contains("it stays in force"), "{why}");
        let again = scene.run(&Command::Recover, None, &Life::default()).await;
        assert!(matches!(again, Ended::Nothing), "{again:?}");
        assert_eq!(scene.judge_at_rest(), []);
        assert!(matches!(run(&mut scene, &watched("three")).await, Outcome::Committed { generation: 3, .. }));
        assert_eq!(scene.judge_at_rest(), []);
    });
}

#[test]
fn a_pause_holds_and_is_bounded() {
    in_virtual_time(async {
        let mut scene = scene(6, &[apply(&canary("one"))]).await;
        let say = |after_s: u64, verb: &'static str| {
            let mut disk = scene.disk.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(after_s)).await;
                disk.signal(verb, "somebody").unwrap();
            });
        };
        say(1, "pause");
        say(601, "promote");
        let began = scene.world.now_ms();
        let outcome = run(&mut scene, &canary("two")).await;
        assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
        assert!((601_000..610_000).contains(&(scene.world.now_ms() - began)));
        let mut disk = scene.disk.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            disk.signal("pause", "somebody").unwrap();
        });
        let outcome = run(&mut scene, &canary("three")).await;
        let Outcome::RolledBack { error, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(error, "it was paused, and nobody said `imm rollout promote` within 1h");
        assert_eq!(scene.judge_at_rest(), []);
    });
}

/// An abort is heard in any stage, and the old side has everything again within a tenth of a second.
#[test]
fn an_abort_takes_traffic_back_at_once() {
    for after_ms in (100..4500).step_by(173) {
        in_virtual_time(async {
            let mut scene = scene(7, &[apply(&canary("one"))]).await;
            let mut disk = scene.disk.clone();
            let said = tokio::spawn({
                let world = scene.world.clone();
                async move {
                    tokio::time::sleep(Duration::from_millis(after_ms)).await;
                    disk.signal("abort", "somebody").unwrap();
                    world.now_ms()
                }
            });
            let from = scene.world.log().len();
            match run(&mut scene, &canary("two")).await {
                Outcome::RolledBack { error, .. } => assert_eq!(error, "aborted by somebody"),
                Outcome::Committed { .. } => {
                    assert!(after_ms > 4000, "only what was over cannot be aborted");
                    return;
                }
                other => panic!("{other:?}"),
            }
            let said = said.await.unwrap();
            let back = scene.world.log().into_iter().skip(from).rev().find_map(|e| match e.deed {
                Deed::Switched { .. } => Some(e.at_ms),
                _other => None,
            });
            assert!(back.unwrap() - said <= 100, "said at {said} ms, back at {back:?}");
            assert_eq!(scene.judge_at_rest(), []);
        });
    }
}

#[test]
fn an_engine_dies_anywhere_in_a_canary() {
    let both = |text| Program { second_route: true, ..canary(text) };
    every_third("two pointers", &[apply(&both("one"))], &apply(&both("two")));
}

#[test]
fn an_engine_dies_anywhere_while_it_rolls() {
    let version = |text| Program { replicas: 3, ..program(text, Rollout::Rolling(1)) };
    every_third("rolling", &[apply(&version("one"))], &apply(&version("two")));
    every_third("rolling back", &[apply(&version("one")), apply(&version("two"))], &Command::Rollback(1));
}

#[test]
fn an_engine_dies_anywhere_in_a_watch() {
    let version = |text| Program { watch_ms: 3000, ..canary(text) };
    every_third("watch", &[apply(&version("one"))], &apply(&version("two")));
}

/// Canaries of random quality under random traffic, each next to an old version with one error in ten thousand, with gates
/// that ask for few requests and for more. A false alarm stops one with at most a third of the errors that the gate allows,
/// a miss lets one through with twice as many.
#[test]
fn a_thousand_canaries_of_random_quality() {
    #[derive(Debug, Default)]
    struct Count {
        good: u32,
        alarms: u32,
        near: u32,
        bad: u32,
        misses: u32,
        /// What the bad ones with five per cent and more ever got of the requests.
        exposed: u32,
    }
    let mut counts = BTreeMap::from([(100, Count::default()), (1000, Count::default())]);
    for seed in 0..1000 {
        let mut random = Random::seeded(seed);
        let errors_ppm = match random.below(10) {
            0..5 => random.below(3_400),
            5 => 3_400 + random.below(16_000),
            _bad => 20_000 + random.below(80_000),
        };
        let min_requests = if seed % 2 == 0 { 100 } else { 1000 };
        let count = counts.get_mut(&min_requests).unwrap();
        in_virtual_time(async {
            let rollout = || Rollout::Canary(vec![10, 50], min_requests);
            let version = |text| Program { replicas: 1, ..program(text, rollout()) };
            let mut scene = scene(seed, &[apply(&version("one"))]).await;
            scene.world.set_traffic(1000 + random.below(3_000));
            scene.world.answer(spec(&version("two")), Quality { errors_ppm, ..Quality::default() });
            let from = scene.world.log().len();
            let passed = match run(&mut scene, &version("two")).await {
                Outcome::Committed { .. } => true,
                Outcome::RolledBack { error, .. } => {
                    assert!(error.starts_with("the gate of front stopped"), "{error}");
                    false
                }
                other => panic!("{other:?}"),
            };
            match errors_ppm {
                ..3_400 => (count.good, count.alarms) = (count.good + 1, count.alarms + u32::from(!passed)),
                3_400..20_000 => count.near += 1,
                _more => (count.bad, count.misses) = (count.bad + 1, count.misses + u32::from(passed)),
            }
            if errors_ppm >= 50_000 {
                count.exposed = count.exposed.max(most(&scene, from));
            }
        });
    }
    for (min_requests, count) in &counts {
        let Count { good, alarms, near, bad, misses, exposed } = count;
        println!(
            "min_requests = {min_requests}: {good} good canaries, {alarms} stopped; {near} near the limit; {bad} bad ones, {misses} let through, of those with 5 % errors none had more than {exposed} % of the requests"
        );
        assert!(*exposed < 30 && *misses == 0, "{count:?}");
    }
    let (few, many) = (&counts[&100], &counts[&1000]);
    assert!(few.alarms * 100 <= few.good * 8 && many.alarms * 200 <= many.good, "{few:?}, {many:?}");
}
