//! Runs the real engine in a simulated world, lets it die anywhere, recovers, and asks the oracle.
//!
//! Made for a single-threaded runtime with paused time; then a scene is a function of its seed. A scene outlives its
//! engines: each command is a new one, with the next lease, on the same disk and world.

use super::call::{Client, Place};
use super::life::{Life, Mortal, MortalStore};
use super::oracle::{self, Evidence, Promise, Span, Turn, Violation};
use super::world::World;
use crate::apply::{Engine, EngineError, Limits, Outcome, Providers, Tenure};
use crate::clock::Clock;
use crate::entry::{Actor, Body, Verb};
use crate::id::{Lineage, ObjectId};
use crate::lease::TURNS;
use crate::ledger::{Ledger, LedgerError};
use crate::plan::saved::Attached;
use crate::plan::{Action, Fate, Options, Plan, Start, Step, Undo};
use crate::provider::{Level, Provider};
use crate::random::Random;
use crate::rollout;
use crate::state::State;
use crate::store::memory::MemoryStore;
use crate::store::{Record, Store};
use imm_ir::{Addr, Class, Digest, Graph};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Names and texts.
type Told = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// What plans promised, by their digests; those that work on the same ledger know of each other's.
type Promises = Arc<Mutex<Vec<(Digest, Promise)>>>;

/// One environment and its world.
#[derive(Debug)]
pub struct Scene {
    /// The world.
    pub world: World,
    /// The ledger's disk.
    pub disk: MemoryStore,
    seed: u64,
    lease: u64,
    began: Instant,
    promises: Promises,
    spans: Vec<Span>,
    /// Its clock says anything.
    wild: bool,
    /// Programs may name the other provider, too.
    afar: bool,
    /// What must not be told, beside what its objects give.
    secrets: Vec<String>,
    /// What was told: events, ends, plans.
    told: Told,
    /// Objects that a fault after their commit made unhealthy.
    pub degraded: BTreeSet<ObjectId>,
    /// Durables and pointers that get another address, old to new, for the commands that follow.
    pub renames: BTreeMap<Addr, Addr>,
}

/// What a command is to do.
#[derive(Clone, Debug)]
pub enum Command {
    /// Makes this graph true.
    Apply(Box<Graph>),
    /// Goes back to an earlier generation's graph.
    Rollback(u64),
    /// Rehearses going back.
    Drill(u64),
    /// Ends everything.
    Destroy,
    /// Settles what was interrupted.
    Recover,
    /// Settles it, giving up what is declared at or below this address.
    AcceptLost(Addr),
    /// Takes over what is, or may be, there: as what this graph declares at the address.
    Adopt(Addr, Box<Graph>),
}

impl Command {
    /// Its name, for reports.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Apply(_) => "apply",
            Self::Rollback(_) => "rollback",
            Self::Drill(_) => "drill",
            Self::Destroy => "destroy",
            Self::Recover => "recover",
            Self::AcceptLost(_) => "recover with something given up",
            Self::Adopt(..) => "adopt",
        }
    }
}

/// How a command ended.
#[derive(Debug)]
pub enum Ended {
    /// It came to its end.
    Outcome(Outcome),
    /// There was nothing to recover.
    Nothing,
    /// It changed nothing, or stopped with an error.
    Refused(String),
    /// Its engine died there.
    Died(String),
}

/// Takes the first thing over that was declared at the address, or that no entry speaks of.
async fn adopt(engine: &mut Engine, address: &Addr, graph: &Graph) -> Ended {
    let options = Options::new(engine.schemas());
    let work = async {
        let plan = engine.plan(graph, &options)?;
        let strays = engine.strays().await?;
        let here = strays.iter().find(|s| s.address.as_ref() == Some(address));
        let Some(stray) = here.or(strays.first()) else { return Ok(None) };
        engine.adopt(stray, address, &plan, "simulated").await.map(Some)
    };
    let done: Result<_, EngineError> = work.await;
    match done {
        Ok(Some(_)) => Ended::Nothing,
        Ok(None) => Ended::Refused("there is nothing to take over".to_owned()),
        Err(error) => Ended::Refused(error.to_string()),
    }
}

