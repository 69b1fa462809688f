//! All lineages' routes as one table of the router. The only place that names the router's types for routes.
//!
//! Guarantees: `set` returns when the setting is in force, also at the agents that this one replaced and that still have connections (`tail`); a port belongs
//! to one lineage at a time, whose routes may share it. The router works in a runtime of its own: what else the agent does neither delays requests nor ends
//! with them.
//! Keeps nothing on disk: it is filled again from records and settings when the agent starts.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use futures_util::future::join_all;
use imm_router::static_files::SiteSpec;
use imm_router::{AccessLog, ApplyError, Place, PortSocket, Preview, RouteSpec, Router, Routes, TargetSamples};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::api::{Answers, ApiError, Code, Manifest, RoutePort, Target, Tls};
use crate::dev_ca::{self, DevCa};
use crate::home::Home;

use super::ports::HOST;
use super::tail::Tail;

/// The group of targets that the engine calls new.
const FRESH: &str = "fresh";

/// The router with what every lineage wants of it.
#[derive(Debug)]
pub struct Board {
    router: Router,
    traffic: Handle,
    ca: DevCa,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Who has a port.
    ports: BTreeMap<(IpAddr, u16), Sharers>,
    /// Routes in force by lineage.
    tables: BTreeMap<String, Vec<Declared>>,
    /// The agents that were replaced.
    tails: Vec<Tail>,
}

