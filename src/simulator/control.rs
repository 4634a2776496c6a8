//! The control calls under `/simulator`: what users do, what goes wrong, and what came in.
//!
//! Answers are JSON; a call that is wrong is answered 400 with one sentence that says what is right.

mod faults;
mod observe;
mod people;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::world::{World, Wrong};

/// The control calls, one a line, for help texts.
pub const CONTROL_CALLS: &str = "\
GET    /simulator/code?user=alice&appid=…  a login code as plain text
POST   /simulator/login                    {\"appid\"?,\"user\"?,\"new_key\"?} → {\"code\"}
POST   /simulator/phone-code               {\"appid\"?,\"user\"?} → {\"code\"}
POST   /simulator/encrypted-data           {\"user\"?,\"kind\"|\"json\",…} → {\"encryptedData\",…}
GET    /simulator/users/{name}             the user: phone number, unionid, blocked, …
PUT    /simulator/users/{name}             changes the members that are given
GET    /simulator/faults                   the faults to come
POST   /simulator/faults                   {\"api\"?,\"times\"?,\"errcode\"|\"cut\"|…}
DELETE /simulator/faults                   everything goes right again
GET    /simulator/calls?api=…              the calls that came in, newest last
DELETE /simulator/calls                    empties that list
GET    /simulator/settings                 the switches
POST   /simulator/settings                 changes the members that are given
POST   /simulator/advance                  {\"seconds\"}: moves the clock forward
";

/// The user where none is named.
const SOMEBODY: &str = "alice";

pub(super) fn router(world: Arc<World>) -> Router<Arc<World>> {
    let calls = Router::new()
        .route("/", get(|| async { CONTROL_CALLS }))
        .route("/code", get(people::code))
        .route("/login", post(people::login))
        .route("/phone-code", post(people::phone_code))
        .route("/encrypted-data", post(people::encrypted_data))
        .route("/users/{name}", get(people::user).put(people::change_user))
        .route("/faults", get(faults::list).post(faults::add).delete(faults::clear))
        .route("/calls", get(observe::calls).delete(observe::clear_calls))
        .route("/settings", get(observe::settings).post(observe::change_settings))
        .route("/advance", post(observe::advance))
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "There is no such control call") })
        .method_not_allowed_fallback(|| async {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "This control call has another method")
        })
        .with_state(world);
    Router::new().nest("/simulator", calls)
}

fn refuse(status: StatusCode, what: &str) -> Response {
    let sentence = format!("{what}: GET /simulator lists them all.");
    (status, json_text(&json!({ "error": sentence }))).into_response()
}

/// What a control call answers.
type Answer = Result<Response, Wrong>;

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, json_text(&json!({ "error": self.0 }))).into_response()
    }
}

fn json_answer(value: &impl Serialize) -> Answer {
    let value = serde_json::to_value(value).map_err(|error| Wrong(error.to_string()))?;
    Ok(json_text(&value))
}

fn json_text(value: &Value) -> Response {
    // The line feed is for those who read it in a terminal.
    let mut response = Response::new(format!("{value}\n").into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// The body; an empty one is an empty object.
fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Wrong> {
    let body = if body.is_empty() { b"{}" } else { &body[..] };
    serde_json::from_slice(body).map_err(|error| Wrong(format!("The body is not right: {error}.")))
}

/// The query.
fn query<T: DeserializeOwned>(query: Option<&str>) -> Result<T, Wrong> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let members: Map<_, _> =
        pairs.map(|(name, value)| (name.into_owned(), Value::from(value.as_ref()))).collect();
    serde_json::from_value(members.into())
        .map_err(|error| Wrong(format!("The query is not right: {error}.")))
}

/// `current` with the members that the body gives.
fn changed<T: Serialize + DeserializeOwned>(current: &T, body: &Bytes) -> Result<T, Wrong> {
    let mut value = serde_json::to_value(current).map_err(|error| Wrong(error.to_string()))?;
    if let Some(members) = value.as_object_mut() {
        members.extend(parse::<Map<_, _>>(body)?);
    }
    serde_json::from_value(value).map_err(|error| Wrong(format!("The body is not right: {error}.")))
}
