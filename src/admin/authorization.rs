//! The token of those who may change something.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Parts, refusal};

const SCHEME: &str = "bearer ";

/// Lets a call through that shows the token.
pub(super) async fn check(State(parts): State<Parts>, request: Request, next: Next) -> Response {
    let view = match parts.shown.view() {
        Ok(view) => view,
        Err(failure) => return failure.into_response(),
    };
    let Some(token) = &view.token else {
        let what = "no [admin] token is configured, so nothing can be changed here";
        return refusal(StatusCode::FORBIDDEN, what);
    };
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| {
        let (scheme, shown) = value.split_at_checked(SCHEME.len())?;
        scheme.eq_ignore_ascii_case(SCHEME).then_some(shown)
    });
    if shown.is_some_and(|shown| token.matches(shown.trim())) {
        return next.run(request).await;
    }
    let what = "show the token: Authorization: Bearer …";
    let mut refused = refusal(StatusCode::UNAUTHORIZED, what);
    refused.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    refused
}
