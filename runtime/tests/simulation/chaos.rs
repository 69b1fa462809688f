//! Five hundred seeds: programs, faults, late calls, deaths and second engines in any order. And: the same seed gives the same
//! bytes.
//!
//! `IMM_SOAK_TELL=1 tests/soak/histories 1 SEED` prints all that was written and happened, if it violates something.

use crate::coverage::Coverage;
use crate::stage::{in_virtual_time, none};
use imm_ir::{Addr, Digest, Graph, Nature};
use imm_runtime::apply::Outcome;
use imm_runtime::entry::Entry;
use imm_runtime::random::Random;
use imm_runtime::simulate::fault::Faults;
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::oracle::{self, Violation};
use imm_runtime::simulate::shapes::{Migration, Program, SECRET};
use imm_runtime::simulate::world::Behaviour;
use imm_runtime::store::Record;
use std::time::Duration;

/// A history as it is lived.
struct Lived {
    seed: u64,
    random: Random,
    scene: Scene,
    coverage: Coverage,
    story: String,
    /// How much its data may hold by now.
    size: i64,
    /// Its migrations cannot be undone.
    crosses: bool,
    /// What was rolled back from.
    left: Option<Box<Graph>>,
    /// What was made sick, until the next command.
    sick: Vec<Digest>,
    /// Another engine works on the same ledger: the machine does not lose power meanwhile.
    company: bool,
}

impl Lived {
    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    fn command(&mut self) -> Command {
        let generations = self.scene.generations();
        match self.below(10) {
            0 => Command::Destroy,
            1 if generations > 0 && self.below(3) == 0 => Command::Drill(1 + self.below(generations)),
            1 | 2 if generations > 1 => {
                self.left = self.scene.graph().ok().flatten().map(Box::new);
                Command::Rollback(1 + self.below(generations - 1))
            }
            // Somebody does not believe it.
            3 | 4 if self.left.is_some() => self.left.take().map_or(Command::Destroy, Command::Apply),
            _more => {
                let mut program = Program::random(&mut self.random);
                // Data only grows; one that shrinks is refused, which is soon told.
                if self.below(8) > 0 {
                    program.size = program.size.max(self.size);
                }
                self.size = self.size.max(program.size);
                if self.crosses {
                    let text = format!("step {}", self.below(6));
                    let undo = self.below(4) == 0;
                    program.migration = Some(Migration { effect: "breaking", undo, ..Migration::compatible(&text) });
                }
                self.coverage.program(&program);
                Command::Apply(Box::new(program.graph()))
            }
        }
    }

    /// Something that serves or is to serve dies, and stays dead until the next command.
    fn dies(&mut self, at: u64) -> Life {
        let Ok(state) = self.scene.state() else { return Life::default() };
        let processes: Vec<Digest> =
            state.objects.values().filter(|o| o.nature == Nature::Process && o.state.acts()).map(|o| o.spec).collect();
        if processes.is_empty() {
            return Life::default();
        }
        let spec = processes[self.below(processes.len() as u64) as usize];
        self.sick.push(spec);
        self.coverage.count("a target died");
        let world = self.scene.world.clone();
        Life::doing_at(at, move || world.behave(spec, Behaviour::DiesAfter(0)))
    }

    /// What was made sick is well.
    fn heal(&mut self) {
        for spec in self.sick.drain(..) {
            self.scene.world.behave(spec, Behaviour::HealthyAfter(0));
        }
    }

    /// What happens to its engine, at an instant: it dies, its disk is full, it is told to stop once or twice, somebody moves
    /// a pointer or takes its lease.
    fn life(&mut self) -> Life {
        let (at, again) = (1 + self.below(120), 1 + self.below(120));
        let pointers: Vec<_> =
            self.scene.world.objects().into_iter().filter(|o| self.scene.world.pointer(*o).is_some()).collect();
        match self.below(16) {
            0..=6 => Life::ending_at(Some(at)),
            7 => Life::full_at(at),
            8 => Life::signalled_at(vec![at]),
            9 => Life::signalled_at(vec![at, at + again / 8]),
            10 if !pointers.is_empty() => {
                let pointer = pointers[again as usize % pointers.len()];
                let world = self.scene.world.clone();
                Life::doing_at(at, move || world.meddle(pointer))
            }
            11 => {
                let mut disk = self.scene.disk.clone();
                Life::doing_at(at, move || drop(imm_runtime::store::Store::signal(&mut disk, "abort", "somebody")))
            }
            12 => self.dies(at),
            _nothing => Life::default(),
        }
    }

