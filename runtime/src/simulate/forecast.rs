//! What a change would do, tried in a simulated world by the real executor: whole, with a failing node, dying at every
//! instant there is, and with calls that fail, come late or come twice.
//!
//! Every trial begins with what is recorded, applied anew, and ends with the oracle's judgement. A function of program,
//! record and seed: nothing outside of this process is touched, and no real time passes.

use super::effect::Deed;
use super::fault::{Faults, Trouble, What};
use super::harness::{Command, Ended, Scene};
use super::life::Life;
use super::rehearsal::{Ending, outages, simulated};
use crate::apply::Outcome;
use imm_ir::{Addr, Class, Graph, Node};
use serde::Serialize;
use std::time::Duration;

/// How many trials with faults there are.
const TROUBLED: u64 = 20;

/// Time enough for everything that is late to arrive and for everything provisional to go back.
const QUIET: Duration = Duration::from_secs(120);

/// What is to be tried beside the change as it is.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Decides latencies and faults.
    pub seed: u64,
    /// Nodes that fail, each in a trial of its own; of what was expanded, every member.
    pub fail: Vec<Addr>,
    /// Die at every instant.
    pub crash_everywhere: bool,
    /// Try it with faults, too.
    pub faults: bool,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// `committed`, `rolled_back` or `interrupted`.
    pub outcome: &'static str,
    /// The generation in force at the end; 0: none.
    pub generation: u64,
    /// Virtual time, milliseconds.
    pub took_ms: u64,
    /// Longest time that a pointer had no target that acts, milliseconds.
    pub outage_ms: u64,
    /// Requests lost, at one a millisecond and pointer.
    pub failed_requests: u64,
    /// Objects made.
    pub created: u64,
    /// Pointers moved.
    pub switched: u64,
    /// What went wrong first.
    pub error: Option<String>,
    /// What the oracle found to be broken; nothing, or imm has a fault.
    pub broken: Vec<String>,
}

/// A trial with a failing node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Which.
    pub at: Addr,
    /// What came of it.
    #[serde(flatten)]
    pub trial: Trial,
}

/// Many trials, summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Many {
    /// How many.
    pub trials: u64,
    /// How many ended with a whole generation in force.
    pub whole: u64,
    /// How many with the old one.
    pub old: u64,
    /// How many with the new one.
    pub new: u64,
    /// Longest outage of all, milliseconds.
    pub worst_outage_ms: u64,
    /// Where the longest outage was, when there was one.
    pub worst_at: Option<String>,
    /// What was broken, and where.
    pub broken: Vec<String>,
}

/// Everything that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// The seed.
    pub seed: u64,
    /// The generation that it starts from; 0: none.
    pub base: u64,
    /// The change as it is.
    pub apply: Trial,
    /// With failing nodes.
    pub failures: Vec<Failure>,
    /// With an engine that dies.
    pub crashes: Option<Many>,
    /// With faults.
    pub faults: Option<Many>,
}

impl Forecast {
    /// Whether a whole generation was in force at the end of every trial.
    pub fn whole(&self) -> bool {
        let many = self.crashes.iter().chain(&self.faults).all(|m| m.broken.is_empty() && m.whole == m.trials);
        many && self.apply.broken.is_empty() && self.failures.iter().all(|f| f.trial.broken.is_empty())
    }
}

/// What a change is tried on.
struct Ground {
    seed: u64,
    /// What is in force before it.
    before: Option<Graph>,
    command: Command,
    /// Added to the simulation's numbers to get the ledger's.
    offset: u64,
}

