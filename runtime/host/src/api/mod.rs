//! What goes over the agent's socket, shared by server and client.
//!
//! JSON, HTTP/1.1, paths under `/v1`. A folder to read in this order: `object` (what exists), `manifest` (what points where),
//! `answer` (what the agent reports), `error`. Types only: no IO, no decisions.

mod answer;
mod error;
mod manifest;
mod object;

pub use answer::{
    AgentReport, ChangedField, Cleared, Compared, Drained, Epoch, Health, JournalEntry, JournalPage, Level,
    LineageReport, LogLine, LogPage, LogQuery, ObjectReport, Revealed, Samples, Snapshot,
};
pub use error::{ApiError, Code, Happened};
pub use manifest::{
    Activity, Announce, Answers, Cell, Confirm, LedgerHead, Manifest, ObjectSetting, PutManifest, Renew, Route, Target,
    Tls,
};
pub use object::{
    Alphabet, Backoff, Container, DeleteObject, Drain, File, HealthCheck, IsolationWish, Limits, Mount, ObjectSpec,
    Policy, PutObject, PutPolicy, RoutePort, Secret, Stop, StopSignal, TakeSnapshot, Volume, VolumeAccess, Write,
};

/// Version of these types. The agent refuses no older client of the same number.
pub const API: u32 = 1;
