//! What happened in the world against what was on disk before it: I1 to I10 and I16.
//!
//! Effects and entries are walked in one order: an effect comes after exactly the entries that were durable when it
//! happened. A late call is judged like any other where the world let it through.

use super::record::Recorded;
use super::{Evidence, Findings};
use crate::entry::{Body, Entry};
use crate::id::{Lineage, ObjectId};
use crate::provider::{Level, Setting};
use crate::simulate::effect::{Deed, Effect, Made};
use imm_ir::{Class, Nature};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
struct Thing {
    made: Made,
    /// Its create had been given up, or was repeated on the way.
    late: bool,
    there: bool,
    acts: bool,
    /// An engine was told that it is healthy.
    proven: bool,
}

#[derive(Debug, Default)]
struct Pointer {
    setting: Setting,
    back: Setting,
    until_ms: Option<u64>,
    /// The world took it back by itself, and nobody has set it since.
    alone: bool,
    /// Since when none of its targets acts.
    dark_since_ms: Option<u64>,
}

#[derive(Debug, Default)]
struct Fold<'a> {
    things: BTreeMap<ObjectId, Thing>,
    pointers: BTreeMap<ObjectId, Pointer>,
    announced: BTreeMap<Lineage, u64>,
    /// Durables whose last copy was taken while somebody wrote to them.
    torn: BTreeMap<ObjectId, String>,
    /// Jobs that were run.
    ran: BTreeSet<ObjectId>,
    recorded: Recorded<'a>,
    calm: bool,
}

/// Walks both in one order.
pub(super) fn judge(entries: &[(u64, Entry)], evidence: &Evidence, findings: &mut Findings) {
    let recorded = Recorded::foreseeing(entries, &evidence.promises);
    let mut fold = Fold { recorded, calm: evidence.calm, ..Fold::default() };
    let mut rest = entries.iter().peekable();
    let mut durable = 0;
    for effect in &evidence.effects {
        if effect.durable < durable {
            findings.add("I11", format!("at {} ms durable entries had vanished", effect.at_ms));
        }
        durable = durable.max(effect.durable);
        while let Some((_, entry)) = rest.next_if(|(seq, _)| *seq <= effect.durable) {
            if let Body::SnapshotTaken { durable, consistent: true, .. } = entry.body
                && let Some(torn) = fold.torn.get(&durable)
            {
                findings.add("I8", format!("the copy of {} was taken {torn}", durable.short()));
            }
            fold.recorded.follow(entry);
        }
        fold.effect(effect, findings);
        fold.outages(effect.at_ms, findings);
    }
}

