//! Which server a request goes to, in pingora's terms.

use std::time::Duration;

use pingora_core::upstreams::peer::HttpPeer;

use super::Context;
use crate::refusal::{Reason, Refusal};
use crate::upstream::Address;

/// Below the 60 s after which many servers close, so that it is us who do.
const POOL_IDLE: Duration = Duration::from_secs(55);

/// The next server of the request's upstream. A tunnel may be silent for as long as its ends like.
pub(super) fn next(ctx: &mut Context, tunnel: bool) -> Result<Box<HttpPeer>, Refusal> {
    let misrouted = || Refusal::new(Reason::UpstreamUnavailable, "the route has no upstream");
    let upstream = ctx.upstream.clone().ok_or_else(misrouted)?;
    let settings = &upstream.settings;
    let target = upstream.pick().ok_or_else(|| {
        let name = &settings.name;
        Refusal::new(
            Reason::UpstreamUnavailable,
            format!("upstream {name} has no address: do the names in its servers resolve?"),
        )
    })?;
    ctx.attempts += 1;
    let (tls, tls_name) = (target.tls_name.is_some(), target.tls_name.clone().unwrap_or_default());
    let mut peer = match &target.address {
        Address::Tcp(address) => HttpPeer::new(*address, tls, tls_name),
        Address::Unix(path) => {
            let path = path.to_str().ok_or_else(misrouted)?;
            HttpPeer::new_uds(path, tls, tls_name).map_err(|_| misrouted())?
        }
    };
    let timeout = ctx.route.as_ref().and_then(|route| route.timeout).unwrap_or(settings.timeout);
    peer.options.connection_timeout = Some(settings.connect_timeout);
    peer.options.total_connection_timeout = Some(settings.connect_timeout);
    peer.options.read_timeout = (!tunnel).then_some(timeout);
    peer.options.write_timeout = (!tunnel).then_some(timeout);
    peer.options.idle_timeout = Some(POOL_IDLE);
    ctx.target = Some(target);
    Ok(Box::new(peer))
}
