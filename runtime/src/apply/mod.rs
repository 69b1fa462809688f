//! The executor: one transaction over the whole graph.
//!
//! In order: `build` (create, verify, bind new pointers early), `handover` (old ones give way to new ones), `job` (runs that
//! are never repeated), `stage` (levels, active set, switch, commit), `window` (a stage while it is held and judged), `drill` (a rollback that is taken down again), `forward` (confirm, drain, retire), `vigil` (what was committed is watched, and the old one kept), `back` (unwind), `pointers` (back to where they were);
//! `recover` settles what another engine left; `tenure` is the lease as providers see it, `heed` what a running apply is told;
//! `demolish` ends objects for both, `active` lets them act and stops them, `call` makes one provider call with its retries,
//! `fill` fills holes. `forward` and `back` work from recorded state alone, so a recovery runs the same code as the apply
//! that was interrupted. Single-threaded; all waiting is on tokio's timer.

mod active;
mod adopt;
mod back;
mod build;
mod call;
mod demolish;
mod drill;
mod event;
mod fill;
mod forward;
mod gc;
mod handover;
mod heed;
mod job;
mod outcome;
mod outside;
mod pace;
mod pointers;
mod progress;
mod recover;
mod stage;
mod tenure;
mod vigil;
mod window;

pub use adopt::{Adoption, Stray};
pub use event::{Event, Side, Traffic};
pub use gc::Collected;
pub use heed::Canceller;
pub use outcome::{EngineError, Outcome};
pub use tenure::Tenure;

use crate::bell::Bell;
use crate::entry::{ApplyStarted, Body, UnwindCause, Verb};
use crate::generation::Recollection;
use crate::id::{ApplyId, ObjectId};
use crate::ledger::{Ledger, LedgerError};
use crate::plan::saved::{self, Attached};
use crate::plan::{Observed, Options, Plan, Shared, plan_on};
use crate::provider::{Error, ErrorKind, Observation, Provider};
use crate::random::Random;
use crate::seal::provider::Sealed;
use crate::state::{Apply, State};
use futures_util::stream::{StreamExt, TryStreamExt};
use imm_ir::{Digest, Graph, SchemaSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Providers by their identity.
pub type Providers = BTreeMap<Arc<str>, Arc<dyn Provider>>;

/// Bounds of an apply.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Steps under way at once.
    pub parallel: usize,
    /// How long a provisional setting lives without a heartbeat.
    pub ttl: Duration,
    /// How often a call is tried again while undoing or cleaning up.
    pub settle_retries: u32,
    /// How long a call that does not wait for health may take.
    pub call_timeout: Duration,
    /// How long an object that acts again may take to be healthy.
    pub hand_back: Duration,
    /// How long to wait for requests in flight when no pointer says so.
    pub drain: Duration,
    /// How long somebody may hold a rollout before it is undone.
    pub paused: Duration,
    /// How long an approval is waited for.
    pub approval: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            parallel: 16,
            ttl: Duration::from_secs(30),
            settle_retries: 6,
            call_timeout: Duration::from_secs(60),
            hand_back: Duration::from_secs(120),
            drain: Duration::from_secs(30),
            paused: Duration::from_secs(3600),
            approval: Duration::from_secs(24 * 3600),
        }
    }
}

/// One command's worth of engine: a ledger, providers, and the lease they are used under.
pub struct Engine {
    ledger: Ledger,
    providers: Providers,
    limits: Limits,
    tenure: Tenure,
    random: Random,
    events: Box<dyn Fn(Event) + Send>,
    cancel: watch::Receiver<u8>,
    canceller: Canceller,
    /// Rung by whoever says something to a running apply.
    bell: Option<Bell>,
    pulse: Arc<tenure::Pulse>,
    /// The head that providers were told; 0: nothing yet.
    announced: (u64, Digest),
    /// Longest outage that a handover of this command made, milliseconds.
    outage_ms: u64,
    /// Since when nobody serves, in a handover that has not come to its end.
    dark_since: Option<Instant>,
    /// Durables that were copied in this command.
    copied: BTreeSet<ObjectId>,
    /// What the pointers' sides meet.
    windows: Vec<window::Window>,
    /// What other processes asked for.
    orders: window::Orders,
    /// This engine committed the open apply.
    committed_here: bool,
    /// Why what was committed is to be rolled back from.
    failed_watch: Option<String>,
    /// Who said yes to the plan that is to be applied, and how.
    approval: Option<String>,
    /// The plan of that rollback.
    way_back: Option<Arc<Plan>>,
}

