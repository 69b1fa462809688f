//! Words that are heard too late: calls that nobody waits for any more and that arrive nevertheless, and what a provider did
//! meanwhile by itself. Nothing of it has an effect on what is in force by then.

use crate::faults::everything;
use crate::stage::{apply, in_virtual_time, none, scene};
use imm_ir::Addr;
use imm_runtime::apply::Outcome;
use imm_runtime::simulate::effect::Deed;
use imm_runtime::simulate::fault::{Faults, Trouble, What};
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::shapes::{Migration, Program, Rollout};
use std::time::Duration;

/// Every call whose sender is gone arrives.
const ALL_ARRIVE: Faults = Faults {
    transient: 0,
    permanent: 0,
    unanswered: 0,
    tainted: 0,
    delayed: 0,
    duplicated: 0,
    left_behind: 1000,
    lost: 0,
    slow: 0,
    down: 0,
    upgraded: 0,
};

fn rolling(version: &str) -> Command {
    let rollout = Some(Rollout::Rolling(1));
    apply(&Program { greeting: version.into(), replicas: 3, volume: false, rollout, ..Program::hello() })
}

/// No call is answered any more, and every one whose sender is gone arrives when another engine comes.
const DEAF: Faults = Faults { permanent: 1000, ..ALL_ARRIVE };

/// An apply is told to stop while it lets a worker act, and no provider can be told of the undoing. The call arrives when the
/// recovery comes.
pub async fn let_act_by_a_stray(seed: u64) -> Scene {
    let version = |text: &str| apply(&Program { worker: Some(text.into()), replicas: 1, ..Program::hello() });
    let before = [version("one")];
    let names = names(&mut scene(seed, &before).await, &version("two")).await;
    let activates = names.iter().position(|name| name == "before call activate").unwrap() as u64 + 1;
    let mut scene = scene(seed, &before).await;
    let world = scene.world.clone();
    let life = Life::signalled_at(vec![activates]).and_doing_at(activates, move || world.set_faults(DEAF));
    let ended = scene.run(&version("two"), None, &life).await;
    assert!(matches!(ended, Ended::Outcome(Outcome::Stuck { committed: false, .. })), "{ended:?}");
    none(&scene.judge(), "stuck");
    scene.world.set_faults(Faults::default());
    let ended = scene.run(&Command::Recover, None, &Life::default()).await;
    assert!(matches!(ended, Ended::Outcome(Outcome::RolledBack { .. })), "{ended:?}");
    scene
}

/// Nothing is undone before every provider has heard of it. What a call of before lets act at one that has not is stopped by
/// the recovery, whichever way the call took.
#[test]
fn what_acts_at_a_provider_that_could_not_be_told_is_stopped_by_the_recovery() {
    let mut strays = 0;
    for seed in 0..16 {
        in_virtual_time(async {
            let scene = let_act_by_a_stray(seed).await;
            none(&scene.judge_at_rest(), &format!("seed {seed}"));
            strays += scene.world.log().iter().filter(|e| e.late && matches!(e.deed, Deed::Activated(_))).count();
        });
    }
    assert!(strays > 3, "{strays}");
}

async fn names(scene: &mut Scene, command: &Command) -> Vec<String> {
    let life = Life::default();
    scene.run(command, None, &life).await;
    life.names()
}

/// An apply is stopped while any of its calls is on its way, and the call arrives: before its engine turns back, or after.
/// What acts by itself does not act then, and nothing is there that nobody wants.
#[test]
fn a_call_arrives_after_its_apply_turned_back() {
    let job = |text: &str| Program {
        migration: Some(Migration { effect: "breaking", undo: true, ..Migration::compatible(text) }),
        ..everything(text)
    };
    let cases = [(apply(&everything("one")), apply(&everything("two"))), (rolling("one"), rolling("two"))];
    let jobs = (apply(&job("one")), apply(&job("two")));
    for (before, command) in cases.into_iter().chain([jobs]) {
        let before = [before];
        let names = in_virtual_time(async { names(&mut scene(0, &before).await, &command).await });
        let mut stopped = 0;
        for (instant, name) in (1..).zip(&names).filter(|(_, name)| name.starts_with("before call")) {
            // Whether a call arrives before or after the turn is a matter of chance.
            for seed in [instant, instant + 1000] {
                in_virtual_time(async {
                    let mut scene = scene(seed, &before).await;
                    scene.world.set_faults(ALL_ARRIVE);
                    let ended = scene.run(&command, None, &Life::signalled_at(vec![instant])).await;
                    let when = format!("seed {seed}, stopped {name}: {ended:?}");
                    match ended {
                        Ended::Outcome(Outcome::RolledBack { .. }) => stopped += 1,
                        Ended::Outcome(Outcome::Committed { .. }) => {}
                        other => panic!("{when}: {other:?}"),
                    }
                    none(&scene.judge_at_rest(), &when);
                    let again = scene.run(&command, None, &Life::default()).await;
                    assert!(
                        matches!(again, Ended::Outcome(Outcome::Committed { .. } | Outcome::NothingToDo)),
                        "{when}"
                    );
                    none(&scene.judge_at_rest(), &when);
                });
            }
        }
        assert!(stopped > 20, "{stopped}");
    }
}

