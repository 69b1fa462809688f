//! One request: from its arrival to the head of its answer.
//!
//! Guarantees: a request is sent again only when the target cannot have acted on it (it never left), or when acting twice is the same as once and the
//! connection it was sent on had been used before (so that its end says nothing about the target). Everything else that breaks is told to the client.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use crate::access::{self, Pending};
use crate::body::{AnswerBody, Progress, TargetBody, UploadBody};
use crate::cookies;
use crate::headers::{self, Client};
use crate::pool::Link;
use crate::refusal::Refusal;
use crate::search::{Found, Search};
use crate::spec::Place;
use crate::target::InFlight;
use crate::traffic::Traffic;
use crate::tunnel::{self, Open};
use crate::wire;

/// The longest wait for a connection, if the route does not allow less.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Answers a request: with what a target says, or with the reason why none does.
pub(crate) async fn answer(
    traffic: &Traffic,
    client: &Client,
    open: &Open,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let mut pending = traffic.teller.as_ref().map(|teller| {
        let host = request.headers().get(header::HOST).cloned();
        let (method, uri, version) = (request.method().clone(), request.uri().clone(), request.version());
        Pending::new(teller, client.peer, Some(access::Http { method, host, uri, version, status: 0 }))
    });
    let answer = forward(traffic, client, open, request, &mut pending).await;
    let mut answer = answer.unwrap_or_else(Refusal::into_response);
    let is_switch = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    if (client.unread.load(Ordering::Acquire) && !is_switch) || open.borrow().is_last() {
        // Requests that came after the wish were not read strictly; and a router that finishes takes no further ones.
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(mut pending) = pending {
        pending.answered(answer.status().as_u16());
        answer.body_mut().tell_when_over(pending);
    }
    answer
}

async fn forward(
    traffic: &Traffic,
    client: &Client,
    open: &Open,
    mut request: Request<Incoming>,
    pending: &mut Option<Box<Pending>>,
) -> Result<Response<AnswerBody>, Refusal> {
    let has_body = !request.body().is_end_stream();
    let upgrade = (!has_body && headers::wants_upgrade(&request)).then(|| hyper::upgrade::on(&mut request));
    let (mut head, body) = request.into_parts();
    let host = headers::to_target(&mut head, client, upgrade.is_some())?;
    let uri = head.uri.clone();
    let progress = has_body.then(Progress::new);
    let body = UploadBody(progress.as_ref().map(|progress| (body, Arc::clone(progress))));
    let mut attempt = Attempt {
        repeatable: !has_body && upgrade.is_none() && head.method.is_idempotent(),
        fresh: upgrade.is_some(),
        message: message(head.method, head.uri, head.headers, body),
    };
    let mut search = Search::new(traffic);
    loop {
        let found = search.next(attempt.message.headers(), |table| {
            table.http(client.listener, headers::without_port(&host), uri.path())
        });
        let Found { in_flight, route, set_cookie } = found.await?;
        let target = Arc::clone(in_flight.target());
        if let Some(pending) = pending {
            pending.given_to(&route.id, Some(&target));
        }
        aim(&mut attempt.message, &target.place, &uri, &host);
        let Some(link) = attempt.link(&in_flight, route.timeout).await else {
            search.unreachable(target);
            continue;
        };
        if let Some(cookie) = route.steer.cookie() {
            cookies::remove(attempt.message.headers_mut(), cookie);
        }
        let clock = Clock { began: search.began(), limit: route.timeout, progress: progress.as_deref() };
        if let Some(upgrade) = upgrade {
            let tunnel = Tunnel { client: upgrade, open: open.clone(), pending };
            let answer = upgraded(attempt.message, link, in_flight, clock, tunnel).await?;
            return Ok(staying(answer, set_cookie));
        }
        match attempt.send(link, in_flight, clock).await? {
            Sent::Answered(response) => return Ok(staying(*response, set_cookie)),
            Sent::Unsent(message) => {
                // A connection that was open for long tells nothing about the target; a new one does.
                if attempt.fresh {
                    target.connect_failed();
                    target.recorder.failed();
                    search.unreachable(target);
                }
                attempt = Attempt { fresh: true, message: *message, repeatable: attempt.repeatable };
            }
        }
    }
}

fn staying(mut answer: Response<AnswerBody>, cookie: Option<HeaderValue>) -> Response<AnswerBody> {
    if let Some(cookie) = cookie {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}

/// Whom a request is for and what it asks: what the client said, but for somebody else's server. Said again for each target that is tried.
fn aim(message: &mut Request<UploadBody>, place: &Place, uri: &Uri, host: &HeaderValue) {
    match place {
        Place::Elsewhere(elsewhere) => elsewhere.aim(message, uri),
        Place::Address(_) | Place::Site(_) => {
            if message.uri() != uri {
                message.uri_mut().clone_from(uri);
            }
            if message.headers().get(header::HOST) != Some(host) {
                message.headers_mut().insert(header::HOST, host.clone());
            }
        }
    }
}

fn message(method: Method, uri: Uri, headers: HeaderMap, body: UploadBody) -> Request<UploadBody> {
    let mut message = Request::new(body);
    *message.method_mut() = method;
    *message.uri_mut() = uri;
    *message.headers_mut() = headers;
    message
}

/// One try to get a request answered.
struct Attempt {
    message: Request<UploadBody>,
    /// Sending it twice does the same as sending it once, and it can be sent twice.
    repeatable: bool,
    /// Only a new connection will do.
    fresh: bool,
}

enum Sent {
    Answered(Box<Response<AnswerBody>>),
    /// To be sent again, on a new connection.
    Unsent(Box<Request<UploadBody>>),
}

/// How long a target may take.
struct Clock<'a> {
    began: Instant,
    limit: Duration,
    progress: Option<&'a Progress>,
}

impl Attempt {
    /// A connection to the target: an idle one if that will do. `None`: the target cannot be reached.
    async fn link(&mut self, in_flight: &InFlight, limit: Duration) -> Option<Link> {
        if !self.fresh {
            if let Some(link) = in_flight.target().pool.take(self.repeatable).await {
                return Some(link);
            }
            self.fresh = true;
        }
        let wire = wire::connect(in_flight, limit.min(CONNECT_LIMIT)).await.ok()?;
        // Fails for HTTP/2 only.
        let (sender, connection) = http1::handshake(TokioIo::new(wire)).await.ok()?;
        Some(Link::new(sender, connection, Instant::now() + limit))
    }

    async fn send(&mut self, mut link: Link, in_flight: InFlight, clock: Clock<'_>) -> Result<Sent, Refusal> {
        let target = Arc::clone(in_flight.target());
        let spare = (self.repeatable && !self.fresh)
            .then(|| (self.message.method().clone(), self.message.uri().clone(), self.message.headers().clone()));
        let message = std::mem::replace(&mut self.message, Request::new(UploadBody(None)));
        let answered = link.sender.try_send_request(message);
        tokio::pin!(answered);
        let mut until = clock.began + clock.limit;
        let mut ended = false;
        let outcome = std::future::poll_fn(|cx| {
            ended = ended || link.drive(cx);
            if let std::task::Poll::Ready(outcome) = answered.as_mut().poll(cx) {
                return std::task::Poll::Ready(Ok(outcome));
            }
            while link.poll_until(until, cx).is_ready() {
                // A body that still moves is a reason to wait.
                until = clock.progress.map_or(clock.began, |progress| progress.last()) + clock.limit;
                if until <= Instant::now() {
                    return std::task::Poll::Ready(Err(()));
                }
            }
            std::task::Poll::Pending
        })
        .await;
        let unfinished = clock.progress.is_some_and(|progress| !progress.is_finished());
        match outcome {
            Ok(Ok(response)) => {
                answered_by(&in_flight, &response, clock.began);
                let in_flight = Arc::new(in_flight);
                let link = if ended {
                    None
                } else if unfinished {
                    // The body of the request goes on on its own, whether or not the client takes the answer.
                    let in_flight = Arc::clone(&in_flight);
                    tokio::spawn(async move {
                        let _ended = link.connection.await;
                        drop(in_flight);
                    });
                    None
                } else {
                    Some(link)
                };
                let response = response.map(|body| AnswerBody::target(TargetBody::new(body, link, in_flight)));
                Ok(Sent::Answered(Box::new(to_client(response))))
            }
            Ok(Err(mut error)) => match (error.take_message(), spare) {
                (Some(message), _) => Ok(Sent::Unsent(Box::new(message))),
                (None, Some((method, uri, headers))) => {
                    Ok(Sent::Unsent(Box::new(self::message(method, uri, headers, UploadBody(None)))))
                }
                (None, None) if clock.progress.is_some_and(Progress::is_broken) => Err(Refusal::BrokenBody),
                (None, None) => {
                    target.gave_no_answer();
                    Err(Refusal::Broken { target: target.place.to_string() })
                }
            },
            Err(()) if unfinished => Err(Refusal::ClientStalled { limit: clock.limit }),
            Err(()) => {
                target.gave_no_answer();
                Err(Refusal::Timeout { target: target.place.to_string(), limit: clock.limit })
            }
        }
    }
}

fn to_client(mut response: Response<AnswerBody>) -> Response<AnswerBody> {
    headers::to_client(response.headers_mut(), false);
    *response.version_mut() = http::Version::HTTP_11;
    response
}

fn answered_by(in_flight: &InFlight, response: &Response<Incoming>, began: Instant) {
    in_flight.target().gave_an_answer();
    let recorder = &in_flight.target().recorder;
    recorder.request();
    recorder.latency(began.elapsed());
    if response.status().is_server_error() {
        recorder.error();
    }
}

/// What is needed to go on with another protocol.
struct Tunnel<'a> {
    client: OnUpgrade,
    open: Open,
    pending: &'a mut Option<Box<Pending>>,
}

/// A request to go on with another protocol: on a connection of its own, which becomes the tunnel if the target agrees.
async fn upgraded(
    message: Request<UploadBody>,
    mut link: Link,
    in_flight: InFlight,
    clock: Clock<'_>,
    tunnel: Tunnel<'_>,
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
    let mut pending = tunnel.pending.take();
    if let Some(pending) = &mut pending {
        pending.answered(StatusCode::SWITCHING_PROTOCOLS.as_u16());
    }
    tokio::spawn(tunnel::upgraded(tunnel.client, far, in_flight, tunnel.open, pending));
    headers::to_client(response.headers_mut(), true);
    Ok(response.map(|_| AnswerBody::own(Bytes::new())))
}
