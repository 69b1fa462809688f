//! What is seen while an apply runs: on a terminal a bar at the bottom with what is under way and how long it may take, else
//! a line a step; JSON lines for programs. Traces see the same events.

use super::events::Watcher;
use crate::telemetry::Traces;
use imm_ir::{Addr, Class, Nature, kinds};
use imm_runtime::apply::Event;
use imm_runtime::plan::{Action, Plan, Step};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Columns that the bar takes.
const BAR: usize = 31;
/// Names of steps under way that fit into one line.
const MOST_NAMES: usize = 3;

/// The screen of one command.
pub struct Screen {
    watcher: Watcher,
    traces: Option<Traces>,
    bar: Mutex<Option<Bar>>,
}

/// The bar of one apply.
struct Bar {
    line: ProgressBar,
    began: Instant,
    estimate: Option<Duration>,
    /// What the plan makes and is not known to work yet, with the action that tells.
    making: BTreeMap<Addr, &'static str>,
    running: Vec<(&'static str, Addr)>,
    done: u64,
    steps: u64,
    /// How the stage goes, in lines.
    traffic: Option<String>,
}

impl Screen {
    /// A screen, with traces when a collector is named.
    pub fn new(watcher: Watcher) -> Self {
        Self { watcher, traces: Traces::from_environment(), bar: Mutex::new(None) }
    }

    /// The spans, when they are recorded.
    pub fn traces(&self) -> Option<&Traces> {
        self.traces.as_ref()
    }

    /// An apply begins. On a terminal its bar appears.
    pub fn begin(&self, plan: &Plan, estimate_ms: Option<u64>) {
        if self.watcher.json || self.watcher.quiet || !std::io::stderr().is_terminal() {
            return;
        }
        let making = |s: &&Step| match s.action {
            Action::Create | Action::Reuse => true,
            // What holds data is attached, which takes no time.
            Action::Adopt => s.class != Class::Durable,
            _other => false,
        };
        let making: BTreeMap<Addr, &str> =
            plan.steps.iter().filter(making).map(|s| (s.address.clone(), last(s))).collect();
        let turns: usize = plan.rollout.stages.iter().map(|stage| stage.turns.len()).sum();
        let steps = (making.len() + plan.switches.len() + turns) as u64;
        let line = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr_with_hz(12));
        let color = if self.watcher.style.color { ".cyan" } else { "" };
        let template = format!("  {{spinner{color}}} {{bar:20{color}}} {{pos}}/{{len}}  {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            line.set_style(style.progress_chars("━━╌").tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
        }
        line.enable_steady_tick(Duration::from_millis(100));
        let estimate = estimate_ms.map(Duration::from_millis);
        let bar =
            Bar { line, began: Instant::now(), estimate, making, running: Vec::new(), done: 0, steps, traffic: None };
        bar.show();
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    /// Something happened.
    pub fn see(&self, event: &Event) {
        if let Some(traces) = &self.traces {
            traces.see(event);
        }
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bar) = bar.as_mut() else { return self.watcher.see(event) };
        let live = matches!(event, Event::Traffic { .. } | Event::Watched { .. });
        let text = if live { String::new() } else { self.watcher.line(event) };
        bar.see(event);
        // Lines go above the bar, which stays at the bottom.
        if !text.is_empty() {
            bar.line.suspend(|| super::err(&text));
        }
        bar.show();
    }

    /// The apply came to its end; the bar goes.
    pub fn end(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.line.finish_and_clear();
        }
    }
}

/// What goes behind the bar, on a line of its own where there is no room.
fn below(traffic: &str, width: Option<usize>) -> String {
    let first = traffic.lines().next().unwrap_or_default();
    if width.is_some_and(|width| BAR + super::table::visible(first) > width) {
        format!("\n    {traffic}")
    } else {
        traffic.to_owned()
    }
}

/// The action after which what a step makes is known to work.
fn last(step: &Step) -> &'static str {
    match kinds::builtin().get(&step.kind).map(|schema| schema.nature) {
        _there if step.action != Action::Create => "verify",
        Some(Nature::Process) => "verify",
        Some(Nature::Job) => "run",
        Some(Nature::Content | Nature::Plain) | None => "create",
    }
}

impl Bar {
    fn see(&mut self, event: &Event) {
        match event {
            Event::StepStarted { action, address, .. } => self.running.push((action, address.clone())),
            Event::StepDone { action, address, .. } => {
                self.running.retain(|(a, at)| a != action || at != address);
                if self.making.get(address) == Some(action) {
                    self.making.remove(address);
                    self.done += 1;
                }
            }
            Event::StepFailed { action, address, .. } => self.running.retain(|(a, at)| a != action || at != address),
            Event::Traffic { stage, of, elapsed_ms, hold_ms, waits_for, pointers } => {
                self.traffic = Some(super::rollout::live(*stage, *of, *elapsed_ms, *hold_ms, waits_for, pointers));
            }
            Event::Watched { elapsed_ms, watch_ms, pointers } => {
                self.traffic = Some(super::rollout::watched(*elapsed_ms, *watch_ms, pointers));
            }
            Event::Stage { .. } | Event::Unwinding | Event::Retiring { .. } | Event::WatchEnded { .. } => {
                self.traffic = None;
            }
            Event::Switched { .. } => self.done += 1,
            Event::Committed { .. } => {
                self.running.clear();
                self.done = self.steps;
            }
            _other => {}
        }
    }

    fn show(&self) {
        self.line.set_position(self.done.min(self.steps));
        let names: Vec<String> = self.running.iter().take(MOST_NAMES).map(|(a, at)| format!("{a} {at}")).collect();
        let more = self.running.len().saturating_sub(names.len());
        let more = if more == 0 { String::new() } else { format!(" +{more}") };
        if let Some(traffic) = &self.traffic {
            self.line.set_message(below(traffic, super::fold::width(std::io::stderr())));
            return;
        }
        self.line.set_message(format!("{}{more}{}", names.join(", "), self.left()));
    }

    /// What is left of the time that such steps took before.
    fn left(&self) -> String {
        let Some(estimate) = self.estimate.filter(|_| self.done < self.steps) else { return String::new() };
        match estimate.checked_sub(self.began.elapsed()).map(|left| left.as_secs()) {
            None | Some(0) => "  a moment left".to_owned(),
            Some(seconds) if seconds < 90 => format!("  about {} s left", seconds + 1),
            Some(seconds) => format!("  about {} min left", seconds / 60 + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn a_narrow_terminal_has_the_stage_below_the_bar() {
        let stage = "stage 1 of 3, 2 left · 2s of 5s\n    front  new 10%";
        assert_eq!(below(stage, Some(80)), stage);
        assert_eq!(below(stage, None), stage);
        assert_eq!(below(stage, Some(60)), format!("\n    {stage}"));
    }
}
