//! The life of one simulated engine, and when it ends. Every append and every provider call has an instant before and one
//! after it; an engine can be made to die at any of them, and from then on nothing it does has an effect.

use super::call::{Ask, Call, Reply, error};
use super::world::World;
use crate::apply::Canceller;
use crate::entry::Body;
use crate::id::ObjectId;
use crate::provider::{Ctx, ErrorKind, Happened, Result};
use crate::store::memory::MemoryStore;
use crate::store::{Batch, Reader, Record, Signal, Store, StoreError};
use async_trait::async_trait;
use imm_ir::Digest;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Shared by the store and the provider of one engine.
#[derive(Clone, Debug, Default)]
pub struct Life {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    span: Mutex<Span>,
    died: Notify,
    paused: Notify,
    resumed: Notify,
}

/// Something that happens at an instant.
type Action = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Span {
    /// Instants passed.
    passed: u64,
    ends_at: Option<u64>,
    /// Ends after an entry with this name about one of these.
    ends_after: Option<(BTreeSet<ObjectId>, String)>,
    /// Names of the entries about these that it did not end after.
    lived_through: BTreeSet<String>,
    pauses_at: Option<u64>,
    /// It stands still.
    stands: bool,
    /// Happens at an instant.
    does_at: Option<(u64, Action)>,
    /// From this instant on there is no room on the disk.
    full_at: Option<u64>,
    /// When it is told to stop.
    signals_at: Vec<u64>,
    ears: Option<Canceller>,
    /// Where it ended.
    ended: Option<String>,
    /// Names of the instants passed, for reports.
    instants: Vec<String>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Life")
    }
}

impl Life {
    /// Dies at an instant, counted from 1; `None`: lives on.
    pub fn ending_at(instant: Option<u64>) -> Self {
        let life = Self::default();
        life.span().ends_at = instant;
        life
    }

    /// Dies as soon as an entry with this name is on the disk that is about one of these objects.
    pub fn ending_after(objects: BTreeSet<ObjectId>, entry: String) -> Self {
        let life = Self::default();
        life.span().ends_after = Some((objects, entry));
        life
    }

    /// Stands still at the instant of a provider call until [`resume`](Self::resume), as a process that was stopped or a
    /// machine that slept. An append cannot stand still: such an instant passes.
    pub fn pausing_at(instant: u64) -> Self {
        let life = Self::default();
        life.span().pauses_at = Some(instant);
        life
    }

    /// Lives on; something happens at an instant.
    pub fn doing_at(instant: u64, action: impl FnOnce() + Send + 'static) -> Self {
        Self::default().and_doing_at(instant, action)
    }

    /// Something else happens at an instant, before it is told to stop at the same one.
    #[must_use]
    pub fn and_doing_at(self, instant: u64, action: impl FnOnce() + Send + 'static) -> Self {
        self.span().does_at = Some((instant, Box::new(action)));
        self
    }

    /// Finds no room on its disk from an instant on.
    pub fn full_at(instant: u64) -> Self {
        let life = Self::default();
        life.span().full_at = Some(instant);
        life
    }

    /// Is told to stop at each of these instants, as by a signal.
    pub fn signalled_at(instants: Vec<u64>) -> Self {
        let life = Self::default();
        life.span().signals_at = instants;
        life
    }

    /// How it hears that it is told to stop.
    pub fn hears(&self, ears: Canceller) {
        self.span().ears = Some(ears);
    }

    /// Returns when it stands still.
    pub async fn pause(&self) {
        self.inner.paused.notified().await;
    }

    /// Goes on.
    pub fn resume(&self) {
        self.inner.resumed.notify_one();
    }

    /// How many instants there were.
    pub fn instants(&self) -> u64 {
        self.span().passed
    }

    /// Their names in order, like `before append Committed` or `after call switch`.
    pub fn names(&self) -> Vec<String> {
        self.span().instants.clone()
    }

    /// Where it died.
    pub fn ended(&self) -> Option<String> {
        self.span().ended.clone()
    }

    /// Returns when it died.
    pub async fn end(&self) {
        loop {
            let died = self.inner.died.notified();
            if self.span().ended.is_some() {
                return;
            }
            died.await;
        }
    }

    /// Stands still if this is the instant.
    async fn rest(&self) {
        let now = {
            let mut span = self.span();
            let passed = span.passed;
            let now = span.pauses_at.take_if(|at| *at == passed).is_some();
            span.stands |= now;
            now
        };
        if now {
            self.inner.paused.notify_one();
            self.inner.resumed.notified().await;
            self.span().stands = false;
        }
    }

    /// Passes one instant; false: dead.
    fn pass(&self, name: impl FnOnce() -> String) -> bool {
        let mut span = self.span();
        if span.ended.is_some() {
            return false;
        }
        span.passed += 1;
        let name = name();
        span.instants.push(name.clone());
        let passed = span.passed;
        if let Some((_, action)) = span.does_at.take_if(|(at, _)| *at == passed) {
            action();
        }
        for _now in span.signals_at.iter().filter(|at| **at == passed) {
            span.ears.iter().for_each(Canceller::signal);
        }
        if span.ends_at == Some(span.passed) {
            span.ended = Some(name);
            drop(span);
            self.inner.died.notify_one();
            return false;
        }
        true
    }

