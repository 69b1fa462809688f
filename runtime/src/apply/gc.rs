//! Expiry: what generations beyond the retained ones need is dropped; their entries stay for ever.

use super::{Engine, EngineError};
use crate::entry::Body;
use crate::generation;
use imm_ir::Digest;
use serde::Serialize;
use std::collections::BTreeSet;

/// What was dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Generations that can no longer be made again.
    pub expired: Vec<u64>,
    /// Blobs that nothing needs any more.
    pub blobs: u64,
    /// Their size.
    pub bytes: u64,
}

impl Engine {
    /// Expires all but the newest generation and the `retain` before it, and drops what nothing else needs. Without a number,
    /// what the newest apply said.
    ///
    /// # Errors
    /// An apply is open, a blob cannot be read, or recording is impossible.
    pub fn collect(&mut self, retain: Option<u32>, because: &str) -> Result<Collected, EngineError> {
        if self.state().open_apply().is_some() {
            return Err(EngineError::Open);
        }
        let said = self.state().applies.iter().rev().find(|a| a.generation.is_some()).map(|a| a.started.retain);
        let retain = u64::from(retain.or(said).unwrap_or(0));
        let oldest = self.state().current.unwrap_or(0).saturating_sub(retain);
        let expired: Vec<u64> =
            self.state().generations.range(..oldest).filter(|(_, g)| !g.expired).map(|(n, _)| *n).collect();
        let needed = self.needed(oldest)?;
        let unneeded = self.ledger.blobs()?.into_iter().filter(|(name, _)| !needed.contains(name));
        let (mut dropped, mut bytes) = (Vec::new(), 0);
        for (name, size) in unneeded {
            dropped.push(name);
            bytes += size;
        }
        let mut bodies: Vec<Body> = expired
            .iter()
            .map(|generation| Body::Expired { generation: *generation, because: because.to_owned() })
            .collect();
        if !dropped.is_empty() {
            bodies.push(Body::Pruned { blobs: dropped.clone(), because: because.to_owned() });
        }
        let collected = Collected { expired, blobs: dropped.len() as u64, bytes };
        self.ledger.append_dropping(bodies, dropped)?;
        Ok(collected)
    }

    /// Blobs of the generations from `oldest` on, of the applies since, and of everything that exists.
    fn needed(&self, oldest: u64) -> Result<BTreeSet<Digest>, EngineError> {
        let state = self.state();
        let mut needed = BTreeSet::new();
        for (_, g) in state.generations.range(oldest..).filter(|(_, g)| !g.expired) {
            needed.insert(g.outputs);
            generation::blobs(&self.ledger, g, &mut needed)?;
        }
        needed.extend(state.objects.values().filter(|o| o.state.exists()).map(|o| o.inputs));
        let first = state.generations.get(&oldest).map(|g| g.apply);
        let since = state.applies.iter().position(|a| Some(a.id) == first).unwrap_or(0);
        for apply in state.applies.iter().skip(since) {
            needed.insert(apply.started.plan);
            needed.extend(apply.started.sources);
            needed.extend(apply.started.params);
        }
        Ok(needed)
    }
}
