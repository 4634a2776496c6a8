//! `PUT /log-level`.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Json;
use serde_json::json;
use tracing::info;

use super::{Answer, Failure, Parts};
use crate::telemetry::log::Level;

/// Writes lines of the level in the body and above, until it is changed again: here,
/// by another `[log] level` in a reload, or by a restart.
pub(super) async fn set(State(parts): State<Parts>, body: Bytes) -> Answer {
    let word = String::from_utf8_lossy(&body);
    let word = word.trim().trim_matches('"');
    let level = Level::NAMES.iter().find(|(name, _)| *name == word).map(|(_, level)| *level);
    let level = level.ok_or_else(|| {
        let names = Level::NAMES.map(|(name, _)| name).join(", ");
        Failure::BadRequest(format!("the body is one of {names}"))
    })?;
    if !parts.log.set_level(level) {
        return Err(Failure::NotFound("this process has no log of its own".to_owned()));
    }
    info!("the log level is {} now, by the admin listener", level.name());
    Ok(Json(json!({ "level": level.name() })))
}
