//! `/metrics`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::Parts;
use crate::telemetry::metrics::Format;

/// The metrics, in the format that the scraper reads.
pub(super) async fn metrics(State(parts): State<Parts>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::accepted(accept);
    ([(CONTENT_TYPE, format.content_type())], parts.metrics.encode(format)).into_response()
}
