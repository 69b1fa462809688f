//! Pointers back to where they were before an apply, by compare-and-swap as any other switch, then confirmed.
//!
//! Where the record cannot be wrong but by somebody else's doing, nothing is looked at first: the switch itself finds out.

use super::{Engine, EngineError};
use crate::entry::{Body, ConsentKind, Moved};
use crate::id::ObjectId;
use crate::plan::batches::{Batch, inner_first};
use crate::provider::{Error, ErrorKind, Provider, Setting};
use crate::state::ObjectState;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where a pointer leads now, and its epoch when it is set as before, as far as is recorded.
type Touched = (Vec<ObjectId>, Option<u64>);

impl Engine {
    /// Whether every switch of a pointer was answered: none is on its way.
    pub(super) fn is_settled(&self, pointer: ObjectId) -> bool {
        self.state().pointers.get(&pointer).is_none_or(|p| p.pending.is_empty())
    }

    /// Sets every pointer that this apply touched to what it was before. Also one whose switch was never acknowledged: a
    /// switch that changes nothing still raises the epoch, so a late one can no longer take effect. And one that somebody else
    /// moved meanwhile: what is in force afterwards is what is recorded.
    pub(super) async fn pointers_back(&mut self, of: &BTreeSet<ObjectId>) -> Result<Result<(), Error>, EngineError> {
        let mut batches: BTreeMap<Arc<str>, Batch<Touched>> = BTreeMap::new();
        for (id, setting) in self.open()?.before.iter().filter(|(id, _)| of.contains(id)) {
            let state = self.state();
            let Some((object, pointer)) = state.objects.get(id).zip(state.pointers.get(id)) else { continue };
            let back = pointer.pending.is_empty() && !pointer.provisional && pointer.setting == *setting;
            let given_up = state.consents.contains(&(ConsentKind::AcceptLost, *id));
            if object.state.exists() && object.state != ObjectState::Destroying && !given_up {
                let targets = pointer.setting.targets.iter().map(|t| t.object).collect();
                let known = back.then_some(pointer.epoch);
                batches.entry(object.provider.clone()).or_default().push((*id, (targets, known)));
            }
        }
        // The other way round: what leads leaves before what it leads to.
        for (name, pointers) in inner_first(batches, |_, (targets, _)| targets.clone()).into_iter().rev() {
            if let Err(error) = self.batch_back(name, pointers).await? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// One provider's pointers: without a look where the record cannot be wrong but by somebody else's doing, which the switch
    /// finds out.
    async fn batch_back(&mut self, name: Arc<str>, pointers: Batch<Touched>) -> Result<Result<(), Error>, EngineError> {
        let Some(provider) = self.providers.get(&name).cloned() else {
            return Ok(Err(super::stage::unprovided(&name)));
        };
        let at_once = pointers.iter().all(|(id, (_, back))| back.is_none() && self.is_settled(*id));
        let mut recorded = if at_once { Some(self.as_recorded(&pointers)?) } else { None };
        loop {
            let last = recorded.is_none();
            let moves = match recorded.take() {
                Some(moves) => moves,
                None => match self.as_found(&provider, &pointers).await? {
                    Ok(moves) => moves,
                    Err(error) => return Ok(Err(error)),
                },
            };
            if moves.is_empty() {
                return Ok(Ok(()));
            }
            match self.move_batch(&name, None, moves, self.limits.settle_retries).await? {
                Ok(()) => break,
                Err(error) if error.kind == ErrorKind::Epoch && !last => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        let (ctx, patience) = (self.ctx(self.limits.call_timeout), self.patience(self.limits.settle_retries));
        if let Err(error) = patience.call(|| provider.confirm(&ctx)).await {
            return Ok(Err(error));
        }
        self.append(vec![Body::Confirmed { provider: name, remaining: 0 }], true)?;
        Ok(Ok(()))
    }

    /// Where a provider has these pointers, each with its epoch.
    pub(super) async fn found_set(
        &self,
        provider: &Arc<dyn Provider>,
        pointers: impl Iterator<Item = ObjectId>,
    ) -> Result<Vec<Option<(u64, Setting)>>, Error> {
        let (ctx, patience) = (self.ctx(self.limits.call_timeout), self.patience(self.limits.settle_retries));
        let mut found = Vec::new();
        for id in pointers {
            let handle = self.handle(id);
            found.push(patience.call(|| provider.setting(&ctx, id, &handle)).await?);
        }
        Ok(found)
    }

    /// From where they are by the record to where they were.
    fn as_recorded(&self, pointers: &Batch<Touched>) -> Result<Vec<(ObjectId, u64, Setting)>, EngineError> {
        let (before, known) = (&self.open()?.before, &self.state().pointers);
        let back = |id: ObjectId| Some((id, known.get(&id)?.epoch, before.get(&id)?.clone()));
        Ok(pointers.iter().filter_map(|(id, _)| back(*id)).collect())
    }

    /// From where they are to where they were, as far as they are not there; what the provider did by itself is recorded.
    async fn as_found(
        &mut self,
        provider: &Arc<dyn Provider>,
        pointers: &Batch<Touched>,
    ) -> Result<Result<Vec<(ObjectId, u64, Setting)>, Error>, EngineError> {
        let all = match self.found_set(provider, pointers.iter().map(|(id, _)| *id)).await {
            Ok(all) => all,
            Err(error) => return Ok(Err(error)),
        };
        let (mut moves, mut reverted) = (Vec::new(), Vec::new());
        for ((id, (_, settled)), found) in pointers.iter().zip(all) {
            // Nobody renewed it: the provider went back by itself.
            let known = self.state().pointers.get(id);
            let alone = |(epoch, setting): &(u64, Setting)| {
                known.is_some_and(|p| p.provisional && *epoch > p.epoch && *setting == p.confirmed)
            };
            reverted.extend(found.iter().filter(|f| alone(f)).map(|(epoch, _)| Moved { object: *id, epoch: *epoch }));
            let now = found.map_or(0, |(epoch, _)| epoch);
            // Set as before, as far as is recorded: unless somebody else moved it, it is.
            if *settled != Some(now) {
                let before = self.open()?.before.get(id).cloned().unwrap_or_default();
                moves.push((*id, now, before));
            }
        }
        if !moves.is_empty() && !reverted.is_empty() {
            self.append(vec![Body::Reverted { by_agent: true, moved: reverted, agent_seq: None }], false)?;
        }
        Ok(Ok(moves))
    }
}
