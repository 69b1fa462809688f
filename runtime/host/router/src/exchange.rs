//! One request: from its arrival to the head of its answer.
//!
//! Guarantees: a request is sent again only when the target cannot have acted on it (it never left), or when acting twice is the same as once and the
//! connection it was sent on had been used before (so that its end says nothing about the target). Everything else that breaks is told to the client.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode, Uri};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use crate::access::Pending;
use crate::body::{AnswerBody, Progress, TargetBody, UploadBody};
use crate::cookies;
use crate::headers::{self, Client};
use crate::pool::Link;
use crate::refusal::Refusal;
use crate::search::{Found, Search};
use crate::spare::{self, Spare};
use crate::spec::Place;
use crate::target::InFlight;
use crate::traffic::Traffic;
use crate::tunnel::Open;
use crate::upgrade;
use crate::wire;

/// The longest wait for a connection, if the route does not allow less.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// What the requests of one connection of a client share.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) traffic: Traffic,
    pub(crate) client: Client,
    pub(crate) open: Open,
}

/// Answers a request: with what a target says, or with the reason why none does.
///
/// A server copies this future to where it polls it, and each connection has a place of its own for that: all of the request is in the one box.
pub(crate) fn answer(
    caller: Arc<Caller>,
    request: Request<Incoming>,
) -> Pin<Box<impl Future<Output = Result<Response<AnswerBody>, Infallible>>>> {
    let mut pending = Pending::of_request(&caller, &request);
    let mut exchange = Exchange::new(&caller.client, request);
    Box::pin(async move {
        let answer = match &mut exchange {
            Ok(exchange) => exchange.forward(&caller, &mut pending).await,
            Err(refusal) => Err(refusal.clone()),
        };
        let mut answer = answer.unwrap_or_else(Refusal::into_response);
        let is_switch = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        if (caller.client.unread.load(Ordering::Acquire) && !is_switch) || caller.open.borrow().is_last() {
            // Requests that came after the wish were not read strictly; and a router that finishes takes no further ones.
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(mut pending) = pending {
            pending.answered(answer.status().as_u16());
            answer.body_mut().tell_when_over(pending);
        }
        Ok(answer)
    })
}

/// One request on its way to a target.
struct Exchange {
    /// As the target is to get it.
    message: Request<UploadBody>,
    /// Whom and what the client asked for.
    host: HeaderValue,
    uri: Uri,
    /// The client's end, when it wants to go on with another protocol.
    upgrade: Option<OnUpgrade>,
    /// Of the body, if there is one.
    progress: Option<Arc<Progress>>,
    /// Sending it twice does the same as sending it once, and it can be sent twice.
    repeatable: bool,
    /// Only a new connection will do.
    fresh: bool,
    /// The message is as somebody else's server is to get it.
    elsewhere: bool,
}

/// How long a target may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) began: Instant,
    pub(crate) limit: Duration,
}

impl Exchange {
    fn new(client: &Client, mut request: Request<Incoming>) -> Result<Self, Refusal> {
        let has_body = !request.body().is_end_stream();
        let upgrade = (!has_body && headers::wants_upgrade(&request)).then(|| hyper::upgrade::on(&mut request));
        let (mut head, body) = request.into_parts();
        let host = headers::to_target(&mut head, client, upgrade.is_some())?;
        let uri = head.uri.clone();
        let progress = has_body.then(Progress::new);
        let body = UploadBody(progress.as_ref().map(|progress| (body, Arc::clone(progress))));
        let repeatable = !has_body && upgrade.is_none() && head.method.is_idempotent();
        let fresh = upgrade.is_some();
        let message = spare::message(head.method, head.uri, head.headers, body);
        Ok(Self { message, host, uri, upgrade, progress, repeatable, fresh, elsewhere: false })
    }

    async fn forward(
        &mut self,
        caller: &Caller,
        pending: &mut Option<Box<Pending>>,
    ) -> Result<Response<AnswerBody>, Refusal> {
        let mut search = Search::new(&caller.traffic);
        loop {
            let found = search.next(self.message.headers(), |table| {
                table.http(caller.client.listener, headers::without_port(&self.host), self.uri.path())
            });
            let Found { in_flight, route, set_cookie } = found.await?;
            if let Some(pending) = pending {
                pending.given_to(&route.id, Some(in_flight.target()));
            }
            self.aim(&in_flight.target().place);
            let Some(link) = self.link(&in_flight, route.timeout).await else {
                search.unreachable(Arc::clone(in_flight.target()));
                continue;
            };
            if let Some(cookie) = route.steer.cookie() {
                cookies::remove(self.message.headers_mut(), cookie);
            }
            let clock = Clock { began: search.began(), limit: route.timeout };
            if let Some(upgrade) = self.upgrade.take() {
                let ends = upgrade::Ends { client: upgrade, open: caller.open.clone(), pending };
                let answer = Box::pin(upgrade::ask(self.take_message(), link, in_flight, clock, ends)).await?;
                return Ok(staying(answer, set_cookie));
            }
            let target = Arc::clone(in_flight.target());
            if let Some(response) = self.send(link, in_flight, clock).await? {
                return Ok(staying(response, set_cookie));
            }
            // A connection that was open for long tells nothing about the target; a new one does.
            if std::mem::replace(&mut self.fresh, true) {
                target.connect_failed();
                target.recorder.failed();
                search.unreachable(target);
            }
        }
    }

