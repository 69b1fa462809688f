//! `endpoint`: something that answers and is not ours. It is asked from here whether it does; nothing is made.

use std::sync::Arc;
use std::time::Duration;

use imm_ir::{Fields, Value};
use imm_router::Elsewhere;
use imm_runtime::provider::{Created, Ctx, Error, ErrorKind, Handle, Level, Observation, Request, Result};
use tokio::time::{Instant, sleep};

use crate::api::{self, HealthCheck};
use crate::judge::Judge;
use crate::probe::{self, Whom};

use super::failure::permanent;
use super::handle;
use super::inputs::{self, field, text};

/// Reads an endpoint: its URL can be called and, with `health`, it is healthy now.
pub async fn read(ctx: &Ctx, request: &Request) -> Result<Created> {
    let address = &request.address;
    let url = text(&request.inputs, "url")?.ok_or_else(|| permanent(format!("{address}: `url` is missing"), None))?;
    let elsewhere: Elsewhere = url.parse().map_err(|cause| permanent(format!("{address}: {cause}"), None))?;
    match judged(ctx, &elsewhere, &request.inputs).await? {
        Level::Healthy => Ok(Created {
            handle: handle::of_endpoint(&elsewhere.to_string()),
            outputs: Fields::from([(Arc::from("url"), Value::text(url.as_str()))]),
            tainted: None,
        }),
        Level::Unhealthy(why) => Err(Error {
            kind: ErrorKind::Permanent,
            help: Some("imm does not own it: start it, or change `url` or `health`".to_owned()),
            ..permanent(format!("{address} is not healthy: {why}"), None)
        }),
        other => Err(permanent(format!("{address} is not healthy in time ({other:?})"), None)),
    }
}

/// Whether it is healthy now.
pub async fn health(ctx: &Ctx, handle: &Handle, policy: &Fields<Value>) -> Result<Level> {
    let elsewhere: Elsewhere =
        handle::url(handle)?.parse().map_err(|cause: imm_router::BadUrl| permanent(cause.to_string(), None))?;
    judged(ctx, &elsewhere, policy).await
}

/// How long a look at it may take.
const GLANCE_MS: u64 = 2_000;

/// Whether anything answers there now. What it says is not ours to judge outside of an apply.
pub async fn observe(handle: &Handle) -> Result<Observation> {
    let elsewhere: Elsewhere =
        handle::url(handle)?.parse().map_err(|cause: imm_router::BadUrl| permanent(cause.to_string(), None))?;
    let check = HealthCheck::Tcp { interval_ms: GLANCE_MS, timeout_ms: GLANCE_MS, healthy: 1, within_ms: GLANCE_MS };
    Ok(match probe::bounded(&check, &Whom::elsewhere(&elsewhere), GLANCE_MS).await {
        Ok(()) => Observation::Intact,
        Err(why) => Observation::Changed(vec![("answers".to_owned(), "yes".to_owned(), format!("no: {why}"))]),
    })
}

async fn judged(ctx: &Ctx, elsewhere: &Elsewhere, policy: &Fields<Value>) -> Result<Level> {
    let check = match field(policy, "health") {
        Some(Value::Variant(tag, payload)) => inputs::health(tag, payload)?,
        Some(_) | None => None,
    };
    let (interval_ms, timeout_ms) = match &check {
        None => return Ok(Level::Healthy),
        Some(HealthCheck::Http { interval_ms, timeout_ms, .. } | HealthCheck::Tcp { interval_ms, timeout_ms, .. }) => {
            (*interval_ms, *timeout_ms)
        }
        Some(HealthCheck::Running { .. } | HealthCheck::Exec { .. }) => {
            let said = "only `http` and `tcp` can tell whether something elsewhere works";
            return Err(permanent(said.to_owned(), None));
        }
    };
    let Some(check) = check else { return Ok(Level::Healthy) };
    let whom = Whom::elsewhere(elsewhere);
    let (begun, mut judge) = (Instant::now(), Judge::new(Some(&check)));
    loop {
        let outcome = probe::bounded(&check, &whom, timeout_ms).await;
        let age = begun.elapsed();
        match (judge.observe(outcome.is_ok(), age), outcome) {
            (api::Level::Healthy, _) => return Ok(Level::Healthy),
            (api::Level::Unhealthy, Err(why)) => return Ok(Level::Unhealthy(why)),
            (_, Err(why)) if age >= ctx.timeout => return Ok(Level::Unhealthy(why)),
            (_, Ok(())) if age >= ctx.timeout => return Ok(Level::Starting),
            _undecided => sleep(Duration::from_millis(interval_ms.max(10))).await,
        }
    }
}
