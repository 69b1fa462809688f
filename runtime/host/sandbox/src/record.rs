//! The files of a container's directory, and who may write them.
//!
//! `request.json` (what to run, without its arguments and environment; its lock is held by launcher and monitor as long as either lives), `running.json` (who runs), `exit.json` (how it ended; the only one that survives a power cut for certain).
//! Each is written whole by rename, with a format number. A reader never sees half a record.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cgroup::Group;
use crate::probe::Probe;
use crate::run::Exit;
use crate::spec::{Level, Spec};
use crate::sys;

/// Version of every record's layout.
const FORMAT: u32 = 1;
pub(crate) const REQUEST: &str = "request.json";
const RUNNING: &str = "running.json";
const EXIT: &str = "exit.json";

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    format: u32,
    #[serde(flatten)]
    record: T,
}

/// What the launcher asks of the monitor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) spec: Spec,
    pub(crate) level: Level,
    pub(crate) probe: Probe,
    pub(crate) warnings: Vec<String>,
}

/// Who runs, written before the program is let go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) pid: i32,
    pub(crate) start_time: u64,
    pub(crate) monitor_pid: i32,
    pub(crate) monitor_start_time: u64,
    pub(crate) boot_id: String,
    pub(crate) level: Level,
    pub(crate) warnings: Vec<String>,
    pub(crate) group: Group,
}

/// Open and lock the request file; `None` when another launch or a living container holds it.
pub(crate) fn lock_request(dir: &Path) -> io::Result<Option<File>> {
    let file =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(dir.join(REQUEST))?;
    Ok(sys::try_lock(file.as_fd())?.then_some(file))
}

/// Whether a launcher or a monitor is at work in `dir`.
pub(crate) fn launch_lock_held(dir: &Path) -> io::Result<bool> {
    match File::open(dir.join(REQUEST)) {
        Ok(file) => Ok(!sys::try_lock_shared(file.as_fd())?),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Fill the locked request file. Not by rename: the lock belongs to this very file. What may be secret, the program's
/// arguments and environment, is left out: the monitor is told in memory (`hand_over`).
pub(crate) fn write_request(mut file: &File, request: &Request) -> io::Result<()> {
    let spec = Spec { argv: Vec::new(), env: Vec::new(), ..request.spec.clone() };
    let request = Request { spec, ..request.clone() };
    file.set_len(0)?;
    file.write_all(&serde_json::to_vec(&Versioned { format: FORMAT, record: request })?)
}

/// What the caller's binary is to do when it is run again.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Become the monitor of a new container.
    Launch(Box<Request>),
    /// Run a second program in a container.
    Exec(Box<crate::exec::Inside>),
}

#[derive(Serialize, Deserialize)]
struct Ordered<T> {
    format: u32,
    order: T,
}

/// The whole order in a file that is nowhere but in memory, to be given to whoever carries it out.
pub(crate) fn hand_over(order: &Order) -> io::Result<File> {
    let memory = nix::sys::memfd::memfd_create(c"imm-request", nix::sys::memfd::MFdFlags::MFD_CLOEXEC)?;
    let mut file = File::from(memory);
    file.write_all(&serde_json::to_vec(&Ordered { format: FORMAT, order })?)?;
    file.rewind()?;
    Ok(file)
}

/// What `hand_over` gave.
pub(crate) fn take_over(mut file: File) -> io::Result<Order> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let Ordered { order, .. } = serde_json::from_slice(&bytes)?;
    Ok(order)
}

pub(crate) fn write_running(dir: &Path, running: &Running) -> io::Result<()> {
    write(dir, RUNNING, running, false)
}

pub(crate) fn read_running(dir: &Path) -> io::Result<Option<Running>> {
    read(dir, RUNNING)
}

/// The cgroups that the container in `dir` has or had, if any: they follow from the request, so that those of a monitor killed
/// before its first record are found too.
pub(crate) fn read_group(dir: &Path) -> io::Result<Option<Group>> {
    // A launcher killed before it had written the request leaves an empty file, and no groups.
    if std::fs::metadata(dir.join(REQUEST)).map_or(0, |m| m.len()) == 0 {
        return Ok(None);
    }
    let request: Option<Request> = read(dir, REQUEST)?;
    Ok(request.map(|request| Group::planned(&request.probe.cgroups, &request.spec.id)))
}

/// Write the exit record and make it durable, file and directory.
pub(crate) fn write_exit(dir: &Path, exit: &Exit) -> io::Result<()> {
    write(dir, EXIT, exit, true)
}

pub(crate) fn read_exit(dir: &Path) -> io::Result<Option<Exit>> {
    read(dir, EXIT)
}

fn write<T: Serialize>(dir: &Path, name: &str, record: &T, durable: bool) -> io::Result<()> {
    let partial = dir.join(format!("{name}.new"));
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(&serde_json::to_vec(&Versioned { format: FORMAT, record })?)?;
    if durable {
        file.sync_all()?;
    }
    std::fs::rename(&partial, dir.join(name))?;
    if durable {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

fn read<T: DeserializeOwned>(dir: &Path, name: &str) -> io::Result<Option<T>> {
    let path = dir.join(name);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let unreadable = |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()));
    parse(&bytes).map(Some).map_err(unreadable)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let Versioned { format, record } = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if format != FORMAT {
        return Err(format!("format {format} was written by another version; this one reads {FORMAT}"));
    }
    Ok(record)
}
