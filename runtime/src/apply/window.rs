//! A stage while it is held: what both sides of its pointers meet, what gates say of it, what people say.
//!
//! A gate is judged at the end of the hold, and until then only refused where chance cannot be the reason. Too few requests
//! are waited for, then it is inconclusive, which fails. One entry a gate and stage.

use super::build::millis;
use super::pace::Pace;
use super::{Engine, Event, Step, Stop};
use crate::entry::{Body, GateJudged, SignalVerb, UnwindCause};
use crate::id::ObjectId;
use crate::plan::{Plan, Rollout};
use crate::provider::ErrorKind;
use crate::rollout::{Gate, Judgement, Sample, Stage, gate, judge};
use imm_ir::Addr;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How often words of other processes are looked for when nobody rings.
const TICK: Duration = Duration::from_millis(25);
/// How often samples are taken.
pub(super) const LOOK: Duration = Duration::from_millis(500);
/// How long a provider may take to answer with samples; without them a look is left out.
const PATIENCE: Duration = Duration::from_secs(1);

/// What both sides of a pointer met.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub pointer: ObjectId,
    pub address: Addr,
    fresh: Vec<ObjectId>,
    leaving: Vec<ObjectId>,
    pub gate: Option<Gate>,
    /// Part of the requests that the new side gets, parts per million.
    pub weight: u32,
    pub new: Sample,
    pub old: Sample,
    /// What the old side met before everything moved away from it.
    pub before: Sample,
    new_pace: Pace,
    old_pace: Pace,
}

impl Window {
    /// What the new side is compared with. `alone`: it has all requests, and the old side has none to compare with.
    pub fn other(&self, alone: bool) -> &Sample {
        if alone { &self.before } else { &self.old }
    }

    /// What its gate says of what was met.
    pub fn judgement(&self, alone: bool) -> Option<(ObjectId, Judgement)> {
        Some((self.pointer, judge(self.gate.as_ref()?, &self.new, self.other(alone))))
    }

    /// Whether its gate says no to these requests of the new side, beyond chance.
    pub fn hopeless(&self, met: &Sample, alone: bool) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate::hopeless(gate, met, self.other(alone)))
    }

    /// The stage ends: what the old side met in it is what the new one is compared with once it is alone.
    pub fn end(&mut self) {
        if self.old.requests > 0 {
            self.before = std::mem::take(&mut self.old);
        }
    }

    /// The sides meet something else from here on.
    pub fn begin(&mut self) {
        (self.new, self.old) = (Sample::default(), Sample::default());
        (self.new_pace, self.old_pace) = (Pace::default(), Pace::default());
    }

    /// Adds what was met since the last look.
    fn meet(&mut self, met: &BTreeMap<ObjectId, Sample>) {
        let now = Instant::now();
        let new = (&self.fresh, &mut self.new, &mut self.new_pace);
        let old = (&self.leaving, &mut self.old, &mut self.old_pace);
        for (objects, side, pace) in [new, old] {
            let before = side.requests;
            met.iter().filter(|(object, _)| objects.contains(object)).for_each(|(_, sample)| side.add(sample));
            pace.note(now, side.requests - before);
        }
    }
}

/// Words of other processes to this apply.
#[derive(Debug, Default)]
pub(super) struct Orders {
    paused: Option<Instant>,
    promoted: bool,
}

impl Orders {
    pub fn hear(&mut self, verb: SignalVerb) {
        match verb {
            SignalVerb::Pause => _ = self.paused.get_or_insert_with(Instant::now),
            SignalVerb::Promote => (self.paused, self.promoted) = (None, true),
            SignalVerb::Abort | SignalVerb::Stop(_) => {}
        }
    }
}

/// A stage that is held.
struct Held<'a> {
    number: u32,
    of: u32,
    stage: &'a Stage,
    began: Instant,
    /// Everything has moved.
    alone: bool,
}

impl Engine {
    /// A window for every pointer that has two sides to compare.
    pub(super) fn open_windows(&mut self, rollout: &Rollout) {
        let open = |c: &crate::rollout::Comparison| Window {
            pointer: c.pointer,
            address: c.address.clone(),
            fresh: c.fresh.clone(),
            leaving: c.leaving.clone(),
            gate: c.gate.clone(),
            weight: 0,
            new: Sample::default(),
            old: Sample::default(),
            before: Sample::default(),
            new_pace: Pace::default(),
            old_pace: Pace::default(),
        };
        self.windows = rollout.comparisons.iter().map(open).collect();
    }

