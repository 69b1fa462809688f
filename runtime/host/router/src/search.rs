//! The search for a target: again after a failed connect, and waiting while a route has nobody.
//!
//! Guarantees: a search ends. Each target is tried once, and again only while the route's `hold` runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::refusal::Refusal;
use crate::table::{Route, Table};
use crate::target::{InFlight, TargetState};

/// How often unreachable targets are tried again during a hold.
const RETRY: Duration = Duration::from_millis(50);

/// The table in force, and news of the next one.
pub(crate) type Tables = Arc<watch::Sender<Table>>;

/// A target for a request, and what its route says about it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) in_flight: InFlight,
    pub(crate) timeout: Duration,
}

#[derive(Debug)]
pub(crate) struct Search<'a> {
    tables: &'a Tables,
    began: Instant,
    tried: Vec<Arc<TargetState>>,
    /// Whether anything was ever tried: the difference between having nobody and reaching nobody.
    failed: bool,
    changes: Option<watch::Receiver<Table>>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(tables: &'a Tables) -> Self {
        Self { tables, began: Instant::now(), tried: Vec::new(), failed: false, changes: None }
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
        route: impl for<'t> Fn(&'t Table) -> Option<&'t Arc<Route>>,
    ) -> Result<Found, Refusal> {
        loop {
            // The table stays locked while the request is counted as in flight: once a swap has returned, nobody is chosen from the old table any more, and
            // everybody chosen from it is counted.
            let (hold, id) = {
                let table = self.tables.borrow();
                let Some(route) = route(&table) else { return Err(Refusal::NoRoute) };
                if let Some(in_flight) = route.balance.choose(&self.tried) {
                    return Ok(Found { in_flight, timeout: route.timeout });
                }
                (route.hold, route.id.clone())
            };
            let until = self.began + hold;
            if Instant::now() >= until {
                return Err(if self.failed {
                    Refusal::Unreachable { route: id }
                } else {
                    Refusal::NoTarget { route: id }
                });
            }
            match &mut self.changes {
                // Looks once more before it waits: a change before the subscription would go unnoticed.
                None => self.changes = Some(self.tables.subscribe()),
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
