//! What can be wrong with a table or a port, said so that a user can act on it.

use std::io;
use std::net::SocketAddr;

/// Why a table was not taken. Nothing of it is in force then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Two routes have one id.
    #[error("two routes have the id `{0}`")]
    DuplicateId(String),
    /// Two routes answer for the same requests.
    #[error(
        "the routes `{first}` and `{second}` both answer for {what} on {address}; give them different hosts or paths"
    )]
    DuplicateRoute {
        /// The id of one of them.
        first: String,
        /// The id of the other.
        second: String,
        /// The address both listen on.
        address: SocketAddr,
        /// The requests both would answer.
        what: String,
    },
    /// One port would have to speak two protocols, or TCP for two routes.
    #[error(
        "the routes `{first}` and `{second}` cannot share {address}: a TCP route needs a port of its own, or `tls` and a host of its own"
    )]
    SharedTcp {
        /// The id of one of them.
        first: String,
        /// The id of the other.
        second: String,
        /// The address both listen on.
        address: SocketAddr,
    },
    /// One port would have to speak with and without TLS.
    #[error("the routes `{first}` and `{second}` share {address}: give both or none of them `tls`")]
    MixedTls {
        /// The id of one of them.
        first: String,
        /// The id of the other.
        second: String,
        /// The address both listen on.
        address: SocketAddr,
    },
    /// A certificate or key that cannot be used.
    #[error("route `{id}`: {why}")]
    BadCertificate {
        /// The route's id.
        id: String,
        /// What is wrong. Never quotes the key.
        why: String,
    },
    /// Bytes have no paths.
    #[error("route `{id}` has the path `{path}`, but a TCP route has no paths")]
    TcpPath {
        /// The route's id.
        id: String,
        /// Its path.
        path: String,
    },
    /// Bytes have no hosts.
    #[error(
        "route `{id}` is for host {host}, which a TCP route only learns from TLS; give it `tls` or leave the host out"
    )]
    TcpHost {
        /// The route's id.
        id: String,
        /// Its host.
        host: String,
    },
    /// Port 0 is no port that a request could be sent to.
    #[error("the route `{0}` has port 0; reserve a port first")]
    NoPort(String),
    /// A TCP route to what only speaks HTTP.
    #[error("the route `{0}` speaks plain TCP, and a site or endpoint only HTTP; write `protocol = http`")]
    HttpOnly(String),
    /// A path prefix that no request path can have.
    #[error("the path `{path}` of route `{id}` must begin with `/`")]
    BadPath {
        /// The route's id.
        id: String,
        /// Its path.
        path: String,
    },
    /// A port could not be had.
    #[error(transparent)]
    Listen(#[from] io::Error),
    /// The router was shut down.
    #[error("the router has been shut down")]
    ShutDown,
}
