//! The agent's one pointer per lineage: which objects act, which routes lead where.

use std::collections::BTreeMap;

use imm_ir::Digest;
use serde::{Deserialize, Serialize};

/// The whole setting of a lineage. Replaced as one, by compare-and-swap on its epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Objects whose activity the setting decides. Others keep what activate and deactivate last said.
    #[serde(default)]
    pub objects: BTreeMap<String, ObjectSetting>,
    /// Routes by the id of their object.
    #[serde(default)]
    pub routes: BTreeMap<String, Route>,
    /// Movable fields of durables, by object id.
    #[serde(default)]
    pub cells: BTreeMap<String, Cell>,
}

/// What the setting says of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectSetting {
    /// Whether it acts.
    pub activity: Activity,
}

/// Whether an object acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Laid out, without processes.
    Dormant,
    /// Kept running.
    Active,
}

/// One route's setting. Its port and address are inputs of the route's object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The manifest epoch at which this route was last set. The agent fills it in.
    #[serde(default)]
    pub epoch: u64,
    /// Only requests for this host name.
    #[serde(default)]
    pub host: Option<String>,
    /// Only requests below this path.
    #[serde(default = "slash")]
    pub path: String,
    /// Where requests go. Empty: the port is bound and nobody listens.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// How long an answer may take to begin, milliseconds.
    pub timeout_ms: u64,
    /// How long requests wait while no target can be reached, milliseconds.
    #[serde(default)]
    pub hold_ms: u64,
    /// How it is encrypted.
    #[serde(default)]
    pub tls: Tls,
    /// Whether a client stays with its target.
    #[serde(default)]
    pub sticky: bool,
    /// Requests that reach the group `fresh` at once.
    #[serde(default)]
    pub preview: Option<imm_router::Mark>,
    /// The caller's own record of this setting, kept as it is. May be secret.
    #[serde(default)]
    pub record: String,
}

fn slash() -> String {
    "/".to_owned()
}

/// How a route is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Not at all.
    #[default]
    Off,
    /// With a certificate of the home's development CA.
    Dev,
    /// With this one. The key is secret.
    Pem(imm_router::Certificate),
}

/// One share of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its object's id: samples and drains speak of it.
    pub object: String,
    /// Where it is declared, for people: what no agent made has no record here.
    #[serde(default)]
    pub address: String,
    /// What answers.
    #[serde(default)]
    pub answers: Answers,
    /// Relative share.
    pub weight: u32,
    /// The set of targets it belongs to; a set's share is the sum of its weights.
    #[serde(default)]
    pub group: String,
}

/// What answers the requests of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// The target's object, a container of the same lineage with a port.
    #[default]
    Container,
    /// The router itself, with the site of this manifest (`sha256:…`) in the home's store.
    Site(String),
    /// The server at this URL.
    Elsewhere(String),
}

/// The movable fields of one durable, kept for their owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The manifest epoch at which it was last set. The agent fills it in.
    #[serde(default)]
    pub epoch: u64,
    /// The caller's own record of this setting. May be secret.
    pub record: String,
}

/// `POST lineages/L`: announces a new holder of the lineage's lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announce {
    /// The holder's fence. A lower one than the last is refused from now on.
    pub fence: u64,
    /// The last entry of the holder's ledger.
    #[serde(default)]
    pub head: Option<LedgerHead>,
    /// The holder was told to go on although another head was seen: that one no longer counts.
    #[serde(default)]
    pub take: bool,
}

/// The last entry of a ledger, as its owner said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerHead {
    /// Sequence number.
    pub seq: u64,
    /// Hash of the entry.
    pub hash: Digest,
}

/// `PUT lineages/L/manifest`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutManifest {
    /// The caller's fence.
    pub fence: u64,
    /// The epoch that this setting replaces.
    pub from_epoch: u64,
    /// The setting.
    pub manifest: Manifest,
    /// Provisional for so long (milliseconds): not renewed and not confirmed, it reverts to the last confirmed one.
    /// None: confirmed at once.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
}

/// `POST lineages/L/confirm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirm {
    /// The caller's fence.
    pub fence: u64,
    /// The epoch that becomes permanent.
    pub epoch: u64,
}

/// `POST lineages/L/renew`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew {
    /// The caller's fence.
    pub fence: u64,
    /// The provisional epoch.
    pub epoch: u64,
    /// From now, milliseconds.
    pub ttl_ms: u64,
}
