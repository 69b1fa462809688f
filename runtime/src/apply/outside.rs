//! What is there beside the record: things nobody knows of, things that are gone, and words that settle both.

use super::{Engine, EngineError, Outcome};
use crate::entry::{Body, ConsentKind, Seen, UnwindCause, Verb};
use crate::id::ObjectId;
use crate::plan::saved::Attached;
use crate::plan::{Observed, Plan};
use crate::provider::{Error, ErrorKind, Happened, Observation, Setting, Target};
use imm_ir::Digest;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

impl Engine {
    /// Everything with our lineage's tag that no entry speaks of.
    ///
    /// # Errors
    /// A provider cannot be asked.
    pub async fn orphans(&self) -> Result<Vec<(ObjectId, Arc<str>)>, EngineError> {
        let ctx = self.ctx(self.limits.call_timeout);
        let mut found = Vec::new();
        for provider in self.providers.values() {
            let listed = self.retry(0, 3, || provider.list(&ctx)).await.map_err(EngineError::Provider)?;
            found.extend(listed.into_iter().filter(|(id, _)| {
                !self.state().objects.get(id).is_some_and(|o| o.state.exists() || o.handle.is_none())
            }));
        }
        found.sort();
        Ok(found)
    }

    /// Records what was seen to be otherwise than it was made: the evidence of what a heal replaces.
    ///
    /// # Errors
    /// Recording is impossible.
    pub fn record_drift(&mut self, seen: &Observed) -> Result<(), EngineError> {
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
        Ok(self.ledger.append(None, bodies, true)?)
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
