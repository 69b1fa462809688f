//! From single probes to a level. Pure: time comes in.

use std::time::Duration;

use crate::api::{HealthCheck, Level};

/// Failures in a row after which what was healthy no longer is.
const UNHEALTHY_AFTER: u32 = 3;

/// Judges one run.
#[derive(Debug)]
pub struct Judge {
    needed: u32,
    within: Duration,
    successes: u32,
    failures: u32,
    level: Level,
}

impl Judge {
    /// For a run that has just begun. `None`: running is enough.
    pub fn new(check: Option<&HealthCheck>) -> Self {
        let (needed, within_ms) = match check {
            Some(
                HealthCheck::Http { healthy, within_ms, .. }
                | HealthCheck::Tcp { healthy, within_ms, .. }
                | HealthCheck::Exec { healthy, within_ms, .. },
            ) => (*healthy, *within_ms),
            Some(HealthCheck::Running { .. }) | None => (1, u64::MAX),
        };
        let within = Duration::from_millis(within_ms);
        Self { needed: needed.max(1), within, successes: 0, failures: 0, level: Level::Starting }
    }

    /// One probe's outcome, `age` after the run began.
    pub fn observe(&mut self, success: bool, age: Duration) -> Level {
        if success {
            self.successes += 1;
            self.failures = 0;
        } else {
            self.successes = 0;
            self.failures += 1;
        }
        let gave_up = match self.level {
            Level::Starting => age >= self.within,
            Level::Healthy => self.failures >= UNHEALTHY_AFTER,
            Level::Unhealthy | Level::Exited | Level::Dormant => false,
        };
        if self.successes >= self.needed {
            self.level = Level::Healthy;
        } else if gave_up {
            self.level = Level::Unhealthy;
        }
        self.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(healthy: u32) -> Judge {
        Judge::new(Some(&HealthCheck::Tcp { interval_ms: 1, timeout_ms: 1, healthy, within_ms: 1000 }))
    }

    fn levels(judge: &mut Judge, probes: &[(bool, u64)]) -> Vec<Level> {
        probes.iter().map(|(success, age_ms)| judge.observe(*success, Duration::from_millis(*age_ms))).collect()
    }

    #[test]
    fn health_needs_successes_in_a_row() {
        use Level::{Healthy, Starting};
        let probes = [(true, 1), (false, 2), (true, 3), (true, 4), (false, 5)];
        assert_eq!(levels(&mut judge(2), &probes), [Starting, Starting, Starting, Healthy, Healthy]);
    }

    #[test]
    fn three_failures_in_a_row_end_it_and_successes_bring_it_back() {
        use Level::{Healthy, Unhealthy};
        let probes = [(true, 1), (false, 2), (false, 3), (true, 4), (false, 5), (false, 6), (false, 7), (true, 8)];
        let seen = levels(&mut judge(1), &probes);
        assert_eq!(seen, [Healthy, Healthy, Healthy, Healthy, Healthy, Healthy, Unhealthy, Healthy]);
    }

    #[test]
    fn what_does_not_become_healthy_in_time_is_unhealthy() {
        use Level::{Starting, Unhealthy};
        assert_eq!(levels(&mut judge(1), &[(false, 999), (false, 1000)]), [Starting, Unhealthy]);
    }
}
