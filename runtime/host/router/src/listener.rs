//! One listening port: an accept loop, and the connections that came from it.
//!
//! Guarantees: stopping closes the port before it returns, and lets every connection finish the request it is working on. A client that is slow to send a head
//! is disconnected.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::client_stream::ClientStream;
use crate::exchange::{self, Caller};
use crate::headers::Client;
use crate::spec::Protocol;
use crate::strict::Strict;
use crate::tls::PortTls;
use crate::traffic::Traffic;
use crate::tunnel::{self, Open, Phase};

/// A client has this long to send the head of a request, from the end of the one before.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// A client has this long to say who it is and what it wants, before anything is encrypted.
const GREETING_LIMIT: Duration = Duration::from_secs(10);
/// An HTTP/2 connection without requests is closed after one to two times this.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// The largest head of a request, in bytes.
const HEAD_SIZE: usize = 64 * 1024;
/// The pause when the process cannot take one more connection (out of descriptors or memory).
const OUT_OF_RESOURCES: Duration = Duration::from_millis(20);
/// Between two looks at a start that came in pieces.
const SPLIT_START: Duration = Duration::from_millis(5);
const MOST_STREAMS: u32 = 256;

#[derive(Debug)]
pub(crate) struct Listener {
    socket: Arc<TcpListener>,
    phase: watch::Sender<Phase>,
    accepting: JoinHandle<()>,
}

