//! Handover: what cannot be there beside its predecessor takes over from it. The old ones stop, the new ones begin and are
//! proven, the pointers to them move; the time without either is measured. Undone in reverse by `back`.

use super::build::millis;
use super::progress::Progress;
use super::{Engine, Event, Step, Stop};
use crate::entry::UnwindCause;
use crate::id::ObjectId;
use crate::plan::start::Handover;
use crate::plan::{Plan, PlannedSwitch, Start};
use crate::state::ObjectState;
use imm_ir::Addr;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// How a node takes over, if it does.
fn takes_over<'a>(plan: &'a Plan, addr: &Addr) -> Option<&'a Handover> {
    match plan.nodes.get(addr).map(|n| &n.start) {
        Some(Start::Handover(handover)) => Some(&**handover),
        _other => None,
    }
}

impl Engine {
    /// The next ones to take over: one that is ready, and those that share a pointer with it.
    pub(super) fn next_handover(plan: &Plan, progress: &Progress) -> Vec<Addr> {
        let ready: BTreeSet<&Addr> = progress.made.iter().chain(&progress.late).collect();
        let Some(first) = ready.first().copied() else { return Vec::new() };
        let mut group = BTreeSet::from([first]);
        loop {
            let beside = plan.switches.iter().filter(|s| s.targets.iter().any(|(a, _)| group.contains(a)));
            let more: BTreeSet<&Addr> =
                beside.flat_map(|s| s.targets.iter().map(|(a, _)| a)).filter(|a| ready.contains(a)).collect();
            let before = group.len();
            group.extend(more);
            if group.len() == before {
                return group.into_iter().cloned().collect();
            }
        }
    }

    /// Whether these are ready together: what they share pointers with is made, too, or does not take over.
    pub(super) async fn hand_over(&mut self, plan: &Plan, group: &[Addr], progress: &mut Progress) -> Step<()> {
        let takes: Vec<(&Addr, &Handover)> = group.iter().filter_map(|a| Some((a, takes_over(plan, a)?))).collect();
        let olds: BTreeSet<ObjectId> = takes.iter().flat_map(|(_, h)| h.olds.iter().copied()).collect();
        let olds: Vec<ObjectId> =
            olds.into_iter().filter(|id| self.state().objects.get(id).is_some_and(|o| o.state.acts())).collect();
        let bound = takes.iter().map(|(_, h)| h.max_outage_ms).max().unwrap_or(0);
        let began = Instant::now();
        if !olds.is_empty() {
            self.dark_since.get_or_insert(began);
        }
        let failed = self.set_acting(&olds, false, self.limits.settle_retries).await?;
        self.willing(failed, "does not stop")?;
        if let Some(why) = self.snapshot(plan, group, true).await? {
            return Err(Stop::Unwind(UnwindCause::Failed(None), why));
        }
        let late: Vec<Addr> = takes.iter().filter(|(_, h)| h.stop_first).map(|(a, _)| (*a).clone()).collect();
        late.iter().for_each(|addr| _ = progress.late.remove(addr));
        self.launch_these(plan, late.clone(), progress)?;
        let dormant: Vec<ObjectId> = group
            .iter()
            .filter(|a| progress.made.remove(*a))
            .filter_map(|a| plan.nodes.get(a).map(|n| n.object))
            .filter(|id| self.state().objects.get(id).is_some_and(|o| o.state != ObjectState::Running))
            .collect();
        let failed = self.set_acting(&dormant, true, 3).await?;
        self.willing(failed, "does not begin to act")?;
        // Nobody serves: waiting for health is bounded by what the program allows.
        let left = Duration::from_millis(bound).saturating_sub(began.elapsed());
        progress.bound = (!olds.is_empty()).then_some(left);
        let verify = group.iter().filter(|a| !late.contains(a)).filter_map(|a| Some((a, plan.nodes.get(a)?.object)));
        for (addr, object) in verify {
            let step = self.next_step();
            self.verify(plan, addr, object, step, progress)?;
        }
        self.finish_work(plan, progress).await?;
        progress.bound = None;
        let moves: Vec<PlannedSwitch> = plan
            .switches
            .iter()
            .filter(|s| !s.early && s.targets.iter().any(|(a, _)| group.contains(a)))
            .filter(|s| s.targets.iter().all(|(a, _)| progress.done.contains(a)))
            // One that moves in steps has time: nobody gave way to what it will point at.
            .filter(|s| !olds.is_empty() || !plan.rollout.comparisons.iter().any(|c| c.pointer == s.object))
            .cloned()
            .collect();
        if !moves.is_empty() {
            self.switch(plan, None, &moves).await?;
            progress.moved.extend(moves.iter().map(|s| s.object));
        }
        if !olds.is_empty() {
            self.dark_since = None;
            let outage_ms = millis(began.elapsed());
            self.outage_ms = self.outage_ms.max(outage_ms);
            for address in group {
                (self.events)(Event::HandedOver { address: address.clone(), outage_ms, allowed_ms: bound });
            }
        }
        Ok(())
    }

    /// The first one that did not do as it was told ends the apply.
    pub(super) fn willing(&self, failed: super::active::Unwilling, what: &str) -> Step<()> {
        let Some((object, error)) = failed.into_iter().next() else { return Ok(()) };
        let address = self.address(object).map_or_else(|| object.short(), |a| a.to_string());
        Err(Self::failed(&format!("{address} {what}"), &error))
    }
}