/// An engine dies with a call on its way, nobody renews what it had set, and only then somebody recovers. The call would stop
/// what the provider went back to.
#[test]
fn the_last_word_of_a_dead_engine_does_not_stop_what_is_in_force_again() {
    let before = [rolling("one")];
    let names = in_virtual_time(async { names(&mut scene(0, &before).await, &rolling("two")).await });
    let stops = (1..).zip(&names).filter(|(_, name)| *name == "before call deactivate");
    let instants: Vec<u64> = stops.map(|(instant, _)| instant).collect();
    assert!(instants.len() > 1, "{names:?}");
    for instant in instants {
        for seed in instant..instant + 8 {
            in_virtual_time(async {
                let mut scene = scene(seed, &before).await;
                scene.world.set_faults(ALL_ARRIVE);
                let died = scene.run(&rolling("two"), None, &Life::ending_at(Some(instant))).await;
                assert!(matches!(died, Ended::Died(_)), "{died:?}");
                tokio::time::sleep(Duration::from_secs(60)).await;
                let recovered = scene.run(&Command::Recover, None, &Life::default()).await;
                let when = format!("seed {seed}, instant {instant}: {recovered:?}");
                none(&scene.judge_at_rest(), &when);
            });
        }
    }
}

/// A batch was drained when its engine died, the provider went back by itself, and the recovery died when it had noted that:
/// the batch is asked again, and is drained before it goes.
#[test]
fn what_a_provider_went_back_to_is_asked_again() {
    let before = [rolling("one")];
    let names = in_virtual_time(async { names(&mut scene(0, &before).await, &rolling("two")).await });
    let drained = names.iter().position(|name| name == "after append Drained").unwrap() as u64 + 1;
    for instant in drained..drained + 4 {
        in_virtual_time(async {
            let mut scene = scene(5, &before).await;
            scene.run(&rolling("two"), None, &Life::ending_at(Some(instant))).await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            let mut reverted = 0;
            for second in 1.. {
                let life = Life::ending_at(Some(second));
                let recovered = scene.run(&Command::Recover, None, &life).await;
                reverted += u32::from(life.names().iter().any(|name| name == "before append Reverted"));
                if !matches!(recovered, Ended::Died(_)) {
                    break;
                }
            }
            assert!(reverted > 0, "the provider went back by itself");
            let when = format!("drained, then dead {}", names[instant as usize - 1]);
            none(&scene.judge_at_rest(), &when);
            let ended = scene.run(&rolling("three"), Some(0), &Life::default()).await;
            assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "{when}: {ended:?}");
            none(&scene.judge_at_rest(), &when);
        });
    }
}

/// What held data alone could not be ended and is left over. It rests, so its successor may have the data.
#[test]
fn what_is_left_over_holds_nothing() {
    let database = |version: &str| Program { database: Some(version.into()), replicas: 1, ..Program::hello() };
    let worker = |text: &str| Program { worker: Some(text.into()), replicas: 1, ..Program::hello() };
    let cases = [
        (apply(&database("16")), Command::Destroy, apply(&database("17")), "pg"),
        (apply(&worker("one")), apply(&worker("two")), apply(&worker("three")), "mailer"),
    ];
    for (first, ends, next, at) in cases {
        in_virtual_time(async {
            let mut scene = scene(7, &[first]).await;
            scene.world.trouble(Trouble { at: Addr::root(at), what: What::EndFails, times: 1 });
            let ended = scene.run(&ends, Some(0), &Life::default()).await;
            let Ended::Outcome(Outcome::Committed { leftovers, .. }) = &ended else { panic!("{ended:?}") };
            assert_eq!(leftovers.len(), 1, "{leftovers:?}");
            none(&scene.judge_at_rest(), at);
            let ended = scene.run(&next, Some(0), &Life::default()).await;
            let Ended::Outcome(Outcome::Committed { leftovers, .. }) = &ended else { panic!("{ended:?}") };
            assert!(leftovers.is_empty(), "{leftovers:?}");
            none(&scene.judge_at_rest(), at);
        });
    }
}

/// An engine that lives is not heard in time, and its setting is taken back. It finds that nobody else holds the lease, and
/// undoes what it did.
#[test]
fn an_engine_that_was_too_slow_to_renew_turns_back() {
    let canary = |version: &str| {
        let rollout = Some(Rollout::Canary(vec![10, 50], 100));
        apply(&Program { greeting: version.into(), volume: false, rollout, ..Program::hello() })
    };
    let before = [canary("one")];
    let names = in_virtual_time(async { names(&mut scene(0, &before).await, &canary("two")).await });
    let switched = names.iter().position(|name| name == "after call switch").unwrap() as u64 + 1;
    for instant in (switched..=names.len() as u64).filter(|i| names[*i as usize - 1].contains("call")) {
        in_virtual_time(async {
            let mut scene = scene(9, &before).await;
            let life = Life::pausing_at(instant);
            let asleep = life.clone();
            let sleeps = async {
                asleep.pause().await;
                tokio::time::sleep(Duration::from_secs(60)).await;
                asleep.resume();
            };
            let two = canary("two");
            let (ended, ()) = tokio::join!(scene.run(&two, None, &life), sleeps);
            let when = format!("asleep {}: {ended:?}", names[instant as usize - 1]);
            assert!(matches!(ended, Ended::Outcome(Outcome::RolledBack { .. } | Outcome::Committed { .. })), "{when}");
            none(&scene.judge_at_rest(), &when);
        });
    }
}
