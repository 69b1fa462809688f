//! One agent gives its place to the next: the home's lock, the socket of its API and those of its routes, over a unix socket of their own.
//!
//! Guarantees: none of these sockets is closed at any moment, so whoever connects meanwhile waits, and nobody is refused; the lock is never free. What was set
//! and for how long is on disk; only descriptors and the control connection (`tail`) cross. When the next agent ends before it says that it serves, the first
//! one goes on as before.

use std::fs::{self, File};
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use imm_router::PortSocket;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;

use crate::home::{Home, named};

const FORMAT: u8 = 1;
/// The kernel takes 253 descriptors in one message.
const MOST: usize = 64;
/// For each step of the other side.
const PATIENCE: Duration = Duration::from_secs(15);

/// What crosses with the descriptors: which ports they are of, after the lock's and the API's.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    ports: Vec<(SocketAddr, bool)>,
}

/// What the next agent is given.
#[derive(Debug)]
pub struct Inherited {
    /// Locked.
    pub lock: File,
    /// Where the API is asked.
    pub api: UnixListener,
    /// Routes' ports.
    pub ports: Vec<PortSocket>,
    /// To the agent that gave them.
    pub control: UnixStream,
}

/// Where a running agent can be asked for its place.
pub fn listen(home: &Home) -> io::Result<tokio::net::UnixListener> {
    let path = home.hand_over_socket();
    match fs::remove_file(&path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(named(&path, &cause)),
        Ok(()) | Err(_) => {}
    }
    let listener = tokio::net::UnixListener::bind(&path).map_err(|cause| named(&path, &cause))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Waits until somebody who may asks for this agent's place.
pub async fn asked(listener: &tokio::net::UnixListener) -> UnixStream {
    let own = nix::unistd::geteuid().as_raw();
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { continue };
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0) {
            continue;
        }
        let asks = tokio::time::timeout(PATIENCE, stream.read_u8()).await;
        if matches!(asks, Ok(Ok(FORMAT)))
            && let Ok(stream) = stream.into_std()
        {
            return stream;
        }
    }
}

/// Asks the agent that runs for its place. Blocks.
pub fn take(home: &Home) -> io::Result<Inherited> {
    let path = home.hand_over_socket();
    let mut control = UnixStream::connect(&path).map_err(|cause| named(&path, &cause))?;
    control.set_read_timeout(Some(PATIENCE))?;
    control.set_write_timeout(Some(PATIENCE))?;
    control.write_all(&[FORMAT])?;
    let mut length = [0; 4];
    control.read_exact(&mut length)?;
    let mut text = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap_or(0)];
    control.read_exact(&mut text)?;
    let manifest: Manifest = serde_json::from_slice(&text)?;
    let mut descriptors = Vec::new();
    while descriptors.len() < manifest.ports.len() + 2 {
        let before = descriptors.len();
        receive(&control, &mut descriptors)?;
        if descriptors.len() == before {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the agent that runs gave less than it said"));
        }
    }
    let mut descriptors = descriptors.into_iter();
    let mut next = || descriptors.next().ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof));
    let (lock, api) = (File::from(next()?), UnixListener::from(next()?));
    let ports = manifest.ports.into_iter().map(|(address, is_listening)| {
        let socket = next()?;
        Ok(PortSocket { address, is_listening, socket })
    });
    let ports = ports.collect::<io::Result<_>>()?;
    control.set_read_timeout(None)?;
    control.set_write_timeout(None)?;
    Ok(Inherited { lock, api, ports, control })
}

/// Gives it to who asked. Blocks. Afterwards both have them.
pub fn give(control: &UnixStream, lock: &File, api: &UnixListener, ports: &[PortSocket]) -> io::Result<()> {
    control.set_nonblocking(false)?;
    control.set_write_timeout(Some(PATIENCE))?;
    let manifest = Manifest { ports: ports.iter().map(|port| (port.address, port.is_listening)).collect() };
    let text = serde_json::to_vec(&manifest)?;
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    let mut writer = control;
    writer.write_all(&[&length.to_be_bytes()[..], &text].concat())?;
    let own = [lock.as_fd(), api.as_fd()];
    let descriptors: Vec<BorrowedFd<'_>> =
        own.into_iter().chain(ports.iter().map(|port| port.socket.as_fd())).collect();
    for some in descriptors.chunks(MOST) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(some));
        sendmsg(control, &[IoSlice::new(&[FORMAT])], &mut ancillary, SendFlags::empty())?;
    }
    control.set_write_timeout(None)
}

fn receive(control: &UnixStream, descriptors: &mut Vec<OwnedFd>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0; 1];
    recvmsg(control, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_given_arrives_however_much_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path()).unwrap();
        let listener = listen(&home).unwrap();
        let taking = tokio::task::spawn_blocking(move || take(&home));
        let control = asked(&listener).await;
        let lock = File::create(dir.path().join("lock")).unwrap();
        lock.try_lock().unwrap();
        let api = UnixListener::bind(dir.path().join("api")).unwrap();
        let ports: Vec<PortSocket> = (0..150)
            .map(|_| {
                let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
                PortSocket { address: socket.local_addr().unwrap(), is_listening: true, socket: socket.into() }
            })
            .collect();
        give(&control, &lock, &api, &ports).unwrap();
        let taken = taking.await.unwrap().unwrap();
        assert_eq!(taken.ports.len(), 150);
        for (given, taken) in ports.iter().zip(taken.ports) {
            let socket = std::net::TcpListener::from(taken.socket);
            assert_eq!((taken.address, socket.local_addr().unwrap()), (given.address, given.address));
        }
        // The lock is the same one: it is free only when both have let go.
        drop(lock);
        let other = File::open(dir.path().join("lock")).unwrap();
        assert!(other.try_lock().is_err());
        drop(taken.lock);
        other.try_lock().unwrap();
    }
}
