//! What only one caller at a time may change of a router: its ports, and whether it still serves.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use crate::listener::Listener;
use crate::ports;
use crate::spec::{RouteSpec, Routes};
use crate::tunnel::Phase;

/// The ports of a router and what it is doing.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub(crate) ports: BTreeMap<SocketAddr, Port>,
    pub(crate) sweeping: bool,
    pub(crate) life: Life,
    /// The connections of listeners that have ended before their router.
    pub(crate) ended: Vec<watch::Sender<Phase>>,
}

/// Whether it still accepts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Life {
    #[default]
    Serving,
    /// Another process accepts.
    Finishing,
    ShutDown,
}

/// What became of a port so far.
#[derive(Debug)]
pub(crate) enum Port {
    /// `in_force`: the table in force names it.
    Bound {
        socket: TcpSocket,
        in_force: bool,
    },
    Listening(Listener),
    /// It listens, and nobody accepts here yet.
    Adopted(std::net::TcpListener),
}

impl Control {
    pub(crate) async fn end_ports(&mut self, phase: Phase) {
        for port in std::mem::take(&mut self.ports).into_values() {
            if let Port::Listening(listener) = port {
                self.ended.push(listener.end(phase).await);
            }
        }
    }

    /// Binds what the table names and is not bound, and lets listen what has targets and does not listen. On an error, everything is bound as it was.
    pub(crate) fn open_ports(&mut self, routes: &Routes) -> io::Result<Vec<(SocketAddr, TcpListener)>> {
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
                Some(Port::Adopted(socket)) if has_targets => match TcpListener::from_std(socket) {
                    Ok(listener) => listening.push((address, listener)),
                    Err(error) => {
                        self.bind_again(listening);
                        return Err(error);
                    }
                },
                Some(port @ (Port::Listening(_) | Port::Adopted(_))) => {
                    self.ports.insert(address, port);
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
    pub(crate) async fn close_unused(&mut self, routes: &Routes) {
        let named: BTreeSet<SocketAddr> = routes.routes.iter().map(RouteSpec::listen_address).collect();
        let unused: Vec<SocketAddr> = self
            .ports
            .iter()
            .filter(|(address, port)| {
                !named.contains(address) && !matches!(port, Port::Bound { in_force: false, .. } | Port::Adopted(_))
            })
            .map(|(address, _)| *address)
            .collect();
        for address in unused {
            if let Some(Port::Listening(listener)) = self.ports.remove(&address) {
                // Its connections end by themselves.
                drop(listener.end(Phase::Closing).await);
            }
        }
    }
}
