//! Opening a ledger, for readers and for the one writer, and what its errors mean to a user.

use crate::failure::{Exit, Failure};
use crate::platform;
use crate::project::Project;
use crate::ui::{self, Style};
use imm_runtime::apply::Tenure;
use imm_runtime::clock::SystemClock;
use imm_runtime::entry::Actor;
use imm_runtime::id::Lineage;
use imm_runtime::lease::{Holder, Lease, LeaseError};
use imm_runtime::ledger::{Ledger, LedgerError};
use imm_runtime::random::Random;
use imm_runtime::report;
use imm_runtime::seal::{AgeKeys, SealError};
use imm_runtime::store::StoreError;
use imm_runtime::store::memory::MemoryStore;
use imm_runtime::store::sqlite::SqliteStore;
use std::sync::Arc;

/// Who runs this command, for the record.
pub fn actor() -> Actor {
    let Holder { user, host, .. } = Holder::current();
    Actor { user, host, tool_version: env!("CARGO_PKG_VERSION").to_owned() }
}

/// This machine's identity: what secrets are sealed for and opened with.
pub fn keys() -> Result<AgeKeys, Failure> {
    Ok(AgeKeys::at(platform::home()?.root().join("identity")))
}

/// The ledger as it is, without a lock; `None` when nothing was ever applied. An interrupted apply is said on stderr first.
pub fn read(project: &Project, style: Style) -> Result<Option<Ledger>, Failure> {
    project.known_state()?;
    // Asked before and after: an apply that ends in between is not one that was interrupted.
    let alive = running(project);
    let store = match SqliteStore::open_read_only(&project.ledger()) {
        Ok(store) => store,
        Err(StoreError::Absent(_)) => return Ok(None),
        Err(e) => return Err(unreadable(project, &e.into())),
    };
    let keys = Arc::new(keys()?);
    let ledger = Ledger::open(Box::new(store), Arc::new(SystemClock), actor(), 0).and_then(|l| l.with_keys(keys));
    let ledger = ledger.map_err(|e| unreadable(project, &e))?;
    if ledger.state().lineage.is_none() {
        return Ok(None);
    }
    if let Some(open) = report::status::open(ledger.state())
        && !alive
        && !running(project)
    {
        ui::err(&ui::report::interrupted(&open, style));
    }
    Ok(Some(ledger))
}

/// The ledger for a plan: the recorded one, or an empty one in memory when nothing was ever applied.
pub fn read_or_empty(project: &Project, style: Style) -> Result<Ledger, Failure> {
    match read(project, style)? {
        Some(ledger) => Ok(ledger),
        None => empty(project),
    }
}

/// The ledger as it is, if it can be read; says nothing.
pub fn read_quietly(project: &Project) -> Option<Ledger> {
    let store = SqliteStore::open_read_only(&project.ledger()).ok()?;
    let ledger = Ledger::open(Box::new(store), Arc::new(SystemClock), actor(), 0).ok()?;
    ledger.state().lineage.is_some().then_some(ledger)
}

/// An empty ledger in memory.
pub fn empty(project: &Project) -> Result<Ledger, Failure> {
    let store = Box::new(MemoryStore::default());
    let opened = Ledger::open(store, Arc::new(SystemClock), actor(), 1).and_then(|mut ledger| {
        ledger.initialize(Lineage([0; 16]), &project.environment)?;
        Ok(ledger)
    });
    opened.map_err(|e| unreadable(project, &e))
}

/// The ledger as it is, damaged or not, for an audit.
pub fn unchecked(project: &Project) -> Result<Option<Ledger>, Failure> {
    project.known_state()?;
    let store = match SqliteStore::open_read_only(&project.ledger()) {
        Ok(store) => store,
        Err(StoreError::Absent(_)) => return Ok(None),
        Err(e) => return Err(unreadable(project, &e.into())),
    };
    let ledger = Ledger::unchecked(Box::new(store), Arc::new(SystemClock), actor(), Arc::new(keys()?));
    ledger.map(Some).map_err(|e| unreadable(project, &e))
}

/// The ledger for a command that makes no sense without one.
pub fn expect(project: &Project, style: Style) -> Result<Ledger, Failure> {
    read(project, style)?.ok_or_else(|| nothing(project))
}

/// Whether another process works on the ledger right now.
pub fn running(project: &Project) -> bool {
    Lease::held(project.state())
}

/// The ledger under its lease. The lease lasts as long as this value.
pub struct Writer {
    /// Kept to keep the lock.
    pub lease: Lease,
    /// The ledger.
    pub ledger: Ledger,
    /// What the engine records about the lease.
    pub tenure: Tenure,
}

