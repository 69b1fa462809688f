//! The life of the agent's process: lock, restore, serve, stop or give way.
//!
//! Requests are routed in a runtime of their own, which goes on while an agent gives its place to the next; all other work ends first, as it would at a kill.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imm_router::AccessLog;
use tokio::net::UnixListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, watch};
use tokio::time::{sleep, timeout};

use crate::home::{Home, named};
use crate::seal::Seal;

use super::Site;
use super::board::Board;
use super::clock::unix_ms;
use super::hand_over;
use super::http::{Api, accept};
use super::registry::Registry;

/// How long an agent that is ending may hold its lock still.
const STOPPING: Duration = Duration::from_secs(3);
/// How long requests in flight may take at a stop.
const FINISH: Duration = Duration::from_secs(10);
/// How long requests of the API and work under way may take when another agent takes over.
const LET_GO: Duration = Duration::from_millis(500);
const LOOK_AT_CERTIFICATES: Duration = Duration::from_secs(3600);

/// How an agent is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The command that becomes a container's monitor; the container's directory is appended.
    pub monitor: Vec<OsString>,
    /// Whether it takes the place of the agent that runs, with its sockets.
    pub take_over: bool,
}

impl Options {
    /// This program itself with its hidden subcommand.
    #[must_use]
    pub fn this_program() -> Self {
        Self { monitor: vec![OsString::from("/proc/self/exe"), OsString::from("__container")], take_over: false }
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

/// Runs the agent until TERM, INT or a stop request, or until another one has taken its place and its last connection has ended; containers go on. Blocks.
///
/// # Errors
/// Another agent has the home, or something that it needs cannot be had.
pub fn run(home: &Home, options: Options) -> Result<(), AgentError> {
    // Apart from the terminal of whoever started it. Fails for the leader of a process group, which was started by hand.
    let _ = nix::unistd::setsid();
    let traffic = Builder::new_multi_thread().thread_name("traffic").enable_all().build()?;
    let mut agent = Agent::begin(home, options, &traffic)?;
    loop {
        let work = Builder::new_multi_thread().thread_name("work").enable_all().build()?;
        let ended = work.block_on(agent.serve());
        // Tasks that wait for containers block for as long as those live.
        work.shutdown_timeout(LET_GO);
        match ended? {
            Ended::Stopped => return Ok(()),
            Ended::Replaced(control) => match agent.give_way(control, &traffic) {
                Ok(None) => return Ok(()),
                Ok(Some(resumed)) => agent = resumed,
                Err(cause) => return Err(cause.into()),
            },
        }
    }
}

/// What an agent has for as long as it is the home's one.
struct Agent {
    home: Home,
    options: Options,
    lock: File,
    socket: StdUnixListener,
    board: Arc<Board>,
    access: Arc<Mutex<AccessLog>>,
    /// To the agent whose place it takes.
    before: Option<StdUnixStream>,
}

enum Ended {
    Stopped,
    /// Somebody asks for its place.
    Replaced(StdUnixStream),
}

impl Agent {
    fn begin(home: &Home, options: Options, traffic: &Runtime) -> Result<Self, AgentError> {
        let (board, access) = Board::new(home, traffic.handle().clone());
        let (lock, socket, before) = if options.take_over {
            let inherited = hand_over::take(home)?;
            traffic.block_on(board.adopt(inherited.ports))?;
            (inherited.lock, inherited.api, Some(inherited.control))
        } else {
            // The lock is ours, so whoever bound the socket is gone.
            (lock(home)?, bind(&home.prepare_socket()?)?, None)
        };
        let (home, access) = (home.clone(), Arc::new(Mutex::new(access)));
        Ok(Self { home, options, lock, socket, board: Arc::new(board), access, before })
    }

    async fn serve(&mut self) -> Result<Ended, AgentError> {
        let home = &self.home;
        let store = imm_image::Store::open(home.store()).map_err(|cause| AgentError::Store(cause.to_string()))?;
        let site = Arc::new(Site {
            home: home.clone(),
            monitor: self.options.monitor.clone(),
            seal: Arc::new(Seal::open(&home.key())?),
            store,
            ports: super::ports::Ports::new(home.root().as_os_str().as_bytes()),
            claims: super::claims::Claims::default(),
            board: Arc::clone(&self.board),
            log_bounds: super::logs::Bounds::default(),
        });
        let registry = Arc::new(Registry::restore(Arc::clone(&site)).await?);
        if let Some(before) = self.before.take() {
            self.board.take_over(before).await?;
            site.say("took over from the agent before");
        }
        tokio::spawn(keep_certificates(Arc::clone(&site)));
        tokio::spawn(keep_access_log(Arc::clone(&self.access), Arc::clone(&site), Arc::clone(&registry)));
        let next = hand_over::listen(home)?;
        self.socket.set_nonblocking(true)?;
        let listener = UnixListener::from_std(self.socket.try_clone()?)?;
        let mut term = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let api = Arc::new(Api {
            registry,
            home: home.clone(),
            started_at_ms: unix_ms(),
            stop: watch::Sender::new(false),
            busy: watch::Sender::new(()),
        });
        site.say(&format!("started, version {}", env!("CARGO_PKG_VERSION")));
        tokio::select! {
            () = accept(listener, Arc::clone(&api)) => {}
            _term = term.recv() => {}
            _interrupt = interrupt.recv() => {}
            control = hand_over::asked(&next) => {
                // What is longer than that is a wait, which its caller asks for again.
                let _ = timeout(LET_GO, api.busy.closed()).await;
                return Ok(Ended::Replaced(control));
            }
        }
        self.board.shutdown(FINISH).await;
        // Before the lock is released: the next agent makes its own.
        let socket = home.socket();
        let removed = fs::remove_file(home.hand_over_socket()).and_then(|()| fs::remove_file(&socket));
        site.say("stopped; containers go on");
        removed.map_err(|cause| named(&socket, &cause))?;
        Ok(Ended::Stopped)
    }

    /// Gives its place to who asked, and stays until its last connection has ended. The agent itself is given back when the other one ended too early.
    fn give_way(self, control: StdUnixStream, traffic: &Runtime) -> io::Result<Option<Self>> {
        let ports = traffic.block_on(self.board.sockets())?;
        if hand_over::give(&control, &self.lock, &self.socket, &ports).is_err() {
            // It is gone again.
            return Ok(Some(self));
        }
        drop(ports);
        let own = (self.lock, self.socket);
        match traffic.block_on(super::tail::obey(control, Arc::clone(&self.board), own)) {
            None => Ok(None),
            Some((lock, socket)) => Ok(Some(Self { lock, socket, ..self })),
        }
    }
}

async fn keep_certificates(site: Arc<Site>) {
    loop {
        sleep(LOOK_AT_CERTIFICATES).await;
        if let Err(cause) = site.board.renew_certificates().await {
            site.say(&format!("development CA: {cause}"));
        }
    }
}

async fn keep_access_log(log: Arc<Mutex<AccessLog>>, site: Arc<Site>, registry: Arc<Registry>) {
    super::access::keep(&mut *log.lock().await, site, registry).await;
}

fn bind(socket: &Path) -> io::Result<StdUnixListener> {
    match fs::remove_file(socket) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(named(socket, &cause)),
        Ok(()) | Err(_) => {}
    }
    let listener = StdUnixListener::bind(socket).map_err(|cause| named(socket, &cause))?;
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Released when the last descriptor of it is closed: the next agent may have one.
fn lock(home: &Home) -> Result<File, AgentError> {
    let path = home.lock();
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|cause| named(&path, &cause))?;
    // One that was told to stop closes its socket before it lets go of the lock: whoever comes then waits for that moment.
    let until = Instant::now() + STOPPING;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) if Instant::now() < until => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(AgentError::Held { home: home.root().display().to_string() });
            }
            Err(fs::TryLockError::Error(cause)) => return Err(named(&path, &cause).into()),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
