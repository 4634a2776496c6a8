//! What a Mini Program sends for a phone number or for open data, and what comes back.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use wxgate::simulator::{Call, OpenData, Overrides, Payload};

use super::config::Config;
use super::gateway::Gateway;
use super::wechat::{APPID, Wechat};
use crate::raw::Answer;

pub(crate) const PHONE: &str = "getuserphonenumber";
pub(crate) const TOKEN: &str = "stable_token";

impl Config {
    /// The standard one with `/phone` and `/openData`, which the gateway answers, and with `/bindPhone`
    /// and `/import`, whose answer is the upstream's.
    pub(crate) fn with_open_data() -> Self {
        Self::default()
            .route(r#"path = "/phone", action = "phone""#)
            .route(r#"path = "/openData", action = "open-data""#)
            .route(r#"path = "/bindPhone", action = "phone", upstream = "shop""#)
            .route(r#"path = "/import", action = "open-data", upstream = "shop""#)
    }
}

impl Wechat {
    /// The code of a user's getPhoneNumber.
    pub(crate) fn phone_code(&self, user: &str) -> String {
        self.world().phone_code(APPID, user).unwrap()
    }

    /// What a user's client gets sealed now.
    pub(crate) fn sealed(&self, user: &str, payload: &Payload) -> OpenData {
        self.sealed_but(user, payload, &Overrides::default())
    }

    pub(crate) fn sealed_but(
        &self,
        user: &str,
        payload: &Payload,
        overrides: &Overrides,
    ) -> OpenData {
        self.world().encrypt(APPID, user, payload, overrides).unwrap()
    }

    pub(crate) fn phone_number(&self, user: &str) -> String {
        self.world().user(user).phone_number
    }

    pub(crate) fn calls(&self, api: &str) -> Vec<Call> {
        self.world().calls(api).unwrap()
    }
}

impl Gateway {
    /// Sends the two fields of sealed data to a path, as JSON.
    pub(crate) async fn send_sealed(&self, path: &str, token: &str, data: &OpenData) -> Answer {
        self.post(path).token(token).json(&sealed_fields(data)).await
    }

    /// That a session still opens what its user's client gets sealed now.
    pub(crate) async fn assert_opens(&self, token: &str, user: &str) {
        let data = self.wechat.sealed(user, &Payload::Phone);
        let answer = self.send_sealed("/phone", token, &data).await;
        assert_eq!(answer.status, 200, "{answer:?} {}", answer.text());
        assert_eq!(answer.json()["purePhoneNumber"], self.wechat.phone_number(user));
    }

    /// The session key of a user who logs in again is a new one.
    pub(crate) async fn log_in_with_new_key(&self, user: &str) -> String {
        let code = self.wechat.world().login_with_new_key(APPID, user).unwrap();
        let answer = self.get(&format!("/wxLogin?code={code}")).await;
        answer.json()["token"].as_str().expect("a token").to_owned()
    }
}

pub(crate) fn sealed_fields(data: &OpenData) -> Value {
    json!({ "encryptedData": data.encrypted_data, "iv": data.iv })
}

/// A query or a form as `encodeURIComponent` makes it.
pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", percent(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

pub(crate) fn percent(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The body of an answer without the id of the request.
pub(crate) fn without_request_id(answer: &Answer) -> String {
    let id = answer.header("x-request-id").expect("a request id");
    answer.text().replace(id, "")
}

/// That the answer is the one for data that could not be opened, whatever the reason.
pub(crate) fn assert_stale(answer: &Answer, what: &str) {
    let expected = r#"{"type":"urn:wxgate:problem:session_key_stale","title":"Session key stale","status":409,"code":"session_key_stale","detail":"The data could not be opened. Call wx.login, then ask the user again.","request_id":""}"#;
    assert_eq!((answer.status, without_request_id(answer).as_str()), (409, expected), "{what}");
    let names: Vec<_> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(!names.contains(&"set-cookie"), "{what}: {answer:?}");
}

/// That a refusal has this status and code.
pub(crate) fn assert_refused(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{what}: {answer:?}");
}
