//! The agent that was replaced, until its last connection has ended; and its successor's hold on it.
//!
//! Guarantees: a table that is in force is in force in both, before it is acknowledged; a drain waits for both. A tail without its successor closes what it has
//! and ends: nobody would tell it where requests go. HTTP/2 with JSON over the connection that the sockets came over.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use imm_router::Routes;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::board::Board;

/// A tail that does not take a table for so long is let go.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long its requests in flight may take when it must end.
const FINISH: Duration = Duration::from_secs(10);

/// A drain, as it is asked of a tail.
#[derive(Debug, Serialize, Deserialize)]
struct Drain {
    objects: Vec<String>,
    deadline_ms: u64,
}

/// The successor's end.
#[derive(Clone, Debug)]
pub struct Tail {
    sender: SendRequest<Full<Bytes>>,
    /// Closed with the connection.
    open: watch::Receiver<()>,
}

impl Tail {
    /// Begins to speak over the connection that the sockets came over. Call it in the runtime that is to carry it.
    pub async fn new(control: UnixStream) -> io::Result<Self> {
        control.set_nonblocking(true)?;
        let io = TokioIo::new(tokio::net::UnixStream::from_std(control)?);
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
        let (sender, connection) = handshake.await.map_err(io::Error::other)?;
        let (carries, open) = watch::channel(());
        tokio::spawn(async move {
            // How it ends says nothing that its end does not.
            let _ = connection.await;
            drop(carries);
        });
        Ok(Self { sender, open })
    }

    /// Puts a table in force there. `false`: it is gone.
    pub async fn set(&self, routes: &Routes) -> bool {
        matches!(tokio::time::timeout(PATIENCE, self.ask("/routes", routes)).await, Ok(Ok(_)))
    }

    /// Lets it accept no more.
    pub async fn finish(&self) -> io::Result<()> {
        self.ask("/finish", &()).await.map(|_| ())
    }

    /// Returns when it is gone.
    pub async fn ended(&self) {
        // Nothing is ever sent.
        let _ = self.open.clone().changed().await;
    }

    /// Waits until nothing is in flight there; how many requests were cut. One that is gone has none.
    pub async fn drain(&self, objects: &[String], deadline: Duration) -> u64 {
        let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        let drain = Drain { objects: objects.to_vec(), deadline_ms };
        let answer = tokio::time::timeout(deadline + PATIENCE, self.ask("/drain", &drain)).await;
        answer.ok().and_then(Result::ok).and_then(|cut| serde_json::from_slice(&cut).ok()).unwrap_or(0)
    }

    async fn ask(&self, path: &'static str, what: &impl Serialize) -> io::Result<Bytes> {
        let mut request = Request::new(Full::new(Bytes::from(serde_json::to_vec(what)?)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static(path);
        let answer = self.sender.clone().send_request(request).await.map_err(io::Error::other)?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        if status == StatusCode::OK {
            Ok(body)
        } else {
            Err(io::Error::other(String::from_utf8_lossy(&body).into_owned()))
        }
    }
}

/// Obeys the successor until the last connection has ended. `None`: this agent's time is over; else the successor ended before it served, and what was given
/// is still this agent's.
pub async fn obey(control: UnixStream, board: Arc<Board>, own: (File, UnixListener)) -> Option<(File, UnixListener)> {
    let finished = watch::Sender::new(false);
    let (mut told, finished) = (finished.subscribe(), Arc::new(finished));
    let service = {
        let board = Arc::clone(&board);
        service_fn(move |request: Request<Incoming>| {
            let (board, finished) = (Arc::clone(&board), Arc::clone(&finished));
            async move { Ok::<_, Infallible>(answer(&board, &finished, request).await) }
        })
    };
    let Ok(stream) = control.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(control)) else {
        return Some(own);
    };
    let serving =
        hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => return Some(own),
        _ = told.wait_for(|finished| *finished) => {}
    }
    // From here on the lock and the API are the successor's alone.
    drop(own);
    reap();
    tokio::select! {
        () = board.finish() => {
            // The answer that tells the successor so may be on its way yet.
            serving.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(PATIENCE, serving).await;
            return None;
        }
        _ = serving.as_mut() => {}
        () = asked_to_end() => {}
    }
    board.shutdown(FINISH).await;
    None
}

async fn answer(board: &Board, finished: &watch::Sender<bool>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let done = async {
        let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        match path.as_str() {
            "/routes" => board.put(serde_json::from_slice(&body)?).await.map(|()| Vec::new()).map_err(io::Error::other),
            "/finish" => {
                finished.send_replace(true);
                Ok(Vec::new())
            }
            "/drain" => {
                let drain: Drain = serde_json::from_slice(&body)?;
                let cut = board.drain(&drain.objects, Duration::from_millis(drain.deadline_ms)).await;
                Ok(serde_json::to_vec(&cut)?)
            }
            _ => Err(io::Error::other("a tail has no such path")),
        }
    };
    let (status, body) = match done.await {
        Ok(body) => (StatusCode::OK, body),
        Err(cause) => (StatusCode::BAD_REQUEST, cause.to_string().into_bytes()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}

async fn asked_to_end() {
    let (Ok(mut term), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Monitors that this process started are its children for as long as it lives; nobody else can see them off.
fn reap() {
    std::thread::spawn(|| while nix::sys::wait::waitpid(None, None).is_ok() {});
}
