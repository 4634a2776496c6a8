//! `/upstreams`, and taking a server out of use for a while.

use axum::extract::{Path, State};
use axum::response::Json;
use serde_json::{Value, json};
use tracing::info;

use super::{Answer, Failure, Parts};
use crate::upstream::Upstream;

/// The servers of each upstream, and how they are.
pub(super) async fn upstreams(State(parts): State<Parts>) -> Answer {
    let view = parts.shown.view()?;
    let upstreams: Vec<_> = view.upstreams.iter().map(|upstream| show(upstream)).collect();
    Ok(Json(json!({ "upstreams": upstreams })))
}

fn show(upstream: &Upstream) -> Value {
    let server = |(target, state): &(_, crate::upstream::ServerState)| {
        let target: &std::sync::Arc<crate::upstream::Target> = target;
        json!({
            "address": target.address.to_string(),
            "protocol": target.protocol.scheme(),
            "state": state.name(),
            "requests_in_flight": target.under_way(),
        })
    };
    let configured = upstream.settings.servers.iter().map(ToString::to_string);
    json!({
        "name": upstream.settings.name,
        "configured": configured.collect::<Vec<_>>(),
        "servers": upstream.servers().iter().map(server).collect::<Vec<_>>(),
    })
}

/// No new requests for this server, from this gateway, until it is undrained or the gateway starts anew.
pub(super) async fn drain(
    State(parts): State<Parts>,
    Path((name, address)): Path<(String, String)>,
) -> Answer {
    set_drained(&parts, &name, &address, true)
}

/// The server gets its share again.
pub(super) async fn undrain(
    State(parts): State<Parts>,
    Path((name, address)): Path<(String, String)>,
) -> Answer {
    set_drained(&parts, &name, &address, false)
}

fn set_drained(parts: &Parts, name: &str, address: &str, drained: bool) -> Answer {
    let view = parts.shown.view()?;
    let upstream = view.upstreams.iter().find(|upstream| upstream.settings.name == name);
    let upstream = upstream.ok_or_else(|| Failure::NotFound("no such upstream".to_owned()))?;
    if !upstream.set_drained(address, drained) {
        let what = "the upstream is at no such address now; /upstreams lists them";
        return Err(Failure::NotFound(what.to_owned()));
    }
    let what = if drained { "is drained" } else { "is not drained any more" };
    info!("upstream {name}: a server {what}, by the admin listener");
    Ok(Json(show(upstream)))
}
