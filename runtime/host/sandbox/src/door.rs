//! The way into a network of a container's own: a small process that listens on the host and calls the program on the container's loopback.
//!
//! A socket belongs to the network that it was made in, so the listening one is made before the monitor leaves the host's network, and calls
//! are made after. Guarantees: nobody is let in before the program listens; a program that no longer does is found by the first call that it
//! refuses, and from then on calls are refused on the host until it listens again; held by the same walls as the program; ended by the end of
//! the monitor. It copies bytes and does not look at them; there is no way out.

#![expect(unsafe_code, reason = "fork")]

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, fork};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

use crate::confine::Confinement;
use crate::launch::parse_user;
use crate::record::Request;
use crate::sys;

/// Calls that may wait to be let in.
const BACKLOG: i32 = 1024;
/// How often it looks whether the program listens: often at first, since programs start fast.
const LOOKS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(100));
/// A relay needs little more than its buffer.
const STACK: usize = 128 << 10;

/// Takes an address of the host; nobody can connect to it yet.
pub(crate) fn take(outside: SocketAddr) -> Result<OwnedFd, String> {
    let taken = || {
        let family = if outside.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        net::bind(&socket, &outside)?;
        Ok::<_, rustix::io::Errno>(socket)
    };
    taken().map_err(|cause| format!("{outside} cannot be listened at: {cause}"))
}

/// Makes the process; it is in the network that the caller is in now.
pub(crate) fn open(taken: OwnedFd, inside: u16, request: &Request, rootless: bool) -> Result<(), String> {
    // SAFETY: one thread; the child goes on in ordinary Rust and ends by `_exit` below.
    match unsafe { fork() } {
        Err(cause) => Err(format!("no process for calls from outside: {cause}")),
        Ok(ForkResult::Parent { .. }) => Ok(()),
        Ok(ForkResult::Child) => {
            sys::close_all_but(&[taken.as_raw_fd()]);
            if confine(request, rootless).is_ok() {
                serve(&TcpListener::from(taken), inside);
            }
            // SAFETY: ends this process without running what belongs to the monitor's frames.
            unsafe { libc::_exit(71) }
        }
    }
}

fn confine(request: &Request, rootless: bool) -> Result<(), String> {
    let user = if rootless { None } else { Some(parse_user(&request.spec.user)?) };
    let (landlock_abi, seccomp) = (request.probe.landlock_abi, request.probe.seccomp);
    Confinement { user, landlock_abi, seccomp, port: None, files: None }.apply()?;
    // After the user has changed, which clears it.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(|cause| cause.to_string())
}

/// Lets calls in for as long as the program takes them, again and again.
fn serve(listener: &TcpListener, inside: u16) {
    loop {
        let mut pause = LOOKS.0;
        while !listens(inside) {
            thread::sleep(pause);
            pause = (pause * 2).min(LOOKS.1);
        }
        if net::listen(listener, BACKLOG).is_err() {
            thread::sleep(LOOKS.1);
            continue;
        }
        while let Ok((client, _)) = listener.accept() {
            let Ok(own) = listener.try_clone() else { continue };
            let relay = move || match call(inside) {
                Ok(program) => relay(&client, &program),
                Err(_gone) => {
                    refuse(&client);
                    // Ends `accept`, and refuses those who come now.
                    let _ = net::shutdown(&own, net::Shutdown::Read);
                }
            };
            // Without a thread the client is closed, which tells it to come again.
            let _ = thread::Builder::new().stack_size(STACK).spawn(relay);
        }
    }
}

/// Whether something listens at this port of the network that this process is in. What cannot be read is found out by calling.
fn listens(port: u16) -> bool {
    const LISTENING: &str = "0A";
    let port = format!("{port:04X}");
    let tables = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"].map(fs::read_to_string);
    let is_there = |line: &str| {
        let mut words = line.split_whitespace();
        let (local, state) = (words.nth(1), words.nth(1));
        state == Some(LISTENING) && local.and_then(|local| local.rsplit(':').next()) == Some(&*port)
    };
    tables.iter().all(Result::is_err) || tables.iter().flatten().any(|table| table.lines().skip(1).any(is_there))
}

fn call(port: u16) -> io::Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).or_else(|_| TcpStream::connect((Ipv6Addr::LOCALHOST, port)))
}

/// Closes so that the client sees a connection that failed and not one that ended.
fn refuse(client: &TcpStream) {
    let _ = sockopt::set_socket_linger(client, Some(Duration::ZERO));
}

/// Bytes both ways, until both ways have ended.
fn relay(client: &TcpStream, program: &TcpStream) {
    // Best effort: without it small messages wait.
    let _ = client.set_nodelay(true).and(program.set_nodelay(true));
    let (Ok(from), Ok(to)) = (client.try_clone(), program.try_clone()) else { return };
    if thread::Builder::new().stack_size(STACK).spawn(move || one_way(&from, &to)).is_ok() {
        one_way(program, client);
    }
}

fn one_way(mut from: &TcpStream, mut to: &TcpStream) {
    if io::copy(&mut from, &mut to).is_ok() {
        let _ = to.shutdown(Shutdown::Write);
    } else {
        // What is broken on one side is broken as a whole.
        refuse(to);
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}
