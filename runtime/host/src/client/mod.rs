//! The way to the agent: requests over its socket, and starting it when it does not run.
//!
//! One connection a request: a unix socket costs nothing, and no state can go stale when the agent is replaced. Every request is
//! bounded in time. `start` holds what concerns the agent's process.

mod calls;
mod start;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::api::{ApiError, Happened};
use crate::home::Home;

pub use start::{StartError, connect_or_start, running, stop, upgrade};

/// How long a request may take that does not say otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// Requests to one home's agent. Cheap to clone; nothing is open between requests.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    patience: Duration,
}

/// Why a request has no good answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The agent refused it or failed at it.
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// Nobody listens on the socket: nothing was sent.
    #[error("no agent answers at {socket}: {cause}")]
    Unreachable {
        /// The socket.
        socket: String,
        /// The system's reason.
        cause: String,
    },
    /// The agent went away or did not answer in time.
    #[error("the agent's answer to {request} is lost: {cause}")]
    Lost {
        /// Method and path.
        request: String,
        /// What went wrong.
        cause: String,
    },
}

impl ClientError {
    /// Whether what was asked for took place.
    #[must_use]
    pub fn happened(&self) -> Happened {
        match self {
            Self::Refused(refused) => refused.happened,
            Self::Unreachable { .. } => Happened::No,
            Self::Lost { .. } => Happened::Maybe,
        }
    }
}

impl Client {
    /// For the agent of a home, whether it runs or not.
    #[must_use]
    pub fn new(home: &Home) -> Self {
        Self { socket: home.socket(), patience: PATIENCE }
    }

    /// The same agent, with another bound on every request.
    #[must_use]
    pub fn with_patience(&self, patience: Duration) -> Self {
        Self { socket: self.socket.clone(), patience }
    }

    /// Where it is reached.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(Method::GET, path, Vec::new()).await
    }

    async fn send<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        let lost = |cause: serde_json::Error| ClientError::Lost {
            request: format!("{method} {path}"),
            cause: cause.to_string(),
        };
        let bytes = serde_json::to_vec(body).map_err(lost)?;
        self.json(method.clone(), path, bytes).await
    }

    async fn json<T: DeserializeOwned>(&self, method: Method, path: &str, body: Vec<u8>) -> Result<T, ClientError> {
        let bytes = self.raw(method.clone(), path, body).await?;
        serde_json::from_slice(&bytes).map_err(|cause| ClientError::Lost {
            request: format!("{method} {path}"),
            cause: format!("it cannot be read: {cause}"),
        })
    }

    async fn raw(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Bytes, ClientError> {
        let name = format!("{method} {path}");
        let lost = |cause: String| ClientError::Lost { request: name.clone(), cause };
        let unreachable = |cause: String| ClientError::Unreachable { socket: self.socket.display().to_string(), cause };
        let stream = UnixStream::connect(&self.socket).await.map_err(|cause| unreachable(cause.to_string()))?;
        let request = Request::builder()
            .method(method)
            .uri(format!("/v1/{path}"))
            .header(header::HOST, "agent")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|cause| lost(cause.to_string()))?;
        let exchange = async {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            let driver = tokio::spawn(connection);
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let bytes = answer.into_body().collect().await?.to_bytes();
            driver.abort();
            Ok::<_, hyper::Error>((status, bytes))
        };
        let (status, bytes) = timeout(self.patience, exchange)
            .await
            .map_err(|_| lost(format!("nothing came within {} s", self.patience.as_secs())))?
            .map_err(|cause| lost(cause.to_string()))?;
        if status == StatusCode::OK {
            return Ok(bytes);
        }
        match serde_json::from_slice::<ApiError>(&bytes) {
            Ok(refused) => Err(ClientError::Refused(refused)),
            Err(_) => Err(lost(format!("status {status} without a reason"))),
        }
    }
}
