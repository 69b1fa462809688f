//! I12 and I13: what the entries of one apply say about each other and about its plan.

use super::{Findings, Promise, name};
use crate::entry::{Body, Ending, Entry, SignalVerb, Verdict};
use crate::id::{ApplyId, ObjectId};
use imm_ir::Nature;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
struct Seen {
    commits: u32,
    unwound: bool,
    aborted: bool,
    /// Something came after its start; what was said before that was not meant for it.
    begun: bool,
    confirmed: bool,
    ended: bool,
    creates: BTreeSet<ObjectId>,
    switches: BTreeSet<ObjectId>,
    activates: BTreeSet<ObjectId>,
    deactivates: BTreeSet<ObjectId>,
    runs: BTreeSet<ObjectId>,
    destroys: BTreeSet<ObjectId>,
    renames: BTreeSet<ObjectId>,
    attaches: BTreeSet<ObjectId>,
    retains: BTreeSet<ObjectId>,
    releases: BTreeSet<ObjectId>,
    /// It ended, and nothing was left over.
    clean: bool,
    /// It failed its watch: what it was to end is what the next one goes back to.
    failed_watch: bool,
}

/// Judges every apply.
pub(super) fn judge(entries: &[(u64, Entry)], promises: &BTreeMap<ApplyId, Promise>, findings: &mut Findings) {
    let mut open: Option<ApplyId> = None;
    let mut seen: BTreeMap<ApplyId, Seen> = BTreeMap::new();
    for (seq, entry) in entries {
        let Some(id) = entry.header.apply else { continue };
        if let Body::ApplyStarted(_) = entry.body {
            if let Some(before) = open.replace(id) {
                findings.add("I11", format!("entry {seq} starts apply {id} while {before} is open"));
            }
            if seen.insert(id, Seen::default()).is_some() {
                findings.add("I11", format!("entry {seq} starts apply {id} a second time"));
            }
            continue;
        }
        let Some(apply) = seen.get_mut(&id) else {
            if !matches!(entry.body, Body::LeaseTaken { .. } | Body::Consented { .. } | Body::Approved { .. }) {
                findings
                    .add("I11", format!("entry {seq} ({}) belongs to an apply that never started", name(&entry.body)));
            }
            continue;
        };
        if apply.ended {
            findings.add("I11", format!("entry {seq} ({}) follows the end of apply {id}", name(&entry.body)));
        }
        apply.follow(*seq, &entry.body, findings);
        if apply.ended {
            open = None;
        }
    }
    for (id, promise) in promises {
        if let Some(apply) = seen.get(id) {
            apply.compare(id, promise, findings);
        }
    }
}

