//! One fault at every instant there is: the disk is full, the lease is lost, somebody says stop, moves a pointer, or ends a
//! target; and ledgers that are not the one that was seen.

use crate::stage::{apply, in_virtual_time, none, scene};
use imm_ir::Addr;
use imm_runtime::apply::Outcome;
use imm_runtime::id::ObjectId;
use imm_runtime::lease::TURNS;
use imm_runtime::provider::Level;
use imm_runtime::simulate::effect::Deed;
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::shapes::{Migration, Program, Rollout};
use imm_runtime::simulate::world::Behaviour;
use imm_runtime::store::{Batch, Store};

/// Something of everything.
pub fn everything(text: &str) -> Program {
    Program {
        worker: Some(text.into()),
        database: Some(text.into()),
        migration: Some(Migration::compatible(text)),
        greeting: text.into(),
        replicas: 1,
        ..Program::hello()
    }
}

/// The names of the instants of this command.
fn instants(before: &[Command], command: &Command) -> Vec<String> {
    in_virtual_time(async {
        let life = Life::default();
        scene(21, before).await.run(command, None, &life).await;
        life.names()
    })
}

/// Recovers until there is nothing left; then the command ends well.
async fn settled(scene: &mut Scene, command: &Command, when: &str) {
    loop {
        match scene.run(&Command::Recover, None, &Life::default()).await {
            Ended::Nothing => break,
            Ended::Outcome(Outcome::Committed { .. } | Outcome::RolledBack { .. }) => {}
            other => panic!("{when}: {other:?}"),
        }
    }
    none(&scene.judge_at_rest(), when);
    let mut again = scene.run(command, None, &Life::default()).await;
    // Who moved a pointer after the commit is noticed by the next apply that moves it, once.
    if matches!(&again, Ended::Outcome(Outcome::RolledBack { error, .. }) if error.contains("somebody else")) {
        none(&scene.judge_at_rest(), when);
        again = scene.run(command, None, &Life::default()).await;
    }
    assert!(matches!(again, Ended::Outcome(Outcome::Committed { .. } | Outcome::NothingToDo)), "{when}: {again:?}");
    none(&scene.judge_at_rest(), when);
}

#[test]
fn the_disk_is_full_at_any_append() {
    let (before, command) = ([apply(&everything("one"))], apply(&everything("two")));
    let names = instants(&before, &command);
    for (instant, name) in (1..).zip(&names).filter(|(_, name)| name.starts_with("before append")) {
        in_virtual_time(async {
            let mut scene = scene(21, &before).await;
            let ended = scene.run(&command, None, &Life::full_at(instant)).await;
            let Ended::Refused(why) = &ended else { panic!("{name}: {ended:?}") };
            assert!(why.contains("no space left on the disk"), "{name}: {why}");
            none(&scene.judge(), name);
            settled(&mut scene, &command, &format!("disk full {name}")).await;
        });
    }
}

/// Another engine takes the lease while this one writes: nothing that it writes after that is there.
#[test]
fn the_lease_is_lost_at_any_append() {
    let (before, command) = ([apply(&everything("one"))], apply(&everything("two")));
    let names = instants(&before, &command);
    for (instant, name) in (1..).zip(&names).filter(|(_, name)| name.starts_with("before append")) {
        in_virtual_time(async {
            let mut scene = scene(21, &before).await;
            let (mut disk, fence) = (scene.disk.clone(), scene.disk.fence() + 2 * TURNS);
            let take = move || disk.append(Batch { fence, sync: true, ..Batch::default() }).unwrap();
            let ended = scene.run(&command, None, &Life::doing_at(instant, take)).await;
            let Ended::Refused(why) = &ended else { panic!("{name}: {ended:?}") };
            assert!(why.contains("another imm took over"), "{name}: {why}");
            settled(&mut scene.beside(), &command, &format!("lease lost {name}")).await;
        });
    }
}

