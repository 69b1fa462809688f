//! The two clocks of the agent: one for deadlines that must outlive the process, one for people.
//!
//! Deadlines count time since boot, so that nobody's change of the wall clock ends or extends a provisional setting. A deadline
//! of another boot is over.

use std::fs;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A point in time that a later process of the same boot understands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootDeadline {
    boot: String,
    uptime_ms: u64,
}

impl BootDeadline {
    /// `after` from now.
    pub fn after(after: Duration) -> io::Result<Self> {
        Ok(Self { boot: boot_id()?, uptime_ms: uptime_ms()?.saturating_add(millis(after)) })
    }

    /// How long it is until then; zero when it is over.
    pub fn remaining(&self) -> io::Result<Duration> {
        if self.boot != boot_id()? {
            return Ok(Duration::ZERO);
        }
        Ok(Duration::from_millis(self.uptime_ms.saturating_sub(uptime_ms()?)))
    }
}

/// Unix time in milliseconds, for records that people read. No decision depends on it.
pub fn unix_ms() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Whole milliseconds, saturating.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

fn uptime_ms() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/uptime")?;
    let odd = || io::Error::new(io::ErrorKind::InvalidData, format!("/proc/uptime: cannot read {text:?}"));
    // "SECONDS.HUNDREDTHS IDLE"
    let (seconds, hundredths) = text.split(' ').next().and_then(|first| first.split_once('.')).ok_or_else(odd)?;
    let seconds: u64 = seconds.parse().map_err(|_| odd())?;
    let hundredths: u64 = hundredths.parse().map_err(|_| odd())?;
    Ok(seconds.saturating_mul(1000).saturating_add(hundredths.saturating_mul(10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_counts_down_in_this_boot() {
        let left = BootDeadline::after(Duration::from_secs(60)).unwrap().remaining().unwrap();
        assert!(left > Duration::from_secs(50) && left <= Duration::from_secs(60), "{left:?}");
        assert_eq!(BootDeadline::after(Duration::ZERO).unwrap().remaining().unwrap(), Duration::ZERO);
    }

    #[test]
    fn a_deadline_of_another_boot_is_over() {
        let mut deadline = BootDeadline::after(Duration::from_secs(60)).unwrap();
        deadline.boot = "another".to_owned();
        assert_eq!(deadline.remaining().unwrap(), Duration::ZERO);
    }
}
