//! What requests met: counters and latencies that add up. A window is a sum of samples; nothing here keeps history.

use imm_ir::{Fields, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What requests to some objects met in a window. Two of them add up exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Requests.
    pub requests: u64,
    /// Of them failed.
    pub errors: u64,
    /// Runs that were replaced.
    pub restarts: u64,
    /// How many answers began after so many microseconds; a provider rounds them up to the bounds of its own buckets.
    pub latency: BTreeMap<u64, u64>,
}

/// The type `Samples` of programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples {
    /// Requests.
    pub requests: u64,
    /// Part of them that failed, parts per million.
    pub errors: u64,
    /// Half of the answers began by then, milliseconds.
    pub p50: u64,
    /// Nine of ten.
    pub p90: u64,
    /// Ninety-nine of a hundred.
    pub p99: u64,
    /// Runs that were replaced.
    pub restarts: u64,
}

/// Standard deviations within which chance is not excluded.
const DOUBT: f64 = 3.0;

impl Sample {
    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.restarts += other.restarts;
        for (micros, count) in &other.latency {
            *self.latency.entry(*micros).or_default() += count;
        }
    }

    /// What a gate sees of it.
    pub fn samples(&self) -> Samples {
        self.seen(|q, _| q, |p, _| p)
    }

    /// The best that it may be a chance result of: fewer errors, quicker answers.
    pub fn at_best(&self) -> Samples {
        self.seen(|q, n| q - DOUBT * deviation(q, n), |p, n| p - DOUBT * deviation(p, n))
    }

    /// The worst that it may be a chance result of.
    pub fn at_worst(&self) -> Samples {
        self.seen(|q, n| q + DOUBT * deviation(q, n), |p, n| p + DOUBT * deviation(p, n))
    }

    fn seen(&self, rank: impl Fn(f64, f64) -> f64, part: impl Fn(f64, f64) -> f64) -> Samples {
        let answers = self.latency.values().sum::<u64>() as f64;
        let at = |q: f64| self.quantile(rank(q, answers.max(1.0)).clamp(0.0, 1.0)).div_ceil(1000);
        let errors = self.errors as f64 / self.requests.max(1) as f64;
        let errors = part(errors, self.requests.max(1) as f64).clamp(0.0, 1.0);
        Samples {
            requests: self.requests,
            // An error in a million is not none.
            errors: (errors * 1e6 - 1e-6).ceil().max(0.0) as u64,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            restarts: self.restarts,
        }
    }

    /// The least time, microseconds, that at least this part of the answers did not exceed; 0 without answers.
    pub fn quantile(&self, part: f64) -> u64 {
        let total: u64 = self.latency.values().sum();
        let rank = ((total as f64 * part).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0;
        for (micros, count) in &self.latency {
            seen += count;
            if seen >= rank {
                return *micros;
            }
        }
        0
    }
}

/// Of a part that was counted among so many.
fn deviation(part: f64, count: f64) -> f64 {
    (part * (1.0 - part) / count).sqrt()
}

impl Samples {
    /// As a value of the program.
    pub fn value(&self) -> Fields<Value> {
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        Fields::from([
            (Arc::from("requests"), Value::Int(whole(self.requests))),
            (Arc::from("errors"), Value::Ratio(whole(self.errors))),
            (Arc::from("p50"), Value::Duration(whole(self.p50))),
            (Arc::from("p90"), Value::Duration(whole(self.p90))),
            (Arc::from("p99"), Value::Duration(whole(self.p99))),
            (Arc::from("restarts"), Value::Int(whole(self.restarts))),
        ])
    }

    /// Reads what a person wrote down; what is left out is zero, and without `requests` there were `requests`.
    pub fn read(written: &Value, requests: u64) -> Self {
        let number = |name: &str| written.get(name).and_then(Value::as_int).and_then(|n| u64::try_from(n).ok());
        let latency = |name: &str, least: u64| number(name).unwrap_or(least);
        let p50 = latency("p50", 0);
        let p90 = latency("p90", p50);
        Self {
            requests: number("requests").unwrap_or(requests),
            errors: number("errors").unwrap_or(0),
            p50,
            p90,
            p99: latency("p99", p90),
            restarts: number("restarts").unwrap_or(0),
        }
    }

    /// A sample that a gate would see as this.
    pub fn sample(&self) -> Sample {
        let n = self.requests;
        let (half, ninety) = (n.div_ceil(2), (n * 9).div_ceil(10));
        let mut latency = BTreeMap::new();
        for (ms, count) in [(self.p50, half), (self.p90, ninety - half), (self.p99, n - ninety)] {
            if count > 0 {
                *latency.entry(ms * 1000).or_default() += count;
            }
        }
        let errors = u64::try_from(u128::from(n) * u128::from(self.errors) / 1_000_000).unwrap_or(n);
        Sample { requests: n, errors, restarts: self.restarts, latency }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_written_is_what_a_gate_sees() {
        let written = Samples { requests: 1000, errors: 90_000, p50: 10, p90: 20, p99: 249, restarts: 1 };
        assert_eq!(written.sample().samples(), written);
        assert_eq!(Samples::default().sample().samples(), Samples::default());
    }

    #[test]
    fn chance_is_wide_where_little_was_seen() {
        let of = |n: u64| Sample { requests: n, errors: n / 20, restarts: 0, latency: [(1000, n)].into() };
        assert!(of(20).at_best().errors == 0 && of(2000).at_best().errors > 30_000);
        assert!(of(2000).at_worst().errors < 70_000);
    }

    proptest! {
        #[test]
        fn samples_add_up(a in proptest::collection::btree_map(0_u64..5000, 1_u64..9, 0..9), b in proptest::collection::btree_map(0_u64..5000, 1_u64..9, 0..9)) {
            let of = |latency: &BTreeMap<u64, u64>| Sample { requests: latency.values().sum(), latency: latency.clone(), ..Sample::default() };
            let (mut left, mut right) = (of(&a), of(&b));
            left.add(&of(&b));
            right.add(&of(&a));
            prop_assert_eq!(&left, &right);
            prop_assert!(left.samples().p50 <= left.samples().p99);
            prop_assert!(left.at_best().p99 <= left.samples().p99);
        }
    }
}
