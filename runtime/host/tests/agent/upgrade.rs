//! One agent takes the place of another, under load; and routes that are encrypted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use imm_host::DevCa;
use imm_host::api::{Answers, Drain, Manifest, ObjectSpec, RoutePort, Tls, Write};
use imm_host::client::{running, upgrade};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::Test;
use crate::fixture::{World, get, leading, program, put_manifest, until, with_agent};

pub const TESTS: &[Test] = &[
    ("an_upgrade_under_load_loses_nothing", || with_agent(an_upgrade_under_load_loses_nothing)),
    ("a_provisional_setting_outlives_an_upgrade", || with_agent(a_provisional_setting_outlives_an_upgrade)),
    ("who_asks_for_the_place_and_goes_away_changes_nothing", || {
        with_agent(who_asks_for_the_place_and_goes_away_changes_nothing);
    }),
    ("a_route_is_proved_by_the_development_ca", || with_agent(a_route_is_proved_by_the_development_ca)),
];

/// A server of the test itself: says its name, waits on `/slow` for `gate`, echoes after `/tunnel`.
async fn server(name: &'static str, gate: Arc<Notify>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, name, Arc::clone(&gate)));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, name: &'static str, gate: Arc<Notify>) -> std::io::Result<()> {
    let mut head = Vec::new();
    loop {
        head.push(stream.read_u8().await?);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        if head.starts_with(b"GET /tunnel") {
            stream.write_all(b"HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").await?;
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to).await?;
            return Ok(());
        }
        if head.starts_with(b"GET /slow") {
            gate.notified().await;
        }
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len()).as_bytes()).await?;
        head.clear();
    }
}

/// `route` leads to a server of the test.
fn elsewhere(route: &str, object: &str, address: SocketAddr) -> Manifest {
    let mut manifest = leading(route, &[object]);
    for target in manifest.routes.values_mut().flat_map(|route| &mut route.targets) {
        target.answers = Answers::Elsewhere(format!("http://{address}"));
    }
    manifest
}

async fn read_to(stream: &mut TcpStream, end: &str) -> String {
    let mut seen = String::new();
    while !seen.ends_with(end) {
        seen.push(char::from(stream.read_u8().await.unwrap_or_else(|cause| panic!("{cause} after {seen:?}"))));
    }
    seen
}

/// Requests until told to stop, on connections that last as long as the router lets them.
async fn keep_asking(port: u16, stop: Arc<AtomicBool>, answered: Arc<AtomicU64>) {
    while !stop.load(Ordering::Relaxed) {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        loop {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
            let head = read_to(&mut stream, "\r\n\r\n").await;
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            stream.read_u8().await.unwrap();
            answered.fetch_add(1, Ordering::Relaxed);
            if head.contains("connection: close") || stop.load(Ordering::Relaxed) {
                break;
            }
        }
    }
}

fn has_ended(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z"))
}