    /// Whether these records hold the entry that it ends after.
    fn ends_with(&self, records: &[Record]) -> bool {
        let mut span = self.span();
        let Some((objects, wanted)) = &span.ends_after else { return false };
        let entries = super::oracle::entries(records);
        let about = |body: &Body| subjects(body).iter().any(|object| objects.contains(object));
        let met =
            entries.iter().filter(|(_, entry)| about(&entry.body)).map(|(_, entry)| super::oracle::name(&entry.body));
        let met: Vec<String> = met.collect();
        let ends = met.contains(wanted);
        span.lived_through.extend(met);
        ends
    }

    /// Names of the entries about the objects after which it should have ended.
    pub fn lived_through(&self) -> Vec<String> {
        self.span().lived_through.iter().cloned().collect()
    }

    fn is_full(&self) -> bool {
        let span = self.span();
        span.full_at.is_some_and(|at| at <= span.passed)
    }

    fn end_at_next(&self) {
        let mut span = self.span();
        span.ends_at = Some(span.passed + 1);
    }

    fn span(&self) -> std::sync::MutexGuard<'_, Span> {
        self.inner.span.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The objects that an entry is about.
fn subjects(body: &Body) -> Vec<ObjectId> {
    match body {
        Body::IntentCreate(intent) => vec![intent.object],
        Body::IntentDestroy { object, .. }
        | Body::IntentActivate { object, .. }
        | Body::IntentDeactivate { object, .. }
        | Body::IntentDrain { object, .. }
        | Body::IntentRun { object, .. }
        | Body::Created { object, .. }
        | Body::Unknown { object, .. }
        | Body::NotHappened { object, .. }
        | Body::Verified { object, .. }
        | Body::Activated { object, .. }
        | Body::Deactivated { object, .. }
        | Body::JobFinished { object, .. }
        | Body::Drained { object, .. }
        | Body::Destroyed { object, .. }
        | Body::Renamed { object, .. } => vec![*object],
        Body::IntentSwitch(intent) => intent.moves.iter().map(|moved| moved.object).collect(),
        Body::Switched { moved, .. } | Body::Reverted { moved, .. } => moved.iter().map(|moved| moved.object).collect(),
        _general => Vec::new(),
    }
}

/// The world as a mortal engine sees it: a call at whose instant it dies never returns.
#[derive(Clone, Debug)]
pub struct Mortal {
    /// The world.
    pub world: World,
    /// Whose calls they are.
    pub life: Life,
}

#[async_trait]
impl Ask for Mortal {
    async fn ask(&self, ctx: &Ctx, call: Call) -> Result<Reply> {
        let name = call.name();
        // Nor does it keep alive what it has set.
        if matches!(call, Call::Renew { .. }) && self.life.span().stands {
            return Err(error(ErrorKind::Transient, Happened::No, format!("{name}: nobody asks")));
        }
        if !self.life.pass(|| format!("before call {name}")) {
            // It was on its way when its sender died: it may still arrive.
            self.world.leave_behind(ctx, call);
            return std::future::pending().await;
        }
        self.life.rest().await;
        let reply = self.world.perform(ctx, call).await;
        if !self.life.pass(|| format!("after call {name}")) {
            return std::future::pending().await;
        }
        self.life.rest().await;
        reply
    }
}

/// The disk as a mortal engine sees it: refuses everything once it is dead.
#[derive(Clone, Debug)]
pub struct MortalStore {
    /// The disk.
    pub disk: MemoryStore,
    /// Whose writes they are.
    pub life: Life,
}

impl Store for MortalStore {
    fn head(&self) -> (u64, Digest) {
        self.disk.head()
    }

    fn read(&self, from_seq: u64) -> std::result::Result<Vec<Record>, StoreError> {
        self.disk.read(from_seq)
    }

    fn record(&self, seq: u64) -> std::result::Result<Option<Record>, StoreError> {
        self.disk.record(seq)
    }

    fn reader(&self) -> Reader {
        self.disk.reader()
    }

    fn instant(
        &self,
        row: &mut dyn FnMut(u8, u64, &[u8]),
        from: &mut dyn FnMut() -> u64,
    ) -> std::result::Result<Vec<Record>, StoreError> {
        self.disk.instant(row, from)
    }

    fn row(&self, part: u8, number: u64) -> std::result::Result<Option<Vec<u8>>, StoreError> {
        self.disk.row(part, number)
    }

    fn append(&mut self, batch: Batch) -> std::result::Result<(), StoreError> {
        let what = batch.records.first().map_or_else(|| "nothing".to_owned(), |r| super::oracle::entry_name(&r.bytes));
        if !self.life.pass(|| format!("before append {what}")) {
            return Err(StoreError::Crash);
        }
        if self.life.is_full() {
            return Err(StoreError::DiskFull("the simulated ledger".to_owned()));
        }
        let last = self.life.ends_with(&batch.records);
        let appended = self.disk.append(batch);
        if last {
            self.life.end_at_next();
        }
        if !self.life.pass(|| format!("after append {what}")) {
            return Err(StoreError::Crash);
        }
        appended
    }

    fn blob(&self, digest: &Digest) -> std::result::Result<Option<Vec<u8>>, StoreError> {
        self.disk.blob(digest)
    }

    fn blobs(&self) -> std::result::Result<Vec<(Digest, Vec<u8>)>, StoreError> {
        self.disk.blobs()
    }

    fn sealed(&self) -> std::result::Result<Vec<(Digest, Vec<u8>)>, StoreError> {
        self.disk.sealed()
    }

    fn volatile(&self) -> bool {
        true
    }

    fn signals(&self, after: u64) -> std::result::Result<Vec<Signal>, StoreError> {
        self.disk.signals(after)
    }

    fn signal(&mut self, verb: &str, by: &str) -> std::result::Result<(), StoreError> {
        self.disk.signal(verb, by)
    }
}
