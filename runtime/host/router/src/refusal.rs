//! What the router says itself, when no target can say it.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;

use crate::body::AnswerBody;

/// Names the reason, so that a program need not read the text.
const REASON: HeaderName = HeaderName::from_static("x-imm-error");

/// Why a request does not get an answer from a target.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The request is malformed, in a way that could be read in two ways.
    BadRequest(&'static str),
    /// No route answers for it.
    NoRoute,
    /// The route has no targets.
    NoTarget { route: String },
    /// No target of the route accepts connections.
    Unreachable { route: String },
    /// The connection to the target broke before an answer.
    Broken { target: String },
    /// The target took too long.
    Timeout { target: String, limit: std::time::Duration },
    /// The client stopped sending the body.
    ClientStalled { limit: std::time::Duration },
}

impl Refusal {
    pub(crate) fn into_response(self) -> Response<AnswerBody> {
        let (status, reason, text) = match self {
            Self::BadRequest(what) => (StatusCode::BAD_REQUEST, "bad-request", format!("bad request: {what}\n")),
            Self::NoRoute => {
                (StatusCode::NOT_FOUND, "no-route", "no route answers for this host and path\n".to_owned())
            }
            Self::NoTarget { route } => {
                (StatusCode::SERVICE_UNAVAILABLE, "no-target", format!("route {route} has no targets now\n"))
            }
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
            Self::ClientStalled { limit } => (
                StatusCode::REQUEST_TIMEOUT,
                "client-stalled",
                format!("the request's body did not go on for {limit:?}\n"),
            ),
        };
        let mut response = Response::new(AnswerBody::Own(Full::new(Bytes::from(text))));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response.headers_mut().insert(REASON, HeaderValue::from_static(reason));
        response
    }
}
