//! What a caller declares: the whole routing table as plain, serialisable data.
//!
//! Guarantees: two equal tables route alike; nothing here does IO, and no name is resolved here.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::elsewhere::Elsewhere;
use crate::static_files::SiteSpec;

/// The whole routing table of a router. It is swapped as one value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// Every route; the order has no meaning.
    pub routes: Vec<RouteSpec>,
}

/// One route: what it answers for, and where requests go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSpec {
    /// The name under which the route's samples are reported and errors speak of it. Unique in a table.
    pub id: String,
    /// The address to listen on.
    pub bind: IpAddr,
    /// The port to listen on, as [`crate::Router::reserve`] returned it. Never 0.
    pub port: u16,
    /// What is spoken on the port. All routes of one port speak the same.
    #[serde(default)]
    pub protocol: Protocol,
    /// Only requests for this host name (without port, in any case); `None` answers for every host that no other route of the port names. For TCP, which
    /// needs TLS then: the name that the client asks for when it connects.
    #[serde(default)]
    pub host: Option<String>,
    /// Only requests whose path is this one or lies below it, by whole segments (`/api` is not a prefix of `/apix`).
    #[serde(default = "root_path")]
    pub path: String,
    /// How long a target may take to begin its answer, in milliseconds, counted from the last progress of the request's body.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// How long a request waits while no target can be reached, in milliseconds. 0: it is refused at once.
    #[serde(default)]
    pub hold_ms: u64,
    /// What the listener proves that it is; `None`: nothing is encrypted. All routes of one port agree on whether it is.
    #[serde(default)]
    pub tls: Option<Certificate>,
    /// Whether a client stays with the target that it was given first, by a cookie, for as long as that target gets requests.
    #[serde(default)]
    pub sticky: bool,
    /// Requests that reach a group at once, whatever its weight.
    #[serde(default)]
    pub preview: Option<Preview>,
    /// Where requests go. Empty: the route is known and has nobody (yet).
    #[serde(default)]
    pub targets: Vec<Target>,
}

/// A certificate and its key, as PEM. `Debug` hides the key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The certificate, then those that lead to the root.
    pub chain: String,
    /// The key of the first one.
    pub key: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("chain", &self.chain).finish_non_exhaustive()
    }
}

/// Which requests reach a group at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// The group.
    pub group: String,
    /// How such a request is known.
    pub by: Mark,
}

/// What marks a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// A header field with exactly this value.
    Header {
        /// Its name, in any case.
        name: String,
        /// Its value.
        value: String,
    },
    /// A cookie with exactly this value.
    Cookie {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1, HTTP/1.0 and HTTP/2 with prior knowledge; upgrades (WebSocket) pass through.
    #[default]
    Http,
    /// Bytes, both ways, one target connection for each accepted connection.
    Tcp,
}

/// One place a route can send requests to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The object that answers there. [`crate::Router::drain`] and samples speak of it.
    pub id: String,
    /// What answers.
    pub place: Place,
    /// Its share among the targets of the route; the share of a group is the sum of its targets' weights. 0: it gets only what previews it.
    #[serde(default = "default_weight")]
    pub weight: u32,
    /// The set of targets it belongs to (for instance the leaving and the fresh one). Requests are first dealt to groups by weight, then inside a
    /// group to the target with the least in flight.
    #[serde(default)]
    pub group: String,
}

/// What answers requests to a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A program that listens here.
    Address(SocketAddr),
    /// The router itself, with files. For HTTP only.
    Site(SiteSpec),
    /// Somebody else's server.
    Elsewhere(Elsewhere),
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Site(_) => f.write_str("site"),
            Self::Elsewhere(elsewhere) => write!(f, "{elsewhere}"),
        }
    }
}

impl RouteSpec {
    /// The address its listener binds.
    #[must_use]
    pub fn listen_address(&self) -> SocketAddr {
        SocketAddr::new(self.bind, self.port)
    }
}

fn root_path() -> String {
    "/".to_owned()
}

fn default_timeout_ms() -> u64 {
    60_000
}

fn default_weight() -> u32 {
    1
}
