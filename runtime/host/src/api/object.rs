//! What an object is to the agent: its kind's inputs after the engine resolved every reference to an id.
//!
//! Environment values and file contents may be secret: `Debug` hides them, and the agent writes them with mode 0600 only.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// `PUT lineages/L/objects/ID`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutObject {
    /// The caller's fence.
    pub fence: u64,
    /// Where the object is declared: names it in logs and to people, never identifies it.
    pub address: String,
    /// The generation that creates it, for logs and samples.
    #[serde(default)]
    pub generation: Option<u64>,
    /// Laid out but not started.
    #[serde(default)]
    pub dormant: bool,
    /// What it is.
    pub object: ObjectSpec,
}

/// What any other write to an object carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The caller's fence.
    pub fence: u64,
    /// How long the agent may take before it stops being gentle, in milliseconds (drain: then connections are cut).
    #[serde(default)]
    pub deadline_ms: Option<u64>,
}

/// `POST lineages/L/drain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Objects that nothing leads to any more.
    pub objects: Vec<String>,
    /// The caller's fence, and how long requests may still take.
    #[serde(flatten)]
    pub write: Write,
}

/// `DELETE lineages/L/objects/ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteObject {
    /// The caller's fence.
    pub fence: u64,
    /// Required to remove what holds state.
    #[serde(default)]
    pub consent: bool,
}

/// `POST lineages/L/objects/ID/snapshot`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeSnapshot {
    /// The caller's fence.
    pub fence: u64,
    /// Names the copy: asked for again, it is not taken again.
    pub token: String,
}

/// One object of a kind that the agent keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ObjectSpec {
    /// A program in isolation.
    Container(Box<Container>),
    /// A directory that outlives programs.
    Volume(Volume),
    /// Bytes on disk, mounted read only.
    File(File),
    /// A port that requests come in at.
    Route(RoutePort),
    /// Text that nobody chose.
    Secret(Secret),
}

impl ObjectSpec {
    /// The kind's name as a program writes it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Container(container) if container.once => "job",
            Self::Container(_) => "container",
            Self::Volume(_) => "volume",
            Self::File(_) => "file",
            Self::Route(_) => "route",
            Self::Secret(_) => "secret",
        }
    }
}

/// A program in isolation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Digest of the image's manifest in the home's store, `sha256:…`.
    pub image: String,
    /// The command; none means the image's own.
    #[serde(default)]
    pub cmd: Option<Vec<String>>,
    /// Added to the image's environment. May be secret.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The port that the schema declares. The real one is reserved by the agent and given as `PORT`.
    #[serde(default)]
    pub port: Option<u16>,
    /// What appears where inside, by absolute path.
    #[serde(default)]
    pub mounts: BTreeMap<String, Mount>,
    /// Upper bounds of what it may use.
    #[serde(default)]
    pub limits: Limits,
    /// Numeric `UID` or `UID:GID`; none means the image's.
    #[serde(default)]
    pub user: Option<String>,
    /// Whether a weaker isolation than namespaces is acceptable.
    #[serde(default)]
    pub isolation: IsolationWish,
    /// In a network of its own: it listens at `port`, is called by the one that the agent reserves, and calls nobody.
    #[serde(default)]
    pub private: bool,
    /// A job: it runs once, to its end, and never again.
    #[serde(default)]
    pub once: bool,
    /// How it is watched, ended and started again.
    #[serde(default)]
    pub policy: Policy,
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container")
            .field("image", &self.image)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// What may change without a new object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How health is judged; none means healthy while it runs.
    #[serde(default)]
    pub health: Option<HealthCheck>,
    /// How it is asked to end.
    #[serde(default)]
    pub stop: Stop,
    /// How fast crashed runs are replaced.
    #[serde(default)]
    pub backoff: Backoff,
}

/// What appears at a path inside a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Mount {
    /// A volume of the same lineage.
    Volume {
        /// The volume's object id.
        object: String,
        /// Whether writing is forbidden.
        #[serde(default)]
        read_only: bool,
    },
    /// A file object of the same lineage, read only.
    File {
        /// The file's object id.
        object: String,
    },
    /// Empty space that ends with the run.
    Scratch {
        /// Upper bound in bytes.
        size: u64,
    },
}

