//! `/readyz`.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Map, Value, json};

use super::Parts;
use crate::lifecycle::reloads::{Outcome, Record};
use crate::upstream::ServerState;

/// 200 where requests are welcome; else 503 with the parts that are in the way and why. With `?verbose`
/// every part is named, and what is in nobody's way: the upstreams, and what became of the configuration.
pub(super) async fn readyz(State(parts): State<Parts>, RawQuery(query): RawQuery) -> Response {
    let blocked = parts.ready.blocked();
    let status = match blocked.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut answer = json!({ "ready": blocked.is_empty(), "blocked": blocked });
    let verbose = query.is_some_and(|query| query.split('&').any(|part| part == "verbose"));
    if let (true, Some(members)) = (verbose, answer.as_object_mut()) {
        members.insert("parts".to_owned(), each_part(&parts));
        members.insert("upstreams".to_owned(), upstreams(&parts));
        members.insert("configuration".to_owned(), configuration(&parts.reloads.record()));
    }
    (status, Json(answer)).into_response()
}

fn each_part(parts: &Parts) -> Value {
    let part = |(part, reason): (&str, Option<String>)| {
        let shown = match reason {
            None => json!({ "ready": true }),
            Some(reason) => json!({ "ready": false, "reason": reason }),
        };
        (part.to_owned(), shown)
    };
    parts.ready.parts().into_iter().map(part).collect::<Map<_, _>>().into()
}

fn upstreams(parts: &Parts) -> Value {
    let Ok(view) = parts.shown.view() else { return json!({}) };
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
