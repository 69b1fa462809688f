//! One lineage: its setting, its objects, and what the API does to them.
//!
//! Guarantees: every write is checked against the fence first; a setting is on disk, then in force, then acknowledged; nothing that
//! may still be in force is removed. Lineages share no state but ports, claims and the router.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncGuard, Notify};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout};

use crate::api::{
    Activity, Announce, Answers, ApiError, Code, Compared, Confirm, Drained, Epoch, Health, LedgerHead, Level,
    LineageReport, Manifest, ObjectReport, ObjectSpec, PutManifest, PutPolicy, Renew, Samples, Snapshot, TakeSnapshot,
    VolumeAccess, Write,
};

use super::Site;
use super::board::{Asker, Places};
use super::claims::Holder;
use super::journal::{Event, Journal};
use super::logs::Logs;
use super::object::{Object, Want, claims};
use super::settings::{Next, Settings};
use super::supervise::supervise;
use super::tombstones::Tombstones;

/// How much longer than its grace period a stop may take before the caller is told to ask again.
const STOP_SLACK: Duration = Duration::from_secs(20);

/// What outlives objects.
#[derive(Debug)]
pub struct Records {
    /// The lineage's directory.
    pub dir: PathBuf,
    /// What the agent did on its own.
    pub journal: Journal,
    /// What containers printed.
    pub logs: Logs,
    /// Requests to its routes.
    pub access: Logs,
}

/// One lineage.
#[derive(Debug)]
pub struct Lineage {
    pub(super) id: String,
    pub(super) site: Arc<Site>,
    pub(super) records: Arc<Records>,
    pub(super) tombstones: Tombstones,
    settings: AsyncMutex<Settings>,
    objects: Mutex<BTreeMap<String, Arc<Object>>>,
    deadline_moved: Notify,
}

impl Lineage {
    /// Opens or makes a lineage's records; restores nothing yet.
    pub fn open(site: Arc<Site>, id: &str) -> io::Result<Self> {
        let dir = site.home.lineage(id);
        crate::home::private_dir(&dir)?;
        let settings = Settings::open(&dir.join("settings"), Arc::clone(&site.seal))?;
        let tombstones = Tombstones::open(&dir.join("tombstones"))?;
        let journal = Journal::open(&dir.join("journal.jsonl"))?;
        let logs = Logs::open(&dir.join("logs"), site.log_bounds)?;
        let access = Logs::open(&dir.join("access"), site.log_bounds)?;
        Ok(Self {
            id: id.to_owned(),
            site,
            records: Arc::new(Records { dir, journal, logs, access }),
            tombstones,
            settings: AsyncMutex::new(settings),
            objects: Mutex::default(),
            deadline_moved: Notify::new(),
        })
    }

