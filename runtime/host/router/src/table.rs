//! The table in force: which route a request belongs to.
//!
//! Guarantees: at most one route answers for a request; the longest path wins, and a route that names the host wins over one that does not. Paths are compared
//! as they were sent, by whole segments, without decoding.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::balance::{Balance, Candidate};
use crate::error::ApplyError;
use crate::spec::{Certificate, Place, Protocol, RouteSpec, Routes};
use crate::steer::{Steer, Token};
use crate::target::{TargetKey, TargetState};
use crate::tls::PortTls;

/// The targets that are known, with the group that each was in last.
pub(crate) type Known = BTreeMap<TargetKey, (Arc<TargetState>, String)>;

#[derive(Debug, Default)]
pub(crate) struct Table {
    ports: BTreeMap<SocketAddr, PortRoutes>,
}

/// What answers at one port.
#[derive(Debug)]
pub(crate) struct PortRoutes {
    pub(crate) protocol: Protocol,
    pub(crate) tls: Option<Arc<PortTls>>,
    hosts: HashMap<String, Vec<Arc<Route>>>,
    /// Routes without a host.
    any_host: Vec<Arc<Route>>,
}

/// One route in force.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) id: Arc<str>,
    path: String,
    pub(crate) timeout: Duration,
    pub(crate) hold: Duration,
    pub(crate) steer: Steer,
    pub(crate) balance: Balance,
}

impl Table {
    /// Checks a table and takes the state of its targets from `known`, where new ones are entered.
    pub(crate) fn new(routes: &Routes, known: &mut Known, before: &Self) -> Result<Self, ApplyError> {
        check(routes)?;
        let mut ports: BTreeMap<SocketAddr, PortRoutes> = BTreeMap::new();
        let mut certificates: BTreeMap<SocketAddr, BTreeMap<Option<String>, Certificate>> = BTreeMap::new();
        for spec in &routes.routes {
            let address = spec.listen_address();
            let port = ports.entry(address).or_insert_with(|| PortRoutes::new(spec.protocol));
            let host = spec.host.as_deref().map(canonical_host);
            if let Some(certificate) = &spec.tls {
                certificates.entry(address).or_default().entry(host.clone()).or_insert_with(|| certificate.clone());
            }
            port.insert(host, Arc::new(Route::new(spec, known)));
        }
        for (address, certificates) in certificates {
            let before = before.port(address).and_then(|port| port.tls.as_ref());
            let Some(port) = ports.get_mut(&address) else { continue };
            port.tls = Some(match before {
                Some(before) if before.is_made_from(&certificates) => Arc::clone(before),
                Some(_) | None => Arc::new(PortTls::new(certificates, port.protocol).map_err(|(host, why)| {
                    ApplyError::BadCertificate { id: route_of(routes, address, host.as_deref()), why }
                })?),
            });
        }
        Ok(Self { ports })
    }

    pub(crate) fn port(&self, address: SocketAddr) -> Option<&PortRoutes> {
        self.ports.get(&address)
    }

    /// The TCP route of a port, for a client that asked for this host in its TLS greeting.
    pub(crate) fn tcp(&self, address: SocketAddr, host: Option<&str>) -> Option<&Arc<Route>> {
        self.find(address, Protocol::Tcp, host.unwrap_or_default(), "")
    }

    /// The route of a port that answers for this host (without port) and path.
    pub(crate) fn http(&self, address: SocketAddr, host: &str, path: &str) -> Option<&Arc<Route>> {
        self.find(address, Protocol::Http, host, path)
    }

    fn find(&self, address: SocketAddr, protocol: Protocol, host: &str, path: &str) -> Option<&Arc<Route>> {
        self.ports.get(&address).filter(|port| port.protocol == protocol)?.find(host, path)
    }
}

impl PortRoutes {
    fn new(protocol: Protocol) -> Self {
        Self { protocol, tls: None, hosts: HashMap::new(), any_host: Vec::new() }
    }

