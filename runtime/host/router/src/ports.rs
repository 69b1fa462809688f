//! Ports: bound first, listening later.
//!
//! Guarantees: a bound port refuses connections until it listens, and no other program can take it meanwhile. When a port is taken, the error says by
//! whom, as far as `/proc` tells.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait to be accepted, for each port.
const BACKLOG: u32 = 4096;

/// Binds without listening. Port 0 lets the system choose.
pub(crate) fn bind(address: SocketAddr) -> io::Result<(TcpSocket, SocketAddr)> {
    let socket = match bind_socket(address, false) {
        // Without SO_REUSEADDR, connections of an earlier listener that are still winding down (TIME_WAIT) block the port; with it, another
        // program's socket that is bound and not yet listening would not. So exclusive first.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => bind_socket(address, true),
        other => other,
    }
    .map_err(|error| explain(address, &error))?;
    // For the fallback above: from now on it is as exclusive as any.
    socket.set_reuseaddr(false)?;
    let bound = socket.local_addr()?;
    Ok((socket, bound))
}

/// Lets a bound socket listen.
pub(crate) fn listen(address: SocketAddr, socket: TcpSocket) -> io::Result<TcpListener> {
    // Accepted connections inherit it, and without it they block the port for the next process. Not before this moment: others could bind the port, too.
    let listening = socket.set_reuseaddr(true).and_then(|()| socket.listen(BACKLOG));
    listening.map_err(|error| explain(address, &error))
}

fn bind_socket(address: SocketAddr, reuse: bool) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(reuse)?;
    socket.bind(address)?;
    Ok(socket)
}

/// The same error with the address, and who is in the way.
fn explain(address: SocketAddr, error: &io::Error) -> io::Error {
    #[expect(clippy::wildcard_enum_match_arm, reason = "ErrorKind is open-ended; every other kind speaks for itself")]
    let message = match error.kind() {
        io::ErrorKind::AddrInUse => match owner::of_listener(address) {
            Some(owner) => format!(
                "port {} on {} is taken by {owner}; stop it or choose another port",
                address.port(),
                address.ip()
            ),
            None => format!(
                "port {} on {} is taken by another program (which one cannot be seen from here); stop it or choose another port",
                address.port(),
                address.ip()
            ),
        },
        io::ErrorKind::PermissionDenied => {
            format!(
                "not allowed to listen on {address}: ports below 1024 need root or CAP_NET_BIND_SERVICE; choose a higher port"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("cannot listen on {address}: this machine has no address {}", address.ip())
        }
        _ => format!("cannot listen on {address}: {error}"),
    };
    io::Error::new(error.kind(), message)
}

/// Who holds a listening socket, from `/proc`.
mod owner {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::{fs, path::Path};

    /// "process 12 (nginx)", when it can be seen.
    pub(super) fn of_listener(address: SocketAddr) -> Option<String> {
        let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok())
            .flat_map(|table| table.lines().filter_map(|line| listener_inode(line, address)).collect::<Vec<_>>())
            .collect();
        if inodes.is_empty() {
            return None;
        }
        let mut processes: Vec<u32> = fs::read_dir("/proc")
            .ok()?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        processes.sort_unstable();
        let holder = processes.into_iter().find(|pid| holds(*pid, &inodes))?;
        if holder == std::process::id() {
            return Some("this process itself".to_owned());
        }
        let name = fs::read_to_string(format!("/proc/{holder}/comm")).unwrap_or_default();
        Some(format!("process {holder} ({})", name.trim()))
    }

    fn holds(pid: u32, inodes: &[String]) -> bool {
        let Ok(descriptors) = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd")) else { return false };
        descriptors
            .flatten()
            .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
            .any(|link| inodes.iter().any(|inode| link.as_os_str() == inode.as_str()))
    }

    /// The socket of one line of `/proc/net/tcp{,6}`, when it listens where it would be in the way of `address`.
    fn listener_inode(line: &str, address: SocketAddr) -> Option<String> {
        const LISTEN: &str = "0A";
        let mut fields = line.split_ascii_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?;
        let (ip, port) = local.split_once(':')?;
        let same_port = u16::from_str_radix(port, 16).ok()? == address.port();
        let ip = parse_ip(ip)?;
        let in_the_way = ip == address.ip() || ip.is_unspecified() || address.ip().is_unspecified();
        (same_port && in_the_way && state == LISTEN).then(|| format!("socket:[{inode}]"))
    }

    /// The kernel prints each 32-bit word of an address as it lies in memory.
    fn parse_ip(hex: &str) -> Option<IpAddr> {
        let mut octets = Vec::with_capacity(16);
        for at in (0..hex.len()).step_by(8) {
            octets.extend(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
        }
        let four: Result<[u8; 4], _> = octets.as_slice().try_into();
        let sixteen: Result<[u8; 16], _> = octets.as_slice().try_into();
        four.map(|o| IpAddr::V4(Ipv4Addr::from(o))).or_else(|_| sixteen.map(|o| IpAddr::V6(Ipv6Addr::from(o)))).ok()
    }
}