    /// Adds what was met since the last look.
    pub(super) async fn look(&mut self) -> Step<()> {
        let ctx = self.ctx(PATIENCE);
        for at in 0..self.windows.len() {
            let Some(pointer) = self.windows.get(at).map(|w| w.pointer) else { continue };
            let provider = self.state().objects.get(&pointer).and_then(|o| self.providers.get(&o.provider)).cloned();
            let Some(provider) = provider else { continue };
            let met = match tokio::time::timeout(PATIENCE, provider.sample(&ctx, pointer)).await {
                Ok(Ok(met)) => met,
                Ok(Err(error)) if error.kind == ErrorKind::Fenced => return Err(Self::failed("sampling", &error)),
                // A look that failed is left out: what was met then comes with the next one.
                Ok(Err(_)) | Err(_) => continue,
            };
            if let Some(window) = self.windows.get_mut(at) {
                window.meet(&met);
            }
        }
        Ok(())
    }

    /// Nothing goes on while somebody holds the apply.
    pub(super) async fn while_paused(&mut self) -> Step<()> {
        loop {
            self.check_stop()?;
            self.check_pause()?;
            if self.orders.paused.is_none() {
                return Ok(());
            }
            self.pause(TICK).await;
        }
    }

    fn check_pause(&self) -> Step<()> {
        let bound = self.limits.paused;
        match self.orders.paused {
            Some(since) if since.elapsed() >= bound => Err(Stop::Unwind(
                UnwindCause::Aborted,
                format!("it was paused, and nobody said `imm rollout promote` within {}", shown(bound)),
            )),
            _other => Ok(()),
        }
    }

    /// Holds a stage, judges it, and waits for whoever has to approve it.
    pub(super) async fn hold(&mut self, plan: &Plan, number: u32, of: u32, stage: &Stage) -> Step<()> {
        self.orders.promoted = false;
        let held = Held { number, of, stage, began: Instant::now(), alone: number == of };
        let (hold, mut next_look, mut over_since) = (Duration::from_millis(stage.hold_ms), held.began, None);
        let watches = !stage.judges.is_empty() || !hold.is_zero() || stage.approve;
        loop {
            self.check_stop()?;
            self.check_pause()?;
            let over = held.began.elapsed() >= hold || self.orders.promoted;
            let ripe = over && over_since.is_none();
            if ripe {
                over_since = Some(Instant::now());
            }
            if watches && (ripe || Instant::now() >= next_look) {
                next_look = Instant::now() + LOOK;
                self.look().await?;
                self.tell(&held, over);
                self.refuse_hopeless(&held)?;
            }
            let paused = self.orders.paused.is_some();
            if let Some(since) = over_since.filter(|_| !paused)
                && self.passes(&held, since)?
            {
                break;
            }
            self.pause(TICK).await;
        }
        if hold.is_zero() { Ok(()) } else { self.check_levels(plan).await }
    }

    /// Whether everybody agrees that the stage is over.
    fn passes(&mut self, held: &Held<'_>, since: Instant) -> Step<bool> {
        let approved = !held.stage.approve || self.orders.promoted;
        let (mut waits, mut verdicts) = (Duration::ZERO, Vec::new());
        let mut open = None;
        for window in self.judged(held) {
            let Some((gate, (_, judgement))) = window.gate.as_ref().zip(window.judgement(held.alone)) else { continue };
            if let Judgement::Unknown(what) = &judgement {
                waits = waits.max(Duration::from_millis(gate.wait_ms));
                open.get_or_insert_with(|| (window.address.clone(), what.clone()));
            }
            verdicts.push((window.pointer, judgement));
        }
        let failed = verdicts.iter().any(|(_, judgement)| matches!(judgement, Judgement::Fail(_)));
        if failed {
            return Err(self.gate_stops(held, verdicts));
        }
        if let Some((address, what)) = open {
            if since.elapsed() < waits {
                return Ok(false);
            }
            self.record_verdicts(held, verdicts)?;
            let why = format!("the gate of {address} is inconclusive: {what}, waited {}", shown(waits));
            return Err(Stop::Unwind(UnwindCause::Gate, why));
        }
        if !approved {
            let bound = self.limits.approval;
            if since.elapsed() < bound {
                return Ok(false);
            }
            let why =
                format!("nobody approved stage {} with `imm rollout promote` within {}", held.number, shown(bound));
            return Err(Stop::Unwind(UnwindCause::Aborted, why));
        }
        self.record_verdicts(held, verdicts)?;
        Ok(true)
    }

