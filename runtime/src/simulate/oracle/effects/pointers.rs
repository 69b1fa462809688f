//! Pointers: what they are set to, and what requests meet. I1, I3, I5, I15, I16.

use super::{Findings, Fold, Thing};
use crate::id::ObjectId;
use crate::provider::Setting;
use crate::simulate::call::Place;
use crate::simulate::effect::Effect;
use imm_ir::Nature;
use std::collections::BTreeMap;

impl Fold<'_> {
    pub(super) fn switched(
        &mut self,
        object: ObjectId,
        from_epoch: u64,
        to: &Setting,
        at: &str,
        findings: &mut Findings,
    ) {
        let what = self.named(object);
        let targets: BTreeMap<ObjectId, u32> = to.targets.iter().map(|t| (t.object, t.weight)).collect();
        if !self.recorded.switches.contains(&(object, from_epoch, targets.clone())) {
            findings.add("I1", format!("{at} {what} was switched without an intent on disk"));
        }
        for target in targets.keys() {
            if !self.things.get(target).is_some_and(|t| t.proven) {
                findings.add(
                    "I3",
                    format!("{at} {what} was set to {}, which was never proven healthy", self.named(*target)),
                );
            }
            if !self.recorded.may_serve(*target) {
                let target = self.named(*target);
                findings
                    .add("I5", format!("{at} {what} was set to {target}, of neither the old nor the new generation"));
            }
        }
    }

    /// A pointer has another setting now. Requests are under way to the targets that left it.
    pub(super) fn set(&mut self, object: ObjectId, place: Place, to: &Setting, until_ms: Option<u64>) {
        let pointer = self.pointers.entry(object).or_default();
        let before = std::mem::replace(&mut pointer.setting, to.clone());
        (pointer.place, pointer.until_ms) = (place, until_ms);
        let acts = |id: &ObjectId| self.things.get(id).is_some_and(|t| t.there && t.acts);
        self.busy.extend(before.targets.iter().map(|t| t.object).filter(acts));
        let in_force = self.pointers.values().flat_map(|p| &p.setting.targets);
        for target in in_force {
            self.busy.remove(&target.object);
        }
    }

    /// An object stops or goes: nobody may wait for its answer, unless it gives way to another one.
    pub(super) fn cut_off(&mut self, object: ObjectId, at: &str, findings: &mut Findings) {
        let process = self.things.get(&object).is_some_and(|t| t.acts && t.made.nature == Nature::Process);
        let gives_way = self.recorded.promise.gives_way.contains(&object);
        let in_force = self.pointers.values().any(|p| p.setting.targets.iter().any(|t| t.object == object));
        if (self.busy.remove(&object) || in_force) && process && !gives_way {
            let what = self.named(object);
            findings.add("I15", format!("{at} {what} was stopped before the requests to it were answered"));
        }
    }

    /// How long pointers were without a target that acts: never but in a handover, and then as long as the plan said.
    pub(super) fn outages(&mut self, now_ms: u64, findings: &mut Findings) {
        let acts = |target: &ObjectId| self.things.get(target).is_some_and(|t| t.there && t.acts);
        for (id, pointer) in &mut self.pointers {
            let targets = &pointer.setting.targets;
            let dark = !targets.is_empty() && !targets.iter().any(|t| acts(&t.object));
            let Some(since) = (if dark {
                pointer.dark_since_ms.get_or_insert(now_ms);
                None
            } else {
                pointer.dark_since_ms.take()
            }) else {
                continue;
            };
            let (lasted, allowed) = (now_ms - since, self.recorded.promise.outage_ms);
            let bounded = self.calm && !self.recorded.crashed() || self.recorded.promise.gives_way.is_empty();
            if bounded && lasted > allowed {
                let id = id.short();
                findings
                    .add("I15", format!("at {now_ms} ms {id} had nobody for {lasted} ms, declared are {allowed} ms"));
            }
        }
    }

    /// Every target in force, and every one that may come back, is there and acts; in a handover it may have given way, and
    /// one that may come back may rest, as a batch that was taken over from does.
    pub(super) fn dangling(&mut self, at: &str, findings: &mut Findings) {
        for (id, pointer) in &self.pointers {
            let back = if pointer.until_ms.is_some() { pointer.back.targets.as_slice() } else { &[] };
            let sides = pointer.setting.targets.iter().map(|t| (t, false)).chain(back.iter().map(|t| (t, true)));
            for (target, back) in sides {
                let gives_way = self.recorded.promise.gives_way.contains(&target.object)
                    || (back && self.recorded.may_stop(target.object));
                let sound = |t: &Thing| t.there && (t.acts || gives_way) && !t.made.tainted;
                if !self.things.get(&target.object).is_some_and(sound) {
                    let (pointer, target) = (self.named(*id), self.named(target.object));
                    findings
                        .add("I3", format!("{at} {pointer} points at {target}, which is not there or does not act"));
                }
            }
        }
    }

    /// A provisional setting that nobody renewed has to be gone by its time, or as soon as its provider runs again.
    pub(super) fn unattended(&mut self, effect: &Effect, findings: &mut Findings) {
        for (id, pointer) in &self.pointers {
            let away = self.away.get(&pointer.place).copied().unwrap_or(0);
            if let Some(until) = pointer.until_ms.map(|until| until.max(away)).filter(|until| *until < effect.at_ms) {
                let sentence = format!(
                    "at {} ms {} was still provisional, its time ended at {until} ms",
                    effect.at_ms,
                    id.short()
                );
                findings.add("I16", sentence);
            }
        }
    }
}
