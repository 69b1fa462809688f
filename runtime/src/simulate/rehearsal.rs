//! A program rehearsed: the real engine against the simulated world, in virtual time, for the tests that programs have.
//!
//! Nothing outside of this process is touched, and a rehearsal is a function of its seed. What users would notice is
//! measured on the world's own log, not taken from the engine: how long a pointer had no target that was there and acted,
//! and how many requests a client would have lost that sends one every millisecond to every pointer.

use super::call::IDENTITY;
use super::effect::{Deed, Effect};
use super::fault::Trouble;
use super::harness::{Command, Ended, Scene};
use super::life::Life;
use crate::apply::Outcome;
use crate::id::ObjectId;
use crate::plan::{Nodes, Plan};
use crate::rollout::Samples;
use imm_ir::{Addr, Fields, Graph, Value};
use std::collections::{BTreeMap, BTreeSet};

/// How a command of a rehearsal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The program is in force; perhaps nothing had to be done.
    Committed,
    /// The old generation serves.
    RolledBack,
    /// The engine died, or could not settle what it began.
    Interrupted,
}

impl Ending {
    /// As documents say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::RolledBack => "rolled_back",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub ending: Ending,
    /// The generation in force after it; 0: none.
    pub generation: u64,
    /// Objects it made.
    pub created: u64,
    /// Objects it ended.
    pub destroyed: u64,
    /// How long pointers were without any target, milliseconds, the longest of them.
    pub outage_ms: u64,
    /// Requests lost, at one a millisecond and pointer.
    pub failed_requests: u64,
    /// What went wrong first.
    pub error: Option<String>,
}

/// One environment that a program is rehearsed in.
#[derive(Debug)]
pub struct Rehearsal {
    scene: Scene,
    runtime: tokio::runtime::Runtime,
    /// What ends the engine of the next command: after an entry with this name about what is declared there.
    crash: Option<(Addr, String)>,
}

impl Rehearsal {
    /// An empty environment.
    ///
    /// # Errors
    /// The operating system refuses a timer.
    pub fn new(seed: u64) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let scene = runtime.block_on(async { Scene::new(seed) });
        Ok(Self { scene, runtime, crash: None })
    }

    /// What an apply would do now.
    ///
    /// # Errors
    /// There is no such plan.
    pub fn plan(&self, graph: &Graph) -> Result<Plan, String> {
        self.runtime.block_on(async { self.scene.plan(&simulated(graph)).map(|(plan, _)| plan) })
    }

    /// Applies a program.
    ///
    /// # Errors
    /// It was refused before it began.
    pub fn apply(&mut self, graph: &Graph) -> Result<Report, String> {
        let graph = simulated(graph);
        self.run(&Command::Apply(Box::new(graph)))
    }

    /// Goes back to the generation before the one in force.
    ///
    /// # Errors
    /// There is none, or it was refused before it began.
    pub fn rollback(&mut self) -> Result<Report, String> {
        let current = self.scene.state().ok().and_then(|state| state.current).unwrap_or_default();
        if current < 2 {
            return Err("there is no earlier generation to go back to".to_owned());
        }
        self.run(&Command::Rollback(current - 1))
    }

    /// Settles what a crash left.
    ///
    /// # Errors
    /// Nothing was interrupted.
    pub fn recover(&mut self) -> Result<Report, String> {
        self.run(&Command::Recover)
    }

    /// Something goes wrong from now on.
    pub fn trouble(&mut self, trouble: Trouble) {
        self.scene.world.trouble(trouble);
    }

    /// What the two sides of a pointer meet from now on, in every window.
    pub fn sample(&mut self, pointer: Addr, new: Samples, old: Samples) {
        self.scene.world.write_samples(pointer, new, old);
    }

    /// The engine of the next command dies as soon as an entry with this name is on the disk, about the node at `at`.
    pub fn crash(&mut self, at: Addr, after_entry: String) {
        self.crash = Some((at, after_entry));
    }

    /// Outputs of what exists, by address.
    pub fn outputs(&self) -> BTreeMap<Addr, Fields<Value>> {
        let Ok(state) = self.scene.state() else { return BTreeMap::new() };
        let current = state.objects.into_values().filter(|object| object.since.is_some() && object.state.usable());
        // Of several with one address the newest is the one in force.
        let mut found: BTreeMap<Addr, (Option<u64>, Fields<Value>)> = BTreeMap::new();
        for object in current {
            let newer = found.get(&object.address).is_none_or(|(since, _)| *since < object.since);
            if newer {
                found.insert(object.address.clone(), (object.since, object.outputs.clone()));
            }
        }
        found.into_iter().map(|(address, (_, outputs))| (address, outputs)).collect()
    }

    fn run(&mut self, command: &Command) -> Result<Report, String> {
        let before = self.scene.world.log().len();
        let crash = self.crash.take();
        let life = match &crash {
            Some((at, entry)) => Life::ending_after(self.objects_at(command, at), entry.clone()),
            None => Life::default(),
        };
        let scene = &mut self.scene;
        let ended = self.runtime.block_on(scene.run(command, None, &life));
        self.scene.world.calm();
        if let (Some((at, entry)), Ended::Outcome(_)) = (&crash, &ended) {
            return Err(no_crash(at, entry, &life.lived_through()));
        }
        let (ending, error) = match ended {
            Ended::Outcome(Outcome::NothingToDo | Outcome::Committed { .. }) => (Ending::Committed, None),
            Ended::Outcome(Outcome::Drilled { error, .. }) => (Ending::RolledBack, error),
            Ended::Outcome(Outcome::RolledBack { error, .. } | Outcome::Reverted { error, .. }) => {
                (Ending::RolledBack, Some(error))
            }
            Ended::Outcome(Outcome::Stuck { error, why, .. }) => (Ending::Interrupted, Some(format!("{error}: {why}"))),
            Ended::Died(instant) => (Ending::Interrupted, Some(format!("the engine died {instant}"))),
            Ended::Nothing => return Err("nothing was interrupted, so there is nothing to recover".to_owned()),
            Ended::Refused(why) => return Err(why),
        };
        let log = self.scene.world.log();
        let (outage_ms, failed_requests) = outages(&log, before);
        let count = |of: fn(&Deed) -> bool| log.iter().skip(before).filter(|effect| of(&effect.deed)).count() as u64;
        Ok(Report {
            ending,
            generation: self.scene.state().ok().and_then(|state| state.current).unwrap_or_default(),
            created: count(|deed| matches!(deed, Deed::Created(_))),
            destroyed: count(|deed| matches!(deed, Deed::Destroyed { missing: false, .. })),
            outage_ms,
            failed_requests,
            error,
        })
    }

    /// The objects that a command has at an address, those inside of what was expanded too.
    fn objects_at(&self, command: &Command, at: &Addr) -> BTreeSet<ObjectId> {
        let planned = match command {
            Command::Apply(graph) | Command::Adopt(_, graph) => {
                self.plan(graph).map(|plan| plan.nodes).unwrap_or_default()
            }
            Command::Rollback(_) | Command::Drill(_) | Command::Destroy | Command::Recover | Command::AcceptLost(_) => {
                Nodes::default()
            }
        };
        let recorded = self.scene.state().map(|state| state.objects).unwrap_or_default();
        let new = planned.iter().filter(|(address, _)| address.is_within(at)).map(|(_, node)| node.object);
        let old = recorded.into_iter().filter(|(_, object)| object.address.is_within(at)).map(|(id, _)| *id);
        new.chain(old).collect()
    }
}

