//! Asks something whether it works and tells the outcome: a container again and again, an endpoint when it is read.
//!
//! Each probe is bounded in time. A probe reads at most the head of an answer. Decides nothing: see `judge`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use imm_router::Elsewhere;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::api::HealthCheck;

/// One probe's outcome; the failure in words.
pub type Outcome = Result<(), String>;

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whom {
    host: String,
    port: u16,
    /// What `Host` says, and the name in messages.
    authority: String,
    /// Put before a path.
    elsewhere: Option<Elsewhere>,
}

impl Whom {
    /// A program of this machine.
    pub fn here(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port(), authority: address.to_string(), elsewhere: None }
    }

    /// A server elsewhere.
    pub fn elsewhere(elsewhere: &Elsewhere) -> Self {
        let (host, port) = elsewhere.host_and_port();
        let authority = elsewhere.authority().to_owned();
        Self { host: host.to_owned(), port, authority, elsewhere: Some(elsewhere.clone()) }
    }

    fn is_encrypted(&self) -> bool {
        self.elsewhere.as_ref().is_some_and(Elsewhere::is_encrypted)
    }

    fn path(&self, path: &str) -> String {
        self.elsewhere.as_ref().map_or_else(|| path.to_owned(), |elsewhere| elsewhere.path(path))
    }
}

/// Runs a program in the container that is probed, at most so long. Blocks.
pub type InContainer = Arc<dyn Fn(&[String], Duration) -> Outcome + Send + Sync>;

/// Probes until nobody listens.
pub async fn watch(check: HealthCheck, whom: Option<Whom>, inside: InContainer, outcomes: mpsc::Sender<Outcome>) {
    let (interval_ms, timeout_ms) = match &check {
        HealthCheck::Http { interval_ms, timeout_ms, .. }
        | HealthCheck::Tcp { interval_ms, timeout_ms, .. }
        | HealthCheck::Exec { interval_ms, timeout_ms, .. } => (*interval_ms, *timeout_ms),
        HealthCheck::Running { for_ms } => {
            sleep(Duration::from_millis(*for_ms)).await;
            // Nobody listens any more when the run has ended.
            let _ = outcomes.send(Ok(())).await;
            return;
        }
    };
    let interval = Duration::from_millis(interval_ms.max(10));
    let mut ticks = interval_at(Instant::now(), interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // A program needs a moment to listen; asking more often at first makes it known as healthy sooner.
    let mut early = Duration::from_millis(20).min(interval);
    let mut failing_early = true;
    loop {
        if failing_early && early < interval {
            sleep(early).await;
            early *= 2;
        } else {
            ticks.tick().await;
        }
        let outcome = match (&check, &whom) {
            (HealthCheck::Exec { cmd, .. }, _) => {
                let (inside, cmd) = (Arc::clone(&inside), cmd.clone());
                let ran = spawn_blocking(move || inside(&cmd, Duration::from_millis(timeout_ms))).await;
                ran.unwrap_or_else(|cause| Err(cause.to_string()))
            }
            (_, Some(whom)) => bounded(&check, whom, timeout_ms).await,
            (_, None) => Err("there is no port to ask: the container declares none".to_owned()),
        };
        if outcome.is_ok() && failing_early {
            failing_early = false;
            ticks.reset();
        }
        if outcomes.send(outcome).await.is_err() {
            return;
        }
    }
}

/// One probe, at most so long.
pub async fn bounded(check: &HealthCheck, whom: &Whom, timeout_ms: u64) -> Outcome {
    let late = |_| Err(format!("{}: no answer within {timeout_ms} ms", describe(check, whom)));
    timeout(Duration::from_millis(timeout_ms), once(check, whom)).await.unwrap_or_else(late)
}

async fn once(check: &HealthCheck, whom: &Whom) -> Outcome {
    let said = |cause: String| format!("{}: {cause}", describe(check, whom));
    let connected = TcpStream::connect((whom.host.as_str(), whom.port)).await;
    let stream = connected.map_err(|cause| said(cause.to_string()))?;
    let HealthCheck::Http { path, status, .. } = check else { return Ok(()) };
    let answered = if whom.is_encrypted() {
        match imm_router::encrypt(stream, &whom.host).await {
            Ok(stream) => status_of(stream, whom, path).await,
            Err(cause) => Err(cause.to_string()),
        }
    } else {
        status_of(stream, whom, path).await
    };
    match answered.map_err(said)? {
        good if status.contains(&good) => Ok(()),
        bad => Err(said(format!("answered {bad}, expected {}", list(status)))),
    }
}

/// The status of what is answered to a GET.
async fn status_of(stream: impl AsyncRead + AsyncWrite + Unpin, whom: &Whom, path: &str) -> Result<u16, String> {
    let words = |cause: hyper::Error| cause.to_string();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(words)?;
    let request = http::Request::get(whom.path(path))
        .header(http::header::HOST, whom.authority.as_str())
        .header(http::header::USER_AGENT, "imm-health")
        .header(http::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|cause| cause.to_string())?;
    let asked = async { sender.send_request(request).await };
    tokio::pin!(asked);
    // The connection is driven only as long as the answer's head is awaited, and closed by dropping it.
    let answer = tokio::select! {
        answer = &mut asked => answer,
        _ended = connection => asked.await,
    };
    Ok(answer.map_err(words)?.status().as_u16())
}

fn list(status: &[u16]) -> String {
    status.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
}

fn describe(check: &HealthCheck, whom: &Whom) -> String {
    match check {
        HealthCheck::Http { path, .. } => {
            let scheme = if whom.is_encrypted() { "https" } else { "http" };
            format!("GET {scheme}://{}{}", whom.authority, whom.path(path))
        }
        HealthCheck::Tcp { .. } => format!("connecting to {}", whom.authority),
        HealthCheck::Exec { cmd, .. } => cmd.join(" "),
        HealthCheck::Running { .. } => "running".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn nobody() -> InContainer {
        Arc::new(|_, _| Err("nobody is asked".to_owned()))
    }

    fn http(path: &str) -> HealthCheck {
        HealthCheck::Http {
            path: path.to_owned(),
            interval_ms: 10,
            timeout_ms: 2000,
            healthy: 1,
            within_ms: 1000,
            status: vec![200],
        }
    }

    /// A server that answers one connection with `answer`.
    async fn server(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn the_status_decides() {
        let good = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        once(&http("/healthz"), &Whom::here(good)).await.unwrap();
        let bad = server("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n").await;
        let said = once(&http("/healthz"), &Whom::here(bad)).await.unwrap_err();
        assert!(said.ends_with("/healthz: answered 503, expected 200"), "{said}");
    }

    #[tokio::test]
    async fn nobody_there_and_no_port_are_said() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let tcp = HealthCheck::Tcp { interval_ms: 1, timeout_ms: 1, healthy: 1, within_ms: 1 };
        assert!(once(&tcp, &Whom::here(address)).await.unwrap_err().contains("refused"));
        let (sender, mut outcomes) = mpsc::channel(1);
        tokio::spawn(watch(tcp, None, nobody(), sender));
        assert!(outcomes.recv().await.unwrap().unwrap_err().contains("no port"));
    }

    #[tokio::test(start_paused = true)]
    async fn running_long_enough_is_one_success() {
        let (sender, mut outcomes) = mpsc::channel(1);
        let begun = Instant::now();
        tokio::spawn(watch(HealthCheck::Running { for_ms: 5000 }, None, nobody(), sender));
        assert_eq!(outcomes.recv().await, Some(Ok(())));
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
        assert_eq!(outcomes.recv().await, None);
    }
}
