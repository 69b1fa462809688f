//! What was in a run: entries, ends, consents. So that what is rare is seen to be rare.

use imm_runtime::apply::Outcome;
use imm_runtime::entry::{Body, ConsentKind, Entry};
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::oracle::entry_name;
use imm_runtime::simulate::shapes::{Program, Rollout};
use std::collections::BTreeMap;

/// How often each thing occurred.
#[derive(Clone, Debug, Default)]
pub struct Coverage(BTreeMap<String, u64>);

/// Whatever a program and a person can make an engine write has to be there; what is written outside of applies is not.
const ENTRIES: [&str; 38] = [
    "Activated",
    "ApplyStarted",
    "Attached",
    "Committed",
    "Confirmed",
    "Consented",
    "Created",
    "Deactivated",
    "Destroyed",
    "Drained",
    "DrillFinished",
    "Finished",
    "GateJudged",
    "IntentActivate",
    "IntentCreate",
    "IntentDeactivate",
    "IntentDestroy",
    "IntentDrain",
    "IntentRun",
    "IntentSnapshot",
    "IntentSwitch",
    "JobFinished",
    "LeaseTaken",
    "NotHappened",
    "Opened",
    "Released",
    "Renamed",
    "Retained",
    "Signalled",
    "SnapshotTaken",
    "StageEntered",
    "Switched",
    "Unknown",
    "UnwindStarted",
    "Verified",
    "WatchEnded",
    "external: afar",
    "external: file",
];

/// What programs of chance have to be, now and then.
const SHAPES: [&str; 5] = [
    "program: canary",
    "program: pointer behind a pointer",
    "program: rolling",
    "program: several pointers",
    "stage: several pointers",
];

/// Every way in which a command ends.
const ENDS: [&str; 14] = [
    "apply committed",
    "apply rolled back",
    "apply stuck",
    "destroy committed",
    "died",
    "drill drilled",
    "overtaken: done before",
    "overtaken: refused",
    "power cut",
    "recover committed",
    "recover nothing",
    "recover rolled back",
    "refused",
    "rollback committed",
];

impl Coverage {
    /// One more.
    pub fn count(&mut self, what: &str) {
        *self.0.entry(what.to_owned()).or_default() += 1;
    }

    /// How often.
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// What is to be applied.
    pub fn program(&mut self, program: &Program) {
        match &program.rollout {
            Some(Rollout::Canary(..)) => self.count("program: canary"),
            Some(Rollout::Rolling(_)) => self.count("program: rolling"),
            Some(Rollout::BlueGreen) | None => {}
        }
        if program.second_route || program.database.is_some() {
            self.count("program: several pointers");
        }
        if program.tier.is_some() {
            self.count("program: pointer behind a pointer");
        }
    }

    /// How a command ended.
    pub fn ended(&mut self, command: &Command, ended: &Ended) {
        let how = match ended {
            Ended::Died(_) => return self.count("died"),
            Ended::Refused(_) => return self.count("refused"),
            Ended::Nothing => "nothing",
            Ended::Outcome(Outcome::Committed { .. }) => "committed",
            Ended::Outcome(Outcome::RolledBack { .. }) => "rolled back",
            Ended::Outcome(Outcome::Reverted { .. }) => "went back by itself",
            Ended::Outcome(Outcome::Drilled { .. }) => "drilled",
            Ended::Outcome(Outcome::Stuck { .. }) => "stuck",
            Ended::Outcome(Outcome::NothingToDo) => "nothing to do",
        };
        self.count(&format!("{} {how}", command.word()));
    }

    /// What was recorded.
    pub fn entries(&mut self, scene: &Scene) {
        for record in scene.records() {
            self.count(&entry_name(&record.bytes));
            match Entry::decode(record.seq, &record.bytes).map(|entry| entry.body) {
                Ok(Body::Consented { kind, .. }) => self.count(&format!("consent: {kind:?}")),
                Ok(Body::IntentCreate(intent)) if &*intent.provider != "simulated" => {
                    self.count("external: afar");
                    if &*intent.kind == "file" {
                        self.count("external: file");
                    }
                }
                Ok(Body::StageEntered { weights, of, .. }) if of > 1 && weights.len() > 1 => {
                    self.count("stage: several pointers");
                }
                _other => {}
            }
        }
    }

    /// Both together.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        for (what, count) in other.0 {
            *self.0.entry(what).or_default() += count;
        }
        self
    }

    /// Everything occurred that has to.
    pub fn is_wide(&self) {
        let consents = [
            ConsentKind::NeverStep,
            ConsentKind::AcceptLost,
            ConsentKind::DurableReplace,
            ConsentKind::Rename,
            ConsentKind::AcrossJob,
            ConsentKind::RolledBackRoot,
        ];
        let consents = consents.map(|kind| format!("consent: {kind:?}"));
        let wanted = ENTRIES.iter().chain(&SHAPES).chain(&ENDS).map(|name| (*name).to_owned()).chain(consents);
        let missing: Vec<String> = wanted.filter(|name| self.of(name) == 0).collect();
        assert!(missing.is_empty(), "never occurred: {missing:?}\n{self}");
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(what, count)| writeln!(f, "{count:>9} {what}"))
    }
}