/// Takes the lease and opens the ledger; makes one when nothing was ever applied.
pub fn write(project: &Project) -> Result<Writer, Failure> {
    project.known_state()?;
    let (lease, took_over) = Lease::take(project.state(), Holder::current()).map_err(|e| refused(&e))?;
    open(project, lease, Tenure { holder: Holder::current(), took_over, because: None })
}

/// As [`write()`], also from a holder that lives and does not answer. What it still does is refused.
pub fn take_over(project: &Project, because: &str) -> Result<Writer, Failure> {
    project.known_state()?;
    let (lease, took_over) = Lease::take_over(project.state(), Holder::current()).map_err(|e| refused(&e))?;
    open(project, lease, Tenure { holder: Holder::current(), took_over, because: Some(because.to_owned()) })
}

fn open(project: &Project, mut lease: Lease, tenure: Tenure) -> Result<Writer, Failure> {
    let keys = Arc::new(keys()?);
    let open = |fence: u64| -> Result<Ledger, LedgerError> {
        let store = SqliteStore::open(&project.ledger())?;
        Ledger::open(Box::new(store), Arc::new(SystemClock), actor(), fence)?.with_keys(keys.clone())
    };
    let mut ledger = open(lease.fence()).map_err(|e| unreadable(project, &e))?;
    // The lease's file was lost: the ledger knows how far its fence had risen.
    let seen = ledger.state().fence;
    if seen >= lease.fence() {
        let failed = |e: std::io::Error| Failure::new(format!("cannot write the lease: {}", crate::project::plain(&e)));
        lease.rise_above(seen).map_err(failed)?;
        ledger = open(lease.fence()).map_err(|e| unreadable(project, &e))?;
    }
    let random =
        || Random::from_system().map_err(|e| Failure::new(format!("no randomness: {}", crate::project::plain(&e))));
    let lineage = Lineage(random()?.id());
    ledger
        .initialize(lineage, &project.environment)
        .and_then(|()| ledger.migrate())
        .map_err(|e| unreadable(project, &e))?;
    Ok(Writer { lease, ledger, tenure })
}

fn refused(error: &LeaseError) -> Failure {
    let message = error.to_string();
    match error {
        LeaseError::Held(_) => {
            Failure::new(message).help(
                "wait until it is done; `imm status` shows what runs meanwhile. If it hangs: `imm recover --take-over --because TEXT`",
            )
        }
        LeaseError::Io { .. } => {
            let message = message.split(" (os error").next().unwrap_or(&message).to_owned();
            Failure::new(message).help("the folder of the ledger must be writable; --state DIR names another one")
        }
    }
}

/// What is wrong with a ledger, and what to do.
pub fn unreadable(project: &Project, error: &LedgerError) -> Failure {
    let failure = Failure::new(format!("the ledger {}: {error}", project.ledger().display()));
    match error {
        LedgerError::Store(StoreError::DiskFull(_)) => {
            Failure::new(error.to_string()).help("make room; nothing recorded is lost")
        }
        LedgerError::Store(StoreError::Io { .. }) => failure.help("is the folder writable and the file a ledger?"),
        LedgerError::Store(StoreError::Format { .. }) | LedgerError::Unreadable(_) => {
            failure.help("use the imm that wrote it, or a newer one")
        }
        LedgerError::Broken { .. } | LedgerError::Illegal { .. } | LedgerError::Blob(_) => {
            failure.help("the record was changed from outside; restore the folder from a backup")
        }
        LedgerError::Seal(e) => seal(e, failure),
        LedgerError::Store(_) | LedgerError::Failed | LedgerError::Encode(_) => {
            Failure { exit: Exit::Open, ..failure }.help("run `imm recover`")
        }
    }
}

/// Why a command about generations cannot answer yet.
pub fn nothing(project: &Project) -> Failure {
    Failure::new(format!("nothing was applied yet in environment {} of {}", project.environment, project.name))
        .help("`imm apply` makes the first generation")
}

fn seal(error: &SealError, failure: Failure) -> Failure {
    match error {
        SealError::NotForUs { .. } => {
            failure.help("an identity file holds one AGE-SECRET-KEY-1… a line; any of them may be the right one")
        }
        SealError::Damaged | SealError::Absent(_) => {
            failure.help("`imm audit verify` tells what is damaged; restore the folder from a backup")
        }
        SealError::Identity { .. } | SealError::NoKeys => {
            failure.help("the folder that IMM_HOME names must be yours, with a file `identity` that only you may read")
        }
        SealError::Recipient(_) | SealError::Encode(_) => failure,
    }
}

/// What a command answers when nothing was ever applied.
pub fn nothing_yet(project: &Project) -> String {
    format!(
        "{} · {}: nothing was applied yet; `imm apply` makes the first generation\n",
        project.name, project.environment
    )
}
