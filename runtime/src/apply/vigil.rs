//! After the commit, while the old generation is still there: what the new one meets is compared with what the old one met
//! last. A gate that fails, or an object that is not healthy any more, ends the watch, and what follows is a rollback of its
//! own. Nothing of this is done again by a recovery: a watch that nobody held ends as unwatched.

use super::build::millis;
use super::window::LOOK;
use super::{Engine, EngineError, Event, Stop};
use crate::entry::{Body, SignalVerb, Verdict};
use crate::id::ObjectId;
use crate::plan::Plan;
use crate::provider::Level;
use crate::rollout::{Judgement, Sample};
use std::time::Duration;
use tokio::time::Instant;

/// What is judged by itself beside the whole, so that a late fall is not lost among good minutes.
const RECENT: Duration = Duration::from_secs(30);
/// Looks in a row that an object may be otherwise than healthy: a run of it is replaced meanwhile.
const UNWELL: u32 = 10;
/// How long one look at an object may take.
const GLANCE: Duration = Duration::from_millis(200);

impl Engine {
    /// Watches what was just committed. Answers why it is to be rolled back from, if it is.
    pub(super) async fn watch(&mut self) -> Result<Option<String>, EngineError> {
        let (bound, base) = self.open().map(|a| (a.started.watch_ms, a.started.base_generation))?;
        let (verdict, why) = match (self.committed_here, base) {
            (false, _) => (Verdict::Unwatched, "the engine that watched it is gone".to_owned()),
            (true, None) => (Verdict::Unwatched, "there is no earlier generation to go back to".to_owned()),
            (true, Some(_)) => self.watched_for(Duration::from_millis(bound)).await?,
        };
        self.append(vec![Body::WatchEnded { verdict, why: why.clone() }], true)?;
        (self.events)(Event::WatchEnded { verdict, why: why.clone() });
        Ok((verdict == Verdict::Fail).then_some(why))
    }

    async fn watched_for(&mut self, bound: Duration) -> Result<(Verdict, String), EngineError> {
        let began = Instant::now();
        let stop = self.signalled(1);
        tokio::pin!(stop);
        for window in &mut self.windows {
            window.begin();
            window.weight = crate::rollout::WHOLE;
        }
        let (mut recent_since, mut unwell) = (began, 0);
        let mut recent: Vec<Sample> = self.windows.iter().map(|_| Sample::default()).collect();
        while began.elapsed() < bound {
            tokio::select! {
                biased;
                () = &mut stop => return Ok((Verdict::Unwatched, "stopped by a signal".to_owned())),
                () = self.pause(LOOK.min(bound.saturating_sub(began.elapsed()))) => {}
            }
            let heard = self.unheard()?;
            let verbs: Vec<(SignalVerb, String)> = heard
                .iter()
                .filter_map(|b| if let Body::Signalled { verb, by, .. } = b { Some((*verb, by.clone())) } else { None })
                .collect();
            self.append(heard, false)?;
            for (verb, by) in verbs {
                (self.events)(Event::Heard { verb: verb.word(), by: by.clone() });
                match verb {
                    SignalVerb::Abort => return Ok((Verdict::Fail, format!("aborted by {by}"))),
                    SignalVerb::Promote => return self.end_of_watch(began),
                    SignalVerb::Pause | SignalVerb::Stop(_) => {}
                }
            }
            let before: Vec<Sample> = self.windows.iter_mut().map(|w| std::mem::take(&mut w.new)).collect();
            if let Err(Stop::Fatal(error)) = self.look().await {
                return Err(error);
            }
            for ((window, before), recent) in self.windows.iter_mut().zip(before).zip(&mut recent) {
                recent.add(&window.new);
                window.new.add(&before);
            }
            (self.events)(Event::Watched {
                elapsed_ms: millis(began.elapsed()),
                watch_ms: millis(bound),
                pointers: self.traffic(),
            });
            let mut sides = self.windows.iter().zip(&recent);
            if sides.any(|(w, recent)| w.hopeless(&w.new, true) || w.hopeless(recent, true)) {
                return self.failed_watch(began, &recent);
            }
            if recent_since.elapsed() >= RECENT {
                recent_since = Instant::now();
                recent.iter_mut().for_each(|sample| *sample = Sample::default());
            }
            match self.ailing().await {
                Some(why) => {
                    unwell += 1;
                    if unwell >= UNWELL {
                        return Ok((Verdict::Fail, why));
                    }
                }
                None => unwell = 0,
            }
        }
        self.end_of_watch(began)
    }

    /// A gate said no beyond chance, of the whole or of the last moments.
    fn failed_watch(&mut self, began: Instant, recent: &[Sample]) -> Result<(Verdict, String), EngineError> {
        for (window, recent) in self.windows.iter_mut().zip(recent) {
            if !window.hopeless(&window.new, true) {
                window.new = recent.clone();
            }
        }
        self.end_of_watch(began)
    }

    /// Judges what was met. What is still unknown does not fail: it was committed on what was known.
    fn end_of_watch(&mut self, began: Instant) -> Result<(Verdict, String), EngineError> {
        let verdicts: Vec<(ObjectId, Judgement)> = self.windows.iter().filter_map(|w| w.judgement(true)).collect();
        let failed = self.failed_gate(&verdicts);
        if let Err(Stop::Fatal(error)) = self.record_judged(0, true, millis(began.elapsed()), verdicts) {
            return Err(error);
        }
        Ok(match failed {
            None => (Verdict::Pass, String::new()),
            Some((address, why)) => (Verdict::Fail, format!("the gate of {address} failed: {why}")),
        })
    }

    /// A target of a pointer that is not healthy now.
    async fn ailing(&self) -> Option<String> {
        let pointers = self.state().pointers.values();
        let targets: std::collections::BTreeSet<ObjectId> =
            pointers.flat_map(|p| p.setting.targets.iter().map(|t| t.object)).collect();
        let mine = self.open().ok()?.id;
        for id in targets {
            let made = self.state().objects.get(&id).filter(|o| o.made_by == mine && o.state.acts());
            let Some(object) = made else { continue };
            if let Ok(level) = self.wait_healthy(id, GLANCE).await
                && !matches!(level, Level::Healthy)
            {
                return Some(format!("{} is not healthy any more", object.address));
            }
        }
        None
    }

    /// The plan of going back to the generation that served before the newest one.
    ///
    /// # Errors
    /// There is no such plan.
    pub(super) fn plan_back(&self) -> Result<Option<Plan>, EngineError> {
        let Some(of) = self.state().current else { return Ok(None) };
        let parent = self.state().generation().and_then(|g| g.parent);
        let Some(graph) = parent.map(|to| self.graph(Some(to))).transpose()?.flatten() else { return Ok(None) };
        let mut options = crate::plan::Options::new(self.schemas());
        options.verb = crate::entry::Verb::AutoRollback { of };
        self.plan(&graph, &options).map(Some)
    }
}
