//! Bytes, both ways: upgraded connections and TCP routes.
//!
//! A tunnel is in flight at its target until both ways have ended; a switch leaves it where it is, a drain cuts it at the deadline.

use std::sync::Arc;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::search::{Search, Tables};
use crate::target::InFlight;
use crate::wire;

/// Held by everything that a listener's connections still do.
pub(crate) type Open = watch::Receiver<bool>;

/// Bytes on their way, in each direction.
const BUFFER: usize = 16 * 1024;
const CONNECT_LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

/// The tunnel of an upgraded request.
pub(crate) async fn upgraded(client: OnUpgrade, target: OnUpgrade, in_flight: InFlight, open: Open) {
    // An end that never upgrades has closed; dropping the other one closes that, too.
    if let (Ok(client), Ok(target)) = tokio::join!(client, target) {
        copy(TokioIo::new(client), TokioIo::new(target)).await;
    }
    drop((in_flight, open));
}

/// A connection to a TCP route. It is closed when no target can be reached.
pub(crate) async fn tcp(tables: &Tables, listener: std::net::SocketAddr, client: TcpStream) {
    let mut search = Search::new(tables);
    while let Ok(found) = search.next(|table| table.tcp(listener)).await {
        match wire::connect(&found.in_flight, CONNECT_LIMIT.min(found.timeout)).await {
            Ok(target) => {
                let recorder = &found.in_flight.target().recorder;
                recorder.request();
                recorder.latency(search.began().elapsed());
                copy(client, target).await;
                return;
            }
            Err(_) => search.unreachable(Arc::clone(found.in_flight.target())),
        }
    }
}

async fn copy(mut client: impl AsyncRead + AsyncWrite + Unpin, mut target: impl AsyncRead + AsyncWrite + Unpin) {
    // Whoever broke it off knows; both ends are closed by dropping them.
    let _ = copy_bidirectional_with_sizes(&mut client, &mut target, BUFFER, BUFFER).await;
}
