//! Ctrl-C while a line runs: it ends the line, not the session. At the prompt it is a key of the editor's.
//!
//! A command of the command line runs as a process of its own and hears the terminal itself; what the session calculates
//! looks here.

use imm_compiler::stop::Stop;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// Whether the line that runs was interrupted. Clones are the same.
#[derive(Clone, Default)]
pub struct Interrupts(Arc<AtomicBool>);

impl Interrupts {
    /// From here on INT ends nothing but a line.
    pub fn listen() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut signals = {
            let _within = runtime.enter();
            signal(SignalKind::interrupt())?
        };
        let interrupts = Self::default();
        let came = Arc::clone(&interrupts.0);
        let hears = async move {
            while signals.recv().await.is_some() {
                came.store(true, Ordering::Relaxed);
            }
        };
        std::thread::Builder::new().name("interrupts".to_owned()).spawn(move || runtime.block_on(hears))?;
        Ok(interrupts)
    }

    /// A line begins: what came before is not about it.
    pub fn begin(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether one came since.
    pub fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Stops work once one came.
    pub fn stop(&self) -> Stop {
        let interrupts = self.clone();
        Arc::new(move || interrupts.came())
    }
}
