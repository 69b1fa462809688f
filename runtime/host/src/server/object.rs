//! One object: its record on disk, what is wanted of it, what is seen of it.
//!
//! ```text
//! objects/ID/object        what it is and the port it has, sealed; never changes but for its policy
//! objects/ID/state.json    whether it is meant to act, and the number of its last run
//! objects/ID/content       the bytes of a file; of a secret one a link to where they are in memory
//! objects/ID/value         the value of a secret, sealed
//! objects/ID/outcome       how the one run of a job ended, sealed
//! objects/ID/runs/N/       one run: the monitor's records and log
//! volumes/ID/              the bytes of a volume, apart from records so that no record's end takes them along
//! ```
//! Guarantees: an object directory appears whole, by renaming. Starting and stopping is `supervise`'s.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use imm_sandbox::Run;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::api::{
    Activity, ApiError, Code, Container, Health, Level, Mount, ObjectReport, ObjectSpec, Policy, RoutePort,
    VolumeAccess,
};
use crate::disk;
use crate::home::private_dir;
use crate::seal::Seal;

use super::Site;
use super::outcome::Outcome;
use super::ports::HOST;

const FORMAT: u32 = 1;
const RECORD: &str = "object";
const OUTCOME: &str = "outcome";

/// What an object is, on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    /// Where it is declared.
    pub address: String,
    /// The generation that creates it.
    pub generation: Option<u64>,
    /// The port reserved for it.
    pub port: Option<u16>,
    /// Its inputs.
    pub spec: ObjectSpec,
}

impl Record {
    /// A record of this format.
    pub fn new(address: String, generation: Option<u64>, port: Option<u16>, spec: ObjectSpec) -> Self {
        Self { format: FORMAT, address, generation, port, spec }
    }

    /// Whether the inputs that make it this object are the same.
    pub fn same_object(&self, spec: &ObjectSpec) -> bool {
        let without_policy = |spec: &ObjectSpec| match spec {
            ObjectSpec::Container(container) => {
                ObjectSpec::Container(Box::new(Container { policy: Policy::default(), ..Container::clone(container) }))
            }
            other => other.clone(),
        };
        without_policy(&self.spec) == without_policy(spec)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    active: bool,
    run: u64,
    /// The boot of the machine in which the last run's number was taken.
    #[serde(default)]
    boot: Option<String>,
}

/// What is wanted of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// No processes.
    Dormant,
    /// Kept running.
    Active,
    /// No processes, ever again.
    Gone,
}

/// What is seen of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Health, as it is told.
    pub health: Health,
    /// Whether there may be processes.
    pub processes: bool,
    /// Runs that were replaced.
    pub replaced: u64,
    /// The isolation of the last run.
    pub isolation: Option<String>,
    /// What could not be had.
    pub warnings: Vec<String>,
}

/// One object.
#[derive(Debug)]
pub struct Object {
    /// Its lineage.
    pub lineage: String,
    /// Its id.
    pub id: String,
    /// Its directory.
    pub dir: PathBuf,
    seal: Arc<Seal>,
    record: Mutex<Record>,
    state: Mutex<State>,
    outcome: Mutex<Option<Outcome>>,
    /// What is wanted; `supervise` follows it.
    pub want: watch::Sender<Want>,
    /// What is seen; `supervise` tells it.
    pub seen: watch::Sender<Seen>,
    /// The policy in force.
    pub policy: watch::Sender<Policy>,
    /// Whether its last task has ended: no processes, never again.
    pub finished: watch::Sender<bool>,
    /// The run that lives, for measuring.
    pub run: Mutex<Option<Arc<Run>>>,
}

impl Object {
    /// Lays an object out: its directory appears whole, with its content.
    pub fn lay_out(site: &Site, at: (&str, &Path), id: &str, record: Record, active: bool) -> io::Result<Arc<Self>> {
        let (lineage, lineage_dir) = at;
        let objects = lineage_dir.join("objects");
        private_dir(&objects)?;
        let (aside, dir) = (objects.join(format!("{id}.new")), objects.join(id));
        if aside.exists() {
            fs::remove_dir_all(&aside)?;
        }
        private_dir(&aside.join("runs"))?;
        super::content::lay_out(site, lineage_dir, &aside, id, &record.spec)?;
        let state = State { active, run: 0, boot: None };
        disk::replace_json(&aside.join("state.json"), &state)?;
        site.seal.write_json(&aside.join(RECORD), &record)?;
        fs::rename(&aside, &dir)?;
        disk::sync_parent(&dir)?;
        Ok(Arc::new(Self::assemble(site, (lineage, id), dir, record, state, None)))
    }

