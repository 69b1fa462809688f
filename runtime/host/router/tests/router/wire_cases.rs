//! What comes over the wire: well formed, odd and hostile, byte by byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;

/// A target that says what it got.
async fn echo() -> std::net::SocketAddr {
    http_target(|request| async move {
        let (head, body) = request.into_parts();
        let mut said = format!("{} {}\n", head.method, head.uri);
        for (name, value) in &head.headers {
            said += &format!("{name}: {}\n", value.to_str().unwrap());
        }
        let body = body.collect().await.unwrap();
        if let Some(trailers) = body.trailers() {
            said += &format!("trailers {}\n", trailers.len());
        }
        said += &format!("[{}]", String::from_utf8_lossy(&body.to_bytes()));
        text(said)
    })
    .await
}

async fn echoing() -> (imm_router::Router, u16) {
    serving(vec![target("echo", echo().await)]).await
}

#[tokio::test]
async fn the_target_learns_where_a_request_came_from() {
    let (_router, port) = echoing().await;
    let request = "GET /a%20b?c=d HTTP/1.1\r\nHost: Some.Host:81\r\nX-Forwarded-For: 9.9.9.9\r\nConnection: close, x-hop\r\nX-Hop: 1\r\n\r\n";
    let said = raw(port, request).await;
    let said = body(&said);
    assert!(said.starts_with("GET /a%20b?c=d\n"), "{said}");
    for line in [
        "host: Some.Host:81",
        "x-forwarded-for: 9.9.9.9, 127.0.0.1",
        "x-forwarded-host: Some.Host:81",
        "x-forwarded-proto: http",
        "forwarded: for=127.0.0.1;host=\"Some.Host:81\";proto=http",
    ] {
        assert!(said.lines().any(|said| said == line), "{line} not in {said}");
    }
    assert!(!said.contains("x-hop") && !said.contains("connection"), "{said}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (_router, port) = echoing().await;
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    let all =
        raw(port, request("/1") + &request("/2") + "GET /3 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    let at = |path: &str| all.find(&format!("GET {path}\n")).unwrap_or_else(|| panic!("{path} not in {all}"));
    assert!(at("/1") < at("/2") && at("/2") < at("/3"));
}

#[tokio::test]
async fn a_head_may_come_in_pieces() {
    let (_router, port) = echoing().await;
    let mut stream = connect(port).await;
    for byte in b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc" {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(read_answer(&mut stream).await.ends_with("[abc]"));
}

#[tokio::test]
async fn ambiguous_lengths_do_not_pass() {
    let (router, port) = echoing().await;
    let refused = [
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3, 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: y\0z\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n folded: x\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\nconnection: close\r\n\r\n",
    ];
    for request in refused {
        let mut request = request.to_owned();
        if !request.contains("connection: close") {
            request = request.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
        }
        assert_eq!(status(&raw(port, &request).await), 400, "{request:?}");
    }
    assert_eq!(router.samples()[0].requests, 0, "none of them reached the target");
    // Both lengths: one reading only, the one that the standard prefers, and only that one is told to the target.
    let smuggling = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let answer = raw(port, smuggling).await;
    if status(&answer) != 400 {
        assert!(answer.contains("[abc]"), "{answer}");
        assert!(!answer.contains("content-length: 4"), "{answer}");
    }
}

#[tokio::test]
async fn heads_are_bounded() {
    let (_router, port) = echoing().await;
    let huge = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    assert_eq!(status(&raw(port, huge).await), 431);
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(200));
    assert_eq!(status(&raw(port, many).await), 431);
    let fits = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    assert_eq!(status(&raw(port, fits).await), 200);
}

#[tokio::test]
async fn a_client_may_close_its_half_early() {
    let (_router, port) = echoing().await;
    let mut stream = connect(port).await;
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    bounded(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with("[hi]"), "{answer}");
}

#[tokio::test]
async fn answers_without_a_body_leave_the_connection_usable() {
    let address = http_target(|request| async move {
        let mut answer = text("");
        match request.uri().path() {
            "/head" => {
                answer.headers_mut().insert("content-length", "1234".parse().unwrap());
            }
            "/204" => *answer.status_mut() = http::StatusCode::NO_CONTENT,
            "/304" => {
                *answer.status_mut() = http::StatusCode::NOT_MODIFIED;
                answer.headers_mut().insert("etag", "\"e\"".parse().unwrap());
            }
            _ => answer = text("body"),
        }
        answer
    })
    .await;
    let (router, port) = serving(vec![target("a", address)]).await;
    let mut stream = connect(port).await;
    for (request, expected, length) in
        [("HEAD /head", 200, Some("1234")), ("GET /204", 204, None), ("GET /304", 304, None)]
    {
        stream.write_all(format!("{request} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
        let head = read_until(&mut stream, "\r\n\r\n").await;
        assert_eq!((status(&head), field(&head, "content-length")), (expected, length), "{head}");
    }
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert_eq!(body(&read_answer(&mut stream).await), "body");
    assert_eq!(router.samples()[0].in_flight, 0);
}

#[tokio::test]
async fn expect_continue_is_answered_by_the_router() {
    let (_router, port) = echoing().await;
    let mut stream = connect(port).await;
    stream.write_all(b"PUT / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n").await.unwrap();
    assert_eq!(read_until(&mut stream, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"body").await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert!(answer.ends_with("[body]") && !answer.contains("expect"), "{answer}");
}

#[tokio::test]
async fn chunked_bodies_and_trailers_pass() {
    let (_router, port) = echoing().await;
    let request = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\nconnection: close\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nx-sum: 1\r\n\r\n";
    let answer = raw(port, request).await;
    assert!(answer.ends_with("[abc]"), "{answer}");
}

#[tokio::test]
async fn old_clients_are_served() {
    let (_router, port) = echoing().await;
    let answer = raw(port, "GET /old HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200") && body(&answer).starts_with("GET /old\n"), "{answer}");
}

#[tokio::test]
async fn a_stale_connection_is_replaced_for_what_can_be_repeated() {
    // Answers one request on each connection, promises to keep it open, and closes it when the next one comes.
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let address = raw_target(move |mut stream: TcpStream| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            let _ = stream.read(&mut request).await;
        }
    })
    .await;
    let (router, port) = serving(vec![target("a", address)]).await;
    let mut stream = connect(port).await;
    for _ in 0..10 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert_eq!((status(&answer), body(&answer)), (200, "ok"));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 10);
    // What cannot be repeated is not: it was sent, and nobody knows what it did.
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert_eq!((status(&answer), field(&answer, "x-imm-error")), (502, Some("broken")), "{answer}");
    assert_eq!(connections.load(Ordering::SeqCst), 10);
    assert_eq!(router.samples()[0].errors, 1);
}

