//! The shapes of the engine reference that are not hello: an engine that dies at every instant of each, and once more in its
//! recovery.

use crate::crashes::{dies, every_other, twice};
use crate::faults::everything;
use crate::stage::{apply, in_virtual_time, none, scene};
use imm_ir::Addr;
use imm_runtime::apply::Outcome;
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::shapes::{Migration, Program};
use imm_runtime::simulate::world::Behaviour;

fn small() -> Program {
    Program { replicas: 1, ..Program::hello() }
}

fn tier(version: &str) -> Program {
    Program { tier: Some(version.into()), volume: false, ..small() }
}

#[test]
fn pointers_that_are_called_through_pointers() {
    every_other("first tier", &[], &apply(&tier("one")));
    every_other("the inner one changes", &[apply(&tier("one"))], &apply(&tier("two")));
    let both = Program { greeting: "Hi".into(), second_route: true, ..tier("two") };
    every_other("both change", &[apply(&tier("one"))], &apply(&both));
}

#[test]
fn content_that_two_share_and_secrets() {
    let twin = |greeting: &str| Program {
        greeting: greeting.into(),
        twin: true,
        fan: 1,
        secret: Some("correct-horse-battery".into()),
        volume: false,
        ..small()
    };
    every_other("twins", &[apply(&twin("Hello"))], &apply(&twin("Hi")));
    every_other("twins leave", &[apply(&twin("Hello"))], &apply(&Program { fan: 0, secret: None, ..twin("Hi") }));
}

#[test]
fn data_that_grows_is_left_and_comes_back() {
    let (one, two) = (small(), Program { size: 2, ..small() });
    every_other("data grows", &[apply(&one)], &apply(&two));
    let without = Program { volume: false, ..small() };
    every_other("data comes back", &[apply(&one), apply(&without)], &apply(&one));
    every_other("data is replaced", &[apply(&one)], &apply(&Program { owner: "1000".into(), ..small() }));
    every_other("data comes back after the end", &[apply(&one), Command::Destroy], &apply(&one));
    every_other("data comes back by rollback", &[apply(&one), apply(&without)], &Command::Rollback(1));
}

#[test]
fn what_holds_data_is_renamed_with_consent() {
    let database = |store: &str| Program { database: Some("16".into()), store: store.into(), ..small() };
    let means = |scene: &mut Scene| _ = scene.renames.insert(Addr::root("store"), Addr::root("disk"));
    let cuts = |instant: u64| if instant.is_multiple_of(2) { &[true] as &[bool] } else { &[false] };
    dies("renamed", &[apply(&database("store"))], &apply(&database("disk")), true, means, cuts);
    in_virtual_time(async {
        let mut scene = scene(3, &[apply(&database("store"))]).await;
        let before = scene.world.objects();
        scene.renames.insert(Addr::root("store"), Addr::root("disk"));
        let ended = scene.run(&apply(&database("disk")), None, &Life::default()).await;
        assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "{ended:?}");
        assert_eq!(scene.world.objects(), before, "the same data under another name");
        none(&scene.judge_at_rest(), "renamed");
    });
}

/// Of a job that nobody heard the end of: it is a question, unless it may be repeated or did nothing.
#[test]
fn jobs_whose_end_nobody_knows() {
    for (effect, undo, idempotent) in
        [("none", false, false), ("compatible", false, true), ("breaking", true, false), ("compatible", false, false)]
    {
        let job = |text: &str| Program {
            migration: Some(Migration { effect, undo, idempotent, ..Migration::compatible(text) }),
            greeting: text.into(),
            ..small()
        };
        let (before, command) = ([apply(&job("one"))], apply(&job("two")));
        let spoil = |scene: &Scene| scene.world.behave_at(Addr::root("migrate"), Behaviour::DiesAfter(100));
        let count = in_virtual_time(async {
            let (life, mut scene) = (Life::default(), scene(31, &before).await);
            spoil(&scene);
            scene.run(&command, None, &life).await;
            life.instants()
        });
        let mut asked = 0;
        for instant in 1..=count {
            in_virtual_time(async {
                let mut scene = scene(31, &before).await;
                spoil(&scene);
                let ended = scene.run(&command, None, &Life::ending_at(Some(instant))).await;
                if instant % 2 == 0 {
                    scene.disk.lose_unsynced();
                }
                let when = format!("{effect}, undo {undo}, idempotent {idempotent}, instant {instant}: {ended:?}");
                loop {
                    match scene.run(&Command::Recover, None, &Life::default()).await {
                        Ended::Nothing => break,
                        Ended::Outcome(Outcome::RolledBack { .. } | Outcome::Committed { .. }) => {}
                        Ended::Outcome(Outcome::Stuck { why, .. }) => {
                            assert!(why.contains("--accept-lost migrate"), "{when}: {why}");
                            asked += 1;
                            scene.run(&Command::AcceptLost(Addr::root("migrate")), None, &Life::default()).await;
                        }
                        other => panic!("{when}: {other:?}"),
                    }
                }
                none(&scene.judge_at_rest(), &when);
            });
        }
        let question = effect != "none" && !idempotent;
        assert_eq!(asked > 0, question, "{effect}, undo {undo}, idempotent {idempotent}: asked {asked} times");
    }
}

/// In recovery, too: every shape that has something to take back.
#[test]
fn recovery_dies_in_every_shape() {
    let database = |version: &str| Program { database: Some(version.into()), volume: false, ..small() };
    let job = |text: &str| Program {
        migration: Some(Migration { effect: "breaking", undo: true, ..Migration::compatible(text) }),
        ..database("16")
    };
    let worker = |text: &str| Program { worker: Some(text.into()), volume: false, ..small() };
    let afar = |version: &str| Program { afar: Some(version.into()), volume: false, ..small() };
    twice("handover", &[apply(&database("16"))], &apply(&database("17")), 5);
    twice("job", &[apply(&job("one"))], &apply(&job("two")), 7);
    twice("worker", &[apply(&worker("one"))], &apply(&worker("two")), 7);
    twice("two providers", &[apply(&afar("one"))], &apply(&afar("two")), 11);
    twice("tier", &[apply(&tier("one"))], &apply(&tier("two")), 7);
    let data = [apply(&small()), apply(&Program { volume: false, ..small() })];
    twice("data comes back", &data, &Command::Rollback(1), 7);
    twice("everything", &[apply(&everything("one"))], &apply(&everything("two")), 19);
}