    /// Reads an object that an earlier agent laid out.
    pub fn open(site: &Site, lineage: &str, dir: &Path) -> io::Result<Arc<Self>> {
        let lost =
            |name: &str| io::Error::new(io::ErrorKind::NotFound, format!("{}: {name} is missing", dir.display()));
        let record: Record = site.seal.read_json(&dir.join(RECORD))?.ok_or_else(|| lost(RECORD))?;
        if record.format != FORMAT {
            let said = format!("{}: written by another version of imm (format {})", dir.display(), record.format);
            return Err(io::Error::new(io::ErrorKind::InvalidData, said));
        }
        let state: State = disk::read_json(&dir.join("state.json"))?.ok_or_else(|| lost("state.json"))?;
        let id = dir.file_name().and_then(|name| name.to_str()).ok_or_else(|| lost("a name"))?;
        super::content::restore(site, id, &record.spec)?;
        let outcome = site.seal.read_json(&dir.join(OUTCOME))?;
        Ok(Arc::new(Self::assemble(site, (lineage, id), dir.to_owned(), record, state, outcome)))
    }

    fn assemble(
        site: &Site,
        (lineage, id): (&str, &str),
        dir: PathBuf,
        record: Record,
        state: State,
        outcome: Option<Outcome>,
    ) -> Self {
        let supervised = matches!(record.spec, ObjectSpec::Container(_));
        let level = match (supervised, state.active) {
            (false, _) => Level::Healthy,
            (true, _) if outcome.is_some() => Level::Exited,
            (true, true) => Level::Starting,
            (true, false) => Level::Dormant,
        };
        let ended = outcome.clone();
        let health = Health {
            level,
            run: state.run,
            reason: ended.as_ref().map(|outcome| outcome.how.clone()),
            exit_code: ended.as_ref().and_then(|outcome| outcome.code),
            last_lines: ended.map(|outcome| outcome.last_lines).unwrap_or_default(),
            changes: 0,
        };
        let seen = Seen { health, processes: supervised, replaced: 0, isolation: None, warnings: Vec::new() };
        let policy = match &record.spec {
            ObjectSpec::Container(container) => container.policy.clone(),
            _plain => Policy::default(),
        };
        Self {
            lineage: lineage.to_owned(),
            id: id.to_owned(),
            dir,
            want: watch::Sender::new(if state.active { Want::Active } else { Want::Dormant }),
            seen: watch::Sender::new(seen),
            policy: watch::Sender::new(policy),
            seal: Arc::clone(&site.seal),
            record: Mutex::new(record),
            state: Mutex::new(state),
            outcome: Mutex::new(outcome),
            finished: watch::Sender::new(!supervised),
            run: Mutex::new(None),
        }
    }

    /// What it is.
    pub fn record(&self) -> Record {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it is meant to act, by the last durable word.
    pub fn is_active(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).active
    }

    /// Says durably whether it is meant to act, and lets the supervisor know.
    pub fn set_activity(&self, activity: Activity) -> io::Result<()> {
        let active = activity == Activity::Active;
        self.change_state(|state| state.active = active)?;
        // From here on there may be processes, and it is not dormant: whoever asks, or stops it again, before the supervisor has
        // heard of it must not be told what was.
        if active && *self.want.borrow() != Want::Active {
            let ended = self.outcome().is_some();
            self.seen.send_modify(|seen| {
                seen.processes = true;
                if seen.health.level == Level::Dormant && !ended {
                    seen.health.level = Level::Starting;
                    seen.health.changes += 1;
                }
            });
        }
        self.want.send_replace(if active { Want::Active } else { Want::Dormant });
        Ok(())
    }

