//! More than one: two providers of which one forgets and shows late, and two environments in one world.

use crate::crashes::every_other;
use crate::faults::everything;
use crate::stage::{apply, in_virtual_time, none, scene};
use imm_runtime::apply::Outcome;
use imm_runtime::random::Random;
use imm_runtime::simulate::effect::Deed;
use imm_runtime::simulate::fault::Faults;
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::shapes::Program;
use imm_runtime::simulate::world::World;
use std::collections::BTreeMap;

fn afar(version: &str) -> Program {
    Program { replicas: 1, volume: false, afar: Some(version.into()), greeting: version.into(), ..Program::hello() }
}

#[test]
fn two_providers_move_together() {
    every_other("first apply on both", &[], &apply(&afar("one")));
    every_other("change on both", &[apply(&afar("one"))], &apply(&afar("two")));
    every_other("back on both", &[apply(&afar("one")), apply(&afar("two"))], &Command::Rollback(1));
    every_other("both destroyed", &[apply(&afar("one"))], &Command::Destroy);
}

/// The plan says what does not move at one instant, in the order in which it then moves.
#[test]
fn a_plan_says_which_pointers_show_the_old_side_meanwhile() {
    in_virtual_time(async {
        let mut scene = scene(31, &[apply(&afar("one"))]).await;
        let (plan, _) = scene.plan(&afar("two").graph()).unwrap();
        let instants = plan.instants();
        let pointers: Vec<String> = instants.iter().flat_map(|i| &i.pointers).map(ToString::to_string).collect();
        assert_eq!(
            (instants.len(), &*instants[0].provider, &*instants[1].provider),
            (2, "simulated", "simulated-afar")
        );
        assert_eq!(pointers, ["front", "gate"]);
        let before = scene.world.log().len();
        scene.run(&apply(&afar("two")), None, &Life::default()).await;
        let log = scene.world.log();
        let moved = log[before..].iter().filter_map(|effect| match &effect.deed {
            Deed::Switched { object, .. } => plan.switches.iter().find(|s| s.object == *object),
            _other => None,
        });
        assert_eq!(moved.map(|switch| switch.address.to_string()).collect::<Vec<_>>(), pointers);
        // What one provider moves, it moves at once.
        let (plan, _) = scene.plan(&Program { greeting: "three".into(), ..afar("two") }.graph()).unwrap();
        assert!(plan.switches.len() == 1 && plan.instants().is_empty(), "{:?}", plan.switches);
    });
}

/// What an environment lives through: programs one after the other, with faults, deaths and recoveries.
async fn live(scene: &mut Scene, seed: u64, port: i64, calm: bool) {
    let mut random = Random::seeded(seed);
    for version in ["one", "two", "three"] {
        let program = apply(&Program { replicas: 2, port, ..everything(version) });
        let dies = (!calm && random.below(2) == 0).then(|| 1 + random.below(150));
        scene.run(&program, Some(1), &Life::ending_at(dies)).await;
        while !matches!(scene.run(&Command::Recover, None, &Life::default()).await, Ended::Nothing) {}
        let ended = scene.run(&program, Some(1), &Life::default()).await;
        let good = matches!(ended, Ended::Outcome(Outcome::Committed { .. } | Outcome::NothingToDo));
        assert!(good, "seed {seed}: {ended:?}");
    }
}

fn ends(scene: &Scene) -> BTreeMap<String, String> {
    scene.shape().unwrap()
}

/// Q10: each ends as it would have ended alone.
#[test]
fn two_environments_in_one_world_do_not_meet() {
    for seed in 0..12 {
        let alone = |number: u64| {
            in_virtual_time(async move {
                let mut scene = Scene::new(seed * 10 + number);
                live(&mut scene, seed + number, 5430 + number as i64, true).await;
                ends(&scene)
            })
        };
        let alone = [alone(1), alone(2)];
        in_virtual_time(async {
            let world = World::new(seed, Box::new(|| 0));
            let mut first = Scene::within(world.clone(), seed * 10 + 1);
            let mut second = Scene::within(world.clone(), seed * 10 + 2);
            world.set_faults(Faults { transient: 40, unanswered: 20, ..Faults::default() });
            tokio::join!(live(&mut first, seed + 1, 5431, false), live(&mut second, seed + 2, 5432, false));
            for (scene, alone) in [(&first, &alone[0]), (&second, &alone[1])] {
                none(&scene.judge_at_rest(), &format!("seed {seed}"));
                assert_eq!(&ends(scene), alone, "seed {seed}: Q10: another end than alone");
            }
            assert_ne!(ends(&first), BTreeMap::new());
        });
    }
}

/// Q10: what only one can have is refused to the other, by name, and costs it nothing else.
#[test]
fn what_one_environment_holds_is_refused_to_the_other() {
    in_virtual_time(async {
        let world = World::new(5, Box::new(|| 0));
        let (mut first, mut second) = (Scene::within(world.clone(), 51), Scene::within(world, 52));
        let ended = first.run(&apply(&everything("one")), None, &Life::default()).await;
        assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "{ended:?}");
        let ended = second.run(&apply(&everything("one")), None, &Life::default()).await;
        let Ended::Outcome(Outcome::RolledBack { error, .. }) = &ended else { panic!("{ended:?}") };
        assert!(error.contains("db") && error.contains("port 5432 is taken"), "{error}");
        none(&first.judge_at_rest(), "first");
        none(&second.judge_at_rest(), "second");
        let ended = second.run(&apply(&Program::hello()), None, &Life::default()).await;
        assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "{ended:?}");
        none(&second.judge_at_rest(), "second, without it");
    });
}
