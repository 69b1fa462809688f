//! The simulated world: objects, pointers and their laws, in memory. It outlives every engine that works on it.
//!
//! It keeps the promises of a provider (idempotent creates, tombstones, refused fences, compare-and-swap, provisional
//! settings that revert by themselves) and nothing more: an engine that asks to destroy a thing in use gets it done, and
//! the oracle tells. Single-threaded runs with one seed are equal call for call. The laws are in `law`.

use super::call::{Call, Place, Reply, UNSEEN_MS, error};
use super::effect::Effect;
use super::fault::{Chance, Fate, Faults, Straggler, Trouble, What};
use super::law::Things;
use super::traffic::{Quality, Traffic};
use crate::id::{Lineage, ObjectId};
use crate::provider::{Ctx, ErrorKind, Happened, Level, Result, Setting};
use crate::random::Random;
use crate::rollout::Samples;
use imm_ir::{Addr, Digest};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How objects behave once they act. A job that is healthy ends with status 0, one that never is with 1; of one that dies
/// nobody knows how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Healthy so many milliseconds after it began to act.
    HealthyAfter(u64),
    /// Never healthy; says so after so many milliseconds.
    NeverHealthy(u64),
    /// Healthy at first, dead so many milliseconds after it began to act.
    DiesAfter(u64),
}

/// Tells how many entries of the ledger are durable.
pub type DurableHead = Box<dyn Fn() -> u64 + Send>;

/// The world, seen from one of its providers. Clones are the same world.
#[derive(Clone)]
pub struct World {
    inner: Arc<Mutex<Inner>>,
    began: Instant,
    place: Place,
}

struct Inner {
    things: Things,
    chance: Chance,
    /// Of the ledger that is not named otherwise.
    durable: DurableHead,
    durables: BTreeMap<Lineage, DurableHead>,
    /// Longest time of one call, milliseconds.
    latency_ms: u64,
    late: Vec<Late>,
    troubles: Vec<Trouble>,
}

/// A call that is still on its way.
struct Late {
    ctx: Ctx,
    place: Place,
    call: Call,
    due: Due,
}

enum Due {
    At(u64),
    NextTakeOver { after: bool },
}

impl Late {
    /// Whether it comes with the next take-over by this caller.
    fn overtaken(&self, place: Place, ctx: &Ctx, later: bool) -> bool {
        let mine = self.place == place && self.ctx.lineage == ctx.lineage;
        mine && matches!(self.due, Due::NextTakeOver { after } if after == later)
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "World({} effects)", self.locked().things.log.len())
    }
}

impl World {
    /// An empty world. `durable` links its log to a ledger.
    pub fn new(seed: u64, durable: DurableHead) -> Self {
        let chance = Chance { faults: Faults::default(), random: Random::seeded(seed) };
        let mut things = Things::default();
        things.traffic = Traffic::seeded(seed);
        let inner = Inner {
            things,
            chance,
            durable,
            durables: BTreeMap::new(),
            latency_ms: 5,
            late: Vec::new(),
            troubles: Vec::new(),
        };
        Self { inner: Arc::new(Mutex::new(inner)), began: Instant::now(), place: Place::Here }
    }

    /// The same world, seen from one of its providers.
    #[must_use]
    pub fn at(&self, place: Place) -> Self {
        Self { place, ..self.clone() }
    }

    /// Links what happens for a lineage to a ledger of its own.
    pub fn link(&self, lineage: Lineage, durable: DurableHead) {
        self.locked().durables.insert(lineage, durable);
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.locked().chance.faults = faults;
    }

    /// Something goes wrong at one place.
    pub fn trouble(&self, trouble: Trouble) {
        self.locked().troubles.push(trouble);
    }

    /// Nothing goes wrong at any place from now on.
    pub fn calm(&self) {
        self.locked().troubles.clear();
    }

    /// Every call takes a seeded time up to this; 0: none at all.
    pub fn set_latency(&self, milliseconds: u64) {
        self.locked().latency_ms = milliseconds;
    }

