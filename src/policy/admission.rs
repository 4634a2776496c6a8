//! What the head of a request is let in to, by its route: before anybody asks who sends it.

use std::borrow::Cow;
use std::sync::Arc;

use http::Method;
use http::request::Parts;

use super::cors;
use super::guard::{self, split_port};
use super::limits::Limits;
use super::path;
use super::route::{Action, Outcome, Route, Table};
use crate::refusal::{Reason, Refusal};

/// A request that is well-formed and has a route.
#[derive(Debug)]
pub struct Admitted<'a> {
    /// The route that wins.
    pub route: &'a Arc<Route>,
    /// The path that was matched.
    pub path: Cow<'a, str>,
    /// The path that the upstream gets, where it is another than the client wrote.
    pub sent_path: Option<String>,
    /// The largest body in bytes.
    pub body_limit: u64,
    /// Whether it is a browser's question about a request of the route, which the gateway answers.
    pub preflight: bool,
}

/// Admits the head of a request with this target to its route, or refuses it.
///
/// # Errors
///
/// Why it is refused.
pub fn admit<'a>(
    head: &Parts,
    target: &'a [u8],
    limits: &Limits,
    routes: &'a Table,
) -> Result<Admitted<'a>, Refusal> {
    let host = guard::check(head, target, limits)?;
    let raw_path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let path = path::canonical(raw_path)
        .map_err(|error| Refusal::new(Reason::BadRequest, error.to_string()))?;
    if !path::has_plain_segments(raw_path) && routes.is_asked_below(raw_path) {
        // `/authorize` and a client's `/../public/x` would be the path of another route.
        let note = "a path below an action authorize that leads out of it, or that the gateway that asks \
                    has not resolved";
        return Err(Refusal::new(Reason::BadRequest, note));
    }
    let host = host_name(host);
    let preflighted = preflighted(head, &path, host, routes);
    if let Some(route) = preflighted {
        let body_limit = limits.body_size;
        return Ok(Admitted { route, path, sent_path: None, body_limit, preflight: true });
    }
    let route = match routes.find(&path, host, &head.method) {
        Outcome::Found(route) => route,
        Outcome::MethodNotAllowed(methods) => {
            let allow = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
            return Err(Refusal { allow: Some(allow), ..Reason::MethodNotAllowed.into() });
        }
        Outcome::NotFound => return Err(Reason::NoRoute.into()),
    };
    let body_limit = route.body_size.unwrap_or(limits.body_size);
    let sent_path = match &route.rewrite {
        Some(rewrite) => Some(rewrite.apply(&path)),
        None => (*path.as_bytes() != *raw_path).then(|| path.to_string()),
    };
    Ok(Admitted { route, path, sent_path, body_limit, preflight: false })
}

/// The name in a Host: without its port, and without the dot that says that it is whole.
pub fn host_name(host: &str) -> &str {
    let (name, _) = split_port(host);
    name.strip_suffix('.').unwrap_or(name)
}

/// The route that a preflight asks about, where it has `cors`. Any other OPTIONS is a request like others.
fn preflighted<'a>(
    head: &Parts,
    path: &str,
    host: &str,
    routes: &'a Table,
) -> Option<&'a Arc<Route>> {
    let method = cors::preflighted(&head.method, &head.headers)?;
    match routes.find(path, host, method) {
        Outcome::Found(route) if route.cors.is_some() => Some(route),
        _ => None,
    }
}

/// Refuses a body that says itself that it is too large. Where another gateway asks, the body is neither
/// ours nor here.
///
/// # Errors
///
/// That it is.
pub fn check_declared_body(head: &Parts, route: &Route, limit: u64) -> Result<(), Refusal> {
    if route.action == Action::Authorize {
        return Ok(());
    }
    let declared = head.headers.get(http::header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(Reason::BodyTooLarge.into());
    }
    Ok(())
}
