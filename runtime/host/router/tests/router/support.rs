//! Targets in this process, raw clients, and a bound on every wait.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use imm_router::{Protocol, RouteSpec, Router, Routes, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Nothing in a test takes longer, on any machine.
pub async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("ends in time")
}

pub type Answer = Response<BoxBody<Bytes, Infallible>>;

pub fn text(text: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(text.into()).boxed())
}

/// A target that answers HTTP with `answer`; it ends with the runtime of the test.
pub async fn http_target<F>(answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static) -> SocketAddr
where
    F: Future<Output = Answer> + Send,
{
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let answer = answer.clone();
            let service = service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .half_close(true)
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection.with_upgrades());
        }
    });
    address
}

/// A target that says its name.
pub async fn named_target(name: &'static str) -> SocketAddr {
    http_target(move |_| async move { text(name) }).await
}

/// A target that does with each connection what the test says.
pub async fn raw_target<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// An address nobody listens on: bound, so that nobody else gets it.
pub fn closed_port() -> (SocketAddr, tokio::net::TcpSocket) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((LOCAL, 0).into()).unwrap();
    (socket.local_addr().unwrap(), socket)
}

pub fn target(id: &str, address: SocketAddr) -> Target {
    Target { id: id.to_owned(), place: address.into(), weight: 1, group: String::new() }
}

pub fn route(port: u16, targets: Vec<Target>) -> RouteSpec {
    RouteSpec {
        id: "front".to_owned(),
        bind: LOCAL,
        port,
        protocol: Protocol::Http,
        host: None,
        path: "/".to_owned(),
        timeout_ms: 20_000,
        hold_ms: 0,
        tls: None,
        sticky: false,
        preview: None,
        targets,
    }
}

pub fn table(route: RouteSpec) -> Routes {
    Routes { routes: vec![route] }
}

/// A router with one HTTP route in force, and the port it listens on.
pub async fn serving(targets: Vec<Target>) -> (Router, u16) {
    let router = Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    router.apply(table(route(port, targets))).await.unwrap();
    (router, port)
}

pub async fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((LOCAL, port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends bytes on a new connection and returns all that comes until the router closes.
pub async fn raw(port: u16, bytes: impl AsRef<[u8]>) -> String {
    bounded(async {
        let mut stream = connect(port).await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is an end, too.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    })
    .await
}

pub async fn get(port: u16, path: &str) -> String {
    raw(port, format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")).await
}

/// The status code of a raw answer.
pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {answer:?}")).parse().unwrap()
}

pub fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no body in {answer:?}")).1
}

/// One field of a raw answer.
pub fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    head.lines().filter_map(|line| line.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
}

/// Reads one whole answer with a content-length from a connection that stays open.
pub async fn read_answer(stream: &mut TcpStream) -> String {
    bounded(async {
        let mut answer = String::new();
        loop {
            if let Some((head, body)) = answer.split_once("\r\n\r\n") {
                let length: usize = field(head, "content-length").map_or(0, |length| length.parse().unwrap());
                if body.len() >= length {
                    return answer;
                }
            }
            let mut part = [0; 1024];
            // One at a time near the end is slow and exact: pipelined answers are not to be swallowed.
            let read = stream.read(&mut part[..1]).await.unwrap();
            assert!(read > 0, "closed after {answer:?}");
            answer.push(char::from(part[0]));
        }
    })
    .await
}

pub async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    bounded(async {
        let mut seen = String::new();
        while !seen.ends_with(end) {
            let byte = stream.read_u8().await.unwrap_or_else(|error| panic!("{error} after {seen:?}"));
            seen.push(char::from(byte));
        }
        seen
    })
    .await
}
