//! What is decided on a request that somebody else passes on: by the same rules as on our own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::asked::Asked;
use crate::access::Known;
use crate::identity::forwarded::given_request_id;
use crate::identity::mutations::Mutations;
use crate::identity::trace_context::Trace;
use crate::identity::{Call, Subject};
use crate::policy::admission;
use crate::policy::path;
use crate::policy::route::{Action, Route};
use crate::proxy::{State, begin_span};
use crate::refusal::{Reason, Refusal};
use crate::session::TokenSource;
use crate::session::bearer;
use crate::telemetry::traces::Span;

/// What is known of a check, whatever is decided.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) request_id: HeaderValue,
    pub(super) client: IpAddr,
    pub(super) trace: Option<Trace>,
    pub(super) span: Span,
    pub(super) route: Option<Arc<Route>>,
    /// The origin of the page that calls, where the route's `cors` lets it.
    pub(super) granted_origin: Option<HeaderValue>,
    pub(super) known: Known,
}

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It goes on, with these changes and without these parameters of its query.
    PassedOn(Mutations, Vec<String>),
    /// It is a browser's question about a request of the route, which is answered.
    Preflight,
}

impl Decision {
    /// Of a check that is part of the trace that the call's own headers name.
    pub(super) fn begin(state: &State, asked: Option<&Asked>, call: &HeaderMap) -> Self {
        let (trace, span) = begin_span(state, Trace::of(state.traces, Some(call)));
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let mut decision = Self {
            request_id: call_id(asked),
            client: unknown,
            trace,
            span,
            route: None,
            granted_origin: None,
            known: Known::default(),
        };
        if let Some(asked) = asked {
            let headers = &asked.head.headers;
            // Who the client is: by what scheme and host it came has no say in that.
            let origin = state.trusted_proxies.origin(asked.peer, false, "", headers);
            decision.client = state.trusted_proxies.client(&origin);
        }
        decision
    }

    /// Decides.
    ///
    /// # Errors
    ///
    /// Why the request is refused.
    pub(super) async fn decide(
        &mut self,
        state: &State,
        asked: &Asked,
    ) -> Result<Verdict, Refusal> {
        let (head, limits) = (&asked.head, &state.limits);
        let admitted = admission::admit(head, &asked.target, limits, &state.routes)?;
        let route = admitted.route.clone();
        self.granted_origin = route.cors.as_ref().and_then(|cors| cors.granted(&head.headers));
        if route.action == Action::Authorize {
            // The question of another gateway, which goes to our own listener.
            return Err(Reason::NoRoute.into());
        }
        self.route = Some(route.clone());
        if admitted.preflight {
            return Ok(Verdict::Preflight);
        }
        if !path::has_plain_segments(asked.raw_path()) {
            // What was decided on would not be what is passed on.
            let note = "a path with dot or empty segments, which Envoy passes on as it came: \
                        set normalize_path and merge_slashes";
            return Err(Refusal::new(Reason::BadRequest, note));
        }
        if route.action != Action::Proxy && *admitted.path.as_bytes() != *asked.raw_path() {
            // Envoy's own routes know actions by their plain path. Another one would go to the service,
            // with the code and the token of it.
            let note = "an action by another spelling of its path, which Envoy does not resolve";
            return Err(Refusal::new(Reason::BadRequest, note));
        }
        let access = state.access();
        if route.action == Action::Proxy {
            admission::check_declared_body(head, &route, admitted.body_limit)?;
            access.admit(&route, head, self.client, &mut self.known).await?;
        } else {
            // The action itself is asked next, by its own listener, which counts it.
            access.authenticate(&route, head, &mut self.known).await?;
        }
        Ok(self.pass_on(state, &route, head))
    }

    fn pass_on(&self, state: &State, route: &Route, head: &Parts) -> Verdict {
        let client = &head.headers;
        let (identity, rules) = (&state.identity, &state.header_rules);
        let upstream = route.upstream.and_then(|position| state.upstreams.get(position));
        let call = Call {
            request_id: &self.request_id,
            audience: upstream.map(|backend| backend.upstream.settings.name.as_str()),
            clock: &state.clock,
            assertion: &OnceLock::new(),
        };
        if route.action != Action::Proxy {
            // Tokens and codes are for the action, and so is nobody's identity.
            let mut changed = Mutations::new(identity, rules, client, &[], None, &call);
            changed.remove.retain(|name| !state.is_read_by_actions(name));
            return Verdict::PassedOn(changed, Vec::new());
        }
        let (subject, tokens_at) =
            (self.known.caller.as_ref().map(Subject::from), &self.known.tokens_at);
        let changed = Mutations::new(identity, rules, client, tokens_at, subject.as_ref(), &call);
        let parameters = match identity.forwards_token() {
            true => Vec::new(),
            false => parameters_with_tokens(tokens_at, head.uri.query().unwrap_or_default()),
        };
        Verdict::PassedOn(changed, parameters)
    }
}

/// Envoy takes parameters out by their names as they stand in the query.
fn parameters_with_tokens(tokens_at: &[TokenSource], query: &str) -> Vec<String> {
    let names = tokens_at.iter().filter_map(|source| match source {
        TokenSource::Query(name) => Some(name),
        _ => None,
    });
    names.flat_map(|name| bearer::spellings(query, name)).map(str::to_owned).collect()
}

/// Envoy's own id of the request, under which it stands in its log.
fn call_id(asked: Option<&Asked>) -> HeaderValue {
    let given = asked.and_then(|asked| given_request_id(&asked.head.headers));
    given.unwrap_or_else(crate::identity::forwarded::new_request_id)
}
