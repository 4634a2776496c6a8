//! What is known of one request while it goes through the gateway.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use super::avatar_later::AvatarLater;
use super::login_answer::LoginUnderWay;
use super::{Backend, State};
use crate::identity::trace_context::Trace;
use crate::lifecycle::in_flight::Guard;
use crate::policy::cors::Cors;
use crate::policy::route::{Action, Route};
use crate::refusal::{Reason, Refusal};
use crate::session::{Attached, Caller, TokenSource};
use crate::telemetry::traces::Span;
use crate::upstream::Lease;

/// One request. What it began with it ends with, whatever is reloaded meanwhile.
#[derive(Debug)]
pub struct Context {
    pub(super) state: Arc<State>,
    pub(super) request_id: HeaderValue,
    pub(super) client: IpAddr,
    pub(super) route: Option<Arc<Route>>,
    /// The origin of the page that calls, where the route's `cors` lets it.
    pub(super) granted_origin: Option<HeaderValue>,
    /// The trace that the request is a part of.
    pub(super) trace: Option<Trace>,
    /// Its own span in it.
    pub(super) span: Span,
    /// The span of the try that is under way, or of the last one.
    pub(super) try_span: Span,
    /// The canonical path, where the client wrote another.
    pub(super) rewritten_path: Option<String>,
    /// Who the caller is; nobody on a route that does not ask.
    pub(super) live: Option<Caller>,
    /// The assertion that upstreams get, once it is made.
    pub(super) assertion: OnceLock<HeaderValue>,
    /// What ends the request with its session, where nothing else would.
    pub(super) attached: Option<Attached>,
    /// Where tokens stood, so that they can be taken out: several only where nobody looked at them.
    pub(super) tokens_at: Vec<TokenSource>,
    pub(super) upstream: Option<Arc<Backend>>,
    /// The target of the try that is under way, or of the last one.
    pub(super) lease: Option<Lease>,
    /// Whether the connection to that target had served another request before.
    pub(super) connection_was_used: bool,
    /// Tries so far.
    pub(super) attempts: usize,
    /// What the upstream answered; also where it said only that more would come.
    pub(super) upstream_status: Option<StatusCode>,
    /// The body that goes to the upstream in place of what the client's connection still holds.
    pub(super) replacement: Option<Replacement>,
    /// The login that waits for its upstream's word.
    pub(super) login: Option<LoginUnderWay>,
    /// The avatar that is checked once the upstream has it.
    pub(super) avatar_later: Option<AvatarLater>,
    /// When the first part of the client's body went on.
    pub(super) body_began: Option<Instant>,
    pub(super) body_received: u64,
    /// When the head was there.
    pub(super) begun: Instant,
    /// When the server of the last try was chosen.
    pub(super) attempt_begun: Option<Instant>,
    /// How long after that the head of its answer came.
    pub(super) upstream_took: Option<Duration>,
    /// Held for as long as a tunnel is open.
    pub(super) tunnel: Option<Guard>,
    /// How long it took to know who the caller is.
    pub(super) auth_took: Option<Duration>,
    /// How long the action took, from the end of the body to the answer.
    pub(super) action_took: Option<Duration>,
    /// What the gateway refused it for, or why its answer broke off.
    pub(super) refusal: Option<Refused>,
    pub(super) body_limit: u64,
}

/// What a request was refused for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) reason: Reason,
    pub(super) wechat_errcode: Option<i64>,
}

/// A body that the gateway sends to the upstream itself.
pub(super) struct Replacement {
    pub(super) body: Bytes,
    /// The fields that are in JSON of the gateway's own now, and no more in the query; none where the
    /// request goes on as it came.
    pub(super) taken: Option<&'static [&'static str]>,
}

/// There may be a phone number in the body.
impl fmt::Debug for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.body.len();
        f.debug_struct("Replacement").field("length", &length).finish_non_exhaustive()
    }
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        Self { reason: refusal.reason, wechat_errcode: refusal.wechat_errcode }
    }
}

impl Replacement {
    /// JSON in place of what the client sent.
    pub(super) fn json(body: String, taken: &'static [&'static str]) -> Self {
        Self { body: body.into(), taken: Some(taken) }
    }

    /// What the client sent, which was read already.
    pub(super) fn unchanged(body: Bytes) -> Self {
        Self { body, taken: None }
    }
}

impl Context {
    pub(super) fn new(state: Arc<State>) -> Self {
        let body_limit = state.limits.body_size;
        Self {
            state,
            request_id: HeaderValue::from_static("-"),
            client: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            route: None,
            granted_origin: None,
            trace: None,
            span: Span::none(),
            try_span: Span::none(),
            rewritten_path: None,
            live: None,
            assertion: OnceLock::new(),
            attached: None,
            tokens_at: Vec::new(),
            upstream: None,
            lease: None,
            connection_was_used: false,
            attempts: 0,
            upstream_status: None,
            replacement: None,
            login: None,
            avatar_later: None,
            body_began: None,
            body_received: 0,
            begun: Instant::now(),
            attempt_begun: None,
            upstream_took: None,
            tunnel: None,
            auth_took: None,
            action_took: None,
            refusal: None,
            body_limit,
        }
    }

    pub(super) fn action(&self) -> Action {
        self.route.as_ref().map_or(Action::Proxy, |route| route.action)
    }

    pub(super) fn cors(&self) -> Option<&Cors> {
        self.route.as_ref()?.cors.as_ref()
    }

    /// The route's path as the configuration has it: safe to log, and of a fixed number.
    pub(super) fn route_name(&self) -> String {
        self.route.as_ref().map_or_else(|| "-".to_owned(), |route| route.name.clone())
    }

    /// The parameters of the query that are tokens, where those do not go on.
    pub(super) fn tokens_in_query(&self) -> impl Iterator<Item = &str> {
        let keeps_token = self.state.identity.forwards_token();
        self.tokens_at.iter().filter_map(move |source| match source {
            TokenSource::Query(name) if !keeps_token => Some(name.as_str()),
            _ => None,
        })
    }
}
