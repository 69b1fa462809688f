//! One target of one route: its counters, its idle connections, whether it is in disfavour.
//!
//! Guarantees: an [`InFlight`] exists for as long as something of a request may still be on its way to or from the target; cutting a target ends every
//! connection to it. It does not decide which target a request gets (`balance`), nor what is sent (`exchange`).

use std::collections::HashMap;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::socket::{Shutdown, shutdown};
use tokio::sync::Notify;

use crate::pool::Pool;
use crate::samples::Recorder;
use crate::spec::Place;
use crate::static_files::{Site, SiteSpec};

/// The first time in disfavour after a failed connect; it doubles with every further failure in a row.
const FIRST_EJECTION: Duration = Duration::from_secs(1);
const LONGEST_EJECTION: Duration = Duration::from_secs(30);
/// Requests in a row that got no answer, after which a target that accepts connections is in disfavour all the same.
const MOST_UNANSWERED: u32 = 5;

/// What a target is known by: the same target in the next table keeps its state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TargetKey {
    pub(crate) route: String,
    pub(crate) target: String,
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) struct TargetState {
    pub(crate) id: Arc<str>,
    pub(crate) place: Place,
    /// Of a site that was asked for already.
    site: OnceLock<Arc<Site>>,
    pub(crate) recorder: Recorder,
    pub(crate) pool: Pool,
    in_flight: AtomicU64,
    /// Woken when the last request in flight ends.
    quiet: Notify,
    /// Whether the table in force names it; else finished connections are closed instead of kept.
    in_force: AtomicBool,
    failed_connects: AtomicU32,
    /// In a row.
    unanswered: AtomicU32,
    /// Milliseconds on [`CLOCK`]; 0: not ejected.
    ejected_until: AtomicU64,
    /// The number of cuts so far: a connection that is asked for before a cut and made after it is dropped.
    cuts: AtomicU64,
    open: Mutex<HashMap<RawFd, Arc<AtomicBool>>>,
}

static CLOCK: LazyLock<Instant> = LazyLock::new(Instant::now);

fn now_ms() -> u64 {
    // Never 0, which means "not ejected" above.
    u64::try_from(CLOCK.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

impl TargetState {
    pub(crate) fn new(id: &str, place: Place) -> Arc<Self> {
        Arc::new(Self {
            id: Arc::from(id),
            place,
            site: OnceLock::new(),
            recorder: Recorder::new(),
            pool: Pool::default(),
            in_flight: AtomicU64::new(0),
            quiet: Notify::new(),
            in_force: AtomicBool::new(true),
            failed_connects: AtomicU32::new(0),
            unanswered: AtomicU32::new(0),
            ejected_until: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
            open: Mutex::new(HashMap::new()),
        })
    }

    /// The site of this target, opened by the first connection.
    pub(crate) fn site(&self, spec: &SiteSpec) -> io::Result<Arc<Site>> {
        if let Some(site) = self.site.get() {
            return Ok(Arc::clone(site));
        }
        let opened = Arc::new(Site::open(spec)?);
        Ok(Arc::clone(self.site.get_or_init(|| opened)))
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Acquire)
    }

    pub(crate) fn is_in_force(&self) -> bool {
        self.in_force.load(Ordering::Acquire)
    }

    /// Says whether the table in force names it; when not, its idle connections are closed.
    pub(crate) fn set_in_force(&self, in_force: bool) {
        self.in_force.store(in_force, Ordering::Release);
        if !in_force {
            self.pool.clear();
        }
    }

    pub(crate) fn is_ejected(&self) -> bool {
        match self.ejected_until.load(Ordering::Relaxed) {
            0 => false,
            until => now_ms() < until,
        }
    }

    pub(crate) fn connected(&self) {
        // One that accepts and does not answer stays in disfavour.
        if self.failed_connects.swap(0, Ordering::Relaxed) > 0
            && self.unanswered.load(Ordering::Relaxed) < MOST_UNANSWERED
        {
            self.ejected_until.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn connect_failed(&self) {
        let before = self.failed_connects.fetch_add(1, Ordering::Relaxed);
        self.eject(before);
    }

    /// A request reached it and was never answered.
    pub(crate) fn gave_no_answer(&self) {
        self.recorder.failed();
        let before = self.unanswered.fetch_add(1, Ordering::Relaxed);
        if let Some(beyond) = (before + 1).checked_sub(MOST_UNANSWERED) {
            self.eject(beyond);
        }
    }

    pub(crate) fn gave_an_answer(&self) {
        if self.unanswered.load(Ordering::Relaxed) > 0 {
            self.unanswered.store(0, Ordering::Relaxed);
            self.ejected_until.store(0, Ordering::Relaxed);
        }
    }

    fn eject(&self, before: u32) {
        let pause = FIRST_EJECTION.saturating_mul(1 << before.min(10)).min(LONGEST_EJECTION);
        let until = now_ms() + u64::try_from(pause.as_millis()).unwrap_or(u64::MAX / 2);
        self.ejected_until.store(until, Ordering::Relaxed);
    }

    /// Returns when nothing is in flight.
    pub(crate) async fn until_quiet(&self) {
        loop {
            let quiet = self.quiet.notified();
            tokio::pin!(quiet);
            quiet.as_mut().enable();
            if self.in_flight() == 0 {
                return;
            }
            quiet.await;
        }
    }

    /// Ends every connection to it, at once.
    pub(crate) fn cut(&self) {
        self.pool.clear();
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.cuts.fetch_add(1, Ordering::AcqRel);
        #[expect(clippy::iter_over_hash_type, reason = "every one is cut; the order has no effect")]
        for (descriptor, cut) in open.iter() {
            cut.store(true, Ordering::Release);
            // It is open: a wire takes its entry out, under this lock, before it closes. An error means that the peer has closed it already.
            let _ = shutdown(*descriptor, Shutdown::Both);
        }
    }

    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Acquire)
    }

    /// Makes a connection known to [`Self::cut`]; `None` when there was a cut since `cuts`.
    pub(crate) fn opened(&self, descriptor: RawFd, cuts: u64) -> Option<Arc<AtomicBool>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if self.cuts() != cuts {
            return None;
        }
        let cut = Arc::new(AtomicBool::new(false));
        open.insert(descriptor, Arc::clone(&cut));
        Some(cut)
    }

    pub(crate) fn closing(&self, descriptor: RawFd) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&descriptor);
    }
}

/// A request (or tunnel) that a target was chosen for and that has not ended.
#[derive(Debug)]
pub(crate) struct InFlight {
    target: Arc<TargetState>,
    /// [`TargetState::cuts`] when it was chosen.
    cuts: u64,
}

impl InFlight {
    pub(crate) fn new(target: &Arc<TargetState>) -> Self {
        target.in_flight.fetch_add(1, Ordering::AcqRel);
        Self { target: Arc::clone(target), cuts: target.cuts() }
    }

    pub(crate) fn target(&self) -> &Arc<TargetState> {
        &self.target
    }

    pub(crate) fn cuts(&self) -> u64 {
        self.cuts
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.target.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.target.quiet.notify_waiters();
        }
    }
}
