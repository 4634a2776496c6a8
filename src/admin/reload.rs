//! `POST /reload`.

use std::fmt;

use async_trait::async_trait;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;

use super::{Shared, refusal};

/// Who reads the configuration anew.
#[async_trait]
pub trait Reloader: Send + Sync + fmt::Debug {
    /// Reads it, and puts it in use where it is right as a whole. Says what changed, or everything that
    /// is wrong with it; then the old one stays.
    async fn reload(&self) -> Result<String, String>;
}

/// Reads the configuration anew: 200 where it is in use, 422 where the old one stays.
pub(super) async fn reload(State(shared): State<Shared>) -> Response {
    let Some(reloader) = &shared.parts.reloader else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match reloader.reload().await {
        Ok(changed) => Json(json!({ "reloaded": true, "changed": changed })).into_response(),
        Err(problems) => refusal(StatusCode::UNPROCESSABLE_ENTITY, &problems),
    }
}