#[tokio::test]
async fn connections_to_targets_are_reused() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let address = raw_target(move |mut stream: TcpStream| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            let mut request = [0; 4096];
            while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            }
        }
    })
    .await;
    let (_router, port) = serving(vec![target("a", address)]).await;
    for _ in 0..20 {
        assert_eq!(body(&get(port, "/").await), "ok");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_target_that_does_not_answer_is_given_up() {
    let address = raw_target(|mut stream: TcpStream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let router = imm_router::Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    let spec = imm_router::RouteSpec { timeout_ms: 50, ..route(port, vec![target("a", address)]) };
    router.apply(table(spec)).await.unwrap();
    let answer = get(port, "/").await;
    assert_eq!((status(&answer), field(&answer, "x-imm-error")), (504, Some("timeout")), "{answer}");
    let stalled = raw(port, "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 5\r\n\r\nx").await;
    assert_eq!((status(&stalled), field(&stalled, "x-imm-error")), (408, Some("client-stalled")), "{stalled}");
}

#[tokio::test]
async fn a_broken_answer_does_not_look_whole() {
    let address = raw_target(|mut stream: TcpStream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
    })
    .await;
    let (router, port) = serving(vec![target("a", address)]).await;
    let answer = get(port, "/").await;
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    assert_eq!(router.samples()[0].errors, 1);
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_served() {
    let (_router, port) = echoing().await;
    let io = hyper_util::rt::TokioIo::new(connect(port).await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::builder()
        .method("POST")
        .uri("http://two.example/p?q")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(http_body_util::Full::new(bytes::Bytes::from_static(b"hello")))
        .unwrap();
    let answer = bounded(sender.send_request(request)).await.unwrap();
    assert_eq!(answer.status(), 200);
    let said = bounded(answer.into_body().collect()).await.unwrap().to_bytes();
    let said = std::str::from_utf8(&said).unwrap();
    assert!(said.starts_with("POST /p?q\n") && said.ends_with("[hello]"), "{said}");
    assert!(said.contains("\nhost: two.example\n") && said.contains("\ncookie: a=1; b=2\n"), "{said}");
}
