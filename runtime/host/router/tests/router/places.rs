//! Targets that are no program of this machine: files that the router serves itself, and servers elsewhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::support::*;
use imm_router::static_files::SiteSpec;
use imm_router::{Place, RouteSpec, Router, Target};
use tokio::io::AsyncWriteExt as _;

fn site(dir: &Path) -> SiteSpec {
    std::fs::write(dir.join("home.html"), "<h1>home</h1>").unwrap();
    std::fs::write(dir.join("healthz"), "a file").unwrap();
    std::fs::write(dir.join("lost.html"), "nothing here").unwrap();
    std::fs::create_dir(dir.join("sub")).unwrap();
    std::fs::write(dir.join("sub/home.html"), "sub").unwrap();
    std::fs::create_dir(dir.join("empty")).unwrap();
    std::fs::write(dir.join("large.bin"), (0..3_000_000u32).map(|n| (n % 251) as u8).collect::<Vec<u8>>()).unwrap();
    SiteSpec {
        dir: dir.to_owned(),
        index: "home.html".to_owned(),
        not_found: Some("/lost.html".to_owned()),
        headers: BTreeMap::from([
            ("cache-control".to_owned(), "max-age=60".to_owned()),
            ("x-made-by".to_owned(), "imm".to_owned()),
        ]),
        below: "/docs".to_owned(),
    }
}

fn at(place: Place) -> Target {
    Target { id: "pages".to_owned(), place, weight: 1, group: String::new() }
}

async fn ask(port: u16, request: &str, fields: &str) -> String {
    raw(port, format!("{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n")).await
}

/// A router whose route `/docs` leads to a site.
async fn pages(dir: &Path) -> (Router, u16) {
    let router = Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    let spec = RouteSpec { path: "/docs".to_owned(), ..route(port, vec![at(Place::Site(site(dir)))]) };
    router.apply(table(spec)).await.unwrap();
    (router, port)
}

#[tokio::test]
async fn a_site_is_served_below_its_route() {
    let dir = tempfile::tempdir().unwrap();
    let (router, port) = pages(dir.path()).await;
    for (request, code, kind, expected) in [
        ("GET /docs/", 200, "text/html; charset=utf-8", "<h1>home</h1>"),
        ("HEAD /docs/", 200, "text/html; charset=utf-8", ""),
        ("GET /docs/healthz", 200, "application/octet-stream", "a file"),
        ("GET /docs/sub/?x", 200, "text/html; charset=utf-8", "sub"),
        ("GET /docs/none", 404, "text/html; charset=utf-8", "nothing here"),
        ("HEAD /docs/none", 404, "text/html; charset=utf-8", ""),
        ("GET /docs/empty", 404, "text/html; charset=utf-8", "nothing here"),
        ("GET /docs/empty/", 404, "text/html; charset=utf-8", "nothing here"),
        ("GET /docs/../../etc/passwd", 404, "text/html; charset=utf-8", "nothing here"),
        ("GET /docs/%2e%2e/etc/passwd", 404, "text/html; charset=utf-8", "nothing here"),
        ("PUT /docs/home.html", 405, "text/plain; charset=utf-8", "only GET and HEAD\n"),
    ] {
        let answer = ask(port, request, "").await;
        let seen = (status(&answer), field(&answer, "content-type"), body(&answer));
        assert_eq!(seen, (code, Some(kind), expected), "{request}");
        assert_eq!(field(&answer, "x-made-by"), Some("imm"), "{request}");
        assert_eq!(field(&answer, "cache-control"), Some("max-age=60"), "{request}");
    }
    // The route does not answer beside its path.
    assert_eq!(status(&ask(port, "GET /", "").await), 404);
    let moved = ask(port, "GET /docs/sub", "").await;
    assert_eq!((status(&moved), field(&moved, "location")), (301, Some("/docs/sub/")));
    let moved = ask(port, "GET /docs", "").await;
    assert_eq!((status(&moved), field(&moved, "location")), (301, Some("/docs/")));
    let samples = router.samples();
    assert_eq!((samples[0].address.as_str(), samples[0].requests, samples[0].errors), ("site", 13, 0));
}

