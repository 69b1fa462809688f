//! Pointers and cells: moved by compare-and-swap, going back by themselves, or moved by hand.

use super::{Caller, Things};
use crate::id::{Lineage, ObjectId};
use crate::lease;
use crate::provider::{ErrorKind, Happened, Move, Result, Setting};
use crate::simulate::call::{Place, Reply, error};
use crate::simulate::effect::Deed;
use imm_ir::Nature;
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Pointer {
    pub owner: Option<(Place, Lineage)>,
    pub epoch: u64,
    pub setting: Setting,
    pub confirmed: Setting,
    pub until_ms: Option<u64>,
}

impl Things {
    pub(super) fn switch(&mut self, caller: Caller, moves: &[Move], ttl: Duration) -> Result<Reply> {
        for m in moves {
            if self.there(m.object).is_none() {
                let message = format!("{} is not there to be switched", m.address);
                return Err(error(ErrorKind::Permanent, Happened::No, message));
            }
            let now = self.pointers.get(&m.object).map_or(0, |p| p.epoch);
            if now != m.from_epoch {
                let message = format!("{} is at epoch {now}, not {}", m.address, m.from_epoch);
                return Err(error(ErrorKind::Epoch, Happened::No, message));
            }
        }
        let until_ms = self.after(ttl);
        let mut epochs = Vec::with_capacity(moves.len());
        for m in moves {
            let pointer = self.pointers.entry(m.object).or_default();
            pointer.owner = Some((caller.place, caller.lineage));
            pointer.epoch += 1;
            pointer.setting = m.to.clone();
            pointer.until_ms = Some(until_ms);
            epochs.push(pointer.epoch);
            let (from_epoch, epoch, to) = (m.from_epoch, pointer.epoch, m.to.clone());
            self.note(caller, Deed::Switched { object: m.object, from_epoch, epoch, to, until_ms });
        }
        // Who is asked, writes.
        for target in moves.iter().flat_map(|m| &m.to.targets) {
            self.write(caller, target.object);
        }
        Ok(Reply::Switched(epochs))
    }

    /// When the next provisional setting is taken back: when it runs out, or when its provider runs again after that.
    pub fn next_revert(&self) -> Option<u64> {
        self.pointers.values().filter_map(|p| self.taken_back_at(p)).min()
    }

    fn taken_back_at(&self, pointer: &Pointer) -> Option<u64> {
        let away = pointer.owner.and_then(|(place, _)| self.away.get(&place)).copied().unwrap_or(0);
        Some(pointer.until_ms?.max(away))
    }

    /// Takes back what runs out now.
    pub fn revert_due(&mut self) {
        let now = self.now_ms;
        let (mut reverted, mut resting) = (Vec::new(), Vec::new());
        let due = self.pointers.iter().filter(|(_, p)| self.taken_back_at(p).is_some_and(|at| at <= now));
        let due: Vec<ObjectId> = due.map(|(id, _)| *id).collect();
        for id in &due {
            if let Some(pointer) = self.pointers.get_mut(id) {
                pointer.until_ms = None;
                pointer.epoch += 1;
                pointer.setting = pointer.confirmed.clone();
                resting.extend(pointer.setting.targets.iter().map(|t| (pointer.owner, t.object)));
                reverted.push((pointer.owner, *id, pointer.epoch, pointer.setting.clone()));
            }
        }
        // Whoever let it run out is not listened to any more: what it said before may still be on its way, and would stop what
        // is in force again.
        let left: BTreeSet<_> = reverted.iter().filter_map(|(owner, ..)| *owner).collect();
        for owner in left {
            if let Some((fence, _)) = self.fences.get_mut(&owner) {
                *fence = lease::turned(*fence);
            }
        }
        // What it goes back to acts again, unless somebody else may hold what it needs alone.
        for (owner, object) in resting {
            let there = self.objects.get_mut(&object).filter(|o| !o.lost && o.made.exclusive.is_empty());
            let rests = there.filter(|o| o.acts_since_ms.is_none() && o.made.nature == Nature::Process);
            if let Some((there, owner)) = rests.zip(owner) {
                there.acts_since_ms = Some(now);
                self.note_by_itself(owner, Deed::Activated(object));
            }
        }
        for (owner, object, epoch, to) in reverted {
            let Some(owner) = owner else { continue };
            self.note_by_itself(owner, Deed::Reverted { object, epoch, to });
        }
    }

    /// Somebody sets it by hand to what it is set to.
    pub fn meddle(&mut self, object: ObjectId) {
        let Some(pointer) = self.pointers.get_mut(&object) else { return };
        pointer.epoch += 1;
        let (owner, epoch, to) = (pointer.owner, pointer.epoch, pointer.setting.clone());
        if let Some(owner) = owner {
            self.note_by_itself(owner, Deed::Meddled { object, epoch, to });
        }
    }

    pub fn pointer(&self, object: ObjectId) -> Option<(u64, Setting, bool)> {
        self.pointers.get(&object).map(|p| (p.epoch, p.setting.clone(), p.until_ms.is_some()))
    }
}
