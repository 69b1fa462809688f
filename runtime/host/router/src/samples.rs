//! Counters and latency histograms, per route and target.
//!
//! Guarantees: recording is lock-free; a quantile is at most 1/16 (6.25 %) above the true value. It does not keep history: a window is the difference of
//! two snapshots ([`Histogram::since`]).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Sub-buckets in each power of two, as a power of two.
const PRECISION_BITS: u32 = 4;
/// Values from 2^36 µs (19 hours) on share the last bucket.
const MAX_BITS: u32 = 36;
const BUCKETS: usize = ((MAX_BITS - PRECISION_BITS + 1) << PRECISION_BITS) as usize;

/// What one target of one route did so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSamples {
    /// The route's id.
    pub route: String,
    /// The target's id.
    pub target: String,
    /// The target's address; of a site `site`, of an endpoint its URL.
    pub address: String,
    /// The group the target is in, in the table in force (the last one it was in, when it has left).
    pub group: String,
    /// Whether the table in force names it; a target that has left stays listed until the next table, and while it has requests in flight.
    pub in_force: bool,
    /// Requests (for TCP: connections) sent to it, failed ones included.
    pub requests: u64,
    /// Answers of 500 and above, failed connects, answers that never came or broke off.
    pub errors: u64,
    /// Requests it is working on now.
    pub in_flight: u64,
    /// Time until the answer began (for TCP: until connected), in microseconds.
    pub latency: Histogram,
}

/// A snapshot of a latency distribution in log-linear buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// (bucket index, count), ascending, without empty buckets.
    buckets: Vec<(u16, u64)>,
    /// All values together, in microseconds.
    sum_us: u64,
}

impl Histogram {
    /// How many values were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// All values together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us)
    }

    /// The smallest bound that at least this share (0.0 to 1.0) of the values does not exceed; `None` without values.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let total = self.count();
        // Precise for any count a process can reach; a rounding error moves the rank by one in 2^53.
        let rank = ((total as f64 * share).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0;
        for (index, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return Some(Duration::from_micros(upper_bound(usize::from(*index))));
            }
        }
        None
    }

    /// Half of the values are not above it.
    #[must_use]
    pub fn p50(&self) -> Option<Duration> {
        self.quantile(0.5)
    }

    /// 90 % of the values are not above it.
    #[must_use]
    pub fn p90(&self) -> Option<Duration> {
        self.quantile(0.9)
    }

    /// 99 % of the values are not above it.
    #[must_use]
    pub fn p99(&self) -> Option<Duration> {
        self.quantile(0.99)
    }

    /// What was recorded after `earlier` was taken from the same source.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |index: u16| {
            earlier
                .buckets
                .binary_search_by_key(&index, |(i, _)| *i)
                .ok()
                .and_then(|at| earlier.buckets.get(at))
                .map_or(0, |(_, count)| *count)
        };
        let buckets = self
            .buckets
            .iter()
            .map(|(index, count)| (*index, count.saturating_sub(before(*index))))
            .filter(|(_, count)| *count > 0)
            .collect();
        Self { buckets, sum_us: self.sum_us.saturating_sub(earlier.sum_us) }
    }

    /// Both distributions as one.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let mut sum = std::collections::BTreeMap::new();
        for (index, count) in self.buckets.iter().chain(&other.buckets) {
            *sum.entry(*index).or_insert(0) += count;
        }
        Self { buckets: sum.into_iter().collect(), sum_us: self.sum_us.saturating_add(other.sum_us) }
    }

    /// (upper bound, how many values are in the bucket that ends there), ascending, without empty buckets.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.buckets.iter().map(|(index, count)| (Duration::from_micros(upper_bound(usize::from(*index))), *count))
    }
}

/// The counters that requests write to.
#[derive(Debug)]
pub(crate) struct Recorder {
    requests: AtomicU64,
    errors: AtomicU64,
    latency: Box<[AtomicU64]>,
    latency_us: AtomicU64,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            latency: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            latency_us: AtomicU64::new(0),
        }
    }

    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    pub(crate) fn error(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    /// A request that got no answer.
    pub(crate) fn failed(&self) {
        self.request();
        self.error();
    }

    pub(crate) fn latency(&self, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.latency.get(bucket_of(micros)) {
            bucket.fetch_add(1, Relaxed);
            self.latency_us.fetch_add(micros, Relaxed);
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    pub(crate) fn histogram(&self) -> Histogram {
        let counts = self.latency.iter().map(|bucket| bucket.load(Relaxed));
        let buckets = (0_u16..).zip(counts).filter(|(_, count)| *count > 0).collect();
        Histogram { buckets, sum_us: self.latency_us.load(Relaxed) }
    }
}

/// Values below 16 have a bucket each; above, every power of two is cut into 16.
fn bucket_of(value: u64) -> usize {
    let value = value.min((1 << MAX_BITS) - 1);
    if value < 1 << PRECISION_BITS {
        return usize::try_from(value).unwrap_or(0);
    }
    let shift = value.ilog2() - PRECISION_BITS;
    // (value >> shift) is in 16..32, so the first index here is 16.
    (shift as usize * (1 << PRECISION_BITS)) + usize::try_from(value >> shift).unwrap_or(0)
}

/// The largest value of a bucket.
fn upper_bound(bucket: usize) -> u64 {
    let per_octave = 1_u64 << PRECISION_BITS;
    let bucket = bucket as u64;
    if bucket < per_octave {
        return bucket;
    }
    let shift = bucket / per_octave - 1;
    ((bucket % per_octave + per_octave + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_bucket_is_reached_and_bounds_ascend() {
        for bucket in 0..BUCKETS {
            assert_eq!(bucket_of(upper_bound(bucket)), bucket);
            if bucket > 0 {
                assert_eq!(bucket_of(upper_bound(bucket - 1) + 1), bucket);
            }
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn a_window_is_a_difference() {
        let recorder = Recorder::new();
        recorder.latency(Duration::from_micros(100));
        let earlier = recorder.histogram();
        recorder.latency(Duration::from_millis(5));
        let window = recorder.histogram().since(&earlier);
        assert_eq!((window.count(), window.sum()), (1, Duration::from_millis(5)));
        assert!(window.p50().unwrap() >= Duration::from_millis(5));
        assert_eq!(window.merged(&earlier), recorder.histogram());
        assert_eq!(Histogram::default().p99(), None);
    }

    proptest! {
        #[test]
        fn quantiles_are_within_a_sixteenth(mut values in proptest::collection::vec(0_u64..1 << 35, 1..200), share in 0.0_f64..=1.0) {
            let recorder = Recorder::new();
            for value in &values {
                recorder.latency(Duration::from_micros(*value));
            }
            values.sort_unstable();
            let rank = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len());
            let exact = values[rank - 1];
            let found = u64::try_from(recorder.histogram().quantile(share).unwrap().as_micros()).unwrap();
            prop_assert!(found >= exact && found <= exact + exact / 16 + 1, "{found} for {exact}");
        }
    }
}
