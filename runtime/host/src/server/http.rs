//! Requests: who may ask, which handler answers, how answers look.
//!
//! HTTP/1.1 with JSON on a unix socket of mode 0600. A caller of another user is refused (root may ask). Bodies are bounded. A
//! caller that goes away does not stop what it asked for.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};

use crate::api::{API, AgentReport, ApiError, Code, JournalPage, LogPage, LogQuery};
use crate::home::Home;

use super::clock::unix_ms;
use super::lineage::Lineage;
use super::metrics;
use super::registry::Registry;

/// Bytes of a request's body: a file's content may be in it.
const MAX_BODY: usize = 64 << 20;
/// How long answers may take at a stop.
const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// Longest wait that a caller may ask for.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// What answers requests.
#[derive(Debug)]
pub struct Api {
    /// All lineages.
    pub registry: Arc<Registry>,
    /// The agent's home.
    pub home: Home,
    /// Since when it runs.
    pub started_at_ms: u64,
    /// Set to stop the agent.
    pub stop: watch::Sender<bool>,
    /// Held by every request that is worked on.
    pub busy: watch::Sender<()>,
}

/// Accepts until the agent stops.
pub async fn accept(listener: UnixListener, api: Arc<Api>) {
    let mut stop = api.stop.subscribe();
    let (answering, mut answered) = mpsc::channel::<()>(1);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let (api, answering) = (Arc::clone(&api), answering.clone());
                    tokio::spawn(async move {
                        connection(stream, api).await;
                        drop(answering);
                    });
                }
            }
            _stopped = stop.wait_for(|stop| *stop) => break,
        }
    }
    // Whoever asked for the stop gets its answer before the process ends.
    drop(answering);
    let _ = tokio::time::timeout(LAST_ANSWERS, answered.recv()).await;
}

async fn connection(stream: UnixStream, api: Arc<Api>) {
    let own = nix::unistd::geteuid().as_raw();
    let allowed = stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0);
    let service = service_fn(move |request| {
        let (api, busy) = (Arc::clone(&api), api.busy.subscribe());
        // A task of its own: what was begun is finished also when the caller goes away.
        let answer = tokio::spawn(async move {
            let _busy = busy;
            if allowed { answer(&api, request).await } else { refuse() }
        });
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|cause| broken(&cause.to_string()))) }
    });
    // An error is a caller that went away in the middle of a request.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn refuse() -> Response<Full<Bytes>> {
    failed(&ApiError::no(Code::Invalid, "this agent belongs to another user"))
}

fn broken(cause: &str) -> Response<Full<Bytes>> {
    failed(&ApiError::maybe(Code::Internal, format!("the agent failed at this request: {cause}")))
}

async fn answer(api: &Api, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match dispatch(api, request).await {
        Ok(answer) => answer,
        Err(refused) => failed(&refused),
    }
}

async fn dispatch(api: &Api, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, ApiError> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let query = Query::parse(head.uri.query().unwrap_or_default());
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let unknown = || ApiError::no(Code::Unknown, format!("the agent has no {} {path}", head.method));
    let Some(("v1", segments)) = segments.split_first().map(|(first, rest)| (*first, rest)) else {
        return Err(unknown());
    };
    let get = head.method == Method::GET;
    let put = head.method == Method::PUT;
    let post = head.method == Method::POST;
    match segments {
        ["agent"] if get => json(&agent_report(api).await),
        ["agent", "stop"] if post => {
            api.stop.send_replace(true);
            json(&agent_report(api).await)
        }
        ["metrics"] if get => Ok(text(metrics::render(&api.registry.all().await).await)),
        ["lineages", lineage] if get => json(&api.registry.get(lineage).await?.report().await),
        ["lineages", lineage] if post => {
            let announce = read(body).await?;
            json(&api.registry.get_or_make(lineage).await?.announce(announce).await?)
        }
        ["lineages", lineage, "manifest"] if put => {
            let put = read(body).await?;
            json(&api.registry.get(lineage).await?.put_manifest(put).await?)
        }
        ["lineages", lineage, "confirm"] if post => {
            let confirm = read(body).await?;
            json(&api.registry.get(lineage).await?.confirm(confirm).await?)
        }
        ["lineages", lineage, "renew"] if post => {
            let renew = read(body).await?;
            json(&api.registry.get(lineage).await?.renew(renew).await?)
        }
        ["lineages", lineage, "samples"] if get => json(&api.registry.get(lineage).await?.samples()),
        ["lineages", lineage, "journal"] if get => {
            let entries = api.registry.get(lineage).await?.records.journal.after(query.number("after")?.unwrap_or(0));
            json(&JournalPage { entries })
        }
        ["lineages", lineage, "logs"] if get => json(&logs(&*api.registry.get(lineage).await?, &query).await?),
        ["lineages", lineage, "drain"] if post => {
            let crate::api::Drain { objects, write } = read(body).await?;
            json(&api.registry.get(lineage).await?.drain(&objects, write).await?)
        }
        ["lineages", lineage, "objects", id, rest @ ..] => {
            let lineage = match rest {
                [] if put => api.registry.get_or_make(lineage).await?,
                [] if head.method == Method::DELETE => api.registry.get_or_make(lineage).await?,
                _ => api.registry.get(lineage).await?,
            };
            match rest {
                [] if put => json(&lineage.put_object(id, read(body).await?).await?),
                [] if get => json(&lineage.whole_report(id)?),
                [] if head.method == Method::DELETE => json(&lineage.delete_object(id, read(body).await?).await?),
                ["activate"] if post => json(&lineage.activate(id, read(body).await?).await?),
                ["deactivate"] if post => json(&lineage.deactivate(id, read(body).await?).await?),
                ["compare"] if post => json(&lineage.compare(id, &read(body).await?)?),
                ["snapshot"] if post => json(&lineage.snapshot(id, read(body).await?).await?),
                ["policy"] if put => json(&lineage.put_policy(id, read(body).await?).await?),
                ["health"] if get => json(&lineage.health(id, query.wait()?).await?),
                _ => Err(unknown()),
            }
        }
        _ => Err(unknown()),
    }
}