async fn an_upgrade_under_load_loses_nothing(world: World) {
    let gate = Arc::new(Notify::new());
    let (old, new) = (server("a", Arc::clone(&gate)).await, server("b", Arc::clone(&gate)).await);
    let port = world.route("l", "r").await;
    world.agent.put_manifest("l", &put_manifest(0, elsewhere("r", "a", old), None)).await.unwrap();
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let load: Vec<_> =
        (0..4).map(|_| tokio::spawn(keep_asking(port, Arc::clone(&stop), Arc::clone(&answered)))).collect();
    let mut slow = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    slow.write_all(b"GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let mut tunnel = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    tunnel
        .write_all(b"GET /tunnel HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
        .await
        .unwrap();
    read_to(&mut tunnel, "\r\n\r\n").await;
    let before = world.agent.agent().await.unwrap();

    for _ in 0..2 {
        let seen = answered.load(Ordering::Relaxed);
        upgrade(&world.home, program().as_os_str()).await.unwrap();
        until("requests go on", || async { answered.load(Ordering::Relaxed) > seen + 20 }).await;
    }
    let after = world.agent.agent().await.unwrap();
    assert_ne!(before.pid, after.pid);
    assert_eq!(world.agent.lineage("l").await.unwrap().epoch, 1);
    assert!(!has_ended(before.pid), "it has connections yet");

    // A switch reaches who is still connected to the first agent; what began there ends at its old target.
    world.agent.put_manifest("l", &put_manifest(1, elsewhere("r", "b", new), None)).await.unwrap();
    assert_eq!(get(port, "/").await.unwrap(), "b");
    gate.notify_one();
    let answer = read_to(&mut slow, "a").await;
    assert!(answer.contains("connection: close"), "{answer}");
    tunnel.write_all(b"still").await.unwrap();
    read_to(&mut tunnel, "still").await;
    let drain = |deadline_ms| Drain {
        objects: vec!["a".to_owned()],
        write: Write { fence: 1, deadline_ms: Some(deadline_ms) },
    };
    assert_eq!(world.agent.drain("l", &drain(50)).await.unwrap().cut, 1, "the tunnel, which the first agent carries");
    assert_eq!(tunnel.read(&mut [0; 1]).await.unwrap_or(0), 0);
    until("the first agent has nothing left to do", || async { has_ended(before.pid) }).await;
    stop.store(true, Ordering::Relaxed);
    for task in load {
        task.await.unwrap();
    }
}

async fn a_provisional_setting_outlives_an_upgrade(world: World) {
    let gate = Arc::new(Notify::new());
    let (old, new) = (server("a", Arc::clone(&gate)).await, server("b", gate).await);
    let port = world.route("l", "r").await;
    world.agent.put_manifest("l", &put_manifest(0, elsewhere("r", "a", old), None)).await.unwrap();
    world.agent.put_manifest("l", &put_manifest(1, elsewhere("r", "b", new), Some(4_000))).await.unwrap();
    upgrade(&world.home, program().as_os_str()).await.unwrap();
    let report = world.agent.lineage("l").await.unwrap();
    assert!(report.epoch >= 2, "{report:?}");
    until("nobody renewed it", || async { get(port, "/").await.is_ok_and(|body| body == "a") }).await;
    assert_eq!(world.agent.lineage("l").await.unwrap().epoch, 3);
}

async fn who_asks_for_the_place_and_goes_away_changes_nothing(world: World) {
    let at = server("a", Arc::new(Notify::new())).await;
    let port = world.route("l", "r").await;
    world.agent.put_manifest("l", &put_manifest(0, elsewhere("r", "a", at), None)).await.unwrap();
    let before = world.agent.agent().await.unwrap();
    for asks in [&b""[..], &[1], &[9]] {
        // It answers when it can be asked for its place again.
        world.agent.agent().await.unwrap();
        let mut stream = UnixStream::connect(world.home.hand_over_socket()).await.unwrap();
        stream.write_all(asks).await.unwrap();
        if asks == [1] {
            let _ = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut [0; 1])).await.unwrap();
        }
    }
    assert_eq!(get(port, "/").await.unwrap(), "a");
    assert_eq!(world.agent.agent().await.unwrap().pid, before.pid);
    world.agent.put_manifest("l", &put_manifest(1, leading("r", &[]), None)).await.unwrap();
    assert!(get(port, "/").await.is_err(), "it obeys as before");
    // And its place can still be had.
    upgrade(&world.home, program().as_os_str()).await.unwrap();
    assert_ne!(running(&world.home).await.unwrap().unwrap().1.pid, before.pid);
}

async fn a_route_is_proved_by_the_development_ca(world: World) {
    let at = server("a", Arc::new(Notify::new())).await;
    let route = RoutePort {
        bind: "127.0.0.1".parse().unwrap(),
        listen: None,
        protocol: imm_router::Protocol::Http,
        encrypted: true,
    };
    let report = world.put("l", "r", ObjectSpec::Route(route)).await.unwrap();
    assert_eq!(report.scheme.as_deref(), Some("https"));
    let port = report.port.unwrap();
    let mut manifest = elsewhere("r", "a", at);
    for route in manifest.routes.values_mut() {
        route.tls = Tls::Dev;
    }
    world.agent.put_manifest("l", &put_manifest(0, manifest, None)).await.unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(DevCa::of(&world.home).root().unwrap().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    for name in ["localhost", "127.0.0.1"] {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut stream = connector.connect(ServerName::try_from(name).unwrap(), stream).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\na"), "{answer}");
    }
    // Each request is in the access log of its lineage.
    let query = imm_host::api::LogQuery { access: true, ..Default::default() };
    until("requests are logged", || async { world.agent.logs("l", &query).await.unwrap().lines.len() == 2 }).await;
    let lines = world.agent.logs("l", &query).await.unwrap().lines;
    assert!(lines[0].text.starts_with("127.0.0.1 \"GET localhost/ HTTP/1.1\" 200 1 "), "{lines:?}");
    assert_eq!((lines[0].object.as_str(), lines[0].address.as_str()), ("r", "node.r"));
}
