//! The life of the agent's process: lock, restore, serve, stop.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::home::{Home, named};
use crate::seal::Seal;

use super::Site;
use super::clock::unix_ms;
use super::http::{Api, accept};
use super::registry::Registry;

/// How long an agent that is ending may hold its lock still.
const LET_GO: Duration = Duration::from_secs(3);
/// How long requests in flight may take at a stop.
const FINISH: Duration = Duration::from_secs(10);

/// How an agent is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The command that becomes a container's monitor; the container's directory is appended.
    pub monitor: Vec<OsString>,
}

impl Options {
    /// This program itself with its hidden subcommand.
    #[must_use]
    pub fn this_program() -> Self {
        Self { monitor: vec![OsString::from("/proc/self/exe"), OsString::from("__container")] }
    }
}

/// Why there is no agent.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Another agent has this home.
    #[error("another agent runs with {home}; there is one agent per home")]
    Held {
        /// The home.
        home: String,
    },
    /// The machine failed it.
    #[error("the agent cannot run: {0}")]
    Io(#[from] io::Error),
    /// The image store failed it.
    #[error("the agent cannot open its image store: {0}")]
    Store(String),
}

/// Runs the agent until TERM, INT or a stop request; containers go on. Blocks.
///
/// # Errors
/// Another agent has the home, or something that it needs cannot be had.
pub fn run(home: &Home, options: Options) -> Result<(), AgentError> {
    // Apart from the terminal of whoever started it. Fails for the leader of a process group, which was started by hand.
    let _ = nix::unistd::setsid();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(serve(home, options));
    // Tasks that wait for containers block for as long as those live.
    runtime.shutdown_background();
    ended
}

async fn serve(home: &Home, options: Options) -> Result<(), AgentError> {
    let _lock = lock(home)?;
    let store = imm_image::Store::open(home.store()).map_err(|cause| AgentError::Store(cause.to_string()))?;
    let site = Arc::new(Site {
        home: home.clone(),
        monitor: options.monitor,
        seal: Arc::new(Seal::open(&home.key())?),
        store,
        ports: super::ports::Ports::new(home.root().as_os_str().as_bytes()),
        claims: super::claims::Claims::default(),
        board: super::board::Board::default(),
        log_bounds: super::logs::Bounds::default(),
    });
    let registry = Registry::restore(Arc::clone(&site)).await?;
    let socket = home.prepare_socket()?;
    // The lock is ours, so whoever bound it is gone.
    match fs::remove_file(&socket) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(named(&socket, &cause).into()),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&socket).map_err(|cause| named(&socket, &cause))?;
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600))?;
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let api = Arc::new(Api { registry, home: home.clone(), started_at_ms: unix_ms(), stop: watch::Sender::new(false) });
    site.say(&format!("started, version {}", env!("CARGO_PKG_VERSION")));
    tokio::select! {
        () = accept(listener, api) => {}
        _term = term.recv() => {}
        _interrupt = interrupt.recv() => {}
    }
    site.board.shutdown(FINISH).await;
    // Before the lock is released: the next agent makes its own.
    let removed = fs::remove_file(&socket);
    site.say("stopped; containers go on");
    Ok(removed.map_err(|cause| named(&socket, &cause))?)
}

fn lock(home: &Home) -> Result<Flock<fs::File>, AgentError> {
    let path = home.lock();
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = file.map_err(|cause| named(&path, &cause))?;
    // One that was told to stop closes its socket before it lets go of the lock: whoever comes then waits for that moment.
    let until = Instant::now() + LET_GO;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((back, nix::errno::Errno::EWOULDBLOCK)) if Instant::now() < until => file = back,
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                return Err(AgentError::Held { home: home.root().display().to_string() });
            }
            Err((_, cause)) => return Err(io::Error::from(cause).into()),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
