//! The line of a request in the access log, from what is known of it.

use std::borrow::Cow;
use std::net::SocketAddr;

use http::Version;
use pingora_core::protocols::http::ServerSession;

use super::Context;
use super::metrics::Ended;
use crate::policy::path;
use crate::telemetry::log::access::{AccessLog, Request};
use crate::telemetry::log::mask;

/// Writes the line of a request that has ended.
pub(super) fn write(log: &AccessLog, session: &ServerSession, ctx: &Context, ended: &Ended<'_>) {
    let head = session.req_header();
    let peer: Option<SocketAddr> =
        session.client_addr().and_then(|address| address.as_inet()).copied();
    let client = (!ctx.client.is_unspecified()).then_some(ctx.client);
    let client = client.or_else(|| peer.map(|peer| peer.ip()));
    let canonical = canonical(head.raw_path());
    let shown = canonical.as_deref().map(mask::path);
    let live = ctx.live.as_ref();
    let app = live.and_then(|live| ctx.state.apps.get(live.app));
    let upstream = ctx.upstream.as_ref().filter(|_| ctx.attempts > 0);
    let trace_id = ctx.trace.as_ref().map(|trace| trace.context.trace_id_text());
    let line = Request {
        request_id: ctx.request_id.to_str().unwrap_or_default(),
        trace_id: trace_id.as_deref(),
        client,
        peer: peer.filter(|peer| Some(peer.ip()) != client),
        protocol: protocol(head.version),
        // A method that is none of ours is the client's text; it is counted as other, too.
        method: known_method(ended.method),
        route: ctx.route.as_ref().map_or("-", |route| route.name.as_str()),
        path: shown.as_deref(),
        status: ended.status,
        code: ctx.refusal.map(|refused| refused.reason.entry().code),
        wechat_errcode: ctx.refusal.and_then(|refused| refused.wechat_errcode),
        app: app.map(|app| app.name.as_str()),
        openid: live.map(|live| live.session.user.openid.as_str()),
        openid_name: live.map(|live| &live.openid_in_log),
        upstream: upstream.map(|backend| backend.upstream.settings.name.as_str()),
        server: ctx.lease.as_ref().map(|lease| &*lease.shown),
        attempts: ctx.attempts,
        bytes_in: ended.request_bytes,
        bytes_out: ended.response_bytes,
        duration: ended.took,
        auth: ctx.auth_took,
        action: ctx.action_took,
        upstream_response: ctx.upstream_took,
    };
    log.write(&line, ctx.state.clock.now_milliseconds());
}

/// The path that the routes saw; none where it could be read in two ways.
fn canonical(target: &[u8]) -> Option<Cow<'_, str>> {
    let raw = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    path::canonical(raw).ok()
}

fn known_method(method: &http::Method) -> &str {
    match crate::policy::guard::METHODS.contains(method) {
        true => method.as_str(),
        false => "other",
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        _ => "",
    }
}
