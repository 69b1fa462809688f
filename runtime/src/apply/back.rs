//! Undoing an apply before its commit, from recorded state alone: pointers back, jobs taken back, new objects drained, what
//! was handed over handed back, then new objects destroyed; durables retained, content released. Idempotent: run again after a crash, it finishes what is left.
//!
//! It has a fence of its own. Where nothing of before can be in the way of pointers, the switch back is what carries it first:
//! traffic waits for no call that it could do without.

use super::{Engine, EngineError, Event, Outcome};
use crate::entry::{Body, ConsentKind, Ending, Leftover, RetainReason, UnwindCause};
use crate::id::ObjectId;
use crate::provider::{Error, ErrorKind, Level};
use crate::state::{Object, ObjectState, Phase};
use imm_ir::{Addr, Class, FindMode, Nature};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// What an apply made that is to be undone.
struct Made {
    /// To be destroyed.
    end: BTreeSet<ObjectId>,
    /// Content, for the collector.
    released: Vec<Body>,
    /// Nobody can tell whether it is there.
    unknown: Vec<Leftover>,
}

/// Who knows that what was sent before is over.
enum Told {
    All,
    /// Nobody yet: the switch back says it.
    Nobody,
    /// A provider could not be told.
    NotAll(Error),
}

/// What pointers go back to and is not in service.
struct Out {
    /// It was told to rest.
    resting: Vec<ObjectId>,
    /// It is drained.
    leaving: Vec<ObjectId>,
}

impl Out {
    fn is_empty(&self) -> bool {
        self.resting.is_empty() && self.leaving.is_empty()
    }
}

impl Engine {
    pub(super) async fn unwind(
        &mut self,
        cause: UnwindCause,
        error: &str,
        began: Instant,
    ) -> Result<Outcome, EngineError> {
        (self.events)(Event::Unwinding);
        // One signal may have begun this; the next one ends it at once.
        let second = self.signalled(2);
        tokio::pin!(second);
        let mut told = Told::All;
        if self.open()?.phase != Phase::Unwinding {
            self.rise();
            told = if self.is_quiet(&cause)? {
                Told::Nobody
            } else {
                let told = tokio::select! {
                    biased;
                    () = &mut second => return Err(EngineError::Interrupted),
                    told = self.tell_fence() => told,
                };
                match told {
                    Ok(()) => Told::All,
                    Err(error) if error.kind == ErrorKind::Fenced => return Err(EngineError::Provider(error)),
                    Err(error) => Told::NotAll(error),
                }
            };
            // Durable with the first intent of undoing, so that traffic need not wait for it.
            self.append(vec![Body::UnwindStarted { cause, error: error.to_owned() }], false)?;
        }
        let undone = tokio::select! {
            biased;
            () = &mut second => return Err(EngineError::Interrupted),
            undone = self.undo(told) => undone?,
        };
        self.pulse.provisional.store(false, Ordering::Relaxed);
        let error = self.open()?.error.clone().unwrap_or_else(|| error.to_owned());
        let took_ms = super::build::millis(began.elapsed());
        match undone {
            Ok(leftovers) => {
                let named = self.name(&leftovers);
                self.append(
                    vec![Body::Finished { ending: Ending::RolledBack, leftovers, took_ms, outage_ms: self.outage_ms }],
                    true,
                )?;
                Ok(Outcome::RolledBack { error, cause, leftovers: named, took_ms })
            }
            Err((why, leftovers)) => {
                self.append(
                    vec![Body::Finished { ending: Ending::Stuck, leftovers, took_ms, outage_ms: self.outage_ms }],
                    true,
                )?;
                Ok(Outcome::Stuck { error, why, committed: false })
            }
        }
    }

