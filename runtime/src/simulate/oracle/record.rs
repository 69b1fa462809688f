//! The oracle's own fold of the entries: intents, generations, and how far the open apply is.

use super::{Promise, entries_generations};
use crate::entry::{Body, ConsentKind, Ending, Entry};
use crate::id::{ApplyId, ObjectId};
use imm_ir::{Addr, Digest};
use std::collections::{BTreeMap, BTreeSet};

/// What is on disk up to some entry.
#[derive(Debug, Default)]
pub(super) struct Recorded<'a> {
    promises: Option<&'a BTreeMap<ApplyId, Promise>>,
    /// What the open apply, or the last one, promised.
    pub promise: Promise,
    /// Everything that was ever said to act by itself.
    pub by_itself: BTreeSet<ObjectId>,
    pub runs: BTreeSet<ObjectId>,
    pub copies: BTreeSet<(ObjectId, Digest)>,
    pub creates: BTreeSet<ObjectId>,
    pub destroys: BTreeSet<ObjectId>,
    pub activates: BTreeSet<ObjectId>,
    pub deactivates: BTreeSet<ObjectId>,
    pub drains: BTreeSet<ObjectId>,
    /// Pointer, epoch before, targets after with their parts.
    pub switches: BTreeSet<(ObjectId, u64, BTreeMap<ObjectId, u32>)>,
    /// Creates that were answered.
    pub acknowledged: BTreeSet<ObjectId>,
    /// Durables that may be destroyed.
    pub consents: BTreeSet<ObjectId>,
    /// Undoings, by apply and fence, that gave up before they did anything: their engine could not tell every provider.
    untold: BTreeSet<(ApplyId, u64)>,
    /// What each apply commits in the end.
    foreseen: BTreeMap<ApplyId, BTreeSet<ObjectId>>,
    generations: BTreeMap<u64, BTreeMap<Addr, ObjectId>>,
    current: BTreeSet<ObjectId>,
    ever: BTreeSet<ObjectId>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    id: ApplyId,
    old: BTreeSet<ObjectId>,
    made: BTreeSet<ObjectId>,
    staged: bool,
    committed: bool,
    confirmed: bool,
    unwinding: bool,
    /// The fence of an undoing that gave up before it did anything.
    untold: Option<u64>,
    crashed: bool,
}

impl<'a> Recorded<'a> {
    /// Knows beforehand which generation each apply will commit, and which undoing will give up at once.
    pub fn foreseeing(entries: &[(u64, Entry)], promises: &'a BTreeMap<ApplyId, Promise>) -> Self {
        let mut foreseen = BTreeMap::new();
        for (_, apply, objects) in entries_generations(entries) {
            foreseen.insert(apply, objects.values().copied().collect());
        }
        let gave_up = entries.windows(2).filter_map(|pair| match pair {
            [(_, began), (_, next)] if matches!(began.body, Body::UnwindStarted { .. }) => {
                // Or its engine died in telling: somebody else goes on.
                let ended = matches!(next.body, Body::Finished { ending: Ending::Stuck, .. } | Body::LeaseTaken { .. });
                began.header.apply.filter(|_| ended).map(|apply| (apply, began.header.fence))
            }
            _other => None,
        });
        Self { foreseen, untold: gave_up.collect(), promises: Some(promises), ..Self::default() }
    }

    pub fn follow(&mut self, entry: &Entry) {
        match &entry.body {
            Body::ApplyStarted(_) => {
                let Some(id) = entry.header.apply else { return };
                self.promise = self.promises.and_then(|p| p.get(&id)).cloned().unwrap_or_default();
                self.by_itself.extend(&self.promise.by_itself);
                self.open = Some(Open {
                    id,
                    old: self.current.clone(),
                    made: BTreeSet::new(),
                    staged: false,
                    committed: false,
                    confirmed: false,
                    unwinding: false,
                    untold: None,
                    crashed: false,
                });
            }
            // Somebody else goes on with it.
            Body::LeaseTaken { .. } => self.with_open(|open| open.crashed = true),
            Body::IntentRun { object, .. } => self.runs.extend([*object]),
            Body::IntentSnapshot { durable, token, .. } => self.copies.extend([(*durable, *token)]),
            Body::IntentCreate(intent) => {
                self.creates.insert(intent.object);
                self.with_open(|open| open.made.extend([intent.object]));
            }
            Body::IntentDestroy { object, .. } => self.destroys.extend([*object]),
            Body::IntentActivate { object, .. } => self.activates.extend([*object]),
            Body::IntentDeactivate { object, .. } => self.deactivates.extend([*object]),
            Body::IntentDrain { object, .. } => self.drains.extend([*object]),
            Body::IntentSwitch(intent) => {
                for m in &intent.moves {
                    let targets = m.to.targets.iter().map(|t| (t.object, t.weight)).collect();
                    self.switches.insert((m.object, m.from_epoch, targets));
                }
            }
            Body::Created { object, .. } => self.acknowledged.extend([*object]),
            Body::Consented { kind: ConsentKind::DurableDestroy, subjects, .. } => self.consents.extend(subjects),
            Body::StageEntered { .. } => self.with_open(|open| open.staged = true),
            Body::UnwindStarted { .. } => {
                let fence = entry.header.fence;
                let gave_up = entry.header.apply.is_some_and(|apply| self.untold.contains(&(apply, fence)));
                self.with_open(|open| (open.unwinding, open.untold) = (true, gave_up.then_some(fence)));
            }
            Body::Confirmed { remaining: 0, .. } => self.with_open(|open| open.confirmed = open.committed),
            Body::Committed(commit) => {
                let mut objects = commit.parent.and_then(|p| self.generations.get(&p)).cloned().unwrap_or_default();
                objects.retain(|address, _| !commit.removed.contains(address));
                objects.extend(commit.added.iter().cloned());
                self.current = objects.values().copied().collect();
                self.ever.extend(&self.current);
                self.generations.insert(commit.generation, objects);
                self.with_open(|open| open.committed = true);
            }
            Body::Finished { ending: Ending::Committed | Ending::RolledBack, .. } => self.open = None,
            _other => {}
        }
    }

