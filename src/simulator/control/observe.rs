//! What came in, the switches and the clock.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, changed, json_answer, no_content, parse, query};
use crate::simulator::world::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    api: Option<String>,
}

/// `GET /simulator/calls`
pub(super) async fn calls(State(world): State<Arc<World>>, RawQuery(text): RawQuery) -> Answer {
    let which: Which = query(text.as_deref())?;
    json_answer(&world.calls(which.api.as_deref())?)
}

/// `DELETE /simulator/calls`
pub(super) async fn clear_calls(State(world): State<Arc<World>>) -> Response {
    world.clear_calls();
    no_content()
}

/// `GET /simulator/settings`
pub(super) async fn settings(State(world): State<Arc<World>>) -> Answer {
    json_answer(&world.settings())
}

/// `POST /simulator/settings`
pub(super) async fn change_settings(State(world): State<Arc<World>>, body: Bytes) -> Answer {
    world.set_settings(changed(&world.settings(), &body)?)?;
    json_answer(&world.settings())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

/// `POST /simulator/advance`
pub(super) async fn advance(State(world): State<Arc<World>>, body: Bytes) -> Answer {
    let Advance { seconds } = parse(&body)?;
    world.advance(Duration::from_secs(seconds))?;
    json_answer(&json!({ "now": world.now() }))
}
