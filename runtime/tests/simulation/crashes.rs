//! An engine that dies at every instant there is: before and after each append and each provider call, with and without a
//! power cut; then a recovery, a second one that finds nothing to do, and the command again.

use crate::stage::{apply, broken, greeting, in_virtual_time, none, scene, whole};
use imm_runtime::apply::Outcome;
use imm_runtime::simulate::effect::Deed;
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::shapes::Program;

/// Dies at every instant of `command`, with and without a power cut; answers how many instants there were.
fn everywhere(name: &str, before: &[Command], command: &Command, commits: bool) -> u64 {
    dies(name, before, command, commits, |_| {}, |_| &[false, true])
}

/// The same, with a power cut at every other instant: for the situations that differ little.
pub fn every_other(name: &str, before: &[Command], command: &Command) {
    dies(name, before, command, true, |_| {}, |instant| if instant % 2 == 0 { &[false] } else { &[true] });
}

/// `spoil` changes the world before the command.
pub fn dies(
    name: &str,
    before: &[Command],
    command: &Command,
    commits: bool,
    spoil: impl Fn(&mut Scene),
    power_cuts: impl Fn(u64) -> &'static [bool],
) -> u64 {
    let whole_run = in_virtual_time(async {
        let mut scene = scene(1, before).await;
        spoil(&mut scene);
        let life = Life::default();
        let ended = scene.run(command, None, &life).await;
        let fits = match &ended {
            Ended::Outcome(Outcome::Committed { leftovers, .. }) => commits && leftovers.is_empty(),
            Ended::Outcome(Outcome::RolledBack { leftovers, .. }) => !commits && leftovers.is_empty(),
            Ended::Outcome(Outcome::NothingToDo) => !commits,
            Ended::Outcome(Outcome::Drilled { error: None, leftovers, .. }) => leftovers.is_empty(),
            _other => false,
        };
        assert!(fits, "{name}: {ended:?}");
        none(&scene.judge_at_rest(), name);
        (life, scene.shape().unwrap())
    });
    let (life, shape) = whole_run;
    for instant in 1..=life.instants() {
        let cuts = if whole() { &[false, true] } else { power_cuts(instant) };
        for power_cut in cuts.iter().copied() {
            in_virtual_time(async {
                let when = || format!("{name}, instant {instant} of {}, power cut {power_cut}", life.instants());
                let mut scene = scene(1, before).await;
                spoil(&mut scene);
                let there = scene.there();
                let ended = scene.run(command, None, &Life::ending_at(Some(instant))).await;
                let Ended::Died(at) = ended else { panic!("{}: {ended:?}", when()) };
                let when = format!("{} ({at})", when());
                if power_cut {
                    scene.disk.lose_unsynced();
                }
                match scene.run(&Command::Recover, None, &Life::default()).await {
                    // Q7: what is undone leaves the world as it was.
                    Ended::Outcome(Outcome::RolledBack { leftovers, .. }) => {
                        // But for what nobody can tell of.
                        let mut now = scene.there();
                        let after = now.len();
                        now.retain(|what| leftovers.is_empty() || there.contains(what));
                        assert_eq!(now, there, "{when}: Q7");
                        assert!(after - now.len() <= leftovers.len(), "{when}: Q7");
                    }
                    Ended::Outcome(Outcome::Committed { .. }) | Ended::Nothing => {}
                    other => panic!("{when}: {other:?}"),
                }
                none(&scene.judge_at_rest(), &when);
                let (entries, effects) = (scene.records().len(), scene.world.log().len());
                let again = scene.run(&Command::Recover, None, &Life::default()).await;
                assert!(matches!(again, Ended::Nothing), "{when}: {again:?}");
                assert_eq!((scene.records().len(), scene.world.log().len()), (entries, effects), "{when}");
                match scene.run(command, None, &Life::default()).await {
                    Ended::Outcome(Outcome::Committed { .. } | Outcome::NothingToDo) if commits => {}
                    Ended::Outcome(Outcome::Drilled { error: None, .. }) => {}
                    Ended::Outcome(Outcome::RolledBack { .. } | Outcome::NothingToDo) if !commits => {}
                    other => panic!("{when}, again: {other:?}"),
                }
                none(&scene.judge_at_rest(), &when);
                assert_eq!(scene.shape().unwrap(), shape, "{when}: Q5: another end than without the crash");
                if let (Command::Apply(graph), true) = (command, commits) {
                    assert!(scene.plan(graph).unwrap().1, "{when}: Q6: the second plan is not empty");
                }
            });
        }
    }
    life.instants()
}

