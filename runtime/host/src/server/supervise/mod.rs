//! Keeps one container as it is wanted: running, dormant, or gone.
//!
//! A crashed run is never restarted: a new run of the same object replaces it, after a back-off; of a job there is one run for ever.
//! Nothing is started that cannot hold what it holds alone. Every start and every end is journalled. One task per container follows `want` and tells `seen`;
//! nothing else starts or stops its processes. When the agent ends, the task just stops: container and monitor go on, and the next agent's task finds them by
//! their directory.

mod begin;
mod end;
mod probing;
mod tell;

use std::sync::Arc;
use std::time::Duration;

use imm_sandbox::Run;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::api::{Container, Level, ObjectSpec};

use super::Site;
use super::claims::Holder;
use super::collect::Collector;
use super::journal::Event;
use super::lineage::Records;
use super::object::{Object, Want};
use end::Ended;

/// How often a run's output is taken into the log.
const COLLECT_EVERY: Duration = Duration::from_millis(100);

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

impl Keeper {
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

    fn pause(&self, crashes: u32) -> Duration {
        let backoff = self.object.policy.borrow().backoff;
        let doubled = 1u64.checked_shl(crashes.saturating_sub(1)).unwrap_or(u64::MAX);
        Duration::from_millis(backoff.first_ms.saturating_mul(doubled).min(backoff.most_ms))
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