    /// How objects with this spec behave.
    pub fn behave(&self, spec: Digest, behaviour: Behaviour) {
        self.locked().things.by_spec.insert(spec, behaviour);
    }

    /// How objects with this variable in their environment behave.
    pub fn behave_with(&self, variable: &str, behaviour: Behaviour) {
        self.locked().things.by_variable.insert(variable.to_owned(), behaviour);
    }

    /// How objects at this address behave, whatever they are.
    pub fn behave_at(&self, address: Addr, behaviour: Behaviour) {
        self.locked().things.by_address.insert(address, behaviour);
    }

    /// So many requests a second go to every pointer; 1,000 until this is said.
    pub fn set_traffic(&self, per_second: u64) {
        self.locked().things.traffic.per_second = per_second;
    }

    /// How good objects with this spec answer, or objects that bind one with it.
    pub fn answer(&self, spec: Digest, quality: Quality) {
        self.locked().things.traffic.by_spec.insert(spec, quality);
    }

    /// What the new and the old side of the pointer at this address meet, in every window.
    pub fn write_samples(&self, pointer: Addr, new: Samples, old: Samples) {
        self.locked().things.traffic.written.insert(pointer, (new, old));
    }

    /// Everything that happened up to now.
    pub fn log(&self) -> Vec<Effect> {
        let mut inner = self.locked();
        self.pass_time(&mut inner);
        inner.things.log.clone()
    }

    /// How an object is now, without anybody having asked.
    pub fn level(&self, object: ObjectId) -> Level {
        let mut inner = self.locked();
        self.pass_time(&mut inner);
        inner.things.level(object).0
    }

    /// What a pointer is set to now: epoch, setting, and whether it is provisional.
    pub fn pointer(&self, object: ObjectId) -> Option<(u64, Setting, bool)> {
        let mut inner = self.locked();
        self.pass_time(&mut inner);
        inner.things.pointer(object)
    }

    /// The objects that exist, those that no engine knows of too.
    pub fn objects(&self) -> Vec<ObjectId> {
        self.objects_of(None)
    }

    /// As [`objects`](Self::objects), of one lineage.
    pub fn objects_of(&self, lineage: Option<Lineage>) -> Vec<ObjectId> {
        let mut inner = self.locked();
        self.pass_time(&mut inner);
        inner.things.existing(lineage)
    }

    /// Names the data of a durable as it is now.
    pub fn data(&self, durable: ObjectId) -> Option<Digest> {
        self.locked().things.data(durable)
    }

    /// Somebody writes over the data of a durable behind everybody's back.
    pub fn scribble(&self, durable: ObjectId) {
        self.locked().things.scribble(durable);
    }

    /// Somebody sets a pointer by hand to what it is set to: only its epoch is another one.
    pub fn meddle(&self, pointer: ObjectId) {
        let mut inner = self.locked();
        self.pass_time(&mut inner);
        inner.things.meddle(pointer);
    }

    /// Every secret that its objects gave.
    pub fn secrets(&self) -> Vec<String> {
        self.locked().things.secrets.iter().cloned().collect()
    }

    /// Somebody removes an object by hand.
    pub fn lose(&self, object: ObjectId) {
        self.locked().things.lose(object);
    }

