//! The explanation for programs.

use http::{HeaderMap, Method};
use serde_json::{Map, Value, json};

use super::{Explained, why};
use crate::policy::route::{Auth, Route};
use crate::proxy::explain::{Forwarded, Token};
use crate::refusal::Refusal;
use crate::session::TokenSource;

pub(super) fn of(explained: &Explained<'_>) -> Value {
    let explanation = &explained.explanation;
    let decision = explanation.outcome.as_ref().ok();
    let wins = decision.map(|decision| &decision.route);
    let considered = explanation.considered.iter().map(|(considered, fit)| {
        let (fit, words) = why(considered, *fit, wins);
        let mut entry = route(considered, explained);
        entry.insert("fit".to_owned(), fit.into());
        entry.insert("why".to_owned(), words.into());
        Value::Object(entry)
    });
    json!({
        "method": explained.args.method,
        "target": explained.args.target,
        "host": explained.host,
        "path": explanation.path,
        "considered": considered.collect::<Vec<_>>(),
        "refusal": explanation.outcome.as_ref().err().map(refusal),
        "route": wins.map(|wins| route(wins, explained)),
        "token": decision.map(|decision| token(&decision.token, &decision.route, explained)),
        "body_limit": decision.map(|decision| decision.body_limit),
        "upstream": decision.and_then(|it| it.forwarded.as_ref()).map(|it| upstream(it, explained)),
    })
}

fn route(route: &Route, explained: &Explained<'_>) -> Map<String, Value> {
    let settings = explained.settings;
    let upstream = route.upstream.and_then(|position| settings.upstreams.get(position));
    let apps = route.apps.iter().filter_map(|position| settings.apps.get(*position));
    let entry = [
        ("path", route.path.to_string().into()),
        ("host", route.host.clone().into()),
        ("methods", route.methods.iter().map(Method::as_str).collect()),
        ("action", route.action.name().into()),
        ("auth", auth(route.authentication()).into()),
        ("apps", apps.map(|app| app.name.as_str()).collect()),
        ("upstream", upstream.map(|upstream| upstream.name.as_str()).into()),
    ];
    entry.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
}

fn token(token: &Token, route: &Route, explained: &Explained<'_>) -> Value {
    let (found, app) = match token {
        Token::Ignored | Token::Missing => (None, None),
        Token::Signed(source, app) => (Some(place(source)), explained.settings.apps.get(*app)),
    };
    json!({
        "asked": auth(route.authentication()),
        "found_in": found,
        "app": app.map(|app| app.name.as_str()),
    })
}

fn upstream(forwarded: &Forwarded, explained: &Explained<'_>) -> Value {
    let settings = explained.settings.upstreams.get(forwarded.upstream);
    let servers = settings.map(|it| it.servers.as_slice()).unwrap_or_default();
    let removed =
        forwarded.removed.iter().map(|(name, why)| json!({ "name": name.as_str(), "why": why }));
    json!({
        "name": settings.map(|settings| settings.name.as_str()),
        "servers": servers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "method": if forwarded.own_body { "POST" } else { explained.args.method.as_str() },
        "target": forwarded.target,
        "headers": headers(&forwarded.headers),
        "removed": removed.collect::<Vec<_>>(),
        "connect_timeout_ms": millis(forwarded.connect_timeout),
        "timeout_ms": millis(forwarded.timeout),
    })
}

fn headers(headers: &HeaderMap) -> Value {
    let lines = |name| {
        let lines = headers.get_all(name).iter();
        lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect::<Value>()
    };
    headers.keys().map(|name| (name.as_str().to_owned(), lines(name))).collect::<Map<_, _>>().into()
}

fn refusal(refusal: &Refusal) -> Value {
    let entry = refusal.reason.entry();
    json!({
        "status": entry.status,
        "code": entry.code,
        "detail": entry.detail,
        "note": refusal.note,
        "allow": refusal.allow,
    })
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn auth(auth: Auth) -> &'static str {
    match auth {
        Auth::Required => "required",
        Auth::Optional => "optional",
        Auth::None => "none",
    }
}

/// As `token_from` names it.
pub(super) fn place(source: &TokenSource) -> String {
    match source {
        TokenSource::Authorization => "authorization".to_owned(),
        TokenSource::Header(name) => name.to_string(),
        TokenSource::Cookie(name) => format!("cookie:{name}"),
        TokenSource::Query(name) => format!("query:{name}"),
    }
}
