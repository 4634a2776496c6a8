//! The admin listener: health, never on the data listener.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::lifecycle::ready::Ready;
use crate::lifecycle::reloads::{Outcome, Record, Reloads};
use crate::secret::Secret;

/// The `[admin]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        reloads: Reloads,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let address = listener.local_addr()?;
        let routes = router(Health { ready, reloads });
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

/// What the health paths look at.
#[derive(Clone)]
struct Health {
    ready: Ready,
    reloads: Reloads,
}

fn router(health: Health) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(health)
}

/// 200 where requests are welcome; else 503 with the parts that are in the way and why. With
/// `?verbose` also which configuration is in effect: one in the file that does not work is no reason
/// not to be ready.
async fn readyz(State(health): State<Health>, RawQuery(query): RawQuery) -> Response {
    let blocked = health.ready.blocked();
    let status = match blocked.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let is_verbose = query.is_some_and(|query| query.split('&').any(|it| it == "verbose"));
    let answer = match is_verbose {
        false => json!({ "ready": blocked.is_empty(), "blocked": blocked }),
        true => json!({
            "ready": blocked.is_empty(),
            "blocked": blocked,
            "configuration": configuration(&health.reloads.record()),
        }),
    };
    (status, Json(answer)).into_response()
}

fn configuration(record: &Record) -> Value {
    let last = record.last.as_ref().map(|reload| {
        let (outcome, detail) = match &reload.outcome {
            Outcome::Applied(changes) => ("applied", changes.as_str()),
            Outcome::Unchanged => ("unchanged", ""),
            Outcome::Failed(reason) => ("failed", reason.as_str()),
        };
        json!({ "at": reload.at, "outcome": outcome, "detail": detail, "needs_restart": reload.needs_restart })
    });
    json!({ "generation": record.generation, "applied": record.applied, "failed": record.failed, "last": last })
}