/// The first signal undoes, the second one ends it at once: after any two instants the ledger is enough.
#[test]
fn two_signals_at_any_instants() {
    let (before, command) = ([apply(&everything("one"))], apply(&everything("two")));
    let names = instants(&before, &command);
    let count = names.len() as u64;
    let (mut undone, mut at_once) = (0, 0);
    for first in 1..=count {
        // Both at once, one after a while, one long after.
        for gap in [0, 1 + first % 7, 40] {
            in_virtual_time(async {
                let mut scene = scene(21, &before).await;
                let life = Life::signalled_at(vec![first, first + gap]);
                // A process gets two signals at one instant, too.
                let ended = scene.run(&command, None, &life).await;
                let when = format!("signals at {first} and {gap} later, first {}", names[first as usize - 1]);
                match ended {
                    Ended::Outcome(Outcome::RolledBack { .. }) => undone += 1,
                    Ended::Outcome(Outcome::Committed { .. }) => {}
                    Ended::Refused(why) => {
                        assert!(why.contains("imm recover"), "{when}: {why}");
                        at_once += 1;
                    }
                    other => panic!("{when}: {other:?}"),
                }
                none(&scene.judge(), &when);
                settled(&mut scene, &command, &when).await;
            });
        }
    }
    assert!(undone > 30 && at_once > 30, "{undone} were undone, {at_once} ended at once");
}

/// What a batch took over from is asked again when the rollout is taken back, and drained again when it leaves later.
#[test]
fn a_rolling_rollout_is_stopped_at_any_instant() {
    let version = |text: &str| {
        let rollout = Some(Rollout::Rolling(1));
        apply(&Program { greeting: text.into(), replicas: 3, volume: false, rollout, ..Program::hello() })
    };
    let (before, command) = ([version("one")], version("two"));
    let names = instants(&before, &command);
    for instant in (1..=names.len() as u64).step_by(2) {
        in_virtual_time(async {
            let mut scene = scene(21, &before).await;
            let ended = scene.run(&command, None, &Life::signalled_at(vec![instant])).await;
            let when = format!("stopped {}", names[instant as usize - 1]);
            assert!(matches!(ended, Ended::Outcome(_)), "{when}: {ended:?}");
            settled(&mut scene, &command, &when).await;
        });
    }
}

/// A second route to what is kept is taken back. What it led to serves on behind the first one, and is drained when it goes.
#[test]
fn a_route_to_what_is_kept_is_taken_back() {
    let program = |text: &str, second_route: bool| {
        apply(&Program { greeting: text.into(), replicas: 1, second_route, volume: false, ..Program::hello() })
    };
    let (before, command) = ([program("one", false)], program("one", true));
    let names = instants(&before, &command);
    for instant in 1..=names.len() as u64 {
        in_virtual_time(async {
            let mut scene = scene(25, &before).await;
            let ended = scene.run(&command, None, &Life::signalled_at(vec![instant])).await;
            let when = format!("stopped {}", names[instant as usize - 1]);
            assert!(matches!(ended, Ended::Outcome(_)), "{when}: {ended:?}");
            let ended = scene.run(&program("two", false), Some(0), &Life::default()).await;
            assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "{when}: {ended:?}");
            none(&scene.judge_at_rest(), &when);
        });
    }
}

/// A route that leaves leads to the old ones until the last stage, so no batch of them may rest before that.
#[test]
fn a_route_leaves_while_another_one_rolls() {
    let version = |text: &str, second_route: bool| {
        let rollout = Some(Rollout::Rolling(1));
        apply(&Program { greeting: text.into(), replicas: 3, second_route, rollout, ..Program::hello() })
    };
    in_virtual_time(async {
        let mut scene = scene(24, &[version("one", true)]).await;
        let ended = scene.run(&version("two", false), None, &Life::default()).await;
        assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "{ended:?}");
        none(&scene.judge_at_rest(), "a route left");
    });
}

/// Somebody moves a pointer by hand: the apply fails or the later one does, and nothing is lost.
#[test]
fn a_pointer_is_moved_by_hand_at_any_instant() {
    let (before, command) = ([apply(&everything("one"))], apply(&everything("two")));
    let names = instants(&before, &command);
    let mut noticed = 0;
    for instant in (1..=names.len() as u64).step_by(2) {
        in_virtual_time(async {
            let mut scene = scene(21, &before).await;
            let front = scene.state().unwrap().at(&Addr::root("front")).unwrap().0;
            let world = scene.world.clone();
            let ended = scene.run(&command, None, &Life::doing_at(instant, move || world.meddle(front))).await;
            let when = format!("moved {}", names[instant as usize - 1]);
            match ended {
                Ended::Outcome(Outcome::RolledBack { error, .. }) => {
                    assert!(error.contains("a pointer was moved by somebody else"), "{when}: {error}");
                    noticed += 1;
                }
                Ended::Outcome(Outcome::Committed { .. }) => {}
                other => panic!("{when}: {other:?}"),
            }
            none(&scene.judge(), &when);
            settled(&mut scene, &command, &when).await;
        });
    }
    assert!(noticed > 20, "{noticed}");
}

