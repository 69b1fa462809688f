//! The static file server, over real connections.

use std::path::Path;
use std::time::Duration;

use imm_router::static_files::serve_on;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use crate::support::*;

struct Server {
    port: u16,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

async fn serving_dir(dir: &Path) -> Server {
    let listener = tokio::net::TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, stopped) = oneshot::channel();
    let dir = dir.to_owned();
    let task = tokio::spawn(async move {
        serve_on(listener, &dir, 0, async {
            let _ = stopped.await;
        })
        .await
    });
    Server { port, stop, task }
}

fn site() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "<h1>hello</h1>").unwrap();
    std::fs::write(dir.path().join("healthz"), "a file").unwrap();
    std::fs::write(dir.path().join("a b.css"), "x{}").unwrap();
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    std::fs::write(dir.path().join("sub/index.html"), "sub").unwrap();
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    std::fs::write(dir.path().join("large.bin"), vec![b'x'; 3_000_000]).unwrap();
    dir
}

async fn ask(port: u16, request: &str, fields: &str) -> String {
    raw(port, format!("{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n")).await
}

#[tokio::test]
async fn files_are_served() {
    let dir = site();
    let server = serving_dir(dir.path()).await;
    for (request, code, kind, length) in [
        ("GET /", 200, Some("text/html; charset=utf-8"), Some("14")),
        ("HEAD /", 200, Some("text/html; charset=utf-8"), Some("14")),
        ("GET /a%20b.css?v=1", 200, Some("text/css; charset=utf-8"), Some("3")),
        ("GET /sub/", 200, Some("text/html; charset=utf-8"), Some("3")),
        ("GET /healthz", 200, Some("text/plain; charset=utf-8"), Some("2")),
        ("GET /large.bin", 200, Some("application/octet-stream"), Some("3000000")),
        ("GET /missing", 404, Some("text/plain; charset=utf-8"), Some("10")),
        ("GET /empty/", 404, Some("text/plain; charset=utf-8"), Some("10")),
        ("GET /index.html/", 404, Some("text/plain; charset=utf-8"), Some("10")),
        ("GET /../../etc/passwd", 404, Some("text/plain; charset=utf-8"), Some("10")),
        ("GET /%2e%2e/%2e%2e/etc/passwd", 404, Some("text/plain; charset=utf-8"), Some("10")),
        ("POST /", 405, Some("text/plain; charset=utf-8"), Some("18")),
    ] {
        let answer = ask(server.port, request, "").await;
        let seen = (status(&answer), field(&answer, "content-type"), field(&answer, "content-length"));
        assert_eq!(seen, (code, kind, length), "{request}");
        let expected = if request.starts_with("HEAD") { 0 } else { length.unwrap().parse().unwrap() };
        assert_eq!(body(&answer).len(), expected, "{request}");
    }
    assert_eq!(body(&ask(server.port, "GET /healthz", "").await), "ok");
    assert_eq!(field(&ask(server.port, "DELETE /", "").await, "allow"), Some("GET, HEAD"));
    let moved = ask(server.port, "GET //sub", "").await;
    assert_eq!((status(&moved), field(&moved, "location")), (301, Some("/sub/")));
}

#[tokio::test]
async fn an_etag_is_of_the_content() {
    let dir = site();
    let server = serving_dir(dir.path()).await;
    for file in ["/", "/large.bin"] {
        let first = ask(server.port, &format!("GET {file}"), "").await;
        let etag = field(&first, "etag").unwrap().to_owned();
        let again = ask(server.port, &format!("GET {file}"), &format!("if-none-match: \"x\", W/{etag}\r\n")).await;
        assert_eq!((status(&again), body(&again), field(&again, "etag")), (304, "", Some(etag.as_str())));
        let other = ask(server.port, &format!("GET {file}"), "if-none-match: \"x\"\r\n").await;
        assert_eq!(status(&other), 200);
    }
    // Same size, same time, other content.
    let index = dir.path().join("index.html");
    let before = ask(server.port, "GET /", "").await;
    let time = std::fs::metadata(&index).unwrap().modified().unwrap();
    std::fs::write(&index, "<h1>howdy</h1>").unwrap();
    std::fs::File::options().write(true).open(&index).unwrap().set_modified(time).unwrap();
    assert_ne!(field(&before, "etag"), field(&ask(server.port, "GET /", "").await, "etag"));
}

#[tokio::test]
async fn a_stop_finishes_what_runs() {
    let dir = site();
    let server = serving_dir(dir.path()).await;
    let mut idle = connect(server.port).await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_answer(&mut idle).await;
    let mut running = connect(server.port).await;
    running.write_all(b"GET /large.bin HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_until(&mut running, "\r\n\r\n").await;
    server.stop.send(()).unwrap();
    assert_eq!(bounded(idle.read(&mut [0; 1])).await.unwrap_or(0), 0);
    let mut rest = Vec::new();
    bounded(running.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest.len(), 3_000_000);
    tokio::time::timeout(Duration::from_secs(30), server.task).await.unwrap().unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect((LOCAL, server.port)).await.is_err());
}
