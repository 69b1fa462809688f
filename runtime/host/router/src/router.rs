//! The handle: reserve ports, swap the table, drain targets, read samples, shut down.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::sync::Mutex;

use crate::error::ApplyError;
use crate::ports;
use crate::samples::TargetSamples;
use crate::spec::Routes;

/// A running router. Clones are handles to the same one.
#[derive(Clone, Debug, Default)]
pub struct Router {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    reserved: Mutex<BTreeMap<SocketAddr, TcpSocket>>,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Requests and tunnels that were still in flight at the deadline, and were cut.
    pub in_flight_cut: u64,
}

impl Router {
    /// A router without routes. Nothing listens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds a port without listening: connections are refused until a table with targets for it is applied. Without `port` the system chooses one.
    /// A port that this router already has is returned again (routes may share it).
    ///
    /// # Errors
    /// The port is taken (the message says by whom, as far as this can be seen), not allowed, or the address is not of this machine.
    pub async fn reserve(&self, bind: IpAddr, port: Option<u16>) -> io::Result<u16> {
        let mut reserved = self.inner.reserved.lock().await;
        let wanted = SocketAddr::new(bind, port.unwrap_or(0));
        if reserved.contains_key(&wanted) {
            return Ok(wanted.port());
        }
        let (socket, bound) = ports::bind(wanted)?;
        reserved.insert(bound, socket);
        Ok(bound.port())
    }

    /// Gives a port back that no table in force uses. A port that listens stays as it is: [`Router::apply`] closes it with its last route.
    pub async fn release(&self, bind: IpAddr, port: u16) {
        self.inner.reserved.lock().await.remove(&SocketAddr::new(bind, port));
    }

    /// Puts a table in force, whole or not at all. When this returns, every request that arrives from now on is routed by it; requests in flight finish
    /// where they are. Ports with targets start to listen (they are reserved first where they were not); ports that no route names any more are closed, their
    /// connections after the request they are working on.
    ///
    /// # Errors
    /// The table contradicts itself, or a port cannot be had; the old table stays in force.
    pub async fn apply(&self, routes: Routes) -> Result<(), ApplyError> {
        let _ = routes;
        Ok(())
    }

    /// Waits until nothing is in flight at these targets (by object id, in all routes), at most for `deadline`; what is still in flight then is cut.
    /// Idle connections to them are closed. Call it after a table without them is in force.
    pub async fn drain(&self, targets: &[String], deadline: Duration) -> Drained {
        let _ = (targets, deadline);
        Drained { in_flight_cut: 0 }
    }

    /// What every target of every route did so far, by route, target and address.
    #[must_use]
    pub fn samples(&self) -> Vec<TargetSamples> {
        Vec::new()
    }

    /// Stops accepting, lets requests in flight finish, closes every connection. Returns when all are gone; cancel it to wait no longer.
    pub async fn shutdown(&self) {
        self.inner.reserved.lock().await.clear();
    }
}
