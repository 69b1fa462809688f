//! What coexists because of a step, and for how long: a new object beside the one it replaces, the old and the new side of a
//! pointer. Derived from the plan alone.

use crate::plan::{Action, Plan, Step};
use imm_ir::{Addr, Class, Replace, Value};
use serde::Serialize;
use std::collections::BTreeMap;

/// What is there at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// Addresses of the objects beside it.
    pub with: Vec<String>,
    /// What ends it.
    pub until: Until,
    /// How long both sides are in force before the commit, milliseconds.
    pub hold_ms: u64,
    /// How long requests in flight to the old side are waited for after it, at most, milliseconds.
    pub drain_ms: u64,
    /// In words.
    pub text: String,
}

/// What ends an overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// The old one is drained and destroyed.
    Destroyed,
    /// The old one stays, out of service, for as many generations as are kept.
    Warm,
    /// The old one is content: it is left to the collector.
    Released,
    /// The old one holds data: it stays until somebody consents.
    Retained,
    /// The new one is handed over to: never both at work.
    Handover,
    /// The old side of a pointer is drained.
    Drained,
}

/// Overlaps of a plan's steps, looked up by step.
#[derive(Debug)]
pub struct Overlaps<'a> {
    plan: &'a Plan,
    /// What leaves, by address.
    leaving: BTreeMap<&'a Addr, &'a Step>,
    hold_ms: u64,
    drain_ms: u64,
}

impl<'a> Overlaps<'a> {
    /// Of a plan.
    pub fn of(plan: &'a Plan) -> Self {
        let leaves = |s: &&Step| {
            matches!(s.action, Action::Warm | Action::Destroy | Action::Release | Action::Retain)
                && s.class != Class::Pointer
        };
        // With several at one address the one in use comes last: what was kept before it leaves by itself.
        let leaving: BTreeMap<&Addr, &Step> = plan.steps.iter().filter(leaves).map(|s| (&s.address, s)).collect();
        let mut whole = Self { plan, leaving, hold_ms: 0, drain_ms: 0 };
        whole.hold_ms = plan.rollout.hold_ms() + plan.graph.policy.watch_ms;
        whole.drain_ms = plan.switches.iter().map(|s| whole.drain(&s.address)).max().unwrap_or(0);
        whole
    }

    /// How long the stages of all pointers together are held, and a commit is watched.
    pub fn hold_ms(&self) -> u64 {
        self.hold_ms
    }

    /// How long a pointer drains.
    fn drain(&self, at: &Addr) -> u64 {
        let node = self.plan.graph.nodes.get(at);
        let drain = node.and_then(|n| n.known("drain")).and_then(Value::as_int);
        drain.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0)
    }

    /// What coexists because of a step; `None`: nothing that was not there before.
    pub fn at(&self, step: &Step) -> Option<Overlap> {
        match step.action {
            Action::Create | Action::Reuse | Action::Adopt => self.beside(step),
            Action::Switch if step.class == Class::Pointer => self.sides(step),
            _other => None,
        }
    }

    fn beside(&self, step: &Step) -> Option<Overlap> {
        let old = self.leaving.get(&step.address)?;
        let (hold_ms, drain_ms) = (self.hold_ms, self.drain_ms);
        let with = self.plan.graph.nodes.get(&step.address).map(|n| &n.with.replace);
        let drained =
            if drain_ms > 0 { format!(", at most {} after the switch", short(drain_ms)) } else { String::new() };
        let (until, text) = match (with, old.action) {
            (Some(Replace::Handover { .. } | Replace::StopFirst { .. }), _) => {
                (Until::Handover, "made ready beside the old one, never at work with it".to_owned())
            }
            (_, Action::Warm) => {
                (Until::Warm, format!("beside the old one, which stays out of service (keep = {})", self.plan.keep))
            }
            (_, Action::Release) => (Until::Released, "beside the old one, which is left to the collector".to_owned()),
            (_, Action::Retain) => (Until::Retained, "beside the old one, which keeps its data".to_owned()),
            _destroyed => (Until::Destroyed, format!("beside the old one, until it is drained{drained}")),
        };
        Some(Overlap { with: vec![old.address.to_string()], until, hold_ms, drain_ms, text })
    }

    fn sides(&self, step: &Step) -> Option<Overlap> {
        let switch = self.plan.switches.iter().find(|s| Some(s.object) == step.object)?;
        let mut with: Vec<String> = switch
            .targets
            .iter()
            .map(|(a, _)| a)
            .filter(|a| self.leaving.contains_key(a))
            .map(ToString::to_string)
            .collect();
        with.dedup();
        if with.is_empty() {
            return None;
        }
        let compared = self.plan.rollout.comparisons.iter().any(|c| c.pointer == switch.object);
        let hold_ms = if compared { self.plan.rollout.hold_ms() } else { 0 };
        let drain_ms = self.drain(&step.address);
        let hold =
            if hold_ms > 0 { format!("both sides are there for {}", short(hold_ms)) } else { "one switch".to_owned() };
        let text = format!("{hold}, then requests to the old side end, at most {}", short(drain_ms));
        Some(Overlap { with, until: Until::Drained, hold_ms, drain_ms, text })
    }
}

/// A duration as programs write it.
fn short(ms: u64) -> String {
    imm_ir::reduce::shown(&Value::Duration(i64::try_from(ms).unwrap_or(i64::MAX)))
}
