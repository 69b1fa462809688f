//! Ports, hosts and paths, tunnels, weights.

use hyper_util::rt::TokioIo;
use imm_router::{Protocol, RouteSpec, Router, Routes, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::*;

#[tokio::test]
async fn a_reserved_port_is_taken_and_refuses() {
    let router = Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    assert_eq!(TcpStream::connect((LOCAL, port)).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(TcpListener::bind((LOCAL, port)).await.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    assert!(Router::new().reserve(LOCAL, Some(port)).await.is_err());
    assert_eq!(router.reserve(LOCAL, Some(port)).await.unwrap(), port, "routes may share it");
    // A route without targets does not listen either.
    router.apply(table(route(port, vec![]))).await.unwrap();
    assert!(TcpStream::connect((LOCAL, port)).await.is_err());
    router.apply(table(route(port, vec![target("a", named_target("a").await)]))).await.unwrap();
    assert_eq!(body(&get(port, "/").await), "a");
    router.apply(Routes::default()).await.unwrap();
    assert!(TcpStream::connect((LOCAL, port)).await.is_err());
    // Free again at once, also with connections of before in TIME_WAIT.
    let again = Router::new();
    assert_eq!(again.reserve(LOCAL, Some(port)).await.unwrap(), port);
    again.release(LOCAL, port).await;
    router.reserve(LOCAL, Some(port)).await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_refused_with_its_holder_and_nothing_changes() {
    let holder = std::net::TcpListener::bind((LOCAL, 0)).unwrap();
    let taken = holder.local_addr().unwrap().port();
    let (router, port) = serving(vec![target("a", named_target("a").await)]).await;
    let error = router.reserve(LOCAL, Some(taken)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(
        error.to_string().starts_with(&format!("port {taken} on 127.0.0.1 is taken by this process itself")),
        "{error}"
    );
    let mut other = route(taken, vec![target("b", named_target("b").await)]);
    other.id = "other".to_owned();
    let b = route(port, vec![target("b", named_target("b").await)]);
    let error = router.apply(Routes { routes: vec![b, other] }).await.unwrap_err();
    assert!(error.to_string().contains("is taken by"), "{error}");
    assert_eq!(body(&get(port, "/").await), "a");
}

#[tokio::test]
async fn routes_share_a_port_by_host_and_path() {
    let router = Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    let mut routes = Vec::new();
    for (id, host, path) in [("any", None, "/"), ("api", None, "/api"), ("named", Some("Some.example"), "/")] {
        let targets = vec![target(id, named_target(id).await)];
        let host = host.map(str::to_owned);
        routes.push(RouteSpec { id: id.to_owned(), host, path: path.to_owned(), ..route(port, targets) });
    }
    router.apply(Routes { routes: routes.clone() }).await.unwrap();
    let ask = |host: &'static str, path: &'static str| async move {
        raw(port, format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await
    };
    assert_eq!(body(&ask("x", "/").await), "any");
    assert_eq!(body(&ask("x", "/apix").await), "any");
    assert_eq!(body(&ask("x:8080", "/api/1?q").await), "api");
    assert_eq!(body(&ask("some.EXAMPLE:99", "/api").await), "named");
    assert_eq!(body(&ask("x", "http://some.example/api").await), "named", "the target of the request names the host");
    routes.remove(0);
    router.apply(Routes { routes }).await.unwrap();
    let answer = ask("x", "/").await;
    assert_eq!((status(&answer), field(&answer, "x-imm-error")), (404, Some("no-route")));
}

#[tokio::test]
async fn groups_get_their_share() {
    let weighted = |id: &str, address, weight| Target { weight, group: id.to_owned(), ..target(id, address) };
    let (old, new, none) = (named_target("old").await, named_target("new").await, named_target("none").await);
    let (router, port) =
        serving(vec![weighted("old", old, 90), weighted("new", new, 10), weighted("none", none, 0)]).await;
    for _ in 0..50 {
        assert_eq!(status(&get(port, "/").await), 200);
    }
    let requests: Vec<_> = router.samples().into_iter().map(|sample| (sample.target, sample.requests)).collect();
    assert_eq!(requests, [("new".to_owned(), 5), ("none".to_owned(), 0), ("old".to_owned(), 45)]);
}

async fn tcp_echo() -> std::net::SocketAddr {
    raw_target(|mut stream: TcpStream| async move {
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = write.write_all(b" end").await;
    })
    .await
}

#[tokio::test]
async fn tcp_routes_carry_bytes_and_survive_a_switch() {
    let router = Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    let tcp = |targets| table(RouteSpec { protocol: Protocol::Tcp, ..route(port, targets) });
    router.apply(tcp(vec![target("echo", tcp_echo().await)])).await.unwrap();
    let mut stream = connect(port).await;
    stream.write_all(b"one").await.unwrap();
    assert_eq!(read_until(&mut stream, "one").await, "one");
    let other = raw_target(|mut stream: TcpStream| async move { stream.write_all(b"other").await.unwrap() }).await;
    router.apply(tcp(vec![target("other", other)])).await.unwrap();
    stream.write_all(b"two").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = String::new();
    bounded(stream.read_to_string(&mut rest)).await.unwrap();
    assert_eq!(rest, "two end");
    assert_eq!(raw(port, "").await, "other");
    assert_eq!(bounded(router.drain(&["echo".to_owned()], std::time::Duration::from_secs(30))).await.in_flight_cut, 0);
}

#[tokio::test]
async fn an_upgrade_becomes_a_tunnel_and_counts_as_in_flight() {
    let address = http_target(|mut request| async move {
        let mut answer = text("");
        if request.headers().get("upgrade").is_none_or(|protocol| protocol != "websocket") {
            *answer.status_mut() = http::StatusCode::UPGRADE_REQUIRED;
            return answer;
        }
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut stream = TokioIo::new(upgraded.await.unwrap());
            let mut bytes = [0; 5];
            while stream.read_exact(&mut bytes).await.is_ok() {
                bytes.reverse();
                stream.write_all(&bytes).await.unwrap();
            }
        });
        *answer.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
        answer.headers_mut().insert("connection", "upgrade".parse().unwrap());
        answer.headers_mut().insert("upgrade", "websocket".parse().unwrap());
        answer
    })
    .await;
    let (router, port) = serving(vec![target("ws", address)]).await;
    assert_eq!(status(&get(port, "/").await), 426);
    let refused = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, close\r\nupgrade: other\r\n\r\n";
    assert_eq!(status(&raw(port, refused).await), 426);
    let mut stream = connect(port).await;
    // The first bytes of the new protocol come with the request.
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\r\nhello")
        .await
        .unwrap();
    let head = read_until(&mut stream, "\r\n\r\n").await;
    assert_eq!(
        (status(&head), field(&head, "upgrade"), field(&head, "connection")),
        (101, Some("websocket"), Some("upgrade"))
    );
    assert_eq!(read_until(&mut stream, "olleh").await, "olleh");
    router.apply(table(route(port, vec![]))).await.unwrap();
    stream.write_all(b"12345").await.unwrap();
    assert_eq!(read_until(&mut stream, "54321").await, "54321", "a switch leaves it alone");
    let drained = bounded(router.drain(&["ws".to_owned()], std::time::Duration::from_millis(20))).await;
    assert_eq!(drained.in_flight_cut, 1);
    assert_eq!(bounded(stream.read(&mut [0; 1])).await.unwrap_or(0), 0, "cut");
}