/// The same graph on the simulated platform.
pub(super) fn simulated(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    graph.nodes.values_mut().for_each(|node| node.provider = IDENTITY.into());
    graph
}

/// How long pointers had no target that acted since the effect number `from`, in milliseconds: the longest, and all
/// together.
pub(super) fn outages(log: &[Effect], from: usize) -> (u64, u64) {
    let mut acting: BTreeSet<ObjectId> = BTreeSet::new();
    let mut targets: BTreeMap<ObjectId, Vec<ObjectId>> = BTreeMap::new();
    let mut lost: BTreeMap<ObjectId, u64> = BTreeMap::new();
    let mut now = 0;
    for (number, effect) in log.iter().enumerate() {
        if number > from {
            let passed = effect.at_ms.saturating_sub(now);
            for (pointer, targets) in &targets {
                if !targets.is_empty() && !targets.iter().any(|target| acting.contains(target)) {
                    *lost.entry(*pointer).or_default() += passed;
                }
            }
        }
        now = effect.at_ms;
        match &effect.deed {
            Deed::Created(made) if !made.dormant && !made.tainted => _ = acting.insert(made.object),
            Deed::Activated(object) => _ = acting.insert(*object),
            Deed::Deactivated(object) => _ = acting.remove(object),
            Deed::Destroyed { object, .. } => {
                acting.remove(object);
                targets.remove(object);
            }
            Deed::Switched { object, to, .. }
            | Deed::Reverted { object, to, .. }
            | Deed::Meddled { object, to, .. } => {
                targets.insert(*object, to.targets.iter().map(|target| target.object).collect());
            }
            Deed::Announced
            | Deed::Created(_)
            | Deed::Ran(_)
            | Deed::Wrote { .. }
            | Deed::Copied { .. }
            | Deed::Renewed { .. }
            | Deed::Confirmed
            | Deed::Drained(_)
            | Deed::Probed(..)
            | Deed::Refused(_)
            | Deed::Away { .. } => {}
        }
    }
    (lost.values().copied().max().unwrap_or_default(), lost.values().sum())
}

/// Why an engine that should have died lived on.
fn no_crash(at: &Addr, entry: &str, there: &[String]) -> String {
    let there = if there.is_empty() { "none at all".to_owned() } else { there.join(", ") };
    format!("no entry `{entry}` about `{at}` was written, so the engine did not die; of `{at}` there were {there}")
}