    /// The machine loses power: some of what was not synced is gone.
    fn power_cut(&mut self) {
        if self.below(2) == 0 {
            let unsynced = self.scene.disk.unsynced() as u64;
            let whole = self.below(unsynced + 1);
            self.scene.disk.power_cut(whole as usize);
            self.coverage.count("power cut");
        }
    }

    async fn run(&mut self, command: &Command, keep: Option<u32>, life: &Life) -> Ended {
        let ended = self.scene.run(command, keep, life).await;
        self.story.push_str(&format!("  {}: {ended:?}\n", word(command)));
        self.coverage.ended(command, &ended);
        let fault = matches!(&ended, Ended::Refused(why) if why.contains("cannot follow"));
        assert!(!fault, "I11: seed {}\n{}", self.seed, self.story);
        if matches!(ended, Ended::Died(_)) {
            if !self.company {
                self.power_cut();
            }
            // Long enough, now and then, for provisional settings to go back by themselves.
            let asleep = self.below(60);
            tokio::time::sleep(Duration::from_secs(asleep)).await;
        }
        ended
    }

    /// Somebody overrules an engine that lives: another one takes the lease while the first is at work or stands still, settles
    /// what it finds, and may apply something. The first one goes on whenever it does; whoever has the lease lives on.
    async fn overtaken(&mut self, command: &Command, keep: Option<u32>) {
        let other = self.scene.beside();
        let mut first = std::mem::replace(&mut self.scene, other);
        let (stands, at, next) = (self.below(2) == 0, 1 + self.below(120), self.below(2) == 0);
        let (comes_after, wakes_after) = (self.below(3_000), self.below(20_000));
        let life = if stands { Life::pausing_at(at) } else { Life::default() };
        let (done, asleep) = (tokio::sync::Notify::new(), life.clone());
        let works = async {
            let ended = first.run(command, keep, &life).await;
            done.notify_one();
            ended
        };
        let takes_over = async {
            let stands_still = async {
                if stands { asleep.pause().await } else { tokio::time::sleep(Duration::from_millis(comes_after)).await }
            };
            tokio::select! {
                biased;
                () = stands_still => {}
                () = done.notified() => {}
            }
            let wakes = async {
                tokio::time::sleep(Duration::from_millis(wakes_after)).await;
                asleep.resume();
            };
            let settles = async {
                self.company = true;
                self.recover().await;
                if next {
                    let command = self.command();
                    self.mean_renames(&command);
                    self.run(&command, keep, &Life::default()).await;
                }
                self.company = false;
            };
            tokio::join!(settles, wakes);
        };
        let (ended, ()) = tokio::join!(works, takes_over);
        self.story.push_str(&format!("  {} that was overtaken: {ended:?}\n", word(command)));
        let how = if matches!(ended, Ended::Refused(_)) { "refused" } else { "done before" };
        self.coverage.count(&format!("overtaken: {how}"));
    }

    async fn recover(&mut self) {
        for attempt in 0.. {
            if attempt == 3 {
                self.scene.world.set_faults(Faults::default());
                self.heal();
            }
            assert!(attempt < 7, "seed {}: recovery does not end\n{}", self.seed, self.story);
            let dies = (attempt < 3 && self.below(3) == 0).then(|| 1 + self.below(60));
            match self.run(&Command::Recover, None, &Life::ending_at(dies)).await {
                Ended::Nothing => break,
                // A provider may be away for a minute.
                Ended::Refused(_) => tokio::time::sleep(Duration::from_secs(60)).await,
                Ended::Outcome(Outcome::Stuck { why, .. }) => {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    if why.contains("migrate: ") && attempt >= 2 {
                        let given_up = Command::AcceptLost(Addr::root("migrate"));
                        self.run(&given_up, None, &Life::default()).await;
                    }
                }
                _again => {}
            }
        }
    }