    fn insert(&mut self, host: Option<String>, route: Arc<Route>) {
        let routes = match host {
            Some(host) => self.hosts.entry(host).or_default(),
            None => &mut self.any_host,
        };
        let at = routes.partition_point(|other| other.path.len() >= route.path.len());
        routes.insert(at, route);
    }

    fn find(&self, host: &str, path: &str) -> Option<&Arc<Route>> {
        let named = if self.hosts.is_empty() { None } else { self.hosts.get(&canonical_host(host)) };
        named.into_iter().flatten().chain(&self.any_host).find(|route| covers(&route.path, path))
    }
}

impl Route {
    fn new(spec: &RouteSpec, known: &mut Known) -> Self {
        let candidates: Vec<_> = spec
            .targets
            .iter()
            .map(|target| {
                let key = TargetKey { route: spec.id.clone(), target: target.id.clone(), place: target.place.clone() };
                let (state, group) = known
                    .entry(key)
                    .or_insert_with(|| (TargetState::new(&target.id, target.place.clone()), target.group.clone()));
                group.clone_from(&target.group);
                let token = Token::new(&target.id);
                (target.group.clone(), Candidate { state: Arc::clone(state), token, weight: target.weight })
            })
            .collect();
        Self {
            id: Arc::from(spec.id.as_str()),
            path: canonical_path(&spec.path).to_owned(),
            timeout: Duration::from_millis(spec.timeout_ms),
            hold: Duration::from_millis(spec.hold_ms),
            steer: Steer::new(spec),
            balance: Balance::new(candidates),
        }
    }
}

fn route_of(routes: &Routes, address: SocketAddr, host: Option<&str>) -> String {
    let mut of_port = routes.routes.iter().filter(|spec| spec.listen_address() == address && spec.tls.is_some());
    of_port
        .find(|spec| spec.host.as_deref().map(canonical_host).as_deref() == host)
        .map(|spec| spec.id.clone())
        .unwrap_or_default()
}

fn check(routes: &Routes) -> Result<(), ApplyError> {
    let mut ids: HashMap<&str, ()> = HashMap::new();
    let mut ports: HashMap<SocketAddr, &RouteSpec> = HashMap::new();
    let mut answers: HashMap<(SocketAddr, Option<String>, &str), &RouteSpec> = HashMap::new();
    for spec in &routes.routes {
        if ids.insert(&spec.id, ()).is_some() {
            return Err(ApplyError::DuplicateId(spec.id.clone()));
        }
        if spec.port == 0 {
            return Err(ApplyError::NoPort(spec.id.clone()));
        }
        if !spec.path.starts_with('/') {
            return Err(ApplyError::BadPath { id: spec.id.clone(), path: spec.path.clone() });
        }
        if spec.protocol == Protocol::Tcp {
            if !spec.targets.iter().all(|target| matches!(target.place, Place::Address(_))) {
                return Err(ApplyError::HttpOnly(spec.id.clone()));
            }
            if !canonical_path(&spec.path).is_empty() {
                return Err(ApplyError::TcpPath { id: spec.id.clone(), path: spec.path.clone() });
            }
            if let (Some(host), None) = (&spec.host, &spec.tls) {
                return Err(ApplyError::TcpHost { id: spec.id.clone(), host: host.clone() });
            }
        }
        let address = spec.listen_address();
        if let Some(other) = ports.insert(address, spec) {
            let (first, second) = (other.id.clone(), spec.id.clone());
            let hosts_tell = spec.tls.is_some() && spec.host != other.host;
            if spec.protocol != other.protocol || (spec.protocol == Protocol::Tcp && !hosts_tell) {
                return Err(ApplyError::SharedTcp { first, second, address });
            }
            if spec.tls.is_some() != other.tls.is_some() {
                return Err(ApplyError::MixedTls { first, second, address });
            }
        }
        let host = spec.host.as_deref().map(canonical_host);
        if let Some(other) = answers.insert((address, host, canonical_path(&spec.path)), spec) {
            let host = spec.host.as_deref().map_or_else(|| "any host".to_owned(), |host| format!("host {host}"));
            let what = format!("{host}, path {}", spec.path);
            return Err(ApplyError::DuplicateRoute { first: other.id.clone(), second: spec.id.clone(), address, what });
        }
    }
    Ok(())
}

