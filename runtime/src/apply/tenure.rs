//! Whose commands these are, as providers see it: the fence that every call carries, the head of the ledger that they
//! remember, the beat that keeps provisional settings alive.

use super::{Engine, EngineError};
use crate::entry::Body;
use crate::lease::{self, Holder, TookOver};
use crate::provider::{Ctx, Error};
use imm_ir::Digest;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Who runs the command: its lease.
#[derive(Clone, Debug, Default)]
pub struct Tenure {
    /// This process.
    pub holder: Holder,
    /// Whom it took over from.
    pub took_over: Option<TookOver>,
    /// Why, when that one was alive.
    pub because: Option<String>,
}

/// What the beat goes by.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// A setting in force is provisional: it beats.
    pub provisional: AtomicBool,
    /// The fence in force.
    pub fence: AtomicU64,
}

impl Engine {
    pub(super) fn tenure_entry(&self) -> Body {
        let took_over = self.tenure.took_over.as_ref().map(|t| crate::entry::Takeover {
            fence: t.fence,
            holder: t.holder.clone(),
            lock_free: self.tenure.because.is_none(),
            because: self.tenure.because.clone(),
        });
        Body::LeaseTaken { holder: self.tenure.holder.clone(), took_over }
    }

    /// The first act of every apply and recovery: from here on no provider listens to an older engine.
    pub(super) async fn announce(&mut self) -> Result<(), EngineError> {
        if self.announced.0 > 0 {
            return Ok(());
        }
        // A provider remembers the head: an entry that a power cut could still take would look like a forked ledger.
        self.ledger.settle()?;
        // Looked at first: what is refused must not have told its fence to anybody.
        self.check_forks().await?;
        let (ctx, head) = (self.ctx(self.limits.call_timeout), self.ledger.head());
        for (name, provider) in self.providers.clone() {
            let seen = self.retry(0, 3, || provider.announce(&ctx, head)).await.map_err(EngineError::Provider)?;
            self.check_forked(&name, seen)?;
        }
        self.announced = head;
        Ok(())
    }

    /// Refuses when a provider saw another ledger of this lineage go further than this one, or otherwise. Tells them nothing.
    ///
    /// # Errors
    /// This is a copy, or a provider cannot be asked.
    pub async fn check_forks(&self) -> Result<(), EngineError> {
        let ctx = self.ctx(self.limits.call_timeout);
        for (name, provider) in &self.providers {
            let seen = self.retry(0, 3, || provider.seen(&ctx)).await.map_err(EngineError::Provider)?;
            self.check_forked(name, seen)?;
        }
        Ok(())
    }

    /// A later entry than our last, or another entry at its place: this is not the ledger that was seen.
    pub(super) fn check_forked(&self, provider: &str, seen: Option<(u64, Digest)>) -> Result<(), EngineError> {
        let Some((seq, hash)) = seen.filter(|(seq, _)| *seq > 0) else { return Ok(()) };
        let head = self.ledger.head().0;
        if seq > head || self.ledger.hash_at(seq)? != Some(hash) {
            return Err(EngineError::Forked { provider: provider.to_owned(), seq, head });
        }
        Ok(())
    }

    /// Leaves the head with every provider, so that a copy, or what is cut off here later, is found. A provider that does
    /// not answer has the head of the beginning.
    pub async fn anchor(&self) {
        let (ctx, head) = (self.ctx(self.limits.call_timeout), self.ledger.head());
        for provider in self.providers.values() {
            drop(provider.announce(&ctx, head).await);
        }
    }

    /// What this engine sent up to now has no effect from here on, wherever it is: calls that nobody waits for any more may
    /// still be on their way, and would undo what follows. As for whoever takes over, this is the first thing that providers
    /// hear.
    pub(super) async fn turn(&mut self) -> Result<(), Error> {
        self.rise();
        self.tell_fence().await
    }

    /// The next fence of this lease. A provider hears of it by the first call that carries it.
    pub(super) fn rise(&mut self) {
        self.ledger.raise(lease::turned(self.ledger.fence()));
        self.pulse.fence.store(self.ledger.fence(), Ordering::Relaxed);
    }

    /// Announces the fence to all providers. The head is the one that they know: what was written since may not be on the disk
    /// yet.
    pub(super) async fn tell_fence(&self) -> Result<(), Error> {
        let (ctx, head) = (&self.ctx(self.limits.call_timeout), self.announced);
        let patience = self.patience(self.limits.settle_retries);
        let told = self.providers.values().map(async |provider| patience.call(|| provider.announce(ctx, head)).await);
        futures_util::future::join_all(told).await.into_iter().try_for_each(|told| told.map(drop))
    }

    pub(super) fn ctx(&self, timeout: Duration) -> Ctx {
        let state = self.state();
        // The number the open apply will commit, or has.
        let generation = match state.open_apply() {
            Some(apply) if apply.generation.is_none() => state.current.unwrap_or(0) + 1,
            _other => state.current.unwrap_or(0),
        };
        let lineage = state.lineage.unwrap_or(crate::id::Lineage([0; 16]));
        Ctx { lineage, fence: self.ledger.fence(), generation, timeout }
    }

    /// Keeps provisional settings alive; never ends.
    pub(super) fn heartbeat(&self) -> impl Future<Output = ()> + use<> {
        let (providers, ctx) = (self.providers.clone(), self.ctx(self.limits.call_timeout));
        let (ttl, pulse) = (self.limits.ttl, Arc::clone(&self.pulse));
        pulse.fence.store(ctx.fence, Ordering::Relaxed);
        async move {
            loop {
                tokio::time::sleep(ttl / 3).await;
                if pulse.provisional.load(Ordering::Relaxed) {
                    let ctx = Ctx { fence: pulse.fence.load(Ordering::Relaxed), ..ctx.clone() };
                    for provider in providers.values() {
                        // A missed beat is no failure: the next one, or the provider's own return, follows.
                        drop(provider.renew(&ctx, ttl).await);
                    }
                }
            }
        }
    }
}
