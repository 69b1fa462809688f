//! A TCP connection to a target that a drain can cut.
//!
//! Guarantees: after a cut, reads fail instead of looking like a regular end, so that a truncated answer is never passed on as a whole one.

use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::target::{InFlight, TargetState};

#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    target: Arc<TargetState>,
    cut: Arc<AtomicBool>,
}

/// Connects to the target that was chosen for a request, and counts a failure against it.
pub(crate) async fn connect(in_flight: &InFlight, limit: Duration) -> io::Result<Wire> {
    let target = in_flight.target();
    let connected = tokio::time::timeout(limit, TcpStream::connect(target.address)).await;
    let stream = match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(stream) => stream,
        Err(error) => {
            target.connect_failed();
            target.recorder.failed();
            return Err(error);
        }
    };
    target.connected();
    // Best effort: a socket without it works, slower.
    let _ = stream.set_nodelay(true);
    let Some(cut) = target.opened(stream.as_raw_fd(), in_flight.cuts()) else {
        target.recorder.failed();
        return Err(io::ErrorKind::ConnectionAborted.into());
    };
    Ok(Wire { stream, target: Arc::clone(target), cut })
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.target.closing(self.stream.as_raw_fd());
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() == before && self.cut.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
