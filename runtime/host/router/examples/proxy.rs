//! The router alone, for measuring: `proxy LISTEN TARGET…`, each an address with a port. Ends with its standard input.

use std::io::Read as _;
use std::net::SocketAddr;

// As in `imm` itself.
use imm_router::{Protocol, RouteSpec, Router, Routes, Target};
use mimalloc as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let addresses = std::env::args().skip(1).map(|word| word.parse());
    let addresses: Vec<SocketAddr> = addresses.collect::<Result<_, _>>()?;
    let [listen, targets @ ..] = addresses.as_slice() else { return Err("usage: proxy LISTEN TARGET…".into()) };
    let targets = targets.iter().map(|address| Target {
        id: address.to_string(),
        place: (*address).into(),
        weight: 1,
        group: String::new(),
    });
    let route = RouteSpec {
        id: "measured".to_owned(),
        bind: listen.ip(),
        port: listen.port(),
        protocol: Protocol::Http,
        host: None,
        path: "/".to_owned(),
        timeout_ms: 60_000,
        hold_ms: 0,
        tls: None,
        sticky: false,
        preview: None,
        targets: targets.collect(),
    };
    // As many threads as TOKIO_WORKER_THREADS says, else as many as there are processors.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let router = Router::new();
    runtime.block_on(router.apply(Routes { routes: vec![route] }))?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    runtime.block_on(router.shutdown());
    Ok(())
}