    /// In the reverse of the order in which it was done. The inner error is what could not be settled: nothing more is
    /// destroyed after it.
    async fn undo(&mut self, told: Told) -> Result<Result<Vec<Leftover>, (String, Vec<Leftover>)>, EngineError> {
        let mut lost = Vec::new();
        let owed = match told {
            Told::All => false,
            Told::Nobody => true,
            Told::NotAll(error) => return self.given_up(error),
        };
        // First what users meet. What a job was run on stays in force until its effect is taken back.
        let staged = self.open()?.staged.clone();
        let (staged, others) = self.open()?.before.keys().copied().partition(|id| staged.contains(id));
        // A batch that was taken over from acts again before its pointers go back to it.
        let out = self.batches_out(&staged)?;
        let unwilling = self.batches_back(out).await?;
        if let Some(stuck) = self.holds_up(unwilling, &mut lost) {
            return Ok(Err(stuck));
        }
        if let Err(error) = self.pointers_back(&staged).await? {
            return self.given_up(error);
        }
        if owed && let Err(error) = self.tell_fence().await {
            return self.given_up(error);
        }
        let stays = match self.settle_jobs().await? {
            Ok(stays) => stays,
            Err(open) => return Ok(Err(self.stuck(open))),
        };
        if let Err(error) = self.pointers_back(&others).await? {
            return self.given_up(error);
        }
        // What serves is asked still, be it by a pointer that this apply never touched.
        let left = |id: &ObjectId| !self.state().may_point(*id);
        let exposed: BTreeSet<ObjectId> = self.open()?.exposed.iter().copied().filter(left).collect();
        let undrained = self.drain(&exposed).await?;
        if let Some(stuck) = self.holds_up(undrained, &mut lost) {
            return Ok(Err(stuck));
        }
        let unsettled = self.settle_unanswered().await?;
        if let Some(stuck) = self.holds_up(unsettled, &mut lost) {
            return Ok(Err(stuck));
        }
        let (begun, stopped) = self.acted()?;
        let failed = self.set_acting(&begun, false, self.limits.settle_retries).await?;
        if let Some(stuck) = self.holds_up(leftovers(failed), &mut lost) {
            return Ok(Err(stuck));
        }
        // What could only be made after the old one had stopped is gone before that one acts again.
        if self.in_the_way(&stopped)? {
            let failed = self.demolish(self.made()?.end).await?;
            if let Some(stuck) = self.holds_up(failed, &mut lost) {
                return Ok(Err(stuck));
            }
        }
        let unwilling = self.resume(&stopped).await?;
        if let Some(stuck) = self.holds_up(unwilling, &mut lost) {
            return Ok(Err(stuck));
        }
        let Made { end, released, unknown } = self.made()?;
        let failed = self.demolish(end).await?;
        if let Some(stuck) = self.holds_up(failed, &mut lost) {
            return Ok(Err(stuck));
        }
        self.append(released, false)?;
        // A create whose sender died has no answer on record: from here on it is unknown, until somebody says what it is.
        let creating =
            |id: &ObjectId| self.state().objects.get(id).is_some_and(|o| matches!(o.state, ObjectState::Creating(_)));
        let (step, error) = (self.next_step(), "its create was never answered".to_owned());
        let unanswered = unknown.iter().map(|l| l.object).filter(creating);
        let unanswered = unanswered.map(|object| Body::Unknown { step, object, error: error.clone() }).collect();
        self.append(unanswered, false)?;
        lost.extend(unknown);
        lost.extend(stays);
        lost.sort_by_key(|l| l.object);
        lost.dedup_by_key(|l| l.object);
        Ok(Ok(lost))
    }

    /// What of these holds the apply up; what somebody gave up in so many words goes to `lost` instead.
    fn holds_up(&self, failed: Vec<Leftover>, lost: &mut Vec<Leftover>) -> Option<(String, Vec<Leftover>)> {
        let given_up = |l: &Leftover| self.state().consents.contains(&(ConsentKind::AcceptLost, l.object));
        let (given_up, open): (Vec<_>, Vec<_>) = failed.into_iter().partition(given_up);
        lost.extend(given_up);
        (!open.is_empty()).then(|| self.stuck(open))
    }

    fn stuck(&self, open: Vec<Leftover>) -> (String, Vec<Leftover>) {
        let why: Vec<String> = self.name(&open).iter().map(|(addr, why)| format!("{addr}: {why}")).collect();
        (why.join("; "), open)
    }