#[tokio::test]
async fn parts_are_sent_to_who_has_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (_router, port) = pages(dir.path()).await;
    let whole = ask(port, "HEAD /docs/home.html", "range: bytes=0-1\r\n").await;
    assert_eq!(
        (status(&whole), field(&whole, "accept-ranges"), field(&whole, "content-length")),
        (200, Some("bytes"), Some("13"))
    );
    let etag = field(&whole, "etag").unwrap().to_owned();
    for (fields, code, range, expected) in [
        ("range: bytes=4-7\r\n".to_owned(), 206, Some("bytes 4-7/13"), "home"),
        (format!("range: bytes=-5\r\nif-range: {etag}\r\n"), 206, Some("bytes 8-12/13"), "</h1>"),
        ("range: bytes=4-7\r\nif-range: \"other\"\r\n".to_owned(), 200, None, "<h1>home</h1>"),
        ("range: bytes=0-1,4-7\r\n".to_owned(), 200, None, "<h1>home</h1>"),
        ("range: bytes=13-\r\n".to_owned(), 416, Some("bytes */13"), "the file has no such part\n"),
        (format!("range: bytes=4-7\r\nif-none-match: {etag}\r\n"), 304, None, ""),
    ] {
        let answer = ask(port, "GET /docs/home.html", &fields).await;
        assert_eq!(
            (status(&answer), field(&answer, "content-range"), body(&answer)),
            (code, range, expected),
            "{fields}"
        );
    }
    // In a large file: bytes that repeat every 251, so that a part tells where it is from.
    let (status, sent) = bounded(async {
        let mut stream = connect(port).await;
        stream
            .write_all(
                b"GET /docs/large.bin HTTP/1.1\r\nhost: a\r\nconnection: close\r\nrange: bytes=2510000-2510099\r\n\r\n",
            )
            .await
            .unwrap();
        let mut answer = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await.unwrap();
        let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        (String::from_utf8_lossy(&answer[9..12]).into_owned(), answer[head + 4..].to_vec())
    })
    .await;
    assert_eq!((status.as_str(), sent), ("206", (0..100).collect::<Vec<u8>>()));
}

#[tokio::test]
async fn a_site_is_switched_drained_and_cut_like_any_target() {
    let dir = tempfile::tempdir().unwrap();
    let (router, port) = pages(dir.path()).await;
    let mut slow = connect(port).await;
    slow.write_all(b"GET /docs/large.bin HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_until(&mut slow, "\r\n\r\n").await;
    let next = RouteSpec { path: "/docs".to_owned(), ..route(port, vec![target("next", named_target("next").await)]) };
    router.apply(table(next)).await.unwrap();
    assert_eq!(body(&ask(port, "GET /docs/", "").await), "next");
    let drained = bounded(router.drain(&["pages".to_owned()], Duration::from_millis(1))).await;
    assert_eq!(drained.in_flight_cut, 1);
}

#[tokio::test]
async fn what_is_not_there_or_no_header_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let spec = site(dir.path());
    spec.check().unwrap();
    assert!(
        SiteSpec { dir: dir.path().join("none"), ..spec.clone() }.check().unwrap_err().to_string().contains("none")
    );
    let bad = SiteSpec { headers: BTreeMap::from([("a b".to_owned(), "c".to_owned())]), ..spec };
    assert!(bad.check().unwrap_err().to_string().contains("\"a b\""));
    let router = Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    let tcp = RouteSpec { protocol: imm_router::Protocol::Tcp, ..route(port, vec![at(Place::Site(bad))]) };
    assert!(router.apply(table(tcp)).await.unwrap_err().to_string().contains("only HTTP"));
}

#[tokio::test]
async fn a_server_elsewhere_is_asked_in_its_own_name() {
    let server = http_target(|request| async move {
        let field = |name: &str| request.headers().get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
        text(format!("{} {} {}", request.uri(), field("host"), field("x-forwarded-host")))
    })
    .await;
    let elsewhere =
        |base: &str| at(Place::Elsewhere(format!("http://localhost:{}{base}", server.port()).parse().unwrap()));
    let (router, port) = serving(vec![elsewhere("/v1/")]).await;
    let host = format!("localhost:{}", server.port());
    assert_eq!(body(&get(port, "/x?q").await), format!("/v1/x?q {host} test"));
    assert_eq!(body(&get(port, "/").await), format!("/v1/ {host} test"));
    router.apply(table(route(port, vec![elsewhere("")]))).await.unwrap();
    assert_eq!(body(&get(port, "/x?q").await), format!("/x?q {host} test"));
    // When it cannot be reached, the next one is asked what the client asked.
    let (closed, _socket) = closed_port();
    let gone =
        Target { id: "gone".to_owned(), ..at(Place::Elsewhere(format!("http://{closed}/gone").parse().unwrap())) };
    router.apply(table(route(port, vec![gone, target("here", server)]))).await.unwrap();
    for _ in 0..4 {
        assert_eq!(body(&get(port, "/x").await), "/x test test");
    }
}
