//! The admin listener: how the gateway is and what it does, and the few things that can be changed while
//! it runs. Never on the data listener.
//!
//! Reading needs no token and shows no secret and nobody's openid; everything else needs the token.

mod authorization;
mod config;
mod health;
mod index;
mod jwks;
mod level;
mod metrics;
mod reload;
mod routes;
mod sessions;
mod upstreams;

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post, put};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::identity::assertion::KeySet;
use crate::lifecycle::ready::Ready;
use crate::lifecycle::reloads::Reloads;
use crate::policy::route::Route;
use crate::secret::Secret;
use crate::session::Sessions;
use crate::telemetry::log::Log;
use crate::telemetry::log::access::OpenidNames;
use crate::telemetry::metrics::Metrics;
use crate::upstream::Upstream;
use crate::wechat::app::App;

/// The `[admin]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen; loopback by default.
    pub listen: SocketAddr,
    /// What a call that changes state must show.
    pub token: Option<Secret>,
}

/// What is there from the start.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Whether the gateway is ready.
    pub ready: Ready,
    /// What it counts.
    pub metrics: Metrics,
    /// How much it writes.
    pub log: Log,
    /// What became of its configuration, and who asks for another reload.
    pub reloads: Reloads,
    /// What belongs to the configuration in effect.
    pub shown: Shown,
}

/// What is shown of the configuration in effect. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shown(Arc<ArcSwapOption<View>>);

impl Shown {
    /// Shows this configuration and its parts from now on.
    pub fn show(&self, view: View) {
        self.0.store(Some(Arc::new(view)));
    }

    fn view(&self) -> Result<Arc<View>, Failure> {
        self.0.load_full().ok_or(Failure::Starting)
    }
}

/// What belongs to one configuration, and is replaced with it.
#[derive(Clone, Debug)]
pub struct View {
    /// What a call that changes state must show.
    pub token: Option<Secret>,
    /// The configuration without secrets.
    pub config: Value,
    /// The routes, in its order.
    pub routes: Vec<Arc<Route>>,
    /// The upstreams, in its order.
    pub upstreams: Vec<Arc<Upstream>>,
    /// The apps, in its order.
    pub apps: Vec<Arc<App>>,
    /// What assertions are verified with, where there are some.
    pub published: Option<KeySet>,
    /// Who is logged in.
    pub sessions: Arc<Sessions>,
    /// What openids are called in the log.
    pub openid_names: OpenidNames,
}

/// The admin listener while it runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Admin {
    /// Where it listens, with the port that a port of 0 came to.
    pub address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Admin {
    /// Listens and serves. Until there is something to show it answers for health and metrics.
    pub async fn start(settings: &Settings, parts: Parts) -> std::io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let address = listener.local_addr()?;
        let routes = router(parts);
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

/// Why a call came to nothing. The texts are for people; a program goes by the status.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    NotFound(String),
    #[error("the gateway is starting")]
    Starting,
    #[error(transparent)]
    Store(#[from] crate::session::store::Unavailable),
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Starting | Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        refusal(status, &self.to_string())
    }
}

type Answer = Result<Json<Value>, Failure>;

fn refusal(status: StatusCode, what: &str) -> Response {
    (status, Json(json!({ "error": what }))).into_response()
}

fn router(parts: Parts) -> Router {
    let drain = post(upstreams::drain).delete(upstreams::undrain);
    let changing = Router::new()
        .route("/sessions", get(sessions::list).delete(sessions::end_all))
        .route("/sessions/{sid}", axum::routing::delete(sessions::end))
        .route("/upstreams/{name}/servers/{address}/drain", drain)
        .route("/log-level", put(level::set))
        .route("/reload", post(reload::reload));
    let check = middleware::from_fn_with_state(parts.clone(), authorization::check);
    Router::new()
        .route("/", get(index::index))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/config", get(config::config))
        .route("/routes", get(routes::routes))
        .route("/upstreams", get(upstreams::upstreams))
        .route("/version", get(index::version))
        .route("/.well-known/jwks.json", get(jwks::jwks))
        .merge(changing.route_layer(check))
        .with_state(parts)
}