/// Tries the change from a recorded generation (its number and graph) to `graph`.
///
/// # Errors
/// There is no such plan, or the operating system refuses a timer.
pub fn forecast(base: Option<(u64, &Graph)>, graph: &Graph, wish: &Wish) -> Result<Forecast, String> {
    let before = base.map(|(_, graph)| simulated(graph));
    let number = base.map_or(0, |(number, _)| number);
    let offset = number.saturating_sub(u64::from(before.is_some()));
    let ground = Ground { seed: wish.seed, before, command: Command::Apply(Box::new(simulated(graph))), offset };
    let life = Life::default();
    let apply = ground.trial(wish.seed, &life, false, |_| {})?;
    let mut failures = Vec::new();
    for at in &wish.fail {
        let spoil = |scene: &Scene| {
            let here = |is: fn(&Node) -> bool| graph.nodes.iter().any(|(a, n)| a.is_within(at) && is(n));
            // What has a level is made and never works, what points cannot be moved; the rest cannot be made.
            let process = here(|n| levelled(&n.kind));
            let pointer = here(|n| n.class == Class::Pointer);
            let fails = [(What::VerifyFails, process), (What::SwitchFails, pointer), (What::CreateFails, !process)];
            for (what, _) in fails.into_iter().filter(|(_, applies)| *applies) {
                scene.world.trouble(Trouble { at: at.clone(), what, times: u32::MAX });
            }
        };
        failures.push(Failure { at: at.clone(), trial: ground.trial(wish.seed, &Life::default(), true, spoil)? });
    }
    let crashes = if wish.crash_everywhere { Some(ground.crashes(&life)?) } else { None };
    let faults = if wish.faults { Some(ground.troubled()?) } else { None };
    Ok(Forecast { seed: wish.seed, base: number, apply, failures, crashes, faults })
}

fn levelled(kind: &str) -> bool {
    let nature = imm_ir::kinds::builtin().get(kind).map(|schema| schema.nature);
    matches!(nature, Some(imm_ir::Nature::Process | imm_ir::Nature::Job))
}

impl Ground {
    fn crashes(&self, whole: &Life) -> Result<Many, String> {
        let mut many = Many::default();
        for instant in 1..=whole.instants() {
            let life = Life::ending_at(Some(instant));
            let trial = self.trial(self.seed, &life, false, |_| {})?;
            let at = life.ended().unwrap_or_else(|| "nowhere".to_owned());
            many.add(&trial, self.old(), &format!("death {at} (instant {instant})"));
        }
        Ok(many)
    }

    fn troubled(&self) -> Result<Many, String> {
        let mut many = Many::default();
        for number in 0..TROUBLED {
            let seed = self.seed.wrapping_mul(1_000).wrapping_add(number);
            let trial = self.trial(seed, &Life::default(), true, |scene| scene.world.set_faults(Faults::some()))?;
            many.add(&trial, self.old(), &format!("faults of seed {seed}"));
        }
        Ok(many)
    }

    /// The old generation's number.
    fn old(&self) -> u64 {
        self.offset + u64::from(self.before.is_some())
    }

    /// One trial in a world of its own. What is interrupted is recovered, once nothing goes wrong any more.
    fn trial(&self, seed: u64, life: &Life, faulty: bool, spoil: impl Fn(&Scene)) -> Result<Trial, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.map_err(|e| e.to_string())?.block_on(async {
            let mut scene = Scene::new(seed);
            if let Some(graph) = &self.before {
                let first = Command::Apply(Box::new(graph.clone()));
                match scene.run(&first, None, &Life::default()).await {
                    Ended::Outcome(Outcome::Committed { .. }) => {}
                    other => return Err(format!("what is recorded cannot be simulated: {}", words(other))),
                }
            }
            spoil(&scene);
            let (from, began) = (scene.world.log().len(), scene.world.now_ms());
            let ended = scene.run(&self.command, None, life).await;
            let took_ms = scene.world.now_ms() - began;
            scene.world.calm();
            scene.world.set_faults(Faults::default());
            let (mut outcome, mut error) = match ended {
                // Without faults that is the change's own fault; with them, nothing was begun and what served serves.
                Ended::Refused(why) if scene.state().is_ok_and(|s| s.open_apply().is_none()) => {
                    if !faulty {
                        return Err(why);
                    }
                    (Ending::RolledBack, Some(why))
                }
                Ended::Outcome(Outcome::Committed { .. } | Outcome::NothingToDo) => (Ending::Committed, None),
                Ended::Outcome(Outcome::RolledBack { error, .. } | Outcome::Reverted { error, .. }) => {
                    (Ending::RolledBack, Some(error))
                }
                other => (Ending::Interrupted, Some(words(other))),
            };
            for _ in 0..3 {
                match scene.run(&Command::Recover, None, &Life::default()).await {
                    Ended::Nothing => {
                        // It died before it had begun, or after everything was done.
                        if outcome == Ending::Interrupted {
                            let old = scene.state()?.current.unwrap_or(0) == u64::from(self.before.is_some());
                            outcome = if old { Ending::RolledBack } else { Ending::Committed };
                        }
                        break;
                    }
                    Ended::Outcome(Outcome::Committed { .. }) => outcome = Ending::Committed,
                    Ended::Outcome(Outcome::RolledBack { .. }) => outcome = Ending::RolledBack,
                    other => {
                        error = Some(words(other));
                        // A provider that is away comes back, and whoever recovers tries again.
                        tokio::time::sleep(QUIET).await;
                    }
                }
            }
            let log = scene.world.log();
            let (outage_ms, failed_requests) = outages(&log, from);
            tokio::time::sleep(QUIET).await;
            let broken = scene.judge_at_rest().iter().map(ToString::to_string).collect();
            let count = |of: fn(&Deed) -> bool| log.iter().skip(from).filter(|e| of(&e.deed)).count() as u64;
            let current = scene.state()?.current.unwrap_or(0);
            Ok(Trial {
                outcome: outcome.word(),
                generation: if current == 0 { 0 } else { current + self.offset },
                took_ms,
                outage_ms,
                failed_requests,
                created: count(|deed| matches!(deed, Deed::Created(_))),
                switched: count(|deed| matches!(deed, Deed::Switched { .. })),
                error,
                broken,
            })
        })
    }
}