async fn agent_report(api: &Api) -> AgentReport {
    AgentReport {
        api: API,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        home: api.home.root().to_string_lossy().into_owned(),
        started_at_ms: api.started_at_ms,
        now_ms: unix_ms(),
        lineages: api.registry.names().await,
    }
}

async fn logs(lineage: &Lineage, query: &Query) -> Result<LogPage, ApiError> {
    let access = query.word("access").is_some_and(|asked| asked == "true");
    let asked = LogQuery {
        access,
        object: query.word("object"),
        address: query.word("address"),
        generation: query.number("generation")?,
        since_ms: query.number("since_ms")?,
        after: query.number("after")?,
        limit: query.number("limit")?,
        wait_ms: query.number("wait_ms")?,
    };
    let logs = if access { &lineage.records.access } else { &lineage.records.logs };
    let until = tokio::time::Instant::now() + query.wait()?;
    let mut grown = logs.grown();
    loop {
        grown.mark_unchanged();
        let page = logs.find(&asked)?;
        if !page.lines.is_empty() || tokio::time::timeout_at(until, grown.changed()).await.is_err() {
            return Ok(page);
        }
    }
}

async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, ApiError> {
    let bytes = Limited::new(body, MAX_BODY)
        .collect()
        .await
        .map_err(|cause| ApiError::no(Code::Invalid, format!("the request's body cannot be read: {cause}")))?
        .to_bytes();
    // The cause may quote a value, and a value may be secret: only its place is said.
    serde_json::from_slice(&bytes).map_err(|cause| {
        let said = format!(
            "the request's body is not what is expected here (line {}, column {})",
            cause.line(),
            cause.column()
        );
        ApiError::no(Code::Invalid, said)
    })
}

fn json<T: Serialize>(value: &T) -> Result<Response<Full<Bytes>>, ApiError> {
    let bytes = serde_json::to_vec(value).map_err(io::Error::from)?;
    Ok(respond(StatusCode::OK, "application/json", bytes))
}

fn text(text: String) -> Response<Full<Bytes>> {
    respond(StatusCode::OK, "text/plain; version=0.0.4", text.into_bytes())
}

fn failed(refused: &ApiError) -> Response<Full<Bytes>> {
    respond(refused.code.status(), "application/json", serde_json::to_vec(refused).unwrap_or_default())
}

fn respond(status: StatusCode, kind: &'static str, bytes: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(bytes)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

/// A query string.
#[derive(Debug)]
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(key, value)| (key.to_owned(), crate::percent::decode(value))).collect())
    }

    fn word(&self, key: &str) -> Option<String> {
        self.0.iter().find(|(found, _)| found == key).map(|(_, value)| value.clone())
    }

    fn number(&self, key: &str) -> Result<Option<u64>, ApiError> {
        let Some(word) = self.word(key) else { return Ok(None) };
        word.parse().map(Some).map_err(|_| ApiError::no(Code::Invalid, format!("{key}={word:?} is not a number")))
    }

    fn wait(&self) -> Result<Duration, ApiError> {
        Ok(Duration::from_millis(self.number("wait_ms")?.unwrap_or(0)).min(MAX_WAIT))
    }
}
