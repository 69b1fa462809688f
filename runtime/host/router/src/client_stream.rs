//! The stream from a client as the HTTP server sees it: read strictly, and given up when the client does not take what is written.
//!
//! Guarantees: whoever does not read for [`STALL_LIMIT`] while something waits for it is disconnected, so that it cannot hold a target's answer for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::strict::Strict;

/// How long written bytes may wait for the client to take any.
pub(crate) const STALL_LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct ClientStream<S> {
    stream: S,
    /// `None`: not HTTP/1.
    strict: Option<Strict>,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> ClientStream<S> {
    pub(crate) fn new(stream: S, strict: Option<Strict>) -> Self {
        Self { stream, strict, stalled: None }
    }

    fn unless_stalled<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        match self.stalled.get_or_insert_with(|| Box::pin(sleep(STALL_LIMIT))).as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.strict.as_ref().is_some_and(Strict::is_broken) {
            // An end, to whoever reads.
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let (Poll::Ready(Ok(())), Some(strict)) = (&read, &mut self.strict)
            && let Some(new) = buf.filled_mut().get_mut(before..)
        {
            let passed = strict.check(new);
            buf.set_filled(before + passed);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.unless_stalled(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.unless_stalled(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.unless_stalled(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.unless_stalled(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up_and_one_that_is_slow_is_not() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut stream = ClientStream::new(ours, None);
        let writing = tokio::spawn(async move {
            let mut written = 0;
            loop {
                match stream.write(&[0; 16]).await {
                    Ok(count) => written += count,
                    Err(error) => return (written, error.kind()),
                }
            }
        });
        for _ in 0..5 {
            tokio::time::sleep(STALL_LIMIT - Duration::from_secs(1)).await;
            tokio::io::AsyncReadExt::read_exact(&mut theirs, &mut [0; 16]).await.unwrap();
        }
        let began = tokio::time::Instant::now();
        assert_eq!(writing.await.unwrap(), (96, io::ErrorKind::TimedOut));
        assert_eq!(began.elapsed().as_secs(), STALL_LIMIT.as_secs());
    }
}
