//! A request to go on with another protocol: from its arrival to the tunnel.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;

use crate::access::Pending;
use crate::body::{AnswerBody, TargetBody, UploadBody};
use crate::exchange::{Clock, answered_by, to_client};
use crate::headers;
use crate::pool::Link;
use crate::refusal::Refusal;
use crate::target::InFlight;
use crate::tunnel::{self, Open};

/// The client's side of it.
pub(crate) struct Ends<'a> {
    pub(crate) client: OnUpgrade,
    pub(crate) open: Open,
    pub(crate) pending: &'a mut Option<Box<Pending>>,
}

/// A request to go on with another protocol: on a connection of its own, which becomes the tunnel if the target agrees.
pub(crate) async fn ask(
    message: Request<UploadBody>,
    mut link: Link,
    in_flight: InFlight,
    clock: Clock,
    ends: Ends<'_>,
) -> Result<Response<AnswerBody>, Refusal> {
    let target = Arc::clone(in_flight.target());
    tokio::spawn((*link.connection).with_upgrades());
    let answered = tokio::time::timeout_at(clock.began + clock.limit, link.sender.send_request(message)).await;
    let mut response = match answered {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            target.gave_no_answer();
            return Err(Refusal::Broken { target: target.place.to_string() });
        }
        Err(_) => {
            target.gave_no_answer();
            return Err(Refusal::Timeout { target: target.place.to_string(), limit: clock.limit });
        }
    };
    answered_by(&in_flight, &response, clock.began);
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let in_flight = Arc::new(in_flight);
        return Ok(to_client(response.map(|body| AnswerBody::target(TargetBody::new(body, None, in_flight)))));
    }
    let far = hyper::upgrade::on(&mut response);
    // The request is over when the tunnel is.
    let mut pending = ends.pending.take();
    if let Some(pending) = &mut pending {
        pending.answered(StatusCode::SWITCHING_PROTOCOLS.as_u16());
    }
    tokio::spawn(tunnel::upgraded(ends.client, far, in_flight, ends.open, pending));
    headers::to_client(response.headers_mut(), true);
    Ok(response.map(|_| AnswerBody::own(Bytes::new())))
}
