//! The upstream's word on a login: it may refuse it, say who the user is to it, and get the token put
//! into its answer.

use std::collections::BTreeMap;
use std::fmt;

use bytes::{Bytes, BytesMut};
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, SET_COOKIE, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use pingora_error::Result;
use pingora_http::ResponseHeader;
use serde_json::Value;
use tracing::warn;

use super::Context;
use super::failure::Failure;
use crate::actions::exchange::LoggedIn;
use crate::refusal::Refusal;
use crate::session::EndReason;

const X_SESSION_TOKEN: HeaderName = HeaderName::from_static("x-session-token");
const CLAIM_PREFIX: &str = "x-session-claim-";
const MAX_CLAIMS: usize = 16;
const MAX_CLAIM: usize = 1 << 10;
/// A larger answer goes through as it is; the token is in its header all the same.
const MAX_REWRITTEN: usize = 1 << 20;

/// A login that waits for its upstream's word.
pub(super) struct LoginUnderWay {
    logged_in: LoggedIn,
    cookie: Option<HeaderValue>,
    /// Where in a JSON answer the token is put.
    token_at: Option<String>,
    /// What came of the body so far, while it is to be rewritten.
    body: Option<BytesMut>,
    accepted: bool,
}

impl fmt::Debug for LoginUnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginUnderWay").field("accepted", &self.accepted).finish_non_exhaustive()
    }
}

impl LoginUnderWay {
    pub(super) fn new(
        logged_in: LoggedIn,
        cookie: Option<HeaderValue>,
        token_at: Option<String>,
    ) -> Self {
        Self { logged_in, cookie, token_at, body: None, accepted: false }
    }

    /// Whether the answer's body is to have the token in it.
    pub(super) fn rewrites_body(&self) -> bool {
        self.token_at.is_some()
    }

    /// Puts the token into the header of an answer that accepts the login.
    pub(super) fn write_headers(&self, response: &mut ResponseHeader) -> Result<()> {
        if !self.accepted {
            return Ok(());
        }
        response.insert_header(X_SESSION_TOKEN, self.logged_in.token())?;
        response.insert_header(CACHE_CONTROL, "no-store")?;
        if let Some(cookie) = &self.cookie {
            response.append_header(SET_COOKIE, cookie.clone())?;
        }
        Ok(())
    }

    /// Holds the body back until it is whole, and then gives it with the token in it.
    pub(super) fn rewrite_body(&mut self, chunk: &mut Option<Bytes>, end_of_stream: bool) {
        let Some(held) = &mut self.body else { return };
        held.extend_from_slice(&chunk.take().unwrap_or_default());
        if held.len() > MAX_REWRITTEN {
            *chunk = self.body.take().map(BytesMut::freeze);
        } else if end_of_stream {
            let held = self.body.take().unwrap_or_default().freeze();
            let pointer = self.token_at.as_deref().unwrap_or_default();
            *chunk = Some(with_token(&held, pointer, self.logged_in.token()).unwrap_or(held));
        }
    }
}

/// Takes the upstream's word from its answer: the session ends, or keeps the claims.
pub(super) async fn conclude(
    response: &mut ResponseHeader,
    client: Version,
    ctx: &mut Context,
) -> Result<(), Failure> {
    let (Some(login), Some(live)) = (&mut ctx.login, &ctx.live) else { return Ok(()) };
    let sessions = &ctx.state.sessions;
    if response.status.as_u16() >= 400 {
        let ended = sessions.end_unless_accepted(&live.session).await;
        return ended.map_err(|error| Refusal::from(error).into());
    }
    let claims = claims(&response.headers);
    if !claims.is_empty() {
        let added = sessions.add_claims(live, claims).await;
        added.map_err(Refusal::from)?;
    }
    let accepted = sessions.accept(&live.session).await;
    accepted.map_err(Refusal::from)?;
    ctx.state.logins.note_standing(&login.logged_in).await?;
    login.accepted = true;
    let json = response.headers.get(CONTENT_TYPE).is_some_and(|content_type| {
        content_type.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("json"))
    });
    // RFC 9112, 6.1: no Transfer-Encoding goes with these.
    let bodiless = matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if login.rewrites_body() && json && !bodiless {
        login.body = Some(BytesMut::new());
        response.remove_header(&CONTENT_LENGTH);
        if client == Version::HTTP_11 {
            response.insert_header(TRANSFER_ENCODING, "chunked").map_err(Failure::Client)?;
        }
    }
    Ok(())
}