/// The clock of virtual time.
#[derive(Debug)]
struct Virtual {
    began: Instant,
    /// Says anything within two hours, another one each time.
    wild: Option<Mutex<Random>>,
}

impl Clock for Virtual {
    fn now_ms(&self) -> i64 {
        let now = 1_700_000_000_000 + i64::try_from(self.began.elapsed().as_millis()).unwrap_or(0);
        let Some(wild) = &self.wild else { return now };
        let jump = wild.lock().unwrap_or_else(PoisonError::into_inner).below(7_200_000);
        now + i64::try_from(jump).unwrap_or(0) - 3_600_000
    }
}

impl Scene {
    /// An empty environment in an empty world.
    pub fn new(seed: u64) -> Self {
        Self::within(World::new(seed, Box::new(|| 0)), seed)
    }

    /// An empty environment in a world that others live in, too. Each has a seed of its own.
    pub fn within(world: World, seed: u64) -> Self {
        let disk = MemoryStore::default();
        let head = disk.clone();
        world.link(lineage(seed), Box::new(move || head.synced()));
        Self {
            world,
            disk,
            seed,
            lease: 0,
            began: Instant::now(),
            promises: Promises::default(),
            spans: Vec::new(),
            wild: false,
            afar: false,
            secrets: Vec::new(),
            told: Arc::default(),
            degraded: BTreeSet::new(),
            renames: BTreeMap::new(),
        }
    }

