//! One provider call: bounded in time, repeated when the failure may go away. Only calls that are safe to repeat come here.

use super::Engine;
use crate::provider::{Error, ErrorKind, Happened, Result};
use crate::random::Random;
use std::time::Duration;

/// What a call needs to be repeated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How often it is tried again.
    pub retries: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Where the jitter comes from.
    pub seed: u64,
}

impl Patience {
    /// Calls until it succeeds, fails for good, or patience ends. An error at the end says for all attempts whether it may
    /// have happened: the last one may be certain that it did nothing while an earlier one is still on its way.
    pub async fn call<T, F: Future<Output = Result<T>>>(self, attempt: impl Fn() -> F) -> Result<T> {
        let mut random = Random::seeded(self.seed);
        let mut pause = 100;
        let mut tries = 0;
        let mut doubt = false;
        loop {
            // The provider keeps the time itself; this is for one that does not.
            let patience = self.timeout + Duration::from_secs(5);
            let result = tokio::time::timeout(patience, attempt()).await.unwrap_or_else(|_| Err(overdue(patience)));
            match result {
                Err(error) if error.kind == ErrorKind::Transient && tries < self.retries => {
                    tries += 1;
                    doubt |= error.happened != Happened::No;
                    tokio::time::sleep(Duration::from_millis(pause + random.below(pause))).await;
                    pause = (pause * 2).min(5_000);
                }
                other => return other.map_err(|e| doubted(e, doubt)),
            }
        }
    }
}

/// The error, after attempts of which one may have happened.
pub(super) fn doubted(error: Error, doubt: bool) -> Error {
    match error.happened {
        Happened::No if doubt => Error { happened: Happened::Maybe, ..error },
        Happened::No | Happened::Maybe | Happened::Yes => error,
    }
}

fn overdue(patience: Duration) -> Error {
    Error {
        message: format!("no answer in {} s", patience.as_secs()),
        help: None,
        kind: ErrorKind::Transient,
        happened: Happened::Maybe,
    }
}

impl Engine {
    /// Patience for a call that settles, cleans up or prepares.
    pub(super) fn patience(&self, retries: u32) -> Patience {
        let seed = self.state().open_apply().map_or(0, |a| a.started.seed ^ u64::from(a.next_step));
        Patience { retries, timeout: self.limits.call_timeout, seed }
    }

    /// A call outside of any step.
    pub(super) async fn retry<T, F: Future<Output = Result<T>>>(
        &self,
        seed: u64,
        retries: u32,
        attempt: impl Fn() -> F,
    ) -> Result<T> {
        Patience { retries, timeout: self.limits.call_timeout, seed }.call(attempt).await
    }
}
