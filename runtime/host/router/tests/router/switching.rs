//! Switches: none of them loses a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;
use imm_router::{RouteSpec, Router, Routes};

/// Requests on one connection until told to stop; panics on anything but a whole 200.
async fn keep_asking(port: u16, stop: Arc<AtomicBool>, answered: Arc<AtomicU64>, post: bool) {
    let stream = connect(port).await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    while !stop.load(Ordering::Relaxed) {
        sender.ready().await.expect("the connection survives");
        let request = Request::builder().uri("/").header("host", "test");
        let response = if post {
            let body = Full::new(Bytes::from_static(&[b'x'; 3000]));
            sender.send_request(request.method("POST").body(body.boxed()).unwrap()).await.unwrap()
        } else {
            sender.send_request(request.body(Empty::new().boxed()).unwrap()).await.unwrap()
        };
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(status, 200, "{body:?}");
        assert!(body.starts_with(b"target"), "{body:?}");
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// A target that can really go: its listener closes and its connections break when it is dropped.
async fn mortal_target() -> (std::net::SocketAddr, tokio::task::JoinSet<()>) {
    let listener = tokio::net::TcpListener::bind((LOCAL, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(|request: Request<hyper::body::Incoming>| async move {
                let body = request.into_body().collect().await?.to_bytes();
                Ok::<_, hyper::Error>(text(format!("target {}", body.len())))
            });
            connections.spawn(async move {
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (address, tasks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_switches_under_load_lose_nothing() {
    let (first, mut alive) = mortal_target().await;
    let (router, port) = serving(vec![target("0", first)]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..16)
        .map(|n| tokio::spawn(keep_asking(port, Arc::clone(&stop), Arc::clone(&answered), n % 4 == 0)))
        .collect();
    bounded(async {
        for generation in 1..=200_u32 {
            let (address, next) = mortal_target().await;
            router.apply(table(route(port, vec![target(&generation.to_string(), address)]))).await.unwrap();
            let drained = router.drain(&[(generation - 1).to_string()], Duration::from_secs(30)).await;
            assert_eq!(drained.in_flight_cut, 0);
            drop(std::mem::replace(&mut alive, next));
            // Every generation serves something before it goes.
            let before = answered.load(Ordering::Relaxed);
            while answered.load(Ordering::Relaxed) < before + 5 {
                assert!(clients.iter().all(|client| !client.is_finished()), "a client failed");
                tokio::task::yield_now().await;
            }
        }
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.expect("no client failed");
        }
    })
    .await;
    let samples = router.samples();
    assert!(samples.iter().all(|sample| sample.errors == 0 && sample.in_flight == 0), "{samples:?}");
    assert!(answered.load(Ordering::Relaxed) >= 1000);
    bounded(router.shutdown()).await;
}

#[tokio::test]
async fn an_upload_stays_with_the_old_target() {
    let old = http_target(|request| async move {
        text(format!("old {}", request.into_body().collect().await.unwrap().to_bytes().len()))
    })
    .await;
    let new = named_target("new").await;
    let (router, port) = serving(vec![target("old", old)]).await;
    let mut upload = connect(port).await;
    upload.write_all(b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\n12345").await.unwrap();
    bounded(async {
        while router.samples().iter().all(|sample| sample.in_flight == 0) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    router.apply(table(route(port, vec![target("new", new)]))).await.unwrap();
    assert_eq!(body(&get(port, "/").await), "new");
    let draining = tokio::spawn({
        let router = router.clone();
        async move { router.drain(&["old".to_owned()], Duration::from_secs(30)).await }
    });
    upload.write_all(b"67890").await.unwrap();
    assert_eq!(body(&read_answer(&mut upload).await), "old 10");
    assert_eq!(bounded(draining).await.unwrap().in_flight_cut, 0);
    // The same client connection goes on, with the new target.
    upload.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    assert_eq!(body(&read_answer(&mut upload).await), "new");
}

#[tokio::test]
async fn a_drain_cuts_and_counts_at_its_deadline() {
    let endless = raw_target(|mut stream: TcpStream| async move {
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        // Without a length: the end of the connection would be the end of the answer.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nbegin").await;
        let _ = stream.read(&mut request).await;
    })
    .await;
    let (router, port) = serving(vec![target("old", endless)]).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = connect(port).await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        read_until(&mut client, "begin\r\n").await;
        clients.push(client);
    }
    router.apply(table(route(port, vec![]))).await.unwrap();
    let drained = bounded(router.drain(&["old".to_owned()], Duration::from_millis(50))).await;
    assert_eq!(drained.in_flight_cut, 3);
    for client in &mut clients {
        let mut rest = Vec::new();
        let _ = bounded(client.read_to_end(&mut rest)).await;
        assert!(!rest.ends_with(b"0\r\n\r\n"), "a cut answer does not look whole: {rest:?}");
    }
    assert_eq!(bounded(router.drain(&["old".to_owned()], Duration::from_secs(30))).await.in_flight_cut, 0);
}

#[tokio::test]
async fn held_requests_wait_for_the_next_targets() {
    let router = Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    let old = named_target("old").await;
    let holding = |targets| table(RouteSpec { hold_ms: 30_000, ..route(port, targets) });
    router.apply(holding(vec![target("old", old)])).await.unwrap();
    router.apply(holding(vec![])).await.unwrap();
    let held: Vec<_> = (0..5).map(|_| tokio::spawn(async move { get(port, "/").await })).collect();
    let early = tokio::time::timeout(Duration::from_millis(100), get(port, "/")).await;
    assert!(early.is_err(), "answered while the route has nobody: {early:?}");
    let new = named_target("new").await;
    router.apply(holding(vec![target("new", new)])).await.unwrap();
    for answer in held {
        assert_eq!(body(&bounded(answer).await.unwrap()), "new");
    }
}

#[tokio::test]
async fn a_hold_also_waits_while_the_only_target_is_down() {
    let router = Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    let (address, socket) = closed_port();
    let spec = RouteSpec { hold_ms: 30_000, ..route(port, vec![target("a", address)]) };
    router.apply(table(spec)).await.unwrap();
    let held = tokio::spawn(async move { get(port, "/").await });
    bounded(async {
        while router.samples()[0].errors == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let listener = socket.listen(16).unwrap();
    let (mut stream, _) = bounded(listener.accept()).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nback").await.unwrap();
    assert_eq!(body(&bounded(held).await.unwrap()), "back");
}

#[tokio::test]
async fn without_hold_nobody_is_said_at_once() {
    let old = named_target("old").await;
    let (router, port) = serving(vec![target("old", old)]).await;
    router.apply(table(route(port, vec![]))).await.unwrap();
    let answer = get(port, "/").await;
    assert_eq!((status(&answer), field(&answer, "x-imm-error")), (503, Some("no-target")), "{answer}");
    let (address, _socket) = closed_port();
    router.apply(table(route(port, vec![target("gone", address)]))).await.unwrap();
    let answer = get(port, "/").await;
    assert_eq!((status(&answer), field(&answer, "x-imm-error")), (502, Some("unreachable")), "{answer}");
    assert!(body(&answer).contains("no target of route front"));
}

#[tokio::test]
async fn a_target_that_is_down_costs_no_request() {
    let (down, _socket) = closed_port();
    let up = named_target("up").await;
    let (router, port) = serving(vec![target("down", down), target("up", up)]).await;
    for _ in 0..20 {
        assert_eq!(
            body(&raw(port, "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi").await),
            "up"
        );
    }
    let samples = router.samples();
    assert_eq!(
        (samples[0].target.as_str(), samples[0].requests, samples[0].errors),
        ("down", 1, 1),
        "passed over after the first"
    );
    assert_eq!((samples[1].requests, samples[1].errors), (20, 0));
    assert_eq!(samples[1].latency.count(), 20);
}

#[tokio::test]
async fn a_shutdown_finishes_what_runs_and_closes_the_port() {
    let slow = Arc::new(tokio::sync::Notify::new());
    let gate = Arc::clone(&slow);
    let address = http_target(move |_| {
        let gate = Arc::clone(&gate);
        async move {
            gate.notified().await;
            text("late")
        }
    })
    .await;
    let (router, port) = serving(vec![target("a", address)]).await;
    let running = tokio::spawn(async move { get(port, "/").await });
    let mut idle = connect(port).await;
    bounded(async {
        while router.samples()[0].in_flight == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let closing = tokio::spawn({
        let router = router.clone();
        async move { router.shutdown().await }
    });
    assert_eq!(bounded(idle.read(&mut [0; 1])).await.unwrap_or(0), 0, "an idle connection is closed");
    assert!(TcpStream::connect((LOCAL, port)).await.is_err());
    assert!(!closing.is_finished());
    slow.notify_one();
    assert_eq!(body(&bounded(running).await.unwrap()), "late");
    bounded(closing).await.unwrap();
    assert!(router.apply(Routes::default()).await.is_err());
}

/// One router takes over from another under load: sockets move, connections end with an answer, and a switch reaches who is still connected to the first one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_take_over_loses_nothing() {
    let (first, _tasks) = mortal_target().await;
    let (second, _other_tasks) = mortal_target().await;
    let (old, port) = serving(vec![target("a", first)]).await;
    let reserved = old.reserve(LOCAL, None).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    keep_asking_while_told_to_stay(port, &stop, &answered).await;
                }
            })
        })
        .collect();
    let mut upload = connect(port).await;
    upload.write_all(b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\n12345").await.unwrap();
    let progress = |by: u64| {
        let answered = Arc::clone(&answered);
        async move {
            let until = answered.load(Ordering::Relaxed) + by;
            bounded(async {
                while answered.load(Ordering::Relaxed) < until {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
    };
    progress(50).await;
    let new = Router::new();
    for socket in old.sockets().await.unwrap() {
        new.adopt(socket).await.unwrap();
    }
    assert_eq!(new.reserve(LOCAL, Some(reserved)).await.unwrap(), reserved, "a reserved port moves, too");
    assert!(TcpStream::connect((LOCAL, reserved)).await.is_err());
    new.apply(table(route(port, vec![target("a", first)]))).await.unwrap();
    let finishing = tokio::spawn({
        let old = old.clone();
        async move { old.finish().await }
    });
    progress(50).await;
    for router in [&old, &new] {
        router.apply(table(route(port, vec![target("b", second)]))).await.unwrap();
    }
    progress(50).await;
    assert!(!finishing.is_finished(), "an upload is on its way");
    upload.write_all(b"67890").await.unwrap();
    let answer = read_answer(&mut upload).await;
    assert!(body(&answer) == "target 10" && field(&answer, "connection") == Some("close"), "{answer}");
    bounded(finishing).await.unwrap();
    let drained = bounded(old.drain(&["a".to_owned()], Duration::from_secs(30))).await;
    assert_eq!(drained.in_flight_cut, 0);
    stop.store(true, Ordering::Relaxed);
    for asking in asking {
        bounded(asking).await.unwrap();
    }
    assert!(new.samples().iter().any(|sample| sample.target == "b" && sample.requests > 0 && sample.errors == 0));
}

/// Requests on one connection until an answer ends it; panics on anything but a whole 200.
async fn keep_asking_while_told_to_stay(port: u16, stop: &AtomicBool, answered: &AtomicU64) {
    let mut stream = connect(port).await;
    loop {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert!(status(&answer) == 200 && body(&answer) == "target 0", "{answer}");
        answered.fetch_add(1, Ordering::Relaxed);
        if stop.load(Ordering::Relaxed) || field(&answer, "connection") == Some("close") {
            return;
        }
    }
}