    /// The number of the last run.
    pub fn last_run(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).run
    }

    /// Takes the next run's number, durably: no number is used twice.
    pub fn next_run(&self) -> io::Result<u64> {
        let boot = this_boot();
        self.change_state(|state| {
            state.run += 1;
            state.boot = boot;
        })?;
        Ok(self.last_run())
    }

    /// Whether the last run's number was taken since the machine was started.
    pub fn ran_in_this_boot(&self) -> bool {
        let boot = self.state.lock().unwrap_or_else(PoisonError::into_inner).boot.clone();
        boot.is_some() && boot == this_boot()
    }

    /// How its one run ended, for a job that has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says how its one run ended. In force at once; durable when it returns without an error.
    pub fn set_outcome(&self, outcome: Outcome) -> io::Result<()> {
        let mut known = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = known.get_or_insert(outcome);
        self.seal.write_json(&self.dir.join(OUTCOME), outcome)
    }

    /// Where a run keeps its files.
    pub fn run_dir(&self, run: u64) -> PathBuf {
        self.dir.join("runs").join(run.to_string())
    }

    /// Puts a policy in force, durably.
    pub fn set_policy(&self, policy: Policy) -> Result<(), ApiError> {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = record.clone();
        let ObjectSpec::Container(container) = &mut next.spec else {
            return Err(ApiError::no(Code::Invalid, format!("a {} has no policy", record.spec.kind())));
        };
        if container.policy != policy {
            container.policy = policy.clone();
            self.seal.write_json(&self.dir.join(RECORD), &next)?;
            *record = next;
            self.policy.send_replace(policy);
        }
        Ok(())
    }

    fn change_state(&self, change: impl FnOnce(&mut State)) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = state.clone();
        change(&mut next);
        if next != *state {
            disk::replace_json(&self.dir.join("state.json"), &next)?;
            *state = next;
        }
        Ok(())
    }

    /// Objects that it binds by its mounts, with whether it may write to them.
    pub fn binds(&self) -> Vec<(String, bool)> {
        match &self.record.lock().unwrap_or_else(PoisonError::into_inner).spec {
            ObjectSpec::Container(container) => binds(container),
            _plain => Vec::new(),
        }
    }

    /// For `GET …/objects/ID`: also what is too large or too secret for lists.
    pub fn whole_report(&self, site: &Site, lineage_dir: &Path) -> io::Result<ObjectReport> {
        let record = self.record();
        let secret = matches!(record.spec, ObjectSpec::Secret(_));
        Ok(ObjectReport {
            lost: super::content::lost(lineage_dir, &self.dir, &self.id, &record.spec),
            changed: super::content::changed(&self.dir, &record.spec)?,
            stdout: self.outcome().map(|outcome| outcome.stdout),
            value: if secret { Some(super::content::revealed(site, &self.dir)?) } else { None },
            ..self.report(lineage_dir)
        })
    }

    /// For lists.
    pub fn report(&self, lineage_dir: &Path) -> ObjectReport {
        let record = self.record();
        let seen = self.seen.borrow().clone();
        let (host, path) = match &record.spec {
            ObjectSpec::Container(_) => (record.port.map(|_| HOST.to_string()), None),
            ObjectSpec::Route(route) => (Some(route.bind.to_string()), None),
            ObjectSpec::Volume(_) => (None, Some(super::content::volume_dir(lineage_dir, &self.id))),
            ObjectSpec::File(_) => (None, Some(super::content::file_path(&self.dir))),
            ObjectSpec::Secret(_) => (None, None),
        };
        ObjectReport {
            object: self.id.clone(),
            kind: record.spec.kind().to_owned(),
            address: record.address,
            generation: record.generation,
            health: seen.health,
            host,
            port: record.port,
            scheme: match &record.spec {
                ObjectSpec::Route(route) => Some(scheme(route).to_owned()),
                ObjectSpec::Container(_) | ObjectSpec::Volume(_) | ObjectSpec::File(_) | ObjectSpec::Secret(_) => None,
            },
            size: match &record.spec {
                ObjectSpec::File(_) => path.as_deref().and_then(|path| fs::metadata(path).ok()).map(|meta| meta.len()),
                _other => None,
            },
            meant_for: match &record.spec {
                ObjectSpec::Volume(volume) => Some(volume.size),
                _other => None,
            },
            stdout: None,
            value: None,
            lost: false,
            changed: Vec::new(),
            path: path.map(|path| path.to_string_lossy().into_owned()),
            isolation: seen.isolation,
            warnings: match &record.spec {
                ObjectSpec::Volume(_) => vec![crate::doctor::SIZES.to_owned()],
                _other => seen.warnings,
            },
        }
    }
}

/// Which start of the machine this is.
fn this_boot() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

fn scheme(route: &RoutePort) -> &'static str {
    match (route.protocol, route.encrypted) {
        (imm_router::Protocol::Tcp, _) => "tcp",
        (imm_router::Protocol::Http, true) => "https",
        (imm_router::Protocol::Http, false) => "http",
    }
}

/// Objects that a container binds by its mounts, with whether it may write to them.
pub fn binds(container: &Container) -> Vec<(String, bool)> {
    let bound = |mount: &Mount| match mount {
        Mount::Volume { object, read_only } => Some((object.clone(), !read_only)),
        Mount::File { object } => Some((object.clone(), false)),
        Mount::Scratch { .. } => None,
    };
    container.mounts.values().filter_map(bound).collect()
}

/// What a container that acts holds alone: volumes with a single writer that it may write to.
pub fn claims(container: &Container, volume: impl Fn(&str) -> Option<VolumeAccess>) -> Vec<String> {
    binds(container)
        .into_iter()
        .filter(|(object, writes)| *writes && volume(object) == Some(VolumeAccess::SingleWriter))
        .map(|(object, _)| format!("volume {object}"))
        .collect()
}
