//! The handle: reserve ports, swap the table, drain targets, read samples, shut down.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex as StdMutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Mutex, watch};

use crate::error::ApplyError;
use crate::listener::Listener;
use crate::pool::IDLE_LIMIT;
use crate::ports;
use crate::samples::TargetSamples;
use crate::search::Tables;
use crate::spec::Routes;
use crate::table::{Known, Table};
use crate::target::{TargetKey, TargetState};

/// A running router. Clones are handles to the same one; it ends, like after [`Router::shutdown`], when the last handle is dropped.
#[derive(Clone, Debug, Default)]
pub struct Router {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    tables: Tables,
    known: StdMutex<Known>,
    control: Mutex<Control>,
}

/// What only one caller may change at a time.
#[derive(Debug, Default)]
struct Control {
    ports: BTreeMap<SocketAddr, Port>,
    sweeping: bool,
    is_shut_down: bool,
}

#[derive(Debug)]
enum Port {
    /// `in_force`: the table in force names it.
    Bound {
        socket: TcpSocket,
        in_force: bool,
    },
    Listening(Listener),
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Requests and tunnels that were still in flight at the deadline, and were cut.
    pub in_flight_cut: u64,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            tables: Arc::new(watch::Sender::new(Table::default())),
            known: StdMutex::default(),
            control: Mutex::default(),
        }
    }
}

impl Inner {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        if control.is_shut_down {
            return Err(ApplyError::ShutDown);
        }
        let mut known = self.inner.known().clone();
        known.retain(|_, (state, _)| state.is_in_force() || state.in_flight() > 0);
        let table = Table::new(&routes, &mut known)?;
        let listening = control.open_ports(&routes)?;
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
        drop(self.inner.tables.send_replace(table));
        for (_, (state, _)) in known.iter().filter(|(key, _)| !named.contains(key)) {
            state.set_in_force(false);
        }
        *self.inner.known() = known;
        for (address, listener) in listening {
            let listener = Listener::start(address, listener, Arc::clone(&self.inner.tables));
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
        let ports = {
            let mut control = self.inner.control.lock().await;
            control.is_shut_down = true;
            std::mem::take(&mut control.ports)
        };
        let mut stopped = Vec::new();
        for port in ports.into_values() {
            if let Port::Listening(listener) = port {
                stopped.push(listener.stop().await);
            }
        }
        for connections in &stopped {
            connections.closed().await;
        }
        for (state, _) in self.inner.known().values() {
            state.set_in_force(false);
        }
    }
}

impl Control {
    /// Binds what the table names and is not bound, and lets listen what has targets and does not listen. On an error, everything is bound as it was.
    fn open_ports(&mut self, routes: &Routes) -> io::Result<Vec<(SocketAddr, TcpListener)>> {
        let mut wanted: BTreeMap<SocketAddr, bool> = BTreeMap::new();
        for route in &routes.routes {
            *wanted.entry(route.listen_address()).or_default() |= route.targets.iter().any(|target| target.weight > 0);
        }
        let mut bound = Vec::new();
        for address in wanted.keys().filter(|address| !self.ports.contains_key(address)) {
            bound.push((*address, ports::bind(*address)?.0));
        }
        self.ports.extend(bound.into_iter().map(|(address, socket)| (address, Port::Bound { socket, in_force: true })));
        let mut listening = Vec::new();
        for (address, has_targets) in wanted {
            match self.ports.remove(&address) {
                Some(Port::Bound { socket, .. }) if has_targets => match ports::listen(address, socket) {
                    Ok(listener) => listening.push((address, listener)),
                    Err(error) => {
                        self.bind_again(listening);
                        return Err(error);
                    }
                },
                Some(Port::Bound { socket, .. }) => {
                    self.ports.insert(address, Port::Bound { socket, in_force: true });
                }
                Some(listener @ Port::Listening(_)) => {
                    self.ports.insert(address, listener);
                }
                None => {}
            }
        }
        Ok(listening)
    }

    /// Listening cannot be taken back, only closed.
    fn bind_again(&mut self, listening: Vec<(SocketAddr, TcpListener)>) {
        for (address, listener) in listening {
            drop(listener);
            if let Ok((socket, _)) = ports::bind(address) {
                self.ports.insert(address, Port::Bound { socket, in_force: false });
            }
        }
    }

    /// Closes the ports of the table before that this one does not name. What was reserved and not used yet stays.
    async fn close_unused(&mut self, routes: &Routes) {
        let named: BTreeSet<SocketAddr> = routes.routes.iter().map(crate::spec::RouteSpec::listen_address).collect();
        let unused: Vec<SocketAddr> = self
            .ports
            .iter()
            .filter(|(address, port)| !named.contains(address) && !matches!(port, Port::Bound { in_force: false, .. }))
            .map(|(address, _)| *address)
            .collect();
        for address in unused {
            if let Some(Port::Listening(listener)) = self.ports.remove(&address) {
                // Its connections end by themselves.
                drop(listener.stop().await);
            }
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
