//! Switching: the lineage's setting is read, changed at the moved pointers, and replaced by compare-and-swap.

use std::time::Duration;

use data_encoding::BASE64;
use imm_ir::{Fields, Value};
use imm_router::{Certificate, Mark};
use imm_runtime::id::ObjectId;
use imm_runtime::provider::{Ctx, Move, Result, Setting};

use crate::api::{Announce, Cell, Confirm, LineageReport, Manifest, PutManifest, Renew, Route, Target, Tls};

use super::failure::permanent;
use super::inputs::{field, number, text};
use super::object::{known, moved};
use super::{HostProvider, handle};

impl HostProvider {
    pub(super) async fn switch_pointers(&self, ctx: &Ctx, moves: &[Move], ttl: Duration) -> Result<Vec<u64>> {
        let report = self.lineage_report(ctx).await?;
        let mut manifest = report.manifest;
        for one in moves {
            let id = one.object.to_string();
            let epoch = epoch_of(&manifest, &id).unwrap_or(0);
            if epoch != one.from_epoch {
                return Err(moved(format!(
                    "{} is at epoch {epoch}, not {}: somebody else moved it",
                    one.address, one.from_epoch
                )));
            }
            match &*one.kind {
                "route" => {
                    manifest.routes.insert(id, route(one)?);
                }
                _ => {
                    manifest.cells.insert(id, Cell { epoch: 0, record: pack(&one.to)? });
                }
            }
        }
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let put = PutManifest { fence: ctx.fence, from_epoch: report.epoch, manifest, ttl_ms: Some(ttl_ms) };
        let lineage = ctx.lineage.to_string();
        let epoch = self.ask(ctx, |agent| {
            let (lineage, put) = (lineage.clone(), put.clone());
            async move { agent.put_manifest(&lineage, &put).await }
        });
        let epoch = epoch.await?.epoch;
        self.remember(ctx, epoch);
        Ok(vec![epoch; moves.len()])
    }

    pub(super) async fn renew_setting(&self, ctx: &Ctx, ttl: Duration) -> Result<()> {
        let report = self.lineage_report(ctx).await?;
        self.check_remembered(ctx, &report)?;
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let renew = Renew { fence: ctx.fence, epoch: report.epoch, ttl_ms };
        let lineage = ctx.lineage.to_string();
        let renewed = self.ask(ctx, |agent| {
            let lineage = lineage.clone();
            async move { agent.renew(&lineage, &renew).await }
        });
        renewed.await.map(|_| ())
    }

    pub(super) async fn confirm_setting(&self, ctx: &Ctx) -> Result<()> {
        let report = self.lineage_report(ctx).await?;
        self.check_remembered(ctx, &report)?;
        let confirm = Confirm { fence: ctx.fence, epoch: report.epoch };
        let lineage = ctx.lineage.to_string();
        let confirmed = self.ask(ctx, |agent| {
            let lineage = lineage.clone();
            async move { agent.confirm(&lineage, &confirm).await }
        });
        confirmed.await.map(|_| ())
    }

    pub(super) async fn pointer_setting(&self, ctx: &Ctx, object: ObjectId) -> Result<Option<(u64, Setting)>> {
        let lineage = ctx.lineage.to_string();
        let report = self.ask(ctx, |agent| {
            let lineage = lineage.clone();
            async move { known(agent.lineage(&lineage).await) }
        });
        let Some(report) = report.await? else { return Ok(None) };
        let id = object.to_string();
        let route = report.manifest.routes.get(&id).map(|route| (route.epoch, &route.record));
        let cell = report.manifest.cells.get(&id).map(|cell| (cell.epoch, &cell.record));
        route.or(cell).map(|(epoch, record)| Ok((epoch, unpack(record)?))).transpose()
    }

    /// The lineage as the agent has it. A lineage that the agent has never seen is made by announcing the fence.
    pub(super) async fn lineage_report(&self, ctx: &Ctx) -> Result<LineageReport> {
        let lineage = ctx.lineage.to_string();
        let announce = Announce { fence: ctx.fence, head: None, take: false };
        let report = self.ask(ctx, |agent| {
            let lineage = lineage.clone();
            async move {
                if let Some(report) = known(agent.lineage(&lineage).await)? {
                    return Ok(report);
                }
                agent.announce(&lineage, &announce).await?;
                agent.lineage(&lineage).await
            }
        });
        report.await
    }