    /// The same environment as another process sees it: same disk, same world, later leases.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            world: self.world.clone(),
            disk: self.disk.clone(),
            lease: self.lease + 1,
            promises: Arc::clone(&self.promises),
            spans: self.spans.clone(),
            secrets: self.secrets.clone(),
            told: Arc::clone(&self.told),
            degraded: self.degraded.clone(),
            renames: self.renames.clone(),
            ..*self
        }
    }

    /// Lets programs name the other provider of the world, too.
    pub fn reaches_afar(&mut self) {
        self.afar = true;
    }

    /// What its programs say and nobody may read: from now on everything that is told is kept and looked through.
    pub fn keeps_secret(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    /// How long each command took.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    fn promised(&self) -> std::sync::MutexGuard<'_, Vec<(Digest, Promise)>> {
        self.promises.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, name: &str, what: impl FnOnce() -> Vec<u8>) {
        if !self.secrets.is_empty() {
            self.told.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), what()));
        }
    }

    /// Whether the clock jumps up to an hour, forwards and back, each time that it is read.
    pub fn wild_clock(&mut self, wild: bool) {
        self.wild = wild;
    }

    /// What there is, by address and without names that differ from run to run: what of the newest generation exists and how
    /// it is, where its pointers lead.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn shape(&self) -> Result<BTreeMap<String, String>, String> {
        let state = self.state()?;
        let mut shape = BTreeMap::new();
        let Some(generation) = state.generation() else { return Ok(shape) };
        for (address, id) in generation.objects.iter() {
            let Some(object) = state.objects.get(id) else { continue };
            let pointer = self.world.pointer(*id);
            let targets: Vec<String> =
                pointer.iter().flat_map(|(_, s, _)| &s.targets).map(|t| t.address.to_string()).collect();
            let level = if object.nature == imm_ir::Nature::Process { self.world.level(*id) } else { Level::Healthy };
            shape.insert(address.to_string(), format!("{} {} {level:?} {targets:?}", object.kind, object.spec.hex()));
        }
        Ok(shape)
    }

    /// What is there of the world, but for content: objects and how they are, and where pointers lead.
    pub fn there(&self) -> Vec<String> {
        let log = self.world.log();
        let made =
            log.iter().filter_map(|e| if let super::effect::Deed::Created(made) = &e.deed { Some(made) } else { None });
        let nature: BTreeMap<ObjectId, _> = made.map(|m| (m.object, (m.nature, m.class))).collect();
        let keeps =
            |id: &ObjectId| !matches!(nature.get(id), Some((imm_ir::Nature::Content, _) | (_, imm_ir::Class::Durable)));
        let show = |id: ObjectId| {
            let targets = self.world.pointer(id).map(|(_, s, _)| s);
            format!("{} {:?} {targets:?}", id.short(), self.world.level(id))
        };
        self.world.objects().into_iter().filter(keeps).map(show).collect()
    }

    /// Runs one command with an engine of its own. `keep` overrules the program's.
    pub async fn run(&mut self, command: &Command, keep: Option<u32>, life: &Life) -> Ended {
        let began = self.world.now_ms();
        let ended = self.one(command, keep, life).await;
        self.tell("how a command ended", || format!("{ended:?}").into_bytes());
        let question = match &ended {
            Ended::Outcome(Outcome::Stuck { why, .. }) => Some(why.clone()),
            _other => None,
        };
        let steps = self.promised().last().map_or(0, |(_, promise)| promise.steps);
        self.spans.push(Span {
            what: format!("{} (number {})", command.word(), self.lease),
            took_ms: self.world.now_ms() - began,
            steps,
            question,
        });
        ended
    }

    async fn one(&mut self, command: &Command, keep: Option<u32>, life: &Life) -> Ended {
        self.lease += 1;
        let opened = match self.open(life) {
            Ok(engine) => engine,
            Err(_) if life.ended().is_some() => return Ended::Died(life.ended().unwrap_or_default()),
            Err(e) => return Ended::Refused(e.to_string()),
        };
        let mut engine = opened;
        life.hears(engine.canceller());
        if !self.secrets.is_empty() {
            let told = Arc::clone(&self.told);
            engine = engine.with_events(move |event| {
                let text = serde_json::to_vec(&event).unwrap_or_default();
                told.lock().unwrap_or_else(PoisonError::into_inner).push(("an event".to_owned(), text));
            });
        }
        let promises = Arc::clone(&self.promises);
        let work = async {
            if let Command::AcceptLost(address) = command
                && let Err(e) = engine.accept_lost(address, "simulated")
            {
                return Ended::Refused(e.to_string());
            }
            let (graph, verb) = match command {
                Command::Adopt(address, graph) => return adopt(&mut engine, address, graph).await,
                Command::Recover | Command::AcceptLost(_) => {
                    return match engine.recover().await {
                        Ok(Some(outcome)) => {
                            engine.anchor().await;
                            Ended::Outcome(outcome)
                        }
                        Ok(None) => Ended::Nothing,
                        Err(e) => Ended::Refused(e.to_string()),
                    };
                }
                Command::Apply(graph) => ((**graph).clone(), Verb::Apply),
                Command::Destroy => (Graph::default(), Verb::Destroy),
                Command::Rollback(to) | Command::Drill(to) => match engine.graph(Some(*to)) {
                    Ok(graph) if matches!(command, Command::Drill(_)) => {
                        (graph.unwrap_or_default(), Verb::Drill { of: *to })
                    }
                    Ok(graph) => (graph.unwrap_or_default(), Verb::Rollback { to: *to }),
                    Err(e) => return Ended::Refused(e.to_string()),
                },
            };
            let mut options = Options::new(engine.schemas());
            // Whoever runs a scene means it.
            options.never = graph.nodes.keys().cloned().collect();
            options.replace.clone_from(&options.never);
            options.renames.clone_from(&self.renames);
            options.across = engine.state().objects.values().map(|o| o.address.clone()).collect();
            (options.above_limit, options.again) = (true, true);
            options.keep = if verb == Verb::Destroy { Some(0) } else { keep };
            options.verb = verb;
            let plan = match engine.plan(&graph, &options) {
                Ok(plan) => plan,
                Err(e) => return Ended::Refused(e.to_string()),
            };
            promises.lock().unwrap_or_else(PoisonError::into_inner).push((plan.digest(), promise(&plan)));
            if !self.secrets.is_empty() {
                let text = postcard::to_stdvec(&plan).unwrap_or_default();
                self.told.lock().unwrap_or_else(PoisonError::into_inner).push(("a plan".to_owned(), text));
            }
            match engine.apply(&plan, &Attached::default()).await {
                Ok(Outcome::NothingToDo) => Ended::Outcome(Outcome::NothingToDo),
                Ok(outcome) => {
                    engine.anchor().await;
                    Ended::Outcome(outcome)
                }
                Err(e) => Ended::Refused(e.to_string()),
            }
        };
        let ended = tokio::select! {
            biased;
            () = life.end() => Ended::Died(String::new()),
            ended = work => ended,
        };
        self.promised().extend(engine.way_back().map(|plan| (plan.digest(), promise(plan))));
        match life.ended() {
            Some(instant) => Ended::Died(instant),
            None => ended,
        }
    }

    /// The plan of a graph on what is recorded now.
    ///
    /// # Errors
    /// The ledger cannot be read, or there is no such plan.
    pub fn plan(&self, graph: &Graph) -> Result<(Plan, bool), String> {
        let engine = self.open(&Life::default()).map_err(|e| e.to_string())?;
        let plan = engine.plan(graph, &Options::new(engine.schemas())).map_err(|e| e.to_string())?;
        let empty = plan.is_empty(engine.state());
        Ok((plan, empty))
    }

    /// The graph of the newest generation.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn graph(&self) -> Result<Option<Graph>, String> {
        let engine = self.open(&Life::default()).map_err(|e| e.to_string())?;
        engine.graph(None).map_err(|e| e.to_string())
    }

    /// The recorded state.
    ///
    /// # Errors
    /// The ledger cannot be read, or what is written down beside its entries is not what they fold to.
    pub fn state(&self) -> Result<State, String> {
        let engine = self.open(&Life::default()).map_err(|e| e.to_string())?;
        engine.ledger().verify().map_err(|e| e.to_string())?;
        let differ = engine.ledger().compare().map_err(|e| e.to_string())?;
        if differ.is_empty() { Ok(engine.state().clone()) } else { Err(format!("otherwise written down: {differ:?}")) }
    }

    /// Everything on the disk.
    pub fn records(&self) -> Vec<Record> {
        self.disk.read(1).unwrap_or_default()
    }

    /// What the oracle judges.
    pub fn evidence(&self) -> Evidence {
        let records = self.records();
        let lineage = Some(lineage(self.seed));
        let mut evidence =
            Evidence { effects: self.world.log(), lineage, spans: self.spans.clone(), ..Evidence::default() };
        let promised = self.promised();
        for (_, entry) in oracle::entries(&records) {
            let (Body::ApplyStarted(started), Some(id)) = (&entry.body, entry.header.apply) else { continue };
            let promise = promised.iter().find(|(digest, _)| *digest == started.plan_digest);
            evidence.promises.extend(promise.map(|(_, promise)| (id, promise.clone())));
        }
        evidence.records = records;
        evidence
    }

    /// How many generations were committed.
    pub fn generations(&self) -> u64 {
        let committed = |entry: &crate::entry::Entry| matches!(entry.body, Body::Committed(_));
        oracle::entries(&self.records()).iter().filter(|(_, e)| committed(e)).count() as u64
    }

    /// What must hold at every instant, up to now.
    pub fn judge(&self) -> Vec<Violation> {
        oracle::judge(&self.evidence())
    }

    /// What must hold now that all is quiet, too.
    pub fn judge_at_rest(&self) -> Vec<Violation> {
        let evidence = self.evidence_at_rest();
        let mut found = oracle::judge(&evidence);
        found.extend(oracle::rest::judge(&evidence, &self.world, &self.degraded));
        found
    }

    /// What the oracle judges now that all is quiet: what is held and what was told, too.
    pub fn evidence_at_rest(&self) -> Evidence {
        let mut evidence = self.evidence();
        let there = self.world.objects_of(evidence.lineage);
        evidence.data = there.into_iter().filter_map(|id| Some((id, self.world.data(id)?))).collect();
        if !self.secrets.is_empty() {
            evidence.secrets = self.secrets.iter().cloned().chain(self.world.secrets()).collect();
            evidence.told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let blobs = self.disk.blobs().unwrap_or_default();
            evidence.told.extend(blobs.into_iter().map(|(name, bytes)| (format!("blob {}", name.short()), bytes)));
        }
        evidence
    }

    fn open(&self, life: &Life) -> Result<Engine, LedgerError> {
        let store = MortalStore { disk: self.disk.clone(), life: life.clone() };
        let wild = self.wild.then(|| Mutex::new(Random::seeded(self.lease)));
        let clock = Arc::new(Virtual { began: self.began, wild });
        let actor = Actor { user: "simulated".into(), host: "simulated".into(), tool_version: "0".into() };
        let mut ledger = Ledger::open(Box::new(store), clock, actor, self.lease * TURNS)?;
        ledger.initialize(lineage(self.seed), "simulated")?;
        let mut providers = Providers::new();
        for place in [Place::Here, Place::Afar].into_iter().filter(|place| self.afar || *place == Place::Here) {
            let mortal = Mortal { world: self.world.at(place), life: life.clone() };
            let provider: Arc<dyn Provider> = Arc::new(Client::at(place, mortal));
            providers.insert(Arc::from(place.identity()), provider);
        }
        let tenure = Tenure::default();
        let random = Random::seeded(self.seed.wrapping_mul(1_000_003).wrapping_add(self.lease));
        Ok(Engine::new(ledger, providers, Limits::default(), tenure, random))
    }
}

