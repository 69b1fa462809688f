//! What happened in the world against what was on disk before it: I1 to I10 and I16.
//!
//! Effects and entries are walked in one order: an effect comes after exactly the entries that were durable when it
//! happened. A late call is judged like any other where the world let it through.

mod objects;
mod pointers;

use super::record::Recorded;
use super::{Evidence, Findings};
use crate::entry::{Body, Ending, Entry};
use crate::id::ObjectId;
use crate::lease;
use crate::provider::{Level, Setting};
use crate::simulate::call::Place;
use crate::simulate::effect::{Deed, Effect, Made};
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
    place: Place,
    setting: Setting,
    back: Setting,
    until_ms: Option<u64>,
    /// Since when none of its targets acts.
    dark_since_ms: Option<u64>,
}

#[derive(Debug, Default)]
struct Fold<'a> {
    things: BTreeMap<ObjectId, Thing>,
    pointers: BTreeMap<ObjectId, Pointer>,
    /// What others have in the same world, and whether it acts: only what it holds matters.
    strangers: BTreeMap<ObjectId, (Made, bool)>,
    announced: BTreeMap<Place, u64>,
    /// Until when each provider does not run.
    away: BTreeMap<Place, u64>,
    /// Targets that left a setting, and have requests under way until they are drained.
    busy: BTreeSet<ObjectId>,
    /// Durables whose last copy was taken while somebody wrote to them.
    torn: BTreeMap<ObjectId, String>,
    /// Jobs that were run.
    ran: BTreeSet<ObjectId>,
    /// What began to act in an undone apply because its provider could not be told of the undoing.
    strays: BTreeSet<ObjectId>,
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
        if evidence.lineage.is_some_and(|ours| ours != effect.lineage) {
            fold.stranger(effect);
            continue;
        }
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
            if let Body::Finished { ending: Ending::RolledBack, leftovers, .. } = &entry.body {
                fold.undone(leftovers, findings);
            }
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
            let announced = self.announced.get(&effect.place).copied().unwrap_or(0);
            // What is made elsewhere was taken when it was asked for, and shows later.
            let taken = effect.late && effect.place == Place::Afar && matches!(effect.deed, Deed::Created(_));
            if effect.fence < announced && !taken {
                findings
                    .add("I10", format!("{at} a call with fence {} was let through after {announced}", effect.fence));
            } else if effect.fence > announced && lease::is_same(effect.fence, announced) {
                // A holder's next fence is announced by the first call that carries it.
                self.announced.insert(effect.place, effect.fence);
            } else if effect.fence > announced {
                findings.add("I10", format!("{at} fence {} had an effect before it was announced", effect.fence));
            }
        }
        match &effect.deed {
            Deed::Announced => {
                self.announced.insert(effect.place, effect.fence);
            }
            Deed::Created(made) => self.created(made, effect.late, &at, findings),
            Deed::Activated(object) => {
                // The world lets act again by itself what it goes back to.
                if effect.fence > 0 && !self.recorded.activates.contains(object) {
                    findings.add("I1", format!("{at} {} was activated without an intent on disk", self.named(*object)));
                }
                let heard = self.announced.get(&effect.place).copied().unwrap_or(0);
                self.begins_to_act(*object, self.recorded.untold(effect.fence, heard), &at, findings);
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
                self.cut_off(*object, &at, findings);
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
                self.set(*object, effect.place, to, Some(*until_ms));
                self.dangling(&at, findings);
            }
            Deed::Reverted { object, to, .. } => {
                if self.pointers.get(object).map(|p| &p.back) != Some(to) {
                    findings.add("I16", format!("{at} {} went back to what was never confirmed", object.short()));
                }
                self.set(*object, effect.place, to, None);
                self.dangling(&at, findings);
            }
            Deed::Meddled { object, to, .. } => {
                let until_ms = self.pointers.get(object).and_then(|p| p.until_ms);
                self.set(*object, effect.place, to, until_ms);
            }
            Deed::Renewed { until_ms } => {
                let here = |p: &&mut Pointer| p.place == effect.place && p.until_ms.is_some();
                for pointer in self.pointers.values_mut().filter(here) {
                    pointer.until_ms = Some(*until_ms);
                }
            }
            Deed::Confirmed => {
                if self.recorded.open_uncommitted() {
                    findings.add("I5", format!("{at} settings were confirmed before the commit"));
                }
                for pointer in self.pointers.values_mut().filter(|p| p.place == effect.place) {
                    pointer.back = pointer.setting.clone();
                    pointer.until_ms = None;
                }
            }
            Deed::Drained(objects) => {
                for object in objects.iter().filter(|o| !self.recorded.drains.contains(o)) {
                    findings.add("I1", format!("{at} {} was drained without an intent on disk", self.named(*object)));
                }
                self.busy.retain(|busy| !objects.contains(busy));
            }
            Deed::Probed(object, level) => {
                if let (Level::Healthy, Some(thing)) = (level, self.things.get_mut(object)) {
                    thing.proven = true;
                }
            }
            Deed::Away { until_ms } => _ = self.away.insert(effect.place, *until_ms),
            Deed::Refused(_) | Deed::Wrote { .. } => {}
        }
    }

    /// What somebody else does in the same world.
    fn stranger(&mut self, effect: &Effect) {
        match &effect.deed {
            Deed::Created(made) => _ = self.strangers.insert(made.object, ((**made).clone(), !made.dormant)),
            Deed::Activated(object) => _ = self.strangers.get_mut(object).map(|(_, acts)| *acts = true),
            Deed::Deactivated(object) => _ = self.strangers.get_mut(object).map(|(_, acts)| *acts = false),
            Deed::Destroyed { object, .. } => _ = self.strangers.remove(object),
            _elsewhere => {}
        }
    }

    fn named(&self, object: ObjectId) -> String {
        let address = self.things.get(&object).map(|t| t.made.address.to_string());
        format!("{} ({})", address.unwrap_or_else(|| "an unknown object".to_owned()), object.short())
    }
}
