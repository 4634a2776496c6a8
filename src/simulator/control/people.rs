//! What users do, and who they are.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use super::{Answer, SOMEBODY, changed, json_answer, parse, query};
use crate::simulator::code;
use crate::simulator::open_data::{KeyChoice, Overrides, Payload};
use crate::simulator::user::User;
use crate::simulator::world::{World, Wrong};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    appid: Option<String>,
    #[serde(default = "somebody")]
    user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    appid: Option<String>,
    #[serde(default = "somebody")]
    user: String,
    #[serde(default)]
    new_key: bool,
}

fn somebody() -> String {
    SOMEBODY.to_owned()
}

/// `GET /simulator/code`
pub(super) async fn code(
    State(world): State<Arc<World>>,
    RawQuery(text): RawQuery,
) -> Result<Response, Wrong> {
    let who: Who = query(text.as_deref())?;
    Ok(world.login(who.appid.as_deref(), &who.user)?.into_response())
}

/// `POST /simulator/login`
pub(super) async fn login(State(world): State<Arc<World>>, body: Bytes) -> Answer {
    let login: Login = parse(&body)?;
    let appid = login.appid.as_deref();
    let code = if login.new_key {
        world.login_with_new_key(appid, &login.user)?
    } else {
        world.login(appid, &login.user)?
    };
    json_answer(&json!({ "code": code, "expires_in": code::LIFETIME }))
}

/// `POST /simulator/phone-code`
pub(super) async fn phone_code(State(world): State<Arc<World>>, body: Bytes) -> Answer {
    let who: Who = parse(&body)?;
    let code = world.phone_code(who.appid.as_deref(), &who.user)?;
    json_answer(&json!({ "code": code, "expires_in": code::LIFETIME }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EncryptedData {
    appid: Option<String>,
    #[serde(default = "somebody")]
    user: String,
    kind: Option<Kind>,
    /// Any text.
    text: Option<String>,
    /// JSON, which keeps its bytes.
    json: Option<Box<RawValue>>,
    #[serde(default)]
    key: KeyChoice,
    #[serde(default)]
    watermark: Watermark,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    InvoiceTitle,
    Phone,
    ShareInfo,
    UserInfo,
    UserProfile,
    WeRun,
}

/// Members that differ, or `false` for none at all.
#[derive(Deserialize)]
#[serde(untagged, expecting = "\"watermark\" takes {\"appid\",\"timestamp\"} or false")]
enum Watermark {
    Given(bool),
    With(WatermarkMembers),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WatermarkMembers {
    appid: Option<String>,
    timestamp: Option<u64>,
}

impl Default for Watermark {
    fn default() -> Self {
        Self::Given(true)
    }
}

impl EncryptedData {
    fn payload(&self) -> Result<Payload, Wrong> {
        match (self.kind, &self.text, &self.json) {
            (Some(kind), None, None) => Ok(kind.into()),
            (None, Some(text), None) => Ok(Payload::Json(text.clone())),
            (None, None, Some(json)) => Ok(Payload::Json(json.get().to_owned())),
            _ => Err(Wrong(
                "Say what to encrypt: a \"kind\" (phone, user_info, user_profile, we_run, \
                 share_info, invoice_title), or your own \"json\" or \"text\"."
                    .to_owned(),
            )),
        }
    }

    fn overrides(&self) -> Overrides {
        let overrides = Overrides { key: self.key, ..Overrides::default() };
        match &self.watermark {
            Watermark::Given(given) => Overrides { no_watermark: !given, ..overrides },
            Watermark::With(WatermarkMembers { appid, timestamp }) => {
                Overrides { appid: appid.clone(), timestamp: *timestamp, ..overrides }
            }
        }
    }
}

impl From<Kind> for Payload {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::InvoiceTitle => Self::InvoiceTitle,
            Kind::Phone => Self::Phone,
            Kind::ShareInfo => Self::ShareInfo,
            Kind::UserInfo => Self::UserInfo,
            Kind::UserProfile => Self::UserProfile,
            Kind::WeRun => Self::WeRun,
        }
    }
}

/// `POST /simulator/encrypted-data`
pub(super) async fn encrypted_data(State(world): State<Arc<World>>, body: Bytes) -> Answer {
    let request: EncryptedData = parse(&body)?;
    let payload = request.payload()?;
    let appid = request.appid.as_deref();
    json_answer(&world.encrypt(appid, &request.user, &payload, &request.overrides())?)
}

/// `GET /simulator/users/{name}`
pub(super) async fn user(State(world): State<Arc<World>>, Path(name): Path<String>) -> Answer {
    describe(&world, &name, &world.user(&name))
}

/// `PUT /simulator/users/{name}`
pub(super) async fn change_user(
    State(world): State<Arc<World>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer {
    let user: User = changed(&world.user(&name), &body)?;
    world.set_user(&name, user.clone());
    describe(&world, &name, &user)
}

/// The user, with the ids that the known apps see.
fn describe(world: &World, name: &str, user: &User) -> Answer {
    let mut value = serde_json::to_value(user).map_err(|error| Wrong(error.to_string()))?;
    if let Some(members) = value.as_object_mut() {
        let openids: Map<String, Value> = world
            .apps()
            .into_iter()
            .map(|appid| {
                let openid = world.openid(&appid, name);
                (appid, openid.into())
            })
            .collect();
        members.insert("openids".to_owned(), openids.into());
    }
    json_answer(&value)
}
