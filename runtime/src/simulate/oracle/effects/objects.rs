//! Objects: when they come to be, act and go. I1, I2, I4, I6 to I9, I12.

use super::{Findings, Fold, Thing};
use crate::entry::Leftover;
use crate::id::ObjectId;
use crate::simulate::effect::Made;
use imm_ir::{Class, Nature};

impl Fold<'_> {
    pub(super) fn created(&mut self, made: &Made, late: bool, at: &str, findings: &mut Findings) {
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
            self.begins_to_act(made.object, false, at, findings);
        }
    }

    /// Two that act may not hold the same thing alone. `stray`: told by a call that its provider could not know to be over.
    pub(super) fn begins_to_act(&mut self, object: ObjectId, stray: bool, at: &str, findings: &mut Findings) {
        let Some(thing) = self.things.get_mut(&object) else { return };
        thing.acts = true;
        let made = thing.made.clone();
        if self.recorded.by_itself.contains(&object) {
            if !self.recorded.staged() {
                findings.add("I7", format!("{at} {} acts before the final stage", made.address));
            }
            if !self.recorded.may_act_again(object) {
                if stray {
                    self.strays.insert(object);
                } else {
                    findings.add("I7", format!("{at} {} begins to act in an apply that is being undone", made.address));
                }
            }
            if self.recorded.is_over() && !self.recorded.in_force(object) {
                let what = self.named(object);
                findings.add("I7", format!("{at} {what} begins to act and is of no generation in force"));
            }
            let rests = self.recorded.promise.deactivates.iter().filter(|_| self.recorded.goes_forward());
            for old in rests.filter(|old| self.recorded.by_itself.contains(*old)) {
                if self.things.get(old).is_some_and(|t| t.acts) {
                    findings.add("I7", format!("{at} {} acts while {} still does", made.address, self.named(*old)));
                }
            }
        }
        let ours = self.things.values().filter(|t| t.there && t.acts && t.made.object != object).map(|t| &t.made);
        let theirs = self.strangers.values().filter(|(_, acts)| *acts).map(|(made, _)| made);
        for other in ours.chain(theirs) {
            for (scope, key) in other.exclusive.iter().filter(|c| made.exclusive.contains(c)) {
                let (a, b) = (&made.address, &other.address);
                findings.add("I6", format!("{at} {a} and {b} both hold {scope} {key}"));
            }
        }
    }

    /// What a stray call let act has been stopped once its apply is undone, or is named as left over.
    pub(super) fn undone(&mut self, leftovers: &[Leftover], findings: &mut Findings) {
        for object in std::mem::take(&mut self.strays) {
            let acts = self.things.get(&object).is_some_and(|t| t.there && t.acts);
            if acts && leftovers.iter().all(|l| l.object != object) {
                findings.add("I7", format!("{} still acts although its apply was undone", self.named(object)));
            }
        }
    }

    pub(super) fn destroyed(&mut self, object: ObjectId, missing: bool, at: &str, findings: &mut Findings) {
        let what = self.named(object);
        if !self.recorded.destroys.contains(&object) {
            findings.add("I1", format!("{at} {what} was destroyed without an intent on disk"));
        }
        if missing {
            return;
        }
        self.cut_off(object, at, findings);
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

    /// Who holds a durable alone and acts.
    pub(super) fn writer(&self, durable: ObjectId) -> Option<String> {
        let key = durable.to_string();
        let writes = |t: &&Thing| t.there && t.acts && t.made.exclusive.iter().any(|(_, k)| *k == key);
        self.things.values().find(writes).map(|t| t.made.address.to_string())
    }
}