    /// What this apply made and is to be destroyed, released, or cannot be told of.
    fn made(&self) -> Result<Made, EngineError> {
        let (mut end, mut released, mut unknown) = (BTreeSet::new(), Vec::new(), Vec::new());
        let made_by = self.open()?.id;
        for (id, object) in self.state().objects.iter().filter(|(_, o)| o.made_by == made_by && o.state.exists()) {
            match (object.class, object.nature) {
                (Class::Durable, _) if object.state == ObjectState::Retained => {}
                (Class::External, _) | (Class::Resource, Nature::Content) => {
                    released.push(Body::Released { object: *id });
                }
                // Nobody can tell whether it is there, nor name it: it stays unknown.
                _any if object.untold() => {
                    unknown.push(Leftover { object: *id, why: untold(&object.address) });
                }
                _any => {
                    end.insert(*id);
                }
            }
        }
        Ok(Made { end, released, unknown })
    }

    /// What this apply let act and is still there, and what it stopped.
    fn acted(&self) -> Result<(Vec<ObjectId>, Vec<ObjectId>), EngineError> {
        let acted = &self.open()?.acted;
        let there = |id: &ObjectId| {
            self.state().objects.get(id).is_some_and(|o| o.state.acts() || o.state == ObjectState::Dormant)
        };
        let of = |before: bool| acted.iter().filter(move |(_, was)| **was == before).map(|(id, _)| *id).filter(there);
        Ok((of(false).collect(), of(true).collect()))
    }

    /// Whether something that this apply made acts where one of these is to act again.
    fn in_the_way(&self, resumes: &[ObjectId]) -> Result<bool, EngineError> {
        let (made_by, objects) = (self.open()?.id, &self.state().objects);
        let olds: Vec<_> = resumes.iter().filter_map(|id| objects.get(id)).collect();
        let mut made = objects.values().filter(|o| o.made_by == made_by && o.nature == Nature::Process);
        let clash = |o: &crate::state::Object| {
            let acts = o.state.exists() && !o.made_dormant;
            acts && olds.iter().any(|old| old.address == o.address || old.claims.iter().any(|c| o.claims.contains(c)))
        };
        Ok(made.any(clash))
    }

    /// Whether nothing that this engine sent is on its way: it turned back by itself between two calls, and all were answered.
    fn is_quiet(&self, cause: &UnwindCause) -> Result<bool, EngineError> {
        let apply = self.open()?;
        let answered = |o: &Object| o.made_by != apply.id || !Self::is_open(o.state);
        Ok(matches!(cause, UnwindCause::Aborted | UnwindCause::Gate)
            && self.batches_out(&apply.staged)?.is_empty()
            && apply.before.keys().all(|id| self.is_settled(*id))
            && self.state().objects.values().all(answered))
    }

    /// What a batch took over from.
    fn batches_out(&self, staged: &BTreeSet<ObjectId>) -> Result<Out, EngineError> {
        let apply = self.open()?;
        let before = apply.before.iter().filter(|(id, _)| staged.contains(id));
        let targets: BTreeSet<ObjectId> = before.flat_map(|(_, s)| s.targets.iter().map(|t| t.object)).collect();
        let in_state = |id: &ObjectId| self.state().objects.get(id).map(|o| o.state);
        let told = |id: &ObjectId| apply.acted.get(id) == Some(&true);
        // One that was told to rest may do so, acknowledged or not.
        let rests = |id: &&ObjectId| {
            told(id) && matches!(in_state(id), Some(ObjectState::Dormant | ObjectState::Idle | ObjectState::Leaving))
        };
        let leaves = |id: &&ObjectId| !told(id) && in_state(id) == Some(ObjectState::Leaving);
        Ok(Out {
            resting: targets.iter().filter(rests).copied().collect(),
            leaving: targets.iter().filter(leaves).copied().collect(),
        })
    }

    /// What a batch took over from acts again and is in service. What only leaves is proven, too.
    async fn batches_back(&mut self, out: Out) -> Result<Vec<Leftover>, EngineError> {
        let mut failed = self.resume(&out.resting).await?;
        failed.extend(self.prove(&out.leaving).await?);
        Ok(failed)
    }

    /// What was stopped acts again, and is proven to.
    async fn resume(&mut self, olds: &[ObjectId]) -> Result<Vec<Leftover>, EngineError> {
        let mut failed = leftovers(self.set_acting(olds, true, self.limits.settle_retries).await?);
        let willing: Vec<ObjectId> = olds.iter().copied().filter(|id| failed.iter().all(|l| l.object != *id)).collect();
        failed.extend(self.prove(&willing).await?);
        if let Some(since) = self.dark_since.take() {
            self.outage_ms = self.outage_ms.max(super::build::millis(since.elapsed()));
        }
        Ok(failed)
    }

