//! One lineage's pointer: fence, epoch, the setting in force and the one it returns to.
//!
//! Guarantees: what `Settings` says is on disk; an epoch never repeats and never falls; a fence never falls. Decides only: the
//! caller puts a setting in force between `write` and its own acknowledgement, and calls `overdue` when a deadline may be over.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use imm_runtime::lease;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::api::{ApiError, Code, LedgerHead, Manifest, PutManifest};
use crate::seal::Seal;
use crate::slots::Slots;

use super::clock::BootDeadline;

const FORMAT: u32 = 1;

/// What is on disk, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    format: u32,
    fence: u64,
    head: Option<LedgerHead>,
    epoch: u64,
    confirmed_epoch: u64,
    confirmed: Manifest,
    provisional: Option<Provisional>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Provisional {
    manifest: Manifest,
    until: BootDeadline,
}

/// One lineage's settings, as they are on disk.
#[derive(Debug)]
pub struct Settings {
    slots: Slots,
    stored: Stored,
    deadline: Option<Instant>,
}

/// A state that was decided on and is not on disk yet.
#[derive(Clone, Debug)]
pub struct Next {
    stored: Stored,
    deadline: Option<Instant>,
}

impl Next {
    /// The setting that will be in force.
    pub fn manifest(&self) -> &Manifest {
        self.stored.manifest()
    }

    /// Its epoch.
    pub fn epoch(&self) -> u64 {
        self.stored.epoch
    }
}

impl Stored {
    fn manifest(&self) -> &Manifest {
        self.provisional.as_ref().map_or(&self.confirmed, |provisional| &provisional.manifest)
    }
}

impl Settings {
    /// Reads the settings of a lineage, or begins them: fence 0, epoch 0, nothing.
    pub fn open(path: &Path, seal: Arc<Seal>) -> io::Result<Self> {
        let (slots, stored) = Slots::open::<Stored>(path, seal)?;
        let stored = match stored {
            Some(stored) if stored.format == FORMAT => stored,
            Some(stored) => {
                let said = format!("{}: written by another version of imm (format {})", path.display(), stored.format);
                return Err(io::Error::new(io::ErrorKind::InvalidData, said));
            }
            None => Stored {
                format: FORMAT,
                fence: 0,
                head: None,
                epoch: 0,
                confirmed_epoch: 0,
                confirmed: Manifest::default(),
                provisional: None,
            },
        };
        let deadline = match &stored.provisional {
            Some(provisional) => Some(Instant::now() + provisional.until.remaining()?),
            None => None,
        };
        Ok(Self { slots, stored, deadline })
    }

    /// The highest fence that was announced.
    pub fn fence(&self) -> u64 {
        self.stored.fence
    }

    /// The ledger's head that came with it.
    pub fn head(&self) -> Option<LedgerHead> {
        self.stored.head
    }

    /// Epoch of the setting in force.
    pub fn epoch(&self) -> u64 {
        self.stored.epoch
    }

    /// The setting in force.
    pub fn manifest(&self) -> &Manifest {
        self.stored.manifest()
    }

    /// The epoch to which a provisional setting returns.
    pub fn returns_to(&self) -> Option<u64> {
        self.stored.provisional.as_ref().map(|_| self.stored.confirmed_epoch)
    }

    /// When the provisional setting ends.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The settings in which an object may still be in force: the present one and the one it returns to.
    pub fn may_point(&self) -> impl Iterator<Item = &Manifest> {
        std::iter::once(&self.stored.confirmed)
            .chain(self.stored.provisional.as_ref().map(|provisional| &provisional.manifest))
    }

    /// Takes note of a caller: one that another one has overtaken is refused; the fence of one that comes anew is in force with
    /// the change that it makes, as if it had been announced before it.
    pub fn hear(&self, fence: u64) -> Result<Next, ApiError> {
        if fence < self.stored.fence {
            return Err(ApiError::no(
                Code::Fence,
                format!(
                    "fence {fence} is over, {} is in force: a newer holder of this lineage's lease announced it, or a setting was \
                     not renewed in time and was taken back",
                    self.stored.fence
                ),
            ));
        }
        let mut next = self.next();
        next.stored.fence = fence;
        Ok(next)
    }

