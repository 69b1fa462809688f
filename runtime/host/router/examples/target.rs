//! A program behind the router, for measuring: it says its version (`VERSION`), counts what is uploaded, and echoes what comes through an upgrade.
//!
//! Listens on `$HOST:$PORT`. `GET /healthz` and `GET /` answer at once; a `POST` answers when its body has ended, with `BYTES VERSION`; an upgrade
//! sends `VERSION` and a newline, then each byte back. TERM: accepts nothing new, ends what it has begun, and ends.

use std::convert::Infallible;
use std::env;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncWriteExt as _, copy, split};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let version: Arc<str> = env::var("VERSION").unwrap_or_default().into();
    let listener = TcpListener::bind((env::var("HOST")?, env::var("PORT")?.parse()?)).await?;
    let mut end = signal(SignalKind::terminate())?;
    let (server, connections) = (auto::Builder::new(TokioExecutor::new()), GracefulShutdown::new());
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = end.recv() => break,
        };
        stream.set_nodelay(true)?;
        let version = Arc::clone(&version);
        let answers = service_fn(move |request| answer(request, Arc::clone(&version)));
        let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), answers);
        tokio::spawn(connections.watch(connection.into_owned()));
    }
    connections.shutdown().await;
    Ok(())
}

async fn answer(request: Request<Incoming>, version: Arc<str>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.headers().contains_key(header::UPGRADE) {
        tokio::spawn(echo(request, version));
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        return Ok(response);
    }
    if request.method() != Method::POST {
        return Ok(Response::new(format!("{version}\n").into()));
    }
    Ok(match count(request.into_body()).await {
        Ok(bytes) => Response::new(format!("{bytes} {version}\n").into()),
        Err(_) => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    })
}

async fn count(mut body: Incoming) -> Result<usize, hyper::Error> {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(bytes)
}

async fn echo(request: Request<Incoming>, version: Arc<str>) -> Result<(), Failure> {
    let stream = TokioIo::new(hyper::upgrade::on(request).await?);
    let (mut from, mut to) = split(stream);
    to.write_all(format!("{version}\n").as_bytes()).await?;
    copy(&mut from, &mut to).await?;
    Ok(())
}
