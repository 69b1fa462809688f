//! The executor: one transaction over the whole graph.
//!
//! In order: `build` (create, verify, bind new pointers early), `handover` (old ones give way to new ones), `job` (runs that
//! are never repeated), `stage` (levels, active set, switch, commit), `window` (a stage while it is held and judged), `drill` (a rollback that is taken down again), `forward` (confirm, drain, retire), `vigil` (what was committed is watched, and the old one kept), `back` (unwind);
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
mod job;
mod outcome;
mod outside;
mod progress;
mod stage;
mod vigil;
mod window;

pub use adopt::{Adoption, Stray};
pub use event::{Event, Side, Traffic};
pub use gc::Collected;
pub use outcome::{EngineError, Outcome};

use crate::entry::{ApplyStarted, Body, ConsentKind, SignalVerb, UnwindCause, Verb, Verdict};
use crate::generation::Recollection;
use crate::id::{ApplyId, ObjectId};
use crate::lease::{Holder, TookOver};
use crate::ledger::{Ledger, LedgerError};
use crate::plan::saved::{self, Attached};
use crate::plan::{Observed, Options, Plan, Shared, plan_on};
use crate::provider::{Ctx, Error, ErrorKind, Observation, Provider};
use crate::random::Random;
use crate::seal::provider::Sealed;
use crate::state::{Apply, State};
use crate::store::StoreError;
use futures_util::stream::{StreamExt, TryStreamExt};
use imm_ir::{Addr, Digest, Graph, SchemaSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// Who runs the command: its lease.
#[derive(Clone, Debug, Default)]
pub struct Tenure {
    /// This process.
    pub holder: Holder,
    /// Whom it took over from.
    pub took_over: Option<TookOver>,
    /// Why, when that one was alive.
    pub because: Option<String>,
}

/// Tells a running apply to stop: once to unwind, twice to stop at once.
#[derive(Clone, Debug)]
pub struct Canceller(Arc<watch::Sender<u8>>);

impl Canceller {
    /// One more signal.
    pub fn signal(&self) {
        self.0.send_modify(|n| *n = n.saturating_add(1));
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
    /// A setting in force is provisional: the heartbeat beats.
    provisional: Arc<AtomicBool>,
    announced: bool,
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
            provisional: Arc::default(),
            announced: false,
            outage_ms: 0,
            dark_since: None,
            copied: BTreeSet::new(),
            windows: Vec::new(),
            orders: window::Orders::default(),
            committed_here: false,
            failed_watch: None,
            approval: None,
        }
    }

    /// Hands every event to `events`.
    #[must_use]
    pub fn with_events(mut self, events: impl Fn(Event) + Send + 'static) -> Self {
        self.events = Box::new(events);
        self
    }

    /// Somebody said yes to the plan that is applied next: who, and how.
    pub fn approved(&mut self, by: String) {
        self.approval = Some(by);
    }

    /// For signal handlers.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Ends when the process was told to stop.
    pub fn told_to_stop(&self) -> impl Future<Output = ()> + use<> {
        self.signalled(1)
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

    /// Why the newest generation is to be rolled back from, when its watch failed and nobody has begun to.
    fn owed_return(&self) -> Option<String> {
        let last = self.state().applies.last().filter(|a| a.watched == Some(Verdict::Fail))?;
        last.error.clone().filter(|_| last.generation == self.state().current)
    }

    /// Why an apply was going back by itself that was interrupted and has just been undone: it is begun again.
    fn unfinished_return(&self, outcome: &Outcome) -> Option<String> {
        let last = self.state().applies.last()?;
        let returning = matches!(last.started.verb, Verb::AutoRollback { of } if Some(of) == self.state().current);
        let undone = matches!(outcome, Outcome::RolledBack { .. }) && returning;
        undone.then(|| last.started.because.clone()).flatten()
    }

    /// What was committed failed its watch: an apply of its own goes back to what was in force before.
    async fn go_back(&mut self, outcome: Outcome, why: String) -> Result<Outcome, EngineError> {
        let Some(plan) = self.plan_back()? else { return Ok(outcome) };
        let failed = self.state().current.unwrap_or(0);
        let attached = Attached { because: Some(why.clone()), ..Attached::default() };
        Ok(match self.carry_out(&plan, &attached).await? {
            Outcome::Committed { generation, leftovers, took_ms, .. } => {
                Outcome::Reverted { failed, generation, error: why, leftovers, took_ms }
            }
            other => other,
        })
    }

    /// Settles what an interrupted apply left: before its commit it is undone, after it goes on; a rollback that a failed watch
    /// asked for is carried out. `None`: nothing was open.
    ///
    /// # Errors
    /// A provider refuses the fence, or recording is impossible.
    pub async fn recover(&mut self) -> Result<Option<Outcome>, EngineError> {
        let Some(forward) = self.state().open_apply().map(|a| a.phase.forward()) else {
            let Some(why) = self.owed_return() else { return Ok(None) };
            self.announce().await?;
            return self.go_back(Outcome::NothingToDo, why).await.map(Some);
        };
        self.announce().await?;
        let began = Instant::now();
        let tenure = self.tenure_entry();
        self.ledger.append(None, vec![tenure], true)?;
        let heart = self.heartbeat();
        let settle = async {
            if forward {
                self.forward(began).await
            } else {
                self.unwind(UnwindCause::Crash, "interrupted", began).await
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = settle => outcome?,
            () = heart => return Err(EngineError::Interrupted),
        };
        match self.failed_watch.take().or_else(|| self.unfinished_return(&outcome)) {
            Some(why) => self.go_back(outcome, why).await.map(Some),
            None => Ok(Some(outcome)),
        }
    }

    /// Gives up what holds an interrupted apply, in so many words: the next [`recover`](Self::recover) leaves it as it is.
    /// Answers how many objects of that apply are declared there.
    ///
    /// # Errors
    /// No apply is open, or recording is impossible.
    pub fn accept_lost(&mut self, address: &Addr, because: &str) -> Result<usize, EngineError> {
        let apply = self.state().open_apply().ok_or(EngineError::NothingOpen)?;
        let (id, plan) = (apply.id, apply.started.plan_digest);
        let touched = |object: &ObjectId, made_by: ApplyId| {
            made_by == id || apply.acted.contains_key(object) || apply.before.contains_key(object)
        };
        let at = self.state().objects.iter().filter(|(_, o)| o.address.is_within(address) && o.state.exists());
        let subjects: Vec<ObjectId> = at.filter(|(id, o)| touched(id, o.made_by)).map(|(id, _)| *id).collect();
        let count = subjects.len();
        if count > 0 {
            let (kind, because) = (ConsentKind::AcceptLost, because.to_owned());
            self.ledger.append(Some(id), vec![Body::Consented { plan, kind, subjects, because }], true)?;
        }
        Ok(count)
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
            Err(Stop::Fatal(error)) => Err(error),
        }
    }

    /// Ends when the process was told to stop so many times.
    fn signalled(&self, times: u8) -> impl Future<Output = ()> + use<> {
        let mut cancel = self.cancel.clone();
        async move {
            if cancel.wait_for(|n| *n >= times).await.is_err() {
                std::future::pending::<()>().await;
            }
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

    fn tenure_entry(&self) -> Body {
        let took_over = self.tenure.took_over.as_ref().map(|t| crate::entry::Takeover {
            fence: t.fence,
            holder: t.holder.clone(),
            lock_free: self.tenure.because.is_none(),
            because: self.tenure.because.clone(),
        });
        Body::LeaseTaken { holder: self.tenure.holder.clone(), took_over }
    }

    /// The first act of every apply and recovery: from here on no provider listens to an older engine.
    async fn announce(&mut self) -> Result<(), EngineError> {
        if self.announced {
            return Ok(());
        }
        // A provider remembers the head: an entry that a power cut could still take would look like a forked ledger.
        self.ledger.settle()?;
        // Looked at first: what is refused must not have told its fence to anybody.
        self.check_forks().await?;
        let (ctx, head) = (self.ctx(self.limits.call_timeout), self.ledger.head());
        for (name, provider) in self.providers.clone() {
            let seen = self.retry(0, 3, || provider.announce(&ctx, head)).await.map_err(EngineError::Provider)?;
            self.check_forked(&name, seen)?;
        }
        self.announced = true;
        Ok(())
    }

    /// Refuses when a provider saw another ledger of this lineage go further than this one, or otherwise. Tells them nothing.
    ///
    /// # Errors
    /// This is a copy, or a provider cannot be asked.
    pub async fn check_forks(&self) -> Result<(), EngineError> {
        let ctx = self.ctx(self.limits.call_timeout);
        for (name, provider) in &self.providers {
            let seen = self.retry(0, 3, || provider.seen(&ctx)).await.map_err(EngineError::Provider)?;
            self.check_forked(name, seen)?;
        }
        Ok(())
    }

    /// A later entry than our last, or another entry at its place: this is not the ledger that was seen.
    fn check_forked(&self, provider: &str, seen: Option<(u64, Digest)>) -> Result<(), EngineError> {
        let Some((seq, hash)) = seen.filter(|(seq, _)| *seq > 0) else { return Ok(()) };
        let head = self.ledger.head().0;
        if seq > head || self.ledger.hash_at(seq)? != Some(hash) {
            return Err(EngineError::Forked { provider: provider.to_owned(), seq, head });
        }
        Ok(())
    }

    /// Leaves the head with every provider, so that a copy, or what is cut off here later, is found. A provider that does
    /// not answer has the head of the beginning.
    pub async fn anchor(&self) {
        let (ctx, head) = (self.ctx(self.limits.call_timeout), self.ledger.head());
        for provider in self.providers.values() {
            drop(provider.announce(&ctx, head).await);
        }
    }

    fn ctx(&self, timeout: Duration) -> Ctx {
        let state = self.state();
        // The number the open apply will commit, or has.
        let generation = match state.open_apply() {
            Some(apply) if apply.generation.is_none() => state.current.unwrap_or(0) + 1,
            _other => state.current.unwrap_or(0),
        };
        let lineage = state.lineage.unwrap_or(crate::id::Lineage([0; 16]));
        Ctx { lineage, fence: self.ledger.fence(), generation, timeout }
    }

    /// Keeps provisional settings alive; never ends.
    fn heartbeat(&self) -> impl Future<Output = ()> + use<> {
        let (providers, ctx) = (self.providers.clone(), self.ctx(self.limits.call_timeout));
        let (ttl, provisional) = (self.limits.ttl, Arc::clone(&self.provisional));
        async move {
            loop {
                tokio::time::sleep(ttl / 3).await;
                if provisional.load(Ordering::Relaxed) {
                    for provider in providers.values() {
                        // A missed beat is no failure: the next one, or the provider's own return, follows.
                        drop(provider.renew(&ctx, ttl).await);
                    }
                }
            }
        }
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

    /// Unwinds when somebody asked for it; takes note of what else was said.
    fn check_stop(&mut self) -> Step<()> {
        if *self.cancel.borrow() > 0 {
            return Err(Stop::Unwind(UnwindCause::Signal, "stopped by a signal".to_owned()));
        }
        let heard = self.unheard()?;
        let abort = heard.iter().find_map(|body| match body {
            Body::Signalled { verb: SignalVerb::Abort, by, .. } => Some(format!("aborted by {by}")),
            _other => None,
        });
        for body in &heard {
            if let Body::Signalled { verb, .. } = body {
                self.orders.hear(*verb);
            }
        }
        self.append(heard, false)?;
        abort.map_or(Ok(()), |why| Err(Stop::Unwind(UnwindCause::Aborted, why)))
    }

    /// Words of other processes that are not recorded yet.
    fn unheard(&self) -> Result<Vec<Body>, EngineError> {
        let word = |s: crate::store::Signal| {
            let verb = match s.verb.as_str() {
                "pause" => SignalVerb::Pause,
                "promote" => SignalVerb::Promote,
                // Whatever else is said to a running apply, stopping is the safe way to hear it.
                _abort => SignalVerb::Abort,
            };
            Body::Signalled { signal: s.seq, verb, by: s.by }
        };
        Ok(self.ledger.signals()?.into_iter().map(word).collect())
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

/// An abort that won the race to the commit.
fn aborted(error: &LedgerError) -> Option<String> {
    match error {
        LedgerError::Store(StoreError::Aborted { by, .. }) => Some(format!("aborted by {by}")),
        _other => None,
    }
}