    /// A new holder of the lease.
    pub fn announce(&self, fence: u64, head: Option<LedgerHead>, take: bool) -> Result<Next, ApiError> {
        let mut next = self.hear(fence)?;
        // Never back: an older head is that of a copy, whose next attempt must be refused, too.
        let newer = |head: &LedgerHead| next.stored.head.is_none_or(|before| head.seq >= before.seq);
        if let Some(head) = head.filter(|head| take || newer(head)) {
            next.stored.head = Some(head);
        }
        Ok(next)
    }

    /// Replaces the setting, if the caller has seen the present one.
    pub fn replace(&self, put: PutManifest) -> Result<Next, ApiError> {
        let mut next = self.hear(put.fence)?;
        self.check_epoch(put.from_epoch)?;
        next.stored.epoch += 1;
        let mut manifest = put.manifest;
        self.stamp(&mut manifest, next.stored.epoch);
        match put.ttl_ms {
            Some(ttl_ms) => {
                let ttl = Duration::from_millis(ttl_ms);
                next.stored.provisional = Some(Provisional { manifest, until: BootDeadline::after(ttl)? });
                next.deadline = Some(Instant::now() + ttl);
            }
            None => next.confirm_as(manifest),
        }
        Ok(next)
    }

    /// Makes the setting in force permanent. Again is the same.
    pub fn confirm(&self, fence: u64, epoch: u64) -> Result<Next, ApiError> {
        let mut next = self.hear(fence)?;
        self.check_epoch(epoch)?;
        if let Some(provisional) = next.stored.provisional.take() {
            next.confirm_as(provisional.manifest);
        }
        Ok(next)
    }

    /// Gives a provisional setting more time. Of a confirmed one there is nothing to renew, which is no error.
    pub fn renew(&self, fence: u64, epoch: u64, ttl: Duration) -> Result<Next, ApiError> {
        let mut next = self.hear(fence)?;
        self.check_epoch(epoch)?;
        if let Some(provisional) = &mut next.stored.provisional {
            provisional.until = BootDeadline::after(ttl)?;
            next.deadline = Some(Instant::now() + ttl);
        }
        Ok(next)
    }

    /// The way back, when the provisional setting's time is over.
    pub fn overdue(&self) -> Option<Next> {
        if self.deadline.is_none_or(|deadline| deadline > Instant::now()) {
            return None;
        }
        let mut next = self.next();
        next.stored.epoch += 1;
        // Whoever let it run out is not listened to any more: what it said before may still be on its way, and would stop what
        // is in force again.
        next.stored.fence = lease::turned(next.stored.fence);
        let mut manifest = next.stored.confirmed.clone();
        self.stamp(&mut manifest, next.stored.epoch);
        next.confirm_as(manifest);
        Some(next)
    }

    /// The way back at once, after a setting could not be put in force. The epoch rises still, and whoever set it was heard.
    pub fn undo(&self, failed: &Next) -> Next {
        let mut next = self.next();
        (next.stored.epoch, next.stored.fence) = (failed.stored.epoch + 1, failed.stored.fence);
        next
    }

    /// Without an object that is going away, in every setting.
    pub fn without(&self, object: &str) -> Next {
        let mut next = self.next();
        let provisional = next.stored.provisional.as_mut().map(|provisional| &mut provisional.manifest);
        for manifest in std::iter::once(&mut next.stored.confirmed).chain(provisional) {
            manifest.objects.remove(object);
            manifest.routes.remove(object);
            manifest.cells.remove(object);
        }
        next
    }

    /// Makes a decided state durable.
    pub fn write(&mut self, next: Next) -> io::Result<()> {
        if next.stored != self.stored {
            self.slots.write(&next.stored)?;
        }
        self.stored = next.stored;
        self.deadline = next.deadline;
        Ok(())
    }

    fn next(&self) -> Next {
        Next { stored: self.stored.clone(), deadline: self.deadline }
    }

