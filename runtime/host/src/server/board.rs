//! All lineages' routes as one table of the router. The only place that names the router's types for routes.
//!
//! Guarantees: `set` returns when the setting is in force; a port belongs to one lineage at a time, whose routes may share it.
//! Keeps nothing on disk: it is filled again from records and settings when the agent starts.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use imm_router::static_files::SiteSpec;
use imm_router::{Place, RouteSpec, Router, Routes, TargetSamples};
use tokio::sync::Mutex;

use crate::api::{Answers, ApiError, Code, Manifest, RoutePort, Target};

use super::ports::HOST;

/// The router with what every lineage wants of it.
#[derive(Debug, Default)]
pub struct Board {
    router: Router,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Who has a port.
    ports: BTreeMap<(IpAddr, u16), Sharers>,
    /// Routes in force by lineage.
    tables: BTreeMap<String, Vec<RouteSpec>>,
}

/// A port's lineage, and the route objects that share it, with their addresses.
#[derive(Debug)]
struct Sharers {
    lineage: String,
    routes: BTreeMap<String, String>,
}

/// A route object that wants a port.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Its lineage.
    pub lineage: &'a str,
    /// Its id.
    pub object: &'a str,
    /// Its address, for the words of a refusal.
    pub address: &'a str,
}

/// What a route object and its targets are, as the lineage's records say.
#[derive(Clone, Debug)]
pub struct Places {
    /// Route objects: their inputs and the port they have.
    pub routes: BTreeMap<String, (RoutePort, u16)>,
    /// Containers: their reserved ports.
    pub targets: BTreeMap<String, u16>,
    /// Sites that the setting leads to, by manifest and the path of the route.
    pub sites: BTreeMap<(String, String), SiteSpec>,
}

impl Board {
    /// Binds the port of a route object; nobody listens on it yet. Again is the same.
    pub async fn reserve(&self, asker: Asker<'_>, bind: IpAddr, port: Option<u16>) -> Result<u16, ApiError> {
        let mut inner = self.inner.lock().await;
        if let Some(port) = port
            && let Some(held) = inner.ports.get(&(bind, port)).filter(|held| held.lineage != asker.lineage)
        {
            let names: Vec<&str> = held.routes.values().map(String::as_str).collect();
            return Err(ApiError::no(
                Code::Claim,
                format!(
                    "port {port} on {bind} is held by route {} of another module, lineage {} (`imm agent ps` lists it); choose another port or destroy that one",
                    names.join(", "),
                    held.lineage
                ),
            ));
        }
        // The same port on all addresses and on one of them exclude each other, also within a lineage: a new route is bound beside
        // the old one.
        if let Some(port) = port
            && let Some(((ip, _), held)) = inner.ports.iter().find(|((ip, taken), _)| {
                *taken == port && *ip != bind && (ip.is_unspecified() || bind.is_unspecified())
            })
        {
            let names: Vec<&str> = held.routes.values().map(String::as_str).collect();
            return Err(ApiError::no(
                Code::Claim,
                format!(
                    "port {port} on {bind} cannot be bound while route {} has it on {ip}; change `listen` together with `bind`, or remove that route first",
                    names.join(", ")
                ),
            ));
        }
        let port =
            self.router.reserve(bind, port).await.map_err(|cause| ApiError::no(Code::Claim, cause.to_string()))?;
        inner
            .ports
            .entry((bind, port))
            .or_insert_with(|| Sharers { lineage: asker.lineage.to_owned(), routes: BTreeMap::new() })
            .routes
            .insert(asker.object.to_owned(), asker.address.to_owned());
        Ok(port)
    }

    /// Gives back a route object's share of a port.
    pub async fn release(&self, object: &str, bind: IpAddr, port: u16) {
        let mut inner = self.inner.lock().await;
        if let Some(sharers) = inner.ports.get_mut(&(bind, port)) {
            sharers.routes.remove(object);
            if sharers.routes.is_empty() {
                inner.ports.remove(&(bind, port));
                self.router.release(bind, port).await;
            }
        }
    }