    /// A gate that fails beyond chance ends the stage at once.
    fn refuse_hopeless(&mut self, held: &Held<'_>) -> Step<()> {
        if !self.judged(held).any(|w| w.hopeless(&w.new, held.alone)) {
            return Ok(());
        }
        let verdicts = self.judged(held).filter_map(|w| w.judgement(held.alone)).collect();
        Err(self.gate_stops(held, verdicts))
    }

    fn judged<'s>(&'s self, held: &'s Held<'_>) -> impl Iterator<Item = &'s Window> {
        self.windows.iter().filter(|w| held.stage.judges.contains(&w.pointer))
    }

    /// Records what gates say, and answers why the stage ends here: one that says no ends it for all.
    fn gate_stops(&mut self, held: &Held<'_>, verdicts: Vec<(ObjectId, Judgement)>) -> Stop {
        let (address, why) = self.failed_gate(&verdicts).unwrap_or_default();
        if let Err(stop) = self.record_verdicts(held, verdicts) {
            return stop;
        }
        let (number, of) = (held.number, held.of);
        Stop::Unwind(UnwindCause::Gate, format!("the gate of {address} stopped stage {number} of {of}: {why}"))
    }

    /// The first gate that says no: its pointer's address, and why.
    pub(super) fn failed_gate(&self, verdicts: &[(ObjectId, Judgement)]) -> Option<(String, String)> {
        verdicts.iter().find_map(|(pointer, judgement)| match judgement {
            Judgement::Fail(why) => {
                Some((self.address(*pointer).map_or_else(String::new, |a| a.to_string()), why.clone()))
            }
            Judgement::Pass | Judgement::Unknown(_) => None,
        })
    }

    fn record_verdicts(&mut self, held: &Held<'_>, verdicts: Vec<(ObjectId, Judgement)>) -> Step<()> {
        let window_ms = millis(held.began.elapsed());
        self.record_judged(held.number, held.alone, window_ms, verdicts)
    }

    /// One entry a gate.
    pub(super) fn record_judged(
        &mut self,
        stage: u32,
        alone: bool,
        window_ms: u64,
        verdicts: Vec<(ObjectId, Judgement)>,
    ) -> Step<()> {
        let mut bodies = Vec::new();
        for (pointer, judgement) in verdicts {
            let Some(window) = self.windows.iter().find(|w| w.pointer == pointer) else { continue };
            let (verdict, why) = judgement.into_verdict();
            let (new, old) = (window.new.clone(), window.other(alone).clone());
            (self.events)(Event::GateJudged {
                address: window.address.clone(),
                stage,
                verdict,
                why: why.clone(),
                new: new.samples(),
                old: old.samples(),
            });
            bodies.push(Body::GateJudged(Box::new(GateJudged { stage, pointer, verdict, window_ms, new, old, why })));
        }
        if bodies.is_empty() { Ok(()) } else { Ok(self.append(bodies, true)?) }
    }

    /// Tells whoever watches how it goes.
    fn tell(&self, held: &Held<'_>, over: bool) {
        let elapsed_ms = millis(held.began.elapsed());
        let waits_for = match (self.orders.paused, over) {
            (Some(_), _) => "promote",
            (None, false) => "hold",
            (None, true) if held.stage.approve && !self.orders.promoted => "approval",
            (None, true) => "requests",
        };
        (self.events)(Event::Traffic {
            stage: held.number,
            of: held.of,
            elapsed_ms,
            hold_ms: held.stage.hold_ms,
            waits_for,
            pointers: self.traffic(),
        });
    }

    /// What the sides meet, in numbers.
    pub(super) fn traffic(&self) -> Vec<super::event::Traffic> {
        let side = |sample: &Sample, pace: &Pace| super::event::Side {
            per_second: pace.per_second(),
            samples: sample.samples(),
        };
        let told = |w: &Window| super::event::Traffic {
            address: w.address.clone(),
            weight: w.weight,
            new: side(&w.new, &w.new_pace),
            old: side(&w.old, &w.old_pace),
        };
        self.windows.iter().map(told).collect()
    }
}

/// A bound, for people.
pub(super) fn shown(bound: Duration) -> String {
    imm_ir::reduce::shown(&imm_ir::Value::Duration(i64::try_from(bound.as_millis()).unwrap_or(i64::MAX)))
}
