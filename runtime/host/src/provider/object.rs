//! Objects that the agent keeps: create, look, activate, destroy.

use std::sync::Arc;
use std::time::Duration;

use imm_ir::{Digest, Fields, Value};
use imm_runtime::id::ObjectId;
use imm_runtime::provider::{
    Created, Ctx, Error, ErrorKind, Handle, Happened, Level, Observation, Request, Result, Setting, There,
};
use tokio::time::Instant;

use crate::api::{self, Code, DeleteObject, Drain, ObjectReport, PutObject, PutPolicy, TakeSnapshot, Write};
use crate::client::ClientError;

use super::failure::permanent;
use super::{HostProvider, handle, inputs, not_provided};

/// Longest single wait that the agent grants.
const WAIT: Duration = Duration::from_secs(20);

impl HostProvider {
    pub(super) async fn create_object(&self, ctx: &Ctx, request: &Request) -> Result<Created> {
        let put = PutObject {
            fence: ctx.fence,
            address: request.address.to_string(),
            generation: Some(ctx.generation),
            dormant: request.dormant,
            object: inputs::spec(request)?,
        };
        let (lineage, id) = (ctx.lineage.to_string(), request.object.to_string());
        let report = self.ask(ctx, |agent| {
            let (lineage, id, put) = (lineage.clone(), id.clone(), put.clone());
            async move { agent.put_object(&lineage, &id, &put).await }
        });
        Ok(created(request.object, &report.await?))
    }

    pub(super) async fn find_object(&self, ctx: &Ctx, object: ObjectId) -> Result<Option<Created>> {
        Ok(self.report(ctx, object).await?.map(|report| created(object, &report)))
    }

    pub(super) async fn inspect_object(
        &self,
        ctx: &Ctx,
        object: ObjectId,
        declared: Option<&Request>,
    ) -> Result<Option<There>> {
        let Some(report) = self.report(ctx, object).await? else { return Ok(None) };
        let acts = matches!(&*report.kind, "container" | "job") && report.health.level != api::Level::Dormant;
        let there = There { acts, ..There::at_rest(created(object, &report)) };
        let setting = match (self.pointer_setting(ctx, object).await?, report.meant_for) {
            // Never switched: it has what it was made with.
            (None, Some(bytes)) => {
                let size = Value::Bytes(i64::try_from(bytes).unwrap_or(i64::MAX));
                Some((0, Setting { inputs: Fields::from([(Arc::from("size"), size)]), ..Setting::default() }))
            }
            (found, _) => found,
        };
        let mut differs = match observed(report) {
            Observation::Changed(fields) => fields,
            Observation::Intact => Vec::new(),
            Observation::Missing => return Ok(None),
        };
        if let Some(request) = declared {
            let (lineage, id, spec) = (ctx.lineage.to_string(), object.to_string(), inputs::spec(request)?);
            let compared = self.ask(ctx, |agent| {
                let (lineage, id, spec) = (lineage.clone(), id.clone(), spec.clone());
                async move { agent.compare(&lineage, &id, &spec).await }
            });
            differs.extend(compared.await?.differs.into_iter().map(|f| (f.name, f.recorded, f.observed)));
        }
        Ok(Some(There { setting, differs, ..there }))
    }

    pub(super) async fn list_objects(&self, ctx: &Ctx) -> Result<Vec<(ObjectId, Arc<str>)>> {
        let lineage = ctx.lineage.to_string();
        let report = self.ask(ctx, |agent| {
            let lineage = lineage.clone();
            async move { known(agent.lineage(&lineage).await) }
        });
        let objects = report.await?.map(|report| report.objects).unwrap_or_default();
        let named = |report: ObjectReport| Some((ObjectId(Digest::from_hex(&report.object)?), Arc::from(report.kind)));
        Ok(objects.into_iter().filter_map(named).collect())
    }

