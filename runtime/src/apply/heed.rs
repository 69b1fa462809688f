//! What a running apply hears: signals of its own process, words of others by way of the ledger.

use super::{Engine, EngineError, Event, Step, Stop};
use crate::entry::{Body, SignalVerb, UnwindCause};
use crate::ledger::LedgerError;
use crate::store::StoreError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Tells a running apply to stop: once to unwind, twice to stop at once.
#[derive(Clone, Debug)]
pub struct Canceller(pub(super) Arc<watch::Sender<u8>>);

impl Canceller {
    /// One more signal.
    pub fn signal(&self) {
        self.0.send_modify(|n| *n = n.saturating_add(1));
    }
}

impl Engine {
    /// For signal handlers.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Ends when the process was told to stop.
    pub fn told_to_stop(&self) -> impl Future<Output = ()> + use<> {
        self.signalled(1)
    }

    /// Ends when the process was told to stop so many times.
    pub(super) fn signalled(&self, times: u8) -> impl Future<Output = ()> + use<> {
        let mut cancel = self.cancel.clone();
        async move {
            if cancel.wait_for(|n| *n >= times).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits so long, or until somebody rings: then there are words.
    pub(super) async fn pause(&self, at_most: Duration) {
        let rung = async {
            match &self.bell {
                Some(bell) => bell.rung().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = rung => {}
            () = tokio::time::sleep(at_most) => {}
        }
    }

    /// Unwinds when somebody asked for it; takes note of what else was said.
    pub(super) fn check_stop(&mut self) -> Step<()> {
        if *self.cancel.borrow() > 0 {
            return Err(Stop::Unwind(UnwindCause::Signal, "stopped by a signal".to_owned()));
        }
        let heard = self.unheard()?;
        let abort = heard.iter().find_map(|body| match body {
            Body::Signalled { verb: SignalVerb::Abort, by, .. } => Some(format!("aborted by {by}")),
            _other => None,
        });
        for body in &heard {
            if let Body::Signalled { verb, by, .. } = body {
                self.orders.hear(*verb);
                (self.events)(Event::Heard { verb: verb.word(), by: by.clone() });
            }
        }
        self.append(heard, false)?;
        abort.map_or(Ok(()), |why| Err(Stop::Unwind(UnwindCause::Aborted, why)))
    }

    /// Words of other processes that are not recorded yet.
    pub(super) fn unheard(&self) -> Result<Vec<Body>, EngineError> {
        let word = |s: crate::store::Signal| {
            let verb = match s.verb.as_str() {
                "pause" => SignalVerb::Pause,
                "promote" => SignalVerb::Promote,
                // Whatever else is said to a running apply, stopping is the safe way to hear it.
                _abort => SignalVerb::Abort,
            };
            Body::Signalled { signal: s.seq, verb, by: s.by }
        };
        Ok(self.ledger.signals()?.into_iter().map(word).collect())
    }
}

/// An abort that won the race to the commit.
pub(super) fn aborted(error: &LedgerError) -> Option<String> {
    match error {
        LedgerError::Store(StoreError::Aborted { by, .. }) => Some(format!("aborted by {by}")),
        _other => None,
    }
}
