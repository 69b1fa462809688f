//! The agent's refusals as the engine's errors.

use imm_runtime::provider::{Error, ErrorKind, Happened};

use crate::api::{self, Code};
use crate::client::{ClientError, StartError};

/// An error of the agent or on the way to it.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub fn refused(cause: ClientError) -> Error {
    let happened = match cause.happened() {
        api::Happened::No => Happened::No,
        api::Happened::Maybe => Happened::Maybe,
        api::Happened::Yes => Happened::Yes,
    };
    let (kind, help) = match &cause {
        ClientError::Refused(refused) => match refused.code {
            Code::Fence => (ErrorKind::Fenced, None),
            Code::Epoch => (ErrorKind::Epoch, None),
            Code::Claim => (ErrorKind::Claim, None),
            Code::Tombstone => (ErrorKind::Tombstone, None),
            Code::Unavailable => (ErrorKind::Transient, None),
            Code::Conflict | Code::Invalid | Code::InUse | Code::ConsentRequired | Code::Unknown | Code::Internal => {
                (ErrorKind::Permanent, None)
            }
        },
        ClientError::Unreachable { .. } | ClientError::Lost { .. } => {
            (ErrorKind::Transient, Some("see `imm agent status`".to_owned()))
        }
    };
    Error { message: cause.to_string(), help, kind, happened }
}

/// The agent could not be started.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub fn not_started(cause: StartError) -> Error {
    let help = Some("`imm agent doctor` says what this machine lacks".to_owned());
    Error { message: cause.to_string(), help, kind: ErrorKind::Transient, happened: Happened::No }
}

/// What will fail again; nothing happened.
pub fn permanent(message: String, help: Option<String>) -> Error {
    Error { message, help, kind: ErrorKind::Permanent, happened: Happened::No }
}
