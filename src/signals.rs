//! What tells a process to end: INT and TERM, as often as they come.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens from the moment that it is made.
pub struct Signals {
    int: Signal,
    term: Signal,
}

impl Signals {
    /// Within a runtime.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { int: signal(SignalKind::interrupt())?, term: signal(SignalKind::terminate())? })
    }

    /// Returns when one has come since the last time.
    pub async fn next(&mut self) {
        tokio::select! { _ = self.int.recv() => {}, _ = self.term.recv() => {} }
    }
}
