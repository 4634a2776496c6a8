//! `/routes`.

use axum::extract::State;
use axum::response::Json;
use http::Method;
use serde_json::{Value, json};

use super::{Answer, Parts, View};
use crate::policy::route::{Auth, Route};

/// The routes, in the order of the configuration, with their references resolved.
pub(super) async fn routes(State(parts): State<Parts>) -> Answer {
    let view = parts.shown.view()?;
    let routes: Vec<_> = view.routes.iter().map(|route| show(route, &view)).collect();
    Ok(Json(json!({ "routes": routes })))
}

fn show(route: &Route, view: &View) -> Value {
    let upstream = route.upstream.and_then(|position| view.upstreams.get(position));
    let apps = route.apps.iter().filter_map(|position| view.apps.get(*position));
    json!({
        "path": route.path.to_string(),
        "host": route.host,
        "methods": route.methods.iter().map(Method::as_str).collect::<Vec<_>>(),
        "action": route.action.name(),
        "auth": match route.auth {
            Auth::Required => "required",
            Auth::Optional => "optional",
            Auth::None => "none",
        },
        "upstream": upstream.map(|upstream| upstream.settings.name.as_str()),
        "apps": apps.map(|app| app.name.as_str()).collect::<Vec<_>>(),
    })
}
