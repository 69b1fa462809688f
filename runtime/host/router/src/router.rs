//! The handle: reserve ports, swap the table, drain targets, read samples, shut down.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex as StdMutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpSocket;
use tokio::sync::Mutex;

use crate::access::{self, AccessLog, Teller};
use crate::control::{Control, Life, Port};
use crate::error::ApplyError;
use crate::listener::Listener;
use crate::pool::IDLE_LIMIT;
use crate::ports;
use crate::samples::TargetSamples;
use crate::spec::Routes;
use crate::table::{Known, Table};
use crate::target::{TargetKey, TargetState};
use crate::traffic::{Shared, Traffic};
use crate::tunnel::Phase;

/// A running router. Clones are handles to the same one; it ends, like after [`Router::shutdown`], when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Router {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    traffic: Traffic,
    known: StdMutex<Known>,
    control: Mutex<Control>,
}

/// A port's socket on its way from one process to another.
#[derive(Debug)]
pub struct PortSocket {
    /// What it is bound to.
    pub address: SocketAddr,
    /// Whether it listens already.
    pub is_listening: bool,
    /// The socket.
    pub socket: OwnedFd,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Requests and tunnels that were still in flight at the deadline, and were cut.
    pub in_flight_cut: u64,
}

impl Inner {
    fn new(teller: Option<Teller>) -> Self {
        Self { traffic: Arc::new(Shared::new(teller)), known: StdMutex::default(), control: Mutex::default() }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Router {
    fn default() -> Self {
        Self::new()
    }
}

impl Router {
    /// A router without routes. Nothing listens.
    #[must_use]
    pub fn new() -> Self {
        Self { inner: Arc::new(Inner::new(None)) }
    }

    /// The same, with an access log that holds at most `capacity` records which nobody has taken yet.
    #[must_use]
    pub fn with_access_log(capacity: usize) -> (Self, AccessLog) {
        let (teller, log) = access::channel(capacity);
        (Self { inner: Arc::new(Inner::new(Some(teller))) }, log)
    }

    /// Binds a port without listening: connections are refused until a table with targets for it is applied. Without `port` the system chooses one.
    /// A port that this router already has is returned again (routes may share it).
    ///
    /// # Errors
    /// The port is taken (the message says by whom, as far as this can be seen), not allowed, or the address is not of this machine.
    pub async fn reserve(&self, bind: IpAddr, port: Option<u16>) -> io::Result<u16> {
        let mut control = self.inner.control.lock().await;
        let wanted = SocketAddr::new(bind, port.unwrap_or(0));
        if control.ports.contains_key(&wanted) {
            return Ok(wanted.port());
        }
        let (socket, bound) = ports::bind(wanted)?;
        control.ports.insert(bound, Port::Bound { socket, in_force: false });
        Ok(bound.port())
    }

    /// Gives a reserved port back, unless the table in force names it: such a port is closed by [`Router::apply`], with its last route.
    pub async fn release(&self, bind: IpAddr, port: u16) {
        let address = SocketAddr::new(bind, port);
        let mut control = self.inner.control.lock().await;
        if matches!(control.ports.get(&address), Some(Port::Bound { in_force: false, .. })) {
            control.ports.remove(&address);
        }
    }

    /// Puts a table in force, whole or not at all. When this returns, every request that arrives from now on is routed by it; requests in flight finish
    /// where they are. Ports with targets start to listen (they are reserved first where they were not); ports that no route names any more are closed, their
    /// connections after the request they are working on.
    ///
    /// # Errors
    /// The table contradicts itself, or a port cannot be had; the old table stays in force.
    pub async fn apply(&self, routes: Routes) -> Result<(), ApplyError> {
        let mut control = self.inner.control.lock().await;
        if control.life == Life::ShutDown {
            return Err(ApplyError::ShutDown);
        }
        let mut known = self.inner.known().clone();
        known.retain(|_, (state, _)| state.is_in_force() || state.in_flight() > 0);
        let table = Table::new(&routes, &mut known, &self.inner.traffic.tables.borrow())?;
        let listening = if control.life == Life::Serving { control.open_ports(&routes)? } else { Vec::new() };
        let named: BTreeSet<TargetKey> = routes
            .routes
            .iter()
            .flat_map(|route| {
                route.targets.iter().map(|target| TargetKey {
                    route: route.id.clone(),
                    target: target.id.clone(),
                    place: target.place.clone(),
                })
            })
            .collect();
        // New ones before the swap, old ones after it: whoever is chosen is in force.
        for (_, (state, _)) in known.iter().filter(|(key, _)| named.contains(key)) {
            state.set_in_force(true);
        }
        // The table of before is dropped outside of the lock that requests take.
        drop(self.inner.traffic.tables.send_replace(table));
        for (_, (state, _)) in known.iter().filter(|(key, _)| !named.contains(key)) {
            state.set_in_force(false);
        }
        *self.inner.known() = known;
        for (address, listener) in listening {
            let listener = Listener::start(address, listener, Arc::clone(&self.inner.traffic));
            control.ports.insert(address, Port::Listening(listener));
        }
        control.close_unused(&routes).await;
        if !std::mem::replace(&mut control.sweeping, true) {
            tokio::spawn(sweep(Arc::downgrade(&self.inner)));
        }
        Ok(())
    }

    /// Waits until nothing is in flight at these targets (by object id, in all routes), at most for `deadline`; what is still in flight then is cut.
    /// Idle connections to them are closed. Call it after a table without them is in force.
    pub async fn drain(&self, targets: &[String], deadline: Duration) -> Drained {
        let states: Vec<Arc<TargetState>> = self
            .inner
            .known()
            .iter()
            .filter(|(key, _)| targets.contains(&key.target))
            .map(|(_, (state, _))| Arc::clone(state))
            .collect();
        for state in &states {
            state.pool.clear();
        }
        let quiet = join_all(states.iter().map(|state| state.until_quiet()));
        if tokio::time::timeout(deadline, quiet).await.is_ok() {
            return Drained { in_flight_cut: 0 };
        }
        let in_flight_cut = states.iter().map(|state| state.in_flight()).sum();
        for state in &states {
            state.cut();
        }
        Drained { in_flight_cut }
    }

    /// What every target of every route did so far, by route, target and address.
    #[must_use]
    pub fn samples(&self) -> Vec<TargetSamples> {
        let known = self.inner.known();
        let samples = known.iter().map(|(key, (state, group))| TargetSamples {
            route: key.route.clone(),
            target: key.target.clone(),
            address: key.place.to_string(),
            group: group.clone(),
            in_force: state.is_in_force(),
            requests: state.recorder.requests(),
            errors: state.recorder.errors(),
            in_flight: state.in_flight(),
            latency: state.recorder.histogram(),
        });
        samples.collect()
    }

    /// Stops accepting, lets requests in flight finish, closes every connection. Returns when all are gone; cancel it to wait no longer.
    pub async fn shutdown(&self) {
        let connections = {
            let mut control = self.inner.control.lock().await;
            control.life = Life::ShutDown;
            control.end_ports(Phase::Closing).await;
            for connections in &control.ended {
                connections.send_replace(Phase::Closing);
            }
            std::mem::take(&mut control.ended)
        };
        for connections in &connections {
            connections.closed().await;
        }
        for (state, _) in self.inner.known().values() {
            state.set_in_force(false);
        }
    }

    /// The sockets of all ports, for another process that will accept in this one's place. This one goes on until [`Router::finish`].
    ///
    /// # Errors
    /// The system does not give further descriptors.
    pub async fn sockets(&self) -> io::Result<Vec<PortSocket>> {
        let control = self.inner.control.lock().await;
        let sockets = control.ports.iter().map(|(address, port)| {
            let (socket, is_listening) = match port {
                Port::Bound { socket, .. } => (socket.as_fd().try_clone_to_owned()?, false),
                Port::Listening(listener) => (listener.socket().try_clone_to_owned()?, true),
                Port::Adopted(socket) => (socket.as_fd().try_clone_to_owned()?, true),
            };
            Ok(PortSocket { address: *address, is_listening, socket })
        });
        sockets.collect()
    }

    /// Takes over a port's socket from the process that had it. Who waits to be accepted there goes on waiting until a table names the port.
    ///
    /// # Errors
    /// It is no socket of TCP.
    pub async fn adopt(&self, socket: PortSocket) -> io::Result<()> {
        let port = if socket.is_listening {
            let listener = std::net::TcpListener::from(socket.socket);
            listener.set_nonblocking(true)?;
            Port::Adopted(listener)
        } else {
            let bound = std::net::TcpStream::from(socket.socket);
            bound.set_nonblocking(true)?;
            Port::Bound { socket: TcpSocket::from_std_stream(bound), in_force: false }
        };
        self.inner.control.lock().await.ports.insert(socket.address, port);
        Ok(())
    }

    /// Closes the adopted ports that no table has named until now.
    pub async fn drop_adopted(&self) {
        self.inner.control.lock().await.ports.retain(|_, port| !matches!(port, Port::Adopted(_)));
    }

    /// Accepts no more, since another process does. Connections are closed with the next answer on them, never under a request that is on its way; tables
    /// that are applied from now on still route what comes over them. Returns when the last one has ended.
    pub async fn finish(&self) {
        let mut waiting = Vec::new();
        {
            let mut control = self.inner.control.lock().await;
            if control.life == Life::Serving {
                control.life = Life::Finishing;
                control.end_ports(Phase::Last).await;
            }
            waiting.extend(control.ended.iter().cloned());
        }
        for connections in waiting {
            connections.closed().await;
        }
    }
}

/// Closes connections that are idle for too long, for as long as the router lives.
async fn sweep(router: Weak<Inner>) {
    let mut pause = tokio::time::interval(IDLE_LIMIT / 3);
    loop {
        pause.tick().await;
        let Some(router) = router.upgrade() else { return };
        let states: Vec<_> = router.known().values().map(|(state, _)| Arc::clone(state)).collect();
        drop(router);
        for state in states {
            state.pool.sweep();
        }
    }
}