    /// These are in service again once they are healthy.
    async fn prove(&mut self, olds: &[ObjectId]) -> Result<Vec<Leftover>, EngineError> {
        let mut failed = Vec::new();
        for id in olds.iter().copied() {
            match self.wait_healthy(id, self.limits.hand_back).await {
                Ok(Level::Healthy) => {
                    let step = self.next_step();
                    self.append(vec![Body::Verified { step, object: id, took_ms: 0 }], false)?;
                }
                Err(error) if error.kind == ErrorKind::Fenced => return Err(EngineError::Provider(error)),
                Ok(level) => {
                    failed.push(Leftover { object: id, why: format!("it acts again and is {}", word(&level)) });
                }
                Err(error) => failed.push(Leftover { object: id, why: error.message }),
            }
        }
        Ok(failed)
    }

    fn given_up<T>(&self, error: Error) -> Result<Result<T, (String, Vec<Leftover>)>, EngineError> {
        if error.kind == ErrorKind::Fenced {
            Err(EngineError::Provider(error))
        } else {
            Ok(Err((error.message, Vec::new())))
        }
    }

    /// A durable this apply made is kept. What was never acknowledged is looked for when it holds data, or when its provider
    /// may show it only after a while: then ending it by its token alone would miss it. What is not there gets a tombstone
    /// with all others.
    async fn settle_unanswered(&mut self) -> Result<Vec<Leftover>, EngineError> {
        let made_by = self.open()?.id;
        let mut leftovers = Vec::new();
        let late = |o: &Object| matches!(o.find, FindMode::Eventual(_)) && Self::is_open(o.state);
        let mine: Vec<(ObjectId, Object)> = self
            .state()
            .objects
            .iter()
            .filter(|(_, o)| o.made_by == made_by && o.state.exists() && (o.class == Class::Durable || late(o)))
            .map(|(id, o)| (*id, o.clone()))
            .collect();
        let settles = mine.iter().filter(|(_, o)| late(o)).filter_map(|(_, o)| match o.find {
            FindMode::Eventual(ms) => Some(ms),
            FindMode::Exact | FindMode::None => None,
        });
        if let Some(ms) = settles.max() {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        for (id, object) in mine {
            let retained = (object.class == Class::Durable)
                .then_some(Body::Retained { durable: id, reason: RetainReason::Unwind });
            if !Self::is_open(object.state) {
                if object.state == ObjectState::Attached {
                    self.append(retained.into_iter().collect(), true)?;
                }
                continue;
            }
            let Some(provider) = self.providers.get(&object.provider).cloned() else { continue };
            let (ctx, patience) = (self.ctx(self.limits.call_timeout), self.patience(self.limits.settle_retries));
            match patience.call(|| provider.find(&ctx, &object.kind, id)).await {
                Ok(Some(found)) => {
                    let step = self.next_step();
                    let created = Body::Created {
                        step,
                        object: id,
                        handle: found.handle,
                        outputs: found.outputs,
                        tainted: found.tainted,
                        found: true,
                    };
                    self.append(std::iter::once(created).chain(retained).collect(), true)?;
                }
                // Not there: what follows for all others leaves its token as a tombstone.
                Ok(None) => {}
                Err(error) if error.kind == ErrorKind::Fenced => return Err(EngineError::Provider(error)),
                Err(error) => leftovers.push(Leftover { object: id, why: error.message }),
            }
        }
        Ok(leftovers)
    }
}

fn leftovers(failed: super::active::Unwilling) -> Vec<Leftover> {
    failed.into_iter().map(|(object, error)| Leftover { object, why: error.message }).collect()
}

fn word(level: &Level) -> String {
    match level {
        Level::Starting => "still starting".to_owned(),
        Level::Healthy => "healthy".to_owned(),
        Level::Unhealthy(why) => format!("not healthy: {why}"),
        Level::Dormant => "still at rest".to_owned(),
        Level::Exited(status, last) => format!("ended with status {status}: {last}"),
        Level::Missing => "not there".to_owned(),
    }
}

/// What a person has to find out.
fn untold(address: &Addr) -> String {
    format!(
        "it may have been made, and nothing can look for it: `imm adopt '{address}' --because TEXT` if it is there, `imm forget '{address}' --because TEXT` if not"
    )
}
