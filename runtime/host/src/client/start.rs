//! Starting the agent, and replacing one of another version.
//!
//! An agent of another version is replaced: the new one takes its sockets over, so that no request is lost. One that cannot give them is asked to stop first;
//! then the routes' ports are closed for the moment that this takes. Containers and their monitors live on either way.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use tokio::time::{Instant, sleep};

use crate::api::{API, AgentReport};
use crate::home::Home;

use super::{Client, ClientError};

/// How long an agent may take to start, or to stop.
const BOUND: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Why no agent could be had.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program cannot be run.
    #[error("cannot run {program} agent run: {cause}")]
    Spawn {
        /// The program.
        program: String,
        /// The system's reason.
        cause: io::Error,
    },
    /// It ended instead of serving.
    #[error("the agent ended right after its start ({how}). Its last words, from {log}:\n{words}")]
    Ended {
        /// Exit status.
        how: String,
        /// Its log file.
        log: String,
        /// The end of it.
        words: String,
    },
    /// It does not answer.
    #[error("the agent does not answer within {} s; see {log}", BOUND.as_secs())]
    Silent {
        /// Its log file.
        log: String,
    },
    /// The old one does not end.
    #[error("the agent of version {version} (process {pid}) does not end within {} s; end it and try again", BOUND.as_secs())]
    Stays {
        /// Its version.
        version: String,
        /// Its process.
        pid: u32,
    },
    /// It refused.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// The agent of a home, if one runs.
pub async fn running(home: &Home) -> Result<Option<(Client, AgentReport)>, ClientError> {
    let client = Client::new(home);
    let mut looks = 0;
    loop {
        match client.agent().await {
            Ok(report) => return Ok(Some((client, report))),
            Err(ClientError::Unreachable { .. }) => return Ok(None),
            // It ended while it was asked: the next look finds nobody.
            Err(ClientError::Lost { .. }) if looks < 3 => looks += 1,
            Err(other @ (ClientError::Refused(_) | ClientError::Lost { .. })) => return Err(other),
        }
        sleep(LOOK_EVERY).await;
    }
}

/// The agent of a home: the one that runs, else a new one as `program agent run`, in a session of its own.
pub async fn connect_or_start(home: &Home, program: &OsStr) -> Result<Client, StartError> {
    let deadline = Instant::now() + BOUND;
    if let Some(client) = current(home, program, deadline).await? {
        return Ok(client);
    }
    let log = home.agent_log();
    let mut child = spawn(home, program, false)
        .map_err(|cause| StartError::Spawn { program: program.to_string_lossy().into_owned(), cause })?;
    loop {
        if let Ok(Some((client, _))) = running(home).await {
            return Ok(client);
        }
        // Whoever lost a race against another start ends; the winner then answers or holds the lock.
        if let Ok(Some(status)) = child.try_wait()
            && !held(home)
        {
            return Err(StartError::Ended {
                how: status.to_string(),
                log: log.display().to_string(),
                words: tail(&log),
            });
        }
        if Instant::now() >= deadline {
            return Err(StartError::Silent { log: log.display().to_string() });
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Stops the agent of a home and waits until it has ended; containers go on. Answers whether one ran.
pub async fn stop(home: &Home) -> Result<bool, StartError> {
    let Some((client, report)) = running(home).await? else { return Ok(false) };
    end(home, &client, report, Instant::now() + BOUND).await?;
    Ok(true)
}

/// Replaces the agent that runs by `program agent run`, without losing a request; starts one when none runs.
pub async fn upgrade(home: &Home, program: &OsStr) -> Result<Client, StartError> {
    if running(home).await?.is_none() {
        return connect_or_start(home, program).await;
    }
    replace(home, program, Instant::now() + BOUND).await
}

async fn replace(home: &Home, program: &OsStr, deadline: Instant) -> Result<Client, StartError> {
    let log = home.agent_log();
    let mut child = spawn(home, program, true)
        .map_err(|cause| StartError::Spawn { program: program.to_string_lossy().into_owned(), cause })?;
    loop {
        if let Ok(Some((client, report))) = running(home).await
            && report.pid == child.id()
        {
            return Ok(client);
        }
        if let Ok(Some(status)) = child.try_wait() {
            let (how, words) = (status.to_string(), tail(&log));
            return Err(StartError::Ended { how, log: log.display().to_string(), words });
        }
        if Instant::now() >= deadline {
            return Err(StartError::Silent { log: log.display().to_string() });
        }
        sleep(LOOK_EVERY).await;
    }
}

/// The agent that runs, if it is of this version or could be replaced; one that cannot give its place is ended.
async fn current(home: &Home, program: &OsStr, deadline: Instant) -> Result<Option<Client>, StartError> {
    let Some((client, report)) = running(home).await? else { return Ok(None) };
    if report.api == API && report.version == env!("CARGO_PKG_VERSION") {
        return Ok(Some(client));
    }
    if let Ok(client) = replace(home, program, deadline).await {
        return Ok(Some(client));
    }
    end(home, &client, report, deadline).await?;
    Ok(None)
}

async fn end(home: &Home, client: &Client, report: AgentReport, deadline: Instant) -> Result<(), StartError> {
    match client.stop().await {
        // It may end before its answer has left; whether it has ended, the lock tells.
        Ok(_) | Err(ClientError::Lost { .. } | ClientError::Unreachable { .. }) => {}
        Err(refused @ ClientError::Refused(_)) => return Err(refused.into()),
    }
    while held(home) {
        if Instant::now() >= deadline {
            return Err(StartError::Stays { version: report.version, pid: report.pid });
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Whether an agent has the home's lock.
fn held(home: &Home) -> bool {
    match OpenOptions::new().write(true).open(home.lock()) {
        Ok(file) => Flock::lock(file, FlockArg::LockSharedNonblock).is_err(),
        Err(_) => false,
    }
}

fn spawn(home: &Home, program: &OsStr, take_over: bool) -> io::Result<Child> {
    let open = || OpenOptions::new().append(true).create(true).mode(0o600).open(home.agent_log());
    Command::new(program)
        .args(["agent", "run"])
        .args(take_over.then_some("--take-over"))
        .env("IMM_HOME", home.root())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(open()?)
        .stderr(open()?)
        .spawn()
}

fn tail(path: &Path) -> String {
    let read = || {
        let mut file = OpenOptions::new().read(true).open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(2000)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}