#[test]
fn first_apply() {
    let instants = everywhere("first apply", &[], &apply(&Program::hello()), true);
    assert!(instants > 40, "{instants}");
}

#[test]
fn change() {
    let instants = everywhere("change", &[apply(&Program::hello())], &apply(&greeting("Hi")), true);
    assert!(instants > 40, "{instants}");
}

#[test]
fn third_generation_destroys_the_first() {
    let before = [apply(&Program::hello()), apply(&greeting("Hi"))];
    everywhere("third generation", &before, &apply(&greeting("Hey")), true);
}

#[test]
fn rollback() {
    let before = [apply(&Program::hello()), apply(&greeting("Hi"))];
    everywhere("rollback", &before, &Command::Rollback(1), true);
}

#[test]
fn destroy() {
    everywhere("destroy", &[apply(&Program::hello())], &Command::Destroy, true);
}

#[test]
fn a_version_that_never_becomes_healthy() {
    everywhere("failing version", &[apply(&Program::hello())], &apply(&broken()), false);
}

#[test]
fn nothing_to_do() {
    let instants = everywhere("nothing to do", &[apply(&Program::hello())], &apply(&Program::hello()), false);
    assert_eq!(instants, 0, "a second apply touches nothing");
}

#[test]
fn scale_rename_and_policy() {
    let hello = Program::hello();
    let cases = [
        ("scale up", Program { replicas: 4, ..hello.clone() }),
        ("scale down", Program { replicas: 1, ..hello.clone() }),
        ("rename", Program { service: "shop".into(), ..hello.clone() }),
        ("policy only", Program { drain_s: 7, ..hello.clone() }),
        ("two pointers", Program { second_route: true, ..greeting("Two") }),
        ("volume leaves", Program { volume: false, ..hello.clone() }),
    ];
    for (name, program) in cases {
        every_other(name, &[apply(&hello)], &apply(&program));
    }
}

#[test]
fn chain_and_fan_out() {
    let program = Program { chain: 3, fan: 2, volume: false, ..Program::hello() };
    let change = Program { greeting: "Hi".into(), ..program.clone() };
    every_other("chain and fan-out", &[apply(&program)], &apply(&change));
}

/// The recovery dies as well, at each of its own instants.
pub fn twice(name: &str, before: &[Command], command: &Command, stride: usize) {
    let count = in_virtual_time(async {
        let life = Life::default();
        scene(2, before).await.run(command, None, &life).await;
        life.instants()
    });
    let stride = if whole() { 1 } else { stride };
    for first in (1..=count).step_by(stride) {
        let mut second = 1;
        loop {
            let over = in_virtual_time(async {
                let mut scene = scene(2, before).await;
                let died = scene.run(command, None, &Life::ending_at(Some(first))).await;
                let life = Life::ending_at(Some(second));
                // A power cut at two of three, after the second death: what the first left unsynced goes, too, or is torn.
                let recovery = scene.run(&Command::Recover, None, &life).await;
                if second % 3 != 0 {
                    scene.disk.power_cut(second as usize % 3 - 1);
                }
                let when = format!("{name}: {died:?} at {first}, then {recovery:?} at {second}");
                let settled = scene.run(&Command::Recover, None, &Life::default()).await;
                assert!(!matches!(settled, Ended::Refused(_) | Ended::Died(_)), "{when}: {settled:?}");
                none(&scene.judge_at_rest(), &when);
                !matches!(recovery, Ended::Died(_))
            });
            if over {
                break;
            }
            second += if whole() { 1 } else { 2 };
        }
    }
}

#[test]
fn recovery_dies_too() {
    let hello = [apply(&Program::hello())];
    twice("change", &hello, &apply(&greeting("Hi")), 3);
    twice("failing version", &hello, &apply(&broken()), 5);
    twice("destroy", &hello, &Command::Destroy, 5);
    twice("first apply", &[], &apply(&Program::hello()), 5);
}