impl Many {
    fn add(&mut self, trial: &Trial, old: u64, at: &str) {
        self.trials += 1;
        if trial.broken.is_empty() && trial.outcome != Ending::Interrupted.word() {
            self.whole += 1;
        }
        *(if trial.generation == old { &mut self.old } else { &mut self.new }) += 1;
        if trial.outage_ms > self.worst_outage_ms {
            self.worst_outage_ms = trial.outage_ms;
            self.worst_at = Some(at.to_owned());
        }
        self.broken.extend(trial.broken.iter().map(|what| format!("{at}: {what}")));
    }
}

fn words(ended: Ended) -> String {
    match ended {
        Ended::Outcome(Outcome::RolledBack { error, .. }) => error,
        Ended::Outcome(Outcome::Stuck { error, why, .. }) => format!("{error}: {why}"),
        Ended::Outcome(other) => format!("{other:?}"),
        Ended::Nothing => "nothing was interrupted".to_owned(),
        Ended::Refused(why) => why,
        Ended::Died(at) => format!("the engine died {at}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::shapes::Program;

    fn wish() -> Wish {
        Wish { seed: 7, fail: vec![Addr::root("web")], crash_everywhere: true, faults: false }
    }

    #[test]
    fn a_change_is_tried_from_every_side_and_ends_whole() {
        let program = |greeting: &str| {
            Program { greeting: greeting.into(), replicas: 1, volume: false, ..Program::hello() }.graph()
        };
        let (old, new) = (program("Hello"), program("Hi"));
        let found = forecast(Some((41, &old)), &new, &wish()).unwrap();
        assert!(found.whole(), "{found:?}");
        assert_eq!((found.apply.outcome, found.apply.generation, found.apply.outage_ms), ("committed", 42, 0));
        let failure = &found.failures[0].trial;
        assert_eq!((failure.outcome, failure.generation, failure.outage_ms), ("rolled_back", 41, 0));
        let crashes = found.crashes.as_ref().unwrap();
        assert!(crashes.trials > 30 && crashes.old > 0 && crashes.new > 0, "{crashes:?}");
        assert_eq!((crashes.trials, crashes.worst_outage_ms), (crashes.whole, 0));
        let again = forecast(Some((41, &old)), &new, &wish()).unwrap();
        assert_eq!(serde_json::to_string(&found).unwrap(), serde_json::to_string(&again).unwrap());
        // A route that cannot be moved leaves the old generation in force.
        let stiff = Wish { seed: 7, fail: vec![Addr::root("front")], ..Wish::default() };
        let stiff = forecast(Some((41, &old)), &new, &stiff).unwrap();
        assert_eq!(
            (stiff.failures[0].trial.outcome, stiff.failures[0].trial.generation),
            ("rolled_back", 41),
            "{stiff:?}"
        );
        assert!(stiff.whole(), "{stiff:?}");
        // Nothing recorded yet: the first apply is tried.
        let first = forecast(None, &new, &Wish { seed: 7, ..Wish::default() }).unwrap();
        assert_eq!((first.base, first.apply.generation, first.crashes), (0, 1, None));
    }
}
