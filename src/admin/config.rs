//! `/config`.

use axum::extract::State;
use axum::response::Json;

use super::{Answer, Shared};

/// The configuration that is in use, with defaults and without secrets.
pub(super) async fn config(State(shared): State<Shared>) -> Answer {
    Ok(Json(shared.view()?.config.clone()))
}