    /// Puts a lineage's routes in force. An error leaves the ones before in force.
    pub async fn set(&self, lineage: &str, manifest: &Manifest, places: &Places) -> Result<(), ApiError> {
        let table = table(lineage, manifest, places)?;
        let mut inner = self.inner.lock().await;
        let before = inner.tables.insert(lineage.to_owned(), table);
        let routes = Routes { routes: inner.tables.values().flatten().cloned().collect() };
        if let Err(cause) = self.router.apply(routes).await {
            match before {
                Some(before) => inner.tables.insert(lineage.to_owned(), before),
                None => inner.tables.remove(lineage),
            };
            return Err(ApiError::no(Code::Invalid, cause.to_string()));
        }
        Ok(())
    }

    /// Waits until nothing is in flight to these objects; says how many requests were cut at the deadline.
    pub async fn drain(&self, objects: &[String], deadline: Duration) -> u64 {
        self.router.drain(objects, deadline).await.in_flight_cut
    }

    /// What the routes of a lineage saw, with their own ids.
    pub fn samples(&self, lineage: &str) -> Vec<TargetSamples> {
        let of_lineage = |mut sample: TargetSamples| {
            sample.route = sample.route.strip_prefix(lineage)?.strip_prefix('/')?.to_owned();
            Some(sample)
        };
        self.router.samples().into_iter().filter_map(of_lineage).collect()
    }

    /// Stops accepting and waits for requests in flight, within bounds.
    pub async fn shutdown(&self, deadline: Duration) {
        // Out of time, connections are cut by the end of the process.
        let _ = tokio::time::timeout(deadline, self.router.shutdown()).await;
    }
}

/// Says whether a setting can be in force at all, without the router.
pub fn check(lineage: &str, manifest: &Manifest, places: &Places) -> Result<(), ApiError> {
    table(lineage, manifest, places).map(|_| ())
}

fn table(lineage: &str, manifest: &Manifest, places: &Places) -> Result<Vec<RouteSpec>, ApiError> {
    let mut table = Vec::new();
    for (id, route) in &manifest.routes {
        let Some((inputs, port)) = places.routes.get(id) else {
            return Err(ApiError::no(Code::Invalid, format!("the setting names route {id}, which was not created")));
        };
        let mut targets = Vec::new();
        for target in &route.targets {
            targets.push(imm_router::Target {
                id: target.object.clone(),
                place: place(lineage, id, &route.path, target, places)?,
                weight: target.weight,
                group: target.group.clone(),
            });
        }
        // A route that nothing answers is closed: its port stays bound and refuses, so that clients need not wait.
        if targets.is_empty() {
            continue;
        }
        table.push(RouteSpec {
            id: format!("{lineage}/{id}"),
            bind: inputs.bind,
            port: *port,
            protocol: inputs.protocol,
            host: route.host.clone(),
            path: route.path.clone(),
            timeout_ms: route.timeout_ms,
            hold_ms: route.hold_ms,
            tls: None,
            sticky: false,
            preview: None,
            targets,
        });
    }
    Ok(table)
}

fn place(lineage: &str, route: &str, path: &str, target: &Target, places: &Places) -> Result<Place, ApiError> {
    let invalid = |said: String| ApiError::no(Code::Invalid, format!("route {route} leads to {said}"));
    match &target.answers {
        Answers::Container => match places.targets.get(&target.object) {
            Some(port) => Ok(SocketAddr::new(HOST.into(), *port).into()),
            None => Err(invalid(format!("{}, which is no container with a port in lineage {lineage}", target.object))),
        },
        Answers::Site(manifest) => match places.sites.get(&(manifest.clone(), path.to_owned())) {
            Some(site) => Ok(Place::Site(site.clone())),
            None => Err(invalid(format!("site {manifest}, which is not in this machine's store"))),
        },
        Answers::Elsewhere(url) => {
            url.parse().map(Place::Elsewhere).map_err(|cause: imm_router::BadUrl| invalid(cause.to_string()))
        }
    }
}
