//! The search for a target: again after a failed connect, and waiting while a route has nobody.
//!
//! Guarantees: a search ends. Each target is tried once, and again only while the route's `hold` runs; no more requests wait than are bearable.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderValue;
use tokio::sync::{SemaphorePermit, watch};
use tokio::time::{Instant, timeout_at};

use crate::refusal::Refusal;
use crate::steer::{Token, Wish};
use crate::table::{Route, Table};
use crate::target::{InFlight, TargetState};
use crate::traffic::Traffic;

/// How often unreachable targets are tried again during a hold.
const RETRY: Duration = Duration::from_millis(50);

/// A target for a request, and what its route says about it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) in_flight: InFlight,
    pub(crate) route: Arc<Route>,
    /// What tells the client to stay with the target.
    pub(crate) set_cookie: Option<HeaderValue>,
}

#[derive(Debug)]
pub(crate) struct Search<'a> {
    traffic: &'a Traffic,
    began: Instant,
    tried: Vec<Arc<TargetState>>,
    /// Whether anything was ever tried: the difference between having nobody and reaching nobody.
    failed: bool,
    changes: Option<watch::Receiver<Table>>,
    /// The target the client stays with, as it said first: when the request is sent again, its cookie is gone.
    token: Option<Token>,
    waits: Option<SemaphorePermit<'a>>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(traffic: &'a Traffic) -> Self {
        let began = Instant::now();
        Self { traffic, began, tried: Vec::new(), failed: false, changes: None, token: None, waits: None }
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// This target could not be reached; the next one will be another.
    pub(crate) fn unreachable(&mut self, target: Arc<TargetState>) {
        self.tried.push(target);
        self.failed = true;
    }

    pub(crate) async fn next(
        &mut self,
        headers: &HeaderMap,
        route: impl for<'t> Fn(&'t Table) -> Option<&'t Arc<Route>>,
    ) -> Result<Found, Refusal> {
        loop {
            // The table stays locked while the request is counted as in flight: once a swap has returned, nobody is chosen from the old table any more, and
            // everybody chosen from it is counted.
            let (hold, id) = {
                let table = self.traffic.tables.borrow();
                let Some(route) = route(&table) else { return Err(Refusal::NoRoute) };
                let wish = route.steer.wish(headers);
                self.token = wish.token.or(self.token);
                let wish = Wish { token: self.token, ..wish };
                if let Some((in_flight, given)) = route.balance.choose(&self.tried, wish) {
                    let set_cookie = route.steer.set_cookie(wish, given);
                    self.waits = None;
                    return Ok(Found { in_flight, route: Arc::clone(route), set_cookie });
                }
                (route.hold, Arc::clone(&route.id))
            };
            let until = self.began + hold;
            if Instant::now() >= until {
                return Err(if self.failed {
                    Refusal::Unreachable { route: id }
                } else {
                    Refusal::NoTarget { route: id }
                });
            }
            if self.waits.is_none() {
                self.waits = Some(self.traffic.held.try_acquire().map_err(|_| Refusal::TooManyHeld { route: id })?);
            }
            match &mut self.changes {
                // Looks once more before it waits: a change before the subscription would go unnoticed.
                None => self.changes = Some(self.traffic.tables.subscribe()),
                Some(changes) => {
                    let until = if self.tried.is_empty() { until } else { until.min(Instant::now() + RETRY) };
                    // Either way the loop looks again, and at the clock.
                    let _ = timeout_at(until, changes.changed()).await;
                    self.tried.clear();
                }
            }
        }
    }
}
