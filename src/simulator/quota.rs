//! How often an app may call an API (page "openApi management").

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::errcode::Failure;

/// Beijing is eight hours ahead of UTC; the counters start again at its midnight.
const BEIJING: u64 = 8 * 3600;
const DAY: u64 = 86_400;
/// The calls of clear_quota that an app has in a month.
const CLEARS_PER_MONTH: u64 = 10;

/// The limits of one API for one app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quota {
    /// Calls in a minute before 45011.
    pub per_minute: Option<u64>,
    /// Calls in a day before 45009.
    pub per_day: Option<u64>,
}

/// The day that the counters of `now` belong to.
pub(super) fn day(now: u64) -> u64 {
    (now + BEIJING) / DAY
}

/// A count that starts again with each new period.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    period: u64,
    calls: u64,
}

impl Count {
    fn in_period(self, period: u64) -> u64 {
        if self.period == period { self.calls } else { 0 }
    }

    fn add(&mut self, period: u64) {
        *self = Self { period, calls: self.in_period(period) + 1 };
    }
}

#[derive(Debug, Default)]
struct Usage {
    minute: Count,
    day: Count,
}

/// The counters of all apps.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    /// By app, then by path.
    usage: HashMap<String, HashMap<String, Usage>>,
    /// By app; the period is the month.
    clears: HashMap<String, Count>,
}

impl Quotas {
    /// Counts a call, or refuses it.
    pub(super) fn count(
        &mut self,
        appid: &str,
        path: &str,
        quota: Quota,
        now: u64,
    ) -> Result<(), Failure> {
        let usage = self.usage.entry(appid.to_owned()).or_default();
        let usage = usage.entry(path.to_owned()).or_default();
        if quota.per_day.is_some_and(|limit| usage.day.in_period(day(now)) >= limit) {
            return Err(Failure::of(45009));
        }
        if quota.per_minute.is_some_and(|limit| usage.minute.in_period(now / 60) >= limit) {
            return Err(Failure::of(45011));
        }
        usage.day.add(day(now));
        usage.minute.add(now / 60);
        Ok(())
    }

    /// The calls of today.
    pub(super) fn used_today(&self, appid: &str, path: &str, now: u64) -> u64 {
        let usage = self.usage.get(appid).and_then(|paths| paths.get(path));
        usage.map_or(0, |usage| usage.day.in_period(day(now)))
    }

    /// Sets an app's daily counters back, ten times a month.
    pub(super) fn clear(&mut self, appid: &str, now: u64) -> Result<(), Failure> {
        let month = month(now);
        let clears = self.clears.entry(appid.to_owned()).or_default();
        if clears.in_period(month) >= CLEARS_PER_MONTH {
            return Err(Failure::of(48006));
        }
        clears.add(month);
        self.usage.remove(appid);
        Ok(())
    }
}

/// Months since March of the year 0, after Howard Hinnant's days_from_civil.
fn month(now: u64) -> u64 {
    let days = day(now) + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    (era * 400 + year) * 12 + (5 * day_of_year + 2) / 153
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { per_minute: Some(2), per_day: Some(3) };

    #[test]
    fn minute_and_day_are_counted_apart() {
        let mut quotas = Quotas::default();
        let mut call = |now| quotas.count("wx1", "/p", QUOTA, now).err().map(|f| f.errcode);
        assert_eq!((call(0), call(1), call(2)), (None, None, Some(45011)));
        assert_eq!((call(60), call(120)), (None, Some(45009)));
        assert_eq!(call(DAY - BEIJING), None, "midnight of Beijing starts a new day");
    }

    #[test]
    fn quota_is_cleared_ten_times_a_month() {
        let mut quotas = Quotas::default();
        let unlimited = Quota::default();
        quotas.count("wx1", "/p", unlimited, 0).unwrap();
        assert_eq!(quotas.used_today("wx1", "/p", 0), 1);
        for _ in 0..10 {
            quotas.clear("wx1", 0).unwrap();
        }
        assert_eq!(quotas.used_today("wx1", "/p", 0), 0);
        assert_eq!(quotas.clear("wx1", 0).unwrap_err().errcode, 48006);
        quotas.clear("wx1", 31 * DAY).unwrap();
    }

    #[test]
    fn months_change_on_the_first_in_beijing() {
        // 2026-02-28 and 2026-03-01, 00:00 in Beijing.
        assert_eq!(month(1_772_208_000) + 1, month(1_772_294_400));
        assert_eq!(month(1_772_294_399), month(1_772_208_000));
    }
}
