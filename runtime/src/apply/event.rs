//! What a running apply tells whoever watches: for progress on a terminal and for `--json`.

use crate::id::{ApplyId, ObjectId};
use imm_ir::Addr;
use serde::Serialize;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The apply is recorded.
    Started {
        /// Its id.
        apply: ApplyId,
        /// How many steps its plan has.
        steps: usize,
    },
    /// A step begins.
    StepStarted {
        /// `create`, `verify`, `drain`, `destroy`.
        action: &'static str,
        /// Of what.
        address: Addr,
        /// Which one.
        object: ObjectId,
    },
    /// A step is done.
    StepDone {
        /// `create`, `verify`, `drain`, `destroy`.
        action: &'static str,
        /// Of what.
        address: Addr,
        /// Which one.
        object: ObjectId,
        /// How long it took.
        took_ms: u64,
    },
    /// A step failed.
    StepFailed {
        /// `create`, `verify`, `drain`, `destroy`.
        action: &'static str,
        /// Of what.
        address: Addr,
        /// Which one.
        object: ObjectId,
        /// Why.
        error: String,
    },
    /// A stage of the rollout begins.
    Stage {
        /// From 1.
        stage: u32,
        /// Of so many.
        of: u32,
    },
    /// A pointer moved.
    Switched {
        /// Which.
        address: Addr,
        /// How many targets it has now.
        targets: usize,
    },
    /// One took over from another.
    HandedOver {
        /// Which.
        address: Addr,
        /// How long nobody served, as measured.
        outage_ms: u64,
        /// How long the program allows.
        allowed_ms: u64,
    },
    /// The new generation is in force.
    Committed {
        /// Its number.
        generation: u64,
    },
    /// Old objects leave.
    Retiring {
        /// How many.
        objects: usize,
    },
    /// The apply failed; undoing follows.
    Failed {
        /// Why.
        error: String,
    },
    /// It is being undone.
    Unwinding,
}
