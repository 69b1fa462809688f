//! Five hundred seeds: programs, faults, late calls and deaths in any order. And: the same seed gives the same bytes.

use crate::stage::{broken, in_virtual_time, none};
use imm_runtime::apply::Outcome;
use imm_runtime::random::Random;
use imm_runtime::simulate::fault::Faults;
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::shapes::{Migration, Program, Rollout};
use imm_runtime::simulate::world::Behaviour;
use imm_runtime::store::Record;

/// Half of them have something that acts by itself, takes over or runs once.
fn program(random: &mut Random) -> Program {
    let texts = ["one", "two", "three"];
    let mut text = |one_in: u64| (random.below(one_in) == 0).then(|| texts[random.below(3) as usize].to_owned());
    let (worker, database, migration) = (text(4), text(4), text(5));
    let effects = ["none", "compatible", "breaking"];
    let migration = migration.map(|text| Migration {
        text,
        effect: effects[random.below(3) as usize],
        undo: random.below(2) == 0,
        every_apply: random.below(4) == 0,
    });
    let stop_first = random.below(3) == 0;
    let greetings = ["Hello", "Hi", "Hey", "Moin"];
    let broken = random.below(6) == 0;
    let rollout = match random.below(8) {
        0 => Some(Rollout::Canary(vec![10, 50], 100)),
        1 => Some(Rollout::Canary(vec![25], 100)),
        2 => Some(Rollout::Rolling(1 + random.below(2) as i64)),
        3 => Some(Rollout::BlueGreen),
        _as_usual => None,
    };
    Program {
        greeting: greetings[random.below(4) as usize].into(),
        replicas: 1 + random.below(4) as u32,
        service: if random.below(5) == 0 { "shop".into() } else { "web".into() },
        volume: random.below(3) > 0,
        second_route: random.below(3) == 0,
        drain_s: 1 + random.below(3) as i64,
        broken,
        fan: random.below(3) as u32,
        chain: random.below(4) as u32,
        worker,
        database,
        stop_first,
        migration,
        rollout,
        watch_ms: if random.below(6) == 0 { 2000 } else { 0 },
    }
}

fn command(random: &mut Random, scene: &Scene) -> Command {
    let generations = scene.generations();
    match random.below(10) {
        0 => Command::Destroy,
        1 if generations > 0 && random.below(3) == 0 => Command::Drill(1 + random.below(generations)),
        1 | 2 if generations > 0 => Command::Rollback(1 + random.below(generations)),
        _more => Command::Apply(Box::new(program(random).graph())),
    }
}

/// One history; answers its entries and how many engines died in it.
fn history(seed: u64) -> (Vec<Record>, u64) {
    in_virtual_time(async {
        let mut random = Random::seeded(seed);
        let mut scene = Scene::new(seed);
        for volume in [true, false] {
            let sick = Program { volume, ..broken() }.container_spec().unwrap();
            scene.world.behave(sick, Behaviour::NeverHealthy(300));
        }
        let (mut deaths, mut story) = (0, String::new());
        for _ in 0..4 + random.below(4) {
            scene.world.set_faults(if random.below(4) == 0 { Faults::default() } else { Faults::some() });
            let next = command(&mut random, &scene);
            let dies = (random.below(2) == 0).then(|| 1 + random.below(120));
            let ended = scene.run(&next, Some(random.below(3) as u32), &Life::ending_at(dies)).await;
            tell(&mut story, &next, &ended);
            if matches!(ended, Ended::Died(_)) {
                deaths += 1;
                if random.below(2) == 0 {
                    scene.disk.lose_unsynced();
                }
                // Long enough, now and then, for provisional settings to go back by themselves.
                tokio::time::sleep(std::time::Duration::from_secs(random.below(60))).await;
            }
            none(&scene.judge(), &format!("seed {seed}\n{story}"));
            for attempt in 0.. {
                if attempt == 3 {
                    scene.world.set_faults(Faults::default());
                }
                assert!(attempt < 6, "seed {seed}: recovery does not end\n{story}");
                let dies = (attempt < 3 && random.below(3) == 0).then(|| 1 + random.below(60));
                let ended = scene.run(&Command::Recover, None, &Life::ending_at(dies)).await;
                tell(&mut story, &Command::Recover, &ended);
                match ended {
                    Ended::Nothing => break,
                    Ended::Died(_) if random.below(2) == 0 => scene.disk.lose_unsynced(),
                    _again => {}
                }
            }
            none(&scene.judge(), &format!("seed {seed}\n{story}"));
        }
        // Faults have stopped: one good apply brings it to rest.
        scene.world.set_faults(Faults::default());
        tokio::time::sleep(std::time::Duration::from_secs(120)).await;
        let last = Command::Apply(Box::new(Program { greeting: format!("last {seed}"), ..Program::hello() }.graph()));
        let ended = scene.run(&last, Some(0), &Life::default()).await;
        tell(&mut story, &last, &ended);
        assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "seed {seed}\n{story}");
        none(&scene.judge_at_rest(), &format!("seed {seed}\n{story}"));
        (scene.records(), deaths)
    })
}

fn tell(story: &mut String, command: &Command, ended: &Ended) {
    let what = match command {
        Command::Apply(graph) => format!("apply {} nodes", graph.nodes.len()),
        Command::Rollback(to) => format!("rollback {to}"),
        Command::Drill(of) => format!("drill {of}"),
        Command::Destroy => "destroy".to_owned(),
        Command::Recover => "recover".to_owned(),
        Command::AcceptLost(at) => format!("give up {at}"),
    };
    story.push_str(&format!("  {what}: {ended:?}\n"));
}

/// These histories, on all cores; answers how many engines died in them.
fn histories(seeds: std::ops::Range<u64>) -> u64 {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    std::thread::scope(|scope| {
        let share = |core: u64| seeds.clone().filter(move |seed| seed % cores == core);
        let working: Vec<_> =
            (0..cores).map(|core| scope.spawn(move || share(core).map(|seed| history(seed).1).sum::<u64>())).collect();
        working.into_iter().map(|w| w.join().unwrap()).sum()
    })
}

#[test]
fn five_hundred_histories() {
    let deaths = histories(0..500);
    assert!(deaths > 250, "only {deaths} engines died");
}

/// `tests/soak/histories` runs this one.
#[test]
#[ignore = "takes minutes: tests/soak/histories"]
fn soak() {
    let count = std::env::var("IMM_SOAK_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(5_000);
    let deaths = histories(0..count);
    println!("{count} histories, {deaths} engines died in them, no invariant was violated");
}

#[test]
fn same_seed_same_bytes() {
    for seed in [1, 7, 42, 199] {
        assert_eq!(history(seed).0, history(seed).0, "seed {seed}");
    }
    assert_ne!(history(1).0, history(2).0);
}
