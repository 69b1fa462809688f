//! What a running apply tells whoever watches: for progress on a terminal and for `--json`.

use crate::entry::Verdict;
use crate::id::{ApplyId, ObjectId};
use crate::rollout::Samples;
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
        /// Part of the requests that the new side of each pointer gets, parts per million.
        weights: Vec<(Addr, u32)>,
        /// How long it is held, milliseconds.
        hold_ms: u64,
        /// Somebody has to say that it goes on.
        approve: bool,
        /// Gates are judged in this rollout.
        gated: bool,
    },
    /// How a stage goes, a few times a second.
    Traffic {
        /// From 1.
        stage: u32,
        /// Of so many.
        of: u32,
        /// Since the stage began, milliseconds.
        elapsed_ms: u64,
        /// How long it is held, milliseconds.
        hold_ms: u64,
        /// What it waits for: `hold`, `requests`, `approval`, `promote` (it is paused).
        waits_for: &'static str,
        /// What the pointers' sides meet.
        pointers: Vec<Traffic>,
    },
    /// A gate was judged.
    GateJudged {
        /// Whose.
        address: Addr,
        /// In which stage; 0: after the commit.
        stage: u32,
        /// What it said.
        verdict: Verdict,
        /// Why it did not pass.
        why: String,
        /// What the new side met.
        new: Samples,
        /// What the old side met.
        old: Samples,
    },
    /// How a watch goes, a few times a second.
    Watched {
        /// Since the commit, milliseconds.
        elapsed_ms: u64,
        /// How long it is watched, milliseconds.
        watch_ms: u64,
        /// What the pointers' sides meet; the old one has met all it will.
        pointers: Vec<Traffic>,
    },
    /// A watch came to its end.
    WatchEnded {
        /// How.
        verdict: Verdict,
        /// Why it did not pass.
        why: String,
    },
    /// Somebody said something to it, from another process.
    Heard {
        /// `pause`, `promote`, `abort`.
        verb: &'static str,
        /// Who.
        by: String,
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

/// What both sides of a pointer meet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Traffic {
    /// The pointer.
    pub address: Addr,
    /// Part of the requests that the new side gets, parts per million.
    pub weight: u32,
    /// The new side, since the stage began.
    pub new: Side,
    /// The old side.
    pub old: Side,
}

/// One side of a pointer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// Requests a second, over the last three.
    pub per_second: f64,
    /// What they met: errors in parts per million, latencies in milliseconds.
    #[serde(flatten)]
    pub samples: Samples,
}