    /// Says whom the message is for and what it asks: what the client said, but for somebody else's server.
    fn aim(&mut self, place: &Place) {
        match place {
            Place::Elsewhere(elsewhere) => {
                elsewhere.aim(&mut self.message, &self.uri);
                self.elsewhere = true;
            }
            Place::Address(_) | Place::Site(_) => {
                if std::mem::take(&mut self.elsewhere) {
                    self.message.uri_mut().clone_from(&self.uri);
                    self.message.headers_mut().insert(header::HOST, self.host.clone());
                }
            }
        }
    }

    fn take_message(&mut self) -> Request<UploadBody> {
        std::mem::replace(&mut self.message, Request::new(UploadBody(None)))
    }

    /// A connection to the target: an idle one if that will do. `None`: the target cannot be reached.
    async fn link(&mut self, in_flight: &InFlight, limit: Duration) -> Option<Link> {
        if !self.fresh {
            if let Some(link) = in_flight.target().pool.take(self.repeatable).await {
                return Some(link);
            }
            self.fresh = true;
        }
        // Rare, and large: it is not to be a part of every request.
        Box::pin(connect(in_flight, limit)).await
    }

    /// Gives the message to the target and waits for its answer. `None`: it is to be sent again, on a new connection.
    async fn send(
        &mut self,
        mut link: Link,
        in_flight: InFlight,
        clock: Clock,
    ) -> Result<Option<Response<AnswerBody>>, Refusal> {
        let spare = (self.repeatable && !self.fresh).then(|| Spare::of(&self.message));
        let mut until = clock.began + clock.limit;
        let mut ended = false;
        let outcome = {
            let answered = link.sender.try_send_request(self.take_message());
            tokio::pin!(answered);
            std::future::poll_fn(|cx| {
                ended = ended || link.drive(cx);
                if let std::task::Poll::Ready(outcome) = answered.as_mut().poll(cx) {
                    return std::task::Poll::Ready(Some(outcome));
                }
                while link.poll_until(until, cx).is_ready() {
                    // A body that still moves is a reason to wait.
                    let moved = self.progress.as_deref().map_or(clock.began, Progress::last);
                    until = moved + clock.limit;
                    if until <= Instant::now() {
                        return std::task::Poll::Ready(None);
                    }
                }
                std::task::Poll::Pending
            })
            .await
        };
        let progress = self.progress.as_deref();
        let unfinished = progress.is_some_and(|progress| !progress.is_finished());
        let target = in_flight.target();
        match outcome {
            Some(Ok(response)) => {
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
                Ok(Some(to_client(response)))
            }
            Some(Err(mut error)) => match error.take_message().or_else(|| spare.map(Spare::message)) {
                Some(message) => {
                    self.message = message;
                    Ok(None)
                }
                None if progress.is_some_and(Progress::is_broken) => Err(Refusal::BrokenBody),
                None => {
                    target.gave_no_answer();
                    Err(Refusal::Broken { target: target.place.to_string() })
                }
            },
            None if unfinished => Err(Refusal::ClientStalled { limit: clock.limit }),
            None => {
                target.gave_no_answer();
                Err(Refusal::Timeout { target: target.place.to_string(), limit: clock.limit })
            }
        }
    }
}

/// A new connection to the target. `None`: it cannot be reached.
async fn connect(in_flight: &InFlight, limit: Duration) -> Option<Link> {
    let wire = wire::connect(in_flight, limit.min(CONNECT_LIMIT)).await.ok()?;
    // Fails for HTTP/2 only.
    let (sender, connection) = http1::handshake(TokioIo::new(wire)).await.ok()?;
    Some(Link::new(sender, connection, Instant::now() + limit))
}

fn staying(mut answer: Response<AnswerBody>, cookie: Option<HeaderValue>) -> Response<AnswerBody> {
    if let Some(cookie) = cookie {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}

/// The answer of a target, fit for the client.
pub(crate) fn to_client(mut response: Response<AnswerBody>) -> Response<AnswerBody> {
    headers::to_client(response.headers_mut(), false);
    *response.version_mut() = http::Version::HTTP_11;
    response
}

/// Counts what a target says.
pub(crate) fn answered_by(in_flight: &InFlight, response: &Response<Incoming>, began: Instant) {
    in_flight.target().gave_an_answer();
    let recorder = &in_flight.target().recorder;
    recorder.request();
    recorder.latency(began.elapsed());
    if response.status().is_server_error() {
        recorder.error();
    }
}
