//! The oracle: judges what an engine did from the world's log and the ledger's durable records alone.
//!
//! It folds both on its own and shares no code with state, plan or executor; of the engine it knows only how an entry is
//! decoded. To read: `chain` (I10, I11: the records themselves), `applies` (I12, I13: entries by apply), `steps` (I14), `weights` (I5 of each stage),
//! `effects` (everything that relates an effect to the entries before it), `data` (I8: what durables hold), `secrets` (I17),
//! `bounds` (Q11, Q12), [`rest`] (Q1 to Q3: what is there once all is quiet), [`why`] (Q9: what undoes a step).
//!
//! What compares two runs is judged where they are run, in the tests of the simulation: I18, Q4 to Q8, Q10.

mod applies;
mod bounds;
mod chain;
mod data;
mod effects;
mod record;
pub mod rest;
mod secrets;
mod steps;
mod weights;
pub mod why;

use super::effect::Effect;
use crate::entry::{Body, Entry};
use crate::id::{ApplyId, Lineage, ObjectId};
use crate::store::Record;
use imm_ir::{Addr, Digest};
use std::collections::{BTreeMap, BTreeSet};

/// What is judged.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The durable records.
    pub records: Vec<Record>,
    /// The world's log.
    pub effects: Vec<Effect>,
    /// What the applies' plans said, for I13; an apply that is not here is not judged by it.
    pub promises: BTreeMap<ApplyId, Promise>,
    /// No call failed, was late or was repeated, and every object became healthy at once: declared outages are kept.
    pub calm: bool,
    /// Whose run it is, in a world that others share; `None`: everything in it.
    pub lineage: Option<Lineage>,
    /// What no secret may be in, each with its name: blobs, events, errors, plans. Records are looked at anyway.
    pub told: Vec<(String, Vec<u8>)>,
    /// The secrets of the run.
    pub secrets: Vec<String>,
    /// How long each command took.
    pub spans: Vec<Span>,
    /// What each durable holds in the end, as the world says.
    pub data: BTreeMap<ObjectId, Digest>,
}

/// One command, from its start to its end or its engine's death.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// What it was, and how it ended.
    pub what: String,
    /// Virtual time, milliseconds.
    pub took_ms: u64,
    /// Steps of its plan; of a recovery those of the plan it settles.
    pub steps: usize,
    /// What it asks of a person, when it could not come to an end by itself.
    pub question: Option<String>,
}

/// What a plan said, without its code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    /// Objects it creates.
    pub creates: BTreeSet<ObjectId>,
    /// Pointers and durables it switches.
    pub switches: BTreeSet<ObjectId>,
    /// Objects it destroys.
    pub destroys: BTreeSet<ObjectId>,
    /// Objects it lets act.
    pub activates: BTreeSet<ObjectId>,
    /// Objects it stops.
    pub deactivates: BTreeSet<ObjectId>,
    /// Of them, the ones that give way to others while they are pointed at.
    pub gives_way: BTreeSet<ObjectId>,
    /// New objects that act without being pointed at.
    pub by_itself: BTreeSet<ObjectId>,
    /// Jobs it runs.
    pub runs: BTreeSet<ObjectId>,
    /// What each object it makes or takes over costs to undo (0 free, 1 seconds, 2 never), and what it comes after.
    pub costs: BTreeMap<ObjectId, (u8, BTreeSet<ObjectId>)>,
    /// Longest time without service that it declares, milliseconds.
    pub outage_ms: u64,
    /// Objects that get another address.
    pub renames: BTreeSet<ObjectId>,
    /// Warm objects that are taken back.
    pub reuses: BTreeSet<ObjectId>,
    /// Durables that are declared again.
    pub attaches: BTreeSet<ObjectId>,
    /// Durables that stay although nothing declares them.
    pub retains: BTreeSet<ObjectId>,
    /// Content that is left to the collector.
    pub releases: BTreeSet<ObjectId>,
    /// What each stage but the last one sets pointers to.
    pub stages: Vec<BTreeMap<ObjectId, Turn>>,
    /// The targets of each pointer that moves, once everything has.
    pub finals: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
    /// How many steps it has.
    pub steps: usize,
}

/// What a pointer is set to in a stage, parts per million.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// What the new side has of it.
    pub weight: u32,
    /// What each target has.
    pub targets: BTreeMap<ObjectId, u32>,
}

/// A sentence about what was violated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// `I1` … `Q4`.
    pub invariant: &'static str,
    /// What, which object, when.
    pub sentence: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.invariant, self.sentence)
    }
}

/// Collects violations.
#[derive(Debug, Default)]
pub(super) struct Findings(pub Vec<Violation>);

impl Findings {
    pub fn add(&mut self, invariant: &'static str, sentence: String) {
        let found = Violation { invariant, sentence };
        if !self.0.contains(&found) {
            self.0.push(found);
        }
    }
}

/// Everything that must hold at every instant.
pub fn judge(evidence: &Evidence) -> Vec<Violation> {
    let mut findings = Findings::default();
    let entries = chain::read(&evidence.records, &mut findings);
    applies::judge(&entries, &evidence.promises, &mut findings);
    steps::judge(&entries, &evidence.promises, &mut findings);
    weights::judge(&entries, &evidence.promises, &mut findings);
    effects::judge(&entries, evidence, &mut findings);
    data::judge(&entries, evidence, &mut findings);
    secrets::judge(evidence, &mut findings);
    bounds::judge(&entries, evidence, &mut findings);
    findings.0
}

/// The durable entries with their numbers; what cannot be read is left out.
pub fn entries(records: &[Record]) -> Vec<(u64, Entry)> {
    records.iter().filter_map(|r| Some((r.seq, Entry::decode(r.seq, &r.bytes).ok()?))).collect()
}

/// Every committed generation in order: its number, the apply that made it, its objects.
pub(super) fn entries_generations(entries: &[(u64, Entry)]) -> Vec<(u64, ApplyId, BTreeMap<Addr, ObjectId>)> {
    let mut all: Vec<(u64, ApplyId, BTreeMap<Addr, ObjectId>)> = Vec::new();
    for (_, entry) in entries {
        let (Body::Committed(commit), Some(apply)) = (&entry.body, entry.header.apply) else { continue };
        let parent = all.iter().find(|(number, ..)| Some(*number) == commit.parent);
        let mut objects = parent.map(|(_, _, objects)| objects.clone()).unwrap_or_default();
        objects.retain(|address, _| !commit.removed.contains(address));
        objects.extend(commit.added.iter().cloned());
        all.push((commit.generation, apply, objects));
    }
    all
}

/// The name of a stored entry, for reports.
pub fn entry_name(bytes: &[u8]) -> String {
    Entry::decode(0, bytes).map_or_else(|_| "?".to_owned(), |e| name(&e.body))
}

/// The variant's name.
pub(super) fn name(body: &Body) -> String {
    /// Takes letters and stops at the first other character: the rest of an entry may be long.
    struct Letters(String);
    impl std::fmt::Write for Letters {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            let letters: String = text.chars().take_while(char::is_ascii_alphanumeric).collect();
            self.0.push_str(&letters);
            if letters.len() == text.len() { Ok(()) } else { Err(std::fmt::Error) }
        }
    }
    let mut letters = Letters(String::new());
    // An error only says that it ended early, which is what it is for.
    std::fmt::Write::write_fmt(&mut letters, format_args!("{body:?}")).unwrap_or_default();
    letters.0
}
