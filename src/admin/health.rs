//! `/readyz`.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Map, Value, json};

use super::Shared;
use crate::upstream::ServerState;

/// 200 where requests are welcome; else 503 with the parts that are in the way and why. With `?verbose`
/// every part is named, and the upstreams too, which are in nobody's way.
pub(super) async fn readyz(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Response {
    let blocked = shared.parts.ready.blocked();
    let status = match blocked.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut answer = json!({ "ready": blocked.is_empty(), "blocked": blocked });
    let verbose =
        query.is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose")));
    if let (true, Some(members)) = (verbose, answer.as_object_mut()) {
        members.insert("parts".to_owned(), parts(&shared));
        members.insert("upstreams".to_owned(), upstreams(&shared));
    }
    (status, Json(answer)).into_response()
}

fn parts(shared: &Shared) -> Value {
    let part = |(part, reason): (&str, Option<String>)| {
        let shown = match reason {
            None => json!({ "ready": true }),
            Some(reason) => json!({ "ready": false, "reason": reason }),
        };
        (part.to_owned(), shown)
    };
    shared.parts.ready.parts().into_iter().map(part).collect::<Map<_, _>>().into()
}

fn upstreams(shared: &Shared) -> Value {
    let Ok(view) = shared.view() else { return json!({}) };
    let count = |upstream: &crate::upstream::Upstream| {
        let servers = upstream.servers();
        let well = servers.iter().filter(|(_, state)| *state == ServerState::In).count();
        json!({ "servers": servers.len(), "in": well })
    };
    let upstream = |upstream: &std::sync::Arc<crate::upstream::Upstream>| {
        (upstream.settings.name.clone(), count(upstream))
    };
    view.upstreams.iter().map(upstream).collect::<Map<_, _>>().into()
}
