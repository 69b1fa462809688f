//! Why a request was refused or failed, in a form that both people and the engine can act on.

use http::StatusCode;
use serde::{Deserialize, Serialize};

/// Whether the effect that was asked for has taken place in spite of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// It has not and will not.
    No,
    /// It cannot be said; look before asking again.
    Maybe,
    /// It has.
    Yes,
}

/// What kind of refusal it is. Each has one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A newer holder of the lineage's lease has announced itself (409).
    Fence,
    /// The manifest has moved since the caller read it (409).
    Epoch,
    /// Another object or lineage holds what is claimed (409).
    Claim,
    /// The object was destroyed before; it is never made again (422).
    Tombstone,
    /// An object with this id exists with another specification (422).
    Conflict,
    /// The request is wrong in itself (422).
    Invalid,
    /// The object is still pointed at or bound by another (422).
    InUse,
    /// Destroying this needs the caller's explicit consent (422).
    ConsentRequired,
    /// No such object, lineage or path (404).
    Unknown,
    /// Try again: busy, stopping, or out of a resource (503).
    Unavailable,
    /// The agent's machine failed it: disk, kernel (500).
    Internal,
}

impl Code {
    /// The HTTP status that carries this code.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Fence | Self::Epoch | Self::Claim => StatusCode::CONFLICT,
            Self::Tombstone | Self::Conflict | Self::Invalid | Self::InUse | Self::ConsentRequired => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What kind of refusal.
    pub code: Code,
    /// What is wrong, where, and what to do.
    pub message: String,
    /// Whether the effect took place.
    pub happened: Happened,
}

impl ApiError {
    /// A refusal: nothing happened.
    pub fn no(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), happened: Happened::No }
    }

    /// A failure in the middle: something may have happened.
    pub fn maybe(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), happened: Happened::Maybe }
    }

    /// No object of this id in the lineage.
    #[must_use]
    pub fn unknown_object(lineage: &str, id: &str) -> Self {
        Self::no(Code::Unknown, format!("lineage {lineage} has no object {id}"))
    }
}

impl From<std::io::Error> for ApiError {
    fn from(cause: std::io::Error) -> Self {
        Self::maybe(Code::Internal, cause.to_string())
    }
}