/// Why the forward part of an apply ends before the commit.
enum Stop {
    /// Undo it.
    Unwind(UnwindCause, String),
    /// Nothing more can be recorded or decided here.
    Fatal(EngineError),
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        Self::Fatal(error.into())
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        Self::Fatal(error)
    }
}

type Step<T> = Result<T, Stop>;

impl Engine {
    /// Takes a ledger that was opened under a lease.
    pub fn new(ledger: Ledger, providers: Providers, limits: Limits, tenure: Tenure, random: Random) -> Self {
        let (sender, cancel) = watch::channel(0);
        let behind = |provider| Arc::new(Sealed::new(provider, Arc::clone(ledger.vault()))) as Arc<dyn Provider>;
        let providers = providers.into_iter().map(|(name, provider)| (name, behind(provider))).collect();
        Self {
            ledger,
            providers,
            limits,
            tenure,
            random,
            events: Box::new(drop),
            cancel,
            canceller: Canceller(Arc::new(sender)),
            bell: None,
            pulse: Arc::default(),
            announced: (0, Digest([0; 32])),
            outage_ms: 0,
            dark_since: None,
            copied: BTreeSet::new(),
            windows: Vec::new(),
            orders: window::Orders::default(),
            committed_here: false,
            failed_watch: None,
            approval: None,
            way_back: None,
        }
    }

    /// Hands every event to `events`.
    #[must_use]
    pub fn with_events(mut self, events: impl Fn(Event) + Send + 'static) -> Self {
        self.events = Box::new(events);
        self
    }

    /// Listens to this bell, beside looking for words by itself.
    #[must_use]
    pub fn with_bell(mut self, bell: Bell) -> Self {
        self.bell = Some(bell);
        self
    }

