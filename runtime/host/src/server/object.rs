//! One object: its record on disk, what is wanted of it, what is seen of it.
//!
//! ```text
//! objects/ID/object.json   what it is and the port it has; never changes but for its policy
//! objects/ID/state.json    whether it is meant to act, and the number of its last run
//! objects/ID/content       the bytes of a file
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
    Activity, ApiError, Code, Container, Health, Level, Mount, ObjectReport, ObjectSpec, Policy, VolumeAccess,
};
use crate::disk;
use crate::home::private_dir;

use super::ports::HOST;

const FORMAT: u32 = 1;

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
            other @ (ObjectSpec::Volume(_) | ObjectSpec::File(_) | ObjectSpec::Route(_)) => other.clone(),
        };
        without_policy(&self.spec) == without_policy(spec)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    active: bool,
    run: u64,
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
    record: Mutex<Record>,
    state: Mutex<State>,
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
    pub fn lay_out(lineage: &str, lineage_dir: &Path, id: &str, record: Record, active: bool) -> io::Result<Arc<Self>> {
        let objects = lineage_dir.join("objects");
        private_dir(&objects)?;
        let (aside, dir) = (objects.join(format!("{id}.new")), objects.join(id));
        if aside.exists() {
            fs::remove_dir_all(&aside)?;
        }
        private_dir(&aside.join("runs"))?;
        super::content::lay_out(lineage_dir, &aside, id, &record.spec)?;
        let state = State { active, run: 0 };
        disk::replace_json(&aside.join("state.json"), &state)?;
        disk::replace_json(&aside.join("object.json"), &record)?;
        fs::rename(&aside, &dir)?;
        disk::sync_parent(&dir)?;
        Ok(Arc::new(Self::assemble(lineage, id, dir, record, state)))
    }

    /// Reads an object that an earlier agent laid out.
    pub fn open(lineage: &str, dir: &Path) -> io::Result<Arc<Self>> {
        let lost =
            |name: &str| io::Error::new(io::ErrorKind::NotFound, format!("{}: {name} is missing", dir.display()));
        let record: Record = disk::read_json(&dir.join("object.json"))?.ok_or_else(|| lost("object.json"))?;
        if record.format != FORMAT {
            let said = format!("{}: written by another version of imm (format {})", dir.display(), record.format);
            return Err(io::Error::new(io::ErrorKind::InvalidData, said));
        }
        let state: State = disk::read_json(&dir.join("state.json"))?.ok_or_else(|| lost("state.json"))?;
        let id = dir.file_name().and_then(|name| name.to_str()).ok_or_else(|| lost("a name"))?;
        Ok(Arc::new(Self::assemble(lineage, id, dir.to_owned(), record, state)))
    }

    fn assemble(lineage: &str, id: &str, dir: PathBuf, record: Record, state: State) -> Self {
        let supervised = matches!(record.spec, ObjectSpec::Container(_));
        let level = match (supervised, state.active) {
            (false, _) => Level::Healthy,
            (true, true) => Level::Starting,
            (true, false) => Level::Dormant,
        };
        let health =
            Health { level, run: state.run, reason: None, exit_code: None, last_lines: Vec::new(), changes: 0 };
        let seen = Seen { health, processes: supervised, replaced: 0, isolation: None, warnings: Vec::new() };
        let policy = match &record.spec {
            ObjectSpec::Container(container) => container.policy.clone(),
            ObjectSpec::Volume(_) | ObjectSpec::File(_) | ObjectSpec::Route(_) => Policy::default(),
        };
        Self {
            lineage: lineage.to_owned(),
            id: id.to_owned(),
            dir,
            want: watch::Sender::new(if state.active { Want::Active } else { Want::Dormant }),
            seen: watch::Sender::new(seen),
            policy: watch::Sender::new(policy),
            record: Mutex::new(record),
            state: Mutex::new(state),
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
        self.want.send_replace(if active { Want::Active } else { Want::Dormant });
        Ok(())
    }

    /// The number of the last run.
    pub fn last_run(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).run
    }

    /// Takes the next run's number, durably: no number is used twice.
    pub fn next_run(&self) -> io::Result<u64> {
        self.change_state(|state| state.run += 1)?;
        Ok(self.last_run())
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
            disk::replace_json(&self.dir.join("object.json"), &next)?;
            *record = next;
            self.policy.send_replace(policy);
        }
        Ok(())
    }

    fn change_state(&self, change: impl FnOnce(&mut State)) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = *state;
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
            ObjectSpec::Volume(_) | ObjectSpec::File(_) | ObjectSpec::Route(_) => Vec::new(),
        }
    }

    /// For `GET …/objects/ID`.
    pub fn report(&self, lineage_dir: &Path) -> ObjectReport {
        let record = self.record();
        let seen = self.seen.borrow().clone();
        let (host, path) = match &record.spec {
            ObjectSpec::Container(_) => (record.port.map(|_| HOST.to_string()), None),
            ObjectSpec::Route(route) => (Some(route.bind.to_string()), None),
            ObjectSpec::Volume(_) => (None, Some(super::content::volume_dir(lineage_dir, &self.id))),
            ObjectSpec::File(_) => (None, Some(super::content::file_path(&self.dir))),
        };
        ObjectReport {
            object: self.id.clone(),
            kind: record.spec.kind().to_owned(),
            address: record.address,
            generation: record.generation,
            health: seen.health,
            host,
            port: record.port,
            size: match &record.spec {
                ObjectSpec::File(_) => path.as_deref().and_then(|path| fs::metadata(path).ok()).map(|meta| meta.len()),
                ObjectSpec::Container(_) | ObjectSpec::Volume(_) | ObjectSpec::Route(_) => None,
            },
            path: path.map(|path| path.to_string_lossy().into_owned()),
            isolation: seen.isolation,
            warnings: seen.warnings,
        }
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
