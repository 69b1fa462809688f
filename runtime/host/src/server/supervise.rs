//! Keeps one container as it is wanted: running, dormant, or gone.
//!
//! A crashed run is never restarted: a new run of the same object replaces it, after a back-off; of a job there is one run for ever.
//! Nothing is started that cannot hold what it holds alone. Every start and every end is journalled. One task per container follows `want` and tells `seen`; nothing else starts or stops its processes. When the agent
//! ends, the task just stops: container and monitor go on, and the next agent's task finds them by their directory.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use imm_sandbox::{ExitStatus, Run, RunState, Signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, block_in_place, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::api::{Container, HealthCheck, Level, ObjectSpec, Policy, StopSignal};
use crate::judge::Judge;
use crate::probe;

use super::Site;
use super::claims::Holder;
use super::collect::{Collector, Source};
use super::journal::Event;
use super::launch::{self, Surroundings};
use super::lineage::Records;
use super::object::{Object, Want};
use super::outcome::Outcome;
use super::ports::HOST;

/// How often a run's output is taken into the log.
const COLLECT_EVERY: Duration = Duration::from_millis(100);

/// How a run ended.
struct Ended {
    /// In words.
    how: String,
    /// The exit code, if it exited by itself.
    code: Option<i32>,
    /// It was healthy for so long.
    healthy_for: Duration,
    /// Its last lines.
    last_lines: Vec<String>,
}

/// A run in progress.
struct Live {
    number: u64,
    run: Arc<Run>,
    collector: Collector,
}