/// Host names have no case, and may end with the root's dot.
fn canonical_host(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// `/api/` and `/api` are one prefix; the root is the empty one.
fn canonical_path(path: &str) -> &str {
    path.trim_end_matches('/')
}

/// Whether a request path is the prefix, or below it.
fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']) || prefix.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn route(id: &str, host: Option<&str>, path: &str) -> RouteSpec {
        RouteSpec {
            id: id.to_owned(),
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8080,
            protocol: Protocol::Http,
            host: host.map(str::to_owned),
            path: path.to_owned(),
            timeout_ms: 1,
            hold_ms: 0,
            tls: None,
            sticky: false,
            preview: None,
            targets: vec![],
        }
    }

    fn check(routes: Vec<RouteSpec>, requests: &[(&str, &str, Option<&str>)]) {
        let address = routes[0].listen_address();
        let table = Table::new(&Routes { routes }, &mut Known::new(), &Table::default()).unwrap();
        for (host, path, expected) in requests {
            let found = table.http(address, host, path).map(|route| &*route.id);
            assert_eq!(found, *expected, "{host} {path}");
        }
    }

    #[test]
    fn the_host_wins_then_the_longest_path() {
        check(
            vec![
                route("any", None, "/"),
                route("api", None, "/api"),
                route("v2", None, "/api/v2/"),
                route("a", Some("A.example"), "/"),
                route("b", Some("b.example"), "/only"),
            ],
            &[
                ("x", "/", Some("any")),
                ("x", "/apix", Some("any")),
                ("x", "/api", Some("api")),
                ("x", "/api?q", Some("api")),
                ("x", "/api/v1", Some("api")),
                ("x", "/api/v2", Some("v2")),
                ("x", "/api/v2/y", Some("v2")),
                ("a.EXAMPLE.", "/api", Some("a")),
                ("b.example", "/only/x", Some("b")),
                ("b.example", "/other", Some("any")),
            ],
        );
        check(vec![route("api", None, "/api")], &[("x", "/", None), ("x", "*", None)]);
    }

    #[test]
    fn contradictions_are_refused() {
        let refusal =
            |routes| Table::new(&Routes { routes }, &mut Known::new(), &Table::default()).unwrap_err().to_string();
        assert!(
            refusal(vec![route("a", None, "/x"), route("b", None, "/x/")])
                .contains("both answer for any host, path /x")
        );
        assert!(refusal(vec![route("a", None, "/x"), route("a", None, "/y")]).contains("two routes have the id `a`"));
        assert!(refusal(vec![route("a", None, "x")]).contains("must begin with `/`"));
        assert!(refusal(vec![RouteSpec { port: 0, ..route("a", None, "/") }]).contains("port 0"));
        let tcp = RouteSpec { protocol: Protocol::Tcp, ..route("t", None, "/") };
        assert!(refusal(vec![route("a", None, "/x"), tcp.clone()]).contains("a port of its own"));
        let path = RouteSpec { path: "/x".to_owned(), ..tcp.clone() };
        assert!(refusal(vec![path]).contains("a TCP route has no paths"));
        let host = RouteSpec { host: Some("a.example".to_owned()), ..tcp };
        assert!(refusal(vec![host]).contains("give it `tls`"));
        let certificate = Certificate { chain: "x".to_owned(), key: "y".to_owned() };
        let encrypted = RouteSpec { tls: Some(certificate), ..route("e", None, "/e") };
        assert!(refusal(vec![encrypted.clone(), route("a", None, "/x")]).contains("both or none"));
        assert!(refusal(vec![encrypted]).contains("route `e`: there is no certificate in it"));
    }
}
