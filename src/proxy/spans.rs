//! What a request leaves in its trace: one span for itself, and one for each try with an upstream.
//!
//! Names and attributes are those of OpenTelemetry's conventions for HTTP. No query, which may hold codes and
//! tokens; no address of a client; nothing of who is logged in but the app.

use http::header::HOST;
use http::request::Parts;
use http::{Method, StatusCode};
use pingora_core::protocols::http::ServerSession;

use super::{Context, State};
use crate::identity::trace_context::Trace;
use crate::policy::admission::{Admitted, host_name};
use crate::policy::guard::METHODS;
use crate::telemetry::log::mask;
use crate::telemetry::traces::{Kind, Span};
use crate::upstream::Address;

/// The trace of a request with this context, and its span.
pub fn begin(state: &State, trace: Option<Trace>) -> (Option<Trace>, Span) {
    let Some(tracer) = &state.tracer else { return (trace, Span::none()) };
    let trace = trace.map(|trace| trace.sampled_by(tracer.sample()));
    let span = trace.as_ref().map(|trace| tracer.request(&trace.context, trace.parent));
    (trace, span.unwrap_or_default())
}

/// A request found its route, which means that its path has one reading.
pub(super) fn admitted(span: &mut Span, head: &Parts, admitted: &Admitted<'_>) {
    if !span.is_recorded() {
        return;
    }
    span.set("http.route", admitted.route.name.as_str());
    span.set("wxgate.action", admitted.route.action.name());
    span.set("url.path", mask::path(&admitted.path).as_ref());
    if let Some(host) = host(head) {
        span.set("server.address", host_name(host));
    }
}

/// A try begins, with the server that was chosen for it.
pub(super) fn begin_try(method: &Method, ctx: &mut Context) {
    // The one before ended.
    ctx.try_span = ctx.span.child(Kind::Client, "try");
    let (true, Some(backend), Some(lease)) =
        (ctx.try_span.is_recorded(), &ctx.upstream, &ctx.lease)
    else {
        return;
    };
    let (span, name) = (&mut ctx.try_span, backend.upstream.settings.name.as_str());
    let is_replaced = ctx.replacement.as_ref().is_some_and(|body| body.taken.is_some());
    let method = if is_replaced { &Method::POST } else { method };
    span.rename(|| format!("{method} {name}"));
    span.set("http.request.method", method.as_str());
    span.set("wxgate.upstream", name);
    match &lease.address {
        Address::Tcp(address) => {
            span.set("server.address", address.ip().to_string().as_str());
            span.set("server.port", address.port());
        }
        Address::Unix(path) => span.set("server.address", path.to_string_lossy().as_ref()),
    }
    if let Some(before) = ctx.attempts.checked_sub(1).filter(|before| *before > 0) {
        span.set("http.request.resend_count", i64::try_from(before).unwrap_or(i64::MAX));
    }
}

/// What the upstream is told of the trace: the try is the parent of the upstream's span.
pub(super) fn told(ctx: &Context) -> Option<Trace> {
    let trace = ctx.trace.as_ref()?;
    Some(ctx.try_span.id().map_or_else(|| trace.clone(), |id| trace.told_by(id)))
}

/// The upstream answered.
pub(super) fn answered(ctx: &mut Context, status: StatusCode) {
    ctx.try_span.set("http.response.status_code", status.as_u16());
    if status.is_client_error() || status.is_server_error() {
        ctx.try_span.fail(status.as_str());
    }
}

/// The try came to nothing.
pub(super) fn try_failed(ctx: &mut Context, why: &str) {
    ctx.try_span.fail(why);
    ctx.try_span = Span::none();
}

/// A request ends.
pub(super) fn end(session: &ServerSession, ctx: &mut Context) {
    ctx.try_span = Span::none();
    let mut span = std::mem::take(&mut ctx.span);
    if !span.is_recorded() {
        return;
    }
    let head: &Parts = session.req_header().as_ref();
    let method = conventional(&head.method);
    span.set("http.request.method", method);
    match &ctx.route {
        Some(_) => span.rename(|| format!("{method} {}", ctx.route_name())),
        None => span.rename(|| method.to_owned()),
    }
    if let Some(refused) = &ctx.refusal {
        span.set("wxgate.refusal", refused.reason.entry().code);
    }
    span.set("wxgate.request_id", ctx.request_id.to_str().unwrap_or_default());
    if let Some(app) = ctx.live.as_ref().and_then(|live| ctx.state.apps.get(live.app)) {
        span.set("wxgate.app", app.name.as_str());
    }
    match session.response_written().map(|response| response.status) {
        Some(status) => {
            span.set("http.response.status_code", status.as_u16());
            if status.is_server_error() {
                span.fail(status.as_str());
            }
        }
        None => span.fail("no answer"),
    }
}

fn host(head: &Parts) -> Option<&str> {
    let named = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    named.or_else(|| head.uri.authority().map(http::uri::Authority::as_str))
}

/// Anybody can make methods up; the convention is to call those `_OTHER`.
fn conventional(method: &Method) -> &str {
    if METHODS.contains(method) { method.as_str() } else { "_OTHER" }
}
