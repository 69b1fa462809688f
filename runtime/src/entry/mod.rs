//! What the ledger is made of. Read [`body`] for the entries, [`parts`] for what they carry.
//!
//! An entry is stored as its postcard bytes and hashed as stored, chained to the one before. postcard has no field names:
//! never reorder or remove a variant or a field; add at the end of a variant and raise [`FORMAT`]. An older entry is read as
//! if it said nothing in what was added since; its bytes and hash stay what they are.

pub mod body;
pub mod parts;

pub use body::Body;
pub use parts::*;

use crate::id::ApplyId;
use imm_ir::{Digest, Encoder};
use serde::{Deserialize, Serialize};

/// The format that this version writes.
pub const FORMAT: u16 = 4;

/// What a field that an older version did not write is read as: nothing, zero, empty. All of these are a zero byte.
const NOT_WRITTEN: [u8; 64] = [0; 64];

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Format of what follows.
    pub format: u16,
    /// Under what it was written.
    pub header: Header,
    /// What happened.
    pub body: Body,
}

/// Under what an entry was written. Sequence number and hashes are beside the bytes, in the store's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Fence of the lease.
    pub fence: u64,
    /// The apply it belongs to.
    pub apply: Option<ApplyId>,
    /// UTC milliseconds, never less than the entry before.
    pub at_ms: i64,
    /// The clock had gone backwards; `at_ms` is the one of the entry before.
    pub skewed: bool,
    /// Who wrote it.
    pub actor: Actor,
}

/// An entry's bytes cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Written by a newer version.
    #[error("entry {seq} has format {format}; this version reads up to {FORMAT}: use a newer imm")]
    Newer {
        /// Its sequence number.
        seq: u64,
        /// Its format.
        format: u16,
    },
    /// Not an entry.
    #[error("entry {seq} is damaged: {why}")]
    Damaged {
        /// Its sequence number.
        seq: u64,
        /// What the decoder said.
        why: String,
    },
}

impl Entry {
    /// The bytes as stored.
    ///
    /// # Errors
    /// A part cannot be encoded; no known part does that.
    pub fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// They are of a newer format, or damaged.
    pub fn decode(seq: u64, bytes: &[u8]) -> Result<Self, Unreadable> {
        let damaged = |e: postcard::Error| Unreadable::Damaged { seq, why: e.to_string() };
        let (format, _) = postcard::take_from_bytes::<u16>(bytes).map_err(damaged)?;
        if format > FORMAT {
            return Err(Unreadable::Newer { seq, format });
        }
        if format < FORMAT {
            let longer = [bytes, &NOT_WRITTEN].concat();
            let (entry, rest) = postcard::take_from_bytes::<Self>(&longer).map_err(damaged)?;
            // All that was written was read.
            return if rest.len() <= NOT_WRITTEN.len() {
                Ok(entry)
            } else {
                Err(Unreadable::Damaged { seq, why: format!("{} bytes too many", rest.len() - NOT_WRITTEN.len()) })
            };
        }
        let (entry, rest) = postcard::take_from_bytes::<Self>(bytes).map_err(damaged)?;
        if rest.is_empty() {
            Ok(entry)
        } else {
            Err(Unreadable::Damaged { seq, why: format!("{} bytes too many", rest.len()) })
        }
    }
}

/// The hash of an entry: over the one before, its number and its bytes.
pub fn chain(prev: &Digest, seq: u64, bytes: &[u8]) -> Digest {
    let mut out = Encoder::new("imm.entry.1");
    out.digest(prev);
    out.number(seq);
    out.bytes(bytes);
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let actor = Actor { user: "u".into(), host: "h".into(), tool_version: "0".into() };
        let header = Header { fence: 3, apply: Some(ApplyId([1; 16])), at_ms: 5, skewed: false, actor };
        Entry { format: FORMAT, header, body: Body::UnwindStarted { cause: UnwindCause::Signal, error: "x".into() } }
    }

    #[test]
    fn bytes_are_read_back_or_refused() {
        let bytes = entry().encode().unwrap();
        assert_eq!(Entry::decode(1, &bytes).unwrap(), entry());
        for cut in 0..bytes.len() {
            assert!(Entry::decode(1, &bytes[..cut]).is_err(), "cut at {cut}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(matches!(Entry::decode(1, &longer), Err(Unreadable::Damaged { .. })));
        let newer = Entry { format: FORMAT + 1, ..entry() }.encode().unwrap();
        assert_eq!(Entry::decode(9, &newer), Err(Unreadable::Newer { seq: 9, format: FORMAT + 1 }));
    }

    #[test]
    fn the_chain_depends_on_everything_before() {
        let (zero, bytes) = (Digest([0; 32]), entry().encode().unwrap());
        let hash = chain(&zero, 1, &bytes);
        assert_ne!(hash, chain(&zero, 2, &bytes));
        assert_ne!(hash, chain(&hash, 1, &bytes));
        assert_ne!(hash, chain(&zero, 1, &bytes[1..]));
    }
}
