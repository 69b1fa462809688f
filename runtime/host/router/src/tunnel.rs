//! Bytes, both ways: upgraded connections and TCP routes.
//!
//! A tunnel is in flight at its target until both ways have ended; a switch leaves it where it is, a drain cuts it at the deadline.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::sync::watch;

use crate::access::Pending;
use crate::search::Search;
use crate::target::InFlight;
use crate::traffic::Traffic;
use crate::wire;

/// Held by everything that a listener's connections still do.
pub(crate) type Open = watch::Receiver<Phase>;

/// How a listener's connections are to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// As they like.
    Open,
    /// Until the request that each of them sends next is answered: none of them is closed under a request that is on its way.
    Last,
    /// Until the request is answered that they are working on.
    Closing,
}

impl Phase {
    pub(crate) fn is_last(self) -> bool {
        self != Self::Open
    }
}

/// Bytes on their way, in each direction.
const BUFFER: usize = 16 * 1024;
const CONNECT_LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

/// The tunnel of an upgraded request.
pub(crate) async fn upgraded(
    client: OnUpgrade,
    target: OnUpgrade,
    in_flight: InFlight,
    open: Open,
    pending: Option<Box<Pending>>,
) {
    // An end that never upgrades has closed; dropping the other one closes that, too.
    if let (Ok(client), Ok(target)) = tokio::join!(client, target) {
        copy(TokioIo::new(client), TokioIo::new(target), pending).await;
    }
    drop((in_flight, open));
}

/// A connection to a TCP route, of a client that asked for `host`. It is closed when no target can be reached.
pub(crate) async fn tcp(
    traffic: &Traffic,
    listener: SocketAddr,
    peer: IpAddr,
    host: Option<&str>,
    client: impl AsyncRead + AsyncWrite + Unpin,
) {
    let mut pending = traffic.teller.as_ref().map(|teller| Pending::new(teller, peer, None));
    let mut search = Search::new(traffic);
    let nothing = HeaderMap::new();
    while let Ok(found) = search.next(&nothing, |table| table.tcp(listener, host)).await {
        let target = Arc::clone(found.in_flight.target());
        if let Some(pending) = &mut pending {
            pending.given_to(&found.route.id, Some(&target));
        }
        match wire::connect(&found.in_flight, CONNECT_LIMIT.min(found.route.timeout)).await {
            Ok(wire) => {
                target.recorder.request();
                target.recorder.latency(search.began().elapsed());
                copy(client, wire, pending).await;
                return;
            }
            Err(_) => search.unreachable(target),
        }
    }
}

async fn copy(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut target: impl AsyncRead + AsyncWrite + Unpin,
    pending: Option<Box<Pending>>,
) {
    // Whoever broke it off knows; both ends are closed by dropping them.
    let copied = copy_bidirectional_with_sizes(&mut client, &mut target, BUFFER, BUFFER).await;
    if let (Ok((_, sent)), Some(mut pending)) = (copied, pending) {
        pending.sent(sent);
        pending.is_whole();
    }
}
