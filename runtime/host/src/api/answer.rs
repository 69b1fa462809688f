//! What the agent reports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{LedgerHead, Manifest};

/// `GET agent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentReport {
    /// Version of the API types.
    pub api: u32,
    /// Version of the program.
    pub version: String,
    /// The agent's process.
    pub pid: u32,
    /// Its home.
    pub home: String,
    /// Since when it runs, milliseconds of Unix time.
    pub started_at_ms: u64,
    /// Its clock now, milliseconds of Unix time.
    pub now_ms: u64,
    /// Lineages that it keeps.
    pub lineages: Vec<String>,
}

/// `GET lineages/L`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageReport {
    /// Which.
    pub lineage: String,
    /// The highest fence that was announced.
    pub fence: u64,
    /// The ledger's head at that time.
    pub head: Option<LedgerHead>,
    /// Epoch of the setting in force.
    pub epoch: u64,
    /// The setting in force.
    pub manifest: Manifest,
    /// The epoch of the setting to which a provisional one returns; none when the one in force is confirmed.
    pub returns_to: Option<u64>,
    /// Objects, by id.
    pub objects: Vec<ObjectReport>,
}

/// An epoch, after an accepted write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// The epoch in force.
    pub epoch: u64,
}

/// `GET lineages/L/objects/ID`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectReport {
    /// Its id.
    pub object: String,
    /// Its kind.
    pub kind: String,
    /// Where it is declared.
    pub address: String,
    /// The generation that created it.
    pub generation: Option<u64>,
    /// How it is.
    pub health: Health,
    /// The reserved address, for containers and routes.
    pub host: Option<String>,
    /// The reserved port, for routes and for containers with one.
    pub port: Option<u16>,
    /// What is spoken there, for routes: `http`, `https` or `tcp`.
    #[serde(default)]
    pub scheme: Option<String>,
    /// Where its bytes lie, for volumes and files.
    pub path: Option<String>,
    /// Size in bytes, for files.
    pub size: Option<u64>,
    /// Bytes that it was made for, for volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meant_for: Option<u64>,
    /// The end of a job's standard output, once it has ended; not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// The value of a secret; not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Revealed>,
    /// Its bytes are not there any more, for volumes and files; not in lists.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// What is not as it was made, for files; not in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<ChangedField>,
    /// The isolation that was reached by the last run, in words.
    pub isolation: Option<String>,
    /// What could not be done as asked (limits that cannot be set here, …).
    pub warnings: Vec<String>,
}

/// `POST lineages/L/objects/ID/compare`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// The fields that are not as they are declared; what may be secret is not shown.
    pub differs: Vec<ChangedField>,
}

/// A field that somebody changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedField {
    /// Its name.
    pub name: String,
    /// As it was made, in words.
    pub recorded: String,
    /// As it is.
    pub observed: String,
}

/// A text that does not print itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revealed(pub String);

impl std::fmt::Debug for Revealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// How an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Running, not yet judged.
    Starting,
    /// Judged well.
    Healthy,
    /// Judged ill.
    Unhealthy,
    /// No process now: the last run ended, the next one waits.
    Exited,
    /// Laid out, not meant to run.
    Dormant,
}

/// `GET lineages/L/objects/ID/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// How it is.
    pub level: Level,
    /// Number of the last run, from 1; 0 before the first.
    pub run: u64,
    /// Why it is not healthy, in words: what the last probe met, how the last run ended.
    pub reason: Option<String>,
    /// Exit code of the last run that ended by itself.
    pub exit_code: Option<i32>,
    /// The last lines that it printed, when it is not healthy.
    pub last_lines: Vec<String>,
    /// Rises whenever the level changes.
    pub changes: u64,
}

/// A copy of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Where it is.
    pub path: String,
}

/// After a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// Requests that were cut off at the deadline.
    pub cut: u64,
}

/// After a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleared {
    /// The object was not there.
    pub was_missing: bool,
}

/// What `GET lineages/L/logs` asks, as its query string.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQuery {
    /// Whether requests to routes are asked for, not what containers printed.
    #[serde(default)]
    pub access: bool,
    /// Only this object.
    pub object: Option<String>,
    /// Only this address, or what lies below it.
    pub address: Option<String>,
    /// Only this generation.
    pub generation: Option<u64>,
    /// Only later than this, milliseconds of Unix time.
    pub since_ms: Option<u64>,
    /// Only after this position.
    pub after: Option<u64>,
    /// At most so many, the newest ones unless `after` is given.
    pub limit: Option<u64>,
    /// Wait so long for a line when there is none, milliseconds (at most 30,000).
    pub wait_ms: Option<u64>,
}

/// Some log lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// In the order in which they were collected.
    pub lines: Vec<LogLine>,
    /// Position to ask from the next time.
    pub next: u64,
}

/// One line that a container printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Position in the lineage's log.
    pub seq: u64,
    /// When it was printed, milliseconds of Unix time.
    pub at_ms: u64,
    /// The container's address.
    pub address: String,
    /// The container's object id.
    pub object: String,
    /// The generation that created it.
    pub generation: Option<u64>,
    /// The run that printed it.
    pub run: u64,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// Without its line end; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// `GET lineages/L/journal`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalPage {
    /// In order.
    pub entries: Vec<JournalEntry>,
}

/// Something that the agent did on its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// From 1, without gaps.
    pub seq: u64,
    /// Hash of the entry before (hex); zeros for the first.
    pub prev: String,
    /// Milliseconds of Unix time.
    pub at_ms: u64,
    /// `run_started`, `run_ended`, `run_stopped`, `run_adopted`, `reverted`.
    pub event: String,
    /// The object, or none for the lineage's manifest.
    pub object: Option<String>,
    /// The run's number, or the manifest's new epoch.
    pub number: u64,
    /// Words for people.
    pub detail: String,
    /// Hash of this entry (hex).
    pub hash: String,
}

/// `GET lineages/L/samples`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// One entry per route and target, of this lineage; routes by the id of their object.
    pub samples: Vec<imm_router::TargetSamples>,
    /// Runs that were replaced, by object id.
    pub restarts: BTreeMap<String, u64>,
}