    /// What was declared under another name is still the same to whoever means it.
    fn mean_renames(&mut self, command: &Command) {
        self.scene.renames.clear();
        let Command::Apply(graph) = command else { return };
        let Ok(state) = self.scene.state() else { return };
        for (old, new) in [("store", "disk"), ("disk", "store")].map(|(a, b)| (Addr::root(a), Addr::root(b))) {
            if state.at(&old).is_some() && graph.nodes.contains_key(&new) && self.below(2) == 0 {
                self.scene.renames.insert(old, new);
            }
        }
    }

    fn judged(&self) {
        self.expect(&self.scene.judge());
    }

    #[track_caller]
    fn expect(&self, violations: &[Violation]) {
        let wanted = !violations.is_empty() && std::env::var_os("IMM_SOAK_TELL").is_some();
        let all = if wanted { self.all() } else { String::new() };
        none(violations, &format!("seed {}\n{}\n{all}", self.seed, self.story));
    }

    /// Everything that was written and that happened, in the order in which it did: to find out why.
    fn all(&self) -> String {
        let line = |seq: &u64, entry: &Entry| format!("{seq:>6} fence {} {:?}\n", entry.header.fence, entry.body);
        let entries = oracle::entries(&self.scene.records());
        let (mut entries, mut all) = (entries.iter().peekable(), String::new());
        for effect in self.scene.world.log() {
            while let Some((seq, entry)) = entries.next_if(|(seq, _)| *seq <= effect.durable) {
                all += &line(seq, entry);
            }
            let late = if effect.late { " late" } else { "" };
            all += &format!("at {:>7} ms fence {}{late} {:?}\n", effect.at_ms, effect.fence, effect.deed);
        }
        all.extend(entries.map(|(seq, entry)| line(seq, entry)));
        all
    }
}

/// One history; answers its entries and what was in it.
fn history(seed: u64) -> (Vec<Record>, Coverage) {
    in_virtual_time(async {
        let mut scene = Scene::new(seed);
        scene.reaches_afar();
        scene.keeps_secret(SECRET);
        scene.world.behave_with("BROKEN", Behaviour::NeverHealthy(300));
        let (random, coverage, story) = (Random::seeded(seed), Coverage::default(), String::new());
        let (crosses, left, sick, company) = (false, None, Vec::new(), false);
        let mut lived = Lived { seed, random, scene, coverage, story, size: 1, crosses, left, sick, company };
        let wild = lived.below(4) == 0;
        lived.crosses = lived.below(5) == 0;
        lived.scene.wild_clock(wild);
        for _ in 0..4 + lived.below(4) {
            let calm = lived.below(4) == 0;
            lived.scene.world.set_faults(if calm { Faults::default() } else { Faults::some() });
            // How jobs end, now and then: not at all, or without anybody knowing.
            let job = match lived.below(8) {
                0 => Behaviour::NeverHealthy(200),
                1 => Behaviour::DiesAfter(100),
                _well => Behaviour::HealthyAfter(50),
            };
            lived.scene.world.behave_at(Addr::root("migrate"), job);
            let next = lived.command();
            lived.mean_renames(&next);
            let keep = Some(lived.below(3) as u32);
            if lived.below(6) == 0 {
                lived.overtaken(&next, keep).await;
            } else {
                let life = lived.life();
                lived.run(&next, keep, &life).await;
            }
            lived.judged();
            lived.recover().await;
            lived.heal();
            lived.judged();
        }
        // Faults have stopped: one good apply brings it to rest. A pointer that somebody moved fails the first one.
        lived.scene.world.set_faults(Faults::default());
        lived.scene.renames.clear();
        tokio::time::sleep(Duration::from_secs(120)).await;
        // Data only grows.
        let last = Program { greeting: format!("last {seed}"), size: 3, ..Program::hello() };
        let last = Command::Apply(Box::new(last.graph()));
        let mut ended = lived.run(&last, Some(0), &Life::default()).await;
        if matches!(&ended, Ended::Outcome(Outcome::RolledBack { error, .. }) if error.contains("somebody else")) {
            ended = lived.run(&last, Some(0), &Life::default()).await;
        }
        let good = matches!(ended, Ended::Outcome(Outcome::Committed { .. }));
        assert!(good, "seed {seed}\n{}", lived.story);
        lived.expect(&lived.scene.judge_at_rest());
        lived.coverage.entries(&lived.scene);
        (lived.scene.records(), lived.coverage)
    })
}

