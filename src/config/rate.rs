//! The rates of `[limits]` and of routes.

use std::time::Duration;

use super::quantity::{RATE, rate};
use super::section::Section;
use crate::policy::rate::{LoginRate, Per, RateLimit};
use crate::rate::{MOST_AT_ONCE, Quota};

/// As many at once as the limit names: "600/min" are 600, and from then on ten a second.
fn quota((count, per): (u64, Duration), burst: Option<u64>) -> Quota {
    Quota::new(count, per, burst.unwrap_or(count))
}

fn burst(table: &mut Section<'_>) -> Option<u64> {
    let burst = table.key("burst").integer(1, MOST_AT_ONCE as u32).optional();
    burst.map(|burst| burst as u64)
}

/// The `rate` of a route.
pub(super) fn of_route(table: &mut Section<'_>) -> Option<RateLimit> {
    let per = table.key("per").choice(&Per::NAMES).required(r#"write "ip", "openid" or "app""#);
    let limit = table.key("limit").parsed(&RATE, rate).required(RATE.help);
    let burst = burst(table);
    Some(RateLimit { per: per?, quota: quota(limit?, burst) })
}

/// The `login_rate`; what it leaves out has its default.
pub(super) fn of_logins(table: &mut Section<'_>) -> Option<LoginRate> {
    let minute = |count| (count, Duration::from_secs(60));
    let per_ip = table.key("per_ip").parsed(&RATE, rate).or(minute(600));
    let per_app = table.key("per_app").parsed(&RATE, rate).or(minute(6_000));
    let burst = burst(table).unwrap_or(100);
    Some(LoginRate { per_ip: quota(per_ip, Some(burst)), per_app: quota(per_app, None) })
}
