//! `/.well-known/jwks.json`.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::{Failure, Parts};
use crate::identity::assertion::KeySet;

/// The public keys by which upstreams verify assertions; 404 where there are no assertions.
pub(super) async fn jwks(State(parts): State<Parts>) -> Result<Response, Failure> {
    let view = parts.shown.view()?;
    let none = || Failure::NotFound("no [identity] assertion is configured".to_owned());
    let keys = view.published.as_ref().ok_or_else(none)?;
    let headers = [(CONTENT_TYPE, KeySet::MEDIA_TYPE), (CACHE_CONTROL, KeySet::CACHE_CONTROL)];
    Ok((headers, keys.json().to_owned()).into_response())
}
