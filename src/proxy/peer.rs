//! Which server a request goes to, in pingora's terms.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use pingora_core::upstreams::peer::HttpPeer;

use super::Context;
use super::upstream_connection::Times;
use crate::policy::route::Route;
use crate::refusal::{Reason, Refusal};
use crate::upstream::{Settings, Target, key};

/// The next server of the request's upstream. A tunnel may be silent for as long as its ends like, once
/// it is one: its handshake has the time of any answer.
///
/// While the client's body is coming, one timer runs from one part of it to the next, and from the last to
/// the answer: it leaves the client the pauses that `body_idle` does. It is that of the connection, where
/// that is one of our own, and else pingora's.
pub(super) fn next(
    ctx: &mut Context,
    tunnel: bool,
    body_done: impl FnOnce() -> bool,
) -> Result<Box<HttpPeer>, Refusal> {
    let misrouted = || Refusal::new(Reason::UpstreamUnavailable, "the route has no upstream");
    let backend = ctx.upstream.clone().ok_or_else(misrouted)?;
    let settings = &backend.upstream.settings;
    let tried = ctx.lease.take();
    let tried: Option<&Target> = tried.as_ref().map(|lease| lease.as_ref());
    let lease = backend.upstream.pick(|| who(ctx), tried).map_err(|unavailable| {
        let note = format!("upstream {}: {unavailable}", settings.name);
        // The upstream says itself when its last server is given up, or its names do not resolve.
        Refusal { said: true, ..Refusal::new(Reason::UpstreamUnavailable, note) }
    })?;
    ctx.attempts += 1;
    let (connect_timeout, timeout) = timeouts(ctx.route.as_deref(), settings);
    let body_idle = ctx.state.limits.body_idle;
    let first_byte = if body_idle <= timeout || body_done() { timeout } else { body_idle };
    let times = Times { connect: connect_timeout, silence: first_byte };
    let (mut peer, connector) = backend.peer(&lease, tunnel, times).ok_or_else(misrouted)?;
    ctx.connector = connector;
    peer.options.write_timeout = (!tunnel).then_some(timeout);
    ctx.lease = Some(lease);
    ctx.attempt_begun = Some(Instant::now());
    Ok(peer)
}

/// To set up a connection; and to the first byte of the answer, and between bytes.
pub(super) fn timeouts(route: Option<&Route>, settings: &Settings) -> (Duration, Duration) {
    let connect_timeout = route.and_then(|route| route.connect_timeout);
    let timeout = route.and_then(|route| route.timeout);
    (connect_timeout.unwrap_or(settings.connect_timeout), timeout.unwrap_or(settings.timeout))
}

/// Whose requests go to one server, where the upstream balances so: the user's, or the address's
/// where nobody is logged in.
fn who(ctx: &Context) -> u64 {
    match (&ctx.live, ctx.client) {
        (Some(live), _) => key(live.openid.as_bytes()),
        (None, IpAddr::V4(address)) => key(&address.octets()),
        (None, IpAddr::V6(address)) => key(&address.octets()),
    }
}
