//! How fast requests come: over the last seconds, so that a side that has gone quiet is seen to be.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// What the rate is taken over.
const SPAN: Duration = Duration::from_secs(3);

/// Requests as they were counted, look by look.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    total: u64,
    /// When it was looked, and how many there had been by then. The first one is as old as the span, or older.
    looks: VecDeque<(Instant, u64)>,
}

impl Pace {
    /// So many more were met since the last look.
    pub fn note(&mut self, now: Instant, met: u64) {
        self.total += met;
        self.looks.push_back((now, self.total));
        while self.looks.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= SPAN) {
            self.looks.pop_front();
        }
    }

    /// Requests a second; none before the second look.
    pub fn per_second(&self) -> f64 {
        match (self.looks.front(), self.looks.back()) {
            (Some((from, before)), Some((to, after))) if to > from => {
                (after - before) as f64 / to.duration_since(*from).as_secs_f64()
            }
            _fewer => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let (mut pace, began) = (Pace::default(), Instant::now());
        let at = |tenths: u64| began + Duration::from_millis(tenths * 100);
        pace.note(at(0), 7);
        assert!(pace.per_second() < 0.1, "one look tells no rate");
        for look in 1..=10 {
            pace.note(at(look * 5), 50);
        }
        assert!((pace.per_second() - 100.0).abs() < 0.1, "{}", pace.per_second());
        for look in 11..=16 {
            pace.note(at(look * 5), 0);
        }
        assert!(pace.per_second() < 0.1, "nothing came for three seconds");
    }
}
