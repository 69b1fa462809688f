//! Why a plan does what it does to one address: the chain of causes down to the source, how far a replacement spreads, and
//! what would undo it.
//!
//! To read: [`roots`] (what a person changed, and the way from there), [`cascade`] (how far it spreads and where it ends),
//! [`unless`] (the counterfactual: found, then checked by planning again), [`record`] (what is there already, and since when),
//! [`overlap`] (what coexists meanwhile).
//! Pure: a function of the plan and of what it was taken from.
//!
//! Guarantees: a counterfactual that is told was planned and does what it says; no secret's value is in here.

pub mod cascade;
pub mod overlap;
pub mod record;
pub mod roots;
pub mod unless;

use crate::plan::{Observed, Options, Plan, Recorded, Step};
use imm_ir::Addr;
use serde::Serialize;

pub use cascade::Cascade;
pub use record::Record;
pub use roots::Root;
pub use unless::Unless;

/// A plan and what it was taken from.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What is recorded.
    pub recorded: Recorded<'a>,
    /// What was seen.
    pub observed: &'a Observed,
    /// What the caller wanted.
    pub options: &'a Options,
}

/// One thing that the plan does, explained.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// What: the word of the plan.
    pub action: &'static str,
    /// To the object declared here.
    pub address: String,
    /// Which one.
    pub object: Option<String>,
    /// The object that was there and no longer will be, for one that is made or taken back.
    pub replaces: Option<String>,
    /// What the plan says of it besides.
    pub note: Option<String>,
    /// What undoing it costs.
    pub undo: crate::plan::Undo,
    /// What coexists because of it.
    pub overlap: Option<overlap::Overlap>,
    /// What a person changed, each with the way from here to there.
    pub causes: Vec<Root>,
    /// How far the replacement spreads; for what is itself changed and replaced.
    pub cascade: Option<Cascade>,
    /// What would undo it; absent when no change of the program does.
    pub unless: Option<Unless>,
}

impl Question<'_> {
    /// Everything that the plan does at an address, in its order.
    pub fn changes(&self, address: &Addr) -> Vec<Change> {
        let steps = self.plan.steps.iter().filter(|s| s.address == *address);
        steps.map(|step| self.change(step)).collect()
    }

    fn change(&self, step: &Step) -> Change {
        let causes = roots::roots(self, step);
        Change {
            action: step.action.word(),
            address: step.address.to_string(),
            object: step.object.map(|o| o.to_string()),
            replaces: self
                .recorded
                .state
                .at(&step.address)
                .filter(|(id, _)| step.object != Some(*id))
                .map(|(id, _)| id.to_string()),
            note: step.note.clone(),
            undo: step.undo,
            overlap: overlap::Overlaps::of(self.plan).at(step),
            cascade: cascade::cascade(self, &step.address).filter(|c| c.size > 0),
            unless: unless::unless(self, step, &causes),
            causes,
        }
    }
}