    pub(super) async fn container_health(&self, ctx: &Ctx, object: ObjectId, policy: &Fields<Value>) -> Result<Level> {
        let (lineage, id) = (ctx.lineage.to_string(), object.to_string());
        if !policy.is_empty() {
            let put = PutPolicy { fence: ctx.fence, policy: inputs::policy(policy)? };
            let told = self.ask(ctx, |agent| {
                let (lineage, id, put) = (lineage.clone(), id.clone(), put.clone());
                async move { known(agent.put_policy(&lineage, &id, &put).await) }
            });
            if told.await?.is_none() {
                return Ok(Level::Missing);
            }
        }
        Ok(self.settled(ctx, object).await?.map_or(Level::Missing, |health| level(&health)))
    }

    /// How a job is: not begun, running, or ended. One that ended and nobody saw how is ill for ever.
    pub(super) async fn job_health(&self, ctx: &Ctx, object: ObjectId) -> Result<Level> {
        let Some(health) = self.settled(ctx, object).await? else { return Ok(Level::Missing) };
        Ok(match (health.level, health.exit_code) {
            (api::Level::Exited, Some(code)) => Level::Exited(code, words(&health)),
            (api::Level::Exited, None) => Level::Unhealthy(words(&health)),
            (api::Level::Dormant, _) => Level::Dormant,
            (api::Level::Starting | api::Level::Healthy | api::Level::Unhealthy, _) => Level::Starting,
        })
    }

    /// Its health, once that is more than that it is starting, or the time is over.
    async fn settled(&self, ctx: &Ctx, object: ObjectId) -> Result<Option<api::Health>> {
        let (lineage, id) = (ctx.lineage.to_string(), object.to_string());
        let deadline = Instant::now() + ctx.timeout;
        loop {
            let wait = deadline.saturating_duration_since(Instant::now()).min(WAIT);
            let health = self.ask(ctx, |agent| {
                let (lineage, id) = (lineage.clone(), id.clone());
                async move { known(agent.health(&lineage, &id, wait).await) }
            });
            let Some(health) = health.await? else { return Ok(None) };
            if health.level != api::Level::Starting || Instant::now() >= deadline {
                return Ok(Some(health));
            }
        }
    }

    pub(super) async fn set_activity(&self, ctx: &Ctx, kind: &str, object: ObjectId, active: bool) -> Result<()> {
        match kind {
            "container" | "job" => {}
            "endpoint" | "file" | "image" | "route" | "secret" | "site" | "volume" => return Ok(()),
            other => return Err(not_provided(other)),
        }
        let (lineage, id) = (ctx.lineage.to_string(), object.to_string());
        let write = Write { fence: ctx.fence, deadline_ms: None };
        let told = self.ask(ctx, |agent| {
            let (lineage, id) = (lineage.clone(), id.clone());
            async move {
                if active {
                    agent.activate(&lineage, &id, &write).await
                } else {
                    agent.deactivate(&lineage, &id, &write).await
                }
            }
        });
        told.await.map(|_| ())
    }

    pub(super) async fn take_snapshot(&self, ctx: &Ctx, volume: ObjectId, token: Digest) -> Result<Handle> {
        let (lineage, id) = (ctx.lineage.to_string(), volume.to_string());
        let take = TakeSnapshot { fence: ctx.fence, token: token.hex() };
        let taken = self.ask(ctx, |agent| {
            let (lineage, id, take) = (lineage.clone(), id.clone(), take.clone());
            async move { agent.snapshot(&lineage, &id, &take).await }
        });
        Ok(handle::of_snapshot(&taken.await?.path))
    }

    pub(super) async fn destroy_object(&self, ctx: &Ctx, object: ObjectId) -> Result<bool> {
        let (lineage, id) = (ctx.lineage.to_string(), object.to_string());
        // The engine destroys a durable only after a recorded consent with its id.
        let delete = DeleteObject { fence: ctx.fence, consent: true };
        let cleared = self.ask(ctx, |agent| {
            let (lineage, id) = (lineage.clone(), id.clone());
            async move { agent.delete_object(&lineage, &id, &delete).await }
        });
        Ok(cleared.await?.was_missing)
    }

