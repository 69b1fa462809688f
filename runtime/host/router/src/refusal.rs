//! What the router says itself, when no target can say it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::body::AnswerBody;

/// Names the reason, so that a program need not read the text.
const REASON: HeaderName = HeaderName::from_static("x-imm-error");

/// Why a request does not get an answer from a target.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// The request is malformed, in a way that could be read in two ways.
    BadRequest(&'static str),
    /// No route answers for it.
    NoRoute,
    /// The route has no targets.
    NoTarget { route: Arc<str> },
    /// The route has no targets, and too many wait for one already.
    TooManyHeld { route: Arc<str> },
    /// No target of the route accepts connections.
    Unreachable { route: Arc<str> },
    /// The connection to the target broke before an answer.
    Broken { target: String },
    /// The target took too long.
    Timeout { target: String, limit: std::time::Duration },
    /// The client broke the body off, or it is malformed.
    BrokenBody,
    /// The client stopped sending the body.
    ClientStalled { limit: std::time::Duration },
}

impl Refusal {
    pub(crate) fn into_response(self) -> Response<AnswerBody> {
        let is_client_fault = matches!(self, Self::BadRequest(_) | Self::BrokenBody | Self::ClientStalled { .. });
        let (status, reason, text) = match self {
            Self::BadRequest(what) => (StatusCode::BAD_REQUEST, "bad-request", format!("bad request: {what}\n")),
            Self::NoRoute => {
                (StatusCode::NOT_FOUND, "no-route", "no route answers for this host and path\n".to_owned())
            }
            Self::NoTarget { route } => {
                (StatusCode::SERVICE_UNAVAILABLE, "no-target", format!("route {route} has no targets now\n"))
            }
            Self::TooManyHeld { route } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too-many-held",
                format!("route {route} has no targets now, and too many requests wait for one\n"),
            ),
            Self::Unreachable { route } => {
                (StatusCode::BAD_GATEWAY, "unreachable", format!("no target of route {route} accepts connections\n"))
            }
            Self::Broken { target } => (
                StatusCode::BAD_GATEWAY,
                "broken",
                format!("target {target} closed the connection before it answered; the request may have had effects\n"),
            ),
            Self::Timeout { target, limit } => {
                (StatusCode::GATEWAY_TIMEOUT, "timeout", format!("target {target} did not answer within {limit:?}\n"))
            }
            Self::BrokenBody => (
                StatusCode::BAD_REQUEST,
                "broken-body",
                "bad request: the body is malformed or ends too early\n".to_owned(),
            ),
            Self::ClientStalled { limit } => (
                StatusCode::REQUEST_TIMEOUT,
                "client-stalled",
                format!("the request's body did not go on for {limit:?}\n"),
            ),
        };
        let mut response = Response::new(AnswerBody::own(Bytes::from(text)));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response.headers_mut().insert(REASON, HeaderValue::from_static(reason));
        if is_client_fault {
            // Where the next request begins is not sure.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