    fn check_epoch(&self, epoch: u64) -> Result<(), ApiError> {
        if epoch != self.stored.epoch {
            return Err(ApiError::no(
                Code::Epoch,
                format!(
                    "the setting in force has epoch {}, not {epoch}: something else has moved it since it was read",
                    self.stored.epoch
                ),
            ));
        }
        Ok(())
    }

    /// Routes and cells that differ from the ones in force, or that the caller sets anew (epoch 0), get the new epoch.
    fn stamp(&self, manifest: &mut Manifest, epoch: u64) {
        let present = self.manifest();
        for (id, route) in &mut manifest.routes {
            if present.routes.get(id) != Some(route) {
                route.epoch = epoch;
            }
        }
        for (id, cell) in &mut manifest.cells {
            if present.cells.get(id) != Some(cell) {
                cell.epoch = epoch;
            }
        }
    }
}

impl Next {
    fn confirm_as(&mut self, manifest: Manifest) {
        self.stored.confirmed = manifest;
        self.stored.confirmed_epoch = self.stored.epoch;
        self.stored.provisional = None;
        self.deadline = None;
    }
}

#[cfg(test)]
mod tests {
    use crate::api::{Activity, ObjectSetting};

    use super::*;

    const TTL: Option<u64> = Some(30_000);

    fn active(object: &str) -> Manifest {
        let setting = ObjectSetting { activity: Activity::Active };
        Manifest { objects: [(object.to_owned(), setting)].into(), ..Manifest::default() }
    }

    fn opened() -> (tempfile::TempDir, Settings) {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::open(&dir.path().join("settings"), Seal::of_test()).unwrap();
        (dir, settings)
    }