    /// Answers one call, faults included.
    ///
    /// # Errors
    /// As the provider's method.
    pub async fn perform(&self, ctx: &Ctx, call: Call) -> Result<Reply> {
        let (wait, fate) = {
            let mut inner = self.locked();
            let bound = inner.latency_ms;
            let wait = inner.chance.random.below(bound + 1);
            let create = matches!(call, Call::Create(_));
            let switch = matches!(call, Call::Switch { .. });
            let fate = if call.has_effect() { inner.chance.fate(create, switch) } else { Fate::Normal };
            let (slow, troubled) = inner.troubled(&call);
            (wait + slow, troubled.unwrap_or(fate))
        };
        let on_its_way = OnItsWay { world: self, ctx, call: Some(&call) };
        self.pause(wait).await;
        on_its_way.arrives();
        let name = call.name();
        let no =
            |kind| Err(error(kind, Happened::No, format!("{name}: the simulated world failed it before its effect")));
        if self.is_down() {
            return no(ErrorKind::Transient);
        }
        // Nothing between us and the other provider repeats what is made only once.
        let once = self.place == Place::Afar && matches!(call, Call::Create(_));
        let fate = if once && matches!(fate, Fate::Duplicated(_)) { Fate::Normal } else { fate };
        let unanswered =
            || Err(error(ErrorKind::Transient, Happened::Maybe, format!("{name}: no answer from the simulated world")));
        match fate {
            Fate::Transient => no(ErrorKind::Transient),
            Fate::Permanent => no(ErrorKind::Permanent),
            Fate::Unanswered => {
                drop(self.act(ctx, &call, false, false));
                unanswered()
            }
            Fate::Delayed(ms) => {
                // What may stay unseen for a while is there after that.
                self.later(ctx, call, if once { ms % UNSEEN_MS } else { ms });
                unanswered()
            }
            Fate::Lost => unanswered(),
            Fate::Slow(ms) => {
                let ms = if once { ms % UNSEEN_MS } else { ms };
                self.later(ctx, call, ms);
                self.pause(ms).await;
                unanswered()
            }
            Fate::Down(ms, on_disk) => {
                if on_disk {
                    drop(self.act(ctx, &call, false, false));
                }
                self.goes_down(ms);
                unanswered()
            }
            Fate::Upgraded(ms, on_disk) => {
                let reply = if on_disk { self.act(ctx, &call, false, false) } else { no(ErrorKind::Transient) };
                self.goes_down(ms);
                reply
            }
            Fate::Duplicated(ms) => {
                let reply = self.act(ctx, &call, false, false);
                self.later(ctx, call, ms);
                reply
            }
            Fate::Tainted => self.act(ctx, &call, false, true),
            Fate::Normal => match call {
                Call::Health { object } => self.health(ctx, object).await,
                call => self.act(ctx, &call, false, false),
            },
        }
    }

    /// A call whose sender died or gave it up: it may be lost, or arrive before or after another engine takes over.
    pub fn leave_behind(&self, ctx: &Ctx, call: Call) {
        if !call.has_effect() || matches!(call, Call::Announce { .. }) {
            return;
        }
        let mut inner = self.locked();
        let due = match inner.chance.straggler() {
            Straggler::Never => return,
            // It was taken before its sender died, and is there when a look tells.
            _taken if self.place == Place::Afar && matches!(call, Call::Create(_)) => {
                Due::At(self.now_ms() + inner.chance.random.below(UNSEEN_MS))
            }
            Straggler::BeforeTakeOver => Due::NextTakeOver { after: false },
            Straggler::AfterTakeOver => Due::NextTakeOver { after: true },
        };
        inner.send(Late { ctx: ctx.clone(), place: self.place, call, due });
    }

    fn later(&self, ctx: &Ctx, call: Call, ms: u64) {
        let due = Due::At(self.now_ms() + ms);
        self.locked().send(Late { ctx: ctx.clone(), place: self.place, call, due });
    }

    fn is_down(&self) -> bool {
        let now = self.now_ms();
        self.locked().things.is_away(self.place, now)
    }

    fn goes_down(&self, ms: u64) {
        let mut inner = self.locked();
        self.pass_time(&mut inner);
        inner.things.goes_away(self.place, ms);
    }

    /// Waits while it is starting, as long as the call may take.
    async fn health(&self, ctx: &Ctx, object: ObjectId) -> Result<Reply> {
        let limit = self.now_ms() + u64::try_from(ctx.timeout.as_millis()).unwrap_or(u64::MAX);
        loop {
            let (level, until) = {
                let mut inner = self.locked();
                self.pass_time(&mut inner);
                inner.things.level(object)
            };
            let now = self.now_ms();
            if level != Level::Starting || now >= limit {
                let mut inner = self.locked();
                self.pass_time(&mut inner);
                return inner.things.probed(self.place, ctx, object, level);
            }
            self.pause(until.min(limit).saturating_sub(now).max(1)).await;
        }
    }

