//! `login`: a login code for a token.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use super::answer::{self, Answer};
use super::exchange::{Exchanges, LoggedIn};
use super::fields::Fields;
use crate::clock::Clock;
use crate::refusal::{Reason, Refusal};
use crate::secret::Secret;
use crate::session::Cookie;
use crate::wechat::app::{App, AppId};

/// What an upstream does not get of a login's fields: what the gateway takes, and what only it says. The
/// rest is the client's own.
pub const FIELDS: [&str; 5] = ["code", "appid", "openid", "unionid", "first_login"];
/// wx.login gives 32 characters; this leaves room for another length, not for a flood.
const MAX_CODE: usize = 128;

/// The logins of a gateway.
#[derive(Debug)]
pub struct Logins {
    exchanges: Arc<Exchanges>,
    /// In the order of the configuration.
    apps: Vec<Arc<App>>,
    /// Their positions in it.
    positions: HashMap<AppId, usize>,
    cookie: Option<Cookie>,
    clock: Clock,
}

impl Logins {
    /// Logins to these apps by these exchanges.
    pub fn new(
        exchanges: Arc<Exchanges>,
        apps: Vec<Arc<App>>,
        cookie: Option<Cookie>,
        clock: Clock,
    ) -> Self {
        let positions =
            apps.iter().enumerate().map(|(position, app)| (app.appid.clone(), position));
        Self { exchanges, positions: positions.collect(), apps, cookie, clock }
    }

