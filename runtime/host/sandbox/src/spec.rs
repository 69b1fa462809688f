//! What a caller asks for: the program, its image, its mounts, its limits, and the isolation that it insists on.
//!
//! Plain data, written into the container's directory as JSON. Nothing here touches the system.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How well a program is isolated, best first. `Ord` follows: `Level::Namespaces < Level::Plain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A: own mount, process, IPC and host name namespaces; read-only root made of the image's layers.
    Namespaces,
    /// B: the image copied into one directory and `chroot` into it, Landlock where there is, seccomp.
    Chroot,
    /// C: a process of the host that may only read and execute beneath its image (Landlock), seccomp.
    Landlock,
    /// D: a process of the host, without new privileges and with seccomp where there is.
    Plain,
}

impl Level {
    /// The letter of the level in messages: `A` to `D`.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Namespaces => 'A',
            Self::Chroot => 'B',
            Self::Landlock => 'C',
            Self::Plain => 'D',
        }
    }

    /// What the level is, in a few words for people.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Chroot => "chroot",
            Self::Landlock => "plain process with Landlock",
            Self::Plain => "plain process",
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.letter(), self.describe())
    }
}

/// One container: a program in an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Unique on this machine among living containers, `[A-Za-z0-9._-]`, at most 63 bytes: names the cgroups and the host.
    pub id: String,
    /// The container's own directory: absolute, existing, ours, mode 0700. Holds records, log and mount point. (Root at level
    /// C or D: the program's user must be able to get there, so the mode becomes 0711, and those above must allow it.)
    pub dir: PathBuf,
    /// Unpacked image layers, lowest first, each absolute. Never written to.
    pub layers: Vec<PathBuf>,
    /// The program and its arguments; the program is an absolute path in the image or is looked up in `PATH` of `env`.
    pub argv: Vec<String>,
    /// The whole environment of the program; nothing is inherited.
    #[serde(default)]
    pub env: Vec<(String, String)>,
    /// Working directory in the image, absolute.
    #[serde(default = "root_dir")]
    pub cwd: String,
    /// Numeric `uid[:gid]` inside the container; 0 is refused when the caller is root.
    #[serde(default = "nobody")]
    pub user: String,
    /// What is mounted into the root besides /proc, /dev and /tmp.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Limits; what cannot be set on this machine becomes a warning of the run.
    #[serde(default)]
    pub limits: Limits,
    /// The only TCP port that the program may bind (Landlock ABI 4 or later); none may be bound without one.
    #[serde(default)]
    pub port: Option<u16>,
    /// Which network it is in.
    #[serde(default)]
    pub network: Network,
    /// The weakest level that is acceptable; `Some(Level::Namespaces)` also makes a limit that cannot be set an error.
    #[serde(default)]
    pub require: Option<Level>,
    /// Use this level though a better one may be possible (tests, diagnosis); fails when it is not possible here.
    #[serde(default)]
    pub force: Option<Level>,
    /// Bytes of the end of standard output that the record of the exit tells.
    #[serde(default)]
    pub keep_stdout: u64,
    /// Milliseconds from launch to the program's exec before the start counts as failed.
    #[serde(default = "start_timeout")]
    pub start_timeout_ms: u64,
}

impl Spec {
    /// A container with defaults: cwd `/`, user 65534, no mounts, no limits, no port, any level, 10 s to start.
    #[must_use]
    pub fn new(id: impl Into<String>, dir: impl Into<PathBuf>, layers: Vec<PathBuf>, argv: Vec<String>) -> Self {
        Self {
            id: id.into(),
            dir: dir.into(),
            layers,
            argv,
            env: Vec::new(),
            cwd: root_dir(),
            user: nobody(),
            mounts: Vec::new(),
            limits: Limits::default(),
            port: None,
            network: Network::Host,
            require: None,
            force: None,
            keep_stdout: 0,
            start_timeout_ms: start_timeout(),
        }
    }
}

fn root_dir() -> String {
    "/".to_owned()
}

fn nobody() -> String {
    "65534:65534".to_owned()
}

const fn start_timeout() -> u64 {
    10_000
}

/// Which network a program is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// The host's.
    #[default]
    Host,
    /// One of its own, with a loopback interface and no way out. Needs [`Level::Namespaces`].
    Private {
        /// The way in, if there is one.
        door: Option<Door>,
    },
}

/// Where calls to a program in a network of its own come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// On the host.
    pub outside: SocketAddr,
    /// The port that the program listens at, on its loopback.
    pub inside: u16,
}

/// One mount inside the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mount {
    /// A file or directory of the host.
    Bind {
        /// Absolute path on the host; must exist.
        source: PathBuf,
        /// Absolute path in the container; made when the image has none.
        target: String,
        /// Whether writing through this mount is refused.
        read_only: bool,
    },
    /// An empty directory in memory, gone with the container.
    Scratch {
        /// Absolute path in the container.
        target: String,
        /// Bytes that it may hold; counts against the memory limit.
        size: u64,
    },
}

impl Mount {
    /// Where in the container it appears.
    #[must_use]
    pub fn target(&self) -> &str {
        match self {
            Self::Bind { target, .. } | Self::Scratch { target, .. } => target,
        }
    }
}

/// Upper bounds; `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Thousandths of a processor.
    pub cpu_milli: Option<u64>,
    /// Bytes of memory, page cache and in-memory file systems included.
    pub memory: Option<u64>,
    /// Processes and threads, the init shim included.
    pub pids: Option<u64>,
}

impl Limits {
    /// Whether any limit is asked for.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.cpu_milli.is_some() || self.memory.is_some() || self.pids.is_some()
    }
}