/// The lineage of a scene.
fn lineage(seed: u64) -> Lineage {
    let mut lineage = [0; 16];
    lineage.iter_mut().zip(seed.to_le_bytes()).for_each(|(to, from)| *to = from);
    Lineage(lineage)
}

fn turns(turns: &[rollout::Turn]) -> BTreeMap<ObjectId, Turn> {
    let turn = |turn: &rollout::Turn| {
        let targets = turn.targets.iter().map(|share| (share.object, share.weight)).collect();
        (turn.pointer, Turn { weight: turn.weight, targets })
    };
    turns.iter().map(turn).collect()
}

/// What the oracle may know of a plan.
pub fn promise(plan: &Plan) -> Promise {
    let of = |action: Action| plan.steps.iter().filter(move |s| s.action == action).filter_map(|s| s.object).collect();
    // What was taken over is taken into service as if an earlier apply had made it.
    let taken = |action: Action, durable: bool| {
        let adopted = |s: &&Step| s.action == Action::Adopt && (s.class == Class::Durable) == durable;
        let taken = plan.steps.iter().filter(|s| s.action == action || adopted(s));
        taken.filter_map(|s| s.object).collect()
    };
    let mut promise = Promise {
        creates: of(Action::Create),
        switches: of(Action::Switch),
        destroys: of(Action::Destroy),
        activates: of(Action::Activate),
        deactivates: of(Action::Deactivate),
        renames: of(Action::Rename),
        reuses: taken(Action::Reuse, false),
        attaches: taken(Action::Attach, true),
        retains: of(Action::Retain),
        releases: of(Action::Release),
        stages: plan.rollout.stages.iter().rev().skip(1).rev().map(|stage| turns(&stage.turns)).collect(),
        finals: plan.switches.iter().map(|s| (s.object, s.targets.iter().map(|(_, id)| *id).collect())).collect(),
        steps: plan.steps.len(),
        outage_ms: plan.steps.iter().map(|s| s.outage_ms).max().unwrap_or(0),
        ..Promise::default()
    };
    for planned in plan.nodes.values() {
        let makes = planned.fate == Fate::Create;
        let cost = match &planned.start {
            Start::AtOnce | Start::Rolling => 0,
            Start::Final => {
                promise.by_itself.insert(planned.object);
                0
            }
            Start::Handover(handover) => {
                promise.gives_way.extend(&handover.olds);
                1
            }
            Start::Job(job) => {
                if makes {
                    promise.runs.insert(planned.object);
                }
                match job.cost() {
                    Undo::Free => 0,
                    Undo::Seconds => 1,
                    Undo::Never => 2,
                }
            }
        };
        if makes {
            let after = planned.after.iter().filter_map(|a| plan.nodes.get(a)).map(|n| n.object).collect();
            promise.costs.insert(planned.object, (cost, after));
        }
    }
    promise
}
