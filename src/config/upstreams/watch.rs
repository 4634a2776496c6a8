//! `health` and `eject`: what decides which servers get requests.

use std::time::Duration;

use http::uri::PathAndQuery;

use crate::config::problem::Complaint;
use crate::config::section::Section;
use crate::config::value::Form;
use crate::upstream::{Eject, Health};

/// What holds where there is no `eject`.
pub(super) const EJECT: Eject = Eject { failures: 5, duration: Duration::from_secs(30) };

const PATH: Form = Form { noun: "path", help: r#"write "/healthz""# };

pub(super) fn health(health: &mut Section<'_>) -> Option<Health> {
    let path = health.key("path").parsed(&PATH, path);
    let interval = health.key("interval").timeout().or(Duration::from_secs(5));
    let healthy = health.key("healthy").integer(1, 100).or(2);
    let unhealthy = health.key("unhealthy").integer(1, 100).or(3);
    Some(Health {
        path: path.required(PATH.help)?,
        interval,
        healthy: number(healthy),
        unhealthy: number(unhealthy),
    })
}

pub(super) fn eject(eject: &mut Section<'_>) -> Option<Eject> {
    let failures = eject.key("failures").integer(0, 1_000).optional();
    let duration = eject.key("for").timeout().or(EJECT.duration);
    Some(Eject { failures: failures.map_or(EJECT.failures, number), duration })
}

fn path(text: &str) -> Result<String, Complaint> {
    let is_path = text.starts_with('/') && !text.contains('#');
    match is_path && text.parse::<PathAndQuery>().is_ok() {
        true => Ok(text.to_owned()),
        false => Err(PATH.missed()),
    }
}

fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