/// A kept container dies: the apply that would switch to it stops as drifted, and nothing of it stays.
#[test]
fn a_kept_target_that_died_stops_the_apply() {
    use imm_runtime::simulate::world::Behaviour;
    in_virtual_time(async {
        let hello = Program::hello();
        let mut scene = scene(5, &[apply(&hello)]).await;
        let first = imm_ir::Addr::root("web").child("instance").key("0");
        scene.world.behave_at(first, Behaviour::DiesAfter(0));
        let (_, dead) = scene
            .world
            .objects()
            .into_iter()
            .map(|o| (scene.world.level(o), o))
            .find(|(level, _)| matches!(level, imm_runtime::provider::Level::Unhealthy(_)))
            .unwrap();
        scene.degraded.insert(dead);
        let ended = scene.run(&apply(&Program { replicas: 3, ..hello }), None, &Life::default()).await;
        let Ended::Outcome(Outcome::RolledBack { error, .. }) = &ended else { panic!("{ended:?}") };
        assert!(error.starts_with("drifted"), "{error}");
        none(&scene.judge_at_rest(), "drifted");
    });
}

/// A provisional setting whose engine is dead for longer than its time goes back by itself; the recovery finds it so.
#[test]
fn an_unattended_setting_goes_back() {
    let hello = [apply(&Program::hello())];
    let names = in_virtual_time(async {
        let life = Life::default();
        scene(6, &hello).await.run(&apply(&greeting("Hi")), None, &life).await;
        life.names()
    });
    let switched = names.iter().position(|n| n == "after call switch").unwrap() as u64 + 1;
    for instant in switched..=names.len() as u64 {
        in_virtual_time(async {
            let mut scene = scene(6, &hello).await;
            scene.run(&apply(&greeting("Hi")), None, &Life::ending_at(Some(instant))).await;
            tokio::time::sleep(std::time::Duration::from_secs(300)).await;
            let when = format!("dead for long since {}", names[instant as usize - 1]);
            none(&scene.judge(), &when);
            let pointers: Vec<_> = scene.world.objects().into_iter().filter_map(|o| scene.world.pointer(o)).collect();
            assert!(pointers.iter().all(|(_, _, provisional)| !provisional), "{when}");
            scene.run(&Command::Recover, None, &Life::default()).await;
            none(&scene.judge_at_rest(), &when);
        });
    }
}

/// An engine stands still at each of its calls while another one takes over, recovers and applies something else; then it
/// wakes up. Nothing that it does has an effect any more.
#[test]
fn an_engine_that_wakes_up_after_a_take_over() {
    wakes_up(|text| apply(&greeting(text)));
    wakes_up(|text| apply(&crate::faults::everything(text)));
}

fn wakes_up(version: impl Fn(&str) -> Command) {
    let hello = [version("Hello")];
    let names = in_virtual_time(async {
        let life = Life::default();
        scene(7, &hello).await.run(&version("Hi"), None, &life).await;
        life.names()
    });
    // What comes after the last entry only tells providers about it.
    let recorded = names.iter().rposition(|name| name.contains("append")).unwrap() as u64 + 1;
    let mut refused = 0;
    let calls = (1..).zip(&names).filter(|(_, name)| name.contains("call"));
    for (instant, name) in calls {
        in_virtual_time(async {
            let mut sleeper = scene(7, &hello).await;
            let mut other = sleeper.beside();
            let life = Life::pausing_at(instant);
            let asleep = life.clone();
            let takes_over = async {
                asleep.pause().await;
                let recovered = other.run(&Command::Recover, None, &Life::default()).await;
                assert!(!matches!(recovered, Ended::Refused(_)), "{name}: {recovered:?}");
                let applied = other.run(&version("Hey"), None, &Life::default()).await;
                assert!(matches!(applied, Ended::Outcome(Outcome::Committed { .. })), "{name}: {applied:?}");
                none(&other.judge_at_rest(), name);
                let effects = other.world.log().len();
                asleep.resume();
                (other, effects)
            };
            let hi = version("Hi");
            let (woken, (other, effects)) = tokio::join!(sleeper.run(&hi, None, &life), takes_over);
            match woken {
                Ended::Refused(_) => refused += 1,
                Ended::Outcome(Outcome::Committed { .. }) if instant > recorded => {}
                other => panic!("{instant} {name}: {other:?}"),
            }
            let after: Vec<_> = other.world.log().split_off(effects);
            let harmless = |deed: &Deed| matches!(deed, Deed::Refused(_) | Deed::Probed(..));
            assert!(after.iter().all(|e| harmless(&e.deed)), "{instant} {name}: {after:?}");
            none(&other.judge_at_rest(), name);
        });
    }
    assert!(refused > 20, "{refused}");
}