    /// For writes: the settings, if the caller's fence is not over.
    pub(super) async fn fenced(&self, fence: u64) -> Result<AsyncGuard<'_, Settings>, ApiError> {
        let mut settings = self.settings.lock().await;
        let next = settings.hear(fence)?;
        settings.write(next)?;
        Ok(settings)
    }

    pub(super) fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Object>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The object with this id.
    pub fn object(&self, id: &str) -> Result<Arc<Object>, ApiError> {
        self.objects().get(id).cloned().ok_or_else(|| ApiError::unknown_object(&self.id, id))
    }

    /// Takes an object in and, for a container, starts the task that follows it.
    pub(super) fn take_in(&self, object: &Arc<Object>) {
        self.objects().insert(object.id.clone(), Arc::clone(object));
        if !*object.finished.borrow() {
            let (site, records, object) = (Arc::clone(&self.site), Arc::clone(&self.records), Arc::clone(object));
            let holds = self.holds(&object);
            tokio::spawn(async move {
                supervise(site, records, Arc::clone(&object), holds).await;
                object.finished.send_replace(true);
            });
        }
    }

    /// `GET lineages/L`.
    pub async fn report(&self) -> LineageReport {
        let settings = self.settings.lock().await;
        let objects: Vec<Arc<Object>> = self.objects().values().cloned().collect();
        LineageReport {
            lineage: self.id.clone(),
            fence: settings.fence(),
            head: settings.head(),
            epoch: settings.epoch(),
            manifest: settings.manifest().clone(),
            returns_to: settings.returns_to(),
            objects: objects.iter().map(|object| object.report(&self.records.dir)).collect(),
        }
    }

    /// A new holder of the lease; answers the head that the one before announced.
    pub async fn announce(&self, announce: Announce) -> Result<Option<LedgerHead>, ApiError> {
        let mut settings = self.settings.lock().await;
        let before = settings.head();
        let next = settings.announce(announce.fence, announce.head, announce.take)?;
        settings.write(next)?;
        Ok(before)
    }

    /// Replaces the setting.
    pub async fn put_manifest(&self, put: PutManifest) -> Result<Epoch, ApiError> {
        let mut settings = self.settings.lock().await;
        let next = settings.replace(put)?;
        self.check(next.manifest()).await?;
        let epoch = self.put_in_force(&mut settings, next).await?;
        self.deadline_moved.notify_one();
        Ok(Epoch { epoch })
    }

    /// Makes the setting in force permanent.
    pub async fn confirm(&self, confirm: Confirm) -> Result<Epoch, ApiError> {
        let mut settings = self.settings.lock().await;
        let next = settings.confirm(confirm.fence, confirm.epoch)?;
        settings.write(next)?;
        self.deadline_moved.notify_one();
        Ok(Epoch { epoch: settings.epoch() })
    }

    /// Gives a provisional setting more time.
    pub async fn renew(&self, renew: Renew) -> Result<Epoch, ApiError> {
        let mut settings = self.settings.lock().await;
        let next = settings.renew(renew.fence, renew.epoch, Duration::from_millis(renew.ttl_ms))?;
        settings.write(next)?;
        self.deadline_moved.notify_one();
        Ok(Epoch { epoch: settings.epoch() })
    }

    /// Lets a container act.
    pub async fn activate(&self, id: &str, write: Write) -> Result<ObjectReport, ApiError> {
        let _settings = self.fenced(write.fence).await?;
        let object = self.container(id)?;
        self.claim(&object)?;
        object.set_activity(Activity::Active)?;
        Ok(object.report(&self.records.dir))
    }

    /// Ends a container's processes and keeps it ready; answers when they are gone.
    pub async fn deactivate(&self, id: &str, write: Write) -> Result<ObjectReport, ApiError> {
        let object = {
            let _settings = self.fenced(write.fence).await?;
            let object = self.container(id)?;
            object.set_activity(Activity::Dormant)?;
            object
        };
        let mut seen = object.seen.subscribe();
        let grace = Duration::from_millis(object.policy.borrow().stop.grace_ms);
        let job_ended = |level: Level| level == Level::Exited && object.outcome().is_some();
        let stopped = seen
            .wait_for(|seen| (seen.health.level == Level::Dormant || job_ended(seen.health.level)) && !seen.processes);
        match timeout(grace + STOP_SLACK, stopped).await {
            Ok(_) => Ok(object.report(&self.records.dir)),
            Err(_) => {
                Err(ApiError::maybe(Code::Unavailable, format!("{} does not end; ask again", object.record().address)))
            }
        }
    }

    /// An object next to what it is declared as.
    pub fn compare(&self, id: &str, declared: &ObjectSpec) -> Result<Compared, ApiError> {
        Ok(Compared { differs: super::compare::differences(&self.object(id)?.record().spec, declared) })
    }

    /// Takes a copy of a volume.
    pub async fn snapshot(&self, id: &str, take: TakeSnapshot) -> Result<Snapshot, ApiError> {
        drop(self.fenced(take.fence).await?);
        let object = self.object(id)?;
        let record = object.record();
        if !matches!(record.spec, ObjectSpec::Volume(_)) {
            return Err(ApiError::no(Code::Invalid, format!("a {} cannot be copied", record.spec.kind())));
        }
        if take.token.is_empty() || !take.token.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(ApiError::no(Code::Invalid, "a copy is named by letters and digits"));
        }
        let (dir, id) = (self.records.dir.clone(), object.id.clone());
        let taken = spawn_blocking(move || super::snapshot::take(&dir, &id, &take.token)).await;
        let taken = taken.map_err(|cause| ApiError::maybe(Code::Internal, cause.to_string()))?;
        let failed = |cause| ApiError::no(Code::Unavailable, format!("{} cannot be copied: {cause}", record.address));
        let path = taken.map_err(failed)?;
        Ok(Snapshot { path: path.to_string_lossy().into_owned() })
    }

    /// Waits until no request is in flight to the objects.
    pub async fn drain(&self, ids: &[String], write: Write) -> Result<Drained, ApiError> {
        drop(self.fenced(write.fence).await?);
        let deadline = Duration::from_millis(write.deadline_ms.unwrap_or(30_000));
        Ok(Drained { cut: self.site.board.drain(ids, deadline).await })
    }

    /// Puts a policy in force.
    pub async fn put_policy(&self, id: &str, put: PutPolicy) -> Result<(), ApiError> {
        let _settings = self.fenced(put.fence).await?;
        self.object(id)?.set_policy(put.policy)
    }

    /// An object's health, once it is known or `wait` is over.
    pub async fn health(&self, id: &str, wait: Duration) -> Result<Health, ApiError> {
        let object = self.object(id)?;
        let mut seen = object.seen.subscribe();
        // A time-out means that it is starting still, which is an answer too.
        let _ = timeout(wait, seen.wait_for(|seen| seen.health.level != Level::Starting)).await;
        Ok(object.seen.borrow().health.clone())
    }

    /// What routes saw, and how often runs were replaced.
    pub fn samples(&self) -> Samples {
        let restarts =
            self.objects().values().map(|object| (object.id.clone(), object.seen.borrow().replaced)).collect();
        Samples { samples: self.site.board.samples(&self.id), restarts }
    }

    /// Restores routes; false when a port could not be had.
    pub async fn restore_routes(&self) -> bool {
        let mut settings = self.settings.lock().await;
        let routes: Vec<_> = self.ports().routes.into_iter().collect();
        for (id, (route, port)) in routes {
            let address = self.object(&id).map_or_else(|_| id.clone(), |object| object.record().address);
            let asker = Asker { lineage: &self.id, object: &id, address: &address };
            if let Err(cause) = self.site.board.reserve(asker, route.bind, Some(port)).await {
                self.site.say(&format!("lineage {}, route {id}: {cause}", self.id));
                return false;
            }
        }
        if let Some(back) = settings.overdue() {
            return self.revert(&mut settings, back).await;
        }
        let restored = match self.places(settings.manifest()).await {
            Ok(places) => self.site.board.set(&self.id, settings.manifest(), &places).await,
            Err(refused) => Err(refused),
        };
        restored.inspect_err(|cause| self.site.say(&format!("lineage {}: {cause}", self.id))).is_ok()
    }

    /// Reverts provisional settings when their time is over; never ends.
    pub async fn watch_deadline(self: Arc<Self>) {
        loop {
            let deadline = self.settings.lock().await.deadline();
            let over = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.deadline_moved.notified() => {}
                () = over => {
                    let mut settings = self.settings.lock().await;
                    if let Some(back) = settings.overdue() && !self.revert(&mut settings, back).await {
                        drop(settings);
                        // What keeps it from going back (a full disk) may pass.
                        sleep_until(Instant::now() + Duration::from_secs(1)).await;
                    }
                }
            }
        }
    }

    async fn revert(&self, settings: &mut Settings, back: Next) -> bool {
        let from = settings.epoch();
        match self.put_in_force(settings, back).await {
            Ok(epoch) => {
                self.rise(settings.manifest());
                let detail = format!("setting {from} was neither renewed nor confirmed in time");
                let written = self.records.journal.record(Event::Reverted, None, epoch, &detail);
                written.inspect_err(|cause| self.site.say(&format!("lineage {}: {cause}", self.id))).is_ok()
            }
            Err(cause) => {
                self.site.say(&format!("lineage {}: setting {from} cannot be reverted: {cause}", self.id));
                false
            }
        }
    }

    /// What routes go back to acts again: a batch that was taken over from rests meanwhile. What somebody may hold alone is
    /// left to whoever recovers.
    fn rise(&self, manifest: &Manifest) {
        for target in manifest.routes.values().flat_map(|route| &route.targets) {
            let Ok(object) = self.container(&target.object) else { continue };
            if !object.is_active()
                && self.holds(&object).0.is_empty()
                && let Err(cause) = object.set_activity(Activity::Active)
            {
                self.site.say(&format!("lineage {}: {} does not act again: {cause}", self.id, object.id));
            }
        }
    }

    /// Durable, then in force in the router, then in force for objects.
    async fn put_in_force(&self, settings: &mut Settings, next: Next) -> Result<u64, ApiError> {
        let (epoch, undo) = (next.epoch(), settings.undo(&next));
        let before = settings.manifest().clone();
        let taken: Vec<Arc<Object>> = self.newly_active(next.manifest());
        for (at, object) in taken.iter().enumerate() {
            if let Err(refused) = self.claim(object) {
                taken.iter().take(at).for_each(|object| self.site.claims.release(&self.id, &object.id));
                return Err(refused);
            }
        }
        let places = self.places(next.manifest()).await?;
        settings.write(next)?;
        if let Err(refused) = self.site.board.set(&self.id, settings.manifest(), &places).await {
            taken.iter().for_each(|object| self.site.claims.release(&self.id, &object.id));
            settings.write(undo)?;
            return Err(refused);
        }
        let manifest = settings.manifest();
        for (id, setting) in &manifest.objects {
            self.object(id)?.set_activity(setting.activity)?;
        }
        // What only the setting before made act, no longer acts.
        for (id, setting) in &before.objects {
            if setting.activity == Activity::Active
                && !manifest.objects.contains_key(id)
                && let Ok(object) = self.object(id)
            {
                object.set_activity(Activity::Dormant)?;
            }
        }
        Ok(epoch)
    }

    fn newly_active(&self, manifest: &Manifest) -> Vec<Arc<Object>> {
        let objects = self.objects();
        let active = manifest.objects.iter().filter(|(_, setting)| setting.activity == Activity::Active);
        active.filter_map(|(id, _)| objects.get(id)).filter(|object| !object.is_active()).cloned().collect()
    }

    /// Refuses a setting that names what is not there.
    async fn check(&self, manifest: &Manifest) -> Result<(), ApiError> {
        for id in manifest.objects.keys() {
            self.container(id)?;
        }
        for id in manifest.cells.keys() {
            self.object(id)?;
        }
        self.site.board.check(&self.id, manifest, &self.places(manifest).await?)
    }

    /// What a setting needs to be in force.
    async fn places(&self, manifest: &Manifest) -> Result<Places, ApiError> {
        let mut places = self.ports();
        for route in manifest.routes.values() {
            for target in &route.targets {
                let Answers::Site(digest) = &target.answers else { continue };
                let (site, key) = (Arc::clone(&self.site), (digest.clone(), route.path.clone()));
                let (digest, below) = key.clone();
                let opened = spawn_blocking(move || crate::site::open(&site.store, &digest, &below)).await;
                let opened = opened.map_err(|cause| ApiError::no(Code::Internal, cause.to_string()))?;
                places.sites.insert(key, opened.map_err(|cause| ApiError::no(Code::Invalid, cause))?);
            }
        }
        Ok(places)
    }

    /// Where the targets of its routes are declared, by object, also those of which nothing is here.
    pub async fn target_addresses(&self) -> BTreeMap<String, String> {
        let settings = self.settings.lock().await;
        let targets = settings.manifest().routes.values().flat_map(|route| &route.targets);
        targets.filter(|t| !t.address.is_empty()).map(|t| (t.object.clone(), t.address.clone())).collect()
    }

    /// The ports of its routes and containers.
    fn ports(&self) -> Places {
        let mut places = Places { routes: BTreeMap::new(), targets: BTreeMap::new(), sites: BTreeMap::new() };
        for object in self.objects().values() {
            let record = object.record();
            match (record.spec, record.port) {
                (ObjectSpec::Route(route), Some(port)) => {
                    places.routes.insert(object.id.clone(), (route, port));
                }
                (ObjectSpec::Container(_), Some(port)) => {
                    places.targets.insert(object.id.clone(), port);
                }
                _without_port => {}
            }
        }
        places
    }

    fn container(&self, id: &str) -> Result<Arc<Object>, ApiError> {
        let object = self.object(id)?;
        if *object.want.borrow() == Want::Gone {
            return Err(ApiError::no(Code::Tombstone, format!("object {id} is being destroyed")));
        }
        let kind = object.record().spec.kind();
        if matches!(kind, "container" | "job") {
            Ok(object)
        } else {
            Err(ApiError::no(Code::Invalid, format!("a {kind} does not act")))
        }
    }

    /// Takes what an object holds alone while it acts.
    pub(super) fn claim(&self, object: &Object) -> Result<(), ApiError> {
        let (keys, holder) = self.holds(object);
        self.site.claims.take(&keys, &holder)
    }

    /// What an object holds alone while it acts, and its name.
    fn holds(&self, object: &Object) -> (Vec<String>, Holder) {
        let record = object.record();
        let holder = Holder { lineage: self.id.clone(), object: object.id.clone(), address: record.address };
        match &record.spec {
            ObjectSpec::Container(container) => (claims(container, |id| self.volume_access(id)), holder),
            _plain => (Vec::new(), holder),
        }
    }

    /// `GET lineages/L/objects/ID`.
    pub fn whole_report(&self, id: &str) -> Result<ObjectReport, ApiError> {
        Ok(self.object(id)?.whole_report(&self.site, &self.records.dir)?)
    }

    /// The access of the volume with this id.
    pub(super) fn volume_access(&self, id: &str) -> Option<VolumeAccess> {
        match self.objects().get(id)?.record().spec {
            ObjectSpec::Volume(volume) => Some(volume.access),
            _other => None,
        }
    }
}