fn word(command: &Command) -> String {
    match command {
        Command::Apply(graph) => format!("apply {} nodes", graph.nodes.len()),
        Command::Rollback(to) => format!("rollback {to}"),
        Command::Drill(of) => format!("drill {of}"),
        Command::AcceptLost(at) => format!("give up {at}"),
        Command::Destroy | Command::Recover | Command::Adopt(..) => command.word().to_owned(),
    }
}

/// These histories, on all cores. Panics with all that violate something; answers what was in them.
fn histories(seeds: std::ops::Range<u64>) -> Coverage {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let share = |core: u64| {
        let (mut failed, mut coverage) = (Vec::new(), Coverage::default());
        for seed in seeds.clone().filter(|seed| seed % cores == core) {
            match std::panic::catch_unwind(|| history(seed).1) {
                Ok(one) => coverage = coverage.with(one),
                Err(why) => failed.push((seed, why.downcast_ref::<String>().cloned().unwrap_or_default())),
            }
        }
        (coverage, failed)
    };
    let share = &share;
    let shares: Vec<_> = std::thread::scope(|scope| {
        let working: Vec<_> = (0..cores).map(|core| scope.spawn(move || share(core))).collect();
        working.into_iter().map(|w| w.join().unwrap()).collect()
    });
    let (coverage, failed): (Vec<_>, Vec<_>) = shares.into_iter().unzip();
    let failed: Vec<String> = failed.into_iter().flatten().map(|(seed, why)| format!("seed {seed}: {why}")).collect();
    assert!(failed.is_empty(), "{} of them violate something:\n{}", failed.len(), failed.join("\n"));
    coverage.into_iter().fold(Coverage::default(), Coverage::with)
}

#[test]
fn five_hundred_histories() {
    let coverage = histories(0..500);
    assert!(coverage.of("died") > 250, "{coverage}");
    coverage.is_wide();
}

/// Histories that once found a mistake. Of the engine: a provider that let a drained object act again after the commit, whose
/// requests were cut off; a recovery that could not go on from an object that was told to rest while it left. Of the oracle: a
/// worker that a late call let act at a provider that could not be told of the undoing; one that was told twice to act again,
/// and heard it once more when its apply was over. Of the world: a create that an overtaken engine asked for, and that was taken.
#[test]
fn what_was_found_stays_mended() {
    for seed in [901_137, 904_663, 2_000_174, 2_004_438, 3_004_912] {
        history(seed);
    }
}

/// `tests/soak/histories` runs this one.
#[test]
#[ignore = "takes minutes: tests/soak/histories"]
fn soak() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let (from, count) = (number("IMM_SOAK_FROM").unwrap_or(0), number("IMM_SOAK_SEEDS").unwrap_or(5_000));
    let coverage = histories(from..from + count);
    println!("{coverage}");
    println!("{count} histories from seed {from}, {} engines died, no invariant was violated", coverage.of("died"));
}

#[test]
fn same_seed_same_bytes() {
    for seed in [1, 7, 42, 199] {
        assert_eq!(history(seed).0, history(seed).0, "seed {seed}");
    }
    assert_ne!(history(1).0, history(2).0);
}
