//! One check after the other: decided, counted, logged, answered.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::answer;
use super::asked::Asked;
use super::decision::{Decision, Verdict};
use super::messages::{CheckRequest, CheckResponse};
use crate::policy::cors::{self, Cors};
use crate::policy::guard::METHODS;
use crate::policy::path;
use crate::proxy::State;
use crate::refusal::Refusal;
use crate::telemetry::log::access::Request;
use crate::telemetry::log::mask;
use crate::telemetry::metrics::{Counter, Histogram, Metrics, table};
use crate::telemetry::traces::within;

/// What the access log calls these checks.
const PROTOCOL: &str = "ext_authz";

/// What checks are made with.
#[derive(Debug)]
pub(super) struct Checks {
    state: Arc<ArcSwap<State>>,
    passed_on: Counter,
    refused: Counter,
    failed: Counter,
    durations: Histogram,
}

impl Checks {
    pub(super) fn new(state: Arc<ArcSwap<State>>, metrics: &Metrics) -> Self {
        let counter = |result: &str| metrics.counter(table::EXT_AUTHZ_CHECKS, &[result]);
        Self {
            state,
            passed_on: counter("passed_on"),
            refused: counter("refused"),
            failed: counter("failed"),
            durations: metrics.histogram(table::EXT_AUTHZ_CHECK_DURATION, &[]),
        }
    }

    /// Decides on a request. `call` are the headers of the call itself.
    pub(super) async fn check(&self, request: CheckRequest, call: &HeaderMap) -> CheckResponse {
        let begun = Instant::now();
        // It ends with the configuration that it began with.
        let state = self.state.load_full();
        let asked = Asked::read(request);
        let mut decision = Decision::begin(&state, asked.as_ref().ok(), call);
        let here = decision.span.here();
        let verdict = match &asked {
            Ok(asked) => within(here, pin!(decision.decide(&state, asked))).await,
            Err(refusal) => Err(refusal.clone()),
        };
        if let Some(token) = decision.known.token {
            state.metrics.authenticated(token);
        }
        let status = match &verdict {
            Ok(Verdict::PassedOn(..)) => StatusCode::OK.as_u16(),
            Ok(Verdict::Preflight) => StatusCode::NO_CONTENT.as_u16(),
            Err(refusal) => refusal.status(),
        };
        self.count(status, begun.elapsed());
        if let Err(refusal) = &verdict {
            state.metrics.refused(refusal.reason);
            let request_id = decision.request_id.to_str().unwrap_or_default();
            refusal.report(request_id, route_name(&decision));
        }
        let ended = Ended { status, refusal: verdict.as_ref().err(), took: begun.elapsed() };
        write_line(&state, asked.as_ref().ok(), &decision, &ended);
        end_span(&state, asked.as_ref().ok(), &mut decision, &ended);
        answer(&decision, asked.as_ref().ok(), verdict)
    }

    fn count(&self, status: u16, took: Duration) {
        match status {
            ..300 => self.passed_on.inc(),
            300..500 => self.refused.inc(),
            _ => self.failed.inc(),
        }
        self.durations.observe(took);
    }
}

struct Ended<'a> {
    status: u16,
    refusal: Option<&'a Refusal>,
    took: Duration,
}

fn answer(
    decision: &Decision,
    asked: Option<&Asked>,
    verdict: Result<Verdict, Refusal>,
) -> CheckResponse {
    let cors = decision.route.as_ref().and_then(|route| route.cors.as_ref());
    let granted = decision.granted_origin.as_ref();
    let of_answer = cors.into_iter().flat_map(|cors| cors.answer(granted));
    match verdict {
        Ok(Verdict::PassedOn(changed, parameters)) => {
            answer::passed_on(changed, parameters, of_answer)
        }
        Ok(Verdict::Preflight) => {
            answer::preflight(&decision.request_id, of_preflight(cors, asked, granted).into_iter())
        }
        Err(refusal) => answer::refused(&refusal, &decision.request_id, of_answer),
    }
}

fn of_preflight(
    cors: Option<&Cors>,
    asked: Option<&Asked>,
    granted: Option<&HeaderValue>,
) -> Vec<cors::Header> {
    let method = asked.and_then(|asked| cors::preflighted(&asked.head.method, &asked.head.headers));
    match (cors, method) {
        (Some(cors), Some(method)) => cors.preflight(granted, method).collect(),
        _ => Vec::new(),
    }
}

fn route_name(decision: &Decision) -> &str {
    decision.route.as_ref().map_or("-", |route| route.name.as_str())
}

/// A method that is none of ours is the client's text.
fn method(asked: Option<&Asked>) -> &str {
    let method = asked.map(|asked| &asked.head.method);
    method.filter(|method| METHODS.contains(method)).map_or("other", http::Method::as_str)
}

fn write_line(state: &State, asked: Option<&Asked>, decision: &Decision, ended: &Ended<'_>) {
    let Some(log) = &state.access_log else { return };
    let canonical = asked.and_then(|asked| path::canonical(asked.raw_path()).ok());
    let shown = canonical.as_deref().map(mask::path);
    let caller = decision.known.caller.as_ref();
    let app = caller.and_then(|caller| state.apps.get(caller.app));
    let trace_id = decision.trace.as_ref().map(|trace| trace.context.trace_id_text());
    let line = Request {
        request_id: decision.request_id.to_str().unwrap_or_default(),
        trace_id: trace_id.as_deref(),
        client: (!decision.client.is_unspecified()).then_some(decision.client),
        protocol: PROTOCOL,
        method: method(asked),
        route: route_name(decision),
        path: shown.as_deref(),
        status: ended.status,
        code: ended.refusal.map(|refusal| refusal.reason.entry().code),
        app: app.map(|app| app.name.as_str()),
        openid: caller.map(|caller| caller.session.user.openid.as_str()),
        openid_name: caller.map(|caller| &caller.openid_in_log),
        duration: ended.took,
        auth: decision.known.took,
        ..Request::default()
    };
    log.write(&line, state.clock.now_milliseconds());
}

fn end_span(state: &State, asked: Option<&Asked>, decision: &mut Decision, ended: &Ended<'_>) {
    if !decision.span.is_recorded() {
        return;
    }
    let mut span = std::mem::take(&mut decision.span);
    span.rename(|| format!("check {}", route_name(decision)));
    span.set("http.request.method", method(asked));
    span.set("http.route", route_name(decision));
    span.set("http.response.status_code", ended.status);
    span.set("wxgate.request_id", decision.request_id.to_str().unwrap_or_default());
    if let Some(refusal) = ended.refusal {
        span.set("wxgate.refusal", refusal.reason.entry().code);
    }
    let caller = decision.known.caller.as_ref();
    if let Some(app) = caller.and_then(|caller| state.apps.get(caller.app)) {
        span.set("wxgate.app", app.name.as_str());
    }
    if ended.status >= 500 {
        span.fail("5xx");
    }
}