/// Follows what is wanted of `object` until it is gone.
pub async fn supervise(site: Arc<Site>, records: Arc<Records>, object: Arc<Object>, holds: (Vec<String>, Holder)) {
    let ObjectSpec::Container(container) = object.record().spec else { return };
    let keeper = Keeper { site, records, object, container: *container, holds };
    let mut want = keeper.object.want.subscribe();
    let mut live = keeper.find_again().await;
    let mut crashes: u32 = 0;
    loop {
        let wanted = *want.borrow_and_update();
        match wanted {
            Want::Active if live.is_none() && keeper.object.outcome().is_some() => {
                keeper.rest(Level::Exited);
                if want.changed().await.is_err() {
                    return;
                }
            }
            Want::Active => {
                let Some(now) = live.take() else {
                    live = keeper.start().await;
                    if live.is_none() {
                        crashes = crashes.saturating_add(1);
                        wait(keeper.pause(crashes), &mut want).await;
                    }
                    continue;
                };
                match keeper.follow(now, &mut want).await {
                    Followed::Ended(ended) => {
                        let policy = keeper.object.policy.borrow().clone();
                        let reset = Duration::from_millis(policy.backoff.reset_ms);
                        crashes = if ended.healthy_for >= reset { 1 } else { crashes.saturating_add(1) };
                        keeper.tell_ended(&ended);
                        if keeper.object.outcome().is_some() {
                            continue;
                        }
                        wait(keeper.pause(crashes), &mut want).await;
                        if *want.borrow() == Want::Active {
                            keeper.object.seen.send_modify(|seen| seen.replaced += 1);
                        }
                    }
                    Followed::NotWanted(now) => live = Some(now),
                }
            }
            Want::Dormant | Want::Gone => {
                crashes = 0;
                if let Some(now) = live.take() {
                    keeper.stop(now).await;
                }
                let ended = keeper.object.outcome().is_some();
                keeper.rest(if ended { Level::Exited } else { Level::Dormant });
                if wanted == Want::Gone || want.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}

enum Followed {
    Ended(Ended),
    NotWanted(Live),
}

struct Keeper {
    site: Arc<Site>,
    records: Arc<Records>,
    object: Arc<Object>,
    container: Container,
    /// What it must hold alone before it is started.
    holds: (Vec<String>, Holder),
}

/// Why nothing was started.
enum NotStarted {
    /// Another one holds what it needs: to be tried again.
    Held(String),
    Failed(String),
}

impl Keeper {
    /// The run that an earlier agent left alive. Ended ones are collected and removed.
    async fn find_again(&self) -> Option<Live> {
        let mut found = None;
        for number in launch::runs(&self.object.dir) {
            let dir = self.object.run_dir(number);
            let mut collector = self.collector(number);
            let looked = spawn_blocking(move || imm_sandbox::reopen(&dir)).await;
            match looked.unwrap_or_else(|cause| Err(io::Error::other(cause))) {
                Ok(RunState::Running(run)) => {
                    self.journal(Event::RunAdopted, number, "found alive by a new agent");
                    self.tell_run(number, &run);
                    found = Some(self.live(number, run));
                }
                Ok(RunState::Exited(exit)) => {
                    let how = describe(&exit.status, exit.oom_killed);
                    self.journal(Event::RunEnded, number, &how);
                    self.take_output(&mut collector);
                    let last_lines = collector.last_lines();
                    if self.settle(number, || Outcome::of(exit, how, last_lines)) {
                        self.clear_run(number).await;
                    }
                }
                Ok(RunState::NotStarted) => {
                    // After a restart of the machine the records of a program that did begin may be lost.
                    let begun = || Outcome::lost("the machine was restarted, and nobody knows whether it had begun");
                    if self.object.ran_in_this_boot() || self.settle(number, begun) {
                        self.clear_run(number).await;
                    }
                }
                Err(cause) => {
                    self.site.say(&format!("object {}, run {number}: {cause}", self.object.id));
                    let how = format!("what is recorded of its run cannot be read: {cause}");
                    self.settle(number, || Outcome::lost(how));
                }
            }
        }
        if found.is_none() && self.container.once && self.object.last_run() > 0 && !self.object.ran_in_this_boot() {
            let how = "the machine was restarted, and nobody knows how it ended";
            self.settle(self.object.last_run(), || Outcome::lost(how));
        }
        found
    }

    /// Says how the one run of a job ended. False: it is not on disk, so what tells it otherwise must stay.
    fn settle(&self, number: u64, outcome: impl FnOnce() -> Outcome) -> bool {
        if !self.container.once {
            return true;
        }
        let written = self.object.set_outcome(outcome());
        let failed = |cause: &io::Error| {
            self.site.say(&format!("object {}: how run {number} ended cannot be recorded: {cause}", self.object.id));
        };
        written.inspect_err(failed).is_ok()
    }

    /// No processes, and nothing held alone.
    fn rest(&self, level: Level) {
        self.site.claims.release(&self.object.lineage, &self.object.id);
        let outcome = self.object.outcome();
        self.object.seen.send_modify(|seen| {
            // It may have been told to act since: then it is not dormant, and there may be processes soon.
            let gone = *self.object.want.borrow() == Want::Gone;
            let again = level == Level::Dormant && !gone && self.object.is_active();
            seen.processes = again;
            change_level(&mut seen.health, if again { Level::Starting } else { level });
            seen.health.reason = outcome.as_ref().map(|outcome| outcome.how.clone());
            seen.health.exit_code = outcome.as_ref().and_then(|outcome| outcome.code);
            seen.health.last_lines = outcome.map(|outcome| outcome.last_lines).unwrap_or_default();
        });
    }

    async fn start(&self) -> Option<Live> {
        match self.try_start().await {
            Ok((number, run)) => {
                self.journal(Event::RunStarted, number, &format!("isolation {}", run.level));
                self.tell_run(number, &run);
                Some(self.live(number, run))
            }
            Err(NotStarted::Held(how)) => {
                self.tell_ended(&Ended { how, code: None, healthy_for: Duration::ZERO, last_lines: Vec::new() });
                None
            }
            Err(NotStarted::Failed(how)) => {
                self.journal(Event::RunEnded, self.object.last_run(), &how);
                self.settle(self.object.last_run(), || Outcome::not_begun(how.clone()));
                let ended = Ended { how, code: None, healthy_for: Duration::ZERO, last_lines: Vec::new() };
                self.tell_ended(&ended);
                None
            }
        }
    }

    async fn try_start(&self) -> Result<(u64, Run), NotStarted> {
        let (keys, holder) = &self.holds;
        self.site.claims.take(keys, holder).map_err(|refused| NotStarted::Held(refused.message))?;
        self.object.seen.send_modify(|seen| seen.processes = true);
        let number = self.object.next_run().map_err(|cause| NotStarted::Held(cause.to_string()))?;
        let (site, object, container) = (Arc::clone(&self.site), Arc::clone(&self.object), self.container.clone());
        let lineage_dir = self.records.dir.clone();
        let launched = spawn_blocking(move || {
            let run_dir = object.run_dir(number);
            let at = Surroundings {
                store: &site.store,
                monitor: &site.monitor,
                lineage_dir: &lineage_dir,
                run_dir: &run_dir,
                object: &object.id,
                run: number,
            };
            launch::launch(at, &object.record(), &container)
        });
        match launched.await {
            Ok(Ok(run)) => Ok((number, run)),
            Ok(Err(how)) => {
                self.take_output(&mut self.collector(number));
                self.clear_run(number).await;
                Err(NotStarted::Failed(how))
            }
            Err(cause) => Err(NotStarted::Failed(cause.to_string())),
        }
    }

    fn live(&self, number: u64, run: Run) -> Live {
        let run = Arc::new(run);
        *self.object.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&run));
        Live { number, run, collector: self.collector(number) }
    }

    fn collector(&self, run: u64) -> Collector {
        let record = self.object.record();
        let source =
            Source { address: record.address, object: self.object.id.clone(), generation: record.generation, run };
        Collector::new(&self.object.run_dir(run), source)
    }

    /// Watches a run until it ends or is not wanted any more.
    async fn follow(&self, mut live: Live, want: &mut watch::Receiver<Want>) -> Followed {
        let begun = Instant::now();
        let mut policy = self.object.policy.subscribe();
        let mut probing = self.probing(&policy.borrow_and_update(), &live);
        let mut healthy_since = None;
        let mut collecting = interval(COLLECT_EVERY);
        collecting.set_missed_tick_behavior(MissedTickBehavior::Delay);
        #[expect(
            deprecated,
            reason = "its successor is unsafe; a Run keeps one descriptor open for all its life, which is what that asks"
        )]
        let watched = AsyncFd::with_interest(Arc::clone(&live.run), Interest::READABLE);
        let gone = match watched {
            Ok(gone) => gone,
            Err(cause) => {
                self.site.say(&format!("object {}: cannot watch run {}: {cause}", self.object.id, live.number));
                return Followed::NotWanted(live);
            }
        };
        loop {
            tokio::select! {
                _ended = gone.readable() => break,
                changed = want.changed() => {
                    if changed.is_err() || *want.borrow() != Want::Active {
                        drop(gone);
                        return Followed::NotWanted(live);
                    }
                }
                Ok(()) = policy.changed() => probing = self.probing(&policy.borrow_and_update(), &live),
                Some(outcome) = probing.outcomes.recv() => {
                    let level = probing.judge.observe(outcome.is_ok(), begun.elapsed());
                    healthy_since = (level == Level::Healthy).then(|| healthy_since.unwrap_or_else(Instant::now));
                    self.tell_level(level, outcome.err(), &live.collector);
                }
                _tick = collecting.tick() => self.take_some_output(&mut live.collector),
            }
        }
        drop(gone);
        let healthy_for = healthy_since.map_or(Duration::ZERO, |since: Instant| since.elapsed());
        Followed::Ended(self.reap(live, healthy_for, Event::RunEnded).await)
    }

    /// Asks a run to end, then ends it.
    async fn stop(&self, live: Live) {
        let stop = self.object.policy.borrow().stop;
        let signal = match stop.signal {
            StopSignal::Term => Signal::SIGTERM,
            StopSignal::Int => Signal::SIGINT,
            StopSignal::Quit => Signal::SIGQUIT,
        };
        let run = Arc::clone(&live.run);
        let stopped = spawn_blocking(move || {
            run.signal(signal)?;
            if run.wait(Duration::from_millis(stop.grace_ms))?.is_none() {
                run.signal(Signal::SIGKILL)?;
                run.wait(Duration::MAX)?;
            }
            Ok::<_, io::Error>(())
        });
        if let Err(cause) = stopped.await.unwrap_or_else(|cause| Err(io::Error::other(cause))) {
            self.site.say(&format!("object {}: cannot stop run {}: {cause}", self.object.id, live.number));
        }
        self.reap(live, Duration::ZERO, Event::RunStopped).await;
    }

    /// After a run's end: its status, its output, its directory.
    async fn reap(&self, mut live: Live, healthy_for: Duration, event: Event) -> Ended {
        let run = Arc::clone(&live.run);
        let exit = spawn_blocking(move || run.wait(Duration::MAX)).await;
        let mut seen = None;
        let (how, code) = match exit.unwrap_or_else(|cause| Err(io::Error::other(cause))) {
            Ok(Some(exit)) => {
                let code = match exit.status {
                    ExitStatus::Code(code) => Some(code),
                    ExitStatus::Signal(_) | ExitStatus::Failed(_) | ExitStatus::Unknown => None,
                };
                let how = describe(&exit.status, exit.oom_killed);
                seen = Some(exit);
                (how, code)
            }
            Ok(None) => ("nobody saw how it ended".to_owned(), None),
            Err(cause) => (format!("how it ended cannot be read: {cause}"), None),
        };
        self.take_output(&mut live.collector);
        *self.object.run.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.journal(event, live.number, &how);
        let last_lines = live.collector.last_lines();
        let number = live.number;
        drop(live);
        let outcome = || match seen {
            Some(exit) => Outcome::of(exit, how.clone(), last_lines.clone()),
            None => Outcome::lost(how.clone()),
        };
        if self.settle(number, outcome) {
            self.clear_run(number).await;
        }
        Ended { how, code, healthy_for, last_lines }
    }

    async fn clear_run(&self, number: u64) {
        let dir = self.object.run_dir(number);
        let removed = spawn_blocking(move || imm_sandbox::remove(&dir)).await;
        if let Err(cause) = removed.unwrap_or_else(|cause| Err(io::Error::other(cause))) {
            self.site.say(&format!("object {}: cannot remove run {number}: {cause}", self.object.id));
        }
    }

    /// A job is not asked: it works when it has ended well.
    fn probing(&self, policy: &Policy, live: &Live) -> Probing {
        if self.container.once {
            return Probing::none();
        }
        let (site, records, object) = (Arc::clone(&self.site), Arc::clone(&self.records), Arc::clone(&self.object));
        let (container, run, number) = (self.container.clone(), Arc::clone(&live.run), live.number);
        let inside: probe::InContainer = Arc::new(move |cmd, timeout| {
            let run_dir = object.run_dir(number);
            let at = Surroundings {
                store: &site.store,
                monitor: &site.monitor,
                lineage_dir: &records.dir,
                run_dir: &run_dir,
                object: &object.id,
                run: number,
            };
            launch::ask(at, &object.record(), &container, &run, cmd, timeout)
        });
        Probing::new(policy, self.address(), inside)
    }

    fn address(&self) -> Option<SocketAddr> {
        self.object.record().port.map(|port| SocketAddr::new(HOST.into(), port))
    }

    fn pause(&self, crashes: u32) -> Duration {
        let backoff = self.object.policy.borrow().backoff;
        let doubled = 1u64.checked_shl(crashes.saturating_sub(1)).unwrap_or(u64::MAX);
        Duration::from_millis(backoff.first_ms.saturating_mul(doubled).min(backoff.most_ms))
    }

    /// While the program runs: a bounded part, on a thread that may block.
    fn take_some_output(&self, collector: &mut Collector) {
        if let Err(cause) = block_in_place(|| collector.collect_some(&self.records.logs)) {
            self.site.say(&format!("object {}: its output cannot be logged: {cause}", self.object.id));
        }
    }

    /// After the program's end: all of it.
    fn take_output(&self, collector: &mut Collector) {
        if let Err(cause) = block_in_place(|| collector.collect(&self.records.logs)) {
            self.site.say(&format!("object {}: its output cannot be logged: {cause}", self.object.id));
        }
    }

    fn journal(&self, event: Event, number: u64, detail: &str) {
        if let Err(cause) = self.records.journal.record(event, Some(&self.object.id), number, detail) {
            self.site.say(&format!("object {}: the journal cannot be written: {cause}", self.object.id));
        }
    }

    fn tell_run(&self, number: u64, run: &Run) {
        self.object.seen.send_modify(|seen| {
            seen.processes = true;
            seen.isolation = Some(run.level.to_string());
            seen.warnings.clone_from(&run.warnings);
            seen.health.run = number;
            // After a crash the words of the last run stay until the new one is judged.
            change_level(&mut seen.health, Level::Starting);
        });
    }

    fn tell_level(&self, level: Level, failure: Option<String>, collector: &Collector) {
        self.object.seen.send_if_modified(|seen| {
            let before = seen.health.clone();
            change_level(&mut seen.health, level);
            if level == Level::Healthy {
                seen.health.reason = None;
                seen.health.exit_code = None;
                seen.health.last_lines.clear();
            } else if let Some(failure) = failure {
                // How a run before this one ended says more than that this one does not answer yet.
                if level == Level::Unhealthy || seen.health.exit_code.is_none() {
                    seen.health.reason = Some(failure);
                }
                seen.health.last_lines = collector.last_lines();
            } else if level == Level::Unhealthy && seen.health.reason.is_none() {
                seen.health.reason =
                    Some("it answers, but was not healthy within the time that its health allows".to_owned());
                seen.health.last_lines = collector.last_lines();
            }
            seen.health != before
        });
    }

    fn tell_ended(&self, ended: &Ended) {
        let outcome = self.object.outcome();
        self.object.seen.send_modify(|seen| {
            seen.processes = false;
            seen.health.run = self.object.last_run();
            seen.health.reason = Some(ended.how.clone());
            seen.health.exit_code = outcome.map_or(ended.code, |outcome| outcome.code);
            seen.health.last_lines.clone_from(&ended.last_lines);
            change_level(&mut seen.health, Level::Exited);
        });
    }
}