/// Ends the session of a login on which the upstream gave no word: the client never gets its token, and
/// nobody else is to find it.
pub(super) async fn give_up(ctx: &Context) {
    let (Some(login), Some(live)) = (&ctx.login, &ctx.live) else { return };
    if login.accepted {
        return;
    }
    let session = &live.session;
    let sessions = &ctx.state.sessions;
    let ended = sessions.end_for(&session.user, &session.id, EndReason::LoginRefused).await;
    if let Err(error) = ended {
        warn!("the session of a login that its upstream did not answer was not ended: {error}");
    }
}

/// `X-Session-Claim-User-Id: 7` as `user_id` = `7`.
fn claims(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut claims = BTreeMap::new();
    for (name, value) in headers {
        let Some(claim) = name.as_str().strip_prefix(CLAIM_PREFIX) else { continue };
        match value.to_str() {
            Ok(text) if text.len() <= MAX_CLAIM && claims.len() < MAX_CLAIMS => {
                claims.insert(claim.replace('-', "_"), text.to_owned());
            }
            _ => warn!(
                "the login upstream's claim {claim} was not kept: it is no visible ASCII, above 1 KiB, \
                 or one of more than {MAX_CLAIMS}"
            ),
        }
    }
    claims
}

/// The body with the token at a JSON pointer, whose objects are made where they are missing.
fn with_token(body: &[u8], pointer: &str, token: &str) -> Option<Bytes> {
    let mut document: Value = serde_json::from_slice(body).ok()?;
    let mut place = &mut document;
    for part in pointer.split('/').skip(1) {
        let name = part.replace("~1", "/").replace("~0", "~");
        place = match place {
            Value::Object(members) => members.entry(name).or_insert(Value::Null),
            Value::Array(items) => items.get_mut(name.parse::<usize>().ok()?)?,
            Value::Null => {
                *place = Value::Object(Default::default());
                place.as_object_mut()?.entry(name).or_insert(Value::Null)
            }
            _ => return None,
        };
    }
    *place = token.into();
    serde_json::to_vec(&document).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::context::Replacement;

    fn written(body: &str, pointer: &str) -> Option<String> {
        let bytes = with_token(body.as_bytes(), pointer, "T")?;
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn neither_token_nor_body_print() {
        let cookie = HeaderValue::from_static("wxgate=eyJhbGciOi");
        let logged_in = serde_json::json!({
            "appid": "wx", "openid": "o", "unionid": null, "session": "s", "token": "eyJhbGciOi",
            "expires": 0, "first_login": true,
        });
        let logged_in = serde_json::from_value(logged_in).unwrap();
        let mut login = LoginUnderWay::new(logged_in, Some(cookie), None);
        login.body = Some(BytesMut::from("13800138000"));
        let shown = format!("{login:?} {:?}", Replacement::json("13800138000".to_owned(), &[]));
        assert!(!shown.contains("eyJ") && !shown.contains("138"), "{shown}");
    }

    #[test]
    fn the_token_is_put_at_its_pointer() {
        assert_eq!(written(r#"{"b":1,"a":2}"#, "/token").unwrap(), r#"{"b":1,"a":2,"token":"T"}"#);
        assert_eq!(
            written(r#"{"data":{"x":1}}"#, "/data/token").unwrap(),
            r#"{"data":{"x":1,"token":"T"}}"#
        );
        assert_eq!(written(r#"{"data":null}"#, "/data/a~1b").unwrap(), r#"{"data":{"a/b":"T"}}"#);
        assert_eq!(written("{}", "/a/b").unwrap(), r#"{"a":{"b":"T"}}"#);
        assert_eq!(written(r#"{"data":1}"#, "/data/token"), None);
        assert_eq!(written("no json", "/token"), None);
    }
}
