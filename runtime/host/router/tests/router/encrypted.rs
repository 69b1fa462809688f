//! TLS: certificates by name, protocols by ALPN, TCP routes told apart by name.

use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use imm_router::{Certificate, Protocol, RouteSpec, Router, Routes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::support::*;

/// A certificate for some names, and a store that trusts it.
struct Proof {
    certificate: Certificate,
    der: tokio_rustls::rustls::pki_types::CertificateDer<'static>,
}

fn proof(names: &[&str]) -> Proof {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let certificate = Certificate { chain: made.cert.pem(), key: made.signing_key.serialize_pem() };
    Proof { certificate, der: made.cert.der().clone() }
}

async fn greet(port: u16, name: &str, trusted: &[&Proof], alpn: &[&[u8]]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for proof in trusted {
        roots.add(proof.der.clone()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    bounded(TlsConnector::from(Arc::new(config)).connect(name, connect(port).await)).await
}

async fn said(mut stream: TlsStream<TcpStream>, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = bounded(stream.read_to_string(&mut answer)).await;
    answer
}

const GET: &str = "GET / HTTP/1.1\r\nhost: HOST\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn each_host_has_its_certificate_and_its_route() {
    let (one, two, any) = (proof(&["one.example"]), proof(&["two.example"]), proof(&["any.example"]));
    let router = Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    let mut routes = Vec::new();
    for (id, host, proof) in
        [("one", Some("one.example"), &one), ("two", Some("Two.Example."), &two), ("any", None, &any)]
    {
        let targets = vec![target(id, named_target(id).await)];
        let tls = Some(proof.certificate.clone());
        routes.push(RouteSpec { id: id.to_owned(), host: host.map(str::to_owned), tls, ..route(port, targets) });
    }
    router.apply(Routes { routes: routes.clone() }).await.unwrap();
    for (name, proof) in [("one.example", &one), ("two.example", &two), ("any.example", &any)] {
        let stream = greet(port, name, &[proof], &[]).await.unwrap();
        let answer = said(stream, &GET.replace("HOST", name)).await;
        assert_eq!(body(&answer), name.split('.').next().unwrap(), "{answer}");
        let others: Vec<&Proof> = [&one, &two, &any].into_iter().filter(|other| !std::ptr::eq(*other, proof)).collect();
        assert!(greet(port, name, &others, &[]).await.is_err(), "{name} is proved by its own certificate alone");
    }
    // What is not TLS is not answered, and hurts nobody.
    assert!(!raw(port, GET).await.contains("200"));
    // A switch leaves connections and certificates as they are.
    let mut stream = greet(port, "one.example", &[&one], &[b"http/1.1"]).await.unwrap();
    let new = vec![target("new", named_target("new").await)];
    if let Some(first) = routes.first_mut() {
        first.targets = new;
    }
    router.apply(Routes { routes }).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: one.example\r\n\r\n").await.unwrap();
    let mut seen = [0; 12];
    bounded(stream.read_exact(&mut seen)).await.unwrap();
    assert_eq!(&seen, b"HTTP/1.1 200");
}

#[tokio::test]
async fn the_target_learns_that_it_was_encrypted() {
    let echo = http_target(|request| async move {
        let field = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
        text(format!("{} {}", field("x-forwarded-proto"), field("forwarded")))
    })
    .await;
    let proof = proof(&["a.example"]);
    let router = Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    let tls = Some(proof.certificate.clone());
    router.apply(table(RouteSpec { tls, ..route(port, vec![target("a", echo)]) })).await.unwrap();
    let answer = said(greet(port, "a.example", &[&proof], &[]).await.unwrap(), &GET.replace("HOST", "a.example")).await;
    assert_eq!(body(&answer), "https for=127.0.0.1;host=\"a.example\";proto=https");
}

#[tokio::test]
async fn http2_is_agreed_on() {
    let proof = proof(&["a.example"]);
    let router = Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    let tls = Some(proof.certificate.clone());
    let targets = vec![target("a", named_target("a").await)];
    router.apply(table(RouteSpec { tls, ..route(port, targets) })).await.unwrap();
    let stream = greet(port, "a.example", &[&proof], &[b"h2", b"http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let ask = || hyper::Request::get("https://a.example/").body(Empty::<bytes::Bytes>::new()).unwrap();
    let answers = futures_util::future::join_all((0..20).map(|_| sender.send_request(ask()))).await;
    for answer in answers {
        let body = answer.unwrap().into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "a");
    }
}

#[tokio::test]
async fn tcp_routes_share_a_port_by_name() {
    let (one, two) = (proof(&["one.example"]), proof(&["two.example"]));
    let router = Router::new();
    let port = router.reserve(LOCAL, None).await.unwrap();
    let mut routes = Vec::new();
    for (id, proof) in [("one", &one), ("two", &two)] {
        let address = raw_target(move |mut stream: TcpStream| async move {
            let mut bytes = [0; 4];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(format!("{id} {}", String::from_utf8_lossy(&bytes)).as_bytes()).await.unwrap();
        })
        .await;
        routes.push(RouteSpec {
            id: id.to_owned(),
            protocol: Protocol::Tcp,
            host: Some(format!("{id}.example")),
            tls: Some(proof.certificate.clone()),
            ..route(port, vec![target(id, address)])
        });
    }
    router.apply(Routes { routes }).await.unwrap();
    for (name, proof, expected) in [("one.example", &one, "one ping"), ("two.example", &two, "two ping")] {
        assert_eq!(said(greet(port, name, &[proof], &[]).await.unwrap(), "ping").await, expected);
    }
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused() {
    let (one, two) = (proof(&["one.example"]), proof(&["two.example"]));
    let (router, port) = serving(vec![target("a", named_target("a").await)]).await;
    let certificate = Certificate { chain: one.certificate.chain, key: two.certificate.key.clone() };
    let spec = RouteSpec { tls: Some(certificate), ..route(port, vec![]) };
    let error = router.apply(table(spec)).await.unwrap_err().to_string();
    assert_eq!(error, "route `front`: the key does not fit the certificate");
    assert_eq!(body(&get(port, "/").await), "a", "what was in force still is");
    let certificate = Certificate { chain: two.certificate.chain, key: "secret".to_owned() };
    let shown = format!("{certificate:?}");
    assert!(!shown.contains("secret"), "{shown}");
    let error = router.apply(table(RouteSpec { tls: Some(certificate), ..route(port, vec![]) })).await.unwrap_err();
    assert!(error.to_string().contains("is not an unencrypted PEM key") && !error.to_string().contains("secret"));
}