    fn put(settings: &mut Settings, from_epoch: u64, object: &str, ttl_ms: Option<u64>) -> Result<u64, Code> {
        let put = PutManifest { fence: settings.fence(), from_epoch, manifest: active(object), ttl_ms };
        let next = settings.replace(put).map_err(|refused| refused.code)?;
        settings.write(next).unwrap();
        Ok(settings.epoch())
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_has_seen_the_present_setting_replaces_it() {
        let (_dir, mut settings) = opened();
        assert_eq!(put(&mut settings, 0, "a", None), Ok(1));
        assert_eq!(put(&mut settings, 0, "b", None), Err(Code::Epoch));
        assert_eq!(settings.manifest(), &active("a"));
        // Also a setting that changes nothing raises the epoch.
        assert_eq!(put(&mut settings, 1, "a", None), Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lower_fence_is_refused_for_ever() {
        let (dir, mut settings) = opened();
        let next = settings.announce(7, Some(LedgerHead { seq: 3, hash: imm_ir::Digest([1; 32]) }), false).unwrap();
        settings.write(next).unwrap();
        let settings = Settings::open(&dir.path().join("settings"), Seal::of_test()).unwrap();
        assert_eq!(settings.head().unwrap().seq, 3);
        assert_eq!(settings.announce(6, None, false).unwrap_err().code, Code::Fence);
        let late = PutManifest { fence: 6, from_epoch: 0, manifest: active("a"), ttl_ms: None };
        assert_eq!(settings.replace(late).unwrap_err().code, Code::Fence);
        assert_eq!(settings.confirm(6, 0).unwrap_err().code, Code::Fence);
        assert_eq!(settings.renew(6, 0, Duration::ZERO).unwrap_err().code, Code::Fence);
    }

    #[tokio::test(start_paused = true)]
    async fn a_higher_fence_is_in_force_with_the_change_that_carries_it() {
        let (dir, mut settings) = opened();
        let switch = |fence, from_epoch| PutManifest { fence, from_epoch, manifest: active("a"), ttl_ms: None };
        assert_eq!(settings.replace(switch(2, 7)).unwrap_err().code, Code::Epoch);
        assert_eq!(settings.fence(), 0);
        let next = settings.replace(switch(2, 0)).unwrap();
        settings.write(next).unwrap();
        let mut settings = Settings::open(&dir.path().join("settings"), Seal::of_test()).unwrap();
        assert_eq!((settings.fence(), settings.replace(switch(1, 1)).unwrap_err().code), (2, Code::Fence));
        let next = settings.hear(3).unwrap();
        settings.write(next).unwrap();
        assert_eq!((settings.fence(), settings.epoch()), (3, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_provisional_setting_goes_back_to_the_last_confirmed_one() {
        let (_dir, mut settings) = opened();
        put(&mut settings, 0, "old", None).unwrap();
        put(&mut settings, 1, "half", TTL).unwrap();
        put(&mut settings, 2, "new", TTL).unwrap();
        assert_eq!(settings.returns_to(), Some(1));
        tokio::time::advance(Duration::from_millis(29_999)).await;
        assert!(settings.overdue().is_none());
        tokio::time::advance(Duration::from_millis(1)).await;
        let back = settings.overdue().unwrap();
        settings.write(back).unwrap();
        assert_eq!((settings.manifest(), settings.epoch(), settings.returns_to()), (&active("old"), 4, None));
        assert!(settings.overdue().is_none());
        // Whoever let it run out is not listened to, and whoever believes in it learns that it is gone.
        assert_eq!(settings.confirm(0, 4).unwrap_err().code, Code::Fence);
        assert_eq!(settings.hear(0).unwrap_err().code, Code::Fence);
        assert_eq!(settings.confirm(1, 3).unwrap_err().code, Code::Epoch);
    }

    #[tokio::test(start_paused = true)]
    async fn renewing_gives_time_and_confirming_ends_it() {
        let (_dir, mut settings) = opened();
        put(&mut settings, 0, "new", TTL).unwrap();
        tokio::time::advance(Duration::from_secs(29)).await;
        let renewed = settings.renew(0, 1, Duration::from_secs(30)).unwrap();
        settings.write(renewed).unwrap();
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(settings.overdue().is_none());
        for _ in 0..2 {
            let confirmed = settings.confirm(0, 1).unwrap();
            settings.write(confirmed).unwrap();
        }
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(settings.overdue().is_none());
        assert_eq!((settings.manifest(), settings.epoch()), (&active("new"), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_provisional_setting_outlives_the_agent_until_its_time() {
        let (dir, mut settings) = opened();
        put(&mut settings, 0, "new", TTL).unwrap();
        let path = dir.path().join("settings");
        let again = Settings::open(&path, Seal::of_test()).unwrap();
        assert_eq!((again.manifest(), again.epoch(), again.returns_to()), (&active("new"), 1, Some(0)));
        assert!(again.overdue().is_none());
        put(&mut settings, 1, "newer", Some(0)).unwrap();
        let late = Settings::open(&path, Seal::of_test()).unwrap();
        assert_eq!(late.overdue().unwrap().manifest(), &Manifest::default());
    }

    #[tokio::test(start_paused = true)]
    async fn a_route_keeps_its_epoch_while_others_move() {
        let (_dir, mut settings) = opened();
        let route = |record: &str| crate::api::Route {
            epoch: 0,
            host: None,
            path: "/".to_owned(),
            targets: Vec::new(),
            timeout_ms: 1,
            hold_ms: 0,
            tls: crate::api::Tls::Off,
            sticky: false,
            preview: None,
            record: record.to_owned(),
        };
        let mut manifest = Manifest { routes: [("r".to_owned(), route("one"))].into(), ..Manifest::default() };
        let next = settings.replace(PutManifest { fence: 0, from_epoch: 0, manifest, ttl_ms: None }).unwrap();
        settings.write(next).unwrap();
        manifest = settings.manifest().clone();
        manifest.routes.insert("s".to_owned(), route("two"));
        let next = settings.replace(PutManifest { fence: 0, from_epoch: 1, manifest, ttl_ms: None }).unwrap();
        settings.write(next).unwrap();
        let epochs: Vec<u64> = settings.manifest().routes.values().map(|route| route.epoch).collect();
        assert_eq!(epochs, [1, 2]);
    }
}
