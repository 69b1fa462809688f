//! The bell of a lease: whoever says something to a running engine rings it, so that the engine need not look often.
//!
//! Rung by opening the lease's file for writing and closing it, which its holder hears (inotify). A ring says nothing but "look":
//! words are in the ledger, and the engine looks by itself, too. One that is not heard costs a moment, never a word.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::OnceLock;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::net::unix::pipe;

/// The holder's end.
#[derive(Debug, Default)]
pub struct Bell {
    /// Until it is listened to, which needs a runtime.
    hung: Option<OwnedFd>,
    heard: OnceLock<Option<pipe::Receiver>>,
}

impl Bell {
    /// The bell of the lease in `folder`. Where it cannot be heard, it never rings.
    #[must_use]
    pub fn hang(folder: &Path) -> Self {
        let hang = || -> nix::Result<OwnedFd> {
            let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
            inotify.add_watch(&folder.join("lease"), AddWatchFlags::IN_CLOSE_WRITE)?;
            Ok(inotify.into())
        };
        Self { hung: hang().ok(), heard: OnceLock::new() }
    }

    /// Returns when somebody has rung since the last time.
    pub(crate) async fn rung(&self) {
        // It is read like a pipe.
        let listen = || pipe::Receiver::from_owned_fd_unchecked(self.hung.as_ref()?.try_clone().ok()?).ok();
        let Some(bell) = self.heard.get_or_init(listen) else { return std::future::pending().await };
        while bell.readable().await.is_ok() {
            // However many there were: they are one.
            match bell.try_read(&mut [0; 4096]) {
                Ok(_) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
        std::future::pending::<()>().await;
    }
}

/// Rings at whoever holds the lease in `folder`.
pub fn ring(folder: &Path) {
    drop(OpenOptions::new().write(true).open(folder.join("lease")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn is_quiet(bell: &Bell) -> bool {
        tokio::time::timeout(Duration::from_millis(20), bell.rung()).await.is_err()
    }

    #[tokio::test]
    async fn rings_are_heard_together_also_those_from_before() {
        let dir = tempfile::tempdir().unwrap();
        ring(dir.path());
        std::fs::write(dir.path().join("lease"), "").unwrap();
        let bell = Bell::hang(dir.path());
        ring(dir.path());
        ring(dir.path());
        bell.rung().await;
        assert!(is_quiet(&bell).await);
        ring(dir.path());
        bell.rung().await;
    }

    #[tokio::test]
    async fn what_cannot_be_heard_never_rings() {
        let dir = tempfile::tempdir().unwrap();
        assert!(is_quiet(&Bell::hang(dir.path())).await);
    }
}
