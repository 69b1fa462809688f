//! Expiry: what generations beyond the retained ones need is dropped; their entries stay for ever.

use super::{Engine, EngineError};
use crate::entry::Body;
use crate::generation;
use crate::id::ObjectId;
use crate::provider::Freed;
use imm_ir::{Digest, Nature};
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
    /// Sealed secrets that nothing needs any more.
    pub secrets: u64,
    /// Images and sites that platforms dropped.
    pub images: u64,
    /// Their size.
    pub image_bytes: u64,
    /// What could not be collected now.
    pub left: Vec<String>,
}

impl Engine {
    /// Expires all but the newest generation and the `retain` before it, and drops what nothing else needs. Without a number,
    /// what the newest apply said.
    ///
    /// # Errors
    /// An apply is open, a blob cannot be read, or recording is impossible.
    pub async fn collect(&mut self, retain: Option<u32>, because: &str) -> Result<Collected, EngineError> {
        if self.state().open_apply().is_some() {
            return Err(EngineError::Open);
        }
        let said = self.state().applies.iter().rev().find(|a| a.generation.is_some()).map(|a| a.started.retain);
        let retain = u64::from(retain.or(said).unwrap_or(0));
        let oldest = self.state().current.unwrap_or(0).saturating_sub(retain);
        let expired: Vec<u64> =
            self.state().generations.range(..oldest).filter(|(_, g)| !g.expired).map(|(n, _)| *n).collect();
        let needed = self.needed(oldest)?;
        let mut secrets = Unnamed::new(self.ledger.vault().names());
        for bytes in self.lasting(oldest)? {
            secrets.look(&bytes);
        }
        let (mut dropped, mut bytes) = (Vec::new(), 0);
        for (name, blob) in self.ledger.blobs()? {
            if needed.contains(&name) {
                secrets.look(&blob);
            } else {
                dropped.push(name);
                bytes += blob.len() as u64;
            }
        }
        let secrets = secrets.left();
        let mut bodies: Vec<Body> = expired
            .iter()
            .map(|generation| Body::Expired { generation: *generation, because: because.to_owned() })
            .collect();
        if !dropped.is_empty() || !secrets.is_empty() {
            let blobs = dropped.iter().chain(&secrets).copied().collect();
            bodies.push(Body::Pruned { blobs, because: because.to_owned() });
        }
        let mut collected = Collected {
            expired,
            blobs: dropped.len() as u64,
            bytes,
            secrets: secrets.len() as u64,
            ..Collected::default()
        };
        self.ledger.append_dropping(bodies, dropped, &secrets)?;
        self.collect_content(oldest, &mut collected).await;
        Ok(collected)
    }

    /// Images and sites that neither exist nor belong to a retained generation. A store that somebody builds in waits for the
    /// next time.
    async fn collect_content(&self, oldest: u64, collected: &mut Collected) {
        let needed = self.lasting_objects(oldest);
        let ctx = self.ctx(self.limits.call_timeout);
        for provider in self.providers.values() {
            match provider.collect(&ctx, &needed).await {
                Ok(Freed { images, bytes }) => {
                    collected.images += images;
                    collected.image_bytes += bytes;
                }
                Err(error) => collected.left.push(error.message),
            }
        }
    }

    /// What exists or belongs to a generation that can be made again. What a job gave lasts.
    fn lasting_objects(&self, oldest: u64) -> BTreeSet<ObjectId> {
        let state = self.state();
        let retained = state.generations.range(oldest..).filter(|(_, g)| !g.expired);
        let there =
            state.objects.iter().filter(|(_, o)| o.state.exists() || o.nature == Nature::Job).map(|(id, _)| *id);
        retained.flat_map(|(_, g)| g.objects.values().copied()).chain(there).collect()
    }

    /// What entries say of them, encoded: it may name secrets.
    fn lasting(&self, oldest: u64) -> Result<Vec<Vec<u8>>, EngineError> {
        let (state, lasting) = (self.state(), self.lasting_objects(oldest));
        let mut found = Vec::new();
        for object in lasting.iter().filter_map(|id| state.objects.get(id)) {
            found.push(
                postcard::to_stdvec(&(&object.outputs, &object.cells, &object.inline))
                    .map_err(crate::ledger::LedgerError::from)?,
            );
        }
        for pointer in state.pointers.values() {
            let settings = (&pointer.setting, &pointer.confirmed);
            found.push(postcard::to_stdvec(&settings).map_err(crate::ledger::LedgerError::from)?);
        }
        Ok(found)
    }

    /// Blobs of the generations from `oldest` on, of the applies since, and of everything that exists.
    fn needed(&self, oldest: u64) -> Result<BTreeSet<Digest>, EngineError> {
        let state = self.state();
        let mut needed = BTreeSet::new();
        for (_, g) in state.generations.range(oldest..).filter(|(_, g)| !g.expired) {
            needed.insert(g.outputs);
            generation::blobs(&self.ledger, g, &mut needed)?;
        }
        let there = state.objects.values().filter(|o| o.state.exists() && o.inline.is_empty());
        needed.extend(there.map(|o| o.inputs));
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

/// Names that were not met yet. A name is a digest, so it is met where its bytes are: that errs on the side of keeping, and
/// no kind of blob can be forgotten.
struct Unnamed(BTreeSet<Digest>);

impl Unnamed {
    fn new(names: BTreeSet<Digest>) -> Self {
        Self(names)
    }

    fn look(&mut self, bytes: &[u8]) {
        if self.0.is_empty() {
            return;
        }
        for window in bytes.windows(32) {
            if let Ok(name) = <[u8; 32]>::try_from(window) {
                self.0.remove(&Digest(name));
            }
        }
    }

    fn left(self) -> Vec<Digest> {
        self.0.into_iter().collect()
    }
}
