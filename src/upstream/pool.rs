//! One upstream while the gateway runs: its targets, and what the requests to them tell.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tracing::warn;

use super::balance::Draw;
use super::budget::RetryBudget;
use super::resolve::{self, Lookup, SystemLookup};
use super::{Balance, Lease, Outcome, ServerState, Settings, Target, UpstreamMetrics, connect};
use crate::clock::Clock;

/// One upstream while the gateway runs.
#[derive(Debug)]
pub struct Upstream {
    /// What the configuration says of it.
    pub settings: Settings,
    /// What is counted of it.
    pub metrics: UpstreamMetrics,
    pub(super) clock: Clock,
    /// Its names are worth another look before their time.
    pub(super) resolve_now: Notify,
    targets: ArcSwap<Vec<Arc<Target>>>,
    turn: AtomicU64,
    budget: RetryBudget,
    /// Held while a target is left out, so that two at once do not both count the other as in.
    ejecting: Mutex<()>,
    /// What goes on beside the requests ends with it.
    used: watch::Sender<()>,
}

/// Why no target can get a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// No name has resolved yet.
    #[error("it has no address: do the names in its servers resolve?")]
    NoAddress,
    /// The circuit breaker: to try would cost the client its time, and come to the same.
    #[error("none of its servers can be connected to; they are tried again all the time")]
    NobodyConnects,
    /// Somebody asked for it by the admin listener.
    #[error("all of its servers are drained; undrain one by the admin listener")]
    Drained,
}

impl Upstream {
    /// Resolves the servers once, and starts what goes on beside the requests. A name that does not
    /// resolve yet is said and tried again.
    pub async fn start(settings: Settings, metrics: UpstreamMetrics, clock: Clock) -> Arc<Self> {
        Self::start_with(settings, metrics, clock, Box::new(SystemLookup), Vec::new()).await
    }

    /// The same under other settings. A server that is in both stands as it stood: one that is down is
    /// not asked anew by a request.
    pub async fn after_reload(&self, settings: Settings) -> Arc<Self> {
        // Its standing is shared with the one before, which goes on to check it for a while.
        let alike = |one: &Settings, other: &Settings| {
            one.tls == other.tls && one.http2 == other.http2 && one.health == other.health
        };
        let is_known = alike(&settings, &self.settings);
        let known = if is_known { self.targets().to_vec() } else { Vec::new() };
        let (metrics, clock) = (self.metrics.clone(), self.clock.clone());
        Self::start_with(settings, metrics, clock, Box::new(SystemLookup), known).await
    }

    pub(super) async fn start_with(
        settings: Settings,
        metrics: UpstreamMetrics,
        clock: Clock,
        lookup: Box<dyn Lookup>,
        known: Vec<Arc<Target>>,
    ) -> Arc<Self> {
        let upstream = Arc::new(Self {
            settings,
            metrics,
            clock,
            resolve_now: Notify::new(),
            targets: ArcSwap::from_pointee(known),
            turn: AtomicU64::new(0),
            budget: RetryBudget::default(),
            ejecting: Mutex::new(()),
            used: watch::Sender::new(()),
        });
        resolve::start(&upstream, lookup).await;
        upstream
    }

