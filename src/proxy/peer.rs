//! Which server a request goes to, and how long it is waited for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Backend, Context};
use crate::policy::route::Route;
use crate::refusal::{Reason, Refusal};
use crate::upstream::{Settings, Target, key};

/// A server for one try.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) backend: Arc<Backend>,
    pub(super) target: Arc<Target>,
    pub(super) times: Times,
}

/// How long servers are waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// To set up a connection, TLS included.
    pub(super) connect: Duration,
    /// While it is the server's turn.
    pub(super) answer: Duration,
    /// While the client's body is coming: pauses that a client may make are not its server's.
    pub(super) client: Duration,
}

/// The next server of the request's upstream.
pub(super) fn next(ctx: &mut Context) -> Result<Chosen, Refusal> {
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
    let (connect, answer) = timeouts(ctx.route.as_deref(), settings);
    let client = answer.max(ctx.state.limits.body_idle);
    let target = Arc::clone(&lease);
    ctx.lease = Some(lease);
    ctx.attempt_begun = Some(Instant::now());
    Ok(Chosen { backend, target, times: Times { connect, answer, client } })
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