impl Listener {
    pub(crate) fn start(address: SocketAddr, listener: TcpListener, traffic: Traffic) -> Self {
        let (phase, open) = watch::channel(Phase::Open);
        let socket = Arc::new(listener);
        let accepting = tokio::spawn(accept(address, Arc::clone(&socket), traffic, open));
        Self { socket, phase, accepting }
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Accepts no more and closes this process's end of the port; its connections go on as `phase` says. The returned handle tells when they have ended.
    pub(crate) async fn end(self, phase: Phase) -> watch::Sender<Phase> {
        drop(self.socket);
        self.phase.send_replace(phase);
        // A panic in the loop has closed the port just as well.
        let _ = self.accepting.await;
        self.phase
    }
}

async fn accept(address: SocketAddr, listener: Arc<TcpListener>, traffic: Traffic, mut open: Open) {
    loop {
        let accepted = tokio::select! {
            biased;
            _ = open.changed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                tokio::spawn(connection(stream, address, peer, Arc::clone(&traffic), open.clone()));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => sleep(OUT_OF_RESOURCES).await,
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

async fn connection(stream: TcpStream, address: SocketAddr, peer: SocketAddr, traffic: Traffic, mut open: Open) {
    // Best effort: a socket without it works, slower.
    let _ = stream.set_nodelay(true);
    let (protocol, tls) = match traffic.tables.borrow().port(address) {
        Some(port) => (port.protocol, port.tls.clone()),
        None => return,
    };
    let client = Client::new(address, peer.ip(), tls.is_some());
    match (tls, protocol) {
        (None, Protocol::Tcp) => tunnel::tcp(&traffic, address, client.peer, None, stream).await,
        (None, Protocol::Http) => {
            let is_http2 = tokio::select! {
                is_http2 = begins_http2(&stream) => is_http2,
                () = closing(&mut open) => return,
            };
            match is_http2 {
                None => {}
                Some(false) => http1(stream, client, traffic, open.clone()).await,
                Some(true) => http2(stream, client, traffic, open.clone()).await,
            }
        }
        (Some(tls), protocol) => {
            let greeted = tokio::select! {
                greeted = greet(stream, &tls) => greeted,
                () = closing(&mut open) => return,
            };
            let Some(stream) = greeted else { return };
            let (_, session) = stream.get_ref();
            let host = session.server_name().map(str::to_owned);
            match (protocol, session.alpn_protocol()) {
                (Protocol::Tcp, _) => tunnel::tcp(&traffic, address, client.peer, host.as_deref(), stream).await,
                (Protocol::Http, Some(b"h2")) => http2(stream, client, traffic, open.clone()).await,
                (Protocol::Http, _) => http1(stream, client, traffic, open.clone()).await,
            }
        }
    }
    drop(open);
}

/// `None`: it does not speak TLS, wants a version or cipher that is not had, or is slow. It was told by an alert where there is one.
async fn greet(stream: TcpStream, tls: &PortTls) -> Option<TlsStream<TcpStream>> {
    let accepted = timeout(GREETING_LIMIT, TlsAcceptor::from(Arc::clone(&tls.config)).accept(stream)).await;
    accepted.ok()?.ok()
}

/// Returns when connections are to be closed as soon as they can.
async fn closing(open: &mut Open) {
    // An error: the router is gone.
    let _ = open.wait_for(|phase| *phase == Phase::Closing).await;
}

async fn http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    client: Client,
    traffic: Traffic,
    mut open: Open,
) {
    let stream = ClientStream::new(stream, Some(Strict::new(Arc::clone(&client.unread))));
    let caller = Arc::new(Caller { traffic, client, open: open.clone() });
    let service = service_fn(move |request| exchange::answer(Arc::clone(&caller), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_header_size(HEAD_SIZE)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    // How a connection ends is the client's business: nobody else could act on an error here.
    if before_closing(connection.as_mut(), &mut open).await.is_none() {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

/// What a future gives, unless connections are to be closed before: `None`. That is not looked at each time that the connection moves, but once, and when
/// something was said: it wakes the same task.
async fn before_closing<F: Future>(mut future: Pin<&mut F>, open: &mut Open) -> Option<F::Output> {
    let said = open.clone();
    let closing = closing(open);
    tokio::pin!(closing);
    let mut listens = false;
    poll_fn(|cx| {
        if let Poll::Ready(done) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        let look = !std::mem::replace(&mut listens, true) || said.has_changed().unwrap_or(true);
        if look { closing.as_mut().poll(cx).map(|()| None) } else { Poll::Pending }
    })
    .await
}

async fn http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    client: Client,
    traffic: Traffic,
    mut open: Open,
) {
    let caller = Arc::new(Caller { traffic, client, open: open.clone() });
    let asked = Arc::new(AtomicU64::new(0));
    let service = {
        let asked = Arc::clone(&asked);
        service_fn(move |request| {
            asked.fetch_add(1, Ordering::Relaxed);
            exchange::answer(Arc::clone(&caller), request)
        })
    };
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD_LIMIT)
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(u32::try_from(HEAD_SIZE).unwrap_or(u32::MAX))
        .serve_connection(TokioIo::new(ClientStream::new(stream, None)), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = after_others(connection.as_mut()) => return,
        // This way of closing loses nothing: the client is told which of its requests will be answered.
        _ = open.wait_for(|phase| phase.is_last()) => {}
        () = nothing_asked(&asked) => {}
    }
    if asked.load(Ordering::Relaxed) == 0 {
        // It may not even have ended its greeting, and such a connection does not close gracefully.
        return;
    }
    connection.as_mut().graceful_shutdown();
    let _ = after_others(connection).await;
}

/// The same future, polled once whatever else is ready has had its turn: small answers that end together are written together (what h2 does not copy, from 256
/// bytes of data on, it writes by itself).
async fn after_others<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    let mut waited = false;
    poll_fn(|cx| {
        if !std::mem::replace(&mut waited, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        waited = false;
        future.as_mut().poll(cx)
    })
    .await
}

/// Returns when the count has not moved for a while. Answers may still be on their way: closing waits for them.
async fn nothing_asked(asked: &AtomicU64) {
    let mut before = u64::MAX;
    loop {
        let now = asked.load(Ordering::Relaxed);
        if now == before {
            return;
        }
        before = now;
        sleep(IDLE_LIMIT).await;
    }
}

/// Whether a client begins HTTP/2 with prior knowledge; `None`: it says nothing, or has gone.
async fn begins_http2(stream: &TcpStream) -> Option<bool> {
    const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let look = async {
        loop {
            let mut start = [0; 24];
            let seen = stream.peek(&mut start).await.ok()?;
            let seen = start.get(..seen).filter(|seen| !seen.is_empty())?;
            if seen == PREFACE {
                return Some(true);
            }
            // Three bytes are enough to tell that it is no HTTP/1: the rest of a greeting that goes wrong is for HTTP/2 to answer.
            let known = seen.iter().zip(PREFACE).take_while(|(a, b)| a == b).count();
            if known < seen.len() {
                return Some(known >= 3);
            }
            // What was looked at stays readable, so the socket does not tell when more has come.
            sleep(SPLIT_START).await;
        }
    };
    timeout(HEAD_LIMIT, look).await.ok()?
}
