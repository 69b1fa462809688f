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
use crate::spec::{Place, Protocol, RouteSpec, Routes};
use crate::target::{TargetKey, TargetState};

/// The targets that are known, with the group that each was in last.
pub(crate) type Known = BTreeMap<TargetKey, (Arc<TargetState>, String)>;

#[derive(Debug, Default)]
pub(crate) struct Table {
    ports: HashMap<SocketAddr, PortRoutes>,
}

#[derive(Debug)]
pub(crate) enum PortRoutes {
    Http(HttpRoutes),
    Tcp(Arc<Route>),
}

#[derive(Debug, Default)]
pub(crate) struct HttpRoutes {
    hosts: HashMap<String, Vec<Arc<Route>>>,
    /// Routes without a host.
    any_host: Vec<Arc<Route>>,
}

/// One route in force.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) id: String,
    path: String,
    pub(crate) timeout: Duration,
    pub(crate) hold: Duration,
    pub(crate) balance: Balance,
}

impl Table {
    /// Checks a table and takes the state of its targets from `known`, where new ones are entered.
    pub(crate) fn new(routes: &Routes, known: &mut Known) -> Result<Self, ApplyError> {
        check(routes)?;
        let mut ports: HashMap<SocketAddr, PortRoutes> = HashMap::new();
        for spec in &routes.routes {
            let route = Arc::new(Route::new(spec, known));
            match spec.protocol {
                Protocol::Tcp => {
                    ports.insert(spec.listen_address(), PortRoutes::Tcp(route));
                }
                Protocol::Http => {
                    let port =
                        ports.entry(spec.listen_address()).or_insert_with(|| PortRoutes::Http(HttpRoutes::default()));
                    if let PortRoutes::Http(http) = port {
                        http.insert(spec.host.as_deref(), route);
                    }
                }
            }
        }
        Ok(Self { ports })
    }

    pub(crate) fn port(&self, address: SocketAddr) -> Option<&PortRoutes> {
        self.ports.get(&address)
    }

    /// The TCP route of a port.
    pub(crate) fn tcp(&self, address: SocketAddr) -> Option<&Arc<Route>> {
        match self.ports.get(&address)? {
            PortRoutes::Tcp(route) => Some(route),
            PortRoutes::Http(_) => None,
        }
    }

    /// The route of a port that answers for this host (without port) and path.
    pub(crate) fn http(&self, address: SocketAddr, host: &str, path: &str) -> Option<&Arc<Route>> {
        match self.ports.get(&address)? {
            PortRoutes::Http(routes) => routes.find(host, path),
            PortRoutes::Tcp(_) => None,
        }
    }
}

impl HttpRoutes {
    fn insert(&mut self, host: Option<&str>, route: Arc<Route>) {
        let routes = match host {
            Some(host) => self.hosts.entry(canonical_host(host)).or_default(),
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
                let (state, group) =
                    known.entry(key).or_insert_with(|| (TargetState::new(target.place.clone()), target.group.clone()));
                group.clone_from(&target.group);
                (target.group.clone(), Candidate { state: Arc::clone(state), weight: target.weight })
            })
            .collect();
        Self {
            id: spec.id.clone(),
            path: canonical_path(&spec.path).to_owned(),
            timeout: Duration::from_millis(spec.timeout_ms),
            hold: Duration::from_millis(spec.hold_ms),
            balance: Balance::new(candidates),
        }
    }
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
        if spec.protocol == Protocol::Tcp
            && !spec.targets.iter().all(|target| matches!(target.place, Place::Address(_)))
        {
            return Err(ApplyError::HttpOnly(spec.id.clone()));
        }
        if !spec.path.starts_with('/') {
            return Err(ApplyError::BadPath { id: spec.id.clone(), path: spec.path.clone() });
        }
        let address = spec.listen_address();
        if let Some(other) = ports.insert(address, spec)
            && (spec.protocol == Protocol::Tcp || other.protocol == Protocol::Tcp)
        {
            return Err(ApplyError::SharedTcp { first: other.id.clone(), second: spec.id.clone(), address });
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
            targets: vec![],
        }
    }

    fn check(routes: Vec<RouteSpec>, requests: &[(&str, &str, Option<&str>)]) {
        let address = routes[0].listen_address();
        let table = Table::new(&Routes { routes }, &mut Known::new()).unwrap();
        for (host, path, expected) in requests {
            let found = table.http(address, host, path).map(|route| route.id.as_str());
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
        let refusal = |routes| Table::new(&Routes { routes }, &mut Known::new()).unwrap_err().to_string();
        assert!(
            refusal(vec![route("a", None, "/x"), route("b", None, "/x/")])
                .contains("both answer for any host, path /x")
        );
        assert!(refusal(vec![route("a", None, "/x"), route("a", None, "/y")]).contains("two routes have the id `a`"));
        assert!(refusal(vec![route("a", None, "x")]).contains("must begin with `/`"));
        assert!(refusal(vec![RouteSpec { port: 0, ..route("a", None, "/") }]).contains("port 0"));
        let tcp = RouteSpec { protocol: Protocol::Tcp, ..route("t", None, "/") };
        assert!(refusal(vec![route("a", None, "/x"), tcp]).contains("a port of its own"));
    }
}
