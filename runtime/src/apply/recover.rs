//! Settling what an interrupted apply left: back before its commit, forward after it; and the rollback that a failed watch
//! is owed.

use super::{Engine, EngineError, Outcome};
use crate::entry::{Body, ConsentKind, UnwindCause, Verb, Verdict};
use crate::id::{ApplyId, ObjectId};
use crate::plan::Plan;
use crate::plan::saved::Attached;
use imm_ir::Addr;
use std::sync::Arc;
use tokio::time::Instant;

impl Engine {
    /// Settles what an interrupted apply left: before its commit it is undone, after it goes on; a rollback that a failed watch
    /// asked for is carried out. `None`: nothing was open.
    ///
    /// # Errors
    /// A provider refuses the fence, or recording is impossible.
    pub async fn recover(&mut self) -> Result<Option<Outcome>, EngineError> {
        let Some(forward) = self.state().open_apply().map(|a| a.phase.forward()) else {
            let Some(why) = self.owed_return() else { return Ok(None) };
            // What going back would need, a consent or room, is for people to give: they were told.
            if let Err(EngineError::Plan(_)) = self.plan_back() {
                return Ok(None);
            }
            self.announce().await?;
            return self.go_back(Outcome::NothingToDo, why).await.map(Some);
        };
        self.announce().await?;
        let began = Instant::now();
        let tenure = self.tenure_entry();
        self.ledger.append(None, vec![tenure], true)?;
        let heart = self.heartbeat();
        let settle = async {
            if forward {
                self.forward(began).await
            } else {
                self.unwind(UnwindCause::Crash, "interrupted", began).await
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = settle => outcome?,
            () = heart => return Err(EngineError::Interrupted),
        };
        match self.failed_watch.take().or_else(|| self.unfinished_return(&outcome)) {
            Some(why) => self.go_back(outcome, why).await.map(Some),
            None => Ok(Some(outcome)),
        }
    }

    /// Why the newest generation is to be rolled back from, when its watch failed and nobody has begun to.
    pub(super) fn owed_return(&self) -> Option<String> {
        let last = self.state().applies.last().filter(|a| a.watched == Some(Verdict::Fail))?;
        last.error.clone().filter(|_| last.generation == self.state().current)
    }

    /// Why an apply was going back by itself that was interrupted and has just been undone: it is begun again.
    pub(super) fn unfinished_return(&self, outcome: &Outcome) -> Option<String> {
        let last = self.state().applies.last()?;
        let returning = matches!(last.started.verb, Verb::AutoRollback { of } if Some(of) == self.state().current);
        let undone = matches!(outcome, Outcome::RolledBack { .. }) && returning;
        undone.then(|| last.started.because.clone()).flatten()
    }

    /// What was committed failed its watch: an apply of its own goes back to what was in force before.
    pub(super) async fn go_back(&mut self, outcome: Outcome, why: String) -> Result<Outcome, EngineError> {
        let plan = match self.plan_back() {
            Err(EngineError::Plan(refused)) => return Err(EngineError::NoWayBack { why, refused }),
            plan => plan?,
        };
        let Some(plan) = plan else { return Ok(outcome) };
        // What was committed may have confirmations and ends under way.
        self.turn().await.map_err(EngineError::Provider)?;
        let failed = self.state().current.unwrap_or(0);
        let attached = Attached { because: Some(why.clone()), ..Attached::default() };
        let plan = Arc::new(plan);
        self.way_back = Some(Arc::clone(&plan));
        Ok(match self.carry_out(&plan, &attached).await? {
            Outcome::Committed { generation, leftovers, took_ms, .. } => {
                Outcome::Reverted { failed, generation, error: why, leftovers, took_ms }
            }
            other => other,
        })
    }

    /// The plan by which it went back by itself, or is on its way to.
    pub fn way_back(&self) -> Option<&Plan> {
        self.way_back.as_deref()
    }

    /// Gives up what holds an interrupted apply, in so many words: the next [`recover`](Self::recover) leaves it as it is.
    /// Answers how many objects of that apply are declared there.
    ///
    /// # Errors
    /// No apply is open, or recording is impossible.
    pub fn accept_lost(&mut self, address: &Addr, because: &str) -> Result<usize, EngineError> {
        let apply = self.state().open_apply().ok_or(EngineError::NothingOpen)?;
        let (id, plan) = (apply.id, apply.started.plan_digest);
        let touched = |object: &ObjectId, made_by: ApplyId| {
            made_by == id || apply.acted.contains_key(object) || apply.before.contains_key(object)
        };
        let at = self.state().objects.iter().filter(|(_, o)| o.address.is_within(address) && o.state.exists());
        let subjects: Vec<ObjectId> = at.filter(|(id, o)| touched(id, o.made_by)).map(|(id, _)| *id).collect();
        let count = subjects.len();
        if count > 0 {
            let (kind, because) = (ConsentKind::AcceptLost, because.to_owned());
            self.ledger.append(Some(id), vec![Body::Consented { plan, kind, subjects, because }], true)?;
        }
        Ok(count)
    }
}
