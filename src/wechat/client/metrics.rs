//! What is counted of the calls to WeChat.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Failed;
use crate::refusal::Reason;
use crate::telemetry::metrics::{Counter, Histogram, Metrics, table};
use crate::wechat::app::{App, AppId};
use crate::wechat::errcode::{self, Api};

/// What is counted of the calls, for each app. The default counts for nobody.
#[derive(Clone, Debug, Default)]
pub struct CallMetrics {
    apps: Arc<HashMap<AppId, AppCalls>>,
}

/// One app's calls.
#[derive(Clone, Debug)]
pub(super) struct AppCalls(Arc<[ApiCalls]>);

#[derive(Debug)]
struct ApiCalls {
    api: Api,
    duration: Histogram,
    succeeded: Counter,
    errcodes: Vec<(i64, Counter)>,
    other: Counter,
    no_connection: Counter,
    no_answer: Counter,
    bad_answer: Counter,
}

impl CallMetrics {
    /// The series of these apps.
    pub fn new(metrics: &Metrics, apps: &[App]) -> Self {
        let calls = |app: &App| {
            let apis = Api::ALL.map(|api| ApiCalls::new(metrics, &app.name, api));
            (app.appid.clone(), AppCalls(Arc::new(apis)))
        };
        Self { apps: Arc::new(apps.iter().map(calls).collect()) }
    }

    pub(super) fn of(&self, app: &AppId) -> Option<AppCalls> {
        self.apps.get(app).cloned()
    }
}

impl AppCalls {
    /// A call came to this, in so long.
    pub(super) fn made<T>(&self, api: Api, outcome: &Result<T, Failed>, took: Duration) {
        let Some(calls) = self.0.iter().find(|calls| calls.api == api) else { return };
        calls.duration.observe(took);
        calls.counter(outcome).inc();
    }
}

impl ApiCalls {
    fn new(metrics: &Metrics, app: &str, api: Api) -> Self {
        let counter =
            |errcode: &str| metrics.counter(table::WECHAT_CALLS, &[app, api.name(), errcode]);
        let known = errcode::known(api).map(|errcode| (errcode, counter(&errcode.to_string())));
        Self {
            api,
            duration: metrics.histogram(table::WECHAT_CALL_DURATION, &[app, api.name()]),
            succeeded: counter("0"),
            errcodes: known.collect(),
            other: counter("other"),
            no_connection: counter("no_connection"),
            no_answer: counter("no_answer"),
            bad_answer: counter("bad_answer"),
        }
    }

    fn counter<T>(&self, outcome: &Result<T, Failed>) -> &Counter {
        let Err(failed) = outcome else { return &self.succeeded };
        match (failed.refusal.wechat_errcode, failed.refusal.reason) {
            (Some(errcode), _) => {
                let known = self.errcodes.iter().find(|(known, _)| *known == errcode);
                known.map_or(&self.other, |(_, counter)| counter)
            }
            (None, _) if !failed.sent => &self.no_connection,
            (None, Reason::WechatBadAnswer) => &self.bad_answer,
            (None, _) => &self.no_answer,
        }
    }
}
