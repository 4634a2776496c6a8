//! What every request reads and none changes.

use std::sync::Arc;

use http::HeaderName;

use super::{Backend, RequestMetrics};
use crate::access::Access;
use crate::actions::fields;
use crate::actions::login::Logins;
use crate::actions::open_data::Opener;
use crate::actions::phone::Phones;
use crate::actions::profile::Profiles;
use crate::clock::Clock;
use crate::identity::forwarded::TrustedProxies;
use crate::identity::trace_context::Traces;
use crate::identity::{HeaderRules, Identity};
use crate::lifecycle::in_flight::InFlight;
use crate::lifecycle::stopping::Stopping;
use crate::policy::limits::Limits;
use crate::policy::route::Table;
use crate::session::{Sessions, TokenSource};
use crate::telemetry::log::access::AccessLog;
use crate::telemetry::traces::Tracer;
use crate::wechat::app::App;

/// The configuration as requests use it, and the parts that serve them.
#[derive(Debug)]
pub struct State {
    /// The routes.
    pub routes: Table,
    /// The apps, in the order of the configuration.
    pub apps: Vec<Arc<App>>,
    /// The upstreams, in the order of the configuration.
    pub upstreams: Vec<Arc<Backend>>,
    /// What a client may send.
    pub limits: Limits,
    /// What is taken off a request.
    pub header_rules: HeaderRules,
    /// What is set on a request.
    pub identity: Identity,
    /// Whose word is taken for where a request came from.
    pub trusted_proxies: TrustedProxies,
    /// What is done with traces.
    pub traces: Traces,
    /// What spans are given to, where there is a collector.
    pub tracer: Option<Tracer>,
    /// Where a token may stand.
    pub token_from: Vec<TokenSource>,
    /// Who is logged in.
    pub sessions: Arc<Sessions>,
    /// How one logs in.
    pub logins: Logins,
    /// How encrypted data is opened.
    pub opener: Arc<Opener>,
    /// How phone numbers are found out.
    pub phones: Phones,
    /// How nicknames and avatars are checked.
    pub profiles: Arc<Profiles>,
    /// What is counted of requests.
    pub metrics: RequestMetrics,
    /// Where each request has its line; nowhere where there is none.
    pub access_log: Option<AccessLog>,
    /// What time it is.
    pub clock: Clock,
    /// The tunnels that are open.
    pub tunnels: InFlight,
    /// Whether the gateway is about to stop, so that clients should turn to another.
    pub stopping: Stopping,
}

impl State {
    /// Whether actions read this header: a token may stand there, or a field of a Wafer client's.
    pub fn is_read_by_actions(&self, name: &HeaderName) -> bool {
        let is_token =
            |source: &TokenSource| matches!(source, TokenSource::Header(it) if it == name);
        self.token_from.iter().any(is_token) || fields::is_of_wafer(name)
    }

    /// What decides on who may make a request.
    pub fn access(&self) -> Access<'_> {
        Access { token_from: &self.token_from, sessions: &self.sessions }
    }
}
