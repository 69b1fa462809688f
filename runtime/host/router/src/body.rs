//! Bodies on their way through: what is counted, and what happens when they end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Instant;

use crate::access::Pending;
use crate::pool::Link;
use crate::target::InFlight;

/// How far the body of a request got.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    /// Milliseconds after `started`.
    last: AtomicU64,
    finished: AtomicBool,
    broken: AtomicBool,
}

impl Progress {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            last: AtomicU64::new(0),
            finished: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        })
    }

    /// When the last part of the body passed.
    pub(crate) fn last(&self) -> Instant {
        self.started + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    /// Whether the client broke it off: then the target is not to blame for what follows.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    fn moved(&self) {
        self.last.store(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// The body of a request, from the client to a target. `None`: there is none.
#[derive(Debug)]
pub(crate) struct UploadBody(pub(crate) Option<(Incoming, Arc<Progress>)>);

impl Body for UploadBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some((incoming, progress)) = &mut self.0 else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *incoming).poll_frame(cx);
        if let Poll::Ready(frame) = &polled {
            progress.moved();
            if matches!(frame, Some(Err(_))) {
                progress.broken.store(true, Ordering::Release);
            }
            if frame.is_none() || incoming.is_end_stream() {
                progress.finished.store(true, Ordering::Release);
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|(incoming, _)| incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |(incoming, _)| incoming.size_hint())
    }
}

/// The body of an answer, to the client.
#[derive(Debug)]
pub(crate) struct AnswerBody {
    source: Source,
    /// Told when the answer is over.
    pub(crate) pending: Option<Box<Pending>>,
}

#[derive(Debug)]
enum Source {
    /// The router's own words.
    Own(Full<Bytes>),
    Target(TargetBody),
}

/// What a target says, and the connection it comes over.
pub(crate) struct TargetBody {
    incoming: Incoming,
    /// `None`: a task of its own drives the connection, or it has gone back to the pool.
    link: Option<Link>,
    in_flight: Option<Arc<InFlight>>,
}

impl TargetBody {
    pub(crate) fn new(incoming: Incoming, link: Option<Link>, in_flight: Arc<InFlight>) -> Self {
        let mut body = Self { incoming, link, in_flight: Some(in_flight) };
        if body.incoming.is_end_stream() {
            body.finish();
        }
        body
    }

    /// The answer is complete: the connection is free for the next request.
    fn finish(&mut self) {
        let Some(in_flight) = self.in_flight.take() else { return };
        if let Some(link) = self.link.take() {
            let target = in_flight.target();
            target.pool.put(link);
            // Asked after putting it there: a target that leaves in between finds it in the pool and closes it.
            if !target.is_in_force() {
                target.pool.clear();
            }
        }
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if self.link.as_mut().is_some_and(|link| link.drive(cx)) {
            // The connection has ended: it is not to be polled or used again, and what it left is in `incoming`.
            self.link = None;
        }
        Pin::new(&mut self.incoming).poll_frame(cx)
    }
}

impl Body for TargetBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = self.poll_incoming(cx);
        match &polled {
            Poll::Ready(Some(Err(_))) => {
                self.link = None;
                if let Some(in_flight) = self.in_flight.take() {
                    in_flight.target().recorder.error();
                }
            }
            Poll::Ready(None) => self.finish(),
            // Nothing comes after trailers, and nobody asks for it.
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() || self.incoming.is_end_stream() => self.finish(),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl std::fmt::Debug for TargetBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TargetBody")
            .field("incoming", &self.incoming)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}

impl AnswerBody {
    pub(crate) fn own(words: Bytes) -> Self {
        Self { source: Source::Own(Full::new(words)), pending: None }
    }

    pub(crate) fn target(body: TargetBody) -> Self {
        Self { source: Source::Target(body), pending: None }
    }

    /// The server never asks for a body that is empty.
    pub(crate) fn tell_when_over(&mut self, mut pending: Box<Pending>) {
        if self.is_end_stream() {
            pending.is_whole();
        }
        self.pending = Some(pending);
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let polled = match &mut this.source {
            Source::Own(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Source::Target(body) => Pin::new(body).poll_frame(cx),
        };
        if let (Poll::Ready(frame), Some(pending)) = (&polled, &mut this.pending) {
            if let Some(Ok(frame)) = frame {
                pending.sent(frame.data_ref().map_or(0, |data| data.len() as u64));
            }
            let at_end = match &this.source {
                Source::Own(body) => body.is_end_stream(),
                Source::Target(body) => body.is_end_stream(),
            };
            let over = match frame {
                None => true,
                Some(Ok(frame)) => at_end || frame.is_trailers(),
                Some(Err(_)) => false,
            };
            if over {
                pending.is_whole();
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Own(body) => body.is_end_stream(),
            Source::Target(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(body) => body.size_hint(),
            Source::Target(body) => body.size_hint(),
        }
    }
}