    /// It belongs to the generation that an unconfirmed apply is to replace, or to an earlier one: nothing but unwinding
    /// ends anything before the confirm.
    pub fn old_before_confirm(&self, object: ObjectId) -> bool {
        match &self.open {
            Some(open) => !open.confirmed && self.ever.contains(&object),
            None => false,
        }
    }

    /// It belongs to the newest committed generation and no apply is about to replace it.
    pub fn in_force(&self, object: ObjectId) -> bool {
        self.current.contains(&object)
    }

    /// The open apply made it and neither undoes nor committed yet.
    pub fn made_before_undo(&self, object: ObjectId) -> bool {
        self.open.as_ref().is_some_and(|o| o.made.contains(&object) && !o.unwinding && !o.committed)
    }

    /// The open apply has entered a stage, or is past all of them.
    pub fn staged(&self) -> bool {
        self.open.as_ref().is_none_or(|o| o.staged || o.committed || o.unwinding)
    }

    /// An apply is open that did not commit.
    pub fn open_uncommitted(&self) -> bool {
        self.open.as_ref().is_some_and(|o| !o.committed && !o.unwinding)
    }

    /// It may stop although the old generation needs it: the plan says that it gives way, or the stages have begun and the
    /// plan says that it stops.
    pub fn may_stop(&self, object: ObjectId) -> bool {
        // Undoing stops what the apply let act, be it of an earlier generation.
        if self.open.as_ref().is_some_and(|o| o.unwinding && !o.old.contains(&object)) {
            return true;
        }
        let promised = self.staged() && self.promise.deactivates.contains(&object);
        promised || self.promise.gives_way.contains(&object)
    }

    /// An undone apply lets it act again: it acted before.
    pub fn may_act_again(&self, object: ObjectId) -> bool {
        self.open.as_ref().is_none_or(|o| !o.unwinding || o.old.contains(&object))
    }

    /// Whether what was sent with one fence may still reach a provider that has heard the other one: it began before the
    /// undoing, of which that provider could not be told, and which therefore gave up before it did anything.
    pub fn untold(&self, sent: u64, heard: u64) -> bool {
        let undoing = self.open.as_ref().and_then(|o| o.untold);
        undoing.is_some_and(|undoing| sent > 0 && sent < undoing && heard < undoing)
    }

    /// Its engine died and another one goes on with it.
    pub fn crashed(&self) -> bool {
        self.open.as_ref().is_some_and(|o| o.crashed)
    }

    /// No apply is open.
    pub fn is_over(&self) -> bool {
        self.open.is_none()
    }

    /// An apply is open and is not being undone.
    pub fn goes_forward(&self) -> bool {
        self.open.as_ref().is_some_and(|o| !o.unwinding)
    }

    /// A pointer may be set to it now: it is of the old or the new generation.
    pub fn may_serve(&self, object: ObjectId) -> bool {
        match &self.open {
            Some(open) => match self.foreseen.get(&open.id) {
                Some(new) if open.confirmed => new.contains(&object),
                Some(new) => new.contains(&object) || open.old.contains(&object),
                // It never commits: what it made, or took back into service.
                None => open.old.contains(&object) || open.made.contains(&object) || self.ever.contains(&object),
            },
            None => self.current.contains(&object),
        }
    }

    fn with_open(&mut self, change: impl FnOnce(&mut Open)) {
        if let Some(open) = &mut self.open {
            change(open);
        }
    }
}
