//! The agent's one pointer per lineage: which objects act, which routes lead where.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The whole setting of a lineage. Replaced as one, by compare-and-swap on its epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Objects whose activity the setting decides. Others keep what activate and deactivate last said.
    #[serde(default)]
    pub objects: BTreeMap<String, ObjectSetting>,
    /// Routes by pointer id.
    #[serde(default)]
    pub routes: BTreeMap<String, Route>,
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

/// One route's setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where it is declared; names it in samples and errors.
    pub address: String,
    /// The manifest epoch at which this route was last set. The agent fills it in.
    #[serde(default)]
    pub epoch: u64,
    /// The port; 0 lets the agent pick one, which then stays.
    pub listen: u16,
    /// The address to bind.
    pub bind: String,
    /// What is spoken.
    #[serde(default)]
    pub protocol: RouteProtocol,
    /// Only requests for this host name.
    #[serde(default)]
    pub host: Option<String>,
    /// Only requests below this path.
    #[serde(default = "slash")]
    pub path: String,
    /// Where requests go; empty answers 503 (or, while nothing was ever served, the port is bound and not listening).
    #[serde(default)]
    pub targets: Vec<Target>,
    /// Upper bound of one request, milliseconds; none for no bound.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// How long requests wait when there is no target, milliseconds.
    #[serde(default)]
    pub hold_ms: u64,
    /// Whether a client stays with its target by cookie.
    #[serde(default)]
    pub sticky: bool,
}

fn slash() -> String {
    "/".to_owned()
}

/// What a route speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteProtocol {
    /// HTTP/1.1 and HTTP/2.
    #[default]
    Http,
    /// Bytes.
    Tcp,
}

/// One share of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// A container of the same lineage with a port.
    pub object: String,
    /// Relative share.
    pub weight: u32,
}

/// `POST lineages/L`: announces a new holder of the lineage's lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announce {
    /// The holder's fence. A lower one than the last is refused from now on.
    pub fence: u64,
    /// The last entry of the holder's ledger.
    #[serde(default)]
    pub head: Option<LedgerHead>,
}

/// The last entry of a ledger, as its owner said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerHead {
    /// Sequence number.
    pub seq: u64,
    /// Hash of the entry.
    pub hash: [u8; 32],
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
