//! The admin listener: how the gateway is and what it does, and the few things that can be changed while
//! it runs. Never on the data listener.
//!
//! Reading needs no token and shows no secret and nobody's openid; everything else needs the token.

mod authorization;
mod config;
mod health;
mod index;
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

pub use reload::Reloader;

use crate::lifecycle::ready::Ready;
use crate::policy::route::Route;
use crate::secret::Secret;
use crate::session::Sessions;
use crate::telemetry::log::Log;
use crate::telemetry::log::access::OpenidNames;
use crate::telemetry::metrics::Metrics;
use crate::upstream::Upstream;
use crate::wechat::app::App;

/// The `[admin]` table.
#[derive(Clone, Debug)]
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
    /// How its configuration is read anew; `POST /reload` is there only with it.
    pub reloader: Option<Arc<dyn Reloader>>,
}

/// What belongs to one configuration, and is replaced with it.
#[derive(Clone, Debug)]
pub struct View {
    /// The configuration without secrets.
    pub config: Value,
    /// The routes, in its order.
    pub routes: Vec<Arc<Route>>,
    /// The upstreams, in its order.
    pub upstreams: Vec<Arc<Upstream>>,
    /// The apps, in its order.
    pub apps: Vec<Arc<App>>,
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
    view: Arc<ArcSwapOption<View>>,
    serving: JoinHandle<()>,
}

impl Admin {
    /// Listens and serves. Until there is something to [`Admin::show`] it answers for health and metrics.
    pub async fn start(settings: &Settings, parts: Parts) -> std::io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let address = listener.local_addr()?;
        let view = Arc::default();
        let routes = router(settings.token.clone(), parts, &view);
        let serving = tokio::spawn(async move {
            // It ends with the task; accept errors are retried inside.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, view, serving })
    }

    /// Shows this configuration and its parts from now on.
    pub fn show(&self, view: View) {
        self.view.store(Some(Arc::new(view)));
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    parts: Parts,
    view: Arc<ArcSwapOption<View>>,
}

impl Shared {
    fn view(&self) -> Result<Arc<View>, Failure> {
        self.view.load_full().ok_or(Failure::Starting)
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

fn router(token: Option<Secret>, parts: Parts, view: &Arc<ArcSwapOption<View>>) -> Router {
    let drain = post(upstreams::drain).delete(upstreams::undrain);
    let mut changing = Router::new()
        .route("/sessions", get(sessions::list).delete(sessions::end_all))
        .route("/sessions/{sid}", axum::routing::delete(sessions::end))
        .route("/upstreams/{name}/servers/{address}/drain", drain)
        .route("/log-level", put(level::set));
    if parts.reloader.is_some() {
        changing = changing.route("/reload", post(reload::reload));
    }
    let changing =
        changing.route_layer(middleware::from_fn_with_state(token, authorization::check));
    Router::new()
        .route("/", get(index::index))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/config", get(config::config))
        .route("/routes", get(routes::routes))
        .route("/upstreams", get(upstreams::upstreams))
        .route("/version", get(index::version))
        .merge(changing)
        .with_state(Shared { parts, view: view.clone() })
}
