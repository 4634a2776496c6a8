//! `/config`.

use axum::extract::State;
use axum::response::Json;

use super::{Answer, Parts};

/// The configuration that is in use, with defaults and without secrets.
pub(super) async fn config(State(parts): State<Parts>) -> Answer {
    Ok(Json(parts.shown.view()?.config.clone()))
}
