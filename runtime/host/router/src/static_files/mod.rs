//! A static file server: the files of one directory, over HTTP/1.1. A route leads to it as to any target ([`SiteSpec`]); [`serve`] is a server of its own.
//!
//! Guarantees: answers GET and HEAD, whole or in part; nothing outside of the directory is read, whatever the path or a symlink says
//! (`tree`); an ETag is the hash of the content, so it is right also where all files have one time, as in golden images. It does not list directories,
//! negotiate or compress.
//!
//! Read `serve` below, then `answer` (one request), `find` (files and their hashes), `tree` (paths to files), `range`, `media_type`.

mod answer;
mod find;
mod media_type;
mod range;
mod tree;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

use answer::FileBody;
pub(crate) use answer::Site;

const HEAD_LIMIT: Duration = Duration::from_secs(30);
const OUT_OF_RESOURCES: Duration = Duration::from_millis(20);

/// A directory that a route leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SiteSpec {
    /// Where its files are. Nothing may write to it.
    pub dir: PathBuf,
    /// The file that stands for a folder.
    pub index: String,
    /// The file for what does not exist, by its path in the directory. Where there is none, a few words stand for it.
    #[serde(default)]
    pub not_found: Option<String>,
    /// Fields of every answer; they win over the ones that the server sets.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The path of the route that leads to it: files are named below it.
    #[serde(default)]
    pub below: String,
}

impl SiteSpec {
    /// Says why it cannot be served as it is.
    ///
    /// # Errors
    /// `dir` is no directory that can be read, or a header is none.
    pub fn check(&self) -> io::Result<()> {
        Site::open(self).map(drop)
    }
}

/// Answers the requests of a connection inside of this process, until its other end is closed.
pub(crate) async fn serve_stream(stream: UnixStream, site: Arc<Site>) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(&request).await) }
    });
    // How a connection ends is the business of the other end.
    let _ = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(stream), service).await;
}

/// Serves the files of `dir` on `address` until `shutdown` ends; then stops accepting, finishes the requests it is working on, and returns. `/healthz` is answered before
/// any file. Writes one line a request to stdout. `flawed` requests of a million, evenly, are answered with 500: to try what is in front of it.
///
/// # Errors
/// `dir` is not a directory that can be read, or the address cannot be listened on.
pub async fn serve(dir: &Path, address: SocketAddr, flawed: u32, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let (socket, address) = crate::ports::bind(address)?;
    serve_on(crate::ports::listen(address, socket)?, dir, flawed, shutdown).await
}

/// [`serve`], on a listener that is there already.
///
/// # Errors
/// `dir` is not a directory that can be read.
pub async fn serve_on(
    listener: TcpListener,
    dir: &Path,
    flawed: u32,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let site = Arc::new(Server { site: Site::of_folder(dir)?, flawed: flawed.into(), asked: AtomicU64::new(0) });
    let (stop, open) = watch::channel(false);
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                tokio::spawn(connection(stream, peer, Arc::clone(&site), open.clone()));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => tokio::time::sleep(OUT_OF_RESOURCES).await,
        }
    }
    drop((listener, open));
    stop.send_replace(true);
    stop.closed().await;
    Ok(())
}

/// A site that fails as often as it was told to.
struct Server {
    site: Site,
    flawed: u64,
    asked: AtomicU64,
}

impl Server {
    async fn answer(&self, request: &hyper::Request<hyper::body::Incoming>) -> hyper::Response<FileBody> {
        // Its health is not what is tried.
        if self.flawed > 0 && request.uri().path() != "/healthz" {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            if (asked + 1) * self.flawed / 1_000_000 > asked * self.flawed / 1_000_000 {
                return answer::text(hyper::StatusCode::INTERNAL_SERVER_ERROR, "failed, as it was told to\n");
            }
        }
        self.site.answer(request).await
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, site: Arc<Server>, mut open: watch::Receiver<bool>) {
    // Best effort: a socket without it works, slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let site = Arc::clone(&site);
        async move {
            let response = site.answer(&request).await;
            log(peer, &request, &response);
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // How a connection ends is the client's business: nobody else could act on an error here.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = open.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// One line: who, what, status, bytes. A request path has no line breaks, and is printable ASCII but for what the client did not escape.
fn log<I, O>(peer: SocketAddr, request: &hyper::Request<I>, response: &hyper::Response<O>) {
    let bytes = response.headers().get(hyper::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let (method, path, status) = (request.method(), request.uri().path().escape_debug(), response.status().as_u16());
    let line = format!("{} {method} {path} {status} {}\n", peer.ip(), bytes.unwrap_or("-"));
    // A log that nobody reads any more is no reason to stop serving.
    let _ = io::stdout().lock().write_all(line.as_bytes());
}
