//! A decision in the words of Envoy.

use http::header::{CACHE_CONTROL, HeaderName, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::messages::{
    AppendAction, CheckResponse, DeniedHttpResponse, HeaderValue as Header, HeaderValueOption,
    HttpResponse, HttpStatus, OkHttpResponse, Status,
};
use crate::identity::forwarded::X_REQUEST_ID;
use crate::identity::mutations::Mutations;
use crate::policy::cors;
use crate::refusal::Refusal;

/// `google.rpc.Code`; any but the first one denies.
const OK: i32 = 0;
const PERMISSION_DENIED: i32 = 7;

/// The request goes on, with what is told the page of its answer.
pub(super) fn passed_on(
    changed: Mutations,
    parameters: Vec<String>,
    cors: impl Iterator<Item = cors::Header>,
) -> CheckResponse {
    let ok = OkHttpResponse {
        headers: changed.set.iter().map(|(name, value)| option(name, value)).collect(),
        headers_to_remove: changed.remove.iter().map(HeaderName::to_string).collect(),
        response_headers_to_add: cors.map(|(name, value)| option(&name, &value)).collect(),
        query_parameters_to_remove: parameters,
    };
    CheckResponse { status: Some(Status { code: OK }), http_response: Some(HttpResponse::Ok(ok)) }
}

/// The answer to a preflight.
pub(super) fn preflight(
    request_id: &HeaderValue,
    cors: impl Iterator<Item = cors::Header>,
) -> CheckResponse {
    denied(StatusCode::NO_CONTENT.as_u16(), &own(request_id), cors, String::new())
}

/// The client gets the answer that our own listener would give it.
pub(super) fn refused(
    refusal: &Refusal,
    request_id: &HeaderValue,
    cors: impl Iterator<Item = cors::Header>,
) -> CheckResponse {
    let mut headers = own(request_id);
    headers.extend(refusal.headers());
    let body = refusal.body(request_id.to_str().unwrap_or_default());
    denied(refusal.status(), &headers, cors, body)
}

/// What every answer of the gateway's own has.
fn own(request_id: &HeaderValue) -> HeaderMap {
    let no_store = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    [no_store, (X_REQUEST_ID, request_id.clone())].into_iter().collect()
}

fn denied(
    status: u16,
    headers: &HeaderMap,
    cors: impl Iterator<Item = cors::Header>,
    body: String,
) -> CheckResponse {
    let own = headers.iter().map(|(name, value)| option(name, value));
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus { code: status.into() }),
        headers: own.chain(cors.map(|(name, value)| option(&name, &value))).collect(),
        body,
    };
    CheckResponse {
        status: Some(Status { code: PERMISSION_DENIED }),
        http_response: Some(HttpResponse::Denied(denied)),
    }
}

/// In the place of all others of its name. There may be a Vary of somebody else's.
fn option(name: &HeaderName, value: &HeaderValue) -> HeaderValueOption {
    let action = match *name == VARY {
        true => AppendAction::AppendIfExistsOrAdd,
        false => AppendAction::OverwriteIfExistsOrAdd,
    };
    let header = Header {
        key: name.to_string(),
        value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
        raw_value: Vec::new(),
    };
    HeaderValueOption { header: Some(header), append_action: action.into() }
}