impl Seen {
    fn follow(&mut self, seq: u64, body: &Body, findings: &mut Findings) {
        self.begun |= !matches!(body, Body::Signalled { .. } | Body::Consented { .. } | Body::Approved { .. });
        match body {
            Body::Committed(_) => {
                self.commits += 1;
                if self.commits > 1 {
                    findings.add("I12", format!("entry {seq} commits a second time"));
                }
                if self.unwound {
                    findings.add("I12", format!("entry {seq} commits what is being undone"));
                }
                if self.aborted {
                    findings.add("I12", format!("entry {seq} commits after an abort"));
                }
            }
            Body::UnwindStarted { .. } => {
                if self.commits > 0 {
                    findings.add("I12", format!("entry {seq} undoes what is committed"));
                }
                self.unwound = true;
            }
            Body::Signalled { verb: SignalVerb::Abort, .. } => self.aborted |= self.begun,
            Body::Confirmed { remaining: 0, .. } => self.confirmed = true,
            // What a job did is taken back by a job.
            Body::IntentCreate(intent) if self.unwound && intent.nature == Nature::Job => {}
            Body::IntentActivate { object, .. } if self.forward() => self.activates.extend([*object]),
            Body::IntentDeactivate { object, .. } if self.forward() => self.deactivates.extend([*object]),
            Body::IntentRun { object, .. } if self.forward() && !self.runs.insert(*object) => {
                findings.add("I2", format!("entry {seq} runs job {} a second time", object.short()));
            }
            Body::IntentCreate(intent) => {
                if !self.creates.insert(intent.object) {
                    findings
                        .add("I2", format!("entry {seq} intends {} ({}) twice", intent.address, intent.object.short()));
                }
                if self.commits > 0 || self.unwound {
                    findings.add("I12", format!("entry {seq} creates {} when it is too late for that", intent.address));
                }
            }
            Body::WatchEnded { verdict: Verdict::Fail, .. } => self.failed_watch = true,
            Body::Renamed { object, .. } => self.renames.extend([*object]),
            Body::Attached { durable, .. } => self.attaches.extend([*durable]),
            Body::Retained { durable, .. } if self.commits > 0 => self.retains.extend([*durable]),
            Body::Released { object } if self.commits > 0 => self.releases.extend([*object]),
            Body::IntentSwitch(intent) if !self.unwound => {
                self.switches.extend(intent.moves.iter().map(|m| m.object));
            }
            Body::IntentDestroy { object, .. } => {
                if self.commits == 0 && !self.unwound {
                    findings.add("I12", format!("entry {seq} destroys {} before the commit", object.short()));
                }
                if self.commits > 0 && !self.confirmed {
                    findings.add("I4", format!("entry {seq} destroys {} before all have confirmed", object.short()));
                }
                self.destroys.insert(*object);
            }
            Body::Finished { ending, leftovers, .. } => {
                match ending {
                    Ending::Committed if self.commits == 0 => {
                        findings.add("Q3", format!("entry {seq} ends as committed without a commit"));
                    }
                    Ending::RolledBack if self.commits > 0 => {
                        findings.add("Q3", format!("entry {seq} ends as rolled back after a commit"));
                    }
                    Ending::Committed | Ending::RolledBack | Ending::Stuck => {}
                }
                self.clean = leftovers.is_empty() && !self.failed_watch;
                self.ended = *ending != Ending::Stuck;
            }
            _other => {}
        }
    }

    fn forward(&self) -> bool {
        !self.unwound && self.commits == 0
    }

    /// Plan and deed: nothing that was not planned; all of it when it was committed.
    fn compare(&self, id: &ApplyId, promise: &Promise, findings: &mut Findings) {
        let committed = self.commits > 0;
        let mut check = |what: &str, done: &BTreeSet<ObjectId>, planned: &BTreeSet<ObjectId>, all: bool| {
            for object in done.difference(planned) {
                findings.add("I13", format!("apply {id} {what} {}, its plan does not", object.short()));
            }
            for object in planned.difference(done).filter(|_| all) {
                findings.add("I13", format!("the plan of {id} {what} {}, the apply did not", object.short()));
            }
        };
        check("creates", &self.creates, &promise.creates, committed);
        check("switches", &self.switches, &promise.switches, committed);
        check("activates", &self.activates, &promise.activates, committed);
        check("deactivates", &self.deactivates, &promise.deactivates, committed);
        check("runs", &self.runs, &promise.runs, committed);
        if committed {
            // What is left over is said, and done by a later one.
            let whole = self.ended && self.clean;
            check("destroys", &self.destroys, &promise.destroys, whole);
            check("retains", &self.retains, &promise.retains, whole);
            check("releases", &self.releases, &promise.releases, whole);
            // One that was retained and gets another name is declared again, too.
            let attached: BTreeSet<ObjectId> = self.attaches.difference(&promise.renames).copied().collect();
            check("attaches", &attached, &promise.attaches, true);
            let moved: BTreeSet<ObjectId> = self.renames.difference(&promise.reuses).copied().collect();
            check("renames", &moved, &promise.renames, true);
        }
    }
}
