//! A plan as a file: magic, format number, postcard. Self-contained; refused where it does not belong and when it is stale.

use super::Plan;
use crate::state::State;
use imm_ir::Digest;
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 8] = b"immplan\n";

/// The format that this version writes and reads.
pub const FORMAT: u16 = 3;

/// What a plan file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// The plan.
    pub plan: Plan,
    /// Folder of the ledger.
    pub state: Place,
    /// Folder of the module, where what images stand on is found.
    pub module: Place,
    /// The program's files, by name, and the params, for the record.
    pub attached: Attached,
    /// The secrets that the plan names, sealed for the ledger's recipients.
    pub sealed: Vec<(Digest, Vec<u8>)>,
}

/// Where something was when a plan was kept. The first that is there counts, so that a plan may move with what it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Relative to the plan file's folder.
    pub relative: Option<String>,
    /// Absolute.
    pub absolute: String,
}

/// What is recorded beside a graph and not hashed into it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attached {
    /// The program's files.
    pub sources: Vec<(String, Vec<u8>)>,
    /// Params as name and shown value; secrets never.
    pub params: Vec<(String, String)>,
    /// Commit of the working tree.
    pub commit: Option<String>,
    /// When that commit was made, UTC milliseconds.
    pub commit_at_ms: Option<i64>,
    /// Why.
    pub because: Option<String>,
}

/// Why a file or plan is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not ours.
    #[error("this is not a plan file")]
    NotAPlan,
    /// Made by another version.
    #[error("this plan file has format {found}, this imm reads {FORMAT}: make the plan again")]
    Format {
        /// In the file.
        found: u16,
    },
    /// Cut or changed.
    #[error("this plan file is damaged")]
    Damaged,
    /// Of another ledger.
    #[error("this plan was made for another ledger (lineage {theirs}, not {ours})")]
    Lineage {
        /// The plan's.
        theirs: String,
        /// The ledger's.
        ours: String,
    },
    /// The state has moved since.
    #[error(
        "this plan is stale: it was made on generation {planned}, and since then something changed (now generation {now}); make it again"
    )]
    Stale {
        /// The plan's base, 0 for none.
        planned: u64,
        /// The newest.
        now: u64,
    },
}

impl SavedPlan {
    /// The file's bytes.
    ///
    /// # Errors
    /// The plan cannot be encoded; no plan does that.
    pub fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        let body = postcard::to_stdvec(self)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(Digest::of(&body).0);
        bytes.extend(body);
        Ok(bytes)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is no plan file, of another format, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refused> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(Refused::NotAPlan)?;
        let (format, rest) = rest.split_first_chunk::<2>().ok_or(Refused::Damaged)?;
        let found = u16::from_le_bytes(*format);
        if found != FORMAT {
            return Err(Refused::Format { found });
        }
        let (digest, body) = rest.split_first_chunk::<32>().ok_or(Refused::Damaged)?;
        if Digest::of(body).0 != *digest {
            return Err(Refused::Damaged);
        }
        postcard::from_bytes(body).map_err(|_| Refused::Damaged)
    }
}

/// Whether a plan may be applied on this state.
///
/// # Errors
/// It is of another lineage, or something changed since it was made.
pub fn check(plan: &Plan, state: &State) -> Result<(), Refused> {
    if state.lineage != Some(plan.lineage) {
        let ours = state.lineage.map_or_else(|| "none".to_owned(), |l| l.to_string());
        return Err(Refused::Lineage { theirs: plan.lineage.to_string(), ours });
    }
    if state.base() != plan.base {
        let (planned, now) = (plan.base_generation.unwrap_or(0), state.current.unwrap_or(0));
        return Err(Refused::Stale { planned, now });
    }
    Ok(())
}