    /// After this process has switched, any other epoch means that the agent went back, or that somebody else switched.
    fn check_remembered(&self, ctx: &Ctx, report: &LineageReport) -> Result<()> {
        match self.remembered(ctx) {
            Some(epoch) if epoch != report.epoch => Err(moved(format!(
                "the setting in force has epoch {}, not {epoch}: it was reverted or moved by others",
                report.epoch
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

fn epoch_of(manifest: &Manifest, id: &str) -> Option<u64> {
    manifest.routes.get(id).map(|route| route.epoch).or_else(|| manifest.cells.get(id).map(|cell| cell.epoch))
}

fn route(one: &Move) -> Result<Route> {
    let inputs = &one.to.inputs;
    let targets = one.to.targets.iter().map(|target| Target {
        object: target.object.to_string(),
        address: target.address.to_string(),
        answers: handle::answers(&target.handle),
        weight: target.weight,
        group: if target.fresh { "fresh" } else { "old" }.to_owned(),
    });
    Ok(Route {
        epoch: 0,
        host: text(inputs, "host")?,
        path: text(inputs, "path")?.unwrap_or_else(|| "/".to_owned()),
        targets: targets.collect(),
        timeout_ms: number(inputs, "timeout").unwrap_or(60_000),
        hold_ms: number(inputs, "hold").unwrap_or(0),
        tls: tls(one)?,
        sticky: field(inputs, "sticky").and_then(Value::as_bool) == Some(true),
        preview: preview(inputs)?,
        record: pack(&one.to)?,
    })
}

fn tls(one: &Move) -> Result<Tls> {
    let Some(Value::Variant(tag, fields)) = field(&one.to.inputs, "tls") else { return Ok(Tls::Off) };
    let pem = |name: &str| {
        let missing = || permanent(format!("{}: `tls = pem` has no {name}", one.address), None);
        text(fields, name)?.ok_or_else(missing)
    };
    match &**tag {
        "off" => Ok(Tls::Off),
        "dev" => Ok(Tls::Dev),
        "pem" => Ok(Tls::Pem(Certificate { chain: pem("cert")?, key: pem("key")? })),
        other => Err(permanent(
            format!("{}: `tls = {other}` is not provided by platform host in this version", one.address),
            None,
        )),
    }
}

/// What marks the requests that reach the new generation at once.
fn preview(inputs: &Fields<Value>) -> Result<Option<Mark>> {
    let Some(Value::Variant(_, rollout)) = field(inputs, "rollout") else { return Ok(None) };
    let Some(Value::Variant(by, mark)) = field(rollout, "preview") else { return Ok(None) };
    let (Some(name), Some(value)) = (text(mark, "name")?, text(mark, "value")?) else { return Ok(None) };
    Ok(Some(if &**by == "cookie" { Mark::Cookie { name, value } } else { Mark::Header { name, value } }))
}

/// The setting as the engine gave it, to be given back as it was.
fn pack(setting: &Setting) -> Result<String> {
    let bytes = postcard::to_stdvec(setting)
        .map_err(|cause| permanent(format!("a setting cannot be recorded: {cause}"), None))?;
    Ok(BASE64.encode(&bytes))
}

fn unpack(record: &str) -> Result<Setting> {
    let unreadable = || permanent("the agent's record of a setting cannot be read by this version".to_owned(), None);
    let bytes = BASE64.decode(record.as_bytes()).map_err(|_| unreadable())?;
    postcard::from_bytes(&bytes).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use imm_ir::{Addr, Digest, Fields};
    use imm_runtime::provider::{Handle, Target};

    use super::*;

    fn moved_to(inputs: Fields<Value>) -> Move {
        Move {
            address: Addr::root("front"),
            kind: Arc::from("route"),
            object: ObjectId(Digest([1; 32])),
            handle: Handle(Vec::new()),
            from_epoch: 0,
            to: Setting { targets: Vec::new(), inputs },
        }
    }

    #[test]
    fn encryption_stickiness_and_preview_are_read() {
        let record = |pairs: &[(&str, Value)]| {
            pairs.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect::<Fields<Value>>()
        };
        let pem = record(&[("cert", Value::text("c")), ("key", Value::text("k").into_secret())]);
        let mark =
            Value::Variant(Arc::from("header"), record(&[("name", Value::text("x")), ("value", Value::text("1"))]));
        let canary = Value::Variant(Arc::from("canary"), record(&[("preview", mark)]));
        let read = route(&moved_to(record(&[
            ("tls", Value::Variant(Arc::from("pem"), pem)),
            ("sticky", Value::Bool(true)),
            ("rollout", canary),
        ])))
        .unwrap();
        assert_eq!(read.tls, Tls::Pem(Certificate { chain: "c".to_owned(), key: "k".to_owned() }));
        assert!(read.sticky && !format!("{read:?}").contains("\"k\""), "{read:?}");
        assert_eq!(read.preview, Some(Mark::Header { name: "x".to_owned(), value: "1".to_owned() }));
        let read = route(&moved_to(record(&[("tls", Value::tag("dev"))]))).unwrap();
        assert_eq!((read.tls, read.sticky, read.preview), (Tls::Dev, false, None));
    }

    #[test]
    fn a_setting_is_given_back_as_it_was() {
        let target = Target {
            address: Addr::root("web").key("0"),
            object: ObjectId(Digest([4; 32])),
            handle: Handle(vec![1, 2]),
            weight: 1_000_000,
            fresh: true,
        };
        let inputs = Fields::from([
            (Arc::from("path"), Value::text("/")),
            (Arc::from("tls"), Value::tag("off")),
            (Arc::from("key"), Value::text("k").into_secret()),
        ]);
        let setting = Setting { targets: vec![target], inputs };
        assert_eq!(unpack(&pack(&setting).unwrap()), Ok(setting));
        assert!(unpack("!").is_err());
    }
}
