//! Where entries and blobs are kept. Append-only; one writer at a time, checked by its fence.
//!
//! To read: this file has the interface, [`sqlite`] the files on disk, [`memory`] the store of the simulator, [`packed`] how
//! blobs are kept small. The store
//! knows bytes and hashes, not what an entry says. SQL is named in `sqlite` and nowhere else.

pub mod memory;
pub mod packed;
pub mod sqlite;

use crate::state::projection::Row;
use imm_ir::Digest;

/// Reads records again, by their number; from any thread, as long as it is kept.
pub type Reader = Box<dyn Fn(u64) -> Option<Record> + Send + Sync>;

/// One entry as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// Hash of the record before; zeros for the first.
    pub prev: Digest,
    /// Hash over number, `prev` and bytes.
    pub hash: Digest,
    /// The encoded entry.
    pub bytes: Vec<u8>,
}

/// What is appended in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Entries, the first one following the head.
    pub records: Vec<Record>,
    /// Content-addressed bytes that the entries name.
    pub blobs: Vec<(Digest, Vec<u8>)>,
    /// Sealed secrets by their names; one that is there is replaced: it is the same, for other recipients.
    pub sealed: Vec<(Digest, Vec<u8>)>,
    /// Names of blobs that go.
    pub dropped: Vec<Digest>,
    /// Names of sealed secrets that go.
    pub unsealed: Vec<Digest>,
    /// Rows beside the entries that change with them.
    pub rows: Vec<Row>,
    /// These are all the rows there are: others go.
    pub rows_anew: bool,
    /// Fence of the writer's lease. A store that has seen a higher one refuses.
    pub fence: u64,
    /// Durable when the call returns. Without it a crash may lose the tail, never its middle.
    pub sync: bool,
    /// For a commit: refuse when a signal newer than this asks to abort.
    pub abort_checked_to: Option<u64>,
}

/// What another process asks of a running apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its number, from 1.
    pub seq: u64,
    /// `pause`, `promote` or `abort`.
    pub verb: String,
    /// Who asked.
    pub by: String,
}

/// Why the store refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another writer took over.
    #[error("another imm took over this ledger (its fence is {theirs}, ours {ours})")]
    Fenced {
        /// Ours.
        ours: u64,
        /// The higher one in the store.
        theirs: u64,
    },
    /// The records do not follow the head: a program error or a second writer without a lease.
    #[error("the ledger moved on: expected entry {expected}, its head is {head}")]
    Moved {
        /// Number of the first record of the batch.
        expected: u64,
        /// Number of the last stored one.
        head: u64,
    },
    /// An abort arrived before the commit.
    #[error("aborted by {by}")]
    Aborted {
        /// Number of the signal.
        seq: u64,
        /// Who asked.
        by: String,
    },
    /// There is no ledger here.
    #[error("there is no ledger at {0}")]
    Absent(String),
    /// Written by a version this one cannot read.
    #[error("it has format {found}, and this imm reads up to {reads}")]
    Format {
        /// In the file.
        found: u32,
        /// Ours.
        reads: u32,
    },
    /// The disk is full.
    #[error("no space left on the disk that holds {0}")]
    DiskFull(String),
    /// Anything else the disk or the database says.
    #[error("{path}: {message}")]
    Io {
        /// The ledger's path.
        path: String,
        /// What it said.
        message: String,
    },
    /// Only in the simulator: the engine dies here.
    #[error("simulated crash")]
    Crash,
}

/// Keeps entries and blobs.
pub trait Store: Send {
    /// Number and hash of the last entry; zero and zeros when there is none.
    fn head(&self) -> (u64, Digest);

    /// Every entry from this number on, in order.
    ///
    /// # Errors
    /// When the disk fails.
    fn read(&self, from_seq: u64) -> Result<Vec<Record>, StoreError>;

    /// One record.
    ///
    /// # Errors
    /// When the disk fails.
    fn record(&self, seq: u64) -> Result<Option<Record>, StoreError>;

    /// Reads records later on.
    fn reader(&self) -> Reader;

    /// What is there at one instant: all rows, by part and number; then the records from the number on that `from` answers.
    ///
    /// # Errors
    /// When the disk fails.
    fn instant(
        &self,
        row: &mut dyn FnMut(u8, u64, &[u8]),
        from: &mut dyn FnMut() -> u64,
    ) -> Result<Vec<Record>, StoreError>;

    /// The bytes of one row.
    ///
    /// # Errors
    /// When the disk fails.
    fn row(&self, part: u8, number: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// Appends in one transaction: all or nothing.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Moved`], [`StoreError::Aborted`], or the disk's.
    fn append(&mut self, batch: Batch) -> Result<(), StoreError>;

    /// Bytes by their digest.
    ///
    /// # Errors
    /// When the disk fails.
    fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError>;

    /// All blobs with their names.
    ///
    /// # Errors
    /// When the disk fails.
    fn blobs(&self) -> Result<Vec<(Digest, Vec<u8>)>, StoreError>;

    /// All sealed secrets.
    ///
    /// # Errors
    /// When the disk fails.
    fn sealed(&self) -> Result<Vec<(Digest, Vec<u8>)>, StoreError>;

    /// Whether it is gone with the process: then nothing has to be sealed.
    fn volatile(&self) -> bool {
        false
    }

    /// Signals with a number above `after`, in order.
    ///
    /// # Errors
    /// When the disk fails.
    fn signals(&self, after: u64) -> Result<Vec<Signal>, StoreError>;

    /// Leaves a signal for the process that applies.
    ///
    /// # Errors
    /// When the disk fails.
    fn signal(&mut self, verb: &str, by: &str) -> Result<(), StoreError>;
}

/// The last abort among signals newer than `after`.
fn pending_abort(signals: &[Signal], after: u64) -> Option<StoreError> {
    let abort = signals.iter().rev().find(|s| s.seq > after && s.verb == "abort")?;
    Some(StoreError::Aborted { seq: abort.seq, by: abort.by.clone() })
}
