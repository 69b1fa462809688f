//! Crontab's five fields: minute, hour, day of the month, month, day of the week, in UTC.
//!
//! A field is `*`, a number, a range `1-5`, either of them with a step (`*/15`, `8-18/2`), or several with commas. Where both
//! days are said, one of them is enough, as in every crontab. Names of days and months are not read.

use std::ops::RangeInclusive;
use std::str::FromStr;
use time::{Duration, OffsetDateTime, Time};

/// Leap years are the longest that a schedule can wait: `0 0 29 2 *` may skip one at the turn of a century.
const LONGEST: Duration = Duration::days(366 * 9);

/// When something is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

/// The values of one field, a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    values: u64,
    /// It begins with `*`: it does not choose.
    any: bool,
}

impl Field {
    fn has(self, value: u8) -> bool {
        self.values & 1 << value != 0
    }

    fn read(text: &str, what: &str, all: RangeInclusive<u8>) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no {what}: it is `*`, or of {} to {}", all.start(), all.end());
        let mut values = 0;
        for part in text.split(',') {
            let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
            let number = |text: &str| text.parse::<u8>().ok().filter(|n| all.contains(n)).ok_or_else(wrong);
            let (first, last) = match range.split_once('-') {
                _ if range == "*" => (*all.start(), *all.end()),
                Some((first, last)) => (number(first)?, number(last)?),
                // `5/10` goes on to the end.
                None if step.is_some() => (number(range)?, *all.end()),
                None => (number(range)?, number(range)?),
            };
            let step = step.map_or(Ok(1), |step| step.parse::<u8>().map_err(|_| wrong()))?;
            if step == 0 || first > last {
                return Err(wrong());
            }
            values |= (first..=last).step_by(usize::from(step)).fold(0, |bits, value| bits | 1 << value);
        }
        Ok(Self { values, any: text.starts_with('*') })
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(format!(
                "`{text}` has {} fields of 5: minute, hour, day of the month, month, day of the week",
                fields.len()
            ));
        };
        let mut weekdays = Field::read(weekdays, "day of the week", 0..=7)?;
        // Sunday is 0 and 7.
        weekdays.values = weekdays.values & 0x7f | weekdays.values >> 7;
        let schedule = Self {
            minutes: Field::read(minutes, "minute", 0..=59)?,
            hours: Field::read(hours, "hour", 0..=23)?,
            days: Field::read(days, "day of the month", 1..=31)?,
            months: Field::read(months, "month", 1..=12)?,
            weekdays,
        };
        match schedule.after(OffsetDateTime::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(format!("`{text}` never comes: no such month has that day")),
        }
    }
}

impl Schedule {
    /// The next minute that it names.
    pub fn after(&self, moment: OffsetDateTime) -> Option<OffsetDateTime> {
        let whole = moment - Duration::new(i64::from(moment.second()), i32::try_from(moment.nanosecond()).ok()?);
        let mut at = whole + Duration::MINUTE;
        while at - moment < LONGEST {
            if !self.months.has(at.month().into()) || !self.has_day(at) {
                at = at.replace_time(Time::MIDNIGHT) + Duration::DAY;
            } else if !self.hours.has(at.hour()) {
                at = at + Duration::HOUR - Duration::minutes(i64::from(at.minute()));
            } else if !self.minutes.has(at.minute()) {
                at += Duration::MINUTE;
            } else {
                return Some(at);
            }
        }
        None
    }

    fn has_day(&self, at: OffsetDateTime) -> bool {
        let of_month = self.days.has(at.day());
        let of_week = self.weekdays.has(at.weekday().number_days_from_sunday());
        if self.days.any || self.weekdays.any { of_month && of_week } else { of_month || of_week }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn next(schedule: &str, after: OffsetDateTime) -> OffsetDateTime {
        schedule.parse::<Schedule>().unwrap().after(after).unwrap()
    }

    #[test]
    fn fields_say_when() {
        let start = datetime!(2026-11-30 11:17:23 UTC);
        assert_eq!(next("* * * * *", start), datetime!(2026-11-30 11:18 UTC));
        assert_eq!(next("*/15 * * * *", start), datetime!(2026-11-30 11:30 UTC));
        assert_eq!(next("17 11 * * *", start), datetime!(2026-12-01 11:17 UTC));
        assert_eq!(next("0 3 * * 1-5", start), datetime!(2026-12-01 03:00 UTC));
        assert_eq!(next("30 8-18/5 * * *", start), datetime!(2026-11-30 13:30 UTC));
        assert_eq!(next("0 0 1 1,7 *", start), datetime!(2027-01-01 00:00 UTC));
        assert_eq!(next("5/20 23 31 12 *", start), datetime!(2026-12-31 23:05 UTC));
        assert_eq!(next("0 0 * * 7", start), next("0 0 * * 0", start));
        assert_eq!(next("0 0 * * 0", start), datetime!(2026-12-06 00:00 UTC));
    }

    #[test]
    fn one_of_two_days_is_enough() {
        let start = datetime!(2026-11-30 12:00 UTC);
        assert_eq!(next("0 0 13 * 5", start), datetime!(2026-12-04 00:00 UTC));
        assert_eq!(next("0 0 13 * 5", datetime!(2026-12-12 00:00 UTC)), datetime!(2026-12-13 00:00 UTC));
        assert_eq!(next("0 0 */2 * 1", start), datetime!(2026-12-07 00:00 UTC));
    }

    #[test]
    fn leap_days_come() {
        assert_eq!(next("0 0 29 2 *", datetime!(2096-03-01 00:00 UTC)), datetime!(2104-02-29 00:00 UTC));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |text: &str| text.parse::<Schedule>().unwrap_err();
        assert!(wrong("* * *").contains("3 fields of 5"), "{}", wrong("* * *"));
        assert!(wrong("60 * * * *").contains("`60` is no minute: it is `*`, or of 0 to 59"));
        assert!(wrong("* * * * mon").contains("day of the week"));
        assert!(wrong("*/0 * * * *").contains("minute"));
        assert!(wrong("5-1 * * * *").contains("minute"));
        assert!(wrong("0 0 30 2 *").contains("never comes"));
    }

    /// The same as looking at every minute.
    #[test]
    fn no_minute_is_passed_over() {
        for text in ["7,8 3-5 * * *", "0 */7 1-7 * *", "59 23 * 2-3 6", "*/13 1 5 * 0-2"] {
            let schedule: Schedule = text.parse().unwrap();
            let mut at = datetime!(2027-02-20 00:00 UTC);
            let mut wanted = schedule.after(at).unwrap();
            for _ in 0..60 * 24 * 30 {
                at += Duration::MINUTE;
                let day = schedule.months.has(at.month().into()) && schedule.has_day(at);
                let now = day && schedule.hours.has(at.hour()) && schedule.minutes.has(at.minute());
                assert_eq!(now, at == wanted, "{text} at {at}");
                if now {
                    wanted = schedule.after(at).unwrap();
                }
            }
        }
    }
}
