//! Idle connections of one target.
//!
//! An idle connection is a plain value: nobody polls it. The request that takes it polls it once first, which tells whether the target has closed it; while
//! a request runs, it drives the connection itself. So no request needs to be handed from task to task.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{Sleep, sleep_until};

use crate::body::UploadBody;
use crate::wire::Wire;

/// Idle connections above this are closed.
const MOST: usize = 1024;
/// Unused for this long, a connection is closed.
pub(crate) const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// What cannot be repeated only takes connections that were in use this recently: none that the target may be about to close for being idle.
const FRESH: Duration = Duration::from_secs(1);

/// A connection and the handle that requests are given to.
pub(crate) struct Link {
    pub(crate) sender: SendRequest<UploadBody>,
    pub(crate) connection: Box<Connection<TokioIo<Wire>, UploadBody>>,
    /// Of the request that waits, or of one before it: it is set anew when it rings too early, not for every request.
    alarm: Pin<Box<Sleep>>,
}

impl Link {
    pub(crate) fn new(
        sender: SendRequest<UploadBody>,
        connection: Connection<TokioIo<Wire>, UploadBody>,
        until: tokio::time::Instant,
    ) -> Self {
        Self { sender, connection: Box::new(connection), alarm: Box::pin(sleep_until(until)) }
    }

    /// Ready at this time, or soon after.
    pub(crate) fn poll_until(&mut self, until: tokio::time::Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.alarm.deadline() > until {
            self.alarm.as_mut().reset(until);
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            if self.alarm.deadline() >= until {
                return Poll::Ready(());
            }
            self.alarm.as_mut().reset(until);
        }
        Poll::Pending
    }

    /// Lets the connection do its work. `true`: it has ended.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        Pin::new(&mut *self.connection).poll(cx).is_ready()
    }
}

#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<VecDeque<(Link, Instant)>>,
}

impl Pool {
    /// The connection used last that is still good.
    pub(crate) async fn take(&self, repeatable: bool) -> Option<Link> {
        std::future::poll_fn(|cx| Poll::Ready(self.take_now(repeatable, cx))).await
    }

    fn take_now(&self, repeatable: bool, cx: &mut Context<'_>) -> Option<Link> {
        loop {
            let (mut link, since) = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                if !repeatable && idle.back().is_some_and(|(_, since)| since.elapsed() > FRESH) {
                    return None;
                }
                idle.pop_back()?
            };
            let ended = link.drive(cx);
            if !ended && link.sender.is_ready() && since.elapsed() < IDLE_LIMIT {
                return Some(link);
            }
        }
    }

    pub(crate) fn put(&self, link: Link) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST {
            idle.push_back((link, Instant::now()));
        }
    }

    /// Closes what was unused for too long.
    pub(crate) fn sweep(&self) {
        self.keep_if(|since| since.elapsed() < IDLE_LIMIT);
    }

    pub(crate) fn clear(&self) {
        self.keep_if(|_| false);
    }

    fn keep_if(&self, keep: impl Fn(Instant) -> bool) {
        let closing: VecDeque<_> = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let (kept, closing) = std::mem::take(&mut *idle).into_iter().partition(|(_, since)| keep(*since));
            *idle = kept;
            closing
        };
        // Outside the lock: closing a connection takes another one.
        drop(closing);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("Pool").field("idle", &idle).finish()
    }
}
