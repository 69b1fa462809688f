//! One listening port: an accept loop, and the connections that came from it.
//!
//! Guarantees: stopping closes the port before it returns, and lets every connection finish the request it is working on. A client that is slow to send a head
//! is disconnected.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::exchange;
use crate::headers::Client;
use crate::search::Tables;
use crate::table::PortRoutes;
use crate::tunnel::{self, Open};

/// A client has this long to send the head of a request, from the end of the one before.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// The largest head of a request, in bytes.
const HEAD_SIZE: usize = 64 * 1024;
/// The pause when the process cannot take one more connection (out of descriptors or memory).
const OUT_OF_RESOURCES: Duration = Duration::from_millis(20);
const MOST_STREAMS: u32 = 256;

#[derive(Debug)]
pub(crate) struct Listener {
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Listener {
    pub(crate) fn start(address: SocketAddr, listener: TcpListener, tables: Tables) -> Self {
        let (stop, open) = watch::channel(false);
        Self { stop, accepting: tokio::spawn(accept(address, listener, tables, open)) }
    }

    /// Closes the port. The returned handle tells when its connections have ended.
    pub(crate) async fn stop(self) -> watch::Sender<bool> {
        self.stop.send_replace(true);
        // A panic in the loop has closed the port just as well.
        let _ = self.accepting.await;
        self.stop
    }
}

async fn accept(address: SocketAddr, listener: TcpListener, tables: Tables, mut open: Open) {
    loop {
        let accepted = tokio::select! {
            biased;
            _ = open.changed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                tokio::spawn(connection(stream, address, peer, Arc::clone(&tables), open.clone()));
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

async fn connection(stream: TcpStream, address: SocketAddr, peer: SocketAddr, tables: Tables, open: Open) {
    // Best effort: a socket without it works, slower.
    let _ = stream.set_nodelay(true);
    let is_tcp = match tables.borrow().port(address) {
        Some(PortRoutes::Tcp(_)) => true,
        Some(PortRoutes::Http(_)) => false,
        None => return,
    };
    if is_tcp {
        tunnel::tcp(&tables, address, stream).await;
        drop(open);
    } else {
        let client = Arc::new(Client::new(address, peer.ip()));
        http(stream, client, tables, open).await;
    }
}

async fn http(stream: TcpStream, client: Arc<Client>, tables: Tables, mut open: Open) {
    let is_http2 = tokio::select! {
        is_http2 = begins_http2(&stream) => is_http2,
        _ = open.changed() => return,
    };
    let service = {
        let open = open.clone();
        service_fn(move |request| {
            let (tables, client, open) = (Arc::clone(&tables), Arc::clone(&client), open.clone());
            async move { Ok::<_, Infallible>(exchange::answer(&tables, &client, &open, request).await) }
        })
    };
    // How a connection ends is the client's business: nobody else could act on an error here.
    match is_http2 {
        None => {}
        Some(false) => {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_LIMIT)
                .max_header_size(HEAD_SIZE)
                .half_close(true)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => return,
                _ = open.changed() => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        }
        Some(true) => {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(HEAD_LIMIT)
                .max_concurrent_streams(MOST_STREAMS)
                .serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => return,
                _ = open.changed() => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        }
    }
}

/// Whether a client begins HTTP/2 with prior knowledge; `None`: it says nothing, or has gone.
async fn begins_http2(stream: &TcpStream) -> Option<bool> {
    let mut start = [0; 3];
    match timeout(HEAD_LIMIT, stream.peek(&mut start)).await {
        Ok(Ok(1..)) => Some(&start == b"PRI"),
        Ok(Ok(0) | Err(_)) | Err(_) => None,
    }
}
