//! `/` and `/version`.

use axum::response::{Html, Json};
use serde_json::{Value, json};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What there is, for whoever comes with a browser.
pub(super) async fn index() -> Html<&'static str> {
    Html(include_str!("index.html"))
}

/// What runs here.
pub(super) async fn version() -> Json<Value> {
    Json(json!({ "name": "wxgate", "version": VERSION }))
}