impl Fold<'_> {
    fn effect(&mut self, effect: &Effect, findings: &mut Findings) {
        let at = format!("at {} ms", effect.at_ms);
        self.unattended(effect, findings);
        if effect.fence > 0 && !matches!(effect.deed, Deed::Announced | Deed::Refused(_) | Deed::Probed(..)) {
            let announced = self.announced.get(&effect.lineage).copied().unwrap_or(0);
            if effect.fence < announced {
                findings
                    .add("I10", format!("{at} a call with fence {} was let through after {announced}", effect.fence));
            } else if effect.fence > announced {
                findings.add("I10", format!("{at} fence {} had an effect before it was announced", effect.fence));
            }
        }
        match &effect.deed {
            Deed::Announced => {
                self.announced.insert(effect.lineage, effect.fence);
            }
            Deed::Created(made) => self.created(made, effect.late, &at, findings),
            Deed::Activated(object) => {
                // The world lets act again by itself what it goes back to.
                if effect.fence > 0 && !self.recorded.activates.contains(object) {
                    findings.add("I1", format!("{at} {} was activated without an intent on disk", self.named(*object)));
                }
                self.begins_to_act(*object, &at, findings);
            }
            Deed::Deactivated(object) => {
                if !self.recorded.deactivates.contains(object) {
                    findings
                        .add("I1", format!("{at} {} was deactivated without an intent on disk", self.named(*object)));
                }
                if self.recorded.old_before_confirm(*object) && !self.recorded.may_stop(*object) {
                    let what = self.named(*object);
                    findings.add("I4", format!("{at} {what} of the old generation was deactivated too early"));
                }
                if let Some(thing) = self.things.get_mut(object) {
                    thing.acts = false;
                }
                self.dangling(&at, findings);
            }
            Deed::Ran(object) => {
                let what = self.named(*object);
                if !self.recorded.runs.contains(object) {
                    findings.add("I1", format!("{at} {what} was run without an intent on disk"));
                }
                if !self.ran.insert(*object) {
                    findings.add("I2", format!("{at} {what} was run a second time"));
                }
            }
            Deed::Copied { object, token } => {
                if !self.recorded.copies.contains(&(*object, *token)) {
                    findings.add("I1", format!("{at} {} was copied without an intent on disk", self.named(*object)));
                }
                match self.writer(*object) {
                    Some(writer) => _ = self.torn.insert(*object, format!("{at}, while {writer} wrote to it")),
                    None => _ = self.torn.remove(object),
                }
            }
            Deed::Destroyed { object, missing } => self.destroyed(*object, *missing, &at, findings),
            Deed::Switched { object, from_epoch, to, until_ms, .. } => {
                self.switched(*object, *from_epoch, to, &at, findings);
                let pointer = self.pointers.entry(*object).or_default();
                pointer.setting = to.clone();
                pointer.until_ms = Some(*until_ms);
                pointer.alone = false;
                self.dangling(&at, findings);
            }
            Deed::Reverted { object, to, .. } => {
                let pointer = self.pointers.entry(*object).or_default();
                if pointer.back != *to {
                    findings.add("I16", format!("{at} {} went back to what was never confirmed", object.short()));
                }
                pointer.setting = to.clone();
                pointer.until_ms = None;
                pointer.alone = true;
                self.dangling(&at, findings);
            }
            Deed::Renewed { until_ms } => {
                for pointer in self.pointers.values_mut().filter(|p| p.until_ms.is_some()) {
                    pointer.until_ms = Some(*until_ms);
                }
            }
            Deed::Confirmed => {
                if self.recorded.open_uncommitted() {
                    findings.add("I5", format!("{at} settings were confirmed before the commit"));
                }
                for pointer in self.pointers.values_mut() {
                    pointer.back = pointer.setting.clone();
                    pointer.until_ms = None;
                }
            }
            Deed::Drained(objects) => {
                for object in objects.iter().filter(|o| !self.recorded.drains.contains(o)) {
                    findings.add("I1", format!("{at} {} was drained without an intent on disk", self.named(*object)));
                }
            }
            Deed::Probed(object, level) => {
                if let (Level::Healthy, Some(thing)) = (level, self.things.get_mut(object)) {
                    thing.proven = true;
                }
            }
            Deed::Refused(_) => {}
        }
    }

    fn created(&mut self, made: &Made, late: bool, at: &str, findings: &mut Findings) {
        let what = format!("{} ({})", made.address, made.object.short());
        if !self.recorded.creates.contains(&made.object) {
            findings.add("I1", format!("{at} {what} was created without an intent on disk"));
        }
        if self.things.contains_key(&made.object) {
            findings.add("I2", format!("{at} {what} was created a second time"));
        }
        // A pointer's targets are no part of what it is: I3 looks after them.
        for bound in made.bound.iter().filter(|_| made.class != Class::Pointer) {
            if !self.things.get(bound).is_some_and(|t| t.there) {
                findings.add("I9", format!("{at} {what} was created on {}, which is not there", bound.short()));
            }
        }
        if self.recorded.by_itself.contains(&made.object) && !made.dormant {
            findings.add("I7", format!("{at} {what} acts by itself and was not created dormant"));
        }
        // Content has no level: it is there, whole, or it is not.
        let proven = made.nature == Nature::Content;
        self.things.insert(made.object, Thing { made: made.clone(), late, there: true, acts: false, proven });
        if !made.dormant {
            self.begins_to_act(made.object, at, findings);
        }
    }

    /// Two that act may not hold the same thing alone.
    fn begins_to_act(&mut self, object: ObjectId, at: &str, findings: &mut Findings) {
        let Some(thing) = self.things.get_mut(&object) else { return };
        thing.acts = true;
        let made = thing.made.clone();
        if self.recorded.by_itself.contains(&object) {
            if !self.recorded.staged() {
                findings.add("I7", format!("{at} {} acts before the final stage", made.address));
            }
            if !self.recorded.may_act_again(object) {
                findings.add("I7", format!("{at} {} begins to act in an apply that is being undone", made.address));
            }
            let rests = self.recorded.promise.deactivates.iter().filter(|_| !self.recorded.unwinding());
            for old in rests.filter(|old| self.recorded.by_itself.contains(*old)) {
                if self.things.get(old).is_some_and(|t| t.acts) {
                    findings.add("I7", format!("{at} {} acts while {} still does", made.address, self.named(*old)));
                }
            }
        }
        let others = self.things.values().filter(|t| t.there && t.acts && t.made.object != object);
        for other in others {
            for (scope, key) in other.made.exclusive.iter().filter(|c| made.exclusive.contains(c)) {
                let (a, b) = (&made.address, &other.made.address);
                findings.add("I6", format!("{at} {a} and {b} both hold {scope} {key}"));
            }
        }
    }

    fn destroyed(&mut self, object: ObjectId, missing: bool, at: &str, findings: &mut Findings) {
        let what = self.named(object);
        if !self.recorded.destroys.contains(&object) {
            findings.add("I1", format!("{at} {what} was destroyed without an intent on disk"));
        }
        if missing {
            return;
        }
        if self.recorded.old_before_confirm(object) {
            findings.add("I4", format!("{at} {what} of the old generation was destroyed before all had confirmed"));
        }
        if self.recorded.in_force(object) {
            findings.add("I4", format!("{at} {what} was destroyed, it belongs to the committed generation"));
        }
        if self.recorded.made_before_undo(object) {
            findings.add("I12", format!("{at} {what} was destroyed before its apply was being undone"));
        }
        if let Some(thing) = self.things.get_mut(&object) {
            thing.there = false;
            thing.acts = false;
            let durable = thing.made.class == Class::Durable;
            // A create that arrived after it was given up, between looking for it and leaving a tombstone: nobody was ever
            // told of it and nothing was bound to it, so it holds nothing.
            let strayed = thing.late && !self.recorded.acknowledged.contains(&object);
            if durable && !strayed && !self.recorded.consents.contains(&object) {
                findings.add("I8", format!("{at} {what} holds data and was destroyed without consent"));
            }
            if thing.made.nature == Nature::Content {
                findings.add("I1", format!("{at} {what} is content and was destroyed instead of released"));
            }
        }
        for other in self.things.values().filter(|t| t.there && t.made.class != Class::Pointer) {
            if other.made.bound.contains(&object) {
                findings.add("I9", format!("{at} {what} was destroyed, {} is bound to it", other.made.address));
            }
        }
        self.pointers.remove(&object);
        self.dangling(at, findings);
    }

    fn switched(&mut self, object: ObjectId, from_epoch: u64, to: &Setting, at: &str, findings: &mut Findings) {
        let what = self.named(object);
        let targets: BTreeSet<ObjectId> = to.targets.iter().map(|t| t.object).collect();
        if !self.recorded.switches.contains(&(object, from_epoch, targets.clone())) {
            findings.add("I1", format!("{at} {what} was switched without an intent on disk"));
        }
        for target in &targets {
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

    /// Who holds a durable alone and acts.
    fn writer(&self, durable: ObjectId) -> Option<String> {
        let key = durable.to_string();
        let writes = |t: &&Thing| t.there && t.acts && t.made.exclusive.iter().any(|(_, k)| *k == key);
        self.things.values().find(writes).map(|t| t.made.address.to_string())
    }

    /// How long pointers were without a target that acts: never but in a handover, and then as long as the plan said.
    fn outages(&mut self, now_ms: u64, findings: &mut Findings) {
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
    /// one that may come back may rest, as a batch that was taken over from does. So may one that has come back by itself: a
    /// dead engine's last word may reach it before the next engine does.
    fn dangling(&mut self, at: &str, findings: &mut Findings) {
        for (id, pointer) in &self.pointers {
            let back = if pointer.until_ms.is_some() { pointer.back.targets.as_slice() } else { &[] };
            let sides =
                pointer.setting.targets.iter().map(|t| (t, pointer.alone)).chain(back.iter().map(|t| (t, true)));
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

    /// A provisional setting that nobody renewed has to be gone by its time.
    fn unattended(&mut self, effect: &Effect, findings: &mut Findings) {
        for (id, pointer) in &self.pointers {
            if let Some(until) = pointer.until_ms.filter(|until| *until < effect.at_ms) {
                let sentence = format!(
                    "at {} ms {} was still provisional, its time ended at {until} ms",
                    effect.at_ms,
                    id.short()
                );
                findings.add("I16", sentence);
            }
        }
    }

    fn named(&self, object: ObjectId) -> String {
        let address = self.things.get(&object).map(|t| t.made.address.to_string());
        format!("{} ({})", address.unwrap_or_else(|| "an unknown object".to_owned()), object.short())
    }
}
