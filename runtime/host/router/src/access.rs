//! The access log's source: one record for each request, when its answer has ended.
//!
//! Guarantees: telling never waits; records that nobody takes in time are dropped and counted. It writes nothing: whoever made the router does.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::{HeaderValue, Method, Request, Uri, Version, header};
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::exchange::Caller;
use crate::target::TargetState;

/// A request and what became of it.
#[derive(Debug, Clone)]
pub struct Access {
    /// When it arrived.
    pub at: SystemTime,
    /// Who sent it.
    pub client: IpAddr,
    /// The route's id; `None`: no route answers for it.
    pub route: Option<Arc<str>>,
    /// The target that answered.
    pub target: Option<Arc<str>>,
    /// What was spoken; `None`: a TCP route.
    pub http: Option<Http>,
    /// Bytes of the answer's body (TCP and tunnels: what was sent to the client).
    pub sent: u64,
    /// From its arrival to the end of the answer.
    pub elapsed: Duration,
    /// Whether the answer came to its end.
    pub is_whole: bool,
}

/// What is told of an HTTP request.
#[derive(Debug, Clone)]
pub struct Http {
    /// The method.
    pub method: Method,
    /// The host it was for.
    pub host: Option<HeaderValue>,
    /// Path and query as they came.
    pub uri: Uri,
    /// The version that the client spoke.
    pub version: Version,
    /// The status that the client was told.
    pub status: u16,
}

/// Takes what a router tells.
#[derive(Debug)]
pub struct AccessLog {
    records: mpsc::Receiver<Access>,
    missed: Arc<AtomicU64>,
}

impl AccessLog {
    /// Waits for records and moves what is there into `taken`, at most `most`; how many there were. 0: the router is gone.
    pub async fn take(&mut self, taken: &mut Vec<Access>, most: usize) -> usize {
        self.records.recv_many(taken, most).await
    }

    /// How many records were dropped since this was asked last.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.swap(0, Ordering::Relaxed)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Teller {
    records: mpsc::Sender<Access>,
    missed: Arc<AtomicU64>,
}

pub(crate) fn channel(capacity: usize) -> (Teller, AccessLog) {
    let (sender, records) = mpsc::channel(capacity);
    let missed = Arc::new(AtomicU64::new(0));
    (Teller { records: sender, missed: Arc::clone(&missed) }, AccessLog { records, missed })
}

/// A request that is not over. It is told when this is dropped.
#[derive(Debug)]
pub(crate) struct Pending {
    teller: Teller,
    began: Instant,
    access: Option<Access>,
}

impl Pending {
    /// `None`: nobody wants to know.
    pub(crate) fn of_request(caller: &Caller, request: &Request<Incoming>) -> Option<Box<Self>> {
        let teller = caller.traffic.teller.as_ref()?;
        let host = request.headers().get(header::HOST).cloned();
        let (method, uri, version) = (request.method().clone(), request.uri().clone(), request.version());
        Some(Self::new(teller, caller.client.peer, Some(Http { method, host, uri, version, status: 0 })))
    }

    pub(crate) fn new(teller: &Teller, client: IpAddr, http: Option<Http>) -> Box<Self> {
        let access = Access {
            at: SystemTime::now(),
            client,
            route: None,
            target: None,
            http,
            sent: 0,
            elapsed: Duration::ZERO,
            is_whole: false,
        };
        Box::new(Self { teller: teller.clone(), began: Instant::now(), access: Some(access) })
    }

    pub(crate) fn given_to(&mut self, route: &Arc<str>, target: Option<&TargetState>) {
        if let Some(access) = &mut self.access {
            access.route = Some(Arc::clone(route));
            access.target = target.map(|target| Arc::clone(&target.id));
        }
    }

    pub(crate) fn answered(&mut self, status: u16) {
        if let Some(http) = self.access.as_mut().and_then(|access| access.http.as_mut()) {
            http.status = status;
        }
    }

    pub(crate) fn sent(&mut self, bytes: u64) {
        if let Some(access) = &mut self.access {
            access.sent += bytes;
        }
    }

    pub(crate) fn is_whole(&mut self) {
        if let Some(access) = &mut self.access {
            access.is_whole = true;
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(mut access) = self.access.take() {
            access.elapsed = self.began.elapsed();
            if self.teller.records.try_send(access).is_err() {
                self.teller.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