/// The container that is new dies, or the one that was there: the apply is undone, or it is committed and status says so.
#[test]
fn a_target_dies_at_any_instant() {
    let (before, command) = ([apply(&everything("one"))], apply(&everything("two")));
    let names = instants(&before, &command);
    let at = Addr::root("web").child("instance").key("0");
    for old in [true, false] {
        let (mut undone, mut degraded) = (0, 0);
        for instant in (1..=names.len() as u64).step_by(2) {
            in_virtual_time(async {
                let mut scene = scene(21, &before).await;
                let graph = if old { everything("one") } else { everything("two") }.graph();
                let (world, spec) = (scene.world.clone(), graph.nodes[&at].spec);
                let dies = move || world.behave(spec, Behaviour::DiesAfter(0));
                let ended = scene.run(&command, None, &Life::doing_at(instant, dies)).await;
                let when = format!("old {old}, dead {}", names[instant as usize - 1]);
                match ended {
                    Ended::Outcome(Outcome::RolledBack { error, .. }) => {
                        assert!(error.contains("web.instance[\"0\"] is not healthy"), "{when}: {error}");
                        undone += 1;
                    }
                    Ended::Outcome(Outcome::Committed { .. }) => degraded += 1,
                    other => panic!("{when}: {other:?}"),
                }
                none(&scene.judge(), &when);
                let sick = |o: &ObjectId| matches!(scene.world.level(*o), Level::Unhealthy(_));
                scene.degraded = scene.world.objects().into_iter().filter(sick).collect();
                none(&scene.judge_at_rest(), &when);
            });
        }
        assert!(old || undone > 20, "{undone} were undone");
        assert!(degraded > 2, "{degraded} were committed");
    }
}

/// A ledger that goes back in time, whichever entries it lost: refused before anything happens.
#[test]
fn a_ledger_restored_from_any_earlier_copy_is_refused() {
    let before = [apply(&Program::hello()), apply(&everything("one"))];
    let count = in_virtual_time(async { scene(22, &before).await.records().len() });
    for kept in (1..count).step_by(3) {
        in_virtual_time(async {
            let mut scene = scene(22, &before).await;
            scene.disk.restore(kept);
            let effects = scene.world.log().len();
            let interrupted = scene.run(&Command::Recover, None, &Life::default()).await;
            let ended = match interrupted {
                Ended::Nothing => scene.run(&apply(&everything("two")), None, &Life::default()).await,
                ended => ended,
            };
            let Ended::Refused(why) = &ended else { panic!("{kept} of {count}: {ended:?}") };
            assert!(why.contains("forked-ledger"), "{kept} of {count}: {why}");
            let after: Vec<_> = scene.world.log().split_off(effects);
            assert!(after.iter().all(|e| matches!(e.deed, Deed::Announced)), "{kept} of {count}: {after:?}");
        });
    }
}

/// Two copies of one ledger: whoever comes second is refused, however far the first one went.
#[test]
fn a_copied_ledger_is_refused_once_the_other_went_on() {
    in_virtual_time(async {
        let mut first = scene(23, &[apply(&Program::hello())]).await;
        let mut second = first.beside();
        second.disk = first.disk.copied();
        let ended = first.run(&apply(&everything("one")), None, &Life::default()).await;
        assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "{ended:?}");
        let effects = first.world.log().len();
        let ended = second.run(&apply(&everything("two")), None, &Life::default()).await;
        let Ended::Refused(why) = &ended else { panic!("{ended:?}") };
        assert!(why.contains("forked-ledger"), "{why}");
        let after: Vec<_> = first.world.log().split_off(effects);
        assert!(after.iter().all(|e| matches!(e.deed, Deed::Announced)), "{after:?}");
    });
}
