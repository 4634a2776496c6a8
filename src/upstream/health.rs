//! Servers are asked whether they are well, beside the requests.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;
use tracing::{info, warn};

use self::probe::Probe;
use super::hash::{mix, unit};
use super::{Settings, Target, Upstream};

mod probe;

/// The `health` table of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The path and query that are asked for.
    pub path: String,
    /// The time between two questions; an answer has as long.
    pub interval: Duration,
    /// A server is well again after so many good answers in a row; never 0.
    pub healthy: u32,
    /// It is not after so many others; never 0.
    pub unhealthy: u32,
}

/// Asks a target for as long as it is used, where the upstream wants it asked.
pub(super) fn start(upstream: &Arc<Upstream>, target: &Arc<Target>) {
    let settings = &upstream.settings;
    let Some(health) = settings.health.clone() else { return };
    match Probe::new(settings, &health, target) {
        Ok(probe) => {
            let check = Check { probe, health, upstream: Arc::downgrade(upstream) };
            upstream.spawn(check.run(Arc::downgrade(target)));
        }
        Err(error) => warn!(
            "upstream {}: the health of {} cannot be checked: {error}",
            settings.name, target.address
        ),
    }
}

struct Check {
    probe: Probe,
    health: Health,
    upstream: Weak<Upstream>,
}

impl Check {
    async fn run(self, target: Weak<Target>) {
        let Some(seed) = target.upgrade().map(|target| target.seed) else { return };
        // All servers of all replicas at once would be a load of its own.
        let mut pause = self.health.interval.mul_f64(unit(seed));
        let (mut in_a_row, mut last_good) = (0_u32, true);
        for turn in 0_u64.. {
            sleep(pause).await;
            pause = self.health.interval.mul_f64(0.9 + 0.2 * unit(mix(seed ^ turn)));
            let (Some(upstream), Some(target)) = (self.upstream.upgrade(), target.upgrade()) else {
                return;
            };
            let answer = self.probe.ask().await;
            let good = answer.is_ok();
            in_a_row = if good == last_good { in_a_row.saturating_add(1) } else { 1 };
            last_good = good;
            let enough = if good { self.health.healthy } else { self.health.unhealthy };
            if in_a_row >= enough && target.standing.set_well(good, upstream.clock.elapsed()) {
                if !good {
                    upstream.metrics.ejected_for_health.inc();
                }
                say_change(&upstream.settings, &target, answer.err(), in_a_row);
            }
        }
    }
}

fn say_change(settings: &Settings, target: &Target, failure: Option<String>, in_a_row: u32) {
    let (name, address) = (&settings.name, &target.address);
    match failure {
        None => info!("upstream {name}: {address} is well again"),
        Some(failure) => warn!(
            "upstream {name}: {address} is not well: its health check failed {in_a_row} times in a \
             row, the last time: {failure}"
        ),
    }
}
