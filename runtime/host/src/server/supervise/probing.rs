//! Whether a run is well: it is asked as its policy says, from when it begins until it ends.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::api::{HealthCheck, Policy};
use crate::judge::Judge;
use crate::probe;

use super::super::launch::{self, Surroundings};
use super::super::ports::HOST;
use super::{Keeper, Live};

impl Keeper {
    /// A job is not asked: it works when it has ended well.
    pub(super) fn probing(&self, policy: &Policy, live: &Live) -> Probing {
        if self.container.once {
            return Probing::none();
        }
        let (site, records, object) = (Arc::clone(&self.site), Arc::clone(&self.records), Arc::clone(&self.object));
        let (container, run, number) = (self.container.clone(), Arc::clone(&live.run), live.number);
        let inside: probe::InContainer = Arc::new(move |cmd, timeout| {
            let run_dir = object.run_dir(number);
            let at = Surroundings {
                store: &site.store,
                monitor: &site.monitor,
                lineage_dir: &records.dir,
                run_dir: &run_dir,
                object: &object.id,
                run: number,
            };
            launch::ask(at, &object.record(), &container, &run, cmd, timeout)
        });
        Probing::new(policy, self.address(), inside)
    }

    fn address(&self) -> Option<SocketAddr> {
        self.object.record().port.map(|port| SocketAddr::new(HOST.into(), port))
    }
}

/// Probes of one run under one policy; they end with it.
pub(super) struct Probing {
    pub(super) judge: Judge,
    pub(super) outcomes: mpsc::Receiver<probe::Outcome>,
    task: JoinHandle<()>,
}

impl Probing {
    fn new(policy: &Policy, address: Option<SocketAddr>, inside: probe::InContainer) -> Self {
        let (sender, outcomes) = mpsc::channel(1);
        let judge = Judge::new(policy.health.as_ref());
        let check = policy.health.clone().unwrap_or(HealthCheck::Running { for_ms: 0 });
        let watching = probe::watch(check, address.map(probe::Whom::here), inside, sender);
        Self { judge, outcomes, task: tokio::spawn(watching) }
    }

    /// Nobody is asked.
    fn none() -> Self {
        let (sender, outcomes) = mpsc::channel(1);
        Self { judge: Judge::new(None), outcomes, task: tokio::spawn(async move { sender.closed().await }) }
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.task.abort();
    }
}
