//! The HTTP side: WeChat's paths, and the control calls beside them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use http::StatusCode;

use super::answer::Family;
use super::errcode::Failure;
use super::incoming::Incoming;
use super::listen::Peer;
use super::world::World;
use super::{api, control, garble, random};

/// The greatest body taken: what media_check and a form around it need.
const MAX_BODY: usize = 11 << 20;

/// The simulator on sockets of the caller's. Faults that cut the connection before the answer need
/// [`Simulator::start`](super::Simulator::start); here they cut it in the body.
pub fn router(world: Arc<World>) -> Router {
    Router::new().merge(control::router(Arc::clone(&world))).fallback(wechat).with_state(world)
}

async fn wechat(State(world): State<Arc<World>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    if !api::exists(path) {
        return unknown(path, world.now());
    }
    let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|info| info.0.clone());
    let Ok(body) = body::to_bytes(body, MAX_BODY).await else {
        return garble::page(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let outcome = world.call(&Incoming {
        path: path.to_owned(),
        query: query.into_owned().collect(),
        method: parts.method,
        headers: parts.headers,
        body,
        peer: peer
            .as_ref()
            .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.address.ip().to_canonical()),
        now: world.now(),
    });
    if !outcome.delay.is_zero() {
        tokio::time::sleep(outcome.delay).await;
    }
    garble::respond(outcome.family, &outcome.body, &outcome.effect, peer.as_ref())
}

/// Below the roots of the API an errcode, elsewhere a page.
fn unknown(path: &str, now: u64) -> Response {
    if !["/sns/", "/cgi-bin/", "/wxa/"].iter().any(|root| path.starts_with(root)) {
        return garble::page(StatusCode::NOT_FOUND);
    }
    let family = Family::of(path);
    tracing::info!(api = path, errcode = 40066, "call");
    family.respond(family.render(&family.failure(&Failure::of(40066), &random::rid(now))))
}
