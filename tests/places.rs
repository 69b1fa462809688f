//! Routes to what is no program of this machine: sites, which the router serves itself, and endpoints, which are not ours.

use crate::harness::{Bench, eventually, free_port, http};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const SITE: &str = r#"
param word: String = "one"
resource docs = site {
  files = { "/index.html" = "<h1>${word}</h1>", "/sub/index.html" = "below" }
  headers = { "x-made-by" = "imm" }
}
pointer front = route { listen = PORT, path = "/docs", to = docs }
output url = front.url
"#;

/// One request as it is written, and all of the answer.
fn ask(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(format!("{request}\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_site_is_served_by_the_router_itself() {
    let bench = Bench::program(SITE);
    bench.ok(&["apply", "--yes"]);
    assert!(!bench.processes().iter().any(|(_, command)| command.contains("__container")));
    let answer = ask(bench.port, "GET /docs/ HTTP/1.1");
    for part in ["200 OK", "x-made-by: imm", "etag: \"", "accept-ranges: bytes", "<h1>one</h1>"] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    assert!(ask(bench.port, "GET /docs/ HTTP/1.1\r\nrange: bytes=4-6").ends_with("\r\n\r\none"));
    assert!(ask(bench.port, "HEAD /docs/ HTTP/1.1").ends_with("\r\n\r\n"));
    assert!(ask(bench.port, "GET /docs/sub HTTP/1.1").contains("location: /docs/sub/"));
    for outside in ["/", "/docs/../../etc/passwd", "/docs/%2e%2e/%2e%2e/etc/passwd", "/docs/none", "/docs//etc/passwd"]
    {
        assert!(ask(bench.port, &format!("GET {outside} HTTP/1.1")).contains("404 Not Found"), "{outside}");
    }
    // The same content is the same object; another one is switched to, and back again.
    assert!(bench.ok(&["apply", "--yes"]).contains("Nothing to do"));
    bench.ok(&["apply", "--yes", "--param", "word=two"]);
    assert!(ask(bench.port, "GET /docs/ HTTP/1.1").contains("<h1>two</h1>"));
    bench.ok(&["rollback", "--yes"]);
    assert!(ask(bench.port, "GET /docs/ HTTP/1.1").contains("<h1>one</h1>"));
    // What the setting leads to is found again by the next agent.
    let pid = i32::try_from(bench.json(&["agent", "status"])["agent"]["pid"].as_i64().unwrap()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    eventually("nobody answers", || TcpStream::connect(("127.0.0.1", bench.port)).is_err());
    bench.ok(&["recover"]);
    assert!(ask(bench.port, "GET /docs/ HTTP/1.1").contains("<h1>one</h1>"));
    bench.ok(&["audit", "verify"]);
    bench.ok(&["destroy", "--yes"]);
    assert!(TcpStream::connect(("127.0.0.1", bench.port)).is_err());
}

#[test]
fn a_site_that_cannot_be_served_is_refused_and_nothing_moves() {
    let bench = Bench::program(SITE);
    bench.ok(&["apply", "--yes"]);
    bench.edit("\"x-made-by\"", "\"x made by\"");
    let refused = bench.imm(&["apply", "--yes"]);
    assert!(refused.code == 4 && refused.err.contains("`headers` has \"x made by\""), "{refused:?}");
    assert!(ask(bench.port, "GET /docs/ HTTP/1.1").contains("<h1>one</h1>"));
}

/// A server that is not ours: says its word and what it was asked, until it is dropped.
struct Elsewhere {
    port: u16,
    stop: Arc<AtomicBool>,
}

impl Elsewhere {
    fn start(word: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, stop) = (listener.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
                let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("-");
                let body = format!("{word} {} {host}", request.lines().next().unwrap_or_default());
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                drop(stream.write_all(format!("{head}{body}").as_bytes()));
            }
        });
        Self { port, stop }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

#[test]
fn an_endpoint_is_read_and_routed_to_and_never_touched() {
    let (one, two) = (Elsewhere::start("one"), Elsewhere::start("two"));
    let bench = Bench::program(
        "param upstream: String
external api = endpoint { url = upstream, health = http { path = \"/ready\", interval = 50ms, within = 1s } }
pointer front = route { listen = PORT, to = api }
output url = api.url
",
    );
    let param = |port: u16| format!("upstream=http://localhost:{port}/v1");
    let plan = bench.ok(&["plan", "--param", &param(one.port)]);
    assert!(plan.contains("read") && plan.contains("api"), "{plan}");
    let out = bench.ok(&["apply", "--yes", "--param", &param(one.port)]);
    assert!(out.contains(&format!("url = http://localhost:{}/v1", one.port)), "{out}");
    let asked = |word: &str, port: u16| format!("{word} get /v1/x http/1.1 localhost:{port}");
    assert_eq!(http::get(bench.port, "/x").unwrap(), asked("one", one.port));

    bench.ok(&["apply", "--yes", "--param", &param(two.port)]);
    assert_eq!(http::get(bench.port, "/x").unwrap(), asked("two", two.port));
    bench.ok(&["rollback", "--yes"]);
    assert_eq!(http::get(bench.port, "/x").unwrap(), asked("one", one.port));

    // One that does not answer ends the apply before anything moves; one that cannot be called is no program.
    let nobody = free_port();
    let refused = bench.imm(&["apply", "--yes", "--param", &param(nobody)]);
    assert!(
        refused.code == 4 && refused.err.contains("api is not healthy") && refused.err.contains("refused"),
        "{refused:?}"
    );
    let refused = bench.imm(&["apply", "--yes", "--param", "upstream=ftp://a"]);
    assert!(refused.code == 1 && refused.err.contains("an endpoint begins with `http://`"), "{refused:?}");
    assert_eq!(http::get(bench.port, "/x").unwrap(), asked("one", one.port));

    bench.ok(&["destroy", "--yes"]);
    assert!(http::get(one.port, "/x").is_ok(), "it is not ours to end");
    bench.ok(&["audit", "verify"]);
}
