//! What is counted of sessions and access_tokens.

use std::collections::HashMap;

use crate::telemetry::metrics::{Counter, Metrics, table};
use crate::wechat::app::{App, AppId};

/// What is counted of sessions. The default counts for nobody.
#[derive(Debug, Default)]
pub struct SessionMetrics {
    /// By the position of the app in the settings.
    begun: Vec<Counter>,
    ended: [Counter; EndReason::LABELS.len()],
    lookups: [Counter; Lookup::LABELS.len()],
}

/// Why a session was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The user logged out.
    Logout,
    /// The user logged out on all devices.
    LogoutEverywhere,
    /// The user has very many; the oldest made room.
    Surplus,
    /// The upstream refused the login, or gave no word on it.
    LoginRefused,
    /// Somebody ended it by the admin listener.
    Admin,
}

/// Who knew a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// The verdict on the very token.
    Verdict,
    /// The cache of sessions.
    Cache,
    /// The store was asked.
    Store,
}

impl EndReason {
    const LABELS: [&'static str; 5] =
        ["logout", "logout_everywhere", "surplus", "login_refused", "admin"];
}

impl Lookup {
    const LABELS: [&'static str; 3] = ["verdict", "cache", "store"];
}

impl SessionMetrics {
    /// The series of these apps, in the order of the settings.
    pub fn new(metrics: &Metrics, apps: &[App]) -> Self {
        let counter = |metric| move |label| metrics.counter(metric, &[label]);
        Self {
            begun: apps
                .iter()
                .map(|app| app.name.as_str())
                .map(counter(table::SESSIONS_BEGUN))
                .collect(),
            ended: EndReason::LABELS.map(counter(table::SESSIONS_ENDED)),
            lookups: Lookup::LABELS.map(counter(table::SESSION_LOOKUPS)),
        }
    }

    pub(super) fn begun(&self, app: usize) {
        if let Some(counter) = self.begun.get(app) {
            counter.inc();
        }
    }

    pub(super) fn ended(&self, reason: EndReason, count: usize) {
        if let Some(counter) = self.ended.get(reason as usize) {
            counter.add(count as u64);
        }
    }

    pub(super) fn looked_up(&self, from: Lookup) {
        if let Some(counter) = self.lookups.get(from as usize) {
            counter.inc();
        }
    }
}

/// What is counted of access_tokens. The default counts for nobody.
#[derive(Debug, Default)]
pub struct AccessTokenMetrics {
    apps: HashMap<AppId, Renewals>,
}

#[derive(Debug)]
struct Renewals {
    succeeded: Counter,
    failed: Counter,
}

impl AccessTokenMetrics {
    /// The series of these apps.
    pub fn new(metrics: &Metrics, apps: &[App]) -> Self {
        let counter =
            |app: &App, result| metrics.counter(table::ACCESS_TOKEN_RENEWALS, &[&app.name, result]);
        let renewals = |app: &App| Renewals {
            succeeded: counter(app, "success"),
            failed: counter(app, "failure"),
        };
        Self { apps: apps.iter().map(|app| (app.appid.clone(), renewals(app))).collect() }
    }

    pub(super) fn renewed(&self, app: &AppId, succeeded: bool) {
        if let Some(renewals) = self.apps.get(app) {
            if succeeded { renewals.succeeded.inc() } else { renewals.failed.inc() }
        }
    }
}
