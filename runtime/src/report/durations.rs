//! How long steps took, as recorded, and how long a plan may take: the longest way through what it makes.

use crate::entry::{Body, Entry};
use crate::id::ObjectId;
use crate::plan::{Action, Fate, Plan};
use imm_ir::{Addr, EdgeKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Times of one kind: the newest weigh most.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    create_ms: f64,
    verify_ms: f64,
}

/// What is known of the durations of steps.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    kinds: BTreeMap<Arc<str>, Times>,
    /// From the commit to the end.
    retire_ms: f64,
}

impl Durations {
    /// From entries, oldest first.
    pub fn of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let mut known = Self::default();
        let mut begun: BTreeMap<ObjectId, (Arc<str>, i64)> = BTreeMap::new();
        let mut committed = None;
        for entry in entries {
            let at = entry.header.at_ms;
            match &entry.body {
                Body::IntentCreate(intent) => _ = begun.insert(intent.object, (intent.kind.clone(), at)),
                Body::Created { object, found: false, .. } => {
                    if let Some((kind, since)) = begun.get(object) {
                        let times = known.kinds.entry(kind.clone()).or_default();
                        times.create_ms = blend(times.create_ms, at.saturating_sub(*since) as f64);
                    }
                }
                Body::Verified { object, took_ms, .. } => {
                    if let Some((kind, _)) = begun.get(object) {
                        let times = known.kinds.entry(kind.clone()).or_default();
                        times.verify_ms = blend(times.verify_ms, *took_ms as f64);
                    }
                }
                Body::Committed(_) => committed = Some(at),
                Body::Finished { .. } => {
                    if let Some(since) = committed.take() {
                        known.retire_ms = blend(known.retire_ms, at.saturating_sub(since) as f64);
                    }
                }
                _other => {}
            }
        }
        known
    }

    /// How long what a step makes takes from its intent until it is known to work, milliseconds.
    pub fn step_ms(&self, kind: &str) -> Option<u64> {
        self.kinds.get(kind).map(|t| (t.create_ms + t.verify_ms) as u64)
    }

    /// How long a plan may take, milliseconds; `None` when something that it makes was never made before.
    pub fn estimate(&self, plan: &Plan) -> Option<u64> {
        let mut ready: BTreeMap<&Addr, u64> = BTreeMap::new();
        let mut longest = 0;
        // Steps come dependencies first, and nothing waits for what is kept.
        for step in &plan.steps {
            let addr = &step.address;
            let Some((node, planned)) = plan.graph.nodes.get(addr).zip(plan.nodes.get(addr)) else { continue };
            if planned.fate != Fate::Create || step.action == Action::Switch {
                continue;
            }
            let before = node.edges.iter().filter(|e| e.kind != EdgeKind::Set).filter_map(|e| ready.get(&e.to)).max();
            let at = before.copied().unwrap_or(0) + self.step_ms(&node.kind)?;
            ready.insert(addr, at);
            longest = longest.max(at);
        }
        let held = crate::explain::overlap::Overlaps::of(plan).hold_ms();
        Some(longest + held + self.retire_ms as u64)
    }
}

/// The newest of several counts for a half.
fn blend(known: f64, new: f64) -> f64 {
    if known == 0.0 { new } else { f64::midpoint(known, new) }
}