    /// Runs something beside the requests, for as long as anybody has the upstream.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut used = self.used.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                // Nothing is ever sent: it ends with its sender.
                _ = used.changed() => {}
            }
        });
    }

    /// The target of the next request, counted as under way there. `key` is the hash of who asks;
    /// `tried` is where the request failed before: another one is taken where there is one.
    pub fn pick(
        &self,
        key: impl FnOnce() -> u64,
        tried: Option<&Target>,
    ) -> Result<Lease, Unavailable> {
        if tried.is_none() {
            self.budget.earn();
        }
        let targets = self.targets.load();
        if targets.is_empty() {
            self.metrics.unavailable.inc();
            return Err(Unavailable::NoAddress);
        }
        let balance = self.settings.balance;
        let now = self.clock.elapsed();
        let key = if balance == Balance::HashOpenid { key() } else { 0 };
        let draw = Draw { turn: self.turn.fetch_add(1, Relaxed), key, now };

        let is_other = |target: &Target| tried.is_none_or(|tried| !ptr::eq(tried, target));
        let is_in = |target: &Target| target.standing.is_in(now);
        // Where no server is in, the checks may be what is wrong: all are used that can be connected to.
        let connects = |target: &Target| target.standing.may_be_asked();
        balance
            .choose(&targets, draw, |target| is_in(target) && is_other(target))
            .or_else(|| balance.choose(&targets, draw, is_in))
            .or_else(|| {
                balance.choose(&targets, draw, |target| connects(target) && is_other(target))
            })
            .or_else(|| balance.choose(&targets, draw, connects))
            .map(Lease::new)
            .ok_or_else(|| self.unavailable(&targets))
    }

    /// Takes one retry out of the budget; false where it is used up.
    pub fn may_retry(&self) -> bool {
        let may = self.budget.spend();
        if may {
            self.metrics.retries.inc()
        } else {
            self.metrics.retries_denied.inc()
        }
        may
    }

    /// Its servers as they are now, each with its state.
    pub fn servers(&self) -> Vec<(Arc<Target>, ServerState)> {
        let now = self.clock.elapsed();
        let targets = self.targets();
        targets.iter().map(|target| (target.clone(), target.standing.state(now))).collect()
    }

    /// Whether the server at this address gets requests from now on, in this process; what is under way
    /// there ends. False where there is no such server.
    pub fn set_drained(&self, address: &str, drained: bool) -> bool {
        let targets = self.targets();
        let at = targets.iter().filter(|target| target.address.to_string() == address);
        at.map(|target| target.standing.set_drained(drained)).count() > 0
    }

    fn unavailable(&self, targets: &[Arc<Target>]) -> Unavailable {
        self.metrics.unavailable.inc();
        match targets.iter().all(|target| target.standing.is_drained()) {
            true => Unavailable::Drained,
            false => Unavailable::NobodyConnects,
        }
    }

    /// Learns how a request went.
    pub fn report(self: &Arc<Self>, target: &Arc<Target>, outcome: Outcome) {
        let limit = self.settings.eject.failures;
        self.metrics.failed(outcome);
        match outcome {
            Outcome::Answered => target.standing.succeed(),
            _ if limit == 0 => {}
            Outcome::NotConnected => {
                if target.standing.fail_to_connect() >= limit && target.standing.close() {
                    self.wait_for(target);
                }
            }
            _ => {
                if target.standing.fail() >= limit {
                    self.eject(target, outcome);
                }
            }
        }
    }

    pub(super) fn targets(&self) -> Arc<Vec<Arc<Target>>> {
        self.targets.load_full()
    }

    pub(super) fn replace_targets(&self, targets: Vec<Arc<Target>>) {
        self.targets.store(Arc::new(targets));
    }

    fn wait_for(self: &Arc<Self>, target: &Arc<Target>) {
        warn!(
            "upstream {}: {} cannot be connected to; it gets no requests until it can",
            self.settings.name, target.address
        );
        self.metrics.ejected_for_no_connection.inc();
        // Perhaps its name has moved on.
        self.resolve_now.notify_one();
        self.try_beside_requests(target);
    }

    pub(super) fn try_beside_requests(self: &Arc<Self>, target: &Arc<Target>) {
        self.spawn(connect::until_it_opens(Arc::downgrade(self), Arc::downgrade(target)));
    }

    /// Leaves a target out, unless half of them are out already: the others would not bear it.
    fn eject(&self, target: &Target, outcome: Outcome) {
        let _ejecting = self.ejecting.lock();
        let now = self.clock.elapsed();
        let targets = self.targets.load();
        let out = targets.iter().filter(|target| !target.standing.is_in(now)).count();
        if target.standing.is_ejected(now) || (out + 1) * 2 > targets.len() {
            return;
        }
        let duration = target.standing.eject(now, self.settings.eject.duration);
        self.metrics.ejected_for_failures.inc();
        warn!(
            "upstream {}: {} is left out for {duration:?}: {} requests in a row failed, the last one \
             {outcome:?}",
            self.settings.name, target.address, self.settings.eject.failures
        );
    }
}

#[cfg(test)]
pub(super) mod tests;
