//! `POST /reload`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;

use super::{Parts, refusal};
use crate::lifecycle::reloads::Outcome;

/// Reads the configuration anew: 200 where what the file says is in effect, 422 where the old one stays,
/// 409 where the gateway follows no file.
pub(super) async fn reload(State(parts): State<Parts>) -> Response {
    let record = parts.reloads.ask().await;
    let Some(last) = record.and_then(|record| record.last) else {
        return refusal(StatusCode::CONFLICT, "this gateway follows no file");
    };
    let changed = match &last.outcome {
        Outcome::Failed(problems) => return refusal(StatusCode::UNPROCESSABLE_ENTITY, problems),
        Outcome::Applied(changes) => changes.as_str(),
        Outcome::Unchanged => "nothing",
    };
    let answer =
        json!({ "reloaded": true, "changed": changed, "needs_restart": last.needs_restart });
    Json(answer).into_response()
}