/// Probes of one run under one policy; they end with it.
struct Probing {
    judge: Judge,
    outcomes: mpsc::Receiver<probe::Outcome>,
    task: JoinHandle<()>,
}

impl Probing {
    fn new(policy: &Policy, address: Option<SocketAddr>, inside: probe::InContainer) -> Self {
        let (sender, outcomes) = mpsc::channel(1);
        let judge = Judge::new(policy.health.as_ref());
        let check = policy.health.clone().unwrap_or(HealthCheck::Running { for_ms: 0 });
        let watching = probe::watch(check, address.map(probe::Whom::here), inside, sender);
        Self { judge, outcomes, task: tokio::spawn(watching) }
    }

    /// Nobody is asked.
    fn none() -> Self {
        let (sender, outcomes) = mpsc::channel(1);
        Self { judge: Judge::new(None), outcomes, task: tokio::spawn(async move { sender.closed().await }) }
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn change_level(health: &mut crate::api::Health, level: Level) {
    if health.level != level {
        health.level = level;
        health.changes += 1;
    }
}

async fn wait(pause: Duration, want: &mut watch::Receiver<Want>) {
    let until = Instant::now() + pause;
    loop {
        tokio::select! {
            () = sleep_until(until) => return,
            changed = want.changed() => if changed.is_err() || *want.borrow() != Want::Active { return },
        }
    }
}

fn describe(status: &ExitStatus, oom_killed: bool) -> String {
    let how = match status {
        ExitStatus::Code(code) => format!("exited with code {code}"),
        ExitStatus::Signal(signal) => format!("ended by signal {signal}"),
        ExitStatus::Failed(text) => format!("could not be started: {text}"),
        ExitStatus::Unknown => "ended while nobody watched; its status is not known".to_owned(),
    };
    if oom_killed { format!("{how}; the kernel killed a process because the memory limit was reached") } else { how }
}