    /// Reads the fields of a login.
    pub fn fields(
        query: Option<&str>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Fields, Refusal> {
        Fields::read(query, headers, body)?.with_wafer_headers(headers)
    }

    /// What the upstream of a login is sent: the client's own fields without its old tokens, and who
    /// logged in.
    pub fn for_upstream(
        &self,
        fields: &Fields,
        logged_in: &LoggedIn,
        tokens: &[&str],
    ) -> Result<String, Refusal> {
        let raw = |value: Value| {
            to_raw_value(&value)
                .map_err(|_| Refusal::new(Reason::UpstreamError, "a login that is no JSON"))
        };
        let openid = raw(logged_in.openid.as_str().into())?;
        let unionid = raw(logged_in.unionid.clone().into())?;
        let appid = raw(logged_in.appid.as_str().into())?;
        let first_login = raw(logged_in.first_login.into())?;
        let mut added: Vec<(&str, &RawValue)> =
            vec![("openid", &openid), ("appid", &appid), ("first_login", &first_login)];
        if logged_in.unionid.is_some() {
            added.push(("unionid", &unionid));
        }
        Ok(fields.for_upstream(&[&FIELDS, tokens].concat(), &added))
    }

    /// Logs in to one of the apps at these positions, from this address.
    pub async fn log_in(
        &self,
        fields: &Fields,
        served: &[usize],
        client: IpAddr,
    ) -> Result<LoggedIn, Refusal> {
        let code = code(fields)?;
        let app = self.app(fields, served)?;
        self.exchanges.log_in(app, code, client).await
    }

    /// The app that the login is for: the only one, or the one that the client names. With a thousand
    /// of them it is found as quickly.
    fn app(&self, fields: &Fields, served: &[usize]) -> Result<&Arc<App>, Refusal> {
        let refused = |note| Refusal::new(Reason::BadRequest, note);
        let position = match (fields.text("appid")?, served) {
            (None, [only]) => Some(only),
            (None, _) => {
                return Err(refused("the route serves several apps, and the login names no appid"));
            }
            (Some(appid), served) => {
                let named = AppId::parse(appid).and_then(|appid| self.positions.get(&appid));
                named.filter(|position| served.contains(position))
            }
        };
        let app = position.and_then(|position| self.apps.get(*position));
        app.ok_or_else(|| refused("the login names an appid that the route does not serve"))
    }

    /// Notes that a login stands, now that nobody can refuse it any more.
    pub async fn note_standing(&self, logged_in: &LoggedIn) -> Result<(), Refusal> {
        self.exchanges.note_standing(logged_in).await
    }

    /// The answer to a login, in the protocol in which it came. A Wafer client that sent its userinfo
    /// sealed gets it opened.
    pub fn answer(
        &self,
        fields: &Fields,
        login: Result<LoggedIn, Refusal>,
        userinfo: Option<Box<RawValue>>,
    ) -> answer::Result {
        match login {
            Ok(logged_in) if fields.is_wafer() => {
                let answer = Answer::json_text(wafer_success(&logged_in, userinfo));
                Ok(self.with_cookie(answer, &logged_in))
            }
            Ok(logged_in) => {
                let answer = Answer::json(&self.success(&logged_in));
                Ok(self.with_cookie(answer, &logged_in))
            }
            Err(refusal) if fields.is_wafer() => Ok(wafer_failure(&refusal)),
            Err(refusal) => Err(refusal),
        }
    }

    fn success(&self, logged_in: &LoggedIn) -> Value {
        let mut members = Map::new();
        members.insert("token".to_owned(), logged_in.token.as_str().into());
        members.insert("token_type".to_owned(), "Bearer".into());
        members.insert("expires_in".to_owned(), self.expires_in(logged_in).into());
        members.insert("openid".to_owned(), logged_in.openid.as_str().into());
        if let Some(unionid) = &logged_in.unionid {
            members.insert("unionid".to_owned(), unionid.as_str().into());
        }
        members.into()
    }

    fn expires_in(&self, logged_in: &LoggedIn) -> u64 {
        logged_in.expires.saturating_sub(self.clock.now())
    }

    fn with_cookie(&self, answer: Answer, logged_in: &LoggedIn) -> Answer {
        Answer { set_cookie: self.cookie(logged_in), ..answer }
    }

    /// The cookie that is set at login, where one is configured.
    pub fn cookie(&self, logged_in: &LoggedIn) -> Option<HeaderValue> {
        self.cookie.as_ref()?.set_to(&logged_in.token, self.expires_in(logged_in))
    }

    /// The answer to a refresh or a logout, with the cookie of a client that keeps its token in one.
    pub fn with_cookie_of(&self, answer: Answer, token: &str, seconds: u64) -> Answer {
        let set_cookie = self.cookie.as_ref().and_then(|cookie| cookie.set_to(token, seconds));
        Answer { set_cookie, ..answer }
    }
}

/// wafer2-client-sdk takes a login for good only where there is a userinfo.
fn wafer_success(logged_in: &LoggedIn, userinfo: Option<Box<RawValue>>) -> String {
    let userinfo = userinfo.map_or_else(
        || match &logged_in.unionid {
            Some(unionid) => json!({ "openId": logged_in.openid, "unionId": unionid }).to_string(),
            None => json!({ "openId": logged_in.openid }).to_string(),
        },
        |opened| opened.get().to_owned(),
    );
    let skey = Value::from(logged_in.token.as_str());
    format!(r#"{{"code":0,"data":{{"skey":{skey},"userinfo":{userinfo}}}}}"#)
}

/// The SDK reads the body of a 200 only.
fn wafer_failure(refusal: &Refusal) -> Answer {
    let body = json!({ "code": -1, "error": refusal.reason.entry().code });
    Answer { status: StatusCode::OK, ..Answer::json(&body) }
}

fn code(fields: &Fields) -> Result<Secret, Refusal> {
    let code = fields.required("code")?;
    if is_phone_code(code) {
        let note = "a phone code came to login; the client mixes up wx.login and getPhoneNumber";
        return Err(Refusal::new(Reason::WrongCodeKind, note));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if code.len() > MAX_CODE || !code.bytes().all(fits) {
        return Err(Refusal::new(Reason::BadRequest, "a login code that WeChat never gave"));
    }
    Ok(Secret::new(code))
}

/// 64 hexadecimal digits: what getPhoneNumber gives.
pub fn is_phone_code(code: &str) -> bool {
    code.len() == 64 && code.bytes().all(|byte| byte.is_ascii_hexdigit())
}
