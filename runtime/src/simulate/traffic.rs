//! Requests in the simulated world: so many a second to every pointer, dealt to its targets by weight, met by each as good
//! as it is. Seeded, and apart from the randomness of faults. Nothing is sent: a sample says what would have been met.

use super::law::Things;
use crate::id::ObjectId;
use crate::provider::{Level, Sample};
use crate::random::Random;
use crate::rollout::Samples;
use imm_ir::{Addr, Digest};
use std::collections::BTreeMap;

/// How good an object answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality {
    /// Part of the requests that fail, parts per million.
    pub errors_ppm: u64,
    /// Half of the answers begin by then, microseconds.
    pub median_us: u64,
}

impl Default for Quality {
    fn default() -> Self {
        Self { errors_ppm: 100, median_us: 5_000 }
    }
}

/// The requests of a world.
#[derive(Debug)]
pub(super) struct Traffic {
    /// To every pointer, a second.
    pub per_second: u64,
    /// By what the targets are, or are made of.
    pub by_spec: BTreeMap<Digest, Quality>,
    /// What a test says that the new and the old side of a pointer meet in every window.
    pub written: BTreeMap<Addr, (Samples, Samples)>,
    random: Random,
    /// When the engine with this fence asked last for a pointer.
    sampled_ms: BTreeMap<(u64, ObjectId), u64>,
}

/// Answers of a target, by part and by multiple of the median in tenths: the tail that services have.
const TAIL: [(u64, u64); 5] = [(500, 10), (300, 14), (120, 20), (65, 30), (15, 60)];

impl Default for Traffic {
    fn default() -> Self {
        Self::seeded(0)
    }
}

impl Traffic {
    pub fn seeded(seed: u64) -> Self {
        Self {
            per_second: 1000,
            by_spec: BTreeMap::new(),
            written: BTreeMap::new(),
            random: Random::seeded(seed ^ 0x7261_6666_6963),
            sampled_ms: BTreeMap::new(),
        }
    }

    /// How many of `n` events of this probability (parts per million) happen.
    fn happen(&mut self, n: u64, ppm: u64) -> u64 {
        if n <= 64 {
            return (0..n).filter(|_| self.random.below(1_000_000) < ppm).count() as u64;
        }
        // Of many, as a bell curve: twelve even numbers make one.
        let p = ppm as f64 / 1e6;
        let bell = (0..12).map(|_| self.random.below(1 << 30) as f64 / f64::from(1 << 30)).sum::<f64>() - 6.0;
        let n_f = n as f64;
        let drawn = n_f * p + bell * (n_f * p * (1.0 - p)).sqrt();
        (drawn.round().max(0.0) as u64).min(n)
    }

    fn met(&mut self, requests: u64, quality: Quality) -> Sample {
        let errors = self.happen(requests, quality.errors_ppm);
        let (mut left, mut parts, mut latency) = (requests, 1000, BTreeMap::new());
        for (part, tenths) in TAIL {
            let count = if part >= parts { left } else { self.happen(left, part * 1_000_000 / parts) };
            if count > 0 {
                latency.insert(quality.median_us * tenths / 10, count);
            }
            left -= count;
            parts -= part;
        }
        Sample { requests, errors, restarts: 0, latency }
    }
}

impl Things {
    /// What requests to a pointer met per target since an engine's last question; at its first, since there are any.
    pub fn sampled(&mut self, fence: u64, pointer: ObjectId) -> BTreeMap<ObjectId, Sample> {
        let now = self.now_ms;
        let Some((_, setting, _)) = self.pointer(pointer) else { return BTreeMap::new() };
        let since = self.traffic.sampled_ms.insert((fence, pointer), now).unwrap_or(0);
        let written = self.address(pointer).and_then(|address| self.traffic.written.get(&address)).copied();
        if let Some((new, old)) = written {
            // All of a side as if by one target.
            let first = |fresh: bool| setting.targets.iter().find(|t| t.fresh == fresh).map(|t| t.object);
            let sides = [(first(true), new), (first(false), old)];
            return sides.into_iter().filter_map(|(object, side)| Some((object?, side.sample()))).collect();
        }
        let requests = self.traffic.per_second * now.saturating_sub(since) / 1000;
        let mut found = BTreeMap::new();
        for target in &setting.targets {
            let dealt = u128::from(requests) * u128::from(target.weight);
            let whole = u64::try_from(dealt / 1_000_000).unwrap_or(u64::MAX);
            let rest = u64::try_from(dealt % 1_000_000).unwrap_or(0);
            let count = whole + self.traffic.happen(1, rest);
            let specs = self.specs(target.object);
            let quality = specs.iter().find_map(|spec| self.traffic.by_spec.get(spec)).copied();
            let mut quality = quality.unwrap_or_default();
            if self.level(target.object).0 != Level::Healthy {
                quality.errors_ppm = 1_000_000;
            }
            found.insert(target.object, self.traffic.met(count, quality));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_what_was_asked_for_within_chance() {
        let mut traffic = Traffic::seeded(7);
        let met = traffic.met(100_000, Quality { errors_ppm: 50_000, median_us: 10_000 });
        let seen = met.samples();
        assert!((4500..5500).contains(&met.errors), "{met:?}");
        assert_eq!((met.requests, met.latency.values().sum::<u64>()), (100_000, 100_000));
        assert_eq!((seen.p90, seen.p99), (20, 60), "{seen:?}");
        let mut few = 0;
        for _ in 0..1000 {
            few += traffic.happen(10, 100_000);
        }
        assert!((850..1150).contains(&few), "{few}");
    }
}
