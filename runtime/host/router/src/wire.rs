//! A connection to a target that a drain can cut. A site is on the other end of a pair of sockets, so that it is pooled, counted, drained and cut like
//! everything else.
//!
//! Guarantees: after a cut, reads fail instead of looking like a regular end, so that a truncated answer is never passed on as a whole one.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use crate::spec::Place;
use crate::static_files;
use crate::target::{InFlight, TargetState};
use crate::trust;

#[derive(Debug)]
pub(crate) struct Wire {
    stream: Stream,
    target: Arc<TargetState>,
    cut: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    /// To a server elsewhere that proves who it is.
    Tls(Box<TlsStream<TcpStream>>),
    /// To a site.
    Pair(UnixStream),
}

impl Stream {
    async fn to(target: &TargetState) -> io::Result<Self> {
        let (stream, proves) = match &target.place {
            Place::Address(address) => (TcpStream::connect(address).await?, None),
            Place::Elsewhere(elsewhere) => {
                let (host, port) = elsewhere.host_and_port();
                (TcpStream::connect((host, port)).await?, elsewhere.is_encrypted().then_some(host))
            }
            Place::Site(spec) => {
                let site = target.site(spec)?;
                let (near, far) = UnixStream::pair()?;
                tokio::spawn(static_files::serve_stream(far, site));
                return Ok(Self::Pair(near));
            }
        };
        // Best effort: a socket without it works, slower.
        let _ = stream.set_nodelay(true);
        Ok(match proves {
            Some(host) => Self::Tls(Box::new(trust::encrypt(stream, host).await?)),
            None => Self::Tcp(stream),
        })
    }

    fn descriptor(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Tls(stream) => stream.get_ref().0.as_raw_fd(),
            Self::Pair(stream) => stream.as_raw_fd(),
        }
    }
}

/// Connects to the target that was chosen for a request, and counts a failure against it.
pub(crate) async fn connect(in_flight: &InFlight, limit: Duration) -> io::Result<Wire> {
    let target = in_flight.target();
    let connected = tokio::time::timeout(limit, Stream::to(target)).await;
    let stream = match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(stream) => stream,
        Err(error) => {
            target.connect_failed();
            target.recorder.failed();
            return Err(error);
        }
    };
    target.connected();
    let Some(cut) = target.opened(stream.descriptor(), in_flight.cuts()) else {
        target.recorder.failed();
        return Err(io::ErrorKind::ConnectionAborted.into());
    };
    Ok(Wire { stream, target: Arc::clone(target), cut })
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.target.closing(self.stream.descriptor());
    }
}

/// Does the same with whichever stream it is.
macro_rules! each {
    ($wire:expr, $stream:ident => $does:expr) => {
        match &mut $wire.stream {
            Stream::Tcp($stream) => $does,
            Stream::Tls($stream) => $does,
            Stream::Pair($stream) => $does,
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(each!(self, stream => Pin::new(stream).poll_read(cx, buf)))?;
        if buf.filled().len() == before && self.cut.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
