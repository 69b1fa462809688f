//! What is there beside the record: things nobody knows of, things that are gone, and words that settle both.

use super::{Engine, EngineError, Outcome};
use crate::entry::{Body, ConsentKind, Moved, Seen, UnwindCause, Verb};
use crate::id::ObjectId;
use crate::plan::saved::Attached;
use crate::plan::{Observed, Plan};
use crate::provider::{Error, ErrorKind, Handle, Happened, Journal, Observation, Provider, Replaced, Setting, Target};
use crate::report;
use crate::state::{Object, Pointer};
use imm_ir::{Digest, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::time::Instant;

/// The field that tells of a pointer that was moved and is where it was.
const EPOCH: &str = "epoch";

/// What differs between a setting as it was acknowledged and as it is, by name, as text.
fn differences(recorded: &Setting, now: &Setting) -> Vec<(String, String, String)> {
    let mut fields = Vec::new();
    let targets =
        |s: &Setting| -> BTreeSet<(ObjectId, u32)> { s.targets.iter().map(|t| (t.object, t.weight)).collect() };
    let words = |s: &Setting| match s.targets.as_slice() {
        [] => "nothing".to_owned(),
        some => some.iter().map(|t| format!("{} ({})", t.address, t.object.short())).collect::<Vec<_>>().join(", "),
    };
    if targets(recorded) != targets(now) {
        fields.push(("targets".to_owned(), words(recorded), words(now)));
    }
    let text = |value: Option<&Value>| match value.map(report::value) {
        Some(serde_json::Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => "nothing".to_owned(),
    };
    let names: BTreeSet<_> = recorded.inputs.keys().chain(now.inputs.keys()).collect();
    for name in names {
        let (was, is) = (recorded.inputs.get(name), now.inputs.get(name));
        if was != is {
            fields.push((name.to_string(), text(was), text(is)));
        }
    }
    fields
}

impl Engine {
    /// Looks at one object, and at the setting of one that is switched.
    pub(super) async fn look_at(
        &self,
        id: ObjectId,
        object: &Object,
        provider: &Arc<dyn Provider>,
        handle: &Handle,
    ) -> Result<Observation, Error> {
        let ctx = self.ctx(self.limits.call_timeout);
        let seen = self.retry(0, 3, || provider.observe(&ctx, &object.kind, id, handle)).await?;
        // What an apply left open is settled by recovery.
        let settled = |p: &&Pointer| p.pending.is_empty() && !p.provisional;
        if seen == Observation::Intact && !object.differs.is_empty() {
            return Ok(Observation::Changed(object.differs.clone()));
        }
        let Some(recorded) = self.state().pointers.get(&id).filter(settled).filter(|_| seen == Observation::Intact)
        else {
            return Ok(seen);
        };
        let (epoch, setting) = self.retry(0, 3, || provider.setting(&ctx, id, handle)).await?.unwrap_or_default();
        let mut fields = differences(&recorded.setting, &setting);
        if fields.is_empty() && epoch != recorded.epoch {
            fields.push((EPOCH.to_owned(), recorded.epoch.to_string(), epoch.to_string()));
        }
        Ok(if fields.is_empty() { seen } else { Observation::Changed(fields) })
    }

    /// Epochs of what somebody else moved, so that it can be moved back.
    async fn moved_by_others(&self, seen: &Observed) -> Result<Vec<Moved>, EngineError> {
        let ctx = self.ctx(self.limits.call_timeout);
        let mut moved = Vec::new();
        for (id, pointer) in &self.state().pointers {
            let changed = matches!(seen.objects.get(id), Some(Observation::Changed(_)));
            let Some(object) = self.state().objects.get(id).filter(|o| changed && o.state.exists()) else { continue };
            let Some(provider) = self.providers.get(&object.provider) else { continue };
            let handle = self.handle(*id);
            let now = self.retry(0, 3, || provider.setting(&ctx, *id, &handle)).await.map_err(EngineError::Provider)?;
            let epoch = now.map_or(0, |(epoch, _)| epoch);
            if epoch != pointer.epoch {
                moved.push(Moved { object: *id, epoch });
            }
        }
        Ok(moved)
    }

    /// Records what was seen to be otherwise than it was made: the evidence of what a heal replaces.
    ///
    /// # Errors
    /// A provider cannot be asked, or recording is impossible.
    pub async fn record_drift(&mut self, seen: &Observed) -> Result<(), EngineError> {
        let mut bodies = Vec::new();
        for (id, observation) in &seen.objects {
            let (verdict, fields) = match observation {
                Observation::Intact => continue,
                Observation::Missing => (Seen::Missing, Vec::new()),
                Observation::Changed(fields) => (Seen::Changed, fields.clone()),
            };
            if self.state().objects.get(id).is_some_and(|o| o.state.exists()) {
                bodies.push(Body::Observed { object: *id, seen: verdict, fields });
            }
        }
        let moved = self.moved_by_others(seen).await?;
        if !moved.is_empty() {
            bodies.push(Body::Reverted { by_agent: true, moved, agent_seq: None });
        }
        Ok(self.ledger.append(None, bodies, true)?)
    }

    /// Records what the platforms did on their own since the last time: runs that they replaced.
    ///
    /// # Errors
    /// A provider cannot be asked, or recording is impossible.
    pub async fn merge_journals(&mut self) -> Result<(), EngineError> {
        let ctx = self.ctx(self.limits.call_timeout);
        for provider in self.providers.values().cloned().collect::<Vec<_>>() {
            let merged = &self.state().merged;
            let journal = self.retry(0, 3, || provider.journal(&ctx, merged)).await.map_err(EngineError::Provider)?;
            let Some(Journal { agent, from_seq, to_seq, head, replaced }) = journal else { continue };
            let mut bodies = vec![Body::AgentMerged { agent, from_seq, to_seq, head }];
            let known = |r: &Replaced| self.state().objects.get(&r.object).is_some_and(|o| o.state.exists());
            bodies.extend(replaced.into_iter().filter(known).map(|r| Body::Healed {
                object: r.object,
                run_from: r.run_from,
                run_to: r.run_to,
                cause: r.cause,
                count: r.count,
                by: None,
            }));
            self.ledger.append(None, bodies, false)?;
        }
        Ok(())
    }

    /// Writes with a higher fence from here on.
    pub fn raise(&mut self, fence: u64) {
        self.ledger.raise(fence);
    }

    /// Drops objects from the record; what they are stays there, and is nobody's. Answers how many.
    ///
    /// # Errors
    /// An apply is open, or recording is impossible.
    pub fn forget(&mut self, objects: &[ObjectId], because: &str) -> Result<usize, EngineError> {
        if self.state().open_apply().is_some() {
            return Err(EngineError::Open);
        }
        let there = |id: &&ObjectId| self.state().objects.get(id).is_some_and(|o| o.state.exists());
        let bodies: Vec<Body> = objects
            .iter()
            .filter(there)
            .map(|object| Body::Forgotten { object: *object, because: because.to_owned() })
            .collect();
        let count = bodies.len();
        self.ledger.append(None, bodies, true)?;
        Ok(count)
    }

    /// Goes on with this ledger although another one, or none, is known to the platform: what is not there any more is
    /// forgotten, so that the next apply makes it anew. Answers what that is.
    ///
    /// # Errors
    /// A provider cannot be asked, or recording is impossible.
    pub async fn take_lineage(&mut self, because: &str) -> Result<Vec<imm_ir::Addr>, EngineError> {
        let ctx = self.ctx(self.limits.call_timeout);
        let mut gone = Vec::new();
        for (id, object) in self.state().objects.iter().filter(|(_, o)| o.state.exists()) {
            let Some(provider) = self.providers.get(&object.provider) else { continue };
            let found = self.retry(0, 3, || provider.find(&ctx, &object.kind, *id)).await;
            if found.map_err(EngineError::Provider)?.is_none() {
                gone.push((*id, object.address.clone()));
            }
        }
        let consent = Body::Consented {
            plan: Digest([0; 32]),
            kind: ConsentKind::Rebind,
            subjects: gone.iter().map(|(id, _)| *id).collect(),
            because: because.to_owned(),
        };
        let forgotten = gone.iter().map(|(object, _)| Body::Forgotten { object: *object, because: because.to_owned() });
        let bodies = std::iter::once(consent).chain(forgotten).collect();
        self.ledger.append(None, bodies, true)?;
        self.set_again().await?;
        Ok(gone.into_iter().map(|(_, address)| address).collect())
    }

    /// Sets pointers that somebody else moved to what is recorded: as an apply that is undone at once, so that every move
    /// has its intent and a crash in between is settled by the next recovery.
    async fn set_again(&mut self) -> Result<(), EngineError> {
        let ctx = self.ctx(self.limits.call_timeout);
        let mut moves: BTreeMap<Arc<str>, Vec<(ObjectId, u64, Setting)>> = BTreeMap::new();
        for (id, pointer) in &self.state().pointers {
            let Some(object) = self.state().objects.get(id).filter(|o| o.state.exists()) else { continue };
            let Some(provider) = self.providers.get(&object.provider) else { continue };
            let handle = self.handle(*id);
            let now = self.retry(0, 3, || provider.setting(&ctx, *id, &handle)).await.map_err(EngineError::Provider)?;
            let there = |target: &Target| self.state().objects.get(&target.object).is_some_and(|o| o.state.exists());
            if let Some((epoch, _)) = now.filter(|(epoch, _)| *epoch != pointer.epoch)
                && pointer.setting.targets.iter().all(there)
            {
                moves.entry(object.provider.clone()).or_default().push((*id, epoch, pointer.setting.clone()));
            }
        }
        if moves.is_empty() {
            return Ok(());
        }
        let plan = Plan::of_nothing(self.state(), Verb::RecoverOnly);
        self.start(&plan, &Attached::default())?;
        for (provider, moves) in moves {
            // Undoing tries again, and says so when it cannot.
            drop(self.move_batch(&provider, None, moves, 3).await?);
        }
        let why = "the lineage was taken: pointers are set to what is recorded";
        match self.unwind(UnwindCause::Crash, why, Instant::now()).await? {
            Outcome::Stuck { why, .. } => Err(EngineError::Provider(Error {
                message: why,
                help: Some("`imm recover` tries again".to_owned()),
                kind: ErrorKind::Permanent,
                happened: Happened::Maybe,
            })),
            Outcome::NothingToDo
            | Outcome::Committed { .. }
            | Outcome::RolledBack { .. }
            | Outcome::Reverted { .. }
            | Outcome::Drilled { .. } => Ok(()),
        }
    }
}