    pub(super) async fn drain_objects(&self, ctx: &Ctx, objects: &[ObjectId], deadline: Duration) -> Result<u64> {
        let lineage = ctx.lineage.to_string();
        let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        let drain = Drain {
            objects: objects.iter().map(ToString::to_string).collect(),
            write: Write { fence: ctx.fence, deadline_ms: Some(deadline_ms) },
        };
        let patient = Ctx { timeout: ctx.timeout.max(deadline), ..ctx.clone() };
        let drained = self.ask(&patient, |agent| {
            let (lineage, drain) = (lineage.clone(), drain.clone());
            async move { agent.drain(&lineage, &drain).await }
        });
        Ok(drained.await?.cut)
    }

    pub(super) async fn report(&self, ctx: &Ctx, object: ObjectId) -> Result<Option<ObjectReport>> {
        let (lineage, id) = (ctx.lineage.to_string(), object.to_string());
        let report = self.ask(ctx, |agent| {
            let (lineage, id) = (lineage.clone(), id.clone());
            async move { known(agent.object(&lineage, &id).await) }
        });
        report.await
    }
}

/// What an object looks like to its agent, next to what it was made as.
pub(super) fn observed(report: ObjectReport) -> Observation {
    if report.lost {
        return Observation::Missing;
    }
    let fields: Vec<_> = report.changed.into_iter().map(|f| (f.name, f.recorded, f.observed)).collect();
    if fields.is_empty() { Observation::Intact } else { Observation::Changed(fields) }
}

/// What is not there is an answer, not an error.
pub(super) fn known<T>(answer: std::result::Result<T, ClientError>) -> std::result::Result<Option<T>, ClientError> {
    match answer {
        Ok(there) => Ok(Some(there)),
        Err(ClientError::Refused(refused)) if refused.code == Code::Unknown => Ok(None),
        Err(cause) => Err(cause),
    }
}

fn created(object: ObjectId, report: &ObjectReport) -> Created {
    let mut outputs: Fields<Value> = Fields::new();
    let mut tell = |name: &str, value: Value| {
        outputs.insert(Arc::from(name), value);
    };
    if let (Some(host), Some(port)) = (&report.host, report.port) {
        // An address that contains colons is written in brackets before a port.
        let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        if report.kind == "route" {
            let scheme = report.scheme.as_deref().unwrap_or("http");
            tell("url", Value::text(format!("{scheme}://{address}")));
        } else {
            tell("host", Value::text(host.as_str()));
        }
        tell("address", Value::text(address));
        tell("port", Value::Int(i64::from(port)));
    }
    if let Some(path) = &report.path {
        tell("path", Value::text(path.as_str()));
    }
    if let Some(size) = report.size {
        tell("size", Value::Bytes(i64::try_from(size).unwrap_or(i64::MAX)));
    }
    if let Some(secret) = &report.value {
        tell("value", Value::text(secret.0.as_str()).into_secret());
    }
    if let (Some(stdout), Some(code)) = (&report.stdout, report.health.exit_code) {
        tell("exit_code", Value::Int(i64::from(code)));
        tell("stdout", Value::text(stdout.as_str()));
    }
    Created { handle: handle::of_object(object), outputs, tainted: None }
}

/// Why it is as it is, with its last words.
fn words(health: &api::Health) -> String {
    let mut words = health.reason.clone().unwrap_or_else(|| "it is not healthy".to_owned());
    if !health.last_lines.is_empty() {
        words = format!("{words}\nlast output:\n  {}", health.last_lines.join("\n  "));
    }
    words
}

fn level(health: &api::Health) -> Level {
    match health.level {
        api::Level::Starting => Level::Starting,
        api::Level::Healthy => Level::Healthy,
        api::Level::Unhealthy | api::Level::Exited => Level::Unhealthy(words(health)),
        api::Level::Dormant => Level::Dormant,
    }
}

/// An epoch that is not the one this process set.
pub(super) fn moved(message: String) -> Error {
    Error { kind: ErrorKind::Epoch, happened: Happened::No, ..permanent(message, None) }
}
