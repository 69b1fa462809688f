//! The request router: weighted targets, switches that lose nothing.
//!
//! [`Router`] listens on the ports that a table of [`Routes`] names and sends each request to one of the targets of its route. The table is swapped as one
//! value; every request is routed by the table that is in force when it arrives, and counted as in flight at its target from that very moment, so that
//! [`Router::drain`] can wait for the last one. Client connections survive swaps.
//!
//! Read `spec` (what is declared), `table` (which route, which target), `target` (one target's state), `exchange` (one request), `listener` (sockets),
//! `router` (the handle), in this order. `static_files` is independent of all of them.

mod access;
mod balance;
mod body;
mod client_stream;
mod control;
mod cookies;
mod elsewhere;
mod error;
mod exchange;
mod headers;
mod listener;
mod pool;
mod ports;
mod refusal;
mod router;
mod samples;
mod search;
mod spare;
mod spec;
pub mod static_files;
mod steer;
mod strict;
mod table;
mod target;
mod tls;
mod traffic;
mod trust;
mod tunnel;
mod upgrade;
mod wire;

pub use access::{Access, AccessLog, Http};
pub use elsewhere::{BadUrl, Elsewhere};
pub use error::ApplyError;
pub use router::{Drained, PortSocket, Router};
pub use samples::{Histogram, TargetSamples};
pub use spec::{Certificate, Mark, Place, Preview, Protocol, RouteSpec, Routes, Target};
pub use trust::encrypt;
