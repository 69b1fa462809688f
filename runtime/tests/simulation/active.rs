//! What acts by itself, what takes over, and what runs once: an engine that dies at every instant of each.

use crate::crashes::{dies, every_other};
use crate::stage::{apply, in_virtual_time, none, scene};
use imm_ir::Addr;
use imm_runtime::apply::Outcome;
use imm_runtime::simulate::effect::Deed;
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::shapes::{Migration, Program};
use imm_runtime::simulate::world::Behaviour;

fn small() -> Program {
    Program { replicas: 1, volume: false, ..Program::hello() }
}

fn worker(text: &str) -> Program {
    Program { worker: Some(text.into()), ..small() }
}

fn database(version: &str) -> Program {
    Program { database: Some(version.into()), ..small() }
}

fn migration(text: &str, effect: &'static str, undo: bool) -> Program {
    let job = Migration { effect, undo, ..Migration::compatible(text) };
    Program { migration: Some(job), greeting: text.into(), ..database("17") }
}

fn count(scene: &Scene, which: impl Fn(&Deed) -> bool) -> usize {
    scene.world.log().iter().filter(|e| which(&e.deed)).count()
}

async fn run(scene: &mut Scene, command: &Command) -> Outcome {
    match scene.run(command, None, &Life::default()).await {
        Ended::Outcome(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn workers_change_in_the_final_stage() {
    let [one, two] = [worker("one"), worker("two")];
    every_other("first worker", &[], &apply(&one));
    every_other("worker changes", &[apply(&one)], &apply(&two));
    every_other("worker leaves", &[apply(&one)], &apply(&small()));
    every_other("worker comes back", &[apply(&one), apply(&two)], &Command::Rollback(1));
}

#[test]
fn a_worker_that_never_works_is_taken_back() {
    let [one, two] = [worker("one"), worker("two")];
    let sick = two.graph().nodes[&Addr::root("mailer").child("instance").key("0")].spec;
    let before = |scene: &mut Scene| scene.world.behave(sick, Behaviour::NeverHealthy(100));
    dies(
        "sick worker",
        &[apply(&one)],
        &apply(&two),
        false,
        before,
        |instant| if instant % 2 == 0 { &[true] } else { &[false] },
    );
}

#[test]
fn a_database_is_handed_over() {
    let [old, new] = [database("16"), database("17")];
    every_other("first database", &[], &apply(&old));
    every_other("handover", &[apply(&old)], &apply(&new));
    every_other("handover back", &[apply(&old), apply(&new)], &Command::Rollback(1));
    every_other("database leaves", &[apply(&old)], &apply(&small()));
    let first = [Program { stop_first: true, ..old }, Program { stop_first: true, ..new }];
    every_other("stop first", &[apply(&first[0])], &apply(&first[1]));
}

#[test]
fn a_database_that_never_works_is_handed_back() {
    let [old, new] = [database("16"), database("17")];
    let sick = new.graph().nodes[&Addr::root("pg").child("instance").key("0")].spec;
    let before = |scene: &mut Scene| scene.world.behave(sick, Behaviour::NeverHealthy(100));
    dies("sick database", &[apply(&old)], &apply(&new), false, before, |instant| {
        if instant % 2 == 0 { &[true] } else { &[false] }
    });
}

#[test]
fn jobs_run_once_and_gate_the_switch() {
    for (effect, undo) in [("none", false), ("compatible", false), ("breaking", true), ("breaking", false)] {
        let name = format!("{effect}, undo {undo}");
        let [one, two] = [migration("one", effect, undo), migration("two", effect, undo)];
        every_other(&name, &[apply(&one)], &apply(&two));
    }
}

#[test]
fn a_job_that_fails_ends_the_apply() {
    let [one, two] = [migration("one", "breaking", true), migration("two", "breaking", true)];
    let fails = two.graph().nodes[&Addr::root("migrate")].spec;
    let before = |scene: &mut Scene| scene.world.behave(fails, Behaviour::NeverHealthy(100));
    dies(
        "failing job",
        &[apply(&one)],
        &apply(&two),
        false,
        before,
        |instant| if instant % 2 == 0 { &[true] } else { &[false] },
    );
}

/// Two workers of one version and two of the next, and never more than two at work.
#[test]
fn no_mail_is_sent_twice() {
    in_virtual_time(async {
        let mut scene = scene(3, &[apply(&worker("one"))]).await;
        assert!(matches!(run(&mut scene, &apply(&worker("two"))).await, Outcome::Committed { .. }));
        let (mut active, mut most) = (0, 0);
        for effect in scene.world.log() {
            match effect.deed {
                Deed::Activated(_) => active += 1,
                Deed::Deactivated(_) => active -= 1,
                _other => {}
            }
            most = most.max(active);
        }
        assert_eq!((active, most), (2, 2));
        // The old ones rest and can be woken: a rollback makes nothing.
        let made = count(&scene, |d| matches!(d, Deed::Created(_)));
        assert!(matches!(run(&mut scene, &Command::Rollback(1)).await, Outcome::Committed { .. }));
        assert_eq!(count(&scene, |d| matches!(d, Deed::Created(_))), made);
        none(&scene.judge_at_rest(), "workers");
    });
}

#[test]
fn a_handover_is_measured_and_copies_the_data_while_nobody_writes() {
    in_virtual_time(async {
        let mut scene = scene(3, &[apply(&database("16"))]).await;
        let new = database("17");
        let spec = new.graph().nodes[&Addr::root("pg").child("instance").key("0")].spec;
        scene.world.behave(spec, Behaviour::HealthyAfter(1_500));
        assert!(matches!(run(&mut scene, &apply(&new)).await, Outcome::Committed { .. }));
        let last = scene.state().unwrap().applies.last().unwrap().outage_ms;
        assert!((1_500..2_000).contains(&last), "{last}");
        assert_eq!(count(&scene, |d| matches!(d, Deed::Copied { .. })), 1);
        none(&scene.judge_at_rest(), "handover");
        // Longer than the program allows: undone, and the old one serves again.
        let slow = database("18");
        let spec = slow.graph().nodes[&Addr::root("pg").child("instance").key("0")].spec;
        scene.world.behave(spec, Behaviour::HealthyAfter(60_000));
        let outcome = run(&mut scene, &apply(&slow)).await;
        assert!(matches!(&outcome, Outcome::RolledBack { error, .. } if error.contains("max_outage")), "{outcome:?}");
        none(&scene.judge_at_rest(), "handed back");
    });
}

fn runs(scene: &Scene) -> usize {
    count(scene, |d| matches!(d, Deed::Ran(_)))
}

#[test]
fn what_a_job_did_is_a_fact_for_ever() {
    in_virtual_time(async {
        let [one, two] = [migration("one", "compatible", false), migration("two", "compatible", false)];
        let mut scene = scene(3, &[apply(&one), apply(&two)]).await;
        assert_eq!(runs(&scene), 2);
        assert!(matches!(run(&mut scene, &Command::Rollback(1)).await, Outcome::Committed { .. }));
        assert_eq!(runs(&scene), 2, "a rollback runs nothing again");
        none(&scene.judge_at_rest(), "rollback");
        // An apply that fails after the job has run: the next one does not run it again.
        let broken = Program { broken: true, ..migration("three", "compatible", false) };
        scene.world.behave(broken.container_spec().unwrap(), Behaviour::NeverHealthy(100));
        let outcome = run(&mut scene, &apply(&broken)).await;
        assert!(matches!(&outcome, Outcome::RolledBack { leftovers, .. } if leftovers.len() == 1), "{outcome:?}");
        assert_eq!(runs(&scene), 3);
        let mended = migration("three", "compatible", false);
        assert!(matches!(run(&mut scene, &apply(&mended)).await, Outcome::Committed { .. }));
        assert_eq!(runs(&scene), 3);
        none(&scene.judge_at_rest(), "after a failure");
    });
}

#[test]
fn a_job_is_taken_back_by_its_undo() {
    in_virtual_time(async {
        let mut scene = scene(3, &[apply(&database("17"))]).await;
        let broken = Program { broken: true, ..migration("one", "breaking", true) };
        scene.world.behave(broken.container_spec().unwrap(), Behaviour::NeverHealthy(100));
        let outcome = run(&mut scene, &apply(&broken)).await;
        assert!(matches!(&outcome, Outcome::RolledBack { leftovers, .. } if leftovers.is_empty()), "{outcome:?}");
        assert_eq!(runs(&scene), 2, "the job and its undo");
        none(&scene.judge_at_rest(), "undone");
        // What was taken back is no fact: it runs again.
        assert!(matches!(
            run(&mut scene, &apply(&migration("one", "breaking", true))).await,
            Outcome::Committed { .. }
        ));
        assert_eq!(runs(&scene), 3);
        none(&scene.judge_at_rest(), "again");
    });
}

#[test]
fn a_lost_job_is_a_question_to_the_user() {
    in_virtual_time(async {
        let mut scene = scene(3, &[apply(&database("17"))]).await;
        let job = migration("one", "compatible", false);
        scene.world.behave_at(Addr::root("migrate"), Behaviour::DiesAfter(100));
        let outcome = run(&mut scene, &apply(&job)).await;
        assert!(matches!(&outcome, Outcome::Stuck { why, .. } if why.contains("--accept-lost migrate")), "{outcome:?}");
        assert!(matches!(run(&mut scene, &Command::Recover).await, Outcome::Stuck { .. }));
        let given_up = run(&mut scene, &Command::AcceptLost(Addr::root("migrate"))).await;
        assert!(matches!(&given_up, Outcome::RolledBack { leftovers, .. } if leftovers.len() == 1), "{given_up:?}");
        assert_eq!(runs(&scene), 1);
        none(&scene.judge_at_rest(), "given up");
    });
}

#[test]
fn a_job_of_every_apply_runs_when_something_changes_and_never_by_itself() {
    in_virtual_time(async {
        let program = |greeting: &str| Program {
            migration: Some(Migration { every_apply: true, ..Migration::compatible("x") }),
            greeting: greeting.into(),
            ..small()
        };
        let mut scene = scene(3, &[apply(&program("one"))]).await;
        assert!(matches!(run(&mut scene, &apply(&program("one"))).await, Outcome::NothingToDo));
        assert_eq!(runs(&scene), 1);
        let wider = Program { replicas: 2, ..program("one") };
        assert!(matches!(run(&mut scene, &apply(&wider)).await, Outcome::Committed { .. }));
        assert_eq!(runs(&scene), 2);
        none(&scene.judge_at_rest(), "every apply");
    });
}

/// A drill makes and proves what a cold rollback would need, moves nothing, and leaves nothing.
#[test]
fn a_drill_proves_and_moves_nothing() {
    in_virtual_time(async {
        let old = Program { worker: Some("one".into()), ..migration("one", "compatible", false) };
        let versions = ["two", "three"].map(|t| apply(&Program { greeting: t.into(), ..old.clone() }));
        let [two, three] = versions;
        let mut scene = scene(3, &[apply(&old), two, three]).await;
        let (settings, objects) = (count(&scene, |d| matches!(d, Deed::Switched { .. })), scene.world.objects());
        let outcome = run(&mut scene, &Command::Drill(1)).await;
        let Outcome::Drilled { error: None, covered, not_covered, leftovers, .. } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(covered.contains(&Addr::root("web").child("instance").key("0")), "{covered:?}");
        let not: Vec<String> = not_covered.iter().map(|(a, _)| a.to_string()).collect();
        assert_eq!(not, ["mailer.instance[\"0\"]", "mailer.instance[\"1\"]", "pg.instance[\"0\"]"]);
        assert!(leftovers.is_empty(), "{leftovers:?}");
        assert_eq!(count(&scene, |d| matches!(d, Deed::Switched { .. })), settings);
        let mut after = scene.world.objects();
        after.retain(|o| !objects.contains(o));
        // Content is left to the collector.
        assert!(after.len() <= 1, "{after:?}");
        none(&scene.judge_at_rest(), "drill");
        assert!(scene.state().unwrap().generations[&1].proven_at_ms.is_some());
    });
}

#[test]
fn a_drill_that_dies_is_unwound() {
    let old = Program { worker: Some("one".into()), ..migration("one", "compatible", false) };
    let next = |t: &str| apply(&Program { greeting: t.into(), ..old.clone() });
    every_other("drill", &[apply(&old), next("two"), next("three")], &Command::Drill(1));
}