#[derive(Clone, Debug)]
struct Declared {
    spec: RouteSpec,
    /// The names that a certificate of the development CA is for.
    dev: Option<Vec<String>>,
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
    /// A board whose router works in `traffic`, and what the router tells of requests.
    pub fn new(home: &Home, traffic: Handle) -> (Self, AccessLog) {
        let (router, log) = Router::with_access_log(super::access::CAPACITY);
        (Self { router, traffic, ca: DevCa::of(home), inner: Mutex::default() }, log)
    }

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
        let table = self.table(lineage, manifest, places)?;
        let mut inner = self.inner.lock().await;
        let before = inner.tables.insert(lineage.to_owned(), table);
        let routes = inner.routes();
        if let Err(cause) = self.apply(&mut inner, routes).await {
            match before {
                Some(before) => inner.tables.insert(lineage.to_owned(), before),
                None => inner.tables.remove(lineage),
            };
            return Err(ApiError::no(Code::Invalid, inner.named(cause.to_string())));
        }
        Ok(())
    }

    /// Puts a whole table in force, as the agent says that replaced this one.
    pub async fn put(&self, routes: Routes) -> Result<(), ApplyError> {
        let mut inner = self.inner.lock().await;
        self.apply(&mut inner, routes).await
    }

    /// Here, then at the agents that were replaced.
    async fn apply(&self, inner: &mut Inner, routes: Routes) -> Result<(), ApplyError> {
        let (router, table) = (self.router.clone(), routes.clone());
        self.in_traffic(async move { router.apply(table).await }).await?;
        let taken = join_all(inner.tails.iter().map(|tail| tail.set(&routes))).await;
        // One that is gone has no requests; one that does not take a table is let go, which ends it.
        let mut taken = taken.into_iter();
        inner.tails.retain(|_| taken.next() == Some(true));
        Ok(())
    }

    /// Makes certificates anew that would run out.
    pub async fn renew_certificates(&self) -> Result<(), String> {
        let mut inner = self.inner.lock().await;
        let mut changed = false;
        for declared in inner.tables.values_mut().flatten() {
            if let Some(names) = &declared.dev {
                let certificate = Some(self.ca.certificate(names).map_err(|cause| cause.to_string())?);
                changed |= declared.spec.tls != certificate;
                declared.spec.tls = certificate;
            }
        }
        if changed {
            let routes = inner.routes();
            self.apply(&mut inner, routes).await.map_err(|cause| cause.to_string())?;
        }
        Ok(())
    }

    /// The sockets of all ports, for the next agent.
    pub async fn sockets(&self) -> io::Result<Vec<PortSocket>> {
        self.router.sockets().await
    }

    /// Takes over the sockets of the agent before.
    pub async fn adopt(&self, sockets: Vec<PortSocket>) -> io::Result<()> {
        for socket in sockets {
            let router = self.router.clone();
            self.in_traffic(async move { router.adopt(socket).await }).await?;
        }
        Ok(())
    }

    /// Takes over from the agent at the other end: what is in force here is in force there, and it accepts no more. From now on it hears of every table.
    pub async fn take_over(&self, control: UnixStream) -> io::Result<()> {
        let tail = self.in_traffic(Tail::new(control)).await?;
        let mut inner = self.inner.lock().await;
        if !tail.set(&inner.routes()).await {
            return Err(io::Error::other("the agent that runs does not take the routes in force"));
        }
        tail.finish().await?;
        inner.tails.push(tail);
        self.router.drop_adopted().await;
        Ok(())
    }

    /// Accepts no more; returns when the last connection has ended, also at the agents that this one replaced: they end with it.
    pub async fn finish(&self) {
        self.router.finish().await;
        let tails = self.inner.lock().await.tails.clone();
        join_all(tails.iter().map(Tail::ended)).await;
    }

    async fn in_traffic<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        match self.traffic.spawn(work).await {
            Ok(done) => done,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The process ends.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Waits until nothing is in flight to these objects; says how many requests were cut at the deadline.
    pub async fn drain(&self, objects: &[String], deadline: Duration) -> u64 {
        let tails = self.inner.lock().await.tails.clone();
        let there = join_all(tails.iter().map(|tail| tail.drain(objects, deadline)));
        let (here, there) = tokio::join!(self.router.drain(objects, deadline), there);
        here.in_flight_cut + there.iter().sum::<u64>()
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

impl Board {
    /// Says whether a setting can be in force at all, without the router.
    pub fn check(&self, lineage: &str, manifest: &Manifest, places: &Places) -> Result<(), ApiError> {
        self.table(lineage, manifest, places).map(|_| ())
    }

    fn table(&self, lineage: &str, manifest: &Manifest, places: &Places) -> Result<Vec<Declared>, ApiError> {
        let mut table = Vec::new();
        for (id, route) in &manifest.routes {
            let Some((inputs, port)) = places.routes.get(id) else {
                return Err(ApiError::no(
                    Code::Invalid,
                    format!("the setting names route {id}, which was not created"),
                ));
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
            let dev = (route.tls == Tls::Dev).then(|| dev_ca::names(route.host.as_deref(), inputs.bind));
            let tls = match (&route.tls, &dev) {
                (Tls::Pem(certificate), _) => Some(certificate.clone()),
                (Tls::Dev | Tls::Off, None) => None,
                (Tls::Dev | Tls::Off, Some(names)) => Some(self.ca.certificate(names)?),
            };
            let spec = RouteSpec {
                id: format!("{lineage}/{id}"),
                bind: inputs.bind,
                port: *port,
                protocol: inputs.protocol,
                host: route.host.clone(),
                path: route.path.clone(),
                timeout_ms: route.timeout_ms,
                hold_ms: route.hold_ms,
                tls,
                sticky: route.sticky,
                preview: route.preview.clone().map(|by| Preview { group: FRESH.to_owned(), by }),
                targets,
            };
            table.push(Declared { spec, dev });
        }
        Ok(table)
    }
}

impl Inner {
    fn routes(&self) -> Routes {
        Routes { routes: self.tables.values().flatten().map(|declared| declared.spec.clone()).collect() }
    }

    /// What the router says, with the addresses of routes instead of the ids that it knows them by.
    fn named(&self, said: String) -> String {
        let all = self.ports.values().flat_map(|sharers| sharers.routes.iter().map(|route| (&sharers.lineage, route)));
        all.fold(said, |said, (lineage, (object, address))| said.replace(&format!("{lineage}/{object}"), address))
    }
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
