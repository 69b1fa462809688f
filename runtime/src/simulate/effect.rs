//! The world's log: everything that happened in it, in order. This is what the oracle reads; an engine never sees it.

use super::call::Place;
use crate::id::{Lineage, ObjectId};
use crate::provider::{Level, Setting};
use imm_ir::{Addr, Class, Digest, Nature};
use std::sync::Arc;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// Milliseconds since the world began.
    pub at_ms: u64,
    /// How many entries of the ledger were durable when it happened: they came before it, all others after.
    pub durable: u64,
    /// Whose it is.
    pub lineage: Lineage,
    /// Which provider's it is.
    pub place: Place,
    /// The fence it was asked under; 0 for what the world did by itself.
    pub fence: u64,
    /// The call had been given up by its sender, or was repeated on the way.
    pub late: bool,
    /// What happened.
    pub deed: Deed,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// A fence was announced.
    Announced,
    /// An object came to be.
    Created(Box<Made>),
    /// It acts.
    Activated(ObjectId),
    /// It no longer acts.
    Deactivated(ObjectId),
    /// A job began its one run.
    Ran(ObjectId),
    /// Its data was copied.
    Copied {
        /// Which.
        object: ObjectId,
        /// The copy's name.
        token: Digest,
    },
    /// It is gone; what was missing is a tombstone.
    Destroyed {
        /// Which.
        object: ObjectId,
        /// It was not there.
        missing: bool,
    },
    /// A pointer, or the cells of a durable, moved.
    Switched {
        /// Which.
        object: ObjectId,
        /// Before.
        from_epoch: u64,
        /// Now.
        epoch: u64,
        /// What is in force now.
        to: Setting,
        /// When the world goes back by itself, milliseconds since it began.
        until_ms: u64,
    },
    /// Its time ran out: it went back to what was confirmed.
    Reverted {
        /// Which.
        object: ObjectId,
        /// Now.
        epoch: u64,
        /// What is in force now.
        to: Setting,
    },
    /// Somebody moved it by hand.
    Meddled {
        /// Which.
        object: ObjectId,
        /// Now.
        epoch: u64,
        /// What is in force now.
        to: Setting,
    },
    /// An object that acts wrote to the data of a durable.
    Wrote {
        /// Which.
        durable: ObjectId,
        /// Who.
        by: ObjectId,
        /// Names the data as it is now: what was there before, and who wrote.
        data: Digest,
    },
    /// Provisional settings live longer, until then.
    Renewed {
        /// Milliseconds since the world began.
        until_ms: u64,
    },
    /// What is in force stays.
    Confirmed,
    /// Nothing is in flight to these.
    Drained(Vec<ObjectId>),
    /// An engine asked how an object is and was told this.
    Probed(ObjectId, Level),
    /// A call was refused: which, and why.
    Refused(String),
    /// Its provider does not run until then: nothing goes back by itself before that.
    Away {
        /// Milliseconds since the world began.
        until_ms: u64,
    },
}

/// An object that came to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// Which.
    pub object: ObjectId,
    /// Where it was declared.
    pub address: Addr,
    /// Its kind.
    pub kind: Arc<str>,
    /// Its kind's class.
    pub class: Class,
    /// Its kind's nature.
    pub nature: Nature,
    /// What it is.
    pub spec: Digest,
    /// It does not act yet.
    pub dormant: bool,
    /// It is unusable.
    pub tainted: bool,
    /// Objects its inputs name.
    pub bound: Vec<ObjectId>,
    /// What it holds alone while it acts: scope and key.
    pub exclusive: Vec<(String, String)>,
}