/// Upper bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Thousandths of one processor.
    #[serde(default)]
    pub cpu_milli: Option<u64>,
    /// Bytes of memory.
    #[serde(default)]
    pub memory: Option<u64>,
    /// Processes and threads.
    #[serde(default)]
    pub pids: Option<u64>,
}

/// What to do where full isolation is not to be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IsolationWish {
    /// Take the best there is and say which.
    #[default]
    Best,
    /// Refuse to run.
    Require,
}

/// How health is judged. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum HealthCheck {
    /// A GET that answers with one of the statuses.
    Http {
        /// Path and query.
        path: String,
        /// Between two probes.
        interval_ms: u64,
        /// For one probe.
        timeout_ms: u64,
        /// Successes in a row until healthy.
        healthy: u32,
        /// From the start of the run until it counts as unhealthy.
        within_ms: u64,
        /// Accepted statuses.
        status: Vec<u16>,
    },
    /// A connection that is accepted.
    Tcp {
        /// Between two probes.
        interval_ms: u64,
        /// For one probe.
        timeout_ms: u64,
        /// Successes in a row until healthy.
        healthy: u32,
        /// From the start of the run until it counts as unhealthy.
        within_ms: u64,
    },
    /// A program in the container that ends with status 0.
    Exec {
        /// The program and its arguments.
        cmd: Vec<String>,
        /// Between two probes.
        interval_ms: u64,
        /// For one probe.
        timeout_ms: u64,
        /// Successes in a row until healthy.
        healthy: u32,
        /// From the start of the run until it counts as unhealthy.
        within_ms: u64,
    },
    /// It stays alive.
    Running {
        /// For this long.
        for_ms: u64,
    },
}

/// Which signal asks the program to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopSignal {
    /// SIGTERM.
    #[default]
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
}

/// How a program is asked to end, and when it is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// The first signal.
    pub signal: StopSignal,
    /// Until it is killed.
    pub grace_ms: u64,
}

impl Default for Stop {
    fn default() -> Self {
        Self { signal: StopSignal::Term, grace_ms: 10_000 }
    }
}

/// Waiting between a crashed run and its successor: doubles from `first_ms` to `most_ms`, starts again after `reset_ms` of health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// After the first crash.
    pub first_ms: u64,
    /// Never more than this.
    pub most_ms: u64,
    /// A run that was healthy for so long forgets earlier crashes.
    pub reset_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first_ms: 1_000, most_ms: 30_000, reset_ms: 60_000 }
    }
}

/// A directory that outlives programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Bytes that it is meant for.
    pub size: u64,
    /// Numeric user that owns it.
    pub owner: u32,
    /// Whether several may write at once.
    pub access: VolumeAccess,
}

/// Who may write to a volume at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeAccess {
    /// One container.
    SingleWriter,
    /// Any number.
    Shared,
}

/// Bytes on disk, mounted read only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Base64 of the bytes.
    pub content: String,
    /// Permission bits, at most 0o777.
    pub mode: u32,
    /// Readable by its owner alone, whatever `mode` says.
    #[serde(default)]
    pub secret: bool,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// Text that nobody chose: made once, at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Characters.
    pub length: u32,
    /// Which characters.
    pub alphabet: Alphabet,
}

/// Characters of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alphabet {
    /// Letters and digits.
    Alnum,
    /// `0-9a-f`.
    Hex,
    /// All that is printable and no space.
    Ascii,
}

/// A port that requests come in at. What answers them is part of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutePort {
    /// The address to bind.
    pub bind: IpAddr,
    /// The port; none lets the agent pick one, which then stays.
    #[serde(default)]
    pub listen: Option<u16>,
    /// What is spoken.
    #[serde(default)]
    pub protocol: imm_router::Protocol,
    /// Whether its address is said to be encrypted: what the program said when the route was made. Whether it is, the
    /// setting says.
    #[serde(default)]
    pub encrypted: bool,
}

/// `PUT lineages/L/objects/ID/policy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutPolicy {
    /// The caller's fence.
    pub fence: u64,
    /// In force from now on.
    pub policy: Policy,
}
