//! The admin listener: health, never on the data listener.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::lifecycle::ready::Ready;
use crate::secret::Secret;
use crate::telemetry::metrics::{Format, Metrics};

/// The `[admin]` table.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; loopback by default.
    pub listen: SocketAddr,
    /// What a call that changes state must show.
    pub token: Option<Secret>,
}

/// The admin listener while it runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Admin {
    /// Where it listens, with the port that a port of 0 came to.
    pub address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Admin {
    /// Listens and serves.
    pub async fn start(
        settings: &Settings,
        ready: Ready,
        metrics: Metrics,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let address = listener.local_addr()?;
        let routes = router(ready, metrics);
        let serving = tokio::spawn(async move {
            // It ends with the task; accept errors are retried inside.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, serving })
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn router(ready: Ready, metrics: Metrics) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(ready)
        .route("/metrics", get(show_metrics).with_state(metrics))
}

/// The metrics, in the format that the scraper reads.
async fn show_metrics(State(metrics): State<Metrics>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::accepted(accept);
    ([(CONTENT_TYPE, format.content_type())], metrics.encode(format)).into_response()
}

/// 200 where requests are welcome; else 503 with the parts that are in the way and why.
async fn readyz(State(ready): State<Ready>) -> Response {
    let blocked = ready.blocked();
    let status = match blocked.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(json!({ "ready": blocked.is_empty(), "blocked": blocked }))).into_response()
}
