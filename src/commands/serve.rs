//! `imm serve`: a folder over HTTP, what the examples run in their containers.

use crate::cli::Serve;
use crate::failure::{Exit, Failure, Outcome};
use crate::platform::block_on;
use crate::project::plain;
use crate::signals::Signals;
use std::net::{IpAddr, SocketAddr};

/// Serves until TERM or INT, then finishes what it is working on.
pub fn run(args: &Serve) -> Outcome {
    let host = std::env::var("HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let host: IpAddr = if host == "localhost" { IpAddr::from([127, 0, 0, 1]) } else { parse("HOST", &host)? };
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let address = SocketAddr::new(host, parse("PORT", &port)?);
    let served = block_on(async {
        let mut signals = Signals::listen()?;
        let stopped = async move { signals.next().await };
        imm_router::static_files::serve(&args.dir, address, args.errors.unwrap_or_default().0, stopped).await
    })?;
    served.map(|()| Exit::Done).map_err(|e| {
        let failure = Failure::new(format!("cannot serve {} on {address}: {}", args.dir.display(), plain(&e)));
        if e.kind() == std::io::ErrorKind::AddrInUse { failure.help("set PORT to another port") } else { failure }
    })
}

fn parse<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| {
        Failure::usage(format!("{name} is `{text}`")).help("set HOST to an IP address and PORT to 1..=65535")
    })
}