    fn act(&self, ctx: &Ctx, call: &Call, late: bool, taint: bool) -> Result<Reply> {
        let mut inner = self.locked();
        self.pass_time(&mut inner);
        let take_over = matches!(call, Call::Announce { .. });
        if take_over {
            inner.arrive(|late| late.overtaken(self.place, ctx, false));
        }
        let reply = inner.things.act(self.place, ctx, call, late, taint);
        if take_over && reply.is_ok() {
            inner.arrive(|late| late.overtaken(self.place, ctx, true));
        }
        reply
    }

    /// What happened by itself since the last look, in the order in which it did.
    fn pass_time(&self, inner: &mut Inner) {
        let now = self.now_ms();
        inner.things.durable = (inner.durable)();
        inner.things.durables = inner.durables.iter().map(|(lineage, head)| (*lineage, head())).collect();
        loop {
            let call = inner.late.iter().filter_map(|l| if let Due::At(at) = l.due { Some(at) } else { None }).min();
            let revert = inner.things.next_revert();
            let Some(next) = call.into_iter().chain(revert).min().filter(|at| *at <= now) else { break };
            inner.things.now_ms = next;
            if revert == Some(next) {
                inner.things.revert_due();
            } else {
                inner.arrive(|late| matches!(late.due, Due::At(at) if at == next));
            }
        }
        inner.things.now_ms = now;
    }

    async fn pause(&self, ms: u64) {
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }

    /// Milliseconds since it began.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call between its sender and the world. Whoever gives it up before it arrives does not know whether it will.
struct OnItsWay<'a> {
    world: &'a World,
    ctx: &'a Ctx,
    call: Option<&'a Call>,
}

impl OnItsWay<'_> {
    fn arrives(mut self) {
        self.call = None;
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call {
            self.world.leave_behind(self.ctx, call.clone());
        }
    }
}

impl Inner {
    /// What trouble does to a call: how long it takes, and how it ends.
    fn troubled(&mut self, call: &Call) -> (u64, Option<Fate>) {
        let (mut slow, mut fate) = (0, None);
        for trouble in self.troubles.iter_mut().filter(|trouble| trouble.times > 0) {
            let at = &trouble.at;
            match (trouble.what, call) {
                (What::CreateFails, Call::Create(request)) if request.address.is_within(at) => {
                    fate = Some(Fate::Transient);
                }
                (What::VerifyFails, Call::Create(request)) if request.address.is_within(at) => {
                    self.things.sick.insert(request.object);
                }
                (What::SwitchFails, Call::Switch { moves, .. }) if moves.iter().any(|m| m.address.is_within(at)) => {
                    fate = Some(Fate::Transient);
                }
                (What::EndFails, Call::Destroy { object, .. })
                    if self.things.address(*object).is_some_and(|address| address.is_within(at)) =>
                {
                    fate = Some(Fate::Permanent);
                }
                (What::Slow(by), Call::Create(request)) if request.address.is_within(at) => {
                    slow += by;
                    continue;
                }
                _other => continue,
            }
            trouble.times -= 1;
        }
        (slow, fate)
    }

    /// A call is on its way. What is made elsewhere is taken or refused when it is asked for, however late it shows.
    fn send(&mut self, late: Late) {
        let taken = late.place == Place::Afar && matches!(late.call, Call::Create(_));
        if !(taken && self.things.is_superseded(late.place, &late.ctx)) {
            self.late.push(late);
        }
    }

    fn arrive(&mut self, due: impl Fn(&Late) -> bool) {
        let (arriving, waiting): (Vec<Late>, Vec<Late>) = std::mem::take(&mut self.late).into_iter().partition(due);
        self.late = waiting;
        for late in arriving {
            // Nobody waits for the answer.
            drop(self.things.act(late.place, &late.ctx, &late.call, true, false));
        }
    }
}
