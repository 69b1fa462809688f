//! Requests that stay with a target, that look at a new one, and targets that accept and do not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use imm_router::{Mark, Preview, RouteSpec, Router, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;

fn canary(old: std::net::SocketAddr, new: std::net::SocketAddr, share: u32) -> Vec<Target> {
    vec![
        Target { weight: 100 - share, group: "old".to_owned(), ..target("old", old) },
        Target { weight: share, group: "fresh".to_owned(), ..target("new", new) },
    ]
}

async fn ask(port: u16, fields: &str) -> String {
    raw(port, format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}connection: close\r\n\r\n")).await
}

#[tokio::test]
async fn a_client_stays_through_a_canary_and_moves_when_its_target_leaves() {
    let router = Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    // Says the cookies that reach it, too: the router's own is not among them.
    let said = |name: &'static str| {
        http_target(move |request| async move {
            let cookies = request.headers().get("cookie").map_or("", |value| value.to_str().unwrap());
            text(format!("{name} {cookies}"))
        })
    };
    let (old, new) = (said("old").await, said("new").await);
    let sticky = |targets| table(RouteSpec { sticky: true, ..route(port, targets) });
    router.apply(sticky(canary(old, new, 50))).await.unwrap();
    let mut cookies = Vec::new();
    for _ in 0..4 {
        let answer = ask(port, "").await;
        let cookie = field(&answer, "set-cookie").unwrap();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
        cookies.push((cookie.split(';').next().unwrap().to_owned(), body(&answer).to_owned()));
    }
    assert_eq!(cookies.iter().filter(|(_, body)| body == "new ").count(), 2, "{cookies:?}");
    for share in [1, 90] {
        router.apply(sticky(canary(old, new, share))).await.unwrap();
        for (cookie, first) in &cookies {
            let answer = ask(port, &format!("cookie: own=1; {cookie}\r\n")).await;
            assert_eq!(body(&answer), format!("{first}own=1"));
            assert_eq!(field(&answer, "set-cookie"), None, "it knows already");
        }
    }
    for targets in [canary(old, new, 100), vec![target("new", new)]] {
        router.apply(sticky(targets)).await.unwrap();
        for (cookie, first) in &cookies {
            let answer = ask(port, &format!("cookie: {cookie}\r\n")).await;
            assert_eq!(body(&answer), "new ");
            assert_eq!(field(&answer, "set-cookie").is_some(), first == "old ", "told anew when it moved");
        }
    }
}

#[tokio::test]
async fn a_preview_reaches_what_others_do_not() {
    let router = Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    let (old, new) = (named_target("old").await, named_target("new").await);
    let by = |by| Some(Preview { group: "fresh".to_owned(), by });
    let (name, value) = ("X-Preview".to_owned(), "yes".to_owned());
    let spec = RouteSpec { preview: by(Mark::Header { name, value }), ..route(port, canary(old, new, 0)) };
    router.apply(table(spec.clone())).await.unwrap();
    for _ in 0..3 {
        assert_eq!(body(&ask(port, "").await), "old");
        assert_eq!(body(&ask(port, "x-preview: yes\r\n").await), "new");
        assert_eq!(body(&ask(port, "x-preview: no\r\n").await), "old");
    }
    let (name, value) = ("try".to_owned(), "1".to_owned());
    let cookie = RouteSpec { preview: by(Mark::Cookie { name, value }), ..spec.clone() };
    router.apply(table(cookie)).await.unwrap();
    assert_eq!(body(&ask(port, "cookie: a=b; try=1\r\n").await), "new");
    assert_eq!(body(&ask(port, "cookie: try=2\r\n").await), "old");
    // With nobody to preview, it is a request like any other.
    router.apply(table(RouteSpec { targets: vec![target("old", old)], ..spec })).await.unwrap();
    assert_eq!(body(&ask(port, "x-preview: yes\r\n").await), "old");
}

#[tokio::test]
async fn a_target_that_accepts_and_does_not_answer_is_passed_over() {
    let mute = raw_target(|mut stream: TcpStream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
    })
    .await;
    let well = named_target("well").await;
    let (router, port) = serving(vec![target("mute", mute), target("well", well)]).await;
    for _ in 0..40 {
        ask(port, "").await;
    }
    let samples = router.samples();
    assert_eq!((samples[0].target.as_str(), samples[0].requests, samples[0].errors), ("mute", 5, 5));
    assert_eq!((samples[1].requests, samples[1].errors), (35, 0));
}

#[tokio::test]
async fn every_request_is_told_once() {
    let (router, mut log) = Router::with_access_log(16);
    let port = router.reserve(LOCAL, None).await.unwrap();
    router.apply(table(route(port, vec![target("a", named_target("four").await)]))).await.unwrap();
    raw(port, "GET /x?y HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n").await;
    let mut told = Vec::new();
    assert_eq!(bounded(log.take(&mut told, 10)).await, 1);
    let one = told.pop().unwrap();
    let http = one.http.unwrap();
    assert_eq!((http.method.as_str(), http.uri.to_string().as_str(), http.status), ("GET", "/x?y", 200));
    assert_eq!((one.route.as_deref(), one.target.as_deref()), (Some("front"), Some("a")));
    assert_eq!((one.client, one.sent, one.is_whole), (LOCAL, 4, true));
    // An answer with trailers is whole, too, and its connection is used again.
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let trailing = raw_target(move |mut stream: TcpStream| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            let mut request = [0; 4096];
            while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                let answer = b"HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n";
                let _ = stream.write_all(answer).await;
            }
        }
    })
    .await;
    router.apply(table(route(port, vec![target("a", trailing)]))).await.unwrap();
    for _ in 0..3 {
        let answer = raw(port, "GET / HTTP/1.1\r\nhost: b\r\nte: trailers\r\nconnection: close\r\n\r\n").await;
        assert!(answer.contains("x-sum: 1"), "{answer}");
        assert_eq!(bounded(log.take(&mut told, 10)).await, 1);
        assert!(told.pop().unwrap().is_whole);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    router.apply(table(route(port, vec![target("a", named_target("four").await)]))).await.unwrap();
    // Nobody takes them: the rest is counted, nobody waits.
    for _ in 0..20 {
        assert_eq!(status(&ask(port, "").await), 200);
    }
    assert_eq!(bounded(log.take(&mut told, 100)).await, 16);
    assert_eq!((log.missed(), log.missed()), (4, 0));
}