    /// Somebody said yes to the plan that is applied next: who, and how.
    pub fn approved(&mut self, by: String) {
        self.approval = Some(by);
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Gives the ledger back.
    pub fn into_ledger(self) -> Ledger {
        self.ledger
    }

    /// The recorded state.
    pub fn state(&self) -> &State {
        self.ledger.state()
    }

    /// Kinds by provider: what [`Options::new`] wants.
    pub fn schemas(&self) -> BTreeMap<Arc<str>, SchemaSet> {
        self.providers.iter().map(|(name, p)| (Arc::clone(name), p.schemas().clone())).collect()
    }

    /// The graph of a committed generation; of the newest one for `None`.
    ///
    /// # Errors
    /// It was never committed, or a blob is damaged.
    pub fn graph(&self, generation: Option<u64>) -> Result<Option<Graph>, EngineError> {
        let Some(number) = generation.or(self.state().current) else { return Ok(None) };
        let known = self.state().generations.get(&number).ok_or(EngineError::NoGeneration(number))?;
        if known.expired {
            return Err(EngineError::Expired(number));
        }
        Ok(Some(crate::generation::load(&self.ledger, known)?))
    }

    /// Plans a graph on the recorded state, taking everything to be as it was made.
    ///
    /// # Errors
    /// There is no such plan, or the recorded graph cannot be read.
    pub fn plan(&self, graph: &impl Shared, options: &Options) -> Result<Plan, EngineError> {
        self.plan_observed(graph, &Observed::default(), options)
    }

    /// Plans a graph on the recorded state and what [`observe`](Self::observe) saw.
    ///
    /// # Errors
    /// There is no such plan, or the recorded graph cannot be read.
    pub fn plan_observed(&self, graph: &impl Shared, seen: &Observed, options: &Options) -> Result<Plan, EngineError> {
        let schema = |provider: &str, kind: &str| self.providers.get(provider)?.schemas().get(kind);
        let mut graph = graph.shared();
        if let Some(sealed) = self.ledger.vault().sealed_graph(&graph, &schema).map_err(LedgerError::from)? {
            graph = Arc::new(sealed);
        }
        let (state, root) = (self.state(), graph.root());
        let planned = match state.generation() {
            Some(generation) if generation.graph_root != root => {
                let past = Recollection::new(&self.ledger, generation);
                let planned = plan_on(graph, root, state, Some(&past), seen, options);
                past.end()?;
                planned
            }
            // Of equal roots the record says the same, and need not be read.
            Some(_same) => plan_on(Arc::clone(&graph), root, state, Some(&*graph), seen, options),
            None => plan_on(graph, root, state, None, seen, options),
        };
        self.ledger.sound()?;
        Ok(planned?.0)
    }

    /// Looks at every object of the newest generation and at what is kept beside it. Changes and records nothing.
    ///
    /// # Errors
    /// A provider cannot be asked.
    pub async fn observe(&self) -> Result<Observed, EngineError> {
        let looks = self.state().objects.iter().filter(|(_, o)| o.state.usable()).filter_map(|(id, object)| {
            let (provider, handle) = self.providers.get(&object.provider).zip(object.handle.as_ref())?;
            Some(async move { Ok((*id, self.look_at(*id, object, provider, handle).await?)) })
        });
        let seen = futures_util::stream::iter(looks).buffer_unordered(self.limits.parallel.max(1));
        let objects: BTreeMap<ObjectId, Observation> = seen.try_collect().await.map_err(EngineError::Provider)?;
        Ok(Observed { objects })
    }

    /// Applies a plan. A plan without anything to do changes and records nothing.
    ///
    /// # Errors
    /// Nothing was changed (stale plan, another apply is open, a provider refuses the fence), or recording became impossible
    /// and [`recover`](Self::recover) has to settle it.
    pub async fn apply(&mut self, plan: &Plan, attached: &Attached) -> Result<Outcome, EngineError> {
        if self.state().open_apply().is_some() {
            return Err(EngineError::Open);
        }
        saved::check(plan, self.state())?;
        if plan.is_empty(self.state()) {
            return Ok(Outcome::NothingToDo);
        }
        self.announce().await?;
        let outcome = self.carry_out(plan, attached).await?;
        let Some(why) = self.failed_watch.take() else { return Ok(outcome) };
        self.go_back(outcome, why).await
    }

    async fn carry_out(&mut self, plan: &Plan, attached: &Attached) -> Result<Outcome, EngineError> {
        let began = Instant::now();
        self.start(plan, attached)?;
        let heart = self.heartbeat();
        let outcome = tokio::select! {
            biased;
            outcome = self.drive(plan, began) => outcome?,
            () = heart => return Err(EngineError::Interrupted),
        };
        Ok(outcome)
    }

    async fn drive(&mut self, plan: &Plan, began: Instant) -> Result<Outcome, EngineError> {
        let stop = self.signalled(1);
        let drill = if let Verb::Drill { of } = plan.verb { Some(of) } else { None };
        let forward = async {
            if drill.is_some() {
                return self.rehearse(plan).await;
            }
            let moved = self.build(plan).await?;
            self.roll_out(plan, &moved).await?;
            self.commit(plan)
        };
        // Whatever is dropped here has its intent on disk: undoing settles it.
        let done = tokio::select! {
            biased;
            () = stop => Err(Stop::Unwind(UnwindCause::Signal, "stopped by a signal".to_owned())),
            done = forward => done,
        };
        if let Some(generation) = drill {
            return self.end_drill(plan, generation, done, began).await;
        }
        match done {
            Ok(()) => self.forward(began).await,
            Err(Stop::Unwind(cause, error)) => {
                (self.events)(Event::Failed { error: error.clone() });
                self.unwind(cause, &error, began).await
            }
            // Whoever holds the lease may go on: a provider also stops to listen when a setting was not renewed in time. If
            // there is another holder, undoing finds out before it has begun.
            Err(Stop::Fatal(EngineError::Provider(error))) if error.kind == ErrorKind::Fenced => {
                self.unwind(UnwindCause::LeaseLost, &error.message, began).await
            }
            Err(Stop::Fatal(error)) => Err(error),
        }
    }

    fn start(&mut self, plan: &Plan, attached: &Attached) -> Result<(), EngineError> {
        let id = ApplyId(self.random.id());
        let seed = self.random.number();
        let sources = if attached.sources.is_empty() { None } else { Some(self.ledger.keep(&attached.sources)?) };
        let params = if attached.params.is_empty() { None } else { Some(self.ledger.keep(&attached.params)?) };
        let started_digest = plan.digest();
        let started = ApplyStarted {
            verb: plan.verb.clone(),
            plan_digest: started_digest,
            plan: self.ledger.keep(&plan.steps)?,
            base_generation: plan.base_generation,
            base_digest: plan.base,
            graph_root: plan.graph_root,
            sources,
            params,
            commit: attached.commit.clone(),
            because: attached.because.clone(),
            seed,
            keep: plan.keep,
            retain: plan.retain,
            commit_at_ms: attached.commit_at_ms,
            watch_ms: if plan.verb == Verb::Apply { plan.graph.policy.watch_ms } else { 0 },
        };
        let mut bodies = vec![self.tenure_entry(), Body::ApplyStarted(Box::new(started))];
        bodies.extend(self.approval.take().map(|by| Body::Approved { plan: started_digest, by, signature: None }));
        // What was said before it began is not meant for it.
        bodies.extend(self.unheard()?);
        bodies.extend(plan.consents.iter().map(|c| Body::Consented {
            plan: started_digest,
            kind: c.kind,
            subjects: c.subjects.clone(),
            because: c.because.clone(),
        }));
        self.ledger.append(Some(id), bodies, true)?;
        (self.events)(Event::Started { apply: id, steps: plan.steps.len() });
        Ok(())
    }

    fn open(&self) -> Result<&Apply, EngineError> {
        self.state().open_apply().ok_or(EngineError::Interrupted)
    }

    /// Appends to the open apply.
    fn append(&mut self, bodies: Vec<Body>, sync: bool) -> Result<(), EngineError> {
        let id = self.open()?.id;
        Ok(self.ledger.append(Some(id), bodies, sync)?)
    }

    /// Takes down results of the open apply that go to the disk with the next intents, or before anything is waited for
    /// ([`write_noted`](Self::write_noted)): then a crash between the two loses nothing that a crash before them would not.
    fn note(&mut self, bodies: Vec<Body>) -> Result<(), EngineError> {
        let id = self.open()?.id;
        Ok(self.ledger.note(id, bodies)?)
    }

    /// Puts what was only noted on the disk.
    fn write_noted(&mut self) -> Result<(), EngineError> {
        Ok(self.ledger.write_noted()?)
    }

    fn next_step(&self) -> u32 {
        self.state().open_apply().map_or(0, |a| a.next_step)
    }

    /// A failed provider call, before the commit.
    fn failed(what: &str, error: &Error) -> Stop {
        let help = error.help.as_deref().map_or_else(String::new, |h| format!(" ({h})"));
        let cause = match error.kind {
            ErrorKind::Fenced => UnwindCause::LeaseLost,
            ErrorKind::Transient
            | ErrorKind::Permanent
            | ErrorKind::Epoch
            | ErrorKind::Claim
            | ErrorKind::Tombstone => UnwindCause::Failed(None),
        };
        if cause == UnwindCause::LeaseLost {
            return Stop::Fatal(EngineError::Provider(error.clone()));
        }
        Stop::Unwind(cause, format!("{what}: {}{help}", error.message))
    }
}
